/* One thread: a get, a batch, a miss. */
#include "remote.h"

#include <stdio.h>

typedef struct single_side {
  remote_world *world;
  user_cache cache, cache_executor;
  redisContext *bare;
  unsigned operations;
} single_side;

/* Seconds for all operations. */
typedef double single_fn(single_side *side);

static void count_failure(remote_world *world, bool has_failed)
{
  if (has_failed) __atomic_add_fetch(&world->failures, 1, __ATOMIC_RELAXED);
}

static double get_ours(single_side *side)
{
  const double began = remote_seconds();
  for (uint64_t i = 0; i < side->operations; i++) {
    user_t user = {{0}};
    const uint64_t id = i * 2654435761u % REMOTE_KEYS;
    const accel_status status = user_cache_get(&side->cache, id, &user);
    count_failure(side->world, status != ACCEL_OK || user.words[0] != id);
  }
  return remote_seconds() - began;
}

static double get_bare(single_side *side)
{
  const double began = remote_seconds();
  for (uint64_t i = 0; i < side->operations; i++) {
    user_t user = {{0}};
    const uint64_t id = i * 2654435761u % REMOTE_KEYS;
    count_failure(side->world, !remote_bare_get(side->bare, id, &user) || user.words[0] != id);
  }
  return remote_seconds() - began;
}

/* The same in processor time. */
static double get_ours_cpu(single_side *side)
{
  const double began = remote_cpu_seconds();
  (void)get_ours(side);
  return remote_cpu_seconds() - began;
}

static double get_bare_cpu(single_side *side)
{
  const double began = remote_cpu_seconds();
  (void)get_bare(side);
  return remote_cpu_seconds() - began;
}

enum { BATCH = 100 };

static double mget_ours(single_side *side)
{
  uint64_t ids[BATCH];
  user_t users[BATCH];
  accel_status statuses[BATCH];
  const double began = remote_seconds();
  for (uint64_t done = 0; done < side->operations; done += BATCH) {
    for (uint64_t i = 0; i < BATCH; i++) ids[i] = (done + i) * 2654435761u % REMOTE_KEYS;
    const accel_status status = user_cache_mget(&side->cache, ids, BATCH, NULL, users, statuses);
    for (uint64_t i = 0; i < BATCH; i++)
      count_failure(side->world, status != ACCEL_OK || users[i].words[0] != ids[i]);
  }
  return remote_seconds() - began;
}

/* A miss, the load of it and what is stored: the key is new each time. */
static double miss_in(single_side *side, user_cache *cache)
{
  const double began = remote_seconds();
  for (unsigned i = 0; i < side->operations; i++) {
    user_t user = {{0}};
    const uint64_t id = side->world->next_id++;
    const accel_status status = user_cache_get(cache, id, &user);
    count_failure(side->world, status != ACCEL_OK || user.words[0] != id);
  }
  return remote_seconds() - began;
}

static double miss_ours(single_side *side)
{
  return miss_in(side, &side->cache);
}

static double miss_executor(single_side *side)
{
  return miss_in(side, &side->cache_executor);
}

static double miss_bare(single_side *side)
{
  const double began = remote_seconds();
  for (unsigned i = 0; i < side->operations; i++) {
    user_t user = {{0}};
    const uint64_t id = side->world->next_id++;
    const bool is_there = remote_bare_get(side->bare, id, &user);
    user = remote_user(id);
    count_failure(side->world, is_there || !remote_bare_set(side->bare, id, &user));
  }
  return remote_seconds() - began;
}

/* ---- rounds ---- */

static bool single_open(remote_world *world, single_side *side)
{
  *side = (single_side){.world = world};
  side->bare = remote_bare_open(world);
  return side->bare != NULL &&
         remote_cache_open(world, NULL, ACCEL_REMOTE, ACCEL_FOREVER, &side->cache) &&
         remote_cache_open(world, NULL, ACCEL_REMOTE, 0, &side->cache_executor);
}

static void single_close(single_side *side)
{
  user_cache_close(&side->cache_executor);
  user_cache_close(&side->cache);
  if (side->bare != NULL) redisFree(side->bare);
}

/* Both sides in short turns within a round: `per_operation` of the row's unit from seconds. */
static void single_rounds(single_side *side, single_fn *ours, single_fn *bare, remote_row *row)
{
  enum { TURNS = 5 };
  row->rounds = side->world->options.rounds;
  row->has_bare = true;
  ours(side);
  bare(side);
  for (unsigned round = 0; round < row->rounds; round++) {
    double took_ours = 0, took_bare = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
      if ((round + turn) % 2 == 0) took_ours += ours(side);
      took_bare += bare(side);
      if ((round + turn) % 2 != 0) took_ours += ours(side);
    }
    const double operations = (double)side->operations * TURNS;
    row->ours[round] = row->more_is_better ? operations / took_ours : took_ours / operations * 1e6;
    row->bare[round] = row->more_is_better ? operations / took_bare : took_bare / operations * 1e6;
  }
}

bool remote_measure_single(remote_world *world, remote_row *rows)
{
  single_side side;
  rows[0] = (remote_row){"get, one thread", "us", .at_least = 1.1, .aim = 1.0};
  rows[1] = (remote_row){"the same, client CPU", "us", .at_least = 0};
  const bool is_open = single_open(world, &side);
  side.operations = world->options.is_quick ? 500 : 2000;
  if (is_open) single_rounds(&side, get_ours, get_bare, &rows[0]);
  if (is_open) single_rounds(&side, get_ours_cpu, get_bare_cpu, &rows[1]);
  single_close(&side);
  return is_open;
}

bool remote_measure_mget(remote_world *world, remote_row *row)
{
  single_side side;
  *row = (remote_row){"mget of 100", "keys/s", .more_is_better = true, .at_least = 10, .aim = 25};
  const bool is_open = single_open(world, &side);
  side.operations = world->options.is_quick ? 1000 : 4000;
  if (is_open) single_rounds(&side, mget_ours, get_bare, row);
  single_close(&side);
  return is_open;
}

bool remote_measure_miss(remote_world *world, remote_row *rows)
{
  single_side side;
  rows[0] = (remote_row){"miss, load, fill", "us", .at_least = 2.2, .aim = 1.6};
  rows[1] = (remote_row){"the same, load on executor", "us", .at_least = 0};
  const bool is_open = single_open(world, &side);
  side.operations = world->options.is_quick ? 250 : 1000;
  if (is_open) single_rounds(&side, miss_ours, miss_bare, &rows[0]);
  if (is_open) single_rounds(&side, miss_executor, miss_bare, &rows[1]);
  single_close(&side);
  return is_open;
}

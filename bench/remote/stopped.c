/* The server stands still (SIGSTOP): what a read costs whose loader takes a millisecond. */
#include "remote.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 24, LOAD_US = 1000, PAUSE_US = 1000, SAMPLES_PER_SECOND = 600 };

typedef struct stopped_sample {
  double at_seconds, took_ms; /* since the server was stopped */
} stopped_sample;

typedef struct stopped_reader {
  user_cache *cache; /* NULL: the loader alone */
  remote_world *world;
  unsigned number;
  double began, until;
  stopped_sample *samples;
  size_t count, capacity;
} stopped_reader;

static accel_status load_slowly(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  remote_sleep_us(LOAD_US);
  *out = remote_user(id);
  return ACCEL_OK;
}

static void *stopped_read(void *reader_pointer)
{
  stopped_reader *reader = (stopped_reader *)reader_pointer;
  for (uint64_t i = 0; reader->count < reader->capacity; i++) {
    user_t user = {{0}};
    const uint64_t id = (uint64_t)reader->number * REMOTE_KEYS + i % REMOTE_KEYS;
    const double began = remote_seconds();
    if (began >= reader->until) break;
    const accel_status status = reader->cache == NULL ? load_slowly(NULL, id, &user)
                                                      : user_cache_get(reader->cache, id, &user);
    const double ended = remote_seconds();
    if (status != ACCEL_OK || user.words[0] != id)
      __atomic_add_fetch(&reader->world->failures, 1, __ATOMIC_RELAXED);
    reader->samples[reader->count++] =
        (stopped_sample){began - reader->began, (ended - began) * 1e3};
    remote_sleep_us(PAUSE_US);
  }
  return NULL;
}

typedef struct stopped_result {
  double p50, p99, longest, p99_later;
  size_t count;
} stopped_result;

static stopped_result stopped_sum(const stopped_reader *readers)
{
  stopped_result result = {.count = 0};
  size_t count = 0, count_later = 0;
  for (unsigned i = 0; i < THREADS; i++) count += readers[i].count;
  double *all = (double *)calloc(count + 1, sizeof *all);
  double *later = (double *)calloc(count + 1, sizeof *later);
  if (all == NULL || later == NULL) abort();
  for (unsigned i = 0; i < THREADS; i++) {
    for (size_t k = 0; k < readers[i].count; k++) {
      const stopped_sample *sample = &readers[i].samples[k];
      all[result.count++] = sample->took_ms;
      if (sample->at_seconds >= 1) later[count_later++] = sample->took_ms;
    }
  }
  result.p50 = remote_quantile(all, count, 0.5);
  result.p99 = remote_quantile(all, count, 0.99);
  result.longest = count == 0 ? 0 : all[count - 1];
  result.p99_later = remote_quantile(later, count_later, 0.99);
  free(later);
  free(all);
  return result;
}

static stopped_result stopped_run(remote_world *world, user_cache *cache_or_null, double seconds)
{
  stopped_reader readers[THREADS];
  pthread_t threads[THREADS];
  const size_t capacity = (size_t)(seconds * SAMPLES_PER_SECOND);
  const double began = remote_seconds();
  for (unsigned i = 0; i < THREADS; i++) {
    readers[i] = (stopped_reader){.cache = cache_or_null, .world = world, .number = i};
    readers[i].began = began;
    readers[i].until = began + seconds;
    readers[i].capacity = capacity;
    readers[i].samples = (stopped_sample *)calloc(capacity, sizeof *readers[i].samples);
    if (readers[i].samples == NULL ||
        pthread_create(&threads[i], NULL, stopped_read, &readers[i]) != 0)
      abort();
  }
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  const stopped_result result = stopped_sum(readers);
  for (unsigned i = 0; i < THREADS; i++) free(readers[i].samples);
  return result;
}

bool remote_measure_stopped(remote_world *world, remote_row *rows)
{
  accel_redis redis; /* with the default limits, unlike the others */
  user_cache cache;
  rows[0] = (remote_row){"Redis stands still: get, p50", "ms", .at_least = 0};
  rows[1] = (remote_row){"the same, p99", "ms", .at_least = 100, .aim = 0};
  rows[2] = (remote_row){"the same after 1 s, p99", "ms", .at_least = 100, .aim = 5};
  rows[3] = (remote_row){"the same, longest", "ms", .at_least = 0};
  rows[4] = (remote_row){"the loader alone, p99", "ms", .at_least = 0};
  const accel_redis_config where = {.url = world->url};
  if (accel_redis_open(&redis, &where) != ACCEL_OK) return false;
  if (!remote_cache_open(world, &redis, ACCEL_REMOTE, 0, &cache)) {
    accel_redis_close(&redis);
    return false;
  }
  user_cache_set_loader(&cache, load_slowly, NULL);
  stopped_run(world, &cache, 0.5); /* all is well, and warm */
  const stopped_result alone = stopped_run(world, NULL, 1);
  remote_server_freeze();
  const stopped_result result = stopped_run(world, &cache, world->options.stopped_seconds);
  remote_server_thaw();
  const double values[] = {result.p50, result.p99, result.p99_later, result.longest, alone.p99};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    rows[i].ours[0] = values[i];
    rows[i].rounds = 1;
  }
  user_cache_close(&cache);
  accel_redis_close(&redis);
  return true;
}

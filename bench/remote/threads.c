/* Many threads: all on one shared accel_redis, against a bare connection for each. */
#include "remote.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct threads_worker {
  remote_world *world;
  user_cache *cache; /* NULL: the bare side */
  redisContext *bare;
  pthread_barrier_t *start;
  const bool *is_over; /* atomic */
  unsigned number;
  uint64_t operations;
} threads_worker;

/* Threads have keys of their own: reads of one key at a time would share one request. */
static void *threads_work(void *worker_pointer)
{
  threads_worker *worker = (threads_worker *)worker_pointer;
  const uint64_t span = REMOTE_KEYS / worker->world->options.threads;
  const uint64_t first = span * worker->number;
  uint64_t operations = 0;
  pthread_barrier_wait(worker->start);
  for (; !__atomic_load_n(worker->is_over, __ATOMIC_RELAXED); operations++) {
    user_t user = {{0}};
    const uint64_t id = first + operations % span;
    const bool is_there = worker->cache == NULL
                              ? remote_bare_get(worker->bare, id, &user)
                              : user_cache_get(worker->cache, id, &user) == ACCEL_OK;
    if (!is_there || user.words[0] != id)
      __atomic_add_fetch(&worker->world->failures, 1, __ATOMIC_RELAXED);
  }
  worker->operations = operations;
  return NULL;
}

typedef struct threads_result {
  double operations_per_second, cpu_us_per_operation;
} threads_result;

static threads_result threads_run(remote_world *world, user_cache *cache_or_null,
                                  redisContext **bares, threads_worker *workers, pthread_t *threads)
{
  const unsigned count = world->options.threads;
  pthread_barrier_t start;
  bool is_over = false;
  uint64_t operations = 0;
  pthread_barrier_init(&start, NULL, count + 1);
  for (unsigned i = 0; i < count; i++) {
    workers[i] = (threads_worker){world, cache_or_null, bares[i], &start, &is_over, i, 0};
    if (pthread_create(&threads[i], NULL, threads_work, &workers[i]) != 0) abort();
  }
  const double cpu = remote_cpu_seconds();
  pthread_barrier_wait(&start);
  const double began = remote_seconds();
  remote_sleep_us(world->options.is_quick ? 150000 : 500000);
  __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
  const double took = remote_seconds() - began;
  for (unsigned i = 0; i < count; i++) {
    pthread_join(threads[i], NULL);
    operations += workers[i].operations;
  }
  pthread_barrier_destroy(&start);
  return (threads_result){(double)operations / took,
                          (remote_cpu_seconds() - cpu) / (double)operations * 1e6};
}

static void threads_rounds(remote_world *world, user_cache *cache, redisContext **bares,
                           remote_row *rows)
{
  const size_t count = world->options.threads;
  threads_worker *workers = (threads_worker *)calloc(count, sizeof *workers);
  pthread_t *threads = (pthread_t *)calloc(count, sizeof *threads);
  if (workers == NULL || threads == NULL) abort();
  for (unsigned round = 0; round < world->options.rounds; round++) {
    threads_result ours, bare;
    if (round % 2 == 0) ours = threads_run(world, cache, bares, workers, threads);
    bare = threads_run(world, NULL, bares, workers, threads);
    if (round % 2 != 0) ours = threads_run(world, cache, bares, workers, threads);
    rows[0].ours[round] = ours.operations_per_second;
    rows[0].bare[round] = bare.operations_per_second;
    rows[1].ours[round] = ours.cpu_us_per_operation;
    rows[1].bare[round] = bare.cpu_us_per_operation;
  }
  for (size_t i = 0; i < 2; i++) rows[i].rounds = world->options.rounds;
  free(threads);
  free(workers);
}

bool remote_measure_threads(remote_world *world, remote_row *rows)
{
  const size_t count = world->options.threads;
  rows[0] = (remote_row){"get, many threads", "op/s",   .more_is_better = true,
                         .at_least = 1.2,     .aim = 2, .has_bare = true};
  rows[1] =
      (remote_row){"the same, client CPU", "us/op", .at_least = 0.95, .aim = 0.6, .has_bare = true};
  user_cache cache;
  redisContext **bares = (redisContext **)calloc(count, sizeof *bares);
  bool is_open =
      bares != NULL && remote_cache_open(world, NULL, ACCEL_REMOTE, ACCEL_FOREVER, &cache);
  const bool has_cache = is_open;
  for (size_t i = 0; i < count && is_open; i++) {
    bares[i] = remote_bare_open(world);
    is_open = bares[i] != NULL;
  }
  if (is_open) threads_rounds(world, &cache, bares, rows);
  for (size_t i = 0; i < count && bares != NULL; i++)
    if (bares[i] != NULL) redisFree(bares[i]);
  if (has_cache) user_cache_close(&cache);
  free(bares);
  return is_open;
}

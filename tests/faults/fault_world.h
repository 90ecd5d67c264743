/* fault_world.h: a cache of checkable values on a Redis that faults can reach, for tests.
 *
 * A value tells its key and carries a sum, so that a reader knows a wrong or torn one. Figures are
 * printed; what is asserted counts work, or allows for a machine that is late (lateness.h).
 */
#ifndef FAULT_WORLD_H
#define FAULT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../proxy/proxy.h"
#include "accel.h"
#include "accel_backends/redis.h"
#include "lateness.h"
#include "redis_server.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct item_t {
  uint64_t key, version, sum;
} item_t;

ACCEL_DEFINE_WITH(item, uint64_t, item_t, .remote = &accel_redis_ops)

static ACCEL_UNUSED item_t fault_item(uint64_t key, uint64_t version)
{
  return (item_t){key, version, accel_hash_integer(key * 31 + version, 7)};
}

static ACCEL_UNUSED bool fault_is_whole(uint64_t key, const item_t *item)
{
  return item->key == key && item->sum == accel_hash_integer(key * 31 + item->version, 7);
}

/* Seconds to spend in the long form; 0: the short one is asked for. */
static ACCEL_UNUSED unsigned fault_soak_seconds(void)
{
  const char *seconds = getenv("ACCEL_SOAK_SECONDS");
  return seconds == NULL ? 0 : (unsigned)strtoul(seconds, NULL, 10);
}

/* A number for the short form, and one for the long form. */
static ACCEL_UNUSED unsigned fault_number(unsigned in_ci, unsigned in_soak)
{
  return fault_soak_seconds() == 0 ? in_ci : in_soak;
}

static ACCEL_UNUSED double fault_ms_since(uint64_t began_ns)
{
  return (double)(accel_clock_monotonic_ns() - began_ns) / 1e6;
}

/* ---- one process' cache ---- */

typedef struct fault_world {
  accel_redis redis;
  item_cache cache;
  atomic_uint loads;
  atomic_uint_least64_t version; /* what the loader says */
  unsigned load_us;
} fault_world;

static accel_status fault_load(void *world_pointer, uint64_t key, item_t *out)
{
  fault_world *world = (fault_world *)world_pointer;
  world->loads++;
  if (world->load_us > 0) usleep(world->load_us);
  *out = fault_item(key, world->version);
  return ACCEL_OK;
}

/* With a loader; `config` gives all but the area and the remote. */
static ACCEL_UNUSED void fault_open(fault_world *world, const accel_redis_config *where,
                                    accel_config config)
{
  memset(world, 0, sizeof *world);
  assert_int_equal(accel_redis_open(&world->redis, where), ACCEL_OK);
  if (config.area == NULL) config.area = "fault";
  config.remote = &world->redis;
  assert_int_equal(item_cache_open(&world->cache, &config), ACCEL_OK);
  item_cache_set_loader(&world->cache, fault_load, world);
}

static ACCEL_UNUSED void fault_close(fault_world *world)
{
  item_cache_close(&world->cache);
  accel_redis_close(&world->redis);
}

static ACCEL_UNUSED accel_metrics fault_metrics(fault_world *world)
{
  accel_metrics metrics;
  item_cache_metrics_snapshot(&world->cache, &metrics);
  return metrics;
}

static ACCEL_UNUSED accel_diagnostic fault_look(fault_world *world)
{
  accel_diagnostic seen;
  item_cache_diagnostic_snapshot(&world->cache, &seen);
  return seen;
}

/* Waits for the channel to be up, or down, and for the server to answer; milliseconds, -1: it did
 * not come. `within_ms`: for an idle machine; a busy one may take ten times that. */
static ACCEL_UNUSED double fault_comes(fault_world *world, bool is_up, uint32_t within_ms)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  while (fault_ms_since(began_ns) < 10.0 * within_ms) {
    const accel_diagnostic seen = fault_look(world);
    if (seen.channel_up == is_up && (!is_up || seen.remote_ready)) return fault_ms_since(began_ns);
    usleep(500);
  }
  return -1;
}

/* Waits until the channel was down, if only for a moment; `epochs`: metrics.epoch_raised before. */
static ACCEL_UNUSED bool fault_was_down(fault_world *world, uint64_t epochs)
{
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (fault_metrics(world).epoch_raised == epochs) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(500);
  }
  return true;
}

/* Reads, and nothing else, until L2 has answered so many times more; milliseconds, or -1. */
static ACCEL_UNUSED double fault_comes_to_use(fault_world *world, uint64_t hits, uint32_t within_ms)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const uint64_t wanted = fault_metrics(world).remote_hit + hits;
  for (uint64_t key = 0; fault_metrics(world).remote_hit < wanted; key++) {
    const accel_read read = {.skip_local = true, .disable_load = true};
    item_t item;
    if (fault_ms_since(began_ns) > 10.0 * within_ms) return -1;
    const accel_status status = item_cache_get_with(&world->cache, key % 16, &read, &item);
    if (status == ACCEL_OK && !fault_is_whole(key % 16, &item)) return -1;
    usleep(200);
  }
  return fault_ms_since(began_ns);
}

/* ---- many readers ---- */

enum { FAULT_READERS_MAX = 24, FAULT_SAMPLES_MAX = 100000 };

typedef struct fault_readers {
  fault_world *world;
  accel_read read;
  unsigned count, keys, pause_us;
  atomic_bool is_over;
  pthread_t threads[FAULT_READERS_MAX];
  atomic_uint next_thread, wrong, failed;
  atomic_uint_least64_t began_ns; /* samples count from here; set anew it starts a new phase */
  atomic_size_t sampled;
  float ms[FAULT_SAMPLES_MAX];
} fault_readers;

static void fault_note(fault_readers *readers, double took_ms)
{
  const size_t at = atomic_fetch_add(&readers->sampled, 1);
  if (at < FAULT_SAMPLES_MAX) readers->ms[at] = (float)took_ms;
}

static void *fault_read_on(void *readers_pointer)
{
  fault_readers *readers = (fault_readers *)readers_pointer;
  uint64_t key = atomic_fetch_add(&readers->next_thread, 1);
  for (; !readers->is_over; key += 7) {
    item_t item;
    const uint64_t began_ns = accel_clock_monotonic_ns(), read_key = key % readers->keys;
    const accel_status status =
        item_cache_get_with(&readers->world->cache, read_key, &readers->read, &item);
    fault_note(readers, fault_ms_since(began_ns));
    if (status == ACCEL_OK && !fault_is_whole(read_key, &item)) readers->wrong++;
    if (accel_failed(status)) readers->failed++;
    usleep(readers->pause_us); /* two cores are to serve the others too */
  }
  return NULL;
}

static ACCEL_UNUSED fault_readers *fault_start_readers(fault_world *world, unsigned count,
                                                       unsigned keys, accel_read read)
{
  fault_readers *readers = (fault_readers *)calloc(1, sizeof *readers);
  assert_non_null(readers);
  readers->world = world;
  readers->count = count;
  readers->keys = keys;
  readers->read = read;
  readers->pause_us = 1000;
  for (unsigned i = 0; i < count; i++)
    assert_int_equal(pthread_create(&readers->threads[i], NULL, fault_read_on, readers), 0);
  return readers;
}

static int fault_compare(const void *a, const void *b)
{
  const float left = *(const float *)a, right = *(const float *)b;
  return (left > right) - (left < right);
}

typedef struct fault_times {
  size_t count;
  double p50, p99, longest;
} fault_times;

/* What the reads since the last call took, printed. */
static ACCEL_UNUSED fault_times fault_times_of(fault_readers *readers, const char *phase)
{
  static float sorted[FAULT_SAMPLES_MAX];
  fault_times times = {.count = atomic_load(&readers->sampled)};
  if (times.count > FAULT_SAMPLES_MAX) times.count = FAULT_SAMPLES_MAX;
  memcpy(sorted, readers->ms, times.count * sizeof *sorted);
  atomic_store(&readers->sampled, 0);
  qsort(sorted, times.count, sizeof *sorted, fault_compare);
  if (times.count > 0) {
    times.p50 = (double)sorted[times.count / 2];
    times.p99 = (double)sorted[times.count * 99 / 100];
    times.longest = (double)sorted[times.count - 1];
  }
  print_message("%s: %zu reads, p50 %.2f ms, p99 %.2f ms, longest %.1f ms\n", phase, times.count,
                times.p50, times.p99, times.longest);
  return times;
}

/* Whether each of them reads so many times more, on average. */
static ACCEL_UNUSED bool fault_read_more(fault_readers *readers, unsigned times)
{
  const uint64_t until_ms = accel_clock_deadline(60000);
  const size_t wanted = readers->sampled + (size_t)readers->count * times;
  while (readers->sampled < wanted) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(1000);
  }
  return true;
}

/* Ends them; nothing wrong was ever read, and no read failed. */
static ACCEL_UNUSED void fault_stop_readers(fault_readers *readers)
{
  readers->is_over = true;
  for (unsigned i = 0; i < readers->count; i++) pthread_join(readers->threads[i], NULL);
  const unsigned wrong = readers->wrong, failed = readers->failed;
  free(readers);
  assert_int_equal(wrong, 0);
  assert_int_equal(failed, 0);
}

/* ---- descriptors ---- */

static ACCEL_UNUSED unsigned fault_descriptors(void)
{
  unsigned count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory != NULL && readdir(directory) != NULL) count++;
  if (directory != NULL) closedir(directory);
  return count;
}

#endif

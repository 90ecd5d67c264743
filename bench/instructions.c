/* What bench/instructions.py counts the instructions of: KIND operations on a filled cache, each
 * inside instructions_measure, outside of which nothing is counted.
 *
 * usage: instructions KIND COUNT */
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 3000u
#define ABSENT ((uint64_t)1 << 40)

typedef struct bench_value {
  uint64_t words[8];
} bench_value;

ACCEL_DEFINE(bench, uint64_t, bench_value)

static accel_observer observer;
static bench_cache cache;
static size_t misses;

typedef void instructions_fn(const uint64_t *keys, size_t count);

/* What all loops do besides. */
static void loop_only(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) __asm__ volatile("" : : "r"(keys[i]) : "memory");
}

static void loop_get(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    bench_value value;
    if (bench_cache_get(&cache, keys[i], &value) != ACCEL_OK)
      misses++;
    else
      __asm__ volatile("" : : "m"(value));
  }
}

static void loop_set(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const bench_value value = {{keys[i]}};
    (void)(bench_cache_set(&cache, keys[i], &value) == ACCEL_OK);
  }
}

/* A set too, so that there is something to remove each time. */
static void loop_set_and_del(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const bench_value value = {{keys[i]}};
    (void)(bench_cache_set(&cache, keys[i], &value) == ACCEL_OK);
    (void)(bench_cache_del(&cache, keys[i]) == ACCEL_OK);
  }
}

static accel_status load(void *ctx, uint64_t key, bench_value *out)
{
  (void)ctx;
  out->words[0] = key;
  return ACCEL_OK;
}

/* A hit, or a load that does nothing. */
static void loop_get_or_load(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    bench_value value;
    if (bench_cache_get_or_load(&cache, keys[i], NULL, load, NULL, &value) != ACCEL_OK)
      misses++;
    else
      __asm__ volatile("" : : "m"(value));
  }
}

static ACCEL_CACHEABLE(bench, find, (uint64_t id, bench_value *out), (id, out), .cache = &cache,
                       .key = id, .out = out)
{
  return load(NULL, id, out);
}

static void loop_wrapper(const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    bench_value value;
    if (find(keys[i], &value) != ACCEL_OK)
      misses++;
    else
      __asm__ volatile("" : : "m"(value));
  }
}

/* The name that the counter is told to wait for. */
void instructions_measure(instructions_fn *loop, const uint64_t *keys, size_t count);
__attribute__((noinline)) void instructions_measure(instructions_fn *loop, const uint64_t *keys,
                                                    size_t count)
{
  loop(keys, count);
}

typedef struct instructions_kind {
  const char *name;
  instructions_fn *loop;
  uint32_t ttl_ms;
  size_t capacity;
  uint64_t first, range; /* the keys: first to first + range */
  bool misses;
  uint32_t hot_keys;
  bool is_observed;
} instructions_kind;

/* A hit's cache has room, so that every key is there; an insert's has none. */
static const instructions_kind kinds[] = {
    {"loop", loop_only, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"hit", loop_get, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"hit_forever", loop_get, ACCEL_FOREVER, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"hit_observed", loop_get, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, true},
    {"hit_watched", loop_get, 0, 4 * ENTRIES, 0, ENTRIES, false, 256, false},
    {"miss", loop_get, 0, ENTRIES, ABSENT, UINT64_MAX, true, 0, false},
    {"miss_watched", loop_get, 0, ENTRIES, ABSENT, UINT64_MAX, true, 256, false},
    {"load_hit", loop_get_or_load, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"wrapper_hit", loop_wrapper, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"load", loop_get_or_load, 0, ENTRIES, ABSENT, UINT64_MAX, false, 0, false},
    {"update", loop_set, 0, 4 * ENTRIES, 0, ENTRIES, false, 0, false},
    {"insert", loop_set, 0, ENTRIES, ABSENT, UINT64_MAX, false, 0, false},
    {"set_and_del", loop_set_and_del, 0, 4 * ENTRIES, ABSENT, UINT64_MAX, false, 0, false},
};

static int run(const instructions_kind *kind, size_t count)
{
  const accel_config config = {.area = "bench",
                               .capacity = kind->capacity,
                               .local_ttl_ms = kind->ttl_ms,
                               .observer = kind->is_observed ? &observer : NULL,
                               .hot_keys = kind->hot_keys};
  if (accel_observer_open(&observer, NULL) != ACCEL_OK) return EXIT_FAILURE;
  uint64_t *keys = (uint64_t *)malloc(count * sizeof *keys);
  if (keys == NULL || bench_cache_open(&cache, &config) != ACCEL_OK) return EXIT_FAILURE;
  for (uint64_t key = 0; key < ENTRIES; key++) {
    const bench_value value = {{key}};
    if (bench_cache_set(&cache, key, &value) != ACCEL_OK) return EXIT_FAILURE;
  }
  for (size_t i = 0; i < count; i++) keys[i] = kind->first + i % kind->range;
  const bool hits = kind->range == ENTRIES; /* marked as used before: not counted */
  if (hits) loop_get(keys, count < ENTRIES ? count : ENTRIES);
  if (hits) loop_get(keys, count < ENTRIES ? count : ENTRIES);
  misses = 0;
  instructions_measure(kind->loop, keys, count);
  const size_t expected = kind->misses ? count : 0;
  if (misses != expected)
    fprintf(stderr, "%s: %zu misses, not %zu\n", kind->name, misses, expected);
  bench_cache_close(&cache);
  accel_observer_close(&observer);
  free(keys);
  return misses == expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
  for (size_t i = 0; count == 3 && i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(arguments[1], kinds[i].name) == 0)
      return run(&kinds[i], strtoull(arguments[2], NULL, 10));
  fprintf(stderr, "usage: %s KIND COUNT\n", arguments[0]);
  return 2;
}

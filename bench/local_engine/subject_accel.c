/* accel through its generated functions, in its default configuration: entries live a minute,
 * hits and misses are counted, concurrent loads of one key are shared; and the same for entries
 * that live for ever. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

ACCEL_DEFINE(bench, uint64_t, bench_value)

ACCEL_INLINE bool engine_get(void *state, uint64_t key, bench_value *out)
{
  return bench_cache_get((bench_cache *)state, key, out) == ACCEL_OK;
}

ACCEL_INLINE void engine_set(void *state, uint64_t key, const bench_value *value)
{
  (void)(bench_cache_set((bench_cache *)state, key, value) == ACCEL_OK);
}

BENCH_LOOPS(engine)

static accel_status engine_load(void *ctx, uint64_t key, bench_value *out)
{
  ++*(size_t *)ctx;
  *out = bench_make(key);
  return ACCEL_OK;
}

static size_t engine_get_or_load(void *state, const uint64_t *keys, size_t count)
{
  bench_cache *cache = (bench_cache *)state;
  size_t loads = 0;
  for (size_t i = 0; i < count; i++) {
    bench_value value;
    if (bench_cache_get_or_load(cache, keys[i], NULL, engine_load, &loads, &value) == ACCEL_OK)
      bench_consume(&value);
  }
  return count - loads;
}

static void *engine_open_with(const accel_config *config)
{
  bench_cache *cache = (bench_cache *)calloc(1, sizeof *cache);
  if (cache == NULL) return NULL;
  if (bench_cache_open(cache, config) == ACCEL_OK) return cache;
  fprintf(stderr, "accel: %s\n", bench_cache_last_error(cache));
  free(cache);
  return NULL;
}

static void *engine_open(size_t capacity)
{
  const accel_config config = {.area = "bench", .capacity = capacity};
  return engine_open_with(&config);
}

static void *engine_open_forever(size_t capacity)
{
  const accel_config config = {
      .area = "bench", .capacity = capacity, .local_ttl_ms = ACCEL_FOREVER};
  return engine_open_with(&config);
}

static void engine_close(void *state)
{
  bench_cache_close((bench_cache *)state);
  free(state);
}

static size_t engine_memory_bytes(void *state)
{
  accel_diagnostic diagnostic;
  bench_cache_diagnostic_snapshot((const bench_cache *)state, &diagnostic);
  return diagnostic.memory_bytes;
}

const bench_subject bench_accel = {
    .name = "accel",
    .role = BENCH_CACHE,
    .expires = true,
    .open = engine_open,
    .close = engine_close,
    .get = engine_get_many,
    .set = engine_set_many,
    .mixed = engine_mixed,
    .get_or_set = engine_get_or_set,
    .get_or_load = engine_get_or_load,
    .memory_bytes = engine_memory_bytes,
    .inserts = true,
};

const bench_subject bench_accel_forever = {
    .name = "accel, without expiry",
    .role = BENCH_CACHE,
    .open = engine_open_forever,
    .close = engine_close,
    .get = engine_get_many,
    .set = engine_set_many,
    .mixed = engine_mixed,
    .get_or_set = engine_get_or_set,
    .get_or_load = engine_get_or_load,
    .memory_bytes = engine_memory_bytes,
    .inserts = true,
};

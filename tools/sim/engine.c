/* The same functions that every user of the library gets: nothing here is a model of the engine.
 * Its hashes are seeded from the system, so results differ by a few hundredths of a point. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include "engine.h"

typedef struct payload {
  uint64_t word;
} payload;

ACCEL_DEFINE_WITH(clock, uint64_t, payload, .policy = &accel_policy_clock)
ACCEL_DEFINE_WITH(lru, uint64_t, payload, .policy = &accel_policy_lru)
ACCEL_DEFINE_WITH(s3fifo, uint64_t, payload, .policy = &accel_policy_s3fifo)
ACCEL_DEFINE_WITH(tinylfu, uint64_t, payload, .policy = &accel_policy_tinylfu)
ACCEL_DEFINE_WITH(adaptive, uint64_t, payload, .policy = &accel_policy_adaptive)

static accel_config engine_config(uint32_t capacity)
{
  const accel_config config = {
      .area = "sim",
      .capacity = capacity,
      .local_ttl_ms = ACCEL_FOREVER,
      .loader_timeout_ms = ACCEL_FOREVER,
  };
  return config;
}

/* What the loop needs of a generated cache. */
typedef struct engine_calls {
  accel_status (*get)(void *cache, uint64_t key, payload *out);
  accel_status (*set)(void *cache, uint64_t key, const payload *value);
} engine_calls;

static bool engine_replay(void *cache, const engine_calls *calls, const sim_trace *trace,
                          uint64_t *hits)
{
  payload value = {0};
  *hits = 0;
  for (size_t i = 0; i < trace->length; i++) {
    const uint64_t key = trace->keys[i];
    if (calls->get(cache, key, &value) == ACCEL_OK) {
      ++*hits;
      continue;
    }
    value.word = key;
    if (calls->set(cache, key, &value) != ACCEL_OK) return false;
  }
  return true;
}

static accel_status clock_get(void *cache, uint64_t key, payload *out)
{
  return clock_cache_get((clock_cache *)cache, key, out);
}

static accel_status clock_set(void *cache, uint64_t key, const payload *value)
{
  return clock_cache_set((clock_cache *)cache, key, value);
}

bool sim_engine_clock(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = engine_config(capacity);
  const engine_calls calls = {clock_get, clock_set};
  clock_cache cache;
  if (clock_cache_open(&cache, &config) != ACCEL_OK) return false;
  const bool is_done = engine_replay(&cache, &calls, trace, hits);
  clock_cache_close(&cache);
  return is_done;
}

static accel_status lru_get(void *cache, uint64_t key, payload *out)
{
  return lru_cache_get((lru_cache *)cache, key, out);
}

static accel_status lru_set(void *cache, uint64_t key, const payload *value)
{
  return lru_cache_set((lru_cache *)cache, key, value);
}

bool sim_engine_lru(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = engine_config(capacity);
  const engine_calls calls = {lru_get, lru_set};
  lru_cache cache;
  if (lru_cache_open(&cache, &config) != ACCEL_OK) return false;
  const bool is_done = engine_replay(&cache, &calls, trace, hits);
  lru_cache_close(&cache);
  return is_done;
}

static accel_status s3fifo_get(void *cache, uint64_t key, payload *out)
{
  return s3fifo_cache_get((s3fifo_cache *)cache, key, out);
}

static accel_status s3fifo_set(void *cache, uint64_t key, const payload *value)
{
  return s3fifo_cache_set((s3fifo_cache *)cache, key, value);
}

bool sim_engine_s3fifo(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = engine_config(capacity);
  const engine_calls calls = {s3fifo_get, s3fifo_set};
  s3fifo_cache cache;
  if (s3fifo_cache_open(&cache, &config) != ACCEL_OK) return false;
  const bool is_done = engine_replay(&cache, &calls, trace, hits);
  s3fifo_cache_close(&cache);
  return is_done;
}

static accel_status tinylfu_get(void *cache, uint64_t key, payload *out)
{
  return tinylfu_cache_get((tinylfu_cache *)cache, key, out);
}

static accel_status tinylfu_set(void *cache, uint64_t key, const payload *value)
{
  return tinylfu_cache_set((tinylfu_cache *)cache, key, value);
}

bool sim_engine_tinylfu(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = engine_config(capacity);
  const engine_calls calls = {tinylfu_get, tinylfu_set};
  tinylfu_cache cache;
  if (tinylfu_cache_open(&cache, &config) != ACCEL_OK) return false;
  const bool is_done = engine_replay(&cache, &calls, trace, hits);
  tinylfu_cache_close(&cache);
  return is_done;
}

static accel_status adaptive_get(void *cache, uint64_t key, payload *out)
{
  return adaptive_cache_get((adaptive_cache *)cache, key, out);
}

static accel_status adaptive_set(void *cache, uint64_t key, const payload *value)
{
  return adaptive_cache_set((adaptive_cache *)cache, key, value);
}

bool sim_engine_adaptive(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = engine_config(capacity);
  const engine_calls calls = {adaptive_get, adaptive_set};
  adaptive_cache cache;
  if (adaptive_cache_open(&cache, &config) != ACCEL_OK) return false;
  const bool is_done = engine_replay(&cache, &calls, trace, hits);
  adaptive_cache_close(&cache);
  return is_done;
}

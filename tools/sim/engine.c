/* The same functions that every user of the library gets: nothing here is a model of the engine.
 * Its hashes are seeded from the system, so results differ by a few hundredths of a point. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include "engine.h"

typedef struct payload {
  uint64_t word;
} payload;

ACCEL_DEFINE(sim, uint64_t, payload)

bool sim_engine(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  const accel_config config = {
      .area = "sim",
      .capacity = capacity,
      .local_ttl_ms = ACCEL_FOREVER,
      .loader_timeout_ms = ACCEL_FOREVER,
  };
  sim_cache cache;
  if (sim_cache_open(&cache, &config) != ACCEL_OK) return false;
  payload value = {0};
  bool has_memory = true;
  *hits = 0;
  for (size_t i = 0; has_memory && i < trace->length; i++) {
    const uint64_t key = trace->keys[i];
    if (sim_cache_get(&cache, key, &value) == ACCEL_OK) {
      ++*hits;
    } else {
      value.word = key;
      has_memory = sim_cache_set(&cache, key, &value) == ACCEL_OK;
    }
  }
  sim_cache_close(&cache);
  return has_memory;
}

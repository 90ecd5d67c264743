#include "value_sizes.h"

#include "../../../accel/hash.h"
#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"

#define REDIS_SIZES_OVERSIZED 1u /* of a note about a key */

/* Without the last bit; never 0. */
static uint32_t redis_sizes_hash(const char *key, size_t size)
{
  const uint32_t hash = (uint32_t)accel_hash_bytes(key, size, 0) & ~REDIS_SIZES_OVERSIZED;
  return hash == 0 ? REDIS_SIZES_OVERSIZED << 1 : hash;
}

static size_t redis_sizes_place(uint32_t hash)
{
  return (hash >> 1) % REDIS_VALUE_SIZES_KEYS;
}

/* What is noted about the key: its hash, perhaps with OVERSIZED; else 0. */
static uint32_t redis_sizes_noted(const redis_value_sizes *sizes, uint32_t hash)
{
  const uint32_t noted = accel_load_relaxed(&sizes->keys[redis_sizes_place(hash)]);
  return (noted & ~REDIS_SIZES_OVERSIZED) == hash ? noted : 0;
}

void accel_redis_value_sizes_note(redis_value_sizes *sizes, const char *key, size_t key_size,
                                  size_t size, size_t max_value_bytes)
{
  const bool is_oversized = size > max_value_bytes;
  const bool is_noted = size > REDIS_VALUE_LARGE_BYTES || is_oversized;
  if (!is_noted && !accel_load_relaxed(&sizes->has_large)) return;
  const uint32_t hash = redis_sizes_hash(key, key_size);
  uint32_t *place = &sizes->keys[redis_sizes_place(hash)];
  if (is_noted) {
    accel_store_relaxed(place, hash | (is_oversized ? REDIS_SIZES_OVERSIZED : 0));
    accel_store_relaxed(&sizes->has_large, true);
  } else if (redis_sizes_noted(sizes, hash) != 0) {
    accel_store_relaxed(place, 0);
  }
}

redis_value_size accel_redis_value_sizes_find(const redis_value_sizes *sizes, const char *key,
                                              size_t key_size)
{
  if (!accel_load_relaxed(&sizes->has_large)) return REDIS_VALUE_SMALL;
  const uint32_t noted = redis_sizes_noted(sizes, redis_sizes_hash(key, key_size));
  if (noted == 0) return REDIS_VALUE_SMALL;
  return (noted & REDIS_SIZES_OVERSIZED) != 0 ? REDIS_VALUE_OVERSIZED : REDIS_VALUE_LARGE;
}

void accel_redis_value_sizes_refuse(redis_value_sizes *sizes, uint64_t size)
{
  accel_store_relaxed(&sizes->too_large_bytes, size);
  accel_store_relaxed(&sizes->too_large_until_ms, accel_clock_deadline(REDIS_VALUE_TOO_LARGE_MS));
}

uint64_t accel_redis_value_sizes_refused(const redis_value_sizes *sizes, uint64_t size)
{
  const uint64_t refused = accel_load_relaxed(&sizes->too_large_bytes);
  const uint64_t until_ms = accel_load_relaxed(&sizes->too_large_until_ms);
  if (until_ms == 0 || size < refused || accel_clock_monotonic_ms() >= until_ms) return 0;
  return refused;
}

void accel_redis_value_sizes_forget(redis_value_sizes *sizes)
{
  accel_store_relaxed(&sizes->too_large_until_ms, UINT64_C(0));
  accel_store_relaxed(&sizes->has_large, false);
  for (size_t i = 0; i < REDIS_VALUE_SIZES_KEYS; i++) accel_store_relaxed(&sizes->keys[i], 0u);
}

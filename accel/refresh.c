#include "refresh.h"

#include "hash.h"
#include "platform/atomic.h"

#include <stdlib.h>
#include <string.h>

bool accel_refresh_open(accel_refresh *refresh)
{
  const size_t size = ACCEL_THROTTLE_ENTRIES * sizeof *refresh->throttle;
  refresh->throttle = (accel_throttle_entry *)ACCEL_MALLOC(size);
  if (refresh->throttle != NULL) memset(refresh->throttle, 0, size);
  return refresh->throttle != NULL;
}

void accel_refresh_close(accel_refresh *refresh)
{
  ACCEL_FREE(refresh->throttle);
  refresh->throttle = NULL;
}

uint32_t accel_refresh_window(const accel_config *config)
{
  return config->refresh_ahead ? config->refresh_ahead_window_ms : 0;
}

bool accel_refresh_is_due(const accel_lifetime *lifetime, uint64_t now_ms)
{
  return now_ms >= lifetime->refresh_ms && now_ms < lifetime->expires_ms;
}

static accel_throttle_entry *refresh_entry(const accel_refresh *refresh, uint64_t hash)
{
  return &refresh->throttle[accel_hash_mixed(hash) & (ACCEL_THROTTLE_ENTRIES - 1)];
}

void accel_refresh_throttle(accel_refresh *refresh, uint64_t hash, uint64_t now_ms,
                            uint32_t throttle_ms)
{
  accel_throttle_entry *entry = refresh_entry(refresh, hash);
  accel_store_relaxed(&entry->until_ms, accel_ttl_after(now_ms, throttle_ms));
  accel_store_relaxed(&entry->hash, hash);
}

/* The two words may be of two writers; then a key waits a moment longer or loads once more. */
bool accel_refresh_is_throttled(const accel_refresh *refresh, uint64_t hash, uint64_t now_ms)
{
  const accel_throttle_entry *entry = refresh_entry(refresh, hash);
  return accel_load_relaxed(&entry->hash) == hash && now_ms < accel_load_relaxed(&entry->until_ms);
}

uint64_t accel_refresh_wait_deadline(const accel_config *config, bool has_stale)
{
  const uint32_t hard_ms = config->loader_timeout_ms, soft_ms = config->loader_soft_timeout_ms;
  const bool is_soft = has_stale && soft_ms > 0 && soft_ms < hard_ms;
  return accel_clock_deadline(is_soft ? soft_ms : hard_ms);
}

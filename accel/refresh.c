#include "refresh.h"

#include "hash.h"
#include "platform/atomic.h"

#include <stdlib.h>
#include <string.h>

bool accel_throttle_open(accel_throttle *throttle)
{
  const size_t size = ACCEL_THROTTLE_ENTRIES * sizeof *throttle->entries;
  throttle->entries = (accel_throttle_entry *)ACCEL_MALLOC(size);
  if (throttle->entries != NULL) memset(throttle->entries, 0, size);
  return throttle->entries != NULL;
}

void accel_throttle_close(accel_throttle *throttle)
{
  ACCEL_FREE(throttle->entries);
  throttle->entries = NULL;
}

uint32_t accel_refresh_window(const accel_config *config)
{
  return config->refresh_ahead ? config->refresh_ahead_window_ms : 0;
}

bool accel_refresh_is_due(const accel_lifetime *lifetime, uint64_t now_ms)
{
  return now_ms >= lifetime->refresh_ms && now_ms < lifetime->expires_ms;
}

static accel_throttle_entry *refresh_entry(const accel_throttle *throttle, uint64_t hash)
{
  return &throttle->entries[accel_hash_mixed(hash) & (ACCEL_THROTTLE_ENTRIES - 1)];
}

void accel_throttle_begin(accel_throttle *throttle, uint64_t hash, uint64_t now_ms,
                          uint32_t throttle_ms)
{
  accel_throttle_entry *entry = refresh_entry(throttle, hash);
  accel_store_relaxed(&entry->until_ms, accel_ttl_after(now_ms, throttle_ms));
  accel_store_relaxed(&entry->hash, hash);
}

/* The two words may be of two writers; then a key waits a moment longer or loads once more. */
bool accel_throttle_holds(const accel_throttle *throttle, uint64_t hash, uint64_t now_ms)
{
  const accel_throttle_entry *entry = refresh_entry(throttle, hash);
  return accel_load_relaxed(&entry->hash) == hash && now_ms < accel_load_relaxed(&entry->until_ms);
}

uint64_t accel_refresh_wait_deadline(const accel_config *config, bool has_stale)
{
  const uint32_t hard_ms = config->loader_timeout_ms, soft_ms = config->loader_soft_timeout_ms;
  const bool is_soft = has_stale && soft_ms > 0 && soft_ms < hard_ms;
  return accel_clock_deadline(is_soft ? soft_ms : hard_ms);
}

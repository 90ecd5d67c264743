/* cache_core.c: what every part of an open cache asks: the core behind a cache, keys, time, random
 * numbers, work in the background, and invalidations and fills of L1 (layer 4).
 */
#include "cache_core.h"

#include "codec.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

accel_core *accel_core_of(const accel_cache *cache, accel_status *status)
{
  if (cache == NULL) {
    *status = accel_error_set(NULL, ACCEL_ERR_CONFIG, "cache is NULL");
    return NULL;
  }
  accel_core *core = cache->core;
  if (core == NULL || accel_load_acquire(&core->is_closing)) {
    *status = accel_error_set(cache, ACCEL_ERR_CLOSED, "the cache is not open");
    return NULL;
  }
  if (core->is_foreign) {
    *status = accel_error_set(
        cache, ACCEL_ERR_CONFIG,
        "the cache of area %s was opened before a fork; a child opens its own", core->area);
    return NULL;
  }
  *status = ACCEL_OK;
  return core;
}

bool accel_core_is_alone(const accel_core *core)
{
  return core->local != NULL && core->link == NULL && core->load == NULL && core->mload == NULL &&
         !core->has_report;
}

bool accel_core_is_foreign(const accel_core *core)
{
  return core->is_foreign;
}

accel_status accel_core_check_key(const accel_core *core, const void *key)
{
  if (key == NULL) return accel_error_set(core->cache, ACCEL_ERR_CONFIG, "key is NULL");
  if (core->type->key_kind != ACCEL_KEY_STRING) return ACCEL_OK;
  const char *text = *(const char *const *)key;
  if (text == NULL) return accel_error_set(core->cache, ACCEL_ERR_CONFIG, "key is NULL");
  const size_t limit = core->config.max_key_bytes;
  if (strnlen(text, limit + 1) <= limit) return ACCEL_OK;
  return accel_error_set(core->cache, ACCEL_ERR_CONFIG,
                         "key is longer than max_key_bytes, %zu: %.40s...", limit, text);
}

uint64_t accel_core_now(const accel_core *core)
{
  return accel_clock_read(core->config.clock);
}

uint64_t accel_core_hash(const accel_core *core, const void *key)
{
  return core->type->hash(key, core->seed);
}

accel_gate accel_core_gate(const accel_core *core, uint64_t hash)
{
  const accel_gate none = {0, 0, 0};
  return core->local == NULL ? none : core->local_ops->gate(core->local, hash);
}

uint64_t accel_core_random(accel_core *core)
{
  const uint64_t step = 0x9E3779B97F4A7C15u;
  return accel_hash_integer(accel_add_relaxed(&core->random, step), core->seed);
}

/* Not 0, and of this cache. */
uint64_t accel_core_lease_token(accel_core *core)
{
  const uint64_t own = core->invalidation.sender_id >> 32 << 32;
  const uint64_t token = own | (accel_core_random(core) & UINT32_MAX);
  return token == 0 ? 1 : token;
}

/* Differs per process, thread and call, and writes nothing that threads share. */
uint32_t accel_core_jitter(accel_core *core, uint32_t ttl_ms)
{
  static ACCEL_THREAD_LOCAL uint64_t core_calls;
  if (core->jitter_ratio == 0) return ttl_ms;
  const uint64_t call = ++core_calls ^ (uint64_t)(uintptr_t)&core_calls << 20;
  const uint64_t random = accel_hash_mixed(call ^ core->jitter_seed);
  return accel_ttl_jitter(ttl_ms, core->jitter_ratio, (uint32_t)(random >> 32));
}

bool accel_core_is_degraded(const accel_core *core)
{
  return core->link != NULL && !core->config.no_broadcast &&
         !accel_load_acquire(&core->is_channel_up);
}

accel_lifetime accel_core_lifetime(const accel_core *core, uint32_t ttl_ms)
{
  const uint32_t limit_ms = core->config.degraded_ttl_ms;
  if (ttl_ms > limit_ms && accel_core_is_degraded(core)) ttl_ms = limit_ms;
  return accel_ttl_lifetime(accel_core_now(core), ttl_ms, core->refresh_window_ms);
}

void accel_core_counters(const accel_core *core, uint64_t values[ACCEL_COUNTERS])
{
  accel_stats_values(core->stats, values);
  if (core->local == NULL || core->local_ops->counts == NULL || core->is_foreign) return;
  accel_local_counts counts;
  core->local_ops->counts(core->local, &counts);
  values[ACCEL_COUNT_local_evictions] = counts.evictions;
  values[ACCEL_COUNT_local_expirations] = counts.expirations;
  values[ACCEL_COUNT_local_writes] = counts.inserts + counts.overwrites;
  values[ACCEL_COUNT_local_overwrites] = counts.overwrites;
}

/* ---- work in the background ---- */

bool accel_core_submit(accel_core *core, accel_job *job)
{
  accel_mutex_lock(&core->work_mutex);
  const bool is_closing = accel_load_acquire(&core->is_closing);
  if (!is_closing) core->pending++;
  accel_mutex_unlock(&core->work_mutex);
  if (is_closing) return false;
  job->share = core->share;
  if (accel_executor_submit(core->executor, job)) return true;
  accel_core_work_done(core);
  return false;
}

void accel_core_work_done(accel_core *core)
{
  accel_mutex_lock(&core->work_mutex);
  if (--core->pending == 0) accel_condition_broadcast(&core->work_done);
  accel_mutex_unlock(&core->work_mutex);
}

/* ---- invalidations and fills of L1 ---- */

/* Flights first: one that begins once L1 has forgotten brings nothing old, and parted from later
 * ones it could fill L1 after them. */
void accel_core_expire_all(accel_core *core, const char *why)
{
  accel_probe_epoch(core->area, why);
  accel_singleflight_forget_all(&core->flights);
  if (core->local != NULL) core->local_ops->expire_all(core->local);
  accel_stats_add(core->stats, ACCEL_COUNT_epoch_raised, 1);
}

accel_status accel_core_check_status(const void *owner, const char *what, accel_status returned)
{
  const accel_status status = accel_status_checked(returned);
  if (status == returned) return status;
  return accel_error_set(owner, status,
                         "%s returned %d, which is no accel_status; failures of one's own are "
                         "-1000 and below",
                         what, (int)returned);
}

void accel_core_lease_wake(accel_core *core)
{
  if (accel_load_acquire(&core->lease_waits) == 0) return;
  accel_mutex_lock(&core->work_mutex);
  accel_condition_broadcast(&core->lease_changed);
  accel_mutex_unlock(&core->work_mutex);
}

void accel_core_invalidate_key(void *core_pointer, const char *name, size_t size)
{
  accel_core *core = (accel_core *)core_pointer;
  void *memory = ACCEL_MALLOC(ACCEL_ALIGN_MAX + core->type->key_size + size + 1);
  if (memory == NULL) {
    accel_core_expire_all(core, "memory");
    return;
  }
  char *key = accel_align_pointer(memory, ACCEL_ALIGN_MAX);
  char *text = key + core->type->key_size;
  if (accel_key_parse_name(core->type, name, size, text, key)) {
    const uint64_t hash = accel_core_hash(core, key);
    accel_singleflight_forget(&core->flights, key, hash); /* first, as in expire_all */
    if (core->local != NULL) core->local_ops->del(core->local, core->type, key, hash);
    accel_core_lease_wake(core);
  } else {
    accel_core_expire_all(core, "name");
  }
  ACCEL_FREE(memory);
}

void accel_core_fill_local(accel_core *core, accel_flight *flight, const accel_lifetime *lifetime)
{
  const bool may_fill = accel_singleflight_close_fill(&core->flights, flight);
  if (!flight->fills_local) return;
  const void *value = flight->status == ACCEL_OK ? flight->value : NULL;
  if (!may_fill || core->local_ops->fill(core->local, core->type, flight->key, flight->hash, value,
                                         lifetime, &core_note_of(flight)->gate) == ACCEL_MISS)
    accel_stats_add(core->stats, ACCEL_COUNT_local_fill_refused, 1);
}

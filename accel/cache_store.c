#include "cache_store.h"

#include "cache_batch.h"
#include "cache_observe.h"
#include "cache_remote.h"
#include "cache_renew.h"
#include "cache_repair_queue.h"
#include "hash.h"

#include <stdio.h>
#include <string.h>

#define STORE_FAILURE_MS 250u
#define STORE_FAILURE_MS_MAX 10000u

/* ---- landing ---- */

static bool store_is_cacheable(const accel_flight *flight)
{
  return !core_note_of(flight)->is_uncacheable &&
         (flight->status == ACCEL_OK || flight->status == ACCEL_NULL);
}

static uint32_t store_ttl(accel_core *core, accel_status status, const core_load_options *options,
                          uint32_t configured_ms)
{
  if (status == ACCEL_NULL) return accel_core_jitter(core, core->config.null_ttl_ms);
  return options->ttl_ms != 0 ? options->ttl_ms : accel_core_jitter(core, configured_ms);
}

/* Both levels' lifetimes are drawn when the flight lands: L1 never outlives L2. */
static void store_draw_lifetimes(accel_core *core, core_note *note, accel_status status,
                                 const core_load_options *options)
{
  uint32_t local_ms = store_ttl(core, status, options, core->config.local_ttl_ms);
  if (core->link != NULL) {
    note->remote_ttl_ms = store_ttl(core, status, options, core->config.remote_ttl_ms);
    if (options->ttl_ms != 0 && status != ACCEL_NULL)
      local_ms = accel_core_jitter(core, core->config.local_ttl_ms);
    if (local_ms > note->remote_ttl_ms) local_ms = note->remote_ttl_ms;
  }
  note->lifetime = accel_core_lifetime(core, local_ms);
}

/* How often the loads of a key failed in a row, roughly: keys share a number. */
static void store_count_row(accel_core *core, const accel_flight *flight, bool has_failed)
{
  uint8_t *row = &core->load_failures[accel_hash_mixed(flight->hash) % CORE_FAILURES];
  const uint8_t before = accel_load_relaxed(row);
  if (!has_failed && before != 0) accel_store_relaxed(row, (uint8_t)0);
  if (has_failed && before < UINT8_MAX) accel_store_relaxed(row, (uint8_t)(before + 1));
}

static void store_count(accel_core *core, const accel_flight *flight, accel_status status,
                        bool is_refresh)
{
  const bool has_failed = accel_failed(status);
  store_count_row(core, flight, has_failed);
  accel_stats_add(core->stats, ACCEL_COUNT_load_total, 1);
  accel_stats_add(core->stats, has_failed ? ACCEL_COUNT_load_error : ACCEL_COUNT_load_success, 1);
  if (status == ACCEL_NULL) accel_stats_add(core->stats, ACCEL_COUNT_load_null, 1);
  if (is_refresh)
    accel_stats_add(core->stats,
                    has_failed ? ACCEL_COUNT_refresh_failures : ACCEL_COUNT_refresh_success, 1);
  if (has_failed)
    accel_throttle_begin(&core->throttle, flight->hash, accel_core_now(core),
                         core->config.stale_throttle_ms);
}

/* The last error of the loader itself is the better reason. */
static void store_explain(const accel_core *core, accel_status status,
                          const core_load_options *options, char *error)
{
  const char *reason = accel_error_since(options->error_mark, status);
  if (reason[0] == '\0')
    snprintf(error, ACCEL_ERROR_SIZE, "the load of a key in area %s failed: status %d, %s",
             core->area, (int)status, accel_status_text(status));
  else
    snprintf(error, ACCEL_ERROR_SIZE, "a load in area %s failed with status %d: %.110s", core->area,
             (int)status, reason);
}

/* The reason of a failed load may name a key: an observer that shows no keys gets the status alone.
 * */
static void store_note_error(const accel_core *core, accel_status status, const char *error)
{
  char text[ACCEL_OBSERVED_ERROR_TEXT];
  if (accel_observer_shows_keys(&core->member)) {
    accel_core_note_error(core, error);
    return;
  }
  snprintf(text, sizeof text, "a load failed: status %d, %s", (int)status,
           accel_status_text(status));
  accel_core_note_error(core, text);
}

void accel_core_land(accel_core *core, accel_flight *flight, accel_status status,
                     const core_load_options *options)
{
  char error[ACCEL_ERROR_SIZE];
  error[0] = '\0';
  if (accel_failed(status)) store_explain(core, status, options, error);
  if (accel_failed(status)) store_note_error(core, status, error);
  store_count(core, flight, status, options->is_refresh);
  core_note *note = core_note_of(flight);
  note->source = ACCEL_FROM_LOADER;
  store_draw_lifetimes(core, note, status, options);
  accel_singleflight_land(&core->flights, flight, status, error);
}

/* ---- writing back ---- */

/* TTL of the mark that a load without a value leaves where its lease was: none, or after failures
 * a while in which other processes do not rush to the source. */
static uint32_t store_mark_ttl_ms(const accel_core *core, const accel_flight *flight)
{
  if (!accel_failed(flight->status) || flight->is_dropped) return 1;
  const uint32_t failures =
      accel_load_relaxed(&core->load_failures[accel_hash_mixed(flight->hash) % CORE_FAILURES]);
  const uint32_t doublings = failures <= 1 ? 0 : failures - 1;
  if (doublings > 5) return STORE_FAILURE_MS_MAX;
  return STORE_FAILURE_MS << doublings;
}

/* What is to lie in L2 after a load under a lease: its value, or a mark that goes away. */
static accel_status store_add_outcome(accel_core *core, core_batch *batch,
                                      const accel_flight *flight, const core_load_options *options)
{
  const bool has_value =
      store_is_cacheable(flight) && !(flight->status == ACCEL_NULL && options->no_null_cache);
  if (!core->has_leases || has_value) {
    const void *value = flight->status == ACCEL_OK ? flight->value : NULL;
    return accel_core_batch_add_value(core, batch, value, core_note_of(flight)->remote_ttl_ms);
  }
  /* With a token of its own, so that a renewal on its way does not prolong it. */
  return accel_core_batch_add_lease(core, batch, accel_core_lease_token(core),
                                    store_mark_ttl_ms(core, flight));
}

/* There is no memory to ask L2. A value that lies there and does not exist any more is noted for
 * repair, as for a removal. */
static void store_note_gone(accel_core *core, const accel_flight *flight)
{
  if (flight->status != ACCEL_NULL || core_note_of(flight)->remote == CORE_REMOTE_HELD) return;
  accel_core_repair_note(core, flight->key);
  accel_core_repair_begin(core);
}

/* Adds the flight's outcome to the call's items; what cannot be encoded is counted and left. */
static void store_add_item(accel_core *core, core_batch *batch, const accel_flight *flight,
                           const core_load_options *options, bool removes)
{
  if (accel_core_batch_add_key(core, batch, flight->key) != ACCEL_OK) {
    store_note_gone(core, flight);
    return;
  }
  if (removes) return;
  batch->items[batch->count - 1].token = core->has_leases ? core_note_of(flight)->token : 0;
  if (store_add_outcome(core, batch, flight, options) == ACCEL_OK) return;
  accel_core_batch_drop_last(batch);
  store_note_gone(core, flight);
  accel_stats_add(core->stats, ACCEL_COUNT_remote_encode_errors, 1);
}

/* Under a lease every outcome is sent; without one, only what may be stored, or is to be removed.
 */
static bool store_is_sent(accel_core *core, const accel_flight *flight,
                          const core_load_options *options, bool removes)
{
  const core_remote_state remote = core_note_of(flight)->remote;
  if (core->has_leases && remote == CORE_REMOTE_VALUE) return store_is_cacheable(flight);
  if (core->has_leases) return remote == CORE_REMOTE_HELD;
  const bool is_removal = flight->status == ACCEL_NULL && options->no_null_cache;
  return store_is_cacheable(flight) && is_removal == removes &&
         !accel_singleflight_is_forgotten(&core->flights, flight);
}

/* One round trip for what is to be stored (or, with `removes`, for what no longer exists). The
 * outcome is counted and never returned: the value was loaded, whatever L2 says. */
static void store_remote(accel_core *core, accel_flight **flights, size_t count,
                         const core_load_options *options, bool removes)
{
  core_batch batch;
  size_t sent = 0;
  for (size_t i = 0; i < count; i++) sent += store_is_sent(core, flights[i], options, removes);
  if (sent == 0) return;
  if (accel_core_batch_open(&batch, sent) != ACCEL_OK) {
    for (size_t i = 0; i < count; i++)
      if (store_is_sent(core, flights[i], options, removes)) store_note_gone(core, flights[i]);
    return;
  }
  for (size_t i = 0; i < count && batch.count < sent; i++)
    if (store_is_sent(core, flights[i], options, removes))
      store_add_item(core, &batch, flights[i], options, removes);
  accel_core_batch_seal(&batch);
  if (batch.count > 0 && removes) accel_core_call_del(core, &batch, NULL);
  if (batch.count > 0 && !removes) accel_core_call_fill(core, &batch);
  accel_core_remote_count_failures(core, &batch);
  uint64_t lost = 0;
  for (size_t i = 0; i < batch.count; i++) lost += batch.items[i].status == ACCEL_MISS;
  if (lost > 0) accel_stats_add(core->stats, ACCEL_COUNT_lease_lost, lost);
  accel_core_batch_close(&batch);
}

static void store_local(accel_core *core, accel_flight *flight, const core_load_options *options)
{
  const core_note *note = core_note_of(flight);
  if (core->local == NULL || !store_is_cacheable(flight)) return;
  if (flight->status != ACCEL_NULL || !options->no_null_cache) {
    accel_core_fill_local(core, flight, &note->lifetime);
    return;
  }
  const accel_gate now = accel_core_gate(core, flight->hash);
  const bool stands = now.generation == note->gate.generation && now.epoch == note->gate.epoch;
  if (stands && accel_singleflight_close_fill(&core->flights, flight))
    core->local_ops->del(core->local, core->type, flight->key, flight->hash);
}

static bool store_has_nulls_to_remove(accel_flight **flights, size_t count,
                                      const core_load_options *options)
{
  if (!options->no_null_cache) return false;
  for (size_t i = 0; i < count; i++)
    if (flights[i]->status == ACCEL_NULL) return true;
  return false;
}

void accel_core_store(accel_core *core, accel_flight **flights, size_t count,
                      const core_load_options *options)
{
  for (size_t i = 0; i < count; i++) accel_core_stop_renewal(core, flights[i]);
  if (core->link != NULL && !options->skip_remote) {
    store_remote(core, flights, count, options, false);
    if (!core->has_leases && store_has_nulls_to_remove(flights, count, options))
      store_remote(core, flights, count, options, true);
  }
  for (size_t i = 0; i < count; i++) {
    store_local(core, flights[i], options);
    accel_singleflight_finish(&core->flights, flights[i]);
  }
}

size_t accel_core_drop_unwanted(accel_core *core, accel_flight **flights, size_t count)
{
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    if (accel_singleflight_drop_unwanted(&core->flights, flights[i])) continue;
    accel_flights_keep(flights, &left, i);
  }
  if (left == count) return left;
  static const core_load_options usual;
  accel_stats_add(core->stats, ACCEL_COUNT_load_dropped, count - left);
  accel_core_store(core, flights + left, count - left, &usual); /* gives their leases back */
  return left;
}

void accel_core_store_failure(accel_core *core, accel_flight *flight,
                              const core_load_options *options)
{
  if (core->link != NULL && accel_failed(flight->status) &&
      core_note_of(flight)->remote == CORE_REMOTE_HELD)
    store_remote(core, &flight, 1, options, false);
}

#include "cache_remote.h"

#include "cache_repair_queue.h"
#include "codec.h"

#include <stdio.h>
#include <string.h>

#define REMOTE_LAST_CLEAR_MS 1000u /* of a cache that is closing */

/* ---- reading ---- */

uint64_t accel_core_remote_deadline(const accel_core *core, size_t count)
{
  const uint64_t limit_ms = core->config.loader_timeout_ms;
  if (limit_ms == ACCEL_FOREVER) return ACCEL_NO_DEADLINE;
  return accel_clock_monotonic_ms() + limit_ms * (1 + (count - 1) / REMOTE_KEYS_PER_LIMIT);
}

/* What the flight found in L2 goes to L1 and to its followers. Its accel_info has the lifetime in
 * L2, which may have begun before this process' clock did: then born_ms wraps around. */
static void remote_land(accel_core *core, accel_flight *flight, accel_status status,
                        const accel_envelope *envelope, uint64_t remote_now_ms)
{
  const uint32_t left_ms = accel_envelope_ttl_left(envelope, remote_now_ms);
  const uint32_t own_ms = status == ACCEL_OK ? core->config.local_ttl_ms : core->config.null_ttl_ms;
  const uint32_t jittered_ms = accel_core_jitter(core, own_ms);
  const accel_lifetime lifetime =
      accel_core_lifetime(core, jittered_ms < left_ms ? jittered_ms : left_ms);
  core_note *note = core_note_of(flight);
  note->source = ACCEL_FROM_REMOTE;
  note->lifetime = lifetime;
  note->lifetime.expires_ms = accel_ttl_after(lifetime.born_ms, left_ms);
  if (remote_now_ms > envelope->created_ms)
    note->lifetime.born_ms -= remote_now_ms - envelope->created_ms;
  accel_singleflight_land(&core->flights, flight, status, "");
  if (core->local != NULL) accel_core_fill_local(core, flight, &lifetime);
  accel_singleflight_finish(&core->flights, flight);
}

/* What lies in L2 and does not answer may be replaced, if it still lies there then. */
static void remote_note_useless(core_note *note, const accel_remote_item *item)
{
  note->token = accel_envelope_token(item->data, item->size);
  note->remote = note->token == 0 ? CORE_REMOTE_TRUNCATED : CORE_REMOTE_USELESS;
}

static void remote_note_lease(const accel_core *core, core_note *note, uint64_t token)
{
  const bool is_own = token >> 32 == core->invalidation.sender_id >> 32;
  note->remote = is_own ? CORE_REMOTE_HELD : CORE_REMOTE_LEASED;
  note->token = token;
  note->was_refused = false;
}

/* True: the item answers the flight. Anything that is not ours is a miss, and counted. */
static bool remote_take(accel_core *core, const accel_remote_item *item, accel_flight *flight,
                        const core_remote_read *read)
{
  accel_envelope envelope;
  core_note *note = core_note_of(flight);
  note->remote = CORE_REMOTE_ABSENT;
  if (item->status != ACCEL_OK) return false;
  remote_note_useless(note, item);
  if (!accel_envelope_open(core->type, core->area, item->name, item->name_size, item->data,
                           item->size, &envelope)) {
    accel_stats_add(core->stats, ACCEL_COUNT_remote_decode_errors, 1);
    return false;
  }
  envelope.compressor = core->config.compressor;
  const uint64_t now_ms = core->remote_ops->now_ms(core->link);
  const bool is_negative = (envelope.flags & ACCEL_ENVELOPE_NEGATIVE) != 0;
  if ((envelope.flags & ACCEL_ENVELOPE_LEASE) != 0) {
    remote_note_lease(core, note, envelope.token);
    return false;
  }
  if (read->probe_only) {
    if (note->remote == CORE_REMOTE_USELESS) note->remote = CORE_REMOTE_VALUE;
    return false;
  }
  if (accel_envelope_ttl_left(&envelope, now_ms) == 0) return false;
  if (is_negative && core->config.no_null_cache) return false;
  if (!is_negative && accel_envelope_value(core->type, &envelope, flight->value) != ACCEL_OK) {
    accel_stats_add(core->stats, ACCEL_COUNT_remote_decode_errors, 1);
    return false;
  }
  remote_land(core, flight, is_negative ? ACCEL_NULL : ACCEL_OK, &envelope, now_ms);
  return true;
}

/* L2 failed for this flight: counted, and under ACCEL_PROPAGATE the end of it. */
static void remote_fail(accel_core *core, accel_flight *flight, const core_remote_read *read,
                        const char *error)
{
  accel_stats_add(core->stats, ACCEL_COUNT_remote_errors, 1);
  core_note *note = core_note_of(flight);
  note->remote = CORE_REMOTE_UNKNOWN;
  note->has_remote_failed = true;
  snprintf(flight->error, sizeof flight->error, "%s", error);
  if (read->errors == ACCEL_IGNORE) return;
  char text[ACCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "L2 failed for a read in area %s: %.120s", core->area, error);
  accel_singleflight_land(&core->flights, flight, ACCEL_ERR_BACKEND, text);
  accel_singleflight_finish(&core->flights, flight);
}

static void remote_resolve_items(accel_core *core, const core_batch *batch, accel_flight **flights,
                                 const core_remote_read *read)
{
  uint64_t hits = 0, misses = 0;
  for (size_t i = 0; i < batch->count; i++) {
    const accel_remote_item *item = &batch->items[i];
    if (accel_failed(item->status)) {
      remote_fail(core, flights[i], read, batch->call.error);
      continue;
    }
    const bool is_hit = remote_take(core, item, flights[i], read);
    if (is_hit)
      hits++;
    else
      misses++;
  }
  if (hits > 0) accel_stats_add(core->stats, ACCEL_COUNT_remote_hit, hits);
  if (misses > 0 && !read->is_retry && !read->probe_only)
    accel_stats_add(core->stats, ACCEL_COUNT_remote_miss, misses);
}

/* Leaves out the keys whose last write L2 did not confirm: until that is repaired, L2 is neither
 * asked for them nor written to. */
static void remote_leave_out(accel_core *core, core_batch *batch, accel_flight **flights,
                             const core_remote_read *read)
{
  if (accel_repair_length(&core->repair) == 0) return;
  accel_core_repair_begin(core); /* in case no thread could be started, and no heartbeat comes */
  size_t kept = 0;
  for (size_t i = 0; i < batch->count; i++) {
    core_note_of(flights[i])->remote = CORE_REMOTE_UNKNOWN;
    if (accel_core_repair_holds(core, &batch->items[i])) continue;
    batch->items[kept] = batch->items[i];
    accel_flights_keep(flights, &kept, i); /* raises kept */
  }
  if (!read->is_retry && !read->probe_only)
    accel_stats_add(core->stats, ACCEL_COUNT_remote_miss, batch->count - kept);
  batch->count = kept;
}

void accel_core_remote_get(accel_core *core, accel_flight **flights, size_t count,
                           const core_remote_read *read)
{
  core_batch batch;
  if (count == 0) return;
  accel_status status = accel_core_batch_open(&batch, count);
  for (size_t i = 0; i < count && status == ACCEL_OK; i++)
    status = accel_core_batch_add_key(core, &batch, flights[i]->key);
  if (status != ACCEL_OK) {
    char error[ACCEL_ERROR_SIZE];
    snprintf(error, sizeof error, "%zu keys were not asked for: %s", count,
             accel_status_text(status));
    for (size_t i = 0; i < count; i++) remote_fail(core, flights[i], read, error);
    accel_core_batch_close(&batch);
    return;
  }
  accel_core_batch_seal(&batch);
  remote_leave_out(core, &batch, flights, read);
  if (batch.count > 0) {
    batch.call.deadline_ms = accel_core_remote_deadline(core, batch.count);
    batch.call.looks_closely = read->is_retry; /* a lease was refused where nothing seemed to lie */
    accel_core_call_get(core, &batch);
    remote_resolve_items(core, &batch, flights, read);
    core->remote_ops->release(core->link, &batch.call);
  }
  accel_core_batch_close(&batch);
}

void accel_core_remote_count_failures(accel_core *core, const core_batch *batch)
{
  for (size_t i = 0; i < batch->count; i++) {
    if (!accel_failed(batch->items[i].status)) continue;
    const bool is_too_large = batch->items[i].status == ACCEL_ERR_CODEC;
    accel_stats_add(core->stats,
                    is_too_large ? ACCEL_COUNT_remote_encode_errors : ACCEL_COUNT_remote_errors, 1);
  }
}

/* ---- writing ---- */

void accel_core_remote_count_messages(accel_core *core, const accel_remote_call *call)
{
  accel_stats_add(core->stats, ACCEL_COUNT_invalidation_publish, call->messages_sent);
  accel_stats_add(core->stats, ACCEL_COUNT_invalidation_publish_failures, call->messages_failed);
}

static accel_status remote_count(accel_core *core, const accel_remote_call *call,
                                 accel_status status, const char *what)
{
  accel_core_remote_count_messages(core, call);
  if (!accel_failed(status)) return ACCEL_OK;
  const bool is_too_large = status == ACCEL_ERR_CODEC;
  return accel_error_set(core->cache, is_too_large ? status : ACCEL_ERR_BACKEND,
                         "L2 did not confirm the %s in area %s: %s", what, core->area,
                         call->error[0] == '\0' ? accel_status_text(status) : call->error);
}

accel_status accel_core_remote_write(accel_core *core, core_batch *batch, accel_core_call_fn *write,
                                     const char *what)
{
  if (batch->count == 0) return ACCEL_OK;
  const accel_remote_publisher publisher = {&core->invalidation, accel_invalidation_message};
  write(core, batch, core->config.no_broadcast ? NULL : &publisher);
  accel_core_remote_count_failures(core, batch);
  accel_status status = ACCEL_OK;
  for (size_t i = 0; i < batch->count && status == ACCEL_OK; i++)
    if (accel_failed(batch->items[i].status)) status = batch->items[i].status;
  if (accel_failed(status)) accel_core_repair_add(core, batch);
  return remote_count(core, &batch->call, status, what);
}

accel_status accel_core_remote_clear(accel_core *core)
{
  if (core->remote_ops->clear == NULL)
    return accel_error_set(core->cache, ACCEL_ERR_BACKEND,
                           "this L2 (%s) cannot clear area %s: its entries live until their TTL",
                           core->remote_ops->name, core->area);
  const accel_remote_publisher publisher = {&core->invalidation, accel_invalidation_message};
  accel_remote_call call;
  memset(&call, 0, sizeof call);
  const bool is_last = accel_load_acquire(&core->is_closing);
  call.deadline_ms = is_last ? accel_clock_deadline(REMOTE_LAST_CLEAR_MS) : ACCEL_NO_DEADLINE;
  call.stop_or_null = is_last ? NULL : &core->is_closing;
  const accel_status status =
      accel_core_call_clear(core, core->config.no_broadcast ? NULL : &publisher, &call);
  if (accel_failed(status)) accel_stats_add(core->stats, ACCEL_COUNT_remote_errors, 1);
  return remote_count(core, &call, status, "clear");
}

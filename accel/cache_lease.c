/* cache_lease.c: one load per key in all processes.
 *
 * A miss in L2 asks for the key's lease: an envelope without a value that is stored only where
 * nothing lies. The process that gets it loads, and replaces the lease by the value only if the
 * lease still lies there. Every set or del of any process removes it, so that a load which they
 * overtook writes nothing. Processes that do not get it wait for the value. A process may die while
 * it has a lease: leases are short, and renewed while their loads run (cache_renew.c). A load may
 * hang: after half of its time limit the other half is used to load here, without writing to L2.
 *
 * A token's upper half names its cache, so that a cache recognizes its own leases: a load that
 * failed leaves one for a short time, which other processes wait for and this one does not.
 */
#include "cache_lease.h"

#include "cache_batch.h"
#include "cache_remote.h"
#include "cache_renew.h"
#include "cache_store.h"
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS_MIN 3000u
#define LEASE_MS_UNLIMITED 10000u /* of loads without a time limit */
#define LEASE_PAUSE_FIRST_MS 5u
#define LEASE_PAUSE_MAX_MS 40u

/* Leases that no thread renews last longer than loads are expected to. */
static uint32_t lease_ttl_ms(const accel_core *core)
{
  const uint32_t limit_ms = core->config.loader_timeout_ms;
  if (core->renewal.has_joined) return core->config.lease_ms;
  if (limit_ms == ACCEL_FOREVER) return LEASE_MS_UNLIMITED;
  if (limit_ms < LEASE_MS_MIN / 2) return LEASE_MS_MIN;
  return limit_ms < ACCEL_FOREVER / 2 ? 2 * limit_ms : ACCEL_FOREVER - 1;
}

/* ---- asking ---- */

static bool lease_may_be_asked(core_remote_state remote)
{
  return remote == CORE_REMOTE_ABSENT || remote == CORE_REMOTE_TRUNCATED ||
         remote == CORE_REMOTE_USELESS;
}

/* Lists the flights in this state. Those that do not fit into memory are left as they are, and
 * nothing will be written for them. */
static size_t lease_list(accel_core *core, core_batch *batch, accel_flight **flights, size_t count,
                         core_remote_state state, accel_flight **listed)
{
  if (accel_core_batch_open(batch, count) != ACCEL_OK) return 0;
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    core_note *note = core_note_of(flight);
    if (note->remote != state) continue;
    if (accel_core_batch_add_key(core, batch, flight->key) != ACCEL_OK) continue;
    const uint64_t token = accel_core_lease_token(core);
    if (state != CORE_REMOTE_TRUNCATED &&
        accel_core_batch_add_lease(core, batch, token, lease_ttl_ms(core)) != ACCEL_OK) {
      accel_core_batch_drop_last(batch);
      continue;
    }
    accel_remote_item *item = &batch->items[batch->count - 1];
    item->token = state == CORE_REMOTE_USELESS ? note->token : token;
    if (state == CORE_REMOTE_ABSENT) note->token = token;
    listed[batch->count - 1] = flight;
  }
  accel_core_batch_seal(batch);
  batch->call.deadline_ms = accel_core_remote_deadline(core, count);
  return batch->count;
}

/* Asks for what is free: SET NX. */
static void lease_ask_free(accel_core *core, accel_flight **flights, size_t count,
                           accel_flight **listed)
{
  core_batch batch;
  const size_t asked = lease_list(core, &batch, flights, count, CORE_REMOTE_ABSENT, listed);
  if (asked > 0) accel_core_call_lease(core, &batch, lease_ttl_ms(core));
  accel_core_remote_count_failures(core, &batch);
  for (size_t i = 0; i < asked; i++) {
    const accel_remote_item *item = &batch.items[i];
    core_note *note = core_note_of(listed[i]);
    note->remote = CORE_REMOTE_UNKNOWN;
    if (item->status != ACCEL_OK) continue;
    if (item->token != 0) {
      note->remote = CORE_REMOTE_HELD;
      accel_stats_add(core->stats, ACCEL_COUNT_lease_granted, 1);
      continue;
    }
    /* Neither there nor free, twice in a row: something that cannot be read lies there, and nobody
     * is loading it. */
    note->remote = note->was_refused ? CORE_REMOTE_UNKNOWN : CORE_REMOTE_LEASED;
    note->was_refused = true;
  }
  accel_core_batch_close(&batch);
}

/* Puts leases where bytes lie that are no use, if they still do. */
static void lease_replace_useless(accel_core *core, accel_flight **flights, size_t count,
                                  accel_flight **listed)
{
  core_batch batch;
  const size_t asked = lease_list(core, &batch, flights, count, CORE_REMOTE_USELESS, listed);
  if (asked > 0) accel_core_call_fill(core, &batch);
  accel_core_remote_count_failures(core, &batch);
  for (size_t i = 0; i < asked; i++) {
    const accel_remote_item *item = &batch.items[i];
    core_note *note = core_note_of(listed[i]);
    note->remote = accel_failed(item->status) ? CORE_REMOTE_UNKNOWN : CORE_REMOTE_LEASED;
    if (item->status != ACCEL_OK) continue;
    note->remote = CORE_REMOTE_HELD;
    note->token = accel_envelope_token(item->data, item->size);
    accel_stats_add(core->stats, ACCEL_COUNT_lease_granted, 1);
  }
  accel_core_batch_close(&batch);
}

/* Removes bytes that are too short to be compared: at worst a value that came meanwhile is loaded
 * once more. */
static void lease_remove_short(accel_core *core, accel_flight **flights, size_t count,
                               accel_flight **listed)
{
  core_batch batch;
  const size_t asked = lease_list(core, &batch, flights, count, CORE_REMOTE_TRUNCATED, listed);
  if (asked > 0) accel_core_call_del(core, &batch, NULL);
  accel_core_remote_count_failures(core, &batch);
  for (size_t i = 0; i < asked; i++)
    core_note_of(listed[i])->remote =
        accel_failed(batch.items[i].status) ? CORE_REMOTE_UNKNOWN : CORE_REMOTE_ABSENT;
  accel_core_batch_close(&batch);
}

static size_t lease_count(accel_flight **flights, size_t count, core_remote_state state)
{
  size_t found = 0;
  for (size_t i = 0; i < count; i++) found += core_note_of(flights[i])->remote == state;
  return found;
}

static void lease_ask(accel_core *core, accel_flight **flights, size_t count)
{
  if (count == 0) return;
  accel_flight *one = flights[0];
  accel_flight **listed = &one;
  if (count > 1) listed = (accel_flight **)ACCEL_MALLOC(count * sizeof(accel_flight *));
  if (listed != NULL) {
    memcpy(listed, flights, count * sizeof(accel_flight *));
    if (lease_count(flights, count, CORE_REMOTE_TRUNCATED) > 0)
      lease_remove_short(core, flights, count, listed);
    if (lease_count(flights, count, CORE_REMOTE_USELESS) > 0)
      lease_replace_useless(core, flights, count, listed);
    if (lease_count(flights, count, CORE_REMOTE_ABSENT) > 0)
      lease_ask_free(core, flights, count, listed);
  }
  for (size_t i = 0; i < count; i++) /* there was no memory to ask for them */
    if (lease_may_be_asked(core_note_of(flights[i])->remote))
      core_note_of(flights[i])->remote = CORE_REMOTE_UNKNOWN;
  if (listed != &one) ACCEL_FREE(listed);
}

/* Brings those to the front that need not wait. */
static size_t lease_sort(accel_flight **flights, size_t count)
{
  size_t ready = 0;
  for (size_t i = 0; i < count; i++) {
    if (core_note_of(flights[i])->remote == CORE_REMOTE_LEASED) continue;
    accel_flights_keep(flights, &ready, i);
  }
  return ready;
}

size_t accel_core_lease(accel_core *core, accel_flight **flights, size_t count)
{
  if (!core->has_leases) return count;
  lease_ask(core, flights, count);
  accel_core_start_renewals(core, flights, count);
  return lease_sort(flights, count);
}

/* ---- waiting ---- */

static void lease_pause(accel_core *core, uint32_t pause_ms, uint64_t deadline_ms)
{
  const uint64_t random = accel_core_random(core);
  const uint64_t wanted_ms = accel_clock_monotonic_ms() + 1 + random % pause_ms;
  accel_add_acq_rel(&core->lease_waits, 1u);
  accel_mutex_lock(&core->work_mutex);
  accel_condition_wait(&core->lease_changed, &core->work_mutex,
                       wanted_ms < deadline_ms ? wanted_ms : deadline_ms);
  accel_mutex_unlock(&core->work_mutex);
  accel_sub_acq_rel(&core->lease_waits, 1u);
}

/* Takes out what is landed; of the others those that may be loaded come first. Returns how many
 * are left. */
static size_t lease_drop_landed(accel_flight **flights, size_t count)
{
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    if (flights[i]->is_landed) continue;
    accel_flights_keep(flights, &left, i);
  }
  return left;
}

/* How long another process' load is waited for: half of the time that a load may take. */
static uint32_t lease_wait_ms(const accel_core *core)
{
  const uint32_t limit_ms = core->config.loader_timeout_ms;
  return limit_ms == ACCEL_FOREVER ? LEASE_MS_UNLIMITED : limit_ms / 2;
}

/* Time is up. Where an expired value does for everybody, it answers; else the flight is loaded
 * here, and L2 left to the process that has the lease. */
static size_t lease_give_up(accel_core *core, accel_flight **flights, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    accel_stats_add(core->stats, ACCEL_COUNT_lease_timeout, 1);
    core_note *note = core_note_of(flight);
    note->remote = CORE_REMOTE_UNKNOWN;
    if (!note->may_answer_stale) continue;
    accel_throttle_begin(&core->throttle, flight->hash, accel_core_now(core),
                         core->config.stale_throttle_ms);
    char error[ACCEL_ERROR_SIZE];
    snprintf(error, sizeof error,
             "another process has the lease of a key in area %s, and did not load it within %u ms",
             core->area, (unsigned)lease_wait_ms(core));
    accel_singleflight_land(&core->flights, flight, ACCEL_ERR_TIMEOUT, error);
    accel_singleflight_finish(&core->flights, flight);
  }
  return lease_drop_landed(flights, count);
}

/* Waits for the leases of other processes; see accel_core_lease_wait. */
static size_t lease_wait(accel_core *core, accel_flight **flights, size_t count,
                         accel_error_policy errors)
{
  const uint64_t deadline_ms = accel_clock_deadline(lease_wait_ms(core));
  const core_remote_read read = {.is_retry = true, .errors = errors};
  uint32_t pause_ms = LEASE_PAUSE_FIRST_MS;
  size_t ready = 0; /* the first so many need not wait any longer */
  accel_stats_add(core->stats, ACCEL_COUNT_lease_waits, count);
  while (ready < count && accel_clock_monotonic_ms() < deadline_ms &&
         !accel_load_acquire(&core->is_closing)) {
    lease_pause(core, pause_ms, deadline_ms);
    for (size_t i = ready; i < count; i++) /* what is read from here on is no older */
      core_note_of(flights[i])->gate = accel_core_gate(core, flights[i]->hash);
    accel_core_remote_get(core, flights + ready, count - ready, &read);
    count = ready + lease_drop_landed(flights + ready, count - ready);
    count = ready + accel_core_drop_unwanted(core, flights + ready, count - ready);
    lease_ask(core, flights + ready, count - ready);
    accel_core_start_renewals(core, flights + ready, count - ready);
    ready += lease_sort(flights + ready, count - ready);
    if (pause_ms < LEASE_PAUSE_MAX_MS) pause_ms *= 2;
  }
  return ready + lease_give_up(core, flights + ready, count - ready);
}

size_t accel_core_lease_wait(accel_core *core, accel_flight **flights, size_t count,
                             accel_error_policy errors)
{
  if (count == 0) return 0;
  const uint64_t begun_ns = accel_latencies_begin(core->latencies);
  const uint64_t first_hash = flights[0]->hash;
  const size_t ready = lease_wait(core, flights, count, errors);
  const uint64_t taken_ns = accel_latencies_end(core->latencies, ACCEL_TIMED_wait_lease, begun_ns);
  accel_probe_wait(core->area, first_hash, taken_ns, "lease");
  return ready;
}

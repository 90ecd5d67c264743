/* cache_renew.c: leases last while their loads run.
 *
 * A lease is short, so that others wait no longer than that for a process that died, or is stopped,
 * while it has one. It is renewed at a third of its TTL while the load runs. To renew is to fill:
 * the lease's own envelope replaces it, if it still lies there, and its TTL begins anew. A lease
 * that a write replaced, or that expired, is not renewed any more, and the load's value will not be
 * written either.
 *
 * Flights whose leases are renewed are in a list, ordered by when they are due: all have the same
 * period. The thread that runs a load puts its flights in, and takes them out before it finishes
 * them.
 */
#include "cache_renew.h"

#include "cache_batch.h"
#include "cache_remote.h"

#include <string.h>

#define RENEW_BLOCK 64u

static uint32_t renew_period_ms(const accel_core *core)
{
  return core->config.lease_ms / 3;
}

/* ---- the list: with the mutex held ---- */

static void renew_append(accel_core *core, accel_flight *flight, uint64_t due_ms)
{
  core_note *note = core_note_of(flight);
  ACCEL_ASSERT(!note->is_renewed);
  ACCEL_ASSERT(note->remote == CORE_REMOTE_HELD);
  accel_flight *last = core->renewed_last;
  note->renew_due_ms = due_ms;
  note->renewed_next = NULL;
  note->renewed_previous = last;
  *(last == NULL ? &core->renewed_first : &core_note_of(last)->renewed_next) = flight;
  core->renewed_last = flight;
  accel_store_relaxed(&note->is_renewed, true);
}

static void renew_remove(accel_core *core, accel_flight *flight)
{
  core_note *note = core_note_of(flight);
  ACCEL_ASSERT(note->is_renewed);
  ACCEL_ASSERT(core->renewed_first != NULL && core->renewed_last != NULL);
  accel_flight *next = note->renewed_next, *previous = note->renewed_previous;
  *(next == NULL ? &core->renewed_last : &core_note_of(next)->renewed_previous) = previous;
  *(previous == NULL ? &core->renewed_first : &core_note_of(previous)->renewed_next) = next;
  accel_store_relaxed(&note->is_renewed, false);
}

/* ---- for threads that load ---- */

void accel_core_start_renewals(accel_core *core, accel_flight **flights, size_t count)
{
  if (!core->renewal.has_joined) return;
  const uint64_t due_ms = accel_clock_deadline(renew_period_ms(core));
  bool has_new = false;
  accel_mutex_lock(&core->renew_mutex);
  for (size_t i = 0; i < count; i++) {
    const core_note *note = core_note_of(flights[i]);
    if (note->remote != CORE_REMOTE_HELD || note->is_renewed) continue;
    renew_append(core, flights[i], due_ms);
    has_new = true;
  }
  accel_mutex_unlock(&core->renew_mutex);
  if (has_new) accel_renewal_ask(&core->renewal, due_ms);
}

void accel_core_stop_renewal(accel_core *core, accel_flight *flight)
{
  const core_note *note = core_note_of(flight);
  if (!accel_load_relaxed(&note->is_renewed)) return;
  accel_mutex_lock(&core->renew_mutex);
  if (note->is_renewed) renew_remove(core, flight);
  accel_mutex_unlock(&core->renew_mutex);
}

/* ---- on the thread that renews ---- */

/* Those that are due go to the end of the list, and are held for the call. */
static size_t renew_take_due(accel_core *core, accel_flight *due[RENEW_BLOCK])
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  size_t count = 0;
  accel_mutex_lock(&core->renew_mutex);
  while (count < RENEW_BLOCK && core->renewed_first != NULL) {
    accel_flight *flight = core->renewed_first;
    if (core_note_of(flight)->renew_due_ms > now_ms) break;
    renew_remove(core, flight);
    renew_append(core, flight, now_ms + renew_period_ms(core));
    accel_singleflight_retain(flight);
    due[count++] = flight;
  }
  accel_mutex_unlock(&core->renew_mutex);
  return count;
}

/* What does not fit into memory, or is not answered, is tried again when it is due next. */
static void renew_block(accel_core *core, accel_flight **flights, size_t count)
{
  core_batch batch;
  accel_flight *listed[RENEW_BLOCK];
  size_t sent = 0;
  if (accel_core_batch_open(&batch, count) != ACCEL_OK) return;
  for (size_t i = 0; i < count; i++) {
    if (accel_core_batch_add_key(core, &batch, flights[i]->key) != ACCEL_OK) continue;
    const uint64_t token = core_note_of(flights[i])->token;
    if (accel_core_batch_add_lease(core, &batch, token, core->config.lease_ms) != ACCEL_OK) {
      accel_core_batch_drop_last(&batch);
      continue;
    }
    batch.items[sent].token = token;
    listed[sent++] = flights[i];
  }
  accel_core_batch_seal(&batch);
  batch.call.deadline_ms = accel_clock_deadline(renew_period_ms(core));
  batch.is_background = true;
  if (sent > 0) accel_core_call_fill(core, &batch);
  accel_core_remote_count_failures(core, &batch);
  for (size_t i = 0; i < sent; i++)
    if (batch.items[i].status == ACCEL_MISS) accel_core_stop_renewal(core, listed[i]);
  accel_core_batch_close(&batch);
}

static uint64_t renew_run(void *core_pointer)
{
  accel_core *core = (accel_core *)core_pointer;
  accel_flight *due[RENEW_BLOCK];
  size_t count;
  while ((count = renew_take_due(core, due)) > 0) {
    renew_block(core, due, count);
    for (size_t i = 0; i < count; i++) accel_singleflight_release(&core->flights, due[i]);
  }
  accel_mutex_lock(&core->renew_mutex);
  const uint64_t next_ms = core->renewed_first == NULL
                               ? ACCEL_NO_DEADLINE
                               : core_note_of(core->renewed_first)->renew_due_ms;
  accel_mutex_unlock(&core->renew_mutex);
  return next_ms;
}

bool accel_core_renew_open(accel_core *core)
{
  if (!core->has_leases) return true;
  if (!accel_mutex_open(&core->renew_mutex)) return false;
  core->has_renew_mutex = true;
  core->renewal.run = renew_run;
  core->renewal.ctx = core;
  accel_renewal_join(&core->renewal); /* without it leases are long */
  return true;
}

void accel_core_renew_close(accel_core *core)
{
  accel_renewal_leave(&core->renewal);
  if (core->has_renew_mutex) accel_mutex_close(&core->renew_mutex);
}

/* cache_leave.c: threads that end, by pthread_exit or cancellation, where the user's code runs in
 * the midst of the library: in a loader, in the body of a wrapper, in a codec or a copy.
 *
 * Threads that wait for what such a thread loads get ACCEL_ERR_LOADER, and what it held is
 * released. In the library's own frames a guard sees it (platform/thread.h). The body of a wrapper
 * runs in the user's frames, where no guard can stand: what it holds lies in memory that the thread
 * knows, and is seen to when the thread has ended.
 */
#include "cache_leave.h"

#include "cache_renew.h"
#include "cache_store.h"

#include <stdlib.h>
#include <string.h>

static ACCEL_THREAD_LOCAL core_body *leave_bodies; /* innermost first */

static accel_core *leave_core_of(const accel_flight *flight)
{
  return (accel_core *)((uintptr_t)flight->table - offsetof(accel_core, flights));
}

/* One that the thread runs, or has landed and not finished. */
static void leave_end_flight(accel_flight *flight)
{
  accel_core *core = leave_core_of(flight);
  const core_load_options options = {.is_refresh = flight->is_refresh};
  core_note *note = core_note_of(flight);
  const bool is_in_body = note->is_in_body;
  note->is_in_body = false;
  accel_singleflight_retain(flight);
  if (!flight->is_landed) {
    accel_error_set(core->cache, ACCEL_ERR_LOADER,
                    "the thread that loaded a key of area %s ended in %s", core->area,
                    is_in_body ? "the body of a wrapper" : "a loader, a codec or a .copy");
    accel_core_land(core, flight, ACCEL_ERR_LOADER, &options);
  }
  accel_core_stop_renewal(core, flight);
  accel_singleflight_finish(&core->flights, flight);
  accel_core_store_failure(core, flight, &options);
  if (is_in_body) accel_singleflight_release(&core->flights, flight);
  accel_singleflight_release(&core->flights, flight);
}

void accel_core_stop_waiting(accel_core *core, accel_flight *flight, bool stays)
{
  bool is_dropped;
  accel_job *emptied = accel_singleflight_leave(&core->flights, flight, stays, &is_dropped);
  if (emptied != NULL) emptied->drop(emptied);
  if (is_dropped) accel_stats_add(core->stats, ACCEL_COUNT_load_dropped, 1);
}

void accel_core_leave_flight(accel_core *core, accel_flight *flight)
{
  if (!accel_singleflight_is_done(flight)) accel_core_stop_waiting(core, flight, false);
  accel_singleflight_release(&core->flights, flight);
}

void accel_core_leave(void)
{
  for (accel_flight *flight; (flight = accel_singleflight_own()) != NULL;) leave_end_flight(flight);
  while (leave_bodies != NULL) {
    core_body *body = leave_bodies;
    leave_bodies = body->outer;
    for (size_t i = 0; i < body->count; i++) accel_core_leave_flight(body->core, body->followed[i]);
    ACCEL_FREE(body->plan_memory);
    ACCEL_FREE(body->own_statuses);
    ACCEL_FREE(body->memory); /* the body's own, with the rest */
  }
}

void accel_core_leave_note_body(core_body *body)
{
  body->outer = leave_bodies;
  leave_bodies = body;
}

void accel_core_leave_forget_body(core_body *body)
{
  leave_bodies = body->outer;
}

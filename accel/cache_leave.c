/* cache_leave.c: threads that end, by pthread_exit or cancellation, where the user's code runs in
 * the midst of the library (F9): in a loader, in the body of a wrapper, in a codec or a copy.
 *
 * Whoever waits for what such a thread loads is told ACCEL_ERR_LOADER, and what the thread held is
 * released. In the library's own frames a guard sees it (platform/thread.h). The body of a wrapper
 * runs in the user's frames, where no guard can stand: what it holds lies in memory that the thread
 * knows, and is seen to when the thread has ended.
 */
#include "cache_core.h"

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
  const core_terms terms = {.is_refresh = flight->is_refresh};
  const bool is_in_body = flight->is_in_body;
  flight->is_in_body = false;
  accel_singleflight_retain(flight);
  if (!flight->is_landed) {
    accel_error_set(core->cache, ACCEL_ERR_LOADER, "the thread that loaded it has ended");
    accel_core_land(core, flight, ACCEL_ERR_LOADER, &terms);
  }
  accel_core_drop_lease(core, flight);
  accel_singleflight_finish(&core->flights, flight);
  accel_core_tell_failure(core, flight, &terms);
  if (is_in_body) accel_singleflight_release(&core->flights, flight);
  accel_singleflight_release(&core->flights, flight);
}

/* One that the thread waited for, or would have. */
static void leave_release(accel_core *core, accel_flight *flight)
{
  if (!accel_singleflight_is_done(flight)) {
    bool is_dropped;
    accel_core_load_discard(accel_singleflight_leave(&core->flights, flight, false, &is_dropped));
    if (is_dropped) accel_stats_add(core->stats, ACCEL_COUNT_load_dropped, 1);
  }
  accel_singleflight_release(&core->flights, flight);
}

void accel_core_leave(void)
{
  for (accel_flight *flight; (flight = accel_singleflight_own()) != NULL;) leave_end_flight(flight);
  while (leave_bodies != NULL) {
    core_body *body = leave_bodies;
    leave_bodies = body->outer;
    for (size_t i = 0; i < body->count; i++) leave_release(body->core, body->followed[i]);
    ACCEL_FREE(body->plan_memory);
    ACCEL_FREE(body->own_statuses);
    ACCEL_FREE(body->memory); /* the body's own, with the rest */
  }
}

void accel_core_plan_leave(void *plan_pointer)
{
  core_plan *plan = (core_plan *)plan_pointer;
  accel_core_leave();
  for (size_t i = 0; i < plan->miss_count; i++)
    if (plan->misses[i].flight != NULL) leave_release(plan->core, plan->misses[i].flight);
  accel_core_report_close(plan->core, &plan->report);
  ACCEL_FREE(plan->memory);
  ACCEL_FREE(plan->own_statuses);
  ACCEL_FREE(plan->own_infos);
}

/* ---- bodies ---- */

size_t accel_core_body_size(const core_plan *plan)
{
  return sizeof(core_body) + (plan->miss_count - plan->lead_count) * sizeof(accel_flight *);
}

bool accel_core_body_begin(core_plan *plan, core_body *body_or_null, void *memory)
{
  if (!accel_thread_on_end(accel_core_leave)) return false;
  core_body *body = body_or_null;
  for (size_t i = 0; i < plan->lead_count; i++) plan->leads[i]->is_in_body = true;
  plan->body = body;
  if (body == NULL) return true;
  memset(body, 0, sizeof *body);
  body->core = plan->core;
  body->memory = memory;
  body->plan_memory = plan->memory;
  body->own_statuses = plan->own_statuses;
  for (size_t i = 0; i < plan->miss_count; i++) {
    const core_miss *miss = &plan->misses[i];
    if (miss->flight == NULL) continue;
    /* Another thread's may be in a body as well. */
    if (miss->is_leader && miss->flight->is_in_body) continue;
    body->followed[body->count++] = miss->flight;
  }
  body->outer = leave_bodies;
  leave_bodies = body;
  return true;
}

void accel_core_body_end(core_plan *plan)
{
  for (size_t i = 0; i < plan->lead_count; i++) plan->leads[i]->is_in_body = false;
  if (plan->body != NULL) leave_bodies = plan->body->outer;
  plan->body = NULL;
}

/* cache_await.c: the end of a read (layer 4): it waits for its flights, takes over what is queued
 * where it must not wait for a queue, and writes the outcome of each key.
 */
#include "cache_await.h"

#include "cache_leave.h"
#include "cache_load.h"
#include "cache_observe.h"
#include "cache_read_local.h"

#include <stdlib.h>

/* When a thread that waits takes over what is queued. One that loads anyhow does so at once. One
 * whose own load others wait for first leaves the executor a moment, whose threads keep to limits.
 * */
#define AWAIT_TAKE_MS 10u

static uint64_t await_take_ms(const core_read_plan *plan)
{
  if (!accel_core_plan_can_load(plan)) return ACCEL_NO_DEADLINE;
  if (plan->load_options.is_in_caller || plan->is_loaded_by_caller || accel_executor_is_worker())
    return 0;
  return accel_singleflight_is_running() ? accel_clock_deadline(AWAIT_TAKE_MS) : ACCEL_NO_DEADLINE;
}

/* Loads here what was queued. No lease was asked for it yet. */
static void await_load_taken(const core_read_plan *plan, accel_flight **flights, size_t count,
                             bool is_refresh)
{
  core_load_options options = plan->load_options;
  options.is_leased = false;
  options.is_refresh = is_refresh;
  accel_core_load_here(plan->core, flights, count, &options);
}

static bool await_takes(const core_read_plan *plan, const core_miss *miss, bool is_refresh)
{
  accel_job *emptied = NULL;
  const bool is_taken = !miss->is_answered && miss->flight != NULL &&
                        miss->flight->is_refresh == is_refresh &&
                        !accel_singleflight_is_done(miss->flight) &&
                        accel_singleflight_take(&plan->core->flights, miss->flight, NULL, &emptied);
  accel_core_load_discard(emptied);
  return is_taken;
}

/* Takes over what this read would wait for: all at once, but for refreshes. */
static void await_take_over(core_read_plan *plan)
{
  size_t taken = 0;
  for (size_t i = 0; i < plan->misses.count; i++)
    if (await_takes(plan, &plan->misses.items[i], false))
      plan->misses.leads[taken++] = plan->misses.items[i].flight;
  await_load_taken(plan, plan->misses.leads, taken, false);
  for (size_t i = 0; i < plan->misses.count; i++)
    if (await_takes(plan, &plan->misses.items[i], true))
      await_load_taken(plan, &plan->misses.items[i].flight, 1, true);
}

/* A read that returns a stale value at its soft limit leaves a refresh behind. */
static void await_give_up_waiting(core_read_plan *plan, core_miss *miss, bool is_soft)
{
  accel_core *core = plan->core;
  accel_core_stop_waiting(core, miss->flight, is_soft || plan->load_options.stays);
  miss->status = accel_error_set(
      core->cache, ACCEL_ERR_TIMEOUT, "a load in area %s took longer than %s, %u ms", core->area,
      is_soft ? "loader_soft_timeout_ms" : "loader_timeout_ms",
      (unsigned)(is_soft ? core->config.loader_soft_timeout_ms : core->config.loader_timeout_ms));
  accel_core_note_error(core, accel_error_text(core->cache));
  if (!miss->is_leader) return;
  accel_stats_add(core->stats, ACCEL_COUNT_load_timeout, 1);
  accel_throttle_begin(&core->throttle, miss->id.hash, accel_core_now(core),
                       core->config.stale_throttle_ms);
}

static void await_take_outcome(const core_read_plan *plan, core_miss *miss)
{
  accel_core *core = plan->core;
  const accel_flight *flight = miss->flight;
  const core_note *note = core_note_of(flight);
  const bool wants_info = plan->request.options.infos != NULL ||
                          plan->request.options.info != NULL || core->spans.note != NULL;
  miss->status = flight->status;
  if (accel_failed(miss->status))
    accel_error_set(core->cache, miss->status, "%s", flight->error);
  else if (wants_info)
    accel_core_fill_info(&miss->info, note->source, &note->lifetime, accel_core_now(core));
}

/* When to give up, and when to take over. */
typedef struct await_limits {
  uint64_t hard_ms, soft_ms, take_ms;
} await_limits;

/* Waits for a flight, and times it where another thread leads the flight. */
static accel_flight_wait await_flight(const core_read_plan *plan, const core_miss *miss,
                                      uint64_t deadline_ms, uint64_t take_ms, accel_job **emptied)
{
  accel_core *core = plan->core;
  const bool is_timed = !miss->is_leader && !accel_singleflight_is_done(miss->flight);
  accel_latencies *latencies = is_timed ? core->latencies : NULL;
  const uint64_t begun_ns = accel_latencies_begin(latencies);
  const accel_flight_wait result =
      accel_singleflight_wait(&core->flights, miss->flight, deadline_ms, take_ms, emptied);
  const uint64_t taken_ns = accel_latencies_end(latencies, ACCEL_TIMED_wait_flight, begun_ns);
  if (is_timed) accel_probe_wait(core->area, miss->id.hash, taken_ns, "flight");
  return result;
}

static void await_one(core_read_plan *plan, core_miss *miss, const await_limits *limits)
{
  accel_core *core = plan->core;
  const uint64_t deadline_ms = miss->has_stale ? limits->soft_ms : limits->hard_ms;
  accel_job *emptied;
  accel_flight_wait result;
  while ((result = await_flight(plan, miss, deadline_ms, limits->take_ms, &emptied)) ==
         ACCEL_FLIGHT_TAKEN) {
    accel_core_load_discard(emptied);
    await_load_taken(plan, &miss->flight, 1, miss->flight->is_refresh);
    if (accel_core_is_foreign(core)) return;
  }
  if (result == ACCEL_FLIGHT_DONE) {
    await_take_outcome(plan, miss);
  } else if (result == ACCEL_FLIGHT_TIMEOUT) {
    await_give_up_waiting(plan, miss, deadline_ms < limits->hard_ms);
  } else {
    accel_core_stop_waiting(core, miss->flight, false);
    miss->has_stale = false; /* a mistake of the program's, not to be hidden */
    miss->status = accel_error_set(
        core->cache, ACCEL_ERR_CONFIG,
        "a load in area %s needs the key that it loads; a loader must not read its own key",
        core->area);
  }
}

/* Each key's deadline counts from the moment the read began to wait. */
static void await_all(core_read_plan *plan)
{
  const accel_config *config = &plan->core->config;
  await_limits limits = {0, 0, await_take_ms(plan)};
  if (limits.take_ms == 0) await_take_over(plan);
  if (accel_core_is_foreign(plan->core)) return;
  for (size_t i = 0; i < plan->misses.count; i++) {
    core_miss *miss = &plan->misses.items[i];
    if (miss->is_answered || miss->flight == NULL) continue;
    if (limits.hard_ms == 0 && !accel_singleflight_is_done(miss->flight)) {
      limits.hard_ms = accel_refresh_wait_deadline(config, false);
      limits.soft_ms = accel_refresh_wait_deadline(config, true);
    }
    await_one(plan, miss, &limits);
    if (accel_core_is_foreign(plan->core)) return;
  }
}

/* A loader forked, and this is the child: what the flights hold is left where it is. */
static accel_status await_refuse(core_read_plan *plan)
{
  accel_core *core = plan->core;
  for (size_t i = 0; i < plan->request.count; i++) plan->request.statuses_out[i] = ACCEL_ERR_CONFIG;
  ACCEL_FREE(plan->misses.memory);
  return accel_error_set(core->cache, ACCEL_ERR_CONFIG,
                         "the cache of area %s was opened before a fork; a child opens its own",
                         core->area);
}

static accel_status await_take(core_read_plan *plan, core_miss *miss, size_t i, accel_info *info)
{
  accel_core *core = plan->core;
  void *out = accel_core_plan_value(plan, i);
  const bool was_loaded = miss->flight != NULL && accel_core_plan_can_load(plan);
  const bool has_no_fresh_value =
      accel_failed(miss->status) || (miss->status == ACCEL_MISS && !was_loaded);
  if (has_no_fresh_value) {
    const bool is_stale = miss->has_stale && out != NULL;
    return is_stale && accel_core_read_stale(core, &miss->id, out, info) ? ACCEL_OK : miss->status;
  }
  *info = miss->info;
  if (miss->status != ACCEL_OK || miss->flight == NULL || out == NULL) return miss->status;
  if (core->type->copy(out, miss->flight->value)) return ACCEL_OK;
  return accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory to copy a value of area %s",
                         core->area);
}

/* Gives key `i` its answer, and notes which level gave it. */
static accel_status await_answer(core_read_plan *plan, core_miss *miss, size_t i)
{
  accel_info unwanted = {0}, *info = accel_core_plan_info(plan, i, &unwanted);
  const accel_status status = await_take(plan, miss, i, info);
  if (info->source == ACCEL_FROM_LOCAL || info->source == ACCEL_FROM_REMOTE) plan->outcome.hits++;
  if (info->source > plan->outcome.source) plan->outcome.source = info->source;
  return status;
}

accel_status accel_core_plan_end(core_read_plan *plan)
{
  if (plan->outcome.failure != ACCEL_OK) return plan->outcome.failure;
  if (!accel_core_is_foreign(plan->core)) await_all(plan);
  if (accel_core_is_foreign(plan->core)) return await_refuse(plan);
  accel_status first = ACCEL_OK;
  for (size_t i = 0; i < plan->request.count; i++) {
    if (plan->misses.of_key[i] != SIZE_MAX)
      plan->request.statuses_out[i] =
          await_answer(plan, &plan->misses.items[plan->misses.of_key[i]], i);
    if (first == ACCEL_OK && accel_failed(plan->request.statuses_out[i]))
      first = plan->request.statuses_out[i];
  }
  for (size_t i = 0; i < plan->misses.count; i++) {
    accel_flight *flight = plan->misses.items[i].flight;
    if (flight == NULL) continue;
    if (plan->outcome.is_reported || plan->request.is_part)
      accel_core_report_note_degraded(plan->core, &plan->outcome.report, flight);
    accel_singleflight_release(&plan->core->flights, flight);
  }
  if (plan->begun_ns != 0)
    accel_latencies_end(plan->core->latencies, ACCEL_TIMED_read, plan->begun_ns);
  ACCEL_FREE(plan->misses.memory);
  return first;
}

accel_status accel_core_plan_report(core_read_plan *plan, accel_status status, core_result result)
{
  if (!plan->outcome.is_reported) return status;
  plan->outcome.is_reported = false;
  plan->outcome.report.is_read = true;
  plan->outcome.report.hits = plan->outcome.hits;
  plan->outcome.report.source = plan->outcome.source;
  accel_core_report_end(plan->core, &plan->outcome.report, status, result);
  accel_core_report_close(plan->core, &plan->outcome.report);
  return status;
}

void accel_core_plan_leave(void *plan_pointer)
{
  core_read_plan *plan = (core_read_plan *)plan_pointer;
  accel_core_leave();
  for (size_t i = 0; i < plan->misses.count; i++)
    if (plan->misses.items[i].flight != NULL)
      accel_core_leave_flight(plan->core, plan->misses.items[i].flight);
  if (plan->outcome.is_reported) accel_core_report_leave(plan->core, &plan->outcome.report);
  accel_core_report_close(plan->core, &plan->outcome.report);
  ACCEL_FREE(plan->misses.memory);
  ACCEL_FREE(plan->own_statuses);
  ACCEL_FREE(plan->own_infos);
}

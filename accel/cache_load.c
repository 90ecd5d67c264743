#include "cache_load.h"

#include "cache_lease.h"
#include "cache_leave.h"
#include "cache_remote.h"
#include "cache_renew.h"
#include "cache_report.h"
#include "executor_share.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call of the user's loader for one or several flights. All memory is allocated before the load
 * starts, so that nothing can fail for lack of it once the source is asked. */
typedef struct core_load {
  accel_flight_load queue; /* first: its job is the load's */
  accel_core *core;
  core_load_options load_options;
  accel_flight **flights; /* held by the load, or by a read in this thread that waits for it */
  size_t count;           /* those that it loads, which come first */
  size_t held;
  /* The mloader's arrays; NULL: the loader is called per key, straight into the flights. */
  void *keys, *values;
  accel_status *statuses;
  bool is_block; /* it lies in memory of its own */
  core_report report;
  bool is_reported; /* the report has begun, and has not ended */
  /* The context of the thread that asked for it, while the load is on its way to another; "": none.
   */
  char traceparent[ACCEL_TRACE_TEXT_BYTES];
  char *tracestate;
} core_load;

core_load_options accel_core_load_options(const accel_core *core, const accel_read *read_or_null)
{
  core_load_options options;
  memset(&options, 0, sizeof options);
  options.load = core->load;
  options.load_ctx = core->load_ctx;
  options.load_name = "the loader";
  options.mload = core->mload;
  options.mload_ctx = core->mload_ctx;
  options.is_in_caller = core->config.loader_timeout_ms == ACCEL_FOREVER;
  options.no_null_cache = core->config.no_null_cache;
  options.errors = core->config.remote_errors;
  options.error_mark = accel_error_mark();
  if (read_or_null == NULL) return options;
  options.skip_remote = read_or_null->skip_remote;
  if (read_or_null->disable_load) options.load = options.mload = NULL;
  return options;
}

/* ---- asking the source ---- */

static accel_status load_ask_one(const core_load *load, accel_flight *flight)
{
  const core_load_options *options = &load->load_options;
  accel_latencies *latencies = load->core->latencies;
  accel_probe_load_begin(load->core->area, flight->hash, 1);
  const uint64_t begun_ns = accel_latencies_begin(latencies);
  const uint32_t holds = accel_cancel_suspend();
  const accel_status status =
      load->core->type->load(options->load, options->load_ctx, flight->key, flight->value);
  accel_cancel_resume(holds);
  const uint64_t taken_ns = accel_latencies_end(latencies, ACCEL_TIMED_load, begun_ns);
  accel_probe_load_end(load->core->area, flight->hash, taken_ns, (int)status);
  return accel_core_check_status(load->core->cache, options->load_name, status);
}

/* While one is loaded the others are in a queue: a load that needs one of them, in this thread or
 * another, takes it over. Returns how many were loaded, which come first. */
static size_t load_one_by_one(accel_core *core, core_load *load, accel_flight **flights,
                              size_t count, accel_status *first)
{
  accel_job *emptied;
  size_t loaded = 0;
  load->queue.is_running = true;
  if (count > 1) accel_singleflight_queue(&core->flights, flights, count, &load->queue);
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    if (count > 1 && !(accel_singleflight_take(&core->flights, flight, &load->queue, &emptied) &&
                       accel_core_drop_unwanted(core, &flight, 1) == 1))
      continue;
    accel_flights_keep(flights, &loaded, i);
    load->load_options.error_mark = accel_error_mark();
    const accel_status status = load_ask_one(load, flight);
    if (accel_core_is_foreign(core)) break;
    if (*first == ACCEL_OK && accel_failed(status)) *first = status;
    accel_core_land(core, flight, status, &load->load_options);
  }
  return loaded;
}

static accel_status load_many(accel_core *core, core_load *load, accel_flight **flights,
                              size_t count)
{
  const accel_type *type = core->type;
  for (size_t i = 0; i < count; i++) {
    memcpy((char *)load->keys + i * type->key_size, flights[i]->key, type->key_size);
    load->statuses[i] = ACCEL_MISS;
  }
  load->load_options.error_mark = accel_error_mark();
  accel_probe_load_begin(core->area, flights[0]->hash, count);
  const uint64_t begun_ns = accel_latencies_begin(core->latencies);
  const uint32_t holds = accel_cancel_suspend();
  const accel_status returned = type->mload(load->load_options.mload, load->load_options.mload_ctx,
                                            load->keys, count, load->values, load->statuses);
  accel_cancel_resume(holds);
  const uint64_t taken_ns = accel_latencies_end(core->latencies, ACCEL_TIMED_load, begun_ns);
  accel_probe_load_end(core->area, flights[0]->hash, taken_ns, (int)returned);
  const accel_status all = accel_core_check_status(core->cache, "the mloader", returned);
  if (accel_core_is_foreign(core)) return all;
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    accel_status status = all;
    if (!accel_failed(all))
      status = accel_core_check_status(core->cache, "the mloader", load->statuses[i]);
    if (status == ACCEL_MISS) status = ACCEL_NULL; /* left as it was: not there */
    if (status == ACCEL_OK)                        /* moved, not copied */
      memcpy(flight->value, accel_type_value_at(type, load->values, i), type->value_size);
    accel_core_land(core, flight, status, &load->load_options);
  }
  return accel_failed(all) ? all : ACCEL_OK;
}

static void load_close(core_load *load)
{
  for (size_t i = 0; i < load->held; i++)
    accel_singleflight_release(&load->core->flights, load->flights[i]);
  ACCEL_FREE(load);
}

/* Asks the source for some of the flights, and writes back what it says. */
static void load_part(core_load *load, accel_flight **flights, size_t count)
{
  accel_core *core = load->core;
  count = accel_core_drop_unwanted(core, flights, count);
  if (count == 0) return;
  load->report = accel_core_report_begin(core, CORE_OPERATION_LOAD, count);
  load->is_reported = true;
  if (count == 1) load->report.key = flights[0]->key;
  accel_status status = ACCEL_OK;
  if (load->keys == NULL)
    count = load_one_by_one(core, load, flights, count, &status);
  else
    status = load_many(core, load, flights, count);
  if (accel_core_is_foreign(core)) return; /* the loader forked, and this is the child */
  load->is_reported = false;
  accel_core_report_end(core, &load->report, status, CORE_RESULT_OK);
  accel_core_store(core, flights, count, &load->load_options);
}

/* How many of the flights, which come first then, may be loaded at once. */
static size_t load_lease(core_load *load)
{
  accel_core *core = load->core;
  const core_load_options *options = &load->load_options;
  if (!core->has_leases || options->skip_remote || options->is_leased) return load->count;
  const core_remote_read read = {.probe_only = true, .errors = ACCEL_IGNORE};
  if (options->is_refresh) accel_core_remote_get(core, load->flights, load->count, &read);
  return accel_core_lease(core, load->flights, load->count);
}

/* Those that other processes are loading come last, so that the others are not kept waiting. */
static void load_run(void *load_pointer)
{
  core_load *load = (core_load *)load_pointer;
  accel_core *core = load->core;
  for (size_t i = load->count; i-- > 0;) accel_singleflight_run(load->flights[i]);
  const size_t ready = load_lease(load);
  load_part(load, load->flights, ready);
  if (accel_core_is_foreign(core)) return;
  accel_flight **others = load->flights + ready;
  load_part(load, others,
            accel_core_lease_wait(core, others, load->count - ready, load->load_options.errors));
}

static core_load *load_of_job(accel_job *job)
{
  return (core_load *)(void *)job; /* the first member */
}

/* What was taken over meanwhile, or dropped, comes last. */
static void load_collect(core_load *load)
{
  load->count =
      accel_singleflight_unqueue(&load->core->flights, load->flights, load->count, &load->queue);
}

static void load_run_job(accel_job *job)
{
  core_load *load = load_of_job(job);
  accel_core *core = load->core;
  load_collect(load);
  accel_trace_set(load->traceparent, load->tracestate);
  load_run(load);
  accel_trace_enter(NULL);
  if (accel_core_is_foreign(core)) return;
  load_close(load);
  accel_core_work_done(core);
}

/* They will not be loaded: their followers get `status`. */
static void load_refuse(accel_core *core, accel_flight **flights, size_t count, accel_status status,
                        const char *error)
{
  for (size_t i = 0; i < count; i++) {
    accel_core_stop_renewal(core, flights[i]);
    accel_singleflight_land(&core->flights, flights[i], status, error);
    accel_singleflight_finish(&core->flights, flights[i]);
  }
}

/* The loader ended the thread. What it had not come to is refused, but for what others took. */
static void load_leave(void *load_pointer)
{
  core_load *load = (core_load *)load_pointer;
  if (load->is_reported) accel_core_report_leave(load->core, &load->report);
  accel_core_leave();
  load_collect(load);
  for (size_t i = 0; i < load->count; i++)
    accel_core_land(load->core, load->flights[i], ACCEL_ERR_LOADER, &load->load_options);
  accel_core_store(load->core, load->flights, load->count, &load->load_options);
  if (load->is_block) load_close(load);
}

static void load_leave_job(accel_job *job)
{
  core_load *load = load_of_job(job);
  accel_core *core = load->core;
  load_leave(load);
  accel_core_work_done(core);
}

/* What is left of a load that no thread will run. */
static void load_refuse_queued(core_load *load)
{
  char error[ACCEL_ERROR_SIZE];
  accel_core *core = load->core;
  load_collect(load);
  if (load->count == 0) return;
  if (accel_load_acquire(&core->is_closing)) {
    snprintf(error, sizeof error, "no load in area %s: the cache is closing", core->area);
    load_refuse(core, load->flights, load->count, ACCEL_ERR_CLOSED, error);
    return;
  }
  accel_stats_add(core->stats, ACCEL_COUNT_load_rejected, load->count);
  snprintf(error, sizeof error,
           "no load in area %s: the executor's queue_size, %u, is reached, or no thread could be "
           "started; raise it, or load less",
           core->area, (unsigned)accel_executor_queue_size(core->executor));
  load_refuse(core, load->flights, load->count, ACCEL_ERR_LOADER, error);
}

void accel_core_load_discard(accel_job *job_or_null)
{
  if (job_or_null == NULL) return;
  core_load *load = load_of_job(job_or_null);
  accel_core *core = load->core;
  load_refuse_queued(load);
  load_close(load);
  accel_core_work_done(core);
}

/* ---- starting ---- */

static size_t load_padded(size_t size)
{
  return (size + 63) / 64 * 64;
}

/* For the mloader. */
static bool load_is_batch(const core_load_options *options, size_t count)
{
  return options->mload != NULL && (count > 1 || options->load == NULL);
}

/* One block: the load, the flights, the text of the tracestate, and for an mloader its three
 * arrays. */
static core_load *load_new(accel_core *core, accel_flight **flights, size_t count,
                           const core_load_options *options)
{
  const accel_type *type = core->type;
  const bool is_batch = load_is_batch(options, count);
  const size_t per_key =
      sizeof *flights + (is_batch ? type->key_size + type->value_size + sizeof(accel_status) : 0);
  if (count > (SIZE_MAX / 2) / per_key) return NULL;
  const size_t state_size = accel_trace_get_state(NULL, 0) + 1;
  const size_t head_size = load_padded(sizeof(core_load) + count * sizeof *flights + state_size);
  const size_t keys_size = is_batch ? load_padded(count * type->key_size) : 0;
  const size_t values_size = is_batch ? load_padded(count * type->value_size) : 0;
  const size_t statuses_size = is_batch ? count * sizeof(accel_status) : 0;
  char *block = (char *)ACCEL_MALLOC(head_size + keys_size + values_size + statuses_size + 64);
  if (block == NULL) return NULL;
  core_load *load = (core_load *)(void *)block;
  memset(load, 0, sizeof *load);
  load->core = core;
  load->load_options = *options;
  load->count = load->held = count;
  load->queue.executor = core->executor;
  load->is_block = true;
  load->flights = (accel_flight **)(void *)(block + sizeof *load);
  for (size_t i = 0; i < count; i++) {
    load->flights[i] = flights[i];
    accel_singleflight_retain(flights[i]);
  }
  accel_trace_get(load->traceparent, sizeof load->traceparent);
  load->tracestate = (char *)(load->flights + count);
  accel_trace_get_state(load->tracestate, state_size);
  if (!is_batch) return load;
  char *arrays = block + load_padded((uintptr_t)block + head_size) - (uintptr_t)block;
  memset(arrays, 0, values_size); /* as a flight's value */
  load->values = arrays;
  load->keys = arrays + values_size;
  load->statuses = (accel_status *)(void *)(arrays + values_size + keys_size);
  return load;
}

static bool load_has_no_memory(accel_core *core, accel_flight **flights, size_t count)
{
  char error[ACCEL_ERROR_SIZE];
  snprintf(error, sizeof error, "no memory to load %zu keys of area %s", count, core->area);
  load_refuse(core, flights, count, ACCEL_ERR_NOMEM, error);
  return false;
}

static bool load_here(accel_core *core, accel_flight **flights, size_t count,
                      const core_load_options *options)
{
  if (!load_is_batch(options, count)) {
    core_load own = {.core = core, .load_options = *options, .flights = flights, .count = count};
    own.queue.executor = core->executor;
    accel_thread_guard(load_run, load_leave, &own);
    return true;
  }
  core_load *load = load_new(core, flights, count, options);
  if (load == NULL) return load_has_no_memory(core, flights, count);
  accel_thread_guard(load_run, load_leave, load);
  if (!accel_core_is_foreign(core)) load_close(load);
  return true;
}

void accel_core_load_here(accel_core *core, accel_flight **flights, size_t count,
                          const core_load_options *options)
{
  if (count > 0) load_here(core, flights, count, options);
}

bool accel_core_load(accel_core *core, accel_flight **flights, size_t count,
                     const core_load_options *options)
{
  const bool is_here =
      !options->is_refresh && (options->is_in_caller || accel_executor_is_worker());
  if (is_here) return load_here(core, flights, count, options);
  core_load *load = load_new(core, flights, count, options);
  if (load == NULL) return load_has_no_memory(core, flights, count);
  load->queue.job.run = load_run_job;
  load->queue.job.drop = accel_core_load_discard;
  load->queue.job.left = load_leave_job;
  load->queue.job.patience_ms = core->config.loader_timeout_ms;
  accel_singleflight_queue(&core->flights, load->flights, count, &load->queue);
  if (accel_core_submit(core, &load->queue.job)) return true;
  load_refuse_queued(load);
  load_close(load);
  return false;
}

accel_status accel_core_refresh(accel_core *core, const void *key, uint64_t hash)
{
  core_load_options options = accel_core_load_options(core, NULL);
  options.is_refresh = true;
  const accel_gate gate = accel_core_gate(core, hash);
  bool is_first;
  accel_cancel_hold();
  const accel_join_options join = {
      .share = true, .fills_local = core->local != NULL, .stays = true, .is_refresh = true};
  accel_flight *flight = accel_singleflight_join(&core->flights, key, hash, join, &is_first);
  accel_status status = ACCEL_OK;
  if (flight == NULL)
    status = accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory for a refresh in area %s",
                             core->area);
  if (flight != NULL && is_first) {
    core_note_of(flight)->gate = gate;
    accel_stats_add(core->stats, ACCEL_COUNT_refresh_attempts, 1);
    if (!accel_core_load(core, &flight, 1, &options)) {
      accel_stats_add(core->stats, ACCEL_COUNT_refresh_failures, 1);
      status = accel_error_set(core->cache, flight->status, "no refresh in area %s: %s", core->area,
                               flight->error);
    }
  }
  if (flight != NULL) accel_singleflight_release(&core->flights, flight);
  accel_cancel_release();
  return status;
}

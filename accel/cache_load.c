#include "cache_core.h"

#include "hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call of the user's loader for one or several flights. Whatever memory it takes is had before
 * anything is started, so that nothing can fail for lack of it once the source is being asked. */
typedef struct core_load {
  accel_flight_load queue; /* first: its job is the load's */
  accel_core *core;
  core_terms terms;
  accel_flight **flights; /* held by the load, or by whoever waits for it in this thread */
  size_t count;           /* those that it loads, which come first */
  size_t held;
  /* The mloader's arrays; NULL: the loader is called per key, straight into the flights. */
  void *keys, *values;
  accel_status *statuses;
  bool is_block; /* it lies in memory of its own */
} core_load;

core_terms accel_core_terms(const accel_core *core, const accel_read *read_or_null)
{
  core_terms terms;
  memset(&terms, 0, sizeof terms);
  terms.load = core->load;
  terms.load_ctx = core->load_ctx;
  terms.mload = core->mload;
  terms.mload_ctx = core->mload_ctx;
  terms.is_in_caller = core->config.loader_timeout_ms == ACCEL_FOREVER;
  terms.no_null_cache = core->config.no_null_cache;
  terms.errors = core->config.remote_errors;
  terms.error_mark = accel_error_mark();
  if (read_or_null == NULL) return terms;
  terms.skip_remote = read_or_null->skip_remote;
  if (read_or_null->disable_load) terms.load = terms.mload = NULL;
  return terms;
}

/* ---- writing a loaded value back ---- */

static bool load_is_cacheable(const accel_flight *flight)
{
  return !flight->is_uncacheable && (flight->status == ACCEL_OK || flight->status == ACCEL_NULL);
}

static uint32_t load_ttl(accel_core *core, accel_status status, const core_terms *terms,
                         uint32_t configured_ms)
{
  if (status == ACCEL_NULL) return accel_core_jitter(core, core->config.null_ttl_ms);
  return terms->ttl_ms != 0 ? terms->ttl_ms : accel_core_jitter(core, configured_ms);
}

/* Both levels' lives are drawn when the flight lands: L1 never outlives L2. */
static void load_draw_lives(accel_core *core, accel_flight *flight, accel_status status,
                            const core_terms *terms)
{
  uint32_t local_ms = load_ttl(core, status, terms, core->config.local_ttl_ms);
  if (core->link != NULL) {
    flight->remote_ttl_ms = load_ttl(core, status, terms, core->config.remote_ttl_ms);
    if (terms->ttl_ms != 0 && status != ACCEL_NULL)
      local_ms = accel_core_jitter(core, core->config.local_ttl_ms);
    if (local_ms > flight->remote_ttl_ms) local_ms = flight->remote_ttl_ms;
  }
  flight->life = accel_core_lifetime(core, local_ms);
}

/* What is to lie in L2 after a load under a lease: its value, or a mark that goes away. */
static accel_status load_add_outcome(accel_core *core, core_batch *batch,
                                     const accel_flight *flight, const core_terms *terms)
{
  const bool has_value =
      load_is_cacheable(flight) && !(flight->status == ACCEL_NULL && terms->no_null_cache);
  if (!core->has_leases || has_value) {
    const void *value = flight->status == ACCEL_OK ? flight->value : NULL;
    return accel_core_batch_add_value(core, batch, value, flight->remote_ttl_ms);
  }
  /* With a token of its own, so that a renewal on its way does not prolong it. */
  return accel_core_batch_add_lease(core, batch, accel_core_lease_token(core),
                                    accel_core_lease_end_ms(core, flight));
}

/* There is no memory to tell L2: of a value that lies there and does not exist any more, that is
 * noted, as for a removal. */
static void load_note_gone(accel_core *core, const accel_flight *flight)
{
  if (flight->status != ACCEL_NULL || flight->lease == CORE_LEASE_HELD) return;
  accel_core_repair_note(core, flight->key);
  accel_core_repair_begin(core);
}

/* Adds the flight's outcome to the call's items; what cannot be encoded is counted and left. */
static void load_add_item(accel_core *core, core_batch *batch, const accel_flight *flight,
                          const core_terms *terms, bool removes)
{
  if (accel_core_batch_add_key(core, batch, flight->key) != ACCEL_OK) {
    load_note_gone(core, flight);
    return;
  }
  if (removes) return;
  batch->items[batch->count - 1].token = core->has_leases ? flight->token : 0;
  if (load_add_outcome(core, batch, flight, terms) == ACCEL_OK) return;
  accel_core_batch_drop_last(batch);
  load_note_gone(core, flight);
  accel_stats_add(core->stats, ACCEL_COUNT_remote_encode_errors, 1);
}

/* Under a lease whatever came of the load is told; without one, only what may be stored, or what
 * is to be removed. */
static bool load_is_sent(accel_core *core, const accel_flight *flight, const core_terms *terms,
                         bool removes)
{
  if (core->has_leases && flight->lease == CORE_LEASE_VALUE) return load_is_cacheable(flight);
  if (core->has_leases) return flight->lease == CORE_LEASE_HELD;
  const bool is_removal = flight->status == ACCEL_NULL && terms->no_null_cache;
  return load_is_cacheable(flight) && is_removal == removes &&
         !accel_singleflight_is_forgotten(&core->flights, flight);
}

/* One round trip for what is to be stored (or, with `removes`, for what no longer exists). The
 * outcome is counted and never returned: the value was loaded, whatever L2 says. */
static void load_store_remote(accel_core *core, accel_flight **flights, size_t count,
                              const core_terms *terms, bool removes)
{
  core_batch batch;
  size_t sent = 0;
  for (size_t i = 0; i < count; i++) sent += load_is_sent(core, flights[i], terms, removes);
  if (sent == 0) return;
  if (accel_core_batch_open(&batch, sent) != ACCEL_OK) {
    for (size_t i = 0; i < count; i++)
      if (load_is_sent(core, flights[i], terms, removes)) load_note_gone(core, flights[i]);
    return;
  }
  for (size_t i = 0; i < count && batch.count < sent; i++)
    if (load_is_sent(core, flights[i], terms, removes))
      load_add_item(core, &batch, flights[i], terms, removes);
  accel_core_batch_seal(&batch);
  const accel_remote_ops *ops = core->remote_ops;
  if (batch.count > 0 && removes) ops->del(core->link, batch.items, batch.count, NULL, &batch.call);
  if (batch.count > 0 && !removes) ops->fill(core->link, batch.items, batch.count, &batch.call);
  accel_core_remote_count_failures(core, &batch);
  uint64_t lost = 0;
  for (size_t i = 0; i < batch.count; i++) lost += batch.items[i].status == ACCEL_MISS;
  if (lost > 0) accel_stats_add(core->stats, ACCEL_COUNT_lease_lost, lost);
  accel_core_batch_close(&batch);
}

void accel_core_fill_local(accel_core *core, accel_flight *flight, const accel_lifetime *life)
{
  const bool may_fill = accel_singleflight_settle(&core->flights, flight);
  if (!flight->fills_local) return;
  const void *value = flight->status == ACCEL_OK ? flight->value : NULL;
  if (!may_fill || core->local_ops->fill(core->local, core->type, flight->key, flight->hash, value,
                                         life, &flight->gate) == ACCEL_MISS)
    accel_stats_add(core->stats, ACCEL_COUNT_local_fill_refused, 1);
}

static void load_store_local(accel_core *core, accel_flight *flight, const core_terms *terms)
{
  if (core->local == NULL || !load_is_cacheable(flight)) return;
  if (flight->status != ACCEL_NULL || !terms->no_null_cache) {
    accel_core_fill_local(core, flight, &flight->life);
    return;
  }
  const accel_gate now = accel_core_gate(core, flight->hash);
  const bool stands = now.generation == flight->gate.generation && now.epoch == flight->gate.epoch;
  if (stands && accel_singleflight_settle(&core->flights, flight))
    core->local_ops->del(core->local, core->type, flight->key, flight->hash);
}

static bool load_has_nulls_to_remove(accel_flight **flights, size_t count, const core_terms *terms)
{
  if (!terms->no_null_cache) return false;
  for (size_t i = 0; i < count; i++)
    if (flights[i]->status == ACCEL_NULL) return true;
  return false;
}

void accel_core_store(accel_core *core, accel_flight **flights, size_t count,
                      const core_terms *terms)
{
  for (size_t i = 0; i < count; i++) accel_core_drop_lease(core, flights[i]);
  if (core->link != NULL && !terms->skip_remote) {
    load_store_remote(core, flights, count, terms, false);
    if (!core->has_leases && load_has_nulls_to_remove(flights, count, terms))
      load_store_remote(core, flights, count, terms, true);
  }
  for (size_t i = 0; i < count; i++) {
    load_store_local(core, flights[i], terms);
    accel_singleflight_finish(&core->flights, flights[i]);
  }
}

/* ---- asking the source ---- */

/* How often the loads of a key failed in a row, roughly: keys share a number. */
static void load_count_row(accel_core *core, const accel_flight *flight, bool has_failed)
{
  uint8_t *row = &core->load_failures[accel_hash_mixed(flight->hash) % CORE_FAILURES];
  const uint8_t before = accel_load_relaxed(row);
  if (!has_failed && before != 0) accel_store_relaxed(row, (uint8_t)0);
  if (has_failed && before < UINT8_MAX) accel_store_relaxed(row, (uint8_t)(before + 1));
}

static void load_count(accel_core *core, const accel_flight *flight, bool is_refresh,
                       bool has_failed)
{
  load_count_row(core, flight, has_failed);
  accel_stats_add(core->stats, ACCEL_COUNT_load_total, 1);
  accel_stats_add(core->stats, has_failed ? ACCEL_COUNT_load_error : ACCEL_COUNT_load_success, 1);
  if (is_refresh)
    accel_stats_add(core->stats,
                    has_failed ? ACCEL_COUNT_refresh_failures : ACCEL_COUNT_refresh_success, 1);
  if (has_failed)
    accel_refresh_throttle(&core->refresh, flight->hash, accel_core_now(core),
                           core->config.stale_throttle_ms);
}

/* What the loader itself heard or said is the better reason. */
static void load_explain(const accel_core *core, accel_status status, const core_terms *terms,
                         char *error)
{
  const char *heard = accel_error_since(terms->error_mark, status);
  if (heard[0] == '\0')
    snprintf(error, ACCEL_ERROR_SIZE, "the load of a key in area %s failed: status %d, %s",
             core->area, (int)status, accel_status_text(status));
  else
    snprintf(error, ACCEL_ERROR_SIZE, "a load in area %s, status %d: %.120s", core->area,
             (int)status, heard);
}

void accel_core_land(accel_core *core, accel_flight *flight, accel_status status,
                     const core_terms *terms)
{
  char error[ACCEL_ERROR_SIZE];
  error[0] = '\0';
  if (accel_failed(status)) load_explain(core, status, terms, error);
  load_count(core, flight, terms->is_refresh, accel_failed(status));
  flight->source = ACCEL_FROM_LOADER;
  load_draw_lives(core, flight, status, terms);
  accel_singleflight_land(&core->flights, flight, status, error);
}

size_t accel_core_drop_unwanted(accel_core *core, accel_flight **flights, size_t count)
{
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    if (accel_singleflight_drop_unwanted(&core->flights, flight)) continue;
    flights[i] = flights[left];
    flights[left++] = flight;
  }
  if (left == count) return left;
  static const core_terms usual;
  accel_stats_add(core->stats, ACCEL_COUNT_load_dropped, count - left);
  accel_core_store(core, flights + left, count - left, &usual); /* gives their leases back */
  return left;
}

void accel_core_tell_failure(accel_core *core, accel_flight *flight, const core_terms *terms)
{
  if (core->link != NULL && accel_failed(flight->status) && flight->lease == CORE_LEASE_HELD)
    load_store_remote(core, &flight, 1, terms, false);
}

static accel_status load_ask_one(const core_load *load, accel_flight *flight)
{
  const core_terms *terms = &load->terms;
  const uint32_t holds = accel_cancel_suspend();
  const accel_status status =
      load->core->type->load(terms->load, terms->load_ctx, flight->key, flight->value);
  accel_cancel_resume(holds);
  return accel_status_checked(status);
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
    flights[i] = flights[loaded];
    flights[loaded++] = flight;
    load->terms.error_mark = accel_error_mark();
    const accel_status status = load_ask_one(load, flight);
    if (accel_core_is_foreign(core)) break;
    if (*first == ACCEL_OK && accel_failed(status)) *first = status;
    accel_core_land(core, flight, status, &load->terms);
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
  load->terms.error_mark = accel_error_mark();
  const uint32_t holds = accel_cancel_suspend();
  const accel_status all = accel_status_checked(type->mload(
      load->terms.mload, load->terms.mload_ctx, load->keys, count, load->values, load->statuses));
  accel_cancel_resume(holds);
  if (accel_core_is_foreign(core)) return all;
  for (size_t i = 0; i < count; i++) {
    accel_flight *flight = flights[i];
    accel_status status = accel_failed(all) ? all : accel_status_checked(load->statuses[i]);
    if (status == ACCEL_MISS) status = ACCEL_NULL; /* left as it was: not there */
    if (status == ACCEL_OK)                        /* moved, not copied */
      memcpy(flight->value, accel_type_value_at(type, load->values, i), type->value_size);
    accel_core_land(core, flight, status, &load->terms);
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
  core_report report = accel_core_report_begin(core, "cache.load");
  if (count == 1) report.key = flights[0]->key;
  accel_status status = ACCEL_OK;
  if (load->keys == NULL)
    count = load_one_by_one(core, load, flights, count, &status);
  else
    status = load_many(core, load, flights, count);
  if (accel_core_is_foreign(core)) return; /* the loader forked, and this is the child */
  accel_core_report_end(core, &report, status, "ok");
  accel_core_store(core, flights, count, &load->terms);
}

/* How many of the flights, which come first then, may be loaded at once. */
static size_t load_lease(core_load *load)
{
  accel_core *core = load->core;
  const core_terms *terms = &load->terms;
  if (!core->has_leases || terms->skip_remote || terms->is_leased) return load->count;
  const core_look look = {.only_note = true, .errors = ACCEL_IGNORE};
  if (terms->is_refresh) accel_core_remote_get(core, load->flights, load->count, &look);
  return accel_core_lease(core, load->flights, load->count);
}

/* Those that other processes are loading come last, so that nobody waits for them who need not. */
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
            accel_core_lease_wait(core, others, load->count - ready, load->terms.errors));
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
  load_run(load);
  if (accel_core_is_foreign(core)) return;
  load_close(load);
  accel_core_work_done(core);
}

/* Nobody will load them: those who wait get `status`. */
static void load_refuse(accel_core *core, accel_flight **flights, size_t count, accel_status status,
                        const char *error)
{
  for (size_t i = 0; i < count; i++) {
    accel_core_drop_lease(core, flights[i]);
    accel_singleflight_land(&core->flights, flights[i], status, error);
    accel_singleflight_finish(&core->flights, flights[i]);
  }
}

/* The loader ended the thread. What it had not come to is refused, but for what others took. */
static void load_leave(void *load_pointer)
{
  core_load *load = (core_load *)load_pointer;
  accel_core_leave();
  load_collect(load);
  for (size_t i = 0; i < load->count; i++)
    accel_core_land(load->core, load->flights[i], ACCEL_ERR_LOADER, &load->terms);
  accel_core_store(load->core, load->flights, load->count, &load->terms);
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
  accel_core *core = load->core;
  load_collect(load);
  if (load->count == 0) return;
  if (accel_load_acquire(&core->is_closing)) {
    load_refuse(core, load->flights, load->count, ACCEL_ERR_CLOSED, "the cache is closing");
    return;
  }
  accel_stats_add(core->stats, ACCEL_COUNT_load_rejected, load->count);
  load_refuse(core, load->flights, load->count, ACCEL_ERR_LOADER,
              "the executor has no room for a load");
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
static bool load_is_batch(const core_terms *terms, size_t count)
{
  return terms->mload != NULL && (count > 1 || terms->load == NULL);
}

/* One block: the load, the flights, and for an mloader its three arrays. */
static core_load *load_new(accel_core *core, accel_flight **flights, size_t count,
                           const core_terms *terms)
{
  const accel_type *type = core->type;
  const bool is_batch = load_is_batch(terms, count);
  const size_t per_key =
      sizeof *flights + (is_batch ? type->key_size + type->value_size + sizeof(accel_status) : 0);
  if (count > (SIZE_MAX / 2) / per_key) return NULL;
  const size_t head_size = load_padded(sizeof(core_load) + count * sizeof *flights);
  const size_t keys_size = is_batch ? load_padded(count * type->key_size) : 0;
  const size_t values_size = is_batch ? load_padded(count * type->value_size) : 0;
  const size_t statuses_size = is_batch ? count * sizeof(accel_status) : 0;
  char *block = (char *)ACCEL_MALLOC(head_size + keys_size + values_size + statuses_size + 64);
  if (block == NULL) return NULL;
  core_load *load = (core_load *)(void *)block;
  memset(load, 0, sizeof *load);
  load->core = core;
  load->terms = *terms;
  load->count = load->held = count;
  load->queue.executor = core->executor;
  load->is_block = true;
  load->flights = (accel_flight **)(void *)(block + sizeof *load);
  for (size_t i = 0; i < count; i++) {
    load->flights[i] = flights[i];
    accel_singleflight_retain(flights[i]);
  }
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
  load_refuse(core, flights, count, ACCEL_ERR_NOMEM, "no memory to load");
  return false;
}

static bool load_here(accel_core *core, accel_flight **flights, size_t count,
                      const core_terms *terms)
{
  if (!load_is_batch(terms, count)) {
    core_load own = {.core = core, .terms = *terms, .flights = flights, .count = count};
    own.queue.executor = core->executor;
    accel_thread_guard(load_run, load_leave, &own);
    return true;
  }
  core_load *load = load_new(core, flights, count, terms);
  if (load == NULL) return load_has_no_memory(core, flights, count);
  accel_thread_guard(load_run, load_leave, load);
  if (!accel_core_is_foreign(core)) load_close(load);
  return true;
}

void accel_core_load_here(accel_core *core, accel_flight **flights, size_t count,
                          const core_terms *terms)
{
  if (count > 0) load_here(core, flights, count, terms);
}

bool accel_core_load(accel_core *core, accel_flight **flights, size_t count,
                     const core_terms *terms)
{
  const bool is_here = !terms->is_refresh && (terms->is_in_caller || accel_executor_is_worker());
  if (is_here) return load_here(core, flights, count, terms);
  core_load *load = load_new(core, flights, count, terms);
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
  core_terms terms = accel_core_terms(core, NULL);
  terms.is_refresh = true;
  const accel_gate gate = accel_core_gate(core, hash);
  bool is_first;
  accel_cancel_hold();
  const accel_flight_wish wish = {
      .share = true, .fills_local = core->local != NULL, .stays = true, .is_refresh = true};
  accel_flight *flight = accel_singleflight_join(&core->flights, key, hash, wish, &is_first);
  accel_status status = ACCEL_OK;
  if (flight == NULL)
    status = accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory for a refresh in area %s",
                             core->area);
  if (flight != NULL && is_first) {
    flight->gate = gate;
    accel_stats_add(core->stats, ACCEL_COUNT_refresh_attempts, 1);
    if (!accel_core_load(core, &flight, 1, &terms)) {
      accel_stats_add(core->stats, ACCEL_COUNT_refresh_failures, 1);
      status = accel_error_set(core->cache, flight->status, "no refresh in area %s: %s", core->area,
                               flight->error);
    }
  }
  if (flight != NULL) accel_singleflight_release(&core->flights, flight);
  accel_cancel_release();
  return status;
}

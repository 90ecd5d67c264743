#include "cache_wrap.h"

#include "cache_await.h"
#include "cache_leave.h"
#include "cache_load.h"
#include "cache_read_plan.h"
#include "cache_report.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

ACCEL_STATIC_ASSERT(sizeof(core_read_plan) <= ACCEL_WRAP_PLAN_WORDS * sizeof(uint64_t) &&
                        _Alignof(core_read_plan) <= _Alignof(uint64_t),
                    "a wrapped call holds its plan");

/* ---- the body ---- */

static size_t wrap_body_size(const core_read_plan *plan)
{
  return sizeof(core_body) +
         (plan->misses.count - plan->misses.lead_count) * sizeof(accel_flight *);
}

/* Around the body that loads plan->misses.leads. `body` has wrap_body_size bytes in `memory`; NULL:
 * the plan follows nobody and has no memory. False: no memory, and no body may run. */
static bool wrap_body_begin(core_read_plan *plan, core_body *body_or_null, void *memory)
{
  if (!accel_thread_on_end(accel_core_leave)) return false;
  core_body *body = body_or_null;
  plan->body_begun_ns = accel_latencies_begin(plan->core->latencies);
  for (size_t i = 0; i < plan->misses.lead_count; i++)
    core_note_of(plan->misses.leads[i])->is_in_body = true;
  plan->body = body;
  if (body == NULL) return true;
  memset(body, 0, sizeof *body);
  body->core = plan->core;
  body->memory = memory;
  body->plan_memory = plan->misses.memory;
  body->own_statuses = plan->own_statuses;
  for (size_t i = 0; i < plan->misses.count; i++) {
    const core_miss *miss = &plan->misses.items[i];
    if (miss->flight == NULL) continue;
    /* Another thread's may be in a body as well. */
    if (miss->is_leader && core_note_of(miss->flight)->is_in_body) continue;
    body->followed[body->count++] = miss->flight;
  }
  accel_core_leave_note_body(body);
  return true;
}

static void wrap_body_end(core_read_plan *plan)
{
  if (plan->body_begun_ns != 0)
    accel_latencies_end(plan->core->latencies, ACCEL_TIMED_load, plan->body_begun_ns);
  for (size_t i = 0; i < plan->misses.lead_count; i++)
    core_note_of(plan->misses.leads[i])->is_in_body = false;
  if (plan->body != NULL) accel_core_leave_forget_body(plan->body);
  plan->body = NULL;
}

static accel_status wrap_check_status(const accel_wrap *wrap, accel_status returned)
{
  return accel_core_check_status(wrap->cache, "the body of a wrapper", returned);
}

/* ---- reads ---- */

/* The cache cannot serve this call. True: the body runs without it. */
static bool wrap_without_cache(accel_wrap *wrap, accel_status failure)
{
  wrap->plan = NULL;
  wrap->status = failure;
  return wrap->options.bypass || wrap->options.on_cache_error == ACCEL_IGNORE;
}

static core_read_plan *wrap_plan(accel_wrap *wrap, const void *keys, size_t count,
                                 accel_status *failure)
{
  accel_core *core = accel_core_of(wrap->cache, failure);
  if (core == NULL) return NULL;
  core_read_plan *plan = (core_read_plan *)(void *)wrap->plan_words;
  accel_read read;
  memset(&read, 0, sizeof read);
  read.allow_stale = wrap->options.allow_stale;
  accel_core_plan_init(plan, core, keys, count, &read);
  plan->is_loaded_by_caller = true;
  plan->load_options.errors = wrap->options.on_cache_error;
  plan->load_options.ttl_ms = wrap->options.ttl_ms;
  plan->load_options.no_null_cache |= wrap->options.no_null_cache;
  return plan;
}

static void wrap_init(accel_wrap *wrap, accel_cache *cache, const accel_type *type, void *out,
                      const accel_wrap_options *options)
{
  memset(wrap, 0, offsetof(accel_wrap, plan_words));
  wrap->cache = cache;
  wrap->type = type;
  wrap->out = out;
  wrap->options = *options;
}

/* A failure of the cache itself, not of a load that was waited for: nobody led, nobody landed. */
static bool wrap_is_cache_failure(const core_read_plan *plan)
{
  for (size_t i = 0; i < plan->misses.count; i++)
    if (plan->misses.items[i].flight != NULL) return false;
  return true;
}

static void wrap_begin_plan(void *plan_pointer)
{
  core_read_plan *plan = (core_read_plan *)plan_pointer;
  if (!accel_core_plan_begin(plan)) plan->misses.lead_count = 0;
}

/* The plan's first half. True: the body must load. */
static bool wrap_begin(core_read_plan *plan)
{
  accel_cancel_enter();
  accel_thread_guard(wrap_begin_plan, accel_core_plan_leave, plan);
  accel_cancel_release();
  return plan->misses.lead_count > 0;
}

static accel_status wrap_finish_plan(accel_wrap *wrap)
{
  core_read_plan *plan = (core_read_plan *)wrap->plan;
  accel_status status = accel_core_plan_end(plan);
  const bool is_single = plan->request.statuses_out == &plan->outcome.one_status;
  if (status == ACCEL_OK && is_single) status = plan->outcome.one_status;
  wrap->plan = NULL;
  return accel_core_plan_report(plan, status,
                                is_single ? accel_core_read_result(status) : CORE_RESULT_OK);
}

/* Without memory nobody is led, and the values of hits are taken back: the body may
 * yet answer every key. */
static void wrap_give_up(core_read_plan *plan)
{
  const accel_type *type = plan->core->type;
  for (size_t i = 0; i < plan->misses.lead_count; i++)
    accel_core_land(plan->core, plan->misses.leads[i], ACCEL_ERR_NOMEM, &plan->load_options);
  accel_core_store(plan->core, plan->misses.leads, plan->misses.lead_count, &plan->load_options);
  for (size_t i = 0; i < plan->request.count; i++)
    if (plan->misses.of_key[i] == SIZE_MAX && plan->request.statuses_out[i] == ACCEL_OK)
      type->drop(accel_type_value_at(type, plan->request.values_out, i));
  plan->request.values_out = NULL;
}

/* The plan's second half, once the body has returned, or without one. It may run loaders that
 * others have queued. */
typedef struct wrap_ending {
  accel_wrap *wrap;
  void (*store)(accel_wrap *wrap);
  accel_status ended;
} wrap_ending;

static void wrap_end_plan(void *ending_pointer)
{
  wrap_ending *ending = (wrap_ending *)ending_pointer;
  if (ending->store != NULL) ending->store(ending->wrap);
  ending->ended = wrap_finish_plan(ending->wrap);
}

static void wrap_leave(void *ending_pointer)
{
  accel_wrap *wrap = ((wrap_ending *)ending_pointer)->wrap;
  if (wrap->plan != NULL) accel_core_plan_leave(wrap->plan);
  ACCEL_FREE(wrap->memory);
}

static accel_status wrap_end(accel_wrap *wrap, void (*store)(accel_wrap *wrap))
{
  wrap_ending ending = {wrap, store, ACCEL_OK};
  accel_cancel_hold();
  wrap_body_end((core_read_plan *)wrap->plan);
  accel_thread_guard(wrap_end_plan, wrap_leave, &ending);
  accel_cancel_release();
  return ending.ended;
}

bool accel_wrap_read(accel_wrap *wrap, accel_cache *cache, const accel_type *type, const void *key,
                     void *out, const accel_wrap_options *options)
{
  wrap_init(wrap, cache, type, out, options);
  if (options->bypass) return true;
  accel_status status;
  core_read_plan *plan = wrap_plan(wrap, key, 1, &status);
  if (plan == NULL) return wrap_without_cache(wrap, status);
  status = out == NULL ? accel_error_set(cache, ACCEL_ERR_CONFIG, "out is NULL")
                       : accel_core_check_key(plan->core, key);
  if (status != ACCEL_OK) return wrap_without_cache(wrap, status);
  wrap->plan = plan;
  plan->request.values_out = out;
  const bool is_leader = wrap_begin(plan);
  plan->load_options.error_mark = accel_error_mark();
  if (is_leader && wrap_body_begin(plan, NULL, NULL)) return true;
  if (is_leader) wrap_give_up(plan);
  const bool is_cache_failure = is_leader || wrap_is_cache_failure(plan);
  wrap->status = wrap_end(wrap, NULL);
  if (accel_failed(wrap->status) && is_cache_failure) return wrap_without_cache(wrap, wrap->status);
  return false;
}

/* The body's answer becomes the flight's: copied, because the caller keeps its own. */
static void wrap_land(const core_read_plan *plan, accel_flight *flight, accel_status status,
                      const void *value, bool is_uncached)
{
  accel_core *core = plan->core;
  if (status == ACCEL_OK && !core->type->copy(flight->value, value)) status = ACCEL_ERR_NOMEM;
  core_note_of(flight)->is_uncacheable = is_uncached;
  accel_core_land(core, flight, status, &plan->load_options);
}

static void wrap_store_one(accel_wrap *wrap)
{
  core_read_plan *plan = (core_read_plan *)wrap->plan;
  wrap_land(plan, plan->misses.leads[0], wrap->status, wrap->out, wrap->is_uncached);
  accel_core_store(plan->core, plan->misses.leads, 1, &plan->load_options);
  if (!accel_failed(wrap->status)) plan->request.values_out = NULL; /* the body has filled *out */
}

accel_status accel_wrap_read_end(accel_wrap *wrap, accel_status status, bool is_uncached)
{
  status = wrap_check_status(wrap, status);
  const core_read_plan *plan = (const core_read_plan *)wrap->plan;
  if (plan == NULL || accel_core_is_foreign(plan->core)) return status;
  wrap->status = status;
  wrap->is_uncached = is_uncached;
  const accel_status ended = wrap_end(wrap, wrap_store_one);
  return accel_failed(status) && ended == ACCEL_OK ? ACCEL_OK : status;
}

/* ---- batch reads ---- */

/* Without the cache the body answers all keys, straight into the caller's arrays. */
static bool wrap_batch_without_cache(accel_wrap *wrap, const void *keys, size_t count,
                                     accel_status failure)
{
  if (!wrap_without_cache(wrap, failure)) {
    for (size_t i = 0; i < count && wrap->caller_statuses != NULL; i++)
      wrap->caller_statuses[i] = failure;
    return false;
  }
  wrap->status = ACCEL_OK;
  if (count == 0) return false;
  wrap->statuses = wrap->caller_statuses;
  if (wrap->statuses == NULL) {
    wrap->memory = ACCEL_MALLOC(count * sizeof *wrap->statuses);
    wrap->statuses = (accel_status *)wrap->memory;
  }
  if (wrap->statuses == NULL) {
    wrap->status = accel_error_set(wrap->cache, ACCEL_ERR_NOMEM,
                                   "no memory for the statuses of %zu keys", count);
    return false;
  }
  for (size_t i = 0; i < count; i++) wrap->statuses[i] = ACCEL_MISS;
  memcpy(&wrap->keys, &keys, sizeof keys); /* the body takes them as const again */
  wrap->count = count;
  wrap->values = wrap->caller_values;
  return true;
}

/* Arrays for the body, of the keys that it must answer. */
static bool wrap_open_arrays(accel_wrap *wrap, core_read_plan *plan)
{
  const accel_type *type = wrap->type;
  const size_t count = plan->misses.lead_count;
  const size_t body_size = (wrap_body_size(plan) + 63) / 64 * 64;
  const size_t values_size = (count * type->value_size + 63) / 64 * 64;
  const size_t keys_size = (count * type->key_size + 63) / 64 * 64;
  const size_t statuses_size = count * sizeof(accel_status);
  wrap->memory = ACCEL_MALLOC(body_size + values_size + keys_size + statuses_size + 64);
  if (wrap->memory == NULL) return false;
  char *body = (char *)wrap->memory + (64 - (uintptr_t)wrap->memory % 64);
  if (!wrap_body_begin(plan, (core_body *)(void *)body, wrap->memory)) return false;
  char *arrays = body + body_size;
  memset(arrays, 0, values_size); /* as a flight's value */
  wrap->values = arrays;
  wrap->keys = arrays + values_size;
  wrap->statuses = (accel_status *)(void *)(arrays + values_size + keys_size);
  wrap->count = count;
  for (size_t i = 0; i < count; i++) {
    memcpy((char *)wrap->keys + i * type->key_size, plan->misses.leads[i]->key, type->key_size);
    wrap->statuses[i] = ACCEL_MISS;
  }
  return true;
}

/* Ends a batch plan and gives the statuses that only the plan wanted back. */
static accel_status wrap_finish_batch(accel_wrap *wrap)
{
  core_read_plan *plan = (core_read_plan *)wrap->plan;
  accel_status *own = wrap->caller_statuses == NULL ? plan->request.statuses_out : NULL;
  const accel_status status = wrap_end(wrap, NULL);
  ACCEL_FREE(own);
  ACCEL_FREE(wrap->memory);
  wrap->memory = NULL;
  return status;
}

bool accel_wrap_read_batch(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                           const void *keys, size_t count, void *values, accel_status *statuses,
                           const accel_wrap_options *options)
{
  wrap_init(wrap, cache, type, NULL, options);
  wrap->caller_values = values;
  wrap->caller_statuses = statuses;
  accel_status status = ACCEL_OK;
  if (options->bypass) return wrap_batch_without_cache(wrap, keys, count, ACCEL_OK);
  if (count > 0 && (keys == NULL || values == NULL)) {
    wrap->status =
        accel_error_set(cache, ACCEL_ERR_CONFIG, "%s is NULL", keys == NULL ? "keys" : "values");
    return false;
  }
  if (count == 0) return false;
  core_read_plan *plan = wrap_plan(wrap, keys, count, &status);
  if (plan == NULL) return wrap_batch_without_cache(wrap, keys, count, status);
  plan->request.operation = CORE_OPERATION_MGET;
  plan->request.values_out = values;
  plan->request.statuses_out = statuses;
  if (statuses == NULL)
    plan->request.statuses_out = (accel_status *)ACCEL_MALLOC(count * sizeof *statuses);
  if (plan->request.statuses_out == NULL)
    return wrap_batch_without_cache(wrap, keys, count, ACCEL_ERR_NOMEM);
  wrap->plan = plan;
  if (statuses == NULL) plan->own_statuses = plan->request.statuses_out;
  const bool is_leader = wrap_begin(plan);
  plan->load_options.error_mark = accel_error_mark();
  if (is_leader && wrap_open_arrays(wrap, plan)) return true;
  if (is_leader) wrap_give_up(plan);
  const bool is_cache_failure = is_leader || plan->outcome.failure != ACCEL_OK;
  wrap->status = wrap_finish_batch(wrap);
  if (is_cache_failure) return wrap_batch_without_cache(wrap, keys, count, wrap->status);
  return false;
}

static accel_status wrap_batch_uncached_end(accel_wrap *wrap, accel_status status)
{
  accel_status first = status;
  for (size_t i = 0; i < wrap->count; i++) {
    accel_status *each = &wrap->statuses[i];
    *each = wrap_check_status(wrap, *each);
    if (accel_failed(status)) *each = status;
    if (*each == ACCEL_MISS) *each = ACCEL_NULL;
    if (!accel_failed(first) && accel_failed(*each)) first = *each;
  }
  ACCEL_FREE(wrap->memory);
  return accel_failed(first) ? first : ACCEL_OK;
}

static void wrap_store_batch(accel_wrap *wrap)
{
  core_read_plan *plan = (core_read_plan *)wrap->plan;
  const accel_type *type = wrap->type;
  for (size_t i = 0; i < wrap->count; i++) {
    accel_status one = wrap_check_status(wrap, wrap->statuses[i]);
    if (accel_failed(wrap->status)) one = wrap->status;
    if (one == ACCEL_MISS) one = ACCEL_NULL; /* left as it was: not there */
    if (one == ACCEL_OK)                     /* moved: the array is the library's own */
      memcpy(plan->misses.leads[i]->value, accel_type_value_at(type, wrap->values, i),
             type->value_size);
    accel_core_land(plan->core, plan->misses.leads[i], one, &plan->load_options);
  }
  accel_core_store(plan->core, plan->misses.leads, wrap->count, &plan->load_options);
}

accel_status accel_wrap_read_batch_end(accel_wrap *wrap, accel_status status)
{
  status = wrap_check_status(wrap, status);
  core_read_plan *plan = (core_read_plan *)wrap->plan;
  if (plan == NULL) return wrap_batch_uncached_end(wrap, status);
  if (accel_core_is_foreign(plan->core)) {
    wrap->plan = NULL; /* the body forked, and this is the child: nothing is to be touched */
    return accel_failed(status) ? status : ACCEL_ERR_CONFIG;
  }
  void *own_statuses = plan->own_statuses;
  wrap->status = status;
  status = wrap_end(wrap, wrap_store_batch);
  ACCEL_FREE(own_statuses);
  ACCEL_FREE(wrap->memory);
  wrap->memory = NULL;
  return status;
}

/* ---- writes ---- */

static accel_status wrap_policy(accel_status status, const accel_wrap_options *options)
{
  return options->on_cache_error == ACCEL_IGNORE ? ACCEL_OK : status;
}

accel_status accel_wrap_put(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                            const void *key, const void *value, const accel_wrap_options *options)
{
  wrap_init(wrap, cache, type, NULL, options);
  if (options->bypass) return ACCEL_OK;
  accel_write write;
  memset(&write, 0, sizeof write);
  write.ttl_ms = options->ttl_ms;
  return wrap_policy(accel_cache_set_with(cache, type, key, &write, value), options);
}

static accel_status wrap_evict_now(accel_wrap *wrap)
{
  if (wrap->is_whole_area) return accel_cache_clear(wrap->cache, wrap->type);
  return accel_cache_mdel(wrap->cache, wrap->type, wrap->keys, wrap->count);
}

static void wrap_evict_begin(accel_wrap *wrap, const void *keys, size_t count, bool before)
{
  memcpy(&wrap->keys, &keys, sizeof keys); /* only read */
  wrap->count = count;
  wrap->status = before && !wrap->options.bypass ? wrap_evict_now(wrap) : ACCEL_OK;
}

void accel_wrap_evict(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                      const void *key_or_null, bool before, const accel_wrap_options *options)
{
  wrap_init(wrap, cache, type, NULL, options);
  wrap->is_whole_area = key_or_null == NULL;
  wrap_evict_begin(wrap, key_or_null, 1, before);
}

/* No keys at all are no reason to clear the area. */
void accel_wrap_evict_batch(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                            const void *keys, size_t count, bool before,
                            const accel_wrap_options *options)
{
  wrap_init(wrap, cache, type, NULL, options);
  wrap_evict_begin(wrap, keys, count, before);
}

accel_status accel_wrap_evict_end(accel_wrap *wrap, accel_status status)
{
  status = wrap_check_status(wrap, status);
  if (accel_failed(status) || wrap->options.bypass) return status;
  accel_status evicted = wrap_evict_now(wrap);
  if (!accel_failed(evicted)) evicted = wrap->status;
  const accel_status failure = wrap_policy(evicted, &wrap->options);
  return accel_failed(failure) ? failure : status;
}

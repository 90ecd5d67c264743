/* cache_read.c: the reads that users call (layer 4). */
#include "cache_await.h"
#include "cache_hot.h"
#include "cache_load.h"
#include "cache_read_local.h"
#include "cache_read_plan.h"
#include "cache_report.h"

#include <stdlib.h>
#include <string.h>

static void read_steps(void *plan_pointer)
{
  core_read_plan *plan = (core_read_plan *)plan_pointer;
  if (accel_core_plan_begin(plan)) accel_core_plan_load(plan);
  plan->outcome.status = accel_core_plan_end(plan);
}

static accel_status read_run(core_read_plan *plan)
{
  accel_cancel_enter();
  accel_thread_guard(read_steps, accel_core_plan_leave, plan);
  accel_cancel_release();
  return plan->outcome.status;
}

static accel_status read_one(core_read_plan *plan, void *out)
{
  accel_core *core = plan->core;
  if (out == NULL) return accel_error_set(core->cache, ACCEL_ERR_CONFIG, "out is NULL");
  const accel_status bad = accel_core_check_key(core, plan->request.keys);
  if (bad != ACCEL_OK) return bad;
  plan->request.values_out = out;
  const accel_status failure = read_run(plan);
  const accel_status status = failure == ACCEL_OK ? plan->outcome.one_status : failure;
  return accel_core_plan_report(plan, status, accel_core_read_result(status));
}

accel_status accel_cache_get_with(accel_cache *cache, const accel_type *type, const void *key,
                                  const accel_read *read, void *out)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  core_read_plan plan;
  accel_core_plan_init(&plan, core, key, 1, read);
  return read_one(&plan, out);
}

/* No plan is needed where nothing can be planned. */
static accel_status read_local_alone(accel_core *core, const void *key, void *out)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  accel_info unwanted;
  bool has_stale;
  const core_key id = {key, accel_core_hash(core, key)};
  status = accel_core_read_local(core, &id, out, &unwanted, &has_stale);
  const bool is_miss = status == ACCEL_MISS;
  if (!accel_failed(status)) accel_core_count_local(core, key, id.hash, !is_miss);
  if (!is_miss || !has_stale || !core->config.stale_on_error) return status;
  return accel_core_read_stale(core, &id, out, &unwanted) ? ACCEL_OK : ACCEL_MISS;
}

accel_status accel_cache_get_local_slow(accel_cache *cache, const accel_type *type, const void *key,
                                        void *out)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL || out == NULL || accel_load_relaxed(&cache->local) == NULL)
    return ACCEL_ATTENTION;
  const uint64_t hash = accel_core_hash(core, key);
  status = core->local_ops->get(core->local, type, key, hash, out);
  if (status == ACCEL_OK || status == ACCEL_NULL) accel_core_count_local(core, key, hash, true);
  return status;
}

void accel_cache_due(accel_core *core, bool is_hit, uint64_t word, const void *key)
{
  const void *sampled = key == NULL ? &word : key;
  if (!accel_stats_local(core->stats, is_hit, !is_hit)) return;
  accel_core_hot_sample(core, sampled, accel_core_hash(core, sampled), is_hit);
}

accel_status accel_cache_get_slow(accel_cache *cache, const accel_type *type, const void *key,
                                  void *out)
{
  const accel_status seen = accel_cache_get_local_slow(cache, type, key, out);
  if (seen == ACCEL_OK || seen == ACCEL_NULL) return seen;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL || out == NULL || !accel_core_is_alone(core))
    return accel_cache_get_with(cache, type, key, NULL, out);
  if (seen != ACCEL_MISS || accel_core_check_key(core, key) != ACCEL_OK)
    return read_local_alone(core, key, out);
  accel_core_count_local(core, key, accel_core_hash(core, key), false);
  return ACCEL_MISS;
}

accel_status accel_cache_get_or_load_slow(accel_cache *cache, const accel_type *type,
                                          const void *key, const accel_read *read, accel_fn *load,
                                          void *ctx, void *out)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (load == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "load is NULL");
  core_read_plan plan;
  accel_core_plan_init(&plan, core, key, 1, read);
  if (!plan.request.options.disable_load) {
    plan.load_options.load = load;
    plan.load_options.load_ctx = ctx;
    plan.load_options.load_name = "the load function of get_or_load";
    plan.load_options.is_in_caller = true;
  }
  plan.load_options.mload = NULL;
  return read_one(&plan, out);
}

static accel_status read_many(core_read_plan *plan, accel_status *statuses_or_null)
{
  plan->request.statuses_out = statuses_or_null;
  if (statuses_or_null != NULL) return read_run(plan);
  if (plan->request.count <= SIZE_MAX / sizeof(accel_status))
    plan->request.statuses_out =
        (accel_status *)ACCEL_MALLOC(plan->request.count * sizeof(accel_status));
  if (plan->request.statuses_out == NULL)
    return accel_error_set(plan->core->cache, ACCEL_ERR_NOMEM,
                           "no memory to read %zu keys of area %s", plan->request.count,
                           plan->core->area);
  plan->own_statuses = plan->request.statuses_out;
  const accel_status status = read_run(plan);
  ACCEL_FREE(plan->request.statuses_out);
  return status;
}

accel_status accel_cache_mget(accel_cache *cache, const accel_type *type, const void *keys,
                              size_t count, const accel_read *read, void *values_out,
                              accel_status *statuses_out)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core != NULL && count > 0 && (keys == NULL || values_out == NULL))
    status = accel_error_set(cache, ACCEL_ERR_CONFIG, "%s is NULL",
                             keys == NULL ? "keys" : "values_out");
  if (core == NULL || status != ACCEL_OK || count == 0) {
    for (size_t i = 0; i < count && statuses_out != NULL; i++) statuses_out[i] = status;
    return status;
  }
  core_read_plan plan;
  accel_core_plan_init(&plan, core, keys, count, read);
  plan.request.operation = CORE_OPERATION_MGET;
  plan.request.values_out = values_out;
  status = read_many(&plan, statuses_out);
  if (plan.outcome.failure != ACCEL_OK)
    for (size_t i = 0; i < count && statuses_out != NULL; i++) statuses_out[i] = status;
  return accel_core_plan_report(&plan, status, CORE_RESULT_OK);
}

accel_status accel_cache_refresh(accel_cache *cache, const accel_type *type, const void *key)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  if (core->load == NULL && core->mload == NULL)
    return accel_error_set(cache, ACCEL_ERR_CONFIG,
                           "a refresh in area %s needs a loader; set one first", core->area);
  return accel_core_refresh(core, key, accel_core_hash(core, key));
}

/* One chunk: *loaded counts what came from the loader. */
static accel_status warmup_chunk(accel_core *core, const void *keys, size_t count,
                                 accel_info *infos, size_t *loaded, core_report *report)
{
  const accel_read read = {.infos = infos};
  core_read_plan plan;
  accel_core_plan_init(&plan, core, keys, count, &read);
  plan.load_options.stays = true;
  plan.own_infos = infos;
  plan.request.is_part = true;
  plan.outcome.report.degraded = report->degraded;
  const accel_status status = read_many(&plan, NULL);
  report->degraded = plan.outcome.report.degraded;
  if (plan.outcome.failure != ACCEL_OK) return status;
  for (size_t i = 0; i < count; i++) *loaded += infos[i].source == ACCEL_FROM_LOADER;
  return status;
}

accel_status accel_cache_warmup(accel_cache *cache, const accel_type *type, const void *keys,
                                size_t count, size_t *loaded_out)
{
  accel_status status;
  size_t loaded = 0;
  if (loaded_out != NULL) *loaded_out = 0;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (!core->config.warmup_enabled) return ACCEL_OK;
  if (core->load == NULL && core->mload == NULL)
    return accel_error_set(cache, ACCEL_ERR_CONFIG,
                           "a warmup in area %s needs a loader; set one first", core->area);
  if (count > 0 && keys == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "keys is NULL");
  core_report report = accel_core_report_begin(core, CORE_OPERATION_WARMUP, count);
  const size_t chunk =
      core->config.warmup_batch_size < count ? core->config.warmup_batch_size : count;
  accel_info *infos = (accel_info *)ACCEL_MALLOC((chunk + 1) * sizeof *infos);
  if (infos == NULL)
    status = accel_error_set(cache, ACCEL_ERR_NOMEM, "no memory to warm up area %s", core->area);
  for (size_t done = 0; infos != NULL && done < count; done += chunk) {
    const size_t taken = count - done < chunk ? count - done : chunk;
    const accel_status one =
        warmup_chunk(core, accel_type_key_at(type, keys, done), taken, infos, &loaded, &report);
    if (status == ACCEL_OK) status = one;
  }
  ACCEL_FREE(infos);
  if (loaded_out != NULL) *loaded_out = loaded;
  status = accel_core_report_end(core, &report, status,
                                 loaded == 0 ? CORE_RESULT_OK_ZERO : CORE_RESULT_OK_LOADED);
  accel_core_report_close(core, &report);
  return status;
}

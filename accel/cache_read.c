#include "cache_core.h"

#include <stdlib.h>
#include <string.h>

/* ---- L1 ---- */

static void read_refresh_if_due(accel_core *core, const void *key, uint64_t hash,
                                const accel_lifetime *life, uint64_t now_ms)
{
  if (!accel_refresh_is_due(life, now_ms) || (core->load == NULL && core->mload == NULL)) return;
  if (accel_refresh_is_throttled(&core->refresh, hash, now_ms)) return;
  accel_core_refresh(core, key, hash);
}

/* What L1 has: OK, NULL, NOMEM, or MISS; then *has_stale says whether an expired value could still
 * help. Nothing expired is copied out. */
static accel_status read_local(accel_core *core, const void *key, uint64_t hash, void *out,
                               accel_info *info, bool *has_stale)
{
  const accel_local_ops *ops = core->local_ops;
  *has_stale = false;
  accel_local_found found;
  accel_status status = ops->peek(core->local, core->type, key, hash, NULL, &found);
  if (accel_failed(status) || status == ACCEL_MISS) return status;
  const uint64_t now_ms = accel_core_now(core);
  if (!accel_core_is_fresh(&found, now_ms)) {
    const uint64_t expired_ms = found.life.expires_ms < now_ms ? found.life.expires_ms : now_ms;
    *has_stale = status == ACCEL_OK &&
                 accel_ttl_is_stale_usable(now_ms, expired_ms, core->config.stale_max_ms);
    return ACCEL_MISS;
  }
  if (status == ACCEL_OK && out != NULL) {
    status = ops->peek(core->local, core->type, key, hash, out, &found);
    if (status == ACCEL_OK && !accel_core_is_fresh(&found, now_ms)) {
      core->type->drop(out); /* it was replaced by an older one in between: rare, and a miss */
      return ACCEL_MISS;
    }
  }
  if (status != ACCEL_OK && status != ACCEL_NULL) return status;
  accel_core_tell(info, ACCEL_FROM_LOCAL, &found.life, now_ms);
  read_refresh_if_due(core, key, hash, &found.life, now_ms);
  return status;
}

/* ---- the plan ---- */

static bool plan_has_remote(const core_plan *plan)
{
  return plan->core->link != NULL && !plan->read.skip_remote;
}

static bool plan_permits_stale(const core_plan *plan)
{
  return plan->read.allow_stale || plan->core->config.stale_on_error;
}

static void plan_add_miss(core_plan *plan, size_t i, const void *key, uint64_t hash, bool has_stale)
{
  core_miss *miss = &plan->misses[plan->miss_count];
  memset(miss, 0, sizeof *miss);
  miss->id.key = key;
  miss->id.hash = hash;
  miss->has_stale = has_stale && plan_permits_stale(plan);
  miss->status = ACCEL_MISS;
  plan->miss_of[i] = plan->miss_count++;
}

/* Asks L1 for every key. */
static void plan_read_local(core_plan *plan)
{
  accel_core *core = plan->core;
  const bool has_local = core->local != NULL && !plan->read.skip_local;
  uint64_t hits = 0;
  for (size_t i = 0; i < plan->count; i++) {
    const void *key = accel_type_key_at(core->type, plan->keys, i);
    accel_info unwanted, *info = accel_core_plan_info(plan, i, &unwanted);
    memset(info, 0, sizeof *info);
    plan->miss_of[i] = SIZE_MAX;
    plan->statuses_out[i] = accel_core_check_key(core, key);
    if (plan->statuses_out[i] != ACCEL_OK) continue;
    bool has_stale = false;
    const uint64_t hash = accel_core_hash(core, key);
    accel_status status = ACCEL_MISS;
    if (has_local)
      status = read_local(core, key, hash, accel_core_plan_value(plan, i), info, &has_stale);
    plan->statuses_out[i] = status;
    if (accel_failed(status)) accel_error_set(core->cache, status, "no memory to copy a value");
    if (status == ACCEL_MISS) plan_add_miss(plan, i, key, hash, has_stale);
    if (status == ACCEL_OK || status == ACCEL_NULL) hits++;
  }
  if (has_local) accel_stats_local(core->stats, hits, plan->miss_count);
}

/* Lets duplicate keys share one miss. Without memory for that every duplicate is a miss of its own,
 * which costs time alone. */
static void plan_merge_duplicates(core_plan *plan)
{
  core_key_set seen;
  if (plan->miss_count < 2) return;
  if (!accel_core_key_set_open(&seen, plan->core->type, plan->misses, sizeof *plan->misses,
                               plan->miss_count))
    return;
  size_t kept = 0;
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->miss_of[i] == SIZE_MAX) continue;
    plan->misses[kept] = plan->misses[plan->miss_of[i]];
    plan->miss_of[i] = accel_core_key_set_add(&seen, kept);
    if (plan->miss_of[i] == kept) kept++;
  }
  plan->miss_count = kept;
  accel_core_key_set_close(&seen);
}

/* After a failed load the source has peace for a while: the stale value answers at once. */
static void plan_settle_throttled(core_plan *plan)
{
  accel_core *core = plan->core;
  for (size_t i = 0; i < plan->miss_count; i++) {
    core_miss *miss = &plan->misses[i];
    miss->is_settled = miss->has_stale && accel_refresh_is_throttled(&core->refresh, miss->id.hash,
                                                                     accel_core_now(core));
  }
}

/* Becomes leader or follower of every miss. The gate is noted first: whatever the leader then reads
 * is no older. */
static void plan_join(core_plan *plan)
{
  accel_core *core = plan->core;
  const bool is_shared = accel_core_plan_can_load(plan) && !core->config.no_penetration_protect;
  const bool fills_local = core->local != NULL && !plan->read.skip_local;
  const accel_flight_wish wish = {
      .share = is_shared, .fills_local = fills_local, .stays = plan->terms.stays};
  for (size_t i = 0; i < plan->miss_count; i++) {
    core_miss *miss = &plan->misses[i];
    if (miss->is_settled) continue;
    const accel_gate gate = accel_core_gate(core, miss->id.hash);
    miss->flight = accel_singleflight_join(&core->flights, miss->id.key, miss->id.hash, wish,
                                           &miss->is_leader);
    if (miss->flight == NULL) {
      miss->is_settled = true;
      miss->status = accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory for a read");
      continue;
    }
    if (miss->is_leader) {
      miss->flight->gate = gate;
      miss->flight->may_stay_stale = miss->has_stale && core->config.stale_on_error;
    } else {
      accel_stats_add(core->stats, ACCEL_COUNT_load_shared, 1);
    }
  }
}

/* Another flight may have filled L1 between this read's look and its lead. */
static void plan_look_again(core_plan *plan)
{
  accel_core *core = plan->core;
  if (core->local == NULL || plan->read.skip_local) return;
  for (size_t i = 0; i < plan->miss_count; i++) {
    const core_miss *miss = &plan->misses[i];
    if (!miss->is_leader || !miss->flight->is_shared) continue;
    accel_flight *flight = miss->flight;
    const accel_status status =
        core->local_ops->get(core->local, core->type, miss->id.key, miss->id.hash, flight->value);
    if (status != ACCEL_OK && status != ACCEL_NULL) continue;
    accel_local_found found;
    if (core->local_ops->peek(core->local, core->type, miss->id.key, miss->id.hash, NULL, &found) ==
        ACCEL_MISS)
      found.life = accel_core_lifetime(core, core->config.local_ttl_ms); /* evicted since */
    flight->source = ACCEL_FROM_LOCAL;
    flight->life = found.life;
    accel_singleflight_land(&core->flights, flight, status, "");
    accel_singleflight_finish(&core->flights, flight);
  }
}

static size_t plan_collect_leads(const core_plan *plan, accel_flight **flights)
{
  size_t leads = 0;
  for (size_t i = 0; i < plan->miss_count; i++) {
    const core_miss *miss = &plan->misses[i];
    if (miss->flight != NULL && miss->is_leader && !miss->flight->is_landed)
      flights[leads++] = miss->flight;
  }
  return leads;
}

static void plan_give_up(core_plan *plan, size_t leads)
{
  for (size_t i = 0; i < leads; i++) {
    accel_singleflight_land(&plan->core->flights, plan->leads[i], ACCEL_MISS, "");
    accel_singleflight_finish(&plan->core->flights, plan->leads[i]);
  }
}

static bool plan_open(core_plan *plan)
{
  plan->misses = &plan->one_miss;
  plan->miss_of = &plan->one_miss_of;
  plan->leads = &plan->one_lead;
  if (plan->count == 1) return true;
  const size_t each = sizeof *plan->misses + sizeof *plan->leads + sizeof *plan->miss_of;
  if (plan->count > SIZE_MAX / each) return false;
  plan->memory = ACCEL_MALLOC(plan->count * each);
  if (plan->memory == NULL) return false;
  plan->misses = (core_miss *)plan->memory;
  plan->leads = (accel_flight **)(void *)(plan->misses + plan->count);
  plan->miss_of = (size_t *)(void *)(plan->leads + plan->count);
  return true;
}

/* Who loads by himself settles with other processes before he begins. */
static size_t plan_lease(core_plan *plan, size_t leads)
{
  accel_core *core = plan->core;
  const size_t ready = accel_core_lease(core, plan->leads, leads);
  plan->terms.is_leased = true;
  return ready +
         accel_core_lease_wait(core, plan->leads + ready, leads - ready, plan->terms.errors);
}

bool accel_core_plan_begin(core_plan *plan)
{
  accel_core *core = plan->core;
  if (!plan_open(plan)) {
    plan->failure =
        accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory to read %zu keys", plan->count);
    return false;
  }
  plan_read_local(plan);
  plan->is_reported = !plan->is_part && (plan->miss_count > 0 || core->config.trace_hits);
  if (plan->is_reported) plan->report = accel_core_report_begin(core, plan->operation);
  if (plan->count == 1) plan->report.key = plan->keys;
  if (plan->miss_count == 0 || (!accel_core_plan_can_load(plan) && !plan_has_remote(plan)))
    return false;
  plan_merge_duplicates(plan);
  plan_settle_throttled(plan);
  plan_join(plan);
  plan_look_again(plan);
  size_t leads = plan_collect_leads(plan, plan->leads);
  if (leads > 0 && plan_has_remote(plan)) {
    const core_look look = {.errors = plan->terms.errors};
    accel_core_remote_get(core, plan->leads, leads, &look);
    leads = plan_collect_leads(plan, plan->leads);
    if (plan->is_load_callers) leads = plan_lease(plan, leads);
  }
  if (!accel_core_plan_can_load(plan)) {
    plan_give_up(plan, leads);
    leads = 0;
  }
  plan->lead_count = leads;
  return leads > 0;
}

void accel_core_plan_load(core_plan *plan)
{
  accel_core_load(plan->core, plan->leads, plan->lead_count, &plan->terms);
}

/* ---- the public reads ---- */

void accel_core_plan_init(core_plan *plan, accel_core *core, const void *keys, size_t count,
                          const accel_read *read_or_null)
{
  memset(plan, 0, sizeof *plan);
  plan->core = core;
  plan->keys = keys;
  plan->count = count;
  if (read_or_null != NULL) plan->read = *read_or_null;
  plan->terms = accel_core_terms(core, read_or_null);
  plan->statuses_out = &plan->one_status;
  plan->operation = "cache.get";
}

static void read_steps(void *plan_pointer)
{
  core_plan *plan = (core_plan *)plan_pointer;
  if (accel_core_plan_begin(plan)) accel_core_plan_load(plan);
  plan->result = accel_core_plan_end(plan);
}

static accel_status read_run(core_plan *plan)
{
  accel_cancel_enter();
  accel_thread_guard(read_steps, accel_core_plan_leave, plan);
  accel_cancel_release();
  return plan->result;
}

static accel_status read_one(core_plan *plan, void *out)
{
  accel_core *core = plan->core;
  if (out == NULL) return accel_error_set(core->cache, ACCEL_ERR_CONFIG, "out is NULL");
  const accel_status bad = accel_core_check_key(core, plan->keys);
  if (bad != ACCEL_OK) return bad;
  plan->values_out = out;
  const accel_status failure = read_run(plan);
  const accel_status status = failure == ACCEL_OK ? plan->one_status : failure;
  return accel_core_plan_report(plan, status, accel_core_found(status));
}

accel_status accel_cache_get_with(accel_cache *cache, const accel_type *type, const void *key,
                                  const accel_read *read, void *out)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  core_plan plan;
  accel_core_plan_init(&plan, core, key, 1, read);
  return read_one(&plan, out);
}

/* No plan is needed where nothing can be planned. */
static accel_status read_local_alone(accel_core *core, const void *key, void *out)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  accel_info unwanted;
  core_miss miss = {.id = {key, accel_core_hash(core, key)}};
  status = read_local(core, key, miss.id.hash, out, &unwanted, &miss.has_stale);
  const bool is_miss = status == ACCEL_MISS;
  accel_stats_local(core->stats, status == ACCEL_OK || status == ACCEL_NULL, is_miss);
  if (!is_miss || !core->config.stale_on_error) return status;
  return accel_core_read_stale(core, &miss, out, &unwanted) ? ACCEL_OK : ACCEL_MISS;
}

accel_status accel_cache_get_cold(accel_cache *cache, const accel_type *type, const void *key,
                                  void *out, accel_status seen)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core != NULL && out != NULL && seen != ACCEL_ATTENTION) {
    status = core->local_ops->get(core->local, type, key, accel_core_hash(core, key), out);
    if (status == ACCEL_OK || status == ACCEL_NULL) return accel_cache_hit_cold(cache, status);
  }
  if (core != NULL && out != NULL && accel_core_is_alone(core))
    return read_local_alone(core, key, out);
  return accel_cache_get_with(cache, type, key, NULL, out);
}

accel_status accel_cache_hit_cold(accel_cache *cache, accel_status status)
{
  accel_stats_local(cache->stats, 1, 0);
  return status;
}

accel_status accel_cache_get_or_load(accel_cache *cache, const accel_type *type, const void *key,
                                     const accel_read *read, accel_fn *load, void *ctx, void *out)
{
  /* As accel_cache_get: naming the loader makes a hit no dearer. */
  accel_status status =
      read == NULL && load != NULL ? accel_cache_hit(cache, type, key, out) : ACCEL_MISS;
  if (status != ACCEL_MISS) return status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (load == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "load is NULL");
  core_plan plan;
  accel_core_plan_init(&plan, core, key, 1, read);
  if (!plan.read.disable_load) {
    plan.terms.load = load;
    plan.terms.load_ctx = ctx;
    plan.terms.is_in_caller = true;
  }
  plan.terms.mload = NULL;
  return read_one(&plan, out);
}

static accel_status read_many(core_plan *plan, accel_status *statuses_or_null)
{
  plan->statuses_out = statuses_or_null;
  if (statuses_or_null != NULL) return read_run(plan);
  if (plan->count > SIZE_MAX / sizeof(accel_status)) return ACCEL_ERR_NOMEM;
  plan->statuses_out = (accel_status *)ACCEL_MALLOC(plan->count * sizeof(accel_status));
  if (plan->statuses_out == NULL)
    return accel_error_set(plan->core->cache, ACCEL_ERR_NOMEM, "no memory to read %zu keys",
                           plan->count);
  plan->own_statuses = plan->statuses_out;
  const accel_status status = read_run(plan);
  ACCEL_FREE(plan->statuses_out);
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
  core_plan plan;
  accel_core_plan_init(&plan, core, keys, count, read);
  plan.operation = "cache.mget";
  plan.values_out = values_out;
  status = read_many(&plan, statuses_out);
  if (plan.failure != ACCEL_OK)
    for (size_t i = 0; i < count && statuses_out != NULL; i++) statuses_out[i] = status;
  return accel_core_plan_report(&plan, status, "ok");
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
    return accel_error_set(cache, ACCEL_ERR_CONFIG, "a refresh in area %s needs a loader",
                           core->area);
  return accel_core_refresh(core, key, accel_core_hash(core, key));
}

/* One chunk: *loaded counts what came from the loader. */
static accel_status warmup_chunk(accel_core *core, const void *keys, size_t count,
                                 accel_info *infos, size_t *loaded, core_report *report)
{
  const accel_read read = {.infos = infos};
  core_plan plan;
  accel_core_plan_init(&plan, core, keys, count, &read);
  plan.terms.stays = true;
  plan.own_infos = infos;
  plan.is_part = true;
  plan.report.degraded = report->degraded;
  const accel_status status = read_many(&plan, NULL);
  report->degraded = plan.report.degraded;
  if (plan.failure != ACCEL_OK) return status;
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
    return accel_error_set(cache, ACCEL_ERR_CONFIG, "a warmup in area %s needs a loader",
                           core->area);
  if (count > 0 && keys == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "keys is NULL");
  core_report report = accel_core_report_begin(core, "cache.warmup");
  const size_t chunk =
      core->config.warmup_batch_size < count ? core->config.warmup_batch_size : count;
  accel_info *infos = (accel_info *)ACCEL_MALLOC((chunk + 1) * sizeof *infos);
  if (infos == NULL) status = accel_error_set(cache, ACCEL_ERR_NOMEM, "no memory to warm up");
  for (size_t done = 0; infos != NULL && done < count; done += chunk) {
    const size_t rest = count - done < chunk ? count - done : chunk;
    const accel_status one =
        warmup_chunk(core, accel_type_key_at(type, keys, done), rest, infos, &loaded, &report);
    if (status == ACCEL_OK) status = one;
  }
  ACCEL_FREE(infos);
  if (loaded_out != NULL) *loaded_out = loaded;
  status = accel_core_report_end(core, &report, status, loaded == 0 ? "ok_zero" : "ok_loaded");
  accel_core_report_close(core, &report);
  return status;
}

#include "cache_read_plan.h"

#include "cache_hot.h"
#include "cache_lease.h"
#include "cache_load.h"
#include "cache_read_local.h"
#include "cache_remote.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a plan wants ---- */

void *accel_core_plan_value(const core_read_plan *plan, size_t i)
{
  if (plan->request.values_out == NULL) return NULL;
  return accel_type_value_at(plan->core->type, plan->request.values_out, i);
}

accel_info *accel_core_plan_info(const core_read_plan *plan, size_t i, accel_info *unwanted)
{
  if (plan->request.options.infos != NULL) return &plan->request.options.infos[i];
  return plan->request.options.info != NULL && plan->request.count == 1 ? plan->request.options.info
                                                                        : unwanted;
}

bool accel_core_plan_can_load(const core_read_plan *plan)
{
  return plan->load_options.load != NULL || plan->load_options.mload != NULL ||
         plan->is_loaded_by_caller;
}

/* ---- the plan ---- */

void accel_core_plan_init(core_read_plan *plan, accel_core *core, const void *keys, size_t count,
                          const accel_read *read_or_null)
{
  memset(plan, 0, sizeof *plan);
  plan->core = core;
  plan->request.keys = keys;
  plan->request.count = count;
  if (read_or_null != NULL) plan->request.options = *read_or_null;
  plan->load_options = accel_core_load_options(core, read_or_null);
  plan->request.statuses_out = &plan->outcome.one_status;
  plan->request.operation = CORE_OPERATION_GET;
}

static bool plan_has_remote(const core_read_plan *plan)
{
  return plan->core->link != NULL && !plan->request.options.skip_remote;
}

static bool plan_permits_stale(const core_read_plan *plan)
{
  return plan->request.options.allow_stale || plan->core->config.stale_on_error;
}

static void plan_add_miss(core_read_plan *plan, size_t i, const core_key *id, bool has_stale)
{
  core_miss *miss = &plan->misses.items[plan->misses.count];
  memset(miss, 0, sizeof *miss);
  miss->id = *id;
  miss->has_stale = has_stale && plan_permits_stale(plan);
  miss->status = ACCEL_MISS;
  accel_probe_miss(plan->core->area, id->hash);
  plan->misses.of_key[i] = plan->misses.count++;
}

/* Asks L1 for every key. */
static void plan_read_local(core_read_plan *plan)
{
  accel_core *core = plan->core;
  const bool has_local = core->local != NULL && !plan->request.options.skip_local;
  const bool is_sampled = core->stats->gap > 0; /* then each key counts by itself */
  uint64_t hits = 0;
  for (size_t i = 0; i < plan->request.count; i++) {
    const void *key = accel_type_key_at(core->type, plan->request.keys, i);
    accel_info unwanted, *info = accel_core_plan_info(plan, i, &unwanted);
    memset(info, 0, sizeof *info);
    plan->misses.of_key[i] = SIZE_MAX;
    plan->request.statuses_out[i] = accel_core_check_key(core, key);
    if (plan->request.statuses_out[i] != ACCEL_OK) continue;
    bool has_stale = false;
    const core_key id = {key, accel_core_hash(core, key)};
    accel_status status = ACCEL_MISS;
    if (has_local)
      status = accel_core_read_local(core, &id, accel_core_plan_value(plan, i), info, &has_stale);
    plan->request.statuses_out[i] = status;
    if (status == ACCEL_MISS) plan_add_miss(plan, i, &id, has_stale);
    if (status == ACCEL_OK || status == ACCEL_NULL) hits++;
    if (has_local && is_sampled && !accel_failed(status))
      accel_core_count_local(core, key, id.hash, status != ACCEL_MISS);
  }
  if (has_local && !is_sampled) accel_stats_local(core->stats, hits, plan->misses.count);
  plan->outcome.hits = hits;
  plan->outcome.source = hits > 0 ? ACCEL_FROM_LOCAL : ACCEL_FROM_NONE;
}

/* Lets duplicate keys share one miss. Without memory for that every duplicate is a miss of its own,
 * which costs time alone. */
static void plan_merge_duplicates(core_read_plan *plan)
{
  core_key_set seen;
  core_read_misses *misses = &plan->misses;
  if (misses->count < 2) return;
  if (!accel_core_key_set_open(&seen, plan->core->type, misses->items, sizeof *misses->items,
                               misses->count))
    return;
  size_t kept = 0;
  for (size_t i = 0; i < plan->request.count; i++) {
    if (misses->of_key[i] == SIZE_MAX) continue;
    misses->items[kept] = misses->items[misses->of_key[i]];
    misses->of_key[i] = accel_core_key_set_add(&seen, kept);
    if (misses->of_key[i] == kept) kept++;
  }
  misses->count = kept;
  accel_core_key_set_close(&seen);
}

/* After a failed load the source is not asked for a while: the stale value answers at once. */
static void plan_answer_stale(core_read_plan *plan)
{
  accel_core *core = plan->core;
  for (size_t i = 0; i < plan->misses.count; i++) {
    core_miss *miss = &plan->misses.items[i];
    miss->is_answered = miss->has_stale &&
                        accel_throttle_holds(&core->throttle, miss->id.hash, accel_core_now(core));
  }
}

/* Becomes leader or follower of every miss. The gate is noted first: whatever the leader then reads
 * is no older. */
static void plan_join(core_read_plan *plan)
{
  accel_core *core = plan->core;
  const bool is_shared = accel_core_plan_can_load(plan) && !core->config.no_penetration_protect;
  const bool fills_local = core->local != NULL && !plan->request.options.skip_local;
  const accel_join_options options = {
      .share = is_shared, .fills_local = fills_local, .stays = plan->load_options.stays};
  for (size_t i = 0; i < plan->misses.count; i++) {
    core_miss *miss = &plan->misses.items[i];
    if (miss->is_answered) continue;
    const accel_gate gate = accel_core_gate(core, miss->id.hash);
    miss->flight = accel_singleflight_join(&core->flights, miss->id.key, miss->id.hash, options,
                                           &miss->is_leader);
    if (miss->flight == NULL) {
      miss->is_answered = true;
      miss->status = accel_error_set(core->cache, ACCEL_ERR_NOMEM,
                                     "no memory to load a key in area %s", core->area);
      continue;
    }
    if (miss->is_leader) {
      core_note *note = core_note_of(miss->flight);
      note->gate = gate;
      note->may_answer_stale = miss->has_stale && core->config.stale_on_error;
    } else {
      accel_stats_add(core->stats, ACCEL_COUNT_load_shared, 1);
    }
  }
}

/* Another flight may have filled L1 after this read asked it, and before it became the leader. */
static void plan_look_again(core_read_plan *plan)
{
  accel_core *core = plan->core;
  if (core->local == NULL || plan->request.options.skip_local) return;
  for (size_t i = 0; i < plan->misses.count; i++) {
    const core_miss *miss = &plan->misses.items[i];
    if (!miss->is_leader || !miss->flight->is_shared) continue;
    accel_flight *flight = miss->flight;
    const accel_status status =
        core->local_ops->get(core->local, core->type, miss->id.key, miss->id.hash, flight->value);
    if (status != ACCEL_OK && status != ACCEL_NULL) continue;
    accel_local_found found;
    if (core->local_ops->peek(core->local, core->type, miss->id.key, miss->id.hash, NULL, &found) ==
        ACCEL_MISS)
      found.life = accel_core_lifetime(core, core->config.local_ttl_ms); /* evicted since */
    core_note *note = core_note_of(flight);
    note->source = ACCEL_FROM_LOCAL;
    note->lifetime = found.life;
    accel_singleflight_land(&core->flights, flight, status, "");
    accel_singleflight_finish(&core->flights, flight);
  }
}

static size_t plan_collect_leads(const core_read_plan *plan, accel_flight **flights)
{
  size_t leads = 0;
  for (size_t i = 0; i < plan->misses.count; i++) {
    const core_miss *miss = &plan->misses.items[i];
    if (miss->flight != NULL && miss->is_leader && !miss->flight->is_landed)
      flights[leads++] = miss->flight;
  }
  return leads;
}

static void plan_give_up(core_read_plan *plan, size_t leads)
{
  for (size_t i = 0; i < leads; i++) {
    accel_singleflight_land(&plan->core->flights, plan->misses.leads[i], ACCEL_MISS, "");
    accel_singleflight_finish(&plan->core->flights, plan->misses.leads[i]);
  }
}

static bool plan_open(core_read_misses *misses, size_t count)
{
  misses->items = &misses->one_item;
  misses->of_key = &misses->one_of_key;
  misses->leads = &misses->one_lead;
  if (count == 1) return true;
  const size_t each = sizeof *misses->items + sizeof *misses->leads + sizeof *misses->of_key;
  if (count > SIZE_MAX / each) return false;
  misses->memory = ACCEL_MALLOC(count * each);
  if (misses->memory == NULL) return false;
  misses->items = (core_miss *)misses->memory;
  misses->leads = (accel_flight **)(void *)(misses->items + count);
  misses->of_key = (size_t *)(void *)(misses->leads + count);
  return true;
}

/* A caller that loads the values itself asks for their leases before it begins. */
static size_t plan_lease(core_read_plan *plan, size_t leads)
{
  accel_core *core = plan->core;
  const size_t ready = accel_core_lease(core, plan->misses.leads, leads);
  plan->load_options.is_leased = true;
  return ready + accel_core_lease_wait(core, plan->misses.leads + ready, leads - ready,
                                       plan->load_options.errors);
}

bool accel_core_plan_begin(core_read_plan *plan)
{
  accel_core *core = plan->core;
  if (!plan_open(&plan->misses, plan->request.count)) {
    plan->outcome.failure =
        accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory to read %zu keys of area %s",
                        plan->request.count, core->area);
    return false;
  }
  plan_read_local(plan);
  plan->outcome.is_reported =
      !plan->request.is_part && (plan->misses.count > 0 || core->config.trace_hits);
  if (plan->outcome.is_reported)
    plan->outcome.report =
        accel_core_report_begin(core, plan->request.operation, plan->request.count);
  if (plan->request.count == 1) plan->outcome.report.key = plan->request.keys;
  if (plan->misses.count == 0 || (!accel_core_plan_can_load(plan) && !plan_has_remote(plan)))
    return false;
  plan->begun_ns = accel_latencies_begin(core->latencies);
  plan_merge_duplicates(plan);
  plan_answer_stale(plan);
  plan_join(plan);
  plan_look_again(plan);
  size_t leads = plan_collect_leads(plan, plan->misses.leads);
  if (leads > 0 && plan_has_remote(plan)) {
    const core_remote_read read = {.errors = plan->load_options.errors};
    accel_core_remote_get(core, plan->misses.leads, leads, &read);
    leads = plan_collect_leads(plan, plan->misses.leads);
    if (plan->is_loaded_by_caller) leads = plan_lease(plan, leads);
  }
  if (!accel_core_plan_can_load(plan)) {
    plan_give_up(plan, leads);
    leads = 0;
  }
  plan->misses.lead_count = leads;
  return leads > 0;
}

void accel_core_plan_load(core_read_plan *plan)
{
  accel_core_load(plan->core, plan->misses.leads, plan->misses.lead_count, &plan->load_options);
}

/* cache_open.c: makes an open cache, gives it loaders, and ends it (layer 4). */
#include "cache_core.h"
#include "cache_events.h"
#include "cache_hot.h"
#include "cache_observe.h"
#include "cache_renew.h"
#include "cache_repair.h"
#include "cache_report.h"
#include "hot.h"
#include "platform/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- open ---- */

static accel_status core_check_pair(const accel_cache *cache, bool has_first, bool has_second,
                                    const char *first, const char *second)
{
  if (has_first == has_second) return ACCEL_OK;
  return accel_error_set(cache, ACCEL_ERR_CONFIG, "the trait .%s is given, but .%s is not",
                         has_first ? first : second, has_first ? second : first);
}

static accel_status core_check_traits(const accel_cache *cache, const accel_type *type,
                                      const accel_traits *traits)
{
  accel_status status =
      core_check_pair(cache, traits->has_hash, traits->has_equal, "hash", "equal");
  if (status == ACCEL_OK)
    status = core_check_pair(cache, traits->has_copy, traits->has_drop, "copy", "drop");
  if (status == ACCEL_OK)
    status = core_check_pair(cache, traits->has_key_text, traits->has_key_parse, "key_text",
                             "key_parse");
  if (status != ACCEL_OK || traits->remote == NULL) return status;
  if (type->key_kind == ACCEL_KEY_STRUCT && !traits->has_key_text)
    return accel_error_set(
        cache, ACCEL_ERR_CONFIG,
        "struct keys with the trait .remote need the traits .key_text and .key_parse");
  if (traits->has_copy && traits->codec == NULL)
    return accel_error_set(
        cache, ACCEL_ERR_CONFIG,
        "values with .copy and .drop and the trait .remote need the trait .codec");
  return ACCEL_OK;
}

static void core_copy_config(accel_core *core)
{
  accel_config *config = &core->config;
  snprintf(core->area, sizeof core->area, "%s", config->area);
  config->area = core->area;
  if (config->clock != NULL) {
    core->clock = *config->clock;
    config->clock = &core->clock;
  }
  if (config->spans != NULL) {
    core->spans = *config->spans;
    config->spans = &core->spans;
  }
  core->has_report = config->log != NULL || config->spans != NULL;
}

static accel_status core_open_local(accel_core *core)
{
  if (core->config.mode == ACCEL_REMOTE) return ACCEL_OK;
  accel_local_config config;
  config.type = core->type;
  config.owner = core->cache;
  config.clock = core->config.clock;
  config.capacity = core->config.capacity;
  config.max_weight = core->config.max_weight;
  config.seed = core->seed;
  config.refresh_window_ms = core->refresh_window_ms;
  config.area = core->area;
  core->local_ops = core->traits.local == NULL ? &accel_flat_ops : core->traits.local;
  return core->local_ops->open(&config, &core->local);
}

static accel_status core_attach(accel_core *core)
{
  if (core->config.mode == ACCEL_LOCAL) return ACCEL_OK;
  const accel_remote_area area = accel_core_remote_area(core);
  core->remote_ops = core->traits.remote;
  if (!accel_core_repair_open(core)) return ACCEL_ERR_NOMEM;
  core->has_listener = area.has_listener;
  core->has_leases = core->remote_ops->lease != NULL && !core->config.no_lease;
  if (!accel_core_renew_open(core)) return ACCEL_ERR_NOMEM;
  const accel_config *config = &core->config;
  if (config->log != NULL &&
      !accel_journal_open(&core->journal, config->log, config->log_ctx, core->area))
    return ACCEL_ERR_NOMEM;
  return core->remote_ops->attach(core->config.remote, &area, &core->link, core->channel);
}

/* Every call of the child takes the cold way, where it is refused before any lock is looked at. */
static void core_fork_child(void *core_pointer)
{
  accel_core *core = (accel_core *)core_pointer;
  core->is_foreign = true;
  core->cache->is_alone = false;
  accel_store_relaxed(&core->cache->local, (accel_local *)NULL);
  if (core->local != NULL) core->local_ops->expire_all(core->local);
}

static accel_status core_open_executor(accel_core *core)
{
  core->executor = core->config.executor;
  if (core->executor != NULL && !accel_executor_is_open(core->executor))
    return accel_error_set(core->cache, ACCEL_ERR_CONFIG,
                           "executor is not an open accel_executor; open it first");
  if (core->executor == NULL)
    core->executor = core->common_executor = accel_executor_common_acquire();
  if (core->executor != NULL) core->share = accel_executor_share_new();
  return core->share == NULL ? ACCEL_ERR_NOMEM : ACCEL_OK;
}

static void core_close_executor(accel_core *core)
{
  accel_executor_share_close(core->executor, core->share);
  accel_executor_common_release(core->common_executor);
}

static bool core_open_locks(accel_core *core)
{
  if (!accel_mutex_open(&core->work_mutex)) return false;
  if (!accel_condition_open(&core->work_done)) goto fail_condition;
  if (!accel_condition_open(&core->lease_changed)) goto fail_lease;
  if (!accel_singleflight_open(&core->flights, core->type, sizeof(core_note))) goto fail_flights;
  core->has_locks = true;
  return true;

fail_flights:
  accel_condition_close(&core->lease_changed);
fail_lease:
  accel_condition_close(&core->work_done);
fail_condition:
  accel_mutex_close(&core->work_mutex);
  return false;
}

/* Releases whatever was opened; what was not is zero. A child leaves locks alone that its parent's
 * threads may hold. */
static void core_release(accel_core *core)
{
  const bool is_child = core->is_foreign;
  if (core->has_fork_handler) accel_fork_unregister(&core->fork_handler);
  accel_core_renew_close(core);
  accel_core_observe_end(core); /* once nothing is timed any more */
  accel_opened_remove(&core->opened);
  if (core->link != NULL) core->remote_ops->detach(core->link);
  (is_child ? accel_journal_abandon : accel_journal_close)(&core->journal);
  core_close_executor(core);
  if (core->local != NULL) core->local_ops->close(core->local, core->type);
  accel_core_repair_close(core, is_child);
  accel_throttle_close(&core->throttle);
  if (core->has_locks && !is_child) {
    accel_singleflight_close(&core->flights);
    accel_condition_close(&core->lease_changed);
    accel_condition_close(&core->work_done);
    accel_mutex_close(&core->work_mutex);
  }
  accel_hot_close(core->hot, is_child);
  accel_stats_close(core->stats);
  accel_core_observe_release(core);
  ACCEL_FREE(core);
  accel_object_release();
}

/* Keeps a text that says more, set since the mark. */
static accel_status core_no_memory(const accel_core *core, uint64_t mark)
{
  if (accel_error_since(mark, ACCEL_ERR_NOMEM)[0] != 0) return ACCEL_ERR_NOMEM;
  return accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory to open the cache of area %s",
                         core->area);
}

static accel_status core_open_parts(accel_core *core)
{
  const uint64_t mark = accel_error_mark();
  uint64_t random[2];
  if (!accel_random_bytes(random, sizeof random) ||
      !accel_invalidation_open(&core->invalidation, core->area))
    return accel_error_set(core->cache, ACCEL_ERR_CONFIG,
                           "no random numbers for the cache of area %s: getrandom failed",
                           core->area);
  core->seed = random[0];
  core->random = random[1];
  core->jitter_seed = random[1];
  core->refresh_window_ms = accel_refresh_window(&core->config);
  core->jitter_ratio = accel_ttl_ratio(core->config.ttl_jitter_ratio);
  core->fork_generation = accel_fork_generation();
  const bool is_sampled = core->config.hot_keys > 0 || ACCEL_HAS_PROBES;
  core->stats = accel_stats_open(is_sampled ? ACCEL_HOT_GAP : 0);
  core->channel_changed_ms = accel_clock_wall_ms();
  if (!core->config.no_histograms) core->latencies = accel_latencies_open();
  if (core->stats == NULL || (core->latencies == NULL && !core->config.no_histograms) ||
      !accel_core_hot_open(core) || !core_open_locks(core) || !accel_throttle_open(&core->throttle))
    return core_no_memory(core, mark);
  accel_status status = core_open_local(core);
  if (status == ACCEL_OK) status = core_open_executor(core);
  if (status == ACCEL_ERR_NOMEM) return core_no_memory(core, mark);
  if (status != ACCEL_OK) return status;
  core->fork_handler.child = core_fork_child;
  core->fork_handler.ctx = core;
  core->has_fork_handler = accel_fork_register(&core->fork_handler);
  if (!core->has_fork_handler) return core_no_memory(core, mark);
  status = core_attach(core); /* last: from here on messages arrive */
  if (status == ACCEL_OK) status = accel_core_observe_begin(core);
  if (status == ACCEL_ERR_NOMEM) return core_no_memory(core, mark);
  if (accel_status_checked(status) == status) return status;
  return accel_error_set(core->cache, ACCEL_ERR_BACKEND,
                         "the attach of %s returned %d, which is no accel_status",
                         core->remote_ops->name, (int)status);
}

static bool core_has_cancel_points(const accel_core *core)
{
  const accel_traits *traits = &core->traits;
  const bool is_plain = !traits->has_hash && !traits->has_equal && !traits->has_copy &&
                        !traits->has_drop && !traits->has_weigh;
  return core->link != NULL || core->has_report || core->config.clock != NULL || !is_plain ||
         (core->local != NULL && core->local_ops != &accel_flat_ops);
}

/* A cache that was never opened may hold any bytes, so its address is looked up instead. */
static const char core_opened_kind;

/* A loader that is set before open would be forgotten. The cache it was meant for, or NULL. */
static const accel_cache *core_loader_too_early; /* atomic */

/* Zeroes a cache that is to be opened. CONFIG: it is open and stays so, or was given a loader while
 * it was not open. Reads no byte of it. */
static accel_status core_begin_open(accel_cache *cache)
{
  if (cache == NULL) return accel_error_set(NULL, ACCEL_ERR_CONFIG, "cache is NULL");
  if (accel_opened_find(cache, &core_opened_kind) == ACCEL_OPENED_BY_US)
    return accel_error_set(cache, ACCEL_ERR_CONFIG,
                           "the cache is open already, and stays open; close it first");
  memset(cache, 0, sizeof *cache);
  if (accel_load_relaxed(&core_loader_too_early) != cache) return ACCEL_OK;
  accel_store_relaxed(&core_loader_too_early, (const accel_cache *)NULL);
  return accel_error_set(cache, ACCEL_ERR_CONFIG,
                         "a loader was set before the cache was open; open the cache first");
}

accel_status accel_cache_open(accel_cache *cache, const accel_type *type,
                              const accel_config *config)
{
  accel_status status = core_begin_open(cache);
  if (status != ACCEL_OK) return status;
  const accel_traits traits = type->traits();
  const accel_config_facts facts = {traits.remote != NULL, traits.has_weigh};
  accel_config resolved;
  status = accel_config_resolve(cache, config, &facts, &resolved);
  if (status == ACCEL_OK) status = core_check_traits(cache, type, &traits);
  if (status != ACCEL_OK) return status;

  accel_core *core = (accel_core *)ACCEL_MALLOC(sizeof *core);
  if (core == NULL)
    return accel_error_set(cache, ACCEL_ERR_NOMEM, "no memory to open the cache of area %s",
                           resolved.area);
  memset(core, 0, sizeof *core);
  accel_object_hold();
  core->cache = cache;
  core->type = type;
  core->traits = traits;
  core->config = resolved;
  core->capacity = resolved.capacity;
  core_copy_config(core);
  accel_cancel_hold();
  status = core_open_parts(core);
  if (status != ACCEL_OK) core_release(core);
  accel_cancel_release();
  if (status != ACCEL_OK) return status;
  core->has_cancel_points = core_has_cancel_points(core);
  accel_opened_add(&core->opened, cache, &core_opened_kind);
  cache->core = core;
  cache->seed = core->seed;
  cache->stats = core->stats;
  cache->local = core->config.trace_hits && core->has_report ? NULL : core->local;
  cache->is_alone = accel_core_is_alone(core);
  return ACCEL_OK;
}

/* ---- loaders ---- */

/* The core of the cache that gets a loader. NULL: it is not open, and open will refuse it once. */
static accel_core *core_to_be_loaded(accel_cache *cache)
{
  accel_status status;
  if (cache == NULL || accel_opened_find(cache, &core_opened_kind) != ACCEL_OPENED_BY_NOBODY)
    return accel_core_of(cache, &status);
  accel_store_relaxed(&core_loader_too_early, (const accel_cache *)cache);
  accel_error_set(cache, ACCEL_ERR_CLOSED, "the cache is not open; a loader is set after open");
  return NULL;
}

void accel_cache_set_loader(accel_cache *cache, const accel_type *type, accel_fn *load, void *ctx)
{
  (void)type;
  accel_core *core = core_to_be_loaded(cache);
  if (core == NULL) return;
  core->load = load;
  core->load_ctx = ctx;
  cache->is_alone = accel_core_is_alone(core);
}

void accel_cache_set_mloader(accel_cache *cache, const accel_type *type, accel_fn *mload, void *ctx)
{
  (void)type;
  accel_core *core = core_to_be_loaded(cache);
  if (core == NULL) return;
  core->mload = mload;
  core->mload_ctx = ctx;
  cache->is_alone = accel_core_is_alone(core);
}

/* ---- close ---- */

/* Under the mutex that guards `pending`: what is submitted from here on is refused, and what was
 * before is waited for. */
static void core_begin_close(accel_core *core)
{
  accel_mutex_lock(&core->work_mutex);
  accel_store_release(&core->is_closing, true); /* a running loader may still ask the cache */
  accel_mutex_unlock(&core->work_mutex);
}

/* Runs what is queued, dels and repairs, so that it waits for no other cache's work. Loads are
 * for nobody any more. */
static void core_run_rest(accel_core *core, uint64_t deadline_ms)
{
  accel_executor_hasten_share(core->executor, core->share);
  do {
    accel_job *job = accel_executor_take(core->executor, core->share);
    if (job == NULL) return;
    (job->drop == NULL ? job->run : job->drop)(job);
  } while (accel_clock_monotonic_ms() < deadline_ms);
}

static bool core_wait_for_work(accel_core *core, uint64_t deadline_ms)
{
  if (core->is_foreign) return true;
  core_begin_close(core);
  core_run_rest(core, deadline_ms);
  accel_mutex_lock(&core->work_mutex);
  while (core->pending > 0 &&
         accel_condition_wait(&core->work_done, &core->work_mutex, deadline_ms)) {}
  const bool is_done = core->pending == 0;
  accel_mutex_unlock(&core->work_mutex);
  return is_done && accel_journal_drain(&core->journal, deadline_ms);
}

/* What still asks the cache takes the cold way. The log may be about to: hits are not prepared for
 * a change under their hands. False: it was still in a call at the deadline. */
static bool core_retire_local(accel_cache *cache, uint64_t deadline_ms)
{
  accel_core *core = cache->core;
  const bool is_child = core->is_foreign;
  if (!is_child && !accel_journal_hold(&core->journal, deadline_ms)) return false;
  accel_store_relaxed(&cache->local, (accel_local *)NULL); /* a running loader may still look */
  if (!is_child) accel_journal_release(&core->journal);
  return true;
}

/* The calling thread is in code of the user's that the cache called, and returns into the cache. */
static bool core_is_used_here(const accel_core *core)
{
  return accel_singleflight_is_used_here(&core->flights) || accel_core_report_is_used_here(core) ||
         accel_journal_runs_here(&core->journal);
}

static accel_status core_refuse_close(accel_core *core)
{
  const core_report report = accel_core_report_begin(core, CORE_OPERATION_CLOSE, 0);
  const accel_status status = accel_error_set(
      core->cache, ACCEL_ERR_CONFIG,
      "the cache of area %s was not closed: a loader, a wrapper's body, a codec, a log or a span "
      "of it must not close it; close it once they have returned",
      core->area);
  return accel_core_report_end(core, &report, status, CORE_RESULT_DONE);
}

static accel_status core_close_held(accel_cache *cache, uint64_t deadline_ms)
{
  if (cache == NULL || cache->core == NULL) return ACCEL_OK;
  accel_core *core = cache->core;
  if (!core->is_foreign && core_is_used_here(core)) return core_refuse_close(core);
  if (!core_retire_local(cache, deadline_ms) || !core_wait_for_work(core, deadline_ms))
    return accel_error_set(
        cache, ACCEL_ERR_TIMEOUT,
        "the cache of area %s is still loading, or its log has not returned; close it again later",
        core->area);
  memset(cache, 0, sizeof *cache);
  core_release(core);
  return ACCEL_OK;
}

static accel_status core_close(accel_cache *cache, uint64_t deadline_ms)
{
  accel_cancel_hold();
  const accel_status status = core_close_held(cache, deadline_ms);
  accel_cancel_release();
  return status;
}

void accel_cache_close(accel_cache *cache, const accel_type *type)
{
  (void)type;
  core_close(cache, ACCEL_NO_DEADLINE);
}

accel_status accel_cache_close_within(accel_cache *cache, const accel_type *type, uint32_t ms)
{
  (void)type;
  return core_close(cache, accel_clock_deadline(ms));
}

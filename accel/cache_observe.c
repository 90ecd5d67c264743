#include "cache_observe.h"

#include "cache_hot.h"
#include "executor_share.h"

#include <string.h>

/* Shows what is constant, for the first cache of its area. */
static void observe_identity(const accel_core *core, accel_observed_cache *line)
{
  line->mode = accel_mode_name(core->config.mode);
  line->engine = core->local == NULL ? "" : core->local_ops->name;
  line->config = core->config;
}

static void observe_local(accel_core *core, accel_observed_cache *line)
{
  if (core->local == NULL) return;
  accel_local_stats local;
  core->local_ops->stats(core->local, &local);
  if (line->instances == 1) line->policy = local.policy;
  line->has_local = true;
  accel_observed_add_gauge(line, ACCEL_GAUGE_entries, local.entries);
  accel_observed_add_gauge(line, ACCEL_GAUGE_capacity, accel_load_relaxed(&core->capacity));
  accel_observed_add_gauge(line, ACCEL_GAUGE_weight, local.weight);
  accel_observed_add_gauge(line, ACCEL_GAUGE_max_weight, core->config.max_weight);
  accel_observed_add_gauge(line, ACCEL_GAUGE_memory_bytes, local.memory_bytes);
}

static void observe_channel(accel_core *core, accel_observed_cache *line, uint64_t now_ms)
{
  if (!core->has_listener) return;
  const bool is_up = accel_load_acquire(&core->is_channel_reported);
  const uint64_t changed_ms = accel_load_relaxed(&core->channel_changed_ms);
  line->has_channel = true;
  if (changed_ms > line->channel_changed_ms) line->channel_changed_ms = changed_ms;
  accel_observed_add_gauge(line, ACCEL_GAUGE_channel_up, is_up);
  accel_observed_add_gauge(line, ACCEL_GAUGE_degraded, accel_core_is_degraded(core));
  if (is_up) return;
  char why[160];
  why[0] = '\0';
  if (core->remote_ops->explain_channel != NULL) core->remote_ops->explain_channel(core->link, why);
  const uint64_t down_ms = now_ms > changed_ms ? now_ms - changed_ms : 0;
  accel_observed_add_reason(line, ACCEL_HEALTH_DEGRADED, "the channel has been down for %llu s%s%s",
                            (unsigned long long)(down_ms / 1000), why[0] == '\0' ? "" : ": ", why);
}

static void observe_remote(accel_core *core, accel_observed_cache *line)
{
  if (core->link == NULL) return;
  const bool is_ready = core->remote_ops->is_ready(core->link);
  const size_t repairs = accel_repair_length(&core->repair);
  line->has_remote = true;
  accel_observed_add_gauge(line, ACCEL_GAUGE_remote_ready, is_ready);
  accel_observed_add_gauge(line, ACCEL_GAUGE_repairs, repairs);
  if (!is_ready)
    accel_observed_add_reason(line, ACCEL_HEALTH_DEGRADED,
                              "L2 does not answer: reads go to the source");
  if (repairs > 0)
    accel_observed_add_reason(line, ACCEL_HEALTH_DEGRADED,
                              "L2 did not confirm the last write of %zu keys: a repair is due",
                              repairs);
}

static bool observe_show(void *core_pointer, accel_observation *observation,
                         accel_observed_cache *line)
{
  accel_core *core = (accel_core *)core_pointer;
  if (line->instances == 1) observe_identity(core, line);
  uint64_t counters[ACCEL_COUNTERS];
  accel_core_counters(core, counters);
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) line->counters[i] += counters[i];
  observe_local(core, line);
  observe_remote(core, line);
  observe_channel(core, line, observation->time_ms);
  accel_observed_add_gauge(line, ACCEL_GAUGE_loads_running,
                           accel_singleflight_length(&core->flights));
  accel_observed_add_gauge(line, ACCEL_GAUGE_executor_queue,
                           accel_executor_share_length(core->executor, core->share));
  if (accel_load_acquire(&core->is_closing))
    accel_observed_add_reason(line, ACCEL_HEALTH_FAILED, "the cache is closing");
  if (observation->has_hot_keys && !accel_core_hot_observe(core, observation->shows_keys, line))
    return false;
  return core->latencies == NULL || accel_observed_add_latencies(line, core->latencies);
}

accel_status accel_core_observe_begin(accel_core *core)
{
  if (core->config.observer == NULL) return ACCEL_OK;
  core->member.observe = observe_show;
  core->member.ctx = core;
  return accel_observer_join(core->config.observer, &core->member, core->area, core->cache);
}

void accel_core_observe_end(accel_core *core)
{
  accel_observer_last last = {{0}, core->latencies};
  if (core->stats != NULL) accel_core_counters(core, last.counters);
  accel_observer_leave(&core->member, &last);
  core->latencies = NULL; /* until then they may be shown */
}

void accel_core_observe_release(accel_core *core)
{
  accel_observer_release(&core->member);
}

void accel_core_note_error(const accel_core *core, const char *text)
{
  accel_observer_note_error(&core->member, core->area, text);
}

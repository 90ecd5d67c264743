#include "cache_core.h"

#include <string.h>

void accel_core_report_start(const accel_core *core, core_report *report)
{
  report->started_ns = accel_clock_monotonic_ns();
  if (core->spans.begin != NULL)
    report->span = core->spans.begin(core->spans.ctx, report->name, core->area);
}

accel_status accel_core_report_tell(const accel_core *core, const core_report *report,
                                    accel_status status, const char *result)
{
  if (core->spans.end != NULL) core->spans.end(core->spans.ctx, report->span, status);
  if (core->config.log == NULL) return status;
  const bool has_failed = accel_failed(status);
  const uint64_t taken_ns = accel_clock_monotonic_ns() - report->started_ns;
  accel_log_record record;
  record.area = core->area;
  record.op = report->name + sizeof "cache." - 1;
  record.result = has_failed ? "error" : result;
  record.latency_ms = (double)taken_ns / 1e6;
  record.error_kind = has_failed ? accel_status_name(status) : "";
  record.message = has_failed ? accel_error_text(core->cache) : "";
  core->config.log(core->config.log_ctx, &record);
  return status;
}

const char *accel_core_found(accel_status status)
{
  return status == ACCEL_OK ? "ok_some" : "ok_none";
}

/* ---- snapshots ---- */

void accel_cache_metrics_snapshot(const accel_cache *cache, accel_metrics *out)
{
  if (out == NULL) return;
  memset(out, 0, sizeof *out);
  if (cache != NULL && cache->core != NULL) accel_stats_snapshot(cache->core->stats, out);
}

size_t accel_cache_otel_metric_points(const accel_cache *cache, accel_otel_point *points,
                                      size_t capacity)
{
  if (cache == NULL || cache->core == NULL) return 0;
  return accel_stats_points(cache->core->stats, cache->core->area, points,
                            points == NULL ? 0 : capacity);
}

static void report_local(accel_core *core, accel_diagnostic *out)
{
  out->local_ready = core->local != NULL;
  if (core->local == NULL) return;
  accel_local_stats local;
  core->local_ops->stats(core->local, &local);
  out->entries = local.entries;
  out->weight = local.weight;
  out->memory_bytes = local.memory_bytes;
}

void accel_cache_diagnostic_snapshot(const accel_cache *cache, accel_diagnostic *out)
{
  if (out == NULL) return;
  memset(out, 0, sizeof *out);
  if (cache == NULL || cache->core == NULL) return;
  accel_core *core = cache->core;
  out->config = core->config;
  out->config.capacity = accel_load_relaxed(&core->capacity);
  accel_stats_snapshot(core->stats, &out->metrics);
  if (core->fork_generation != accel_fork_generation()) return; /* levels that are the parent's */
  report_local(core, out);
  out->loader_configured = core->load != NULL || core->mload != NULL;
  out->remote_ready = core->link != NULL && core->remote_ops->is_ready(core->link);
  out->listener_started = core->has_listener;
  out->channel_up = accel_load_acquire(&core->is_channel_up);
  out->degraded = accel_core_is_degraded(core);
  memcpy(out->channel, core->channel, sizeof out->channel);
  if (core->has_listener && core->remote_ops->explain_channel != NULL)
    core->remote_ops->explain_channel(core->link, out->channel_error);
  out->repairs = core->link == NULL ? 0 : accel_repair_length(&core->repair);
}

const char *accel_cache_last_error(const accel_cache *cache)
{
  return accel_error_text(cache);
}

const char *accel_source_name(accel_origin source)
{
  static const char *const names[] = {"none", "local", "remote", "loader"};
  const bool is_defined = (unsigned)source < sizeof names / sizeof names[0];
  return is_defined ? names[source] : "undefined";
}

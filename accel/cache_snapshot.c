/* cache_snapshot.c: what users see of a cache: counters, state, the last error (layer 4). */
#include "cache_core.h"

#include <string.h>

void accel_cache_metrics_snapshot(const accel_cache *cache, accel_metrics *out)
{
  if (out == NULL) return;
  memset(out, 0, sizeof *out);
  if (cache == NULL || cache->core == NULL) return;
  uint64_t values[ACCEL_COUNTERS];
  accel_core_counters(cache->core, values);
  accel_stats_metrics(values, out);
}

size_t accel_cache_otel_metric_points(const accel_cache *cache, accel_otel_point *points,
                                      size_t capacity)
{
  if (cache == NULL || cache->core == NULL) return 0;
  uint64_t values[ACCEL_COUNTERS];
  accel_core_counters(cache->core, values);
  return accel_stats_points(values, cache->core->area, points, points == NULL ? 0 : capacity);
}

static void snapshot_local(accel_core *core, accel_diagnostic *out)
{
  out->local_ready = core->local != NULL;
  if (core->local == NULL) return;
  accel_local_stats local;
  core->local_ops->stats(core->local, &local);
  out->entries = local.entries;
  out->weight = local.weight;
  out->memory_bytes = local.memory_bytes;
}

static void snapshot_latency(const accel_latencies *latencies, accel_timed first, accel_timed last,
                             accel_latency *out)
{
  accel_histogram sum;
  accel_latencies_sum(latencies, first, last, &sum);
  accel_histogram_summarize(&sum, out);
}

static void snapshot_latencies(const accel_core *core, accel_diagnostic *out)
{
  const accel_latencies *latencies = core->latencies;
  if (latencies == NULL) return;
  snapshot_latency(latencies, ACCEL_TIMED_load, ACCEL_TIMED_load, &out->load);
  snapshot_latency(latencies, ACCEL_TIMED_get, ACCEL_TIMED_clear, &out->remote);
  snapshot_latency(latencies, ACCEL_TIMED_wait_flight, ACCEL_TIMED_wait_lease, &out->wait);
  snapshot_latency(latencies, ACCEL_TIMED_read, ACCEL_TIMED_read, &out->read);
}

void accel_cache_diagnostic_snapshot(const accel_cache *cache, accel_diagnostic *out)
{
  if (out == NULL) return;
  memset(out, 0, sizeof *out);
  if (cache == NULL || cache->core == NULL) return;
  accel_core *core = cache->core;
  out->config = core->config;
  out->config.capacity = accel_load_relaxed(&core->capacity);
  accel_cache_metrics_snapshot(cache, &out->metrics);
  snapshot_latencies(core, out);
  if (core->is_foreign) return; /* levels that are the parent's */
  snapshot_local(core, out);
  out->loader_configured = core->load != NULL || core->mload != NULL;
  out->remote_ready = core->link != NULL && core->remote_ops->is_ready(core->link);
  out->listener_started = core->has_listener;
  out->channel_up = accel_load_acquire(&core->is_channel_reported);
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

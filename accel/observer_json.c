/* observer_json.c: an observation as JSON, for the live page and for tools (layer 2). */
#include "observer_output.h"

#include "config_show.h"
#include "platform/system.h"

#include <string.h>

/* ---- parts of any object: a name with its quotes and colon, then the value ---- */

static void json_name(accel_observer_text *out, const char *name)
{
  accel_observer_text_bytes(out, "\"", 1); /* names are ours: nothing is to be escaped */
  accel_observer_text_string(out, name);
  accel_observer_text_bytes(out, "\":", 2);
}

static void json_comma(accel_observer_text *out)
{
  accel_observer_text_bytes(out, ",", 1);
}

/* Before an element that is not the first. */
static void json_next(accel_observer_text *out, size_t index)
{
  if (index > 0) json_comma(out);
}

static void json_number(accel_observer_text *out, const char *name, uint64_t number)
{
  json_name(out, name);
  accel_observer_text_number(out, number);
}

static void json_double(accel_observer_text *out, const char *name, double number)
{
  json_name(out, name);
  accel_observer_text_double(out, number);
}

static void json_text(accel_observer_text *out, const char *name, const char *text)
{
  json_name(out, name);
  accel_observer_text_json(out, text);
}

/* ---- one cache ---- */

#define JSON_FIELD(field_, metric_, unit_, help_) #field_,
static const char *const json_counters[ACCEL_COUNTERS] = {ACCEL_COUNTER_LIST_(JSON_FIELD)};

static void json_metrics(accel_observer_text *out, const accel_observed_cache *line)
{
  json_name(out, "metrics");
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) {
    accel_observer_text_bytes(out, i == 0 ? "{" : ",", 1);
    json_number(out, json_counters[i], line->counters[i]);
  }
  accel_observer_text_bytes(out, "}", 1);
}

static void json_gauge(accel_observer_text *out, const accel_observed_cache *line,
                       accel_gauge gauge)
{
  const uint64_t value = line->gauges[gauge];
  json_name(out, accel_observed_gauge_field(gauge));
  if (!accel_observed_has_gauge(line, gauge))
    accel_observer_text_string(out, "null");
  else if (accel_observed_gauge_is_flag(gauge))
    accel_observer_text_string(out, value != 0 ? "true" : "false");
  else
    accel_observer_text_number(out, value);
}

static void json_gauges(accel_observer_text *out, const accel_observed_cache *line)
{
  json_name(out, "gauges");
  for (size_t i = 0; i < ACCEL_GAUGES; i++) {
    accel_observer_text_bytes(out, i == 0 ? "{" : ",", 1);
    json_gauge(out, line, (accel_gauge)i);
  }
  accel_observer_text_bytes(out, "}", 1);
}

static void json_latency(accel_observer_text *out, const char *name,
                         const accel_histogram *histogram)
{
  accel_latency latency;
  accel_histogram_summarize(histogram, &latency);
  json_name(out, name);
  accel_observer_text_bytes(out, "{", 1);
  json_number(out, "count", latency.count);
  json_comma(out);
  json_double(out, "mean_ms", latency.mean_ms);
  json_comma(out);
  json_double(out, "p50_ms", latency.p50_ms);
  json_comma(out);
  json_double(out, "p95_ms", latency.p95_ms);
  json_comma(out);
  json_double(out, "p99_ms", latency.p99_ms);
  json_comma(out);
  json_double(out, "max_ms", latency.max_ms);
  accel_observer_text_bytes(out, "}", 1);
}

static void json_latency_of(accel_observer_text *out, const char *name,
                            const accel_latencies *latencies, accel_timed first, accel_timed last)
{
  accel_histogram sum;
  accel_latencies_sum(latencies, first, last, &sum);
  json_latency(out, name, &sum);
}

/* Empty objects if the caches time nothing. */
static void json_latencies(accel_observer_text *out, const accel_observed_cache *line)
{
  const accel_latencies *latencies = line->latencies;
  json_name(out, "latencies");
  accel_observer_text_bytes(out, "{", 1);
  if (latencies != NULL) {
    json_latency_of(out, "load", latencies, ACCEL_TIMED_load, ACCEL_TIMED_load);
    json_comma(out);
    json_latency_of(out, "remote", latencies, ACCEL_TIMED_get, ACCEL_TIMED_clear);
    json_comma(out);
    json_latency_of(out, "wait", latencies, ACCEL_TIMED_wait_flight, ACCEL_TIMED_wait_lease);
    json_comma(out);
    json_latency_of(out, "read", latencies, ACCEL_TIMED_read, ACCEL_TIMED_read);
  }
  accel_observer_text_string(out, "},\"remote_ops\":{");
  static const char *const names[] = {"get", "lease", "fill", "put", "del", "clear"};
  const bool has_times = accel_observed_has_timed(line, ACCEL_TIMED_get);
  for (size_t i = 0; has_times && i < sizeof names / sizeof names[0]; i++) {
    json_next(out, i);
    json_latency(out, names[i], &latencies->histograms[ACCEL_TIMED_get + i]);
  }
  accel_observer_text_bytes(out, "}", 1);
}

static void json_hot_keys(accel_observer_text *out, const accel_observed_cache *line)
{
  json_name(out, "hot_keys");
  accel_observer_text_bytes(out, "[", 1);
  for (size_t i = 0; i < line->hot_key_count; i++) {
    const accel_observed_hot_key *hot_key = &line->hot_keys[i];
    json_next(out, i);
    accel_observer_text_bytes(out, "{", 1);
    json_text(out, "key", hot_key->key);
    json_comma(out);
    json_double(out, "reads_per_s", hot_key->reads_per_s);
    json_comma(out);
    json_number(out, "at_least", hot_key->at_least);
    accel_observer_text_bytes(out, "}", 1);
  }
  accel_observer_text_bytes(out, "]", 1);
}

static void json_config(accel_observer_text *out, const accel_observed_cache *line)
{
  accel_config_text field;
  json_name(out, "config");
  accel_observer_text_bytes(out, "[", 1);
  for (size_t i = 0; accel_config_show(&line->config, line->area, i, &field); i++) {
    json_next(out, i);
    accel_observer_text_bytes(out, "{", 1);
    json_text(out, "name", field.name);
    json_comma(out);
    json_text(out, "value", field.value);
    json_comma(out);
    json_text(out, "default", field.when_zero);
    accel_observer_text_bytes(out, "}", 1);
  }
  accel_observer_text_bytes(out, "]", 1);
}

static void json_health(accel_observer_text *out, const accel_observed_cache *line)
{
  json_text(out, "health", accel_health_name(line->health));
  json_comma(out);
  json_name(out, "reasons");
  accel_observer_text_bytes(out, "[", 1);
  for (size_t i = 0; i < line->reason_count; i++) {
    json_next(out, i);
    accel_observer_text_json(out, line->reasons[i]);
  }
  accel_observer_text_bytes(out, "]", 1);
}

static void json_cache(accel_observer_text *out, const accel_observed_cache *line)
{
  accel_observer_text_bytes(out, "{", 1);
  json_text(out, "area", line->area);
  json_comma(out);
  json_number(out, "instances", line->instances);
  json_comma(out);
  json_text(out, "mode", line->mode);
  json_comma(out);
  json_text(out, "engine", line->engine);
  json_comma(out);
  json_text(out, "policy", line->policy);
  json_comma(out);
  json_number(out, "started_ms", line->started_ms);
  json_comma(out);
  json_health(out, line);
  json_comma(out);
  json_metrics(out, line);
  json_comma(out);
  json_gauges(out, line);
  json_comma(out);
  json_number(out, "channel_changed_ms", line->channel_changed_ms);
  json_comma(out);
  json_latencies(out, line);
  json_comma(out);
  json_hot_keys(out, line);
  json_comma(out);
  json_config(out, line);
  accel_observer_text_bytes(out, "}", 1);
}

/* ---- servers, errors ---- */

static void json_endpoint(accel_observer_text *out, const accel_observed_endpoint *endpoint)
{
  accel_observer_text_bytes(out, "{", 1);
  json_text(out, "endpoint", endpoint->endpoint);
  accel_observer_text_string(out, ",\"connections\":{");
  json_number(out, "ready", endpoint->ready);
  json_comma(out);
  json_number(out, "connecting", endpoint->connecting);
  json_comma(out);
  json_number(out, "down", endpoint->down);
  accel_observer_text_string(out, "},");
  json_text(out, "breaker", endpoint->breaker);
  json_comma(out);
  json_number(out, "in_flight", endpoint->in_flight);
  json_comma(out);
  json_number(out, "reconnects", endpoint->reconnects);
  accel_observer_text_bytes(out, "}", 1);
}

static void json_error(accel_observer_text *out, const accel_observed_error *error)
{
  accel_observer_text_bytes(out, "{", 1);
  json_number(out, "time_ms", error->time_ms);
  json_comma(out);
  json_text(out, "area", error->area);
  json_comma(out);
  json_text(out, "text", error->text);
  accel_observer_text_bytes(out, "}", 1);
}

/* ---- everything ---- */

static void json_labels(accel_observer_text *out, const accel_observation *observation)
{
  json_name(out, "labels");
  accel_observer_text_bytes(out, "{", 1);
  for (size_t i = 0; i < observation->label_count; i++) {
    json_next(out, i);
    json_text(out, observation->labels[i].name, observation->labels[i].value);
  }
  accel_observer_text_bytes(out, "}", 1);
}

void accel_observer_show_json(const accel_observation *observation, accel_observer_text *out)
{
  accel_observer_text_bytes(out, "{", 1);
  json_text(out, "accel", ACCEL_VERSION);
  json_comma(out);
  json_number(out, "pid", accel_process_id());
  json_comma(out);
  json_number(out, "time_ms", observation->time_ms);
  json_comma(out);
  json_number(out, "started_ms", observation->started_ms);
  json_comma(out);
  json_text(out, "health", accel_health_name(observation->health));
  json_comma(out);
  json_labels(out, observation);
  accel_observer_text_string(out, ",\"caches\":[");
  for (size_t i = 0; i < observation->cache_count; i++) {
    json_next(out, i);
    json_cache(out, &observation->caches[i]);
  }
  accel_observer_text_string(out, "],\"redis\":[");
  for (size_t i = 0; i < observation->endpoint_count; i++) {
    json_next(out, i);
    json_endpoint(out, &observation->endpoints[i]);
  }
  accel_observer_text_string(out, "],\"errors\":[");
  for (size_t i = 0; i < observation->error_count; i++) {
    json_next(out, i);
    json_error(out, &observation->errors[i]);
  }
  accel_observer_text_string(out, "]}\n");
}

void accel_observer_show_health(const accel_observation *observation, accel_observer_text *out)
{
  accel_observer_text_bytes(out, "{", 1);
  json_text(out, "health", accel_health_name(observation->health));
  accel_observer_text_string(out, ",\"caches\":[");
  for (size_t i = 0; i < observation->cache_count; i++) {
    json_next(out, i);
    accel_observer_text_bytes(out, "{", 1);
    json_text(out, "area", observation->caches[i].area);
    json_comma(out);
    json_health(out, &observation->caches[i]);
    accel_observer_text_bytes(out, "}", 1);
  }
  accel_observer_text_string(out, "]}\n");
}

/* messages_metrics.c: all metrics of an observation, as one request. */
#include "messages.h"

#define METRICS_CUMULATIVE 2u
#define METRICS_NS_PER_MS 1000000u

typedef struct metrics_walk {
  otlp_writer *writer;
  const accel_observation *observation;
  const accel_family *family; /* whose metric is being written; NULL: none */
  size_t points;
} metrics_walk;

/* ---- a metric ---- */

static void metrics_end(metrics_walk *walk)
{
  otlp_writer *writer = walk->writer;
  if (walk->family == NULL) return;
  const accel_family_kind kind = walk->family->kind;
  accel_otlp_write_list_end(writer);
  if (kind != ACCEL_FAMILY_GAUGE)
    accel_otlp_write_uint32(writer, 2, "aggregationTemporality", METRICS_CUMULATIVE);
  if (kind == ACCEL_FAMILY_COUNTER) accel_otlp_write_bool(writer, 3, "isMonotonic", true);
  accel_otlp_write_end(writer);
  accel_otlp_write_end(writer);
  walk->family = NULL;
}

static bool metrics_begin(void *walk_pointer, const accel_family *family)
{
  metrics_walk *walk = (metrics_walk *)walk_pointer;
  otlp_writer *writer = walk->writer;
  metrics_end(walk);
  walk->family = family;
  accel_otlp_write_begin(writer, 2, NULL);
  accel_otlp_write_text(writer, 1, "name", family->name);
  accel_otlp_write_text(writer, 2, "description", family->help);
  if (family->unit[0] != '\0') accel_otlp_write_text(writer, 3, "unit", family->unit);
  switch (family->kind) {
    case ACCEL_FAMILY_COUNTER: accel_otlp_write_begin(writer, 7, "sum"); break;
    case ACCEL_FAMILY_GAUGE: accel_otlp_write_begin(writer, 5, "gauge"); break;
    case ACCEL_FAMILY_HISTOGRAM: accel_otlp_write_begin(writer, 10, "exponentialHistogram"); break;
  }
  accel_otlp_write_list_begin(writer, "dataPoints");
  return !writer->has_failed;
}

/* ---- a point ---- */

static void metrics_write_labels(const metrics_walk *walk, uint32_t number,
                                 const accel_sample *sample)
{
  const accel_observation *observation = walk->observation;
  accel_otlp_write_list_begin(walk->writer, "attributes");
  for (size_t i = 0; i < sample->label_count; i++)
    accel_otlp_write_text_attribute(walk->writer, number, sample->labels[i].name,
                                    sample->labels[i].value);
  for (size_t i = 0; i < observation->label_count; i++)
    accel_otlp_write_text_attribute(walk->writer, number, observation->labels[i].name,
                                    observation->labels[i].value);
  accel_otlp_write_list_end(walk->writer);
}

static void metrics_write_times(const metrics_walk *walk, const accel_sample *sample)
{
  accel_otlp_write_fixed64(walk->writer, 2, "startTimeUnixNano",
                           sample->started_ms * METRICS_NS_PER_MS);
  accel_otlp_write_fixed64(walk->writer, 3, "timeUnixNano",
                           walk->observation->time_ms * METRICS_NS_PER_MS);
}

static void metrics_write_number(const metrics_walk *walk, const accel_family *family,
                                 const accel_sample *sample)
{
  metrics_write_times(walk, sample);
  if (family->is_in_ms)
    accel_otlp_write_double(walk->writer, 4, "asDouble", (double)sample->value / 1000);
  else
    accel_otlp_write_sfixed64(walk->writer, 6, "asInt", sample->value);
  metrics_write_labels(walk, 7, sample);
}

/* The counts from the first bucket in use to the last one. */
static void metrics_write_buckets(otlp_writer *writer, const uint64_t *counts)
{
  uint32_t first = 0, end = ACCEL_HISTOGRAM_BUCKETS;
  while (first < end && counts[first] == 0) first++;
  while (end > first && counts[end - 1] == 0) end--;
  accel_otlp_write_begin(writer, 8, "positive");
  accel_otlp_write_sint32(writer, 1, "offset", (int32_t)first + ACCEL_HISTOGRAM_OFFSET);
  accel_otlp_write_packed(writer, 2, "bucketCounts", counts + first, end - first);
  accel_otlp_write_end(writer);
}

/* The histogram is the observation's own: nobody adds to it. */
static void metrics_write_histogram(const metrics_walk *walk, const accel_sample *sample)
{
  otlp_writer *writer = walk->writer;
  const accel_histogram *histogram = sample->histogram;
  uint64_t count = 0;
  for (uint32_t i = 0; i < ACCEL_HISTOGRAM_BUCKETS; i++) count += histogram->counts[i];
  metrics_write_labels(walk, 1, sample);
  metrics_write_times(walk, sample);
  accel_otlp_write_fixed64(writer, 4, "count", count);
  accel_otlp_write_double(writer, 5, "sum", (double)histogram->sum_ns / 1e9);
  accel_otlp_write_sint32(writer, 6, "scale", ACCEL_HISTOGRAM_SCALE);
  accel_otlp_write_fixed64(writer, 7, "zeroCount", 0);
  if (count > 0) {
    metrics_write_buckets(writer, histogram->counts);
    accel_otlp_write_double(writer, 13, "max", (double)histogram->max_ns / 1e9);
  }
}

static bool metrics_point(void *walk_pointer, const accel_family *family,
                          const accel_sample *sample)
{
  metrics_walk *walk = (metrics_walk *)walk_pointer;
  accel_otlp_write_begin(walk->writer, 1, NULL);
  if (family->kind == ACCEL_FAMILY_HISTOGRAM)
    metrics_write_histogram(walk, sample);
  else
    metrics_write_number(walk, family, sample);
  accel_otlp_write_end(walk->writer);
  walk->points++;
  return !walk->writer->has_failed;
}

size_t accel_otlp_write_metrics(otlp_writer *writer, const otlp_pairs *resource,
                                const accel_observation *observation)
{
  metrics_walk walk = {writer, observation, NULL, 0};
  const accel_family_visitor visitor = {&walk, metrics_begin, metrics_point};
  accel_otlp_write_head(writer, resource, "resourceMetrics", "scopeMetrics", "metrics");
  if (accel_observation_walk(observation, &visitor)) metrics_end(&walk);
  if (writer->has_failed) return 0;
  accel_otlp_write_tail(writer);
  return walk.points;
}

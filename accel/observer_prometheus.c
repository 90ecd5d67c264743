/* observer_prometheus.c: an observation in Prometheus' text format 0.0.4 (layer 2).
 *
 * What that format demands, and its parsers do not always check: one HELP and one TYPE for each
 * name, with all its samples behind them; each series once; the buckets of a histogram in ascending
 * order, cumulative, the last one +Inf and equal to _count; valid UTF-8; a line feed at the end.
 * Values are floating-point numbers to those who read them: beyond 2^53 they lose digits.
 */
#include "observer_output.h"

#include <string.h>

/* A page that is being written. */
typedef struct prometheus_page {
  accel_observer_text *out;
  accel_observer_text extra;  /* the observation's labels, as they stand in each line */
  accel_observer_text labels; /* of a sample: what stands between the braces */
  accel_observer_text bucket; /* of a histogram: a bucket's line, up to its bound */
} prometheus_page;

/* The classic buckets are the powers of two of a second from 2^-17 to 2^3: their upper bounds. */
#define PROMETHEUS_FIRST_BOUND ((size_t)(-17 - ACCEL_HISTOGRAM_FIRST_POWER)) /* in doublings */
static const char *const prometheus_bounds[] = {"7.62939453125e-06",
                                                "1.52587890625e-05",
                                                "3.0517578125e-05",
                                                "6.103515625e-05",
                                                "0.0001220703125",
                                                "0.000244140625",
                                                "0.00048828125",
                                                "0.0009765625",
                                                "0.001953125",
                                                "0.00390625",
                                                "0.0078125",
                                                "0.015625",
                                                "0.03125",
                                                "0.0625",
                                                "0.125",
                                                "0.25",
                                                "0.5",
                                                "1",
                                                "2",
                                                "4",
                                                "8"};

static void prometheus_help(accel_observer_text *out, const char *help)
{
  for (; *help != '\0'; help++) {
    if (*help == '\\')
      accel_observer_text_string(out, "\\\\");
    else if (*help == '\n')
      accel_observer_text_string(out, "\\n");
    else
      accel_observer_text_bytes(out, help, 1);
  }
}

static bool prometheus_family(void *page_pointer, const accel_family *family)
{
  static const char *const kinds[] = {"counter", "gauge", "histogram"};
  accel_observer_text *out = ((prometheus_page *)page_pointer)->out;
  accel_observer_text_string(out, "# HELP ");
  accel_observer_text_string(out, family->name);
  accel_observer_text_string(out, " ");
  prometheus_help(out, family->help);
  accel_observer_text_string(out, "\n# TYPE ");
  accel_observer_text_string(out, family->name);
  accel_observer_text_string(out, " ");
  accel_observer_text_string(out, kinds[family->kind]);
  accel_observer_text_string(out, "\n");
  return !out->has_failed;
}

static void prometheus_label(accel_observer_text *out, const accel_label *label)
{
  if (out->out->size > 0) accel_observer_text_bytes(out, ",", 1);
  accel_observer_text_string(out, label->name);
  accel_observer_text_bytes(out, "=", 1);
  accel_observer_text_label(out, label->value);
}

/* Writes name, suffix and labels, up to the value. */
static void prometheus_series(prometheus_page *page, const accel_family *family, const char *suffix)
{
  accel_observer_text *out = page->out;
  const accel_buffer *labels = page->labels.out;
  accel_observer_text_string(out, family->name);
  accel_observer_text_string(out, suffix);
  if (labels->size > 0) {
    accel_observer_text_bytes(out, "{", 1);
    accel_observer_text_bytes(out, labels->data, labels->size);
    accel_observer_text_bytes(out, "}", 1);
  }
  accel_observer_text_bytes(out, " ", 1);
}

static void prometheus_number(prometheus_page *page, const accel_family *family, const char *suffix,
                              uint64_t number)
{
  prometheus_series(page, family, suffix);
  accel_observer_text_number(page->out, number);
  accel_observer_text_bytes(page->out, "\n", 1);
}

static void prometheus_decimal(prometheus_page *page, const accel_family *family,
                               const char *suffix, uint64_t number, unsigned places)
{
  prometheus_series(page, family, suffix);
  accel_observer_text_decimal(page->out, number, places);
  accel_observer_text_bytes(page->out, "\n", 1);
}

static void prometheus_bucket(prometheus_page *page, const char *bound, uint64_t count)
{
  accel_observer_text *out = page->out;
  accel_observer_text_bytes(out, page->bucket.out->data, page->bucket.out->size);
  accel_observer_text_string(out, bound);
  accel_observer_text_bytes(out, "\"} ", 3);
  accel_observer_text_number(out, count);
  accel_observer_text_bytes(out, "\n", 1);
}

static void prometheus_histogram(prometheus_page *page, const accel_family *family,
                                 const accel_histogram *histogram)
{
  const size_t bounds = sizeof prometheus_bounds / sizeof prometheus_bounds[0];
  const accel_buffer *labels = page->labels.out;
  size_t bucket = 0;
  uint64_t count = 0;
  page->bucket.out->size = 0;
  accel_observer_text_string(&page->bucket, family->name);
  accel_observer_text_string(&page->bucket, "_bucket{");
  accel_observer_text_bytes(&page->bucket, labels->data, labels->size);
  accel_observer_text_string(&page->bucket, labels->size > 0 ? ",le=\"" : "le=\"");
  for (size_t i = 0; i < bounds; i++) {
    const size_t end = (PROMETHEUS_FIRST_BOUND + i) * ACCEL_HISTOGRAM_STEPS;
    for (; bucket < end; bucket++) count += histogram->counts[bucket];
    prometheus_bucket(page, prometheus_bounds[i], count);
  }
  for (; bucket < sizeof histogram->counts / sizeof *histogram->counts; bucket++)
    count += histogram->counts[bucket];
  prometheus_bucket(page, "+Inf", count);
  prometheus_decimal(page, family, "_sum", histogram->sum_ns, 9);
  prometheus_number(page, family, "_count", count);
}

static bool prometheus_sample(void *page_pointer, const accel_family *family,
                              const accel_sample *sample)
{
  prometheus_page *page = (prometheus_page *)page_pointer;
  page->labels.out->size = 0;
  accel_observer_text_bytes(&page->labels, page->extra.out->data, page->extra.out->size);
  for (size_t i = 0; i < sample->label_count; i++)
    prometheus_label(&page->labels, &sample->labels[i]);
  if (sample->histogram != NULL)
    prometheus_histogram(page, family, sample->histogram);
  else if (family->is_in_ms)
    prometheus_decimal(page, family, "", sample->value, 3);
  else
    prometheus_number(page, family, "", sample->value);
  return !page->out->has_failed && !page->labels.has_failed && !page->bucket.has_failed;
}

void accel_observer_show_prometheus(const accel_observation *observation, accel_observer_text *out)
{
  accel_buffer extra = {NULL, 0, 0}, labels = {NULL, 0, 0}, bucket = {NULL, 0, 0};
  prometheus_page page = {out, {&extra, false}, {&labels, false}, {&bucket, false}};
  const accel_family_visitor visitor = {&page, prometheus_family, prometheus_sample};
  for (size_t i = 0; i < observation->label_count; i++)
    prometheus_label(&page.extra, &observation->labels[i]);
  const bool is_whole = accel_observation_walk(observation, &visitor);
  out->has_failed |= !is_whole || page.extra.has_failed;
  accel_buffer_release(&extra);
  accel_buffer_release(&labels);
  accel_buffer_release(&bucket);
}

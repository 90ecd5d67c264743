/* test_export.c: what reaches a receiver: metrics, spans and log records, when, and in which form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "otlp_world.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static otlp_world world;
static accel_otlp_config config;

static int begin(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  config = otlp_world_config(&world);
  return 0;
}

static int end(void **state)
{
  (void)state;
  accel_trace_set(NULL, NULL);
  otlp_world_end(&world);
  return 0;
}

/* ---- metrics ---- */

static void metrics_are_those_of_the_snapshot(void **state)
{
  (void)state;
  uint64_t out;
  otlp_world_open(&world, &config);
  for (uint64_t key = 0; key < 40; key++) number_cache_get(&world.cache, key % 20, &out);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  accel_otel_point points[ACCEL_COUNTERS];
  accel_diagnostic diagnostic;
  number_cache_diagnostic_snapshot(&world.cache, &diagnostic);
  const size_t count = number_cache_otel_metric_points(&world.cache, points, ACCEL_COUNTERS);
  assert_int_equal(count, ACCEL_COUNTERS);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(receiver_value(request, points[i].name, "area", "numbers"), points[i].value);
  assert_true(receiver_value(request, "accelerator_cache_local_hit_total", "area", "numbers") > 0);
  assert_int_equal(receiver_value(request, "accelerator_cache_local_entries", "area", "numbers"),
                   diagnostic.entries);
  const json_t *info = receiver_point(request, "accelerator_cache_info", "engine", "flat");
  assert_string_equal(receiver_attribute(info, "area"), "numbers");
  json_decref(request);
}

/* Every metric that an observation has is sent, with the same figure, and nothing else is. */
typedef struct comparison {
  const json_t *request;
  size_t families, samples;
} comparison;

static bool compare_family(void *comparison_pointer, const accel_family *family)
{
  comparison *all = comparison_pointer;
  const json_t *metric = receiver_metric(all->request, family->name);
  if (metric == NULL) fail_msg("%s was not sent", family->name);
  const char *unit = json_string_value(json_object_get(metric, "unit"));
  assert_string_equal(unit == NULL ? "" : unit, family->unit);
  assert_string_equal(json_string_value(json_object_get(metric, "description")), family->help);
  all->families++;
  return true;
}

static bool compare_sample(void *comparison_pointer, const accel_family *family,
                           const accel_sample *sample)
{
  comparison *all = comparison_pointer;
  const accel_label *last = &sample->labels[sample->label_count - 1];
  all->samples++;
  if (strncmp(family->name, "accelerator_otlp", 16) == 0) return true; /* sending counts */
  const json_t *point = receiver_point(all->request, family->name, last->name, last->value);
  if (point == NULL) fail_msg("%s{%s} was not sent", family->name, last->value);
  if (family->kind == ACCEL_FAMILY_HISTOGRAM) {
    const json_t *count = json_object_get(point, "count");
    assert_int_equal(strtoull(json_string_value(count), NULL, 10),
                     accel_histogram_count(sample->histogram));
  } else if (family->is_in_ms) {
    const double value = json_number_value(json_object_get(point, "asDouble"));
    assert_int_equal((uint64_t)(value * 1000 + 0.5), sample->value);
  } else {
    assert_int_equal(receiver_value(all->request, family->name, last->name, last->value),
                     sample->value);
  }
  return true;
}

static void metrics_are_those_of_the_observer(void **state)
{
  (void)state;
  uint64_t out;
  accel_observation observed;
  otlp_world_open(&world, &config);
  for (uint64_t key = 0; key < 10; key++) number_cache_get(&world.cache, key, &out);
  otlp_world_flush(&world);
  assert_int_equal(accel_observer_observe(&world.observer, &observed), ACCEL_OK);
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  comparison all = {request, 0, 0};
  const accel_family_visitor visitor = {&all, compare_family, compare_sample};
  assert_true(accel_observation_walk(&observed, &visitor));
  assert_int_equal(all.families, json_array_size(receiver_items(request)));
  assert_true(all.samples > ACCEL_COUNTERS);
  accel_observation_release(&observed);
  json_decref(request);
}

/* The figure of a line `name{area="numbers"} figure` of the page for Prometheus. */
static int64_t figure_on_page(const accel_buffer *page, const char *name)
{
  char start[128];
  snprintf(start, sizeof start, "\n%s{area=\"numbers\"} ", name);
  const char *line = strstr((const char *)page->data, start);
  if (line == NULL) fail_msg("%s is not on the page", name);
  return strtoll(line + strlen(start), NULL, 10);
}

/* At rest, three ways to ask lead to the same figures. */
static void metrics_are_those_of_the_page_for_prometheus(void **state)
{
  (void)state;
  uint64_t out;
  accel_buffer page = {.data = NULL};
  accel_otel_point points[ACCEL_COUNTERS];
  otlp_world_open(&world, &config);
  for (uint64_t key = 0; key < 60; key++) number_cache_get(&world.cache, key % 15, &out);
  otlp_world_flush(&world);
  assert_int_equal(accel_observer_prometheus(&world.observer, &page), ACCEL_OK);
  assert_true(accel_buffer_append(&page, "", 1));
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  const size_t count = number_cache_otel_metric_points(&world.cache, points, ACCEL_COUNTERS);
  for (size_t i = 0; i < count; i++) {
    const int64_t sent = receiver_value(request, points[i].name, "area", "numbers");
    assert_int_equal(sent, figure_on_page(&page, points[i].name));
    assert_int_equal(sent, points[i].value);
  }
  static const char name[] = "accelerator_cache_load_duration_seconds";
  const json_t *point = receiver_point(request, name, "area", "numbers");
  const char *loads = json_string_value(json_object_get(point, "count"));
  assert_int_equal(strtoll(loads, NULL, 10),
                   figure_on_page(&page, "accelerator_cache_load_duration_seconds_count"));
  json_decref(request);
  accel_buffer_release(&page);
}

static void metrics_come_every_interval_without_a_flush(void **state)
{
  (void)state;
  uint64_t out;
  config.interval_ms = 20;
  otlp_world_open(&world, &config);
  json_t *first = otlp_world_take(&world, "/v1/metrics");
  number_cache_get(&world.cache, 1, &out);
  json_t *second = NULL;
  do {
    if (second != NULL) json_decref(second);
    second = otlp_world_take(&world, "/v1/metrics");
  } while (receiver_value(second, "accelerator_cache_load_total", "area", "numbers") < 1);
  json_decref(second);
  json_decref(first);
}

static void an_exporter_without_observer_sends_no_metrics(void **state)
{
  (void)state;
  config.observer = NULL;
  config.interval_ms = 1;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_flush(&world);
  json_decref(otlp_world_take(&world, "/v1/traces"));
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 0);
}

/* ---- spans ---- */

static const char *text_of(const json_t *item, const char *key)
{
  return json_string_value(json_object_get(item, key));
}

static const json_t *span_named(const json_t *request, const char *name)
{
  size_t i;
  json_t *span;
  json_array_foreach(receiver_items(request), i, span)
  {
    if (strcmp(text_of(span, "name"), name) == 0) return span;
  }
  fail_msg("there is no span %s", name);
  return NULL;
}

static void spans_nest_below_the_trace_of_the_thread(void **state)
{
  (void)state;
  uint64_t out;
  otlp_world_open(&world, &config);
  assert_true(accel_trace_set(PARENT, "vendor=x"));
  number_cache_get(&world.cache, 7, &out);
  char now[ACCEL_TRACE_TEXT_BYTES];
  accel_trace_get(now, sizeof now);
  assert_string_equal(now, PARENT); /* the context is as before */
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/traces");
  const json_t *get = span_named(request, "cache.get"), *load = span_named(request, "cache.load");
  const json_t *remote = span_named(request, "GET");
  assert_string_equal(text_of(get, "traceId"), "CvdlGRbNQ92ESOshHIAxnA==");
  assert_string_equal(text_of(get, "parentSpanId"), "t61rcWkgMzE=");
  assert_string_equal(text_of(load, "traceId"), text_of(get, "traceId"));
  assert_string_equal(text_of(load, "parentSpanId"), text_of(get, "spanId"));
  assert_string_equal(text_of(remote, "parentSpanId"), text_of(get, "spanId"));
  assert_string_equal(text_of(remote, "traceState"), "vendor=x");
  assert_string_not_equal(text_of(load, "spanId"), text_of(remote, "spanId"));
  assert_string_equal(receiver_attribute(get, "accel.area"), "numbers");
  assert_string_equal(receiver_attribute(get, "accel.source"), "loader");
  assert_string_equal(receiver_attribute(get, "accel.keys"), "1");
  assert_string_equal(receiver_attribute(remote, "db.operation.name"), "GET");
  assert_int_equal(json_integer_value(json_object_get(get, "kind")), 1);
  assert_int_equal(json_integer_value(json_object_get(remote, "kind")), 3);
  assert_true(strtoull(text_of(load, "startTimeUnixNano"), NULL, 10) >=
              strtoull(text_of(get, "startTimeUnixNano"), NULL, 10));
  assert_true(strtoull(text_of(load, "endTimeUnixNano"), NULL, 10) <=
              strtoull(text_of(get, "endTimeUnixNano"), NULL, 10));
  json_decref(request);
}

static void a_failed_operation_is_a_failed_span(void **state)
{
  (void)state;
  uint64_t out;
  otlp_world_open(&world, &config);
  assert_int_equal(number_cache_get(&world.cache, 13, &out), ACCEL_ERR_LOADER);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/traces");
  const json_t *status = json_object_get(span_named(request, "cache.get"), "status");
  assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
  assert_string_equal(text_of(status, "message"), "loader");
  assert_null(json_object_get(span_named(request, "cache.get"), "parentSpanId"));
  json_decref(request);
}

static void a_trace_that_is_not_sampled_has_no_spans(void **state)
{
  (void)state;
  uint64_t out;
  char now[ACCEL_TRACE_TEXT_BYTES], before[ACCEL_TRACE_TEXT_BYTES];
  snprintf(before, sizeof before, "%.53s00", PARENT);
  otlp_world_open(&world, &config);
  assert_true(accel_trace_set(before, NULL));
  for (uint64_t key = 0; key < 10; key++) number_cache_get(&world.cache, key, &out);
  accel_trace_get(now, sizeof now);
  assert_string_equal(now, before);
  otlp_world_flush(&world);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/traces"), 0);
  assert_int_equal(otlp_world_count(&world, "dropped", "traces"), 0);
}

static void traces_of_their_own_have_different_ids(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_add_span(&world, "cache.get");
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/traces");
  const json_t *first = json_array_get(receiver_items(request), 0);
  const json_t *second = json_array_get(receiver_items(request), 1);
  assert_string_not_equal(text_of(first, "traceId"), text_of(second, "traceId"));
  assert_string_not_equal(text_of(first, "spanId"), text_of(second, "spanId"));
  json_decref(request);
}

static void a_full_batch_is_sent_without_a_flush(void **state)
{
  (void)state;
  config.batch_size = 5;
  otlp_world_open(&world, &config);
  for (int i = 0; i < 11; i++) otlp_world_add_span(&world, "cache.get");
  for (int i = 0; i < 2; i++) {
    json_t *request = otlp_world_take(&world, "/v1/traces");
    assert_int_equal(json_array_size(receiver_items(request)), 5);
    json_decref(request);
  }
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/traces");
  assert_int_equal(json_array_size(receiver_items(request)), 1);
  assert_int_equal(otlp_world_count(&world, "exported", "traces"), 11);
  json_decref(request);
}

static void an_incomplete_batch_is_sent_after_its_delay(void **state)
{
  (void)state;
  config.batch_delay_ms = 30;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  json_decref(otlp_world_take(&world, "/v1/traces"));
  otlp_world_add_record(&world, "one");
  json_decref(otlp_world_take(&world, "/v1/logs"));
}

/* ---- logs ---- */

static void records_have_the_ids_of_the_trace(void **state)
{
  (void)state;
  uint64_t out;
  otlp_world_open(&world, &config);
  accel_trace_set(PARENT, NULL);
  number_cache_get(&world.cache, 13, &out);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/logs");
  size_t i, found = 0;
  json_t *record;
  json_array_foreach(receiver_items(request), i, record)
  {
    const char *body = text_of(json_object_get(record, "body"), "stringValue");
    if (strcmp(body, "cache.get error loader") != 0) continue;
    found++;
    assert_string_equal(text_of(record, "traceId"), "CvdlGRbNQ92ESOshHIAxnA==");
    assert_string_equal(receiver_attribute(record, "op"), "get");
    assert_string_equal(receiver_attribute(record, "result"), "error");
    assert_string_equal(receiver_attribute(record, "error_kind"), "loader");
    assert_int_equal(json_integer_value(json_object_get(record, "severityNumber")), 17);
  }
  assert_int_equal(found, 1);
  char *text = json_dumps(request, 0);
  assert_null(strstr(text, "\"13\"")); /* the key */
  free(text);
  json_decref(request);
}

/* ---- requests ---- */

static void headers_and_resource_arrive(void **state)
{
  (void)state;
  config.headers = "authorization=Bearer%20a%2Cb,x-empty=,x-two=2";
  config.service_namespace = "space";
  config.service_version = "1.2";
  config.resource_attributes = "dc=fra,text=%C3%A9%FF";
  config.no_gzip = true;
  otlp_world_open(&world, &config);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  assert_string_equal(receiver_header(request, "authorization"), "Bearer a,b");
  assert_string_equal(receiver_header(request, "x-empty"), "");
  assert_string_equal(receiver_header(request, "x-two"), "2");
  assert_null(receiver_header(request, "content-encoding"));
  assert_null(receiver_header(request, "expect"));
  assert_string_equal(receiver_resource(request, "service.name"), "test");
  assert_string_equal(receiver_resource(request, "service.namespace"), "space");
  assert_string_equal(receiver_resource(request, "service.version"), "1.2");
  assert_string_equal(receiver_resource(request, "dc"), "fra");
  assert_string_equal(receiver_resource(request, "text"), "\xC3\xA9\xEF\xBF\xBD");
  json_decref(request);
}

static void all_three_are_sent_as_json(void **state)
{
  (void)state;
  uint64_t out;
  config.json = true;
  otlp_world_open(&world, &config);
  for (uint64_t key = 0; key < 20; key++) number_cache_get(&world.cache, key, &out);
  otlp_world_flush(&world);
  static const char *const paths[] = {"/v1/metrics", "/v1/traces", "/v1/logs"};
  for (size_t i = 0; i < 3; i++) {
    json_t *request = otlp_world_take(&world, paths[i]);
    assert_string_equal(receiver_header(request, "content-type"), "application/json");
    assert_string_equal(receiver_header(request, "content-encoding"), "gzip");
    json_decref(request);
  }
}

static void close_sends_what_is_queued(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_add_record(&world, "last words");
  number_cache_close(&world.cache);
  accel_otlp_close(&world.otlp);
  json_decref(otlp_world_take(&world, "/v1/traces"));
  json_decref(otlp_world_take(&world, "/v1/logs"));
  json_decref(otlp_world_take(&world, "/v1/metrics"));
}

static void what_was_sent_is_counted(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_add_record(&world, "one");
  otlp_world_add_record(&world, "two");
  otlp_world_flush(&world);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  assert_int_equal(otlp_world_count(&world, "exported", "traces"), 1);
  assert_true(otlp_world_count(&world, "exported", "logs") >= 2); /* the cache says more */
  assert_true(otlp_world_count(&world, "exported", "metrics") > ACCEL_COUNTERS);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  const int64_t sent =
      receiver_value(request, "accelerator_otlp_exported_total", "signal", "traces");
  assert_int_equal(sent, 1);
  json_decref(request);
}

static void an_open_exporter_stays_open(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "open already"));
  otlp_world_flush(&world);
  accel_otlp closed = {NULL};
  assert_int_equal(accel_otlp_flush(&closed, 1), ACCEL_ERR_CLOSED);
  assert_int_equal(accel_otlp_flush(NULL, 1), ACCEL_ERR_CLOSED);
  number_cache cache; /* works without its telemetry */
  const accel_config without = {.area = "numbers", .spans = accel_otlp_spans(&closed)};
  uint64_t value;
  assert_int_equal(number_cache_open(&cache, &without), ACCEL_OK);
  number_cache_set_loader(&cache, otlp_world_load, NULL);
  assert_int_equal(number_cache_get(&cache, 1, &value), ACCEL_OK);
  assert_true(accel_otlp_spans(NULL)->begin == accel_otlp_spans(&closed)->begin);
  number_cache_close(&cache);
  accel_otlp_log(&closed, NULL);
  accel_otlp_close(&closed);
  accel_otlp_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(metrics_are_those_of_the_snapshot),
      TEST(metrics_are_those_of_the_observer),
      TEST(metrics_are_those_of_the_page_for_prometheus),
      TEST(metrics_come_every_interval_without_a_flush),
      TEST(an_exporter_without_observer_sends_no_metrics),
      TEST(spans_nest_below_the_trace_of_the_thread),
      TEST(a_failed_operation_is_a_failed_span),
      TEST(a_trace_that_is_not_sampled_has_no_spans),
      TEST(traces_of_their_own_have_different_ids),
      TEST(a_full_batch_is_sent_without_a_flush),
      TEST(an_incomplete_batch_is_sent_after_its_delay),
      TEST(records_have_the_ids_of_the_trace),
      TEST(headers_and_resource_arrive),
      TEST(all_three_are_sent_as_json),
      TEST(close_sends_what_is_queued),
      TEST(what_was_sent_is_counted),
      TEST(an_open_exporter_stays_open),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_writer.c: both forms of a message are the same to the official decoder; every byte of a text
 * arrives as UTF-8; what was written is as long as it has to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "accel/observer_state.h"
#include "accel_backends/otlp/messages.h"
#include "accel_backends/otlp/transport.h"
#include "otlp_world.h"

static otlp_world world;

static int begin(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  return 0;
}

static int end(void **state)
{
  (void)state;
  otlp_world_end(&world);
  return 0;
}

/* What the receiver decodes of a message in this form. */
static json_t *decoded(otlp_signal signal, otlp_writer *writer)
{
  static const char *const paths[] = {"/v1/metrics", "/v1/traces", "/v1/logs"};
  otlp_settings settings;
  otlp_transport transport = {.curl = NULL};
  otlp_answer answer;
  const accel_otlp_config config = {.endpoint = world.receiver.url,
                                    .json = writer->form == OTLP_JSON,
                                    .no_gzip = true,
                                    .no_environment = true};
  assert_false(writer->has_failed);
  assert_int_equal(writer->depth, 0);
  assert_int_equal(accel_otlp_settings_open(&settings, &world, &config), ACCEL_OK);
  assert_true(accel_otlp_transport_open(&transport, &settings));
  accel_otlp_transport_send(&transport, signal, &writer->out, patience_ms(), &answer);
  json_t *request = otlp_world_take(&world, paths[signal]);
  assert_int_equal(answer.outcome, OTLP_ACCEPTED);
  assert_string_equal(answer.text, "");
  accel_otlp_transport_close(&transport);
  accel_otlp_settings_close(&settings);
  return request;
}

static const otlp_pairs *resource(void)
{
  static char name[] = "service.name", value[] = "caf\xC3\xA9 \"quoted\" \\ \n";
  static otlp_pair pair = {name, value};
  static const otlp_pairs pairs = {&pair, 1, 1, false};
  return &pairs;
}

/* Writes by `write` in both forms, and compares what the decoder makes of them. */
static json_t *same_in_both_forms(otlp_signal signal, void (*write)(otlp_writer *writer))
{
  json_t *requests[2];
  for (int form = OTLP_PROTOBUF; form <= OTLP_JSON; form++) {
    otlp_writer writer = {.form = (otlp_form)form};
    write(&writer);
    requests[form] = decoded(signal, &writer);
    accel_otlp_writer_release(&writer);
  }
  const json_t *protobuf = json_object_get(requests[0], "message");
  const json_t *json = json_object_get(requests[1], "message");
  if (!json_equal(protobuf, json))
    fail_msg("%s\n\n%s", json_dumps(protobuf, 0), json_dumps(json, 0));
  json_decref(requests[1]);
  return requests[0];
}

/* ---- the three messages ---- */

static accel_observation observed;

static void write_metrics(otlp_writer *writer)
{
  assert_true(accel_otlp_write_metrics(writer, resource(), &observed) > ACCEL_COUNTERS);
}

static void metrics_are_the_same_in_both_forms(void **state)
{
  (void)state;
  static accel_latencies latencies;
  accel_observer observer;
  number_cache cache;
  uint64_t out;
  const accel_observer_config labelled = {.extra_labels = "dc=\"fr\\\"a\xC3\xA9\",host=\"\\n\""};
  assert_int_equal(accel_observer_open(&observer, &labelled), ACCEL_OK);
  const accel_config config = {.area = "a", .remote = &world.fake, .observer = &observer};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_get(&cache, 1, &out);
  assert_int_equal(accel_observer_observe(&observer, &observed), ACCEL_OK);
  for (uint64_t ns = 1; ns != 0 && ns < UINT64_MAX / 3; ns = ns * 3 + 1)
    accel_histogram_record(&latencies.histograms[ACCEL_TIMED_load], ns);
  accel_histogram_record(&latencies.histograms[ACCEL_TIMED_clear], 12345678);
  assert_true(accel_observed_add_latencies(&observed.caches[0], &latencies));
  observed.caches[0].counters[ACCEL_COUNT_load_total] = UINT64_MAX;
  json_t *request = same_in_both_forms(OTLP_METRICS, write_metrics);
  assert_int_equal(receiver_value(request, "accelerator_cache_load_total", "area", "a"), INT64_MAX);
  const json_t *point =
      receiver_point(request, "accelerator_cache_remote_duration_seconds", "op", "clear");
  assert_string_equal(json_string_value(json_object_get(point, "count")), "1");
  assert_int_equal(json_integer_value(json_object_get(point, "scale")), 3);
  assert_true(json_number_value(json_object_get(point, "sum")) == 0.012345678);
  assert_string_equal(receiver_attribute(point, "dc"), "fr\"a\xC3\xA9");
  /* (2^(offset/8), 2^((offset+1)/8)]: 12.3 ms lies in the bucket above 2^(-51/8) s. */
  const json_t *positive = json_object_get(point, "positive");
  assert_int_equal(json_integer_value(json_object_get(positive, "offset")), -51);
  json_decref(request);
  accel_observation_release(&observed);
  number_cache_close(&cache);
  accel_observer_close(&observer);
}

static otlp_queue items;

static otlp_span *new_span(const char *state)
{
  otlp_span *span = calloc(1, sizeof *span + strlen(state) + 1);
  strcpy(span->state, state);
  memset(span->own.trace_id, 0xA5, sizeof span->own.trace_id);
  memset(span->own.span_id, 0x5A, sizeof span->own.span_id);
  span->own.flags = 3;
  span->wall_offset_ns = INT64_C(1790000000000000000);
  span->begun_ns = 12345;
  span->taken_ns = 678;
  accel_otlp_queue_add(&items, &span->item);
  return span;
}

static void write_spans(otlp_writer *writer)
{
  accel_otlp_write_spans(writer, resource(), &items);
}

static void clear_items(void)
{
  for (otlp_item *item = items.first, *next; item != NULL; item = next) {
    next = item->next;
    free(item);
  }
  memset(&items, 0, sizeof items);
}

static void spans_are_the_same_in_both_forms(void **state)
{
  (void)state;
  otlp_span *root = new_span(""), *child = new_span("vendor=1,other=x"), *crowded = new_span("");
  strcpy(root->name, "cache.get");
  strcpy(child->name, "GET");
  strcpy(crowded->name, "cache.mget");
  memset(child->parent_id, 0x11, sizeof child->parent_id);
  child->status = ACCEL_ERR_TIMEOUT;
  accel_otlp_span_note(child, "server.address", "/tmp/\xFF\xFE socket", 0);
  accel_otlp_span_note(child, "server.port", NULL, UINT64_MAX);
  accel_otlp_span_note(child, "db.operation.batch.size", NULL, 0);
  char name[32];
  for (int i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "attribute.%d", i);
    accel_otlp_span_note(crowded, name, "text", 0);
  }
  json_t *request = same_in_both_forms(OTLP_TRACES, write_spans);
  const json_t *spans = receiver_items(request), *read = json_array_get(spans, 1);
  assert_int_equal(json_array_size(spans), 3);
  assert_int_equal(json_integer_value(json_object_get(json_array_get(spans, 0), "kind")), 1);
  assert_int_equal(json_integer_value(json_object_get(read, "kind")), 3);
  assert_string_equal(json_string_value(json_object_get(read, "traceState")), "vendor=1,other=x");
  assert_string_equal(receiver_attribute(read, "server.address"),
                      "/tmp/\xEF\xBF\xBD\xEF\xBF\xBD socket");
  assert_string_equal(receiver_attribute(read, "server.port"), "9223372036854775807");
  const json_t *status = json_object_get(read, "status");
  assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
  assert_string_equal(json_string_value(json_object_get(status, "message")), "timeout");
  const json_t *last = json_array_get(spans, 2);
  const json_int_t left_out = json_integer_value(json_object_get(last, "droppedAttributesCount"));
  assert_int_equal(left_out + (json_int_t)json_array_size(json_object_get(last, "attributes")),
                   200);
  assert_null(json_object_get(last, "status"));
  json_decref(request);
  clear_items();
}

static void write_logs(otlp_writer *writer)
{
  accel_otlp_write_logs(writer, resource(), &items);
}

static void logs_are_the_same_in_both_forms(void **state)
{
  (void)state;
  const accel_trace none = {.flags = 0}, trace = {{1}, {2}, 1};
  accel_log_record record = {.area = "users",
                             .op = "get",
                             .result = "error",
                             .error_kind = "timeout",
                             .message = "said \"no\"\r\n\x01\xC3",
                             .latency_ms = 0.1,
                             .level = ACCEL_LOG_ERROR,
                             .wall_time_ms = 1790000000123,
                             .key = "the key"};
  otlp_record *first = accel_otlp_record_copy(&record, &trace);
  memset(&record, 0, sizeof record); /* a program may call it with nothing set */
  record.wall_time_ms = 1790000000123;
  otlp_record *second = accel_otlp_record_copy(&record, &none);
  accel_otlp_queue_add(&items, &first->item);
  accel_otlp_queue_add(&items, &second->item);
  json_t *request = same_in_both_forms(OTLP_LOGS, write_logs);
  const json_t *read = json_array_get(receiver_items(request), 0);
  const json_t *body = json_object_get(read, "body");
  assert_string_equal(json_string_value(json_object_get(body, "stringValue")),
                      "cache.get error timeout");
  assert_int_equal(json_integer_value(json_object_get(read, "severityNumber")), 17);
  assert_string_equal(json_string_value(json_object_get(read, "severityText")), "ERROR");
  assert_string_equal(receiver_attribute(read, "message"), "said \"no\"\r\n\x01\xEF\xBF\xBD");
  assert_string_equal(receiver_attribute(read, "area"), "users");
  assert_non_null(json_object_get(read, "traceId"));
  char *text = json_dumps(request, 0);
  assert_null(strstr(text, "the key"));
  free(text);
  assert_null(json_object_get(json_array_get(receiver_items(request), 1), "traceId"));
  json_decref(request);
  clear_items();
}

/* ---- texts and numbers ---- */

static uint64_t random_state = 42;
static uint32_t draw(uint32_t bound)
{
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % bound;
}

/* Bytes from which UTF-8, and what is nearly UTF-8, is likely to come about. */
static void write_any_texts(otlp_writer *writer)
{
  static const char bytes[] = "a\"\\\n\x1F\x7F\x80\xBF\xC2\xC3\xE0\xA0\xED\x9F\xEF\xF0\x90\xF4\x8F"
                              "\xF5\xFF{[,";
  otlp_pair any[40];
  static char names[40][8], texts[40][40];
  random_state = 42; /* both forms write the same */
  for (size_t i = 0; i < 40; i++) {
    snprintf(names[i], sizeof names[i], "n%zu", i);
    for (size_t k = 0; k + 1 < sizeof texts[i]; k++) texts[i][k] = bytes[draw(sizeof bytes - 1)];
    texts[i][draw(sizeof texts[i])] = '\0';
    any[i] = (otlp_pair){names[i], texts[i]};
  }
  const otlp_pairs pairs = {any, 40, 40, false};
  accel_otlp_write_spans(writer, &pairs, &items);
}

static void texts_of_any_bytes_are_the_same_in_both_forms(void **state)
{
  (void)state;
  strcpy(new_span("")->name, "cache.get");
  json_decref(same_in_both_forms(OTLP_TRACES, write_any_texts));
  clear_items();
}

/* A text of each length around the sizes at which a length needs one more byte. */
static void write_long_texts(otlp_writer *writer)
{
  static const size_t sizes[] = {0, 1, 100, 120, 127, 128, 129, 16383, 16384, 16385, 3000000};
  enum { COUNT = sizeof sizes / sizeof *sizes };
  otlp_pair any[COUNT];
  char names[COUNT][8];
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "n%zu", i);
    any[i] = (otlp_pair){names[i], malloc(sizes[i] + 1)};
    memset(any[i].value, 'x', sizes[i]);
    any[i].value[sizes[i]] = '\0';
  }
  const otlp_pairs pairs = {any, COUNT, COUNT, false};
  accel_otlp_write_spans(writer, &pairs, &items);
  for (size_t i = 0; i < COUNT; i++) free(any[i].value);
}

static void texts_of_any_length_are_the_same_in_both_forms(void **state)
{
  (void)state;
  strcpy(new_span("")->name, "cache.get");
  json_decref(same_in_both_forms(OTLP_TRACES, write_long_texts));
  clear_items();
}

static void numbers_are_as_json_has_them(void **state)
{
  (void)state;
  otlp_writer writer = {.form = OTLP_JSON};
  accel_otlp_write_root_begin(&writer);
  accel_otlp_write_double(&writer, 1, "a", 0.5);
  accel_otlp_write_double(&writer, 2, "b", 1e300);
  accel_otlp_write_sint32(&writer, 3, "c", INT32_MIN);
  accel_otlp_write_int64(&writer, 4, "d", INT64_MIN);
  accel_otlp_write_root_end(&writer);
  static const char expected[] =
      "{\"a\":0.5,\"b\":1.0000000000000001e+300,\"c\":-2147483648,\"d\":\"-9223372036854775808\"}";
  assert_int_equal(writer.out.size, sizeof expected - 1);
  assert_memory_equal(writer.out.data, expected, sizeof expected - 1);
  accel_otlp_writer_release(&writer);
}

/* By the rules of protobuf's encoding, written out by hand. */
static void numbers_are_as_protobuf_has_them(void **state)
{
  (void)state;
  static const unsigned char expected[] = {
      0x08, 0xAC, 0x02,                                                 /* 1: 300 */
      0x10, 0x01,                                                       /* 2: true */
      0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, /* 3: -1 */
      0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F,                               /* 4: INT32_MIN, zigzag */
      0x28, 0x03,                                                       /* 5: -2 */
      0x35, 0x04, 0x03, 0x02, 0x01,                                     /* 6: fixed32 */
      0x39, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,             /* 7: fixed64 */
      0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xE0, 0x3F,             /* 8: 0.5 */
      0x4A, 0x03, 0x01, 0x80, 0x01,                                     /* 9: packed 1, 128 */
      0x82, 0x01, 0x02, 0x08, 0x07,                                     /* 16: a message */
  };
  const uint64_t packed[] = {1, 128};
  otlp_writer writer = {.form = OTLP_PROTOBUF};
  accel_otlp_write_uint32(&writer, 1, "", 300);
  accel_otlp_write_bool(&writer, 2, "", true);
  accel_otlp_write_int64(&writer, 3, "", -1);
  accel_otlp_write_sint32(&writer, 4, "", INT32_MIN);
  accel_otlp_write_sint32(&writer, 5, "", -2);
  accel_otlp_write_fixed32(&writer, 6, "", 0x01020304);
  accel_otlp_write_fixed64(&writer, 7, "", 0x0102030405060708);
  accel_otlp_write_double(&writer, 8, "", 0.5);
  accel_otlp_write_packed(&writer, 9, "", packed, 2);
  accel_otlp_write_begin(&writer, 16, "");
  accel_otlp_write_uint32(&writer, 1, "", 7);
  accel_otlp_write_end(&writer);
  assert_int_equal(writer.out.size, sizeof expected);
  assert_memory_equal(writer.out.data, expected, sizeof expected);
  accel_otlp_writer_release(&writer);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(metrics_are_the_same_in_both_forms),
      cmocka_unit_test(spans_are_the_same_in_both_forms),
      cmocka_unit_test(logs_are_the_same_in_both_forms),
      cmocka_unit_test(texts_of_any_bytes_are_the_same_in_both_forms),
      cmocka_unit_test(texts_of_any_length_are_the_same_in_both_forms),
      cmocka_unit_test(numbers_are_as_json_has_them),
      cmocka_unit_test(numbers_are_as_protobuf_has_them),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, begin, end);
}

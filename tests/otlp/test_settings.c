/* test_settings.c: fields and variables: which one counts, and what is refused with which words. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "accel_backends/otlp/settings.h"

static otlp_settings settings;

static int forget_environment(void **state)
{
  (void)state;
  clearenv();
  return 0;
}

static int close_settings(void **state)
{
  (void)state;
  accel_otlp_settings_close(&settings);
  return 0;
}

static void use(const accel_otlp_config *config)
{
  accel_otlp_settings_close(&settings);
  if (accel_otlp_settings_open(&settings, &settings, config) != ACCEL_OK)
    fail_msg("%s", accel_error_text(&settings));
}

static const accel_otlp_config defaults;

/* Open refuses, and its text has both words. */
static void refused(const accel_otlp_config *config, const char *word, const char *other)
{
  accel_otlp otlp;
  assert_int_equal(accel_otlp_open(&otlp, config), ACCEL_ERR_CONFIG);
  const char *text = accel_otlp_last_error(&otlp);
  if (strstr(text, word) == NULL || strstr(text, other) == NULL)
    fail_msg("neither %s nor %s: %s", word, other, text);
  assert_true(otlp.state == NULL);
  accel_otlp_close(&otlp);
}

static void refused_variable(const char *name, const char *value, const char *word)
{
  setenv(name, value, 1);
  refused(&defaults, name, word);
  unsetenv(name);
}

/* ---- what counts ---- */

static void nothing_set_means_the_defaults(void **state)
{
  (void)state;
  use(&defaults);
  assert_string_equal(settings.targets[OTLP_METRICS].url, "http://127.0.0.1:4318/v1/metrics");
  assert_string_equal(settings.targets[OTLP_TRACES].url, "http://127.0.0.1:4318/v1/traces");
  assert_string_equal(settings.targets[OTLP_LOGS].url, "http://127.0.0.1:4318/v1/logs");
  for (int i = 0; i < OTLP_SIGNALS; i++) {
    assert_int_equal(settings.targets[i].form, OTLP_PROTOBUF);
    assert_int_equal(settings.targets[i].timeout_ms, 10000);
    assert_int_equal(settings.targets[i].headers.count, 0);
    assert_true(settings.targets[i].is_gzip);
  }
  assert_int_equal(settings.interval_ms, 60000);
  assert_int_equal(settings.queue_size, 2048);
  assert_int_equal(settings.batch_size, 512);
  assert_int_equal(settings.batch_delay_ms, 5000);
  assert_false(settings.is_disabled);
  const char *name = accel_otlp_pairs_find(&settings.resource, "service.name");
  assert_non_null(strstr(name, "unknown_service:otlp_test_settings"));
  assert_int_equal(strlen(accel_otlp_pairs_find(&settings.resource, "service.instance.id")), 36);
}

static void a_variable_of_a_signal_counts_before_that_of_all(void **state)
{
  (void)state;
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/base/?key=1#x", 1);
  setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces/as/it/is", 1);
  setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "", 1);
  setenv("OTEL_EXPORTER_OTLP_HEADERS", " a=1 , B = two%20words%2C , ,c=", 1);
  setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=9", 1);
  setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "7000", 1);
  setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "8000", 1);
  setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none", 1);
  setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", 1);
  setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", 1);
  setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf", 1);
  use(&defaults);
  const otlp_target *targets = settings.targets;
  assert_string_equal(targets[OTLP_METRICS].url, "https://collector:4318/base/v1/metrics?key=1");
  assert_string_equal(targets[OTLP_TRACES].url, "http://traces/as/it/is");
  assert_string_equal(targets[OTLP_LOGS].url, "https://collector:4318/base/v1/logs?key=1");
  assert_string_equal(accel_otlp_pairs_find(&targets[OTLP_METRICS].headers, "a"), "9");
  assert_null(accel_otlp_pairs_find(&targets[OTLP_METRICS].headers, "b"));
  assert_string_equal(accel_otlp_pairs_find(&targets[OTLP_LOGS].headers, "b"), "two words,");
  assert_string_equal(accel_otlp_pairs_find(&targets[OTLP_LOGS].headers, "c"), "");
  assert_int_equal(targets[OTLP_METRICS].timeout_ms, 7000);
  assert_int_equal(targets[OTLP_LOGS].timeout_ms, 8000);
  assert_false(targets[OTLP_METRICS].is_gzip);
  assert_true(targets[OTLP_TRACES].is_gzip);
  assert_int_equal(targets[OTLP_METRICS].form, OTLP_PROTOBUF);
  assert_int_equal(targets[OTLP_LOGS].form, OTLP_JSON);
}

static void a_field_counts_before_a_variable(void **state)
{
  (void)state;
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://wrong", 1);
  setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://wrong", 1);
  setenv("OTEL_EXPORTER_OTLP_HEADERS", "wrong=1", 1);
  setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1", 1);
  setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
  setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 1);
  setenv("OTEL_METRIC_EXPORT_INTERVAL", "1", 1);
  setenv("OTEL_SERVICE_NAME", "wrong", 1);
  setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=wrong", 1);
  const accel_otlp_config config = {.endpoint = "http://right:1",
                                    .headers = "right=1",
                                    .service_name = "right",
                                    .resource_attributes = "a=1,a=2,A=3,service.name=wrong",
                                    .interval_ms = 2,
                                    .timeout_ms = 3,
                                    .span_queue = 10,
                                    .json = true,
                                    .no_gzip = true};
  use(&config);
  assert_string_equal(settings.targets[OTLP_TRACES].url, "http://right:1/v1/traces");
  assert_int_equal(settings.targets[OTLP_TRACES].headers.count, 1);
  assert_int_equal(settings.targets[OTLP_TRACES].timeout_ms, 3);
  assert_int_equal(settings.targets[OTLP_TRACES].form, OTLP_JSON);
  assert_false(settings.targets[OTLP_TRACES].is_gzip);
  assert_int_equal(settings.interval_ms, 2);
  assert_int_equal(settings.queue_size, 10);
  assert_int_equal(settings.batch_size, 10);
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "service.name"), "right");
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "a"), "1");
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "A"), "3");
}

static void no_variable_counts_with_no_environment(void **state)
{
  (void)state;
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense", 1);
  setenv("OTEL_SDK_DISABLED", "true", 1);
  setenv("OTEL_SERVICE_NAME", "wrong", 1);
  const accel_otlp_config config = {.no_environment = true};
  use(&config);
  assert_string_equal(settings.targets[OTLP_LOGS].url, "http://127.0.0.1:4318/v1/logs");
  assert_null(strstr(accel_otlp_pairs_find(&settings.resource, "service.name"), "wrong"));
  assert_false(settings.is_disabled);
}

static void a_service_has_one_name(void **state)
{
  (void)state;
  setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=of%20attributes,dc=fra,%6Bey=v%3D", 1);
  use(&defaults);
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "service.name"), "of attributes");
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "dc"), "fra");
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "key"), "v=");
  setenv("OTEL_SERVICE_NAME", "of the variable", 1);
  use(&defaults);
  assert_string_equal(accel_otlp_pairs_find(&settings.resource, "service.name"), "of the variable");
}

static void a_disabled_exporter_opens_and_sends_nothing(void **state)
{
  (void)state;
  accel_otlp otlp;
  const accel_log_record record = {.area = "a", .op = "get", .result = "ok"};
  setenv("OTEL_SDK_DISABLED", "TRUE", 1);
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1);
  assert_int_equal(accel_otlp_open(&otlp, &defaults), ACCEL_OK);
  const accel_span_ops *spans = accel_otlp_spans(&otlp);
  void *span = spans->begin(spans->ctx, "cache.get", "a");
  spans->note(spans->ctx, span, "key", NULL, 1);
  spans->end(spans->ctx, span, ACCEL_OK);
  accel_otlp_log(&otlp, &record);
  assert_int_equal(accel_otlp_flush(&otlp, ACCEL_FOREVER), ACCEL_OK);
  accel_otlp_close(&otlp);
}

/* ---- what is refused ---- */

static void what_is_no_url_is_refused_by_name(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "localhost:4318",    "collector",  "ftp://host", "http://",
      "http://host:99999", "http://a b", "://",        "grpc://host:4317"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    refused_variable("OTEL_EXPORTER_OTLP_ENDPOINT", wrong[i], "http://host:4318");
    refused_variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", wrong[i], "no URL");
    const accel_otlp_config config = {.endpoint = wrong[i]};
    refused(&config, "endpoint is", "no URL");
  }
}

static void wrong_values_are_refused_by_name(void **state)
{
  (void)state;
  refused_variable("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "4318");
  refused_variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http", "http/json");
  refused_variable("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none");
  refused_variable("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "\"10s\"");
  refused_variable("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0", "from 1");
  refused_variable("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "from 1");
  refused_variable("OTEL_EXPORTER_OTLP_TIMEOUT", "99999999999999999999999", "86400000");
  refused_variable("OTEL_METRIC_EXPORT_INTERVAL", " 60", "from 1");
  refused_variable("OTEL_BSP_MAX_QUEUE_SIZE", "lots", "from 1");
  refused_variable("OTEL_BSP_SCHEDULE_DELAY", "1.5", "from 1");
  refused_variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0x10", "from 1");
  refused_variable("OTEL_SDK_DISABLED", "yes", "true or false");
  refused_variable("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "cumulative");
  refused_variable("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/at/all", "no such file");
  refused_variable("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/nowhere/at/all", "no such file");
  refused_variable("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere", "no such file");
  refused_variable("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "pair 2");
  refused_variable("OTEL_RESOURCE_ATTRIBUTES", "=1", "no name");
  refused_variable("OTEL_RESOURCE_ATTRIBUTES", "a=%00b", "%00");
}

static void wrong_fields_are_refused_by_name(void **state)
{
  (void)state;
  accel_observer closed = {NULL};
  accel_otlp_config config = {.certificate = "/nowhere"};
  refused(&config, "certificate", "no such file");
  config = (accel_otlp_config){.interval_ms = 86400001};
  refused(&config, "interval_ms is 86400001", "86400000");
  config = (accel_otlp_config){.timeout_ms = ACCEL_FOREVER};
  refused(&config, "timeout_ms", "86400000");
  config = (accel_otlp_config){.span_queue = SIZE_MAX};
  refused(&config, "span_queue", "1048576");
  config = (accel_otlp_config){.span_queue = 10, .batch_size = 11};
  refused(&config, "batch_size is 11", "span_queue, which is 10");
  config = (accel_otlp_config){.resource_attributes = "a"};
  refused(&config, "resource_attributes", "pair 1");
  config = (accel_otlp_config){.observer = &closed};
  refused(&config, "observer", "accel_observer_open");
  refused(NULL, "config is NULL", "");
  assert_int_equal(accel_otlp_open(NULL, &defaults), ACCEL_ERR_CONFIG);
}

/* ---- what nobody may see ---- */

#define SECRET "s3cr3t"

/* Refused by `name`, and the text does not contain the secret. */
static void refused_without_secret(const char *name, const char *value)
{
  accel_otlp otlp;
  setenv(name, value, 1);
  assert_int_equal(accel_otlp_open(&otlp, &defaults), ACCEL_ERR_CONFIG);
  const char *text = accel_otlp_last_error(&otlp);
  if (strstr(text, SECRET) != NULL || strstr(text, name) == NULL)
    fail_msg("of %s=%s: %s", name, value, text);
  unsetenv(name);
  const accel_otlp_config config = {.headers = strstr(name, "HEADERS") == NULL ? NULL : value};
  if (config.headers == NULL) return;
  assert_int_equal(accel_otlp_open(&otlp, &config), ACCEL_ERR_CONFIG);
  text = accel_otlp_last_error(&otlp);
  if (strstr(text, SECRET) != NULL || strstr(text, "headers") != text) fail_msg("%s", text);
}

static void headers_that_cannot_be_are_refused_without_their_values(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      SECRET,
      "authorization: Bearer " SECRET,
      "authorization: Basic " SECRET "=",
      "a=1,Authorization Bearer=" SECRET,
      "=" SECRET,
      "authorization=" SECRET "%0D%0AX-Other: 1",
      "authorization=" SECRET "\x01",
      "authorization=" SECRET "%00",
      "a=1," SECRET,
      "content-type=" SECRET,
      "Content-Length=" SECRET,
      "HOST=" SECRET,
      "b\xC3\xA9=" SECRET,
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    refused_without_secret("OTEL_EXPORTER_OTLP_HEADERS", wrong[i]);
    refused_without_secret("OTEL_EXPORTER_OTLP_TRACES_HEADERS", wrong[i]);
  }
}

static void keys_in_urls_are_not_shown(void **state)
{
  (void)state;
  refused_without_secret("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://user:" SECRET "@host");
  refused_without_secret("OTEL_EXPORTER_OTLP_ENDPOINT", SECRET "@host");
  refused_without_secret("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://host/?key=" SECRET);
  refused_without_secret("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://host/#" SECRET);
}

static void too_many_pairs_are_refused(void **state)
{
  (void)state;
  char text[129 * 8] = "";
  for (int i = 0; i < 129; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "h%d=1,", i);
  const accel_otlp_config config = {.headers = text};
  refused(&config, "headers", "128");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, forget_environment, close_settings)
  const struct CMUnitTest tests[] = {
      TEST(nothing_set_means_the_defaults),
      TEST(a_variable_of_a_signal_counts_before_that_of_all),
      TEST(a_field_counts_before_a_variable),
      TEST(no_variable_counts_with_no_environment),
      TEST(a_service_has_one_name),
      TEST(a_disabled_exporter_opens_and_sends_nothing),
      TEST(what_is_no_url_is_refused_by_name),
      TEST(wrong_values_are_refused_by_name),
      TEST(wrong_fields_are_refused_by_name),
      TEST(headers_that_cannot_be_are_refused_without_their_values),
      TEST(keys_in_urls_are_not_shown),
      TEST(too_many_pairs_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

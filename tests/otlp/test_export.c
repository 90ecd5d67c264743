/* test_export.c: what reaches a receiver: metrics, spans and logs, in both forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "otlp_world.h"

static void metrics_are_those_of_the_snapshot(void **state)
{
  otlp_world world;
  (void)state;
  otlp_world_begin(&world);
  const accel_otlp_config config = otlp_world_config(&world);
  otlp_world_open(&world, &config);
  uint64_t out;
  for (uint64_t key = 0; key < 20; key++) number_cache_get(&world.cache, key, &out);
  for (uint64_t key = 0; key < 20; key++) number_cache_get(&world.cache, key, &out);
  otlp_world_flush(&world);
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  accel_otel_point points[ACCEL_COUNTERS];
  const size_t count = number_cache_otel_metric_points(&world.cache, points, ACCEL_COUNTERS);
  assert_int_equal(count, ACCEL_COUNTERS);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(receiver_value(request, points[i].name, "area", "numbers"), points[i].value);
  assert_true(receiver_value(request, "accelerator_cache_local_hit_total", "area", "numbers") > 0);
  char *text = json_dumps(request, JSON_INDENT(1));
  if (getenv("DUMP")) puts(text);
  free(text);
  assert_string_equal(receiver_resource(request, "service.name"), "test");
  json_decref(request);
  request = otlp_world_take(&world, "/v1/traces");
  text = json_dumps(request, JSON_INDENT(1));
  if (getenv("DUMP")) puts(text);
  free(text);
  json_decref(request);
  request = otlp_world_take(&world, "/v1/logs");
  text = json_dumps(request, JSON_INDENT(1));
  if (getenv("DUMP")) puts(text);
  free(text);
  json_decref(request);
  otlp_world_end(&world);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(metrics_are_those_of_the_snapshot),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

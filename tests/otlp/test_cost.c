/* test_cost.c: what an export of 40 caches costs, printed, and what it may cost, in counts.
 *
 * Times depend on the machine and are printed only. The counts do not: requests, bytes, points.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/observer_state.h"
#include "accel_backends/otlp/gzip.h"
#include "accel_backends/otlp/messages.h"
#include "otlp_world.h"

enum { CACHES = 40, ROUNDS = 21, READS = 300 };

static otlp_world world;
static number_cache caches[CACHES];

static double cpu_ms(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *times)
{
  qsort(times, ROUNDS, sizeof *times, compare);
  return times[ROUNDS / 2];
}

static int open_all(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  accel_otlp_config config = otlp_world_config(&world);
  otlp_world_open(&world, &config);
  for (size_t i = 0; i < CACHES; i++) {
    char area[16];
    uint64_t out;
    snprintf(area, sizeof area, "area%zu", i);
    const accel_config of_cache = {.area = area,
                                   .capacity = 1000,
                                   .remote = &world.fake,
                                   .observer = &world.observer,
                                   .loader_timeout_ms = ACCEL_FOREVER};
    assert_int_equal(number_cache_open(&caches[i], &of_cache), ACCEL_OK);
    number_cache_set_loader(&caches[i], otlp_world_load, NULL);
    for (uint64_t key = 0; key < READS; key++) number_cache_get(&caches[i], key % (i + 50), &out);
  }
  return 0;
}

static int close_all(void **state)
{
  (void)state;
  for (size_t i = 0; i < CACHES; i++) number_cache_close(&caches[i]);
  otlp_world_end(&world);
  return 0;
}

/* The whole of it: to ask the caches, to write, to compress, to send, to read the answer. */
static void an_export_of_40_caches(void **state)
{
  (void)state;
  double times[ROUNDS];
  for (size_t i = 0; i < ROUNDS; i++) {
    const double before_ms = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    otlp_world_flush(&world);
    times[i] = cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - before_ms;
  }
  json_t *request = otlp_world_take(&world, "/v1/metrics");
  size_t requests = 1;
  while (requests < ROUNDS) {
    json_decref(otlp_world_take(&world, "/v1/metrics"));
    requests++;
  }
  const long long raw = json_integer_value(json_object_get(request, "raw"));
  const long long bytes = json_integer_value(json_object_get(request, "bytes"));
  for (size_t i = 0; i < CACHES; i++) {
    char area[16];
    snprintf(area, sizeof area, "area%zu", i);
    assert_true(receiver_value(request, "accelerator_cache_local_hit_total", "area", area) > 0);
  }
  json_decref(request);
  print_message("an export of %d caches: %.3f ms of CPU (median of %d), %lld bytes, %lld sent\n",
                CACHES, median(times), ROUNDS, raw, bytes);
  assert_in_range(raw, 10000, 1000000);
  assert_in_range(bytes, 1000, raw / 4);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 0);
}

static void of_it(void **state)
{
  (void)state;
  double asked[ROUNDS], written[ROUNDS], compressed[ROUNDS];
  otlp_writer writer = {.form = OTLP_PROTOBUF};
  const otlp_pairs resource = {.items = NULL};
  accel_buffer out = {.data = NULL};
  otlp_gzip gzip = {NULL};
  size_t points = 0;
  for (size_t i = 0; i < ROUNDS; i++) {
    accel_observation observation;
    const double start_ms = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
    assert_int_equal(accel_observer_observe(&world.observer, &observation), ACCEL_OK);
    const double asked_ms = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
    accel_otlp_writer_reset(&writer, OTLP_PROTOBUF);
    points = accel_otlp_write_metrics(&writer, &resource, &observation);
    const double written_ms = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
    assert_true(accel_otlp_gzip(&gzip, &writer.out, &out));
    compressed[i] = cpu_ms(CLOCK_THREAD_CPUTIME_ID) - written_ms;
    written[i] = written_ms - asked_ms;
    asked[i] = asked_ms - start_ms;
    accel_observation_release(&observation);
  }
  print_message("of it: asking %.3f ms, writing %zu points %.3f ms, compressing %.3f ms\n",
                median(asked), points, median(written), median(compressed));
  assert_true(points > (size_t)CACHES * ACCEL_COUNTERS);
  accel_otlp_writer_release(&writer);
  accel_buffer_release(&out);
  accel_otlp_gzip_release(&gzip);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_export_of_40_caches),
      cmocka_unit_test(of_it),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, open_all, close_all);
}

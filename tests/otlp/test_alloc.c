/* test_alloc.c: an exporter for which each allocation fails in turn, or all from one on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "accel/platform/thread.h"
#include "failing_alloc.h"
#include "otlp_world.h"

static otlp_world world;
static accel_otlp_config config;

static int begin(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  config = otlp_world_config(&world);
  config.headers = "authorization=Bearer%20abc,x=y";
  config.resource_attributes = "a=b,c=d";
  config.timeout_ms = 5000;
  return 0;
}

static int end(void **state)
{
  (void)state;
  failing_alloc_fail_nth(0);
  otlp_world_end(&world);
  return 0;
}

/* All that an exporter does, once. True: it could be opened. */
static bool run(void)
{
  const accel_status opened = accel_otlp_open(&world.otlp, &config);
  if (opened != ACCEL_OK) {
    assert_int_equal(opened, ACCEL_ERR_NOMEM);
    assert_true(accel_otlp_last_error(&world.otlp)[0] != '\0');
    assert_true(world.otlp.state == NULL);
    return false;
  }
  const accel_span_ops *spans = accel_otlp_spans(&world.otlp);
  const accel_trace outer = accel_trace_current();
  for (int i = 0; i < 3; i++) {
    void *span = spans->begin(spans->ctx, "GET", "numbers");
    spans->note(spans->ctx, span, "server.address", "127.0.0.1", 0);
    spans->end(spans->ctx, span, ACCEL_ERR_TIMEOUT);
    accel_trace_enter(&outer);
    otlp_world_add_record(&world, "text");
  }
  accel_otlp_flush(&world.otlp, 10);
  accel_otlp_close(&world.otlp);
  return true;
}

static void each_allocation_may_fail(void **state)
{
  (void)state;
  const uint64_t live = failing_alloc_live_blocks();
  size_t opened = 0;
  uint64_t n = 0, failures = 1;
  while (failures > 0) {
    failing_alloc_fail_nth(++n);
    opened += run();
    failures = failing_alloc_failures();
    failing_alloc_fail_nth(0);
    assert_int_equal(failing_alloc_live_blocks(), live);
  }
  print_message("%u allocations failed in turn, %zu after open\n", (unsigned)n, opened);
  assert_true(n > 50 && opened > 10 && opened < n);
  assert_true(receiver_drain(&world.receiver, "/v1/traces") > 0);
}

/* With no memory at all from some moment on, it loses and counts, and recovers. */
static void all_allocations_may_fail_from_any_on(void **state)
{
  (void)state;
  const uint64_t live = failing_alloc_live_blocks();
  config.timeout_ms = 1; /* metrics cannot be made */
  for (uint64_t n = 1; n < 160; n += 3) {
    failing_alloc_fail_from(n);
    run();
    failing_alloc_fail_nth(0);
    assert_int_equal(failing_alloc_live_blocks(), live);
  }
}

static void what_found_no_memory_is_counted(void **state)
{
  (void)state;
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_OK);
  failing_alloc_fail_from(1);
  for (int i = 0; i < 5; i++) otlp_world_add_span(&world, "cache.get");
  for (int i = 0; i < 7; i++) otlp_world_add_record(&world, "text");
  failing_alloc_fail_from(0);
  assert_int_equal(otlp_world_count(&world, "dropped", "traces"), 5);
  assert_int_equal(otlp_world_count(&world, "dropped", "logs"), 7);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_flush(&world);
  assert_int_equal(otlp_world_count(&world, "exported", "traces"), 1);
}

/* However long the receiver is down, the queues and what is in hand are all the memory there is. */
static void memory_is_flat_while_the_receiver_is_down(void **state)
{
  (void)state;
  config.interval_ms = 1;
  config.batch_delay_ms = 1;
  config.span_queue = 64;
  config.batch_size = 16;
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_OK);
  receiver_kill(&world.receiver);
  uint64_t most = 0;
  for (int round = 0; round < 40; round++) {
    const uint64_t retried = otlp_world_count(&world, "retried", "metrics");
    for (int i = 0; i < 100; i++) {
      otlp_world_add_span(&world, "cache.get");
      otlp_world_add_record(&world, "text");
    }
    for (int wait = 0; wait < 60000; wait++) {
      if (otlp_world_count(&world, "retried", "metrics") > retried + 1) break;
      accel_thread_sleep(1000);
    }
    const uint64_t peak = failing_alloc_peak_bytes();
    if (round == 9) most = peak; /* all that grows has grown */
    if (round > 9) assert_in_range(peak, 0, most + most / 4);
  }
  print_message("at most %u bytes\n", (unsigned)most);
  assert_in_range(most, 1, 2u << 20);
  assert_true(receiver_restart(&world.receiver));
  otlp_world_flush(&world);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(each_allocation_may_fail),
      TEST(all_allocations_may_fail_from_any_on),
      TEST(what_found_no_memory_is_counted),
      TEST(memory_is_flat_while_the_receiver_is_down),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

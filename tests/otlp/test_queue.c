/* test_queue.c: what waits while nobody listens: it is bounded, and what is new is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "accel_backends/otlp/queue.h"
#include "otlp_world.h"

static otlp_world world;
static accel_otlp_config config;

/* Port 1 of the loopback interface: nobody listens there. */
static int begin(void **state)
{
  (void)state;
  memset(&world, 0, sizeof world);
  setenv("no_proxy", "*", 1);
  assert_int_equal(accel_observer_open(&world.observer, NULL), ACCEL_OK);
  snprintf(world.receiver.url, sizeof world.receiver.url, "http://127.0.0.1:1");
  config = otlp_world_config(&world);
  config.timeout_ms = 50;
  return 0;
}

static int end(void **state)
{
  (void)state;
  accel_otlp_close(&world.otlp);
  accel_observer_close(&world.observer);
  return 0;
}

static void a_full_queue_drops_what_is_new(void **state)
{
  (void)state;
  config.span_queue = config.batch_size = 10;
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_OK);
  for (int i = 0; i < 100; i++) otlp_world_add_span(&world, "cache.get");
  for (int i = 0; i < 100; i++) otlp_world_add_record(&world, "text");
  /* One batch may be in hand already, and makes room for another ten. */
  assert_in_range(otlp_world_count(&world, "dropped", "traces"), 80, 90);
  assert_in_range(otlp_world_count(&world, "dropped", "logs"), 80, 90);
  assert_int_equal(otlp_world_count(&world, "exported", "traces"), 0);
}

static void an_outage_is_no_failure_of_open_or_close(void **state)
{
  (void)state;
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_OK);
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, 1), ACCEL_ERR_TIMEOUT);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "1 ms"));
  assert_int_equal(otlp_world_count(&world, "dropped", "traces"), 0);
}

/* A batch takes the oldest, in their order. */
static void a_queue_keeps_its_order(void **state)
{
  (void)state;
  otlp_queue queue = {.first = NULL};
  otlp_item *items[5];
  for (size_t i = 0; i < 5; i++) {
    items[i] = calloc(1, sizeof *items[i]);
    accel_otlp_queue_add(&queue, items[i]);
  }
  otlp_queue taken = accel_otlp_queue_take(&queue, 2);
  assert_int_equal(taken.count, 2);
  assert_int_equal(queue.count, 3);
  assert_ptr_equal(taken.first, items[0]);
  assert_ptr_equal(taken.last, items[1]);
  assert_null(taken.last->next);
  assert_ptr_equal(queue.first, items[2]);
  accel_otlp_queue_clear(&taken);
  taken = accel_otlp_queue_take(&queue, 10);
  assert_int_equal(taken.count, 3);
  assert_true(queue.first == NULL && queue.last == NULL && queue.count == 0);
  accel_otlp_queue_add(&queue, accel_otlp_queue_take(&taken, 1).first);
  assert_int_equal(queue.count, 1);
  accel_otlp_queue_clear(&queue);
  accel_otlp_queue_clear(&taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(a_full_queue_drops_what_is_new),
      TEST(an_outage_is_no_failure_of_open_or_close),
      TEST(a_queue_keeps_its_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

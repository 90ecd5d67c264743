/* What a thread tries before it sleeps, on times that the test invents: no socket, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/server/spin.h"

enum { SPIN_US = 100 };
static const uint64_t limit_ns = SPIN_US * UINT64_C(1000);

/* Four times spin_us in vain, then a pause 64 times as long as what was lost. */
static void looks_in_vain_end_in_a_pause(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = SPIN_US};
  const uint64_t now_ns = 1000000;
  for (int i = 0; i < 3; i++) {
    accel_redis_spin_note_look(&spin, now_ns, limit_ns, 0, false);
    assert_true(accel_redis_spin_may_look(&spin, now_ns));
  }
  accel_redis_spin_note_look(&spin, now_ns, limit_ns, 0, false);
  assert_false(accel_redis_spin_may_look(&spin, now_ns));
  assert_false(accel_redis_spin_may_look(&spin, now_ns + 64 * 4 * limit_ns - 1));
  assert_true(accel_redis_spin_may_look(&spin, now_ns + 64 * 4 * limit_ns));
}

static void a_reply_in_time_forgives_what_was_lost(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = SPIN_US};
  for (int i = 0; i < 100; i++) {
    for (int k = 0; k < 3; k++) accel_redis_spin_note_look(&spin, 1, limit_ns, 0, false);
    accel_redis_spin_note_look(&spin, 1, limit_ns, 0, true);
    assert_true(accel_redis_spin_may_look(&spin, 1));
  }
}

/* Each request that came meanwhile excuses spin_us more; what comes later still was in vain. */
static void requests_excuse_a_late_reply(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = SPIN_US};
  for (int i = 0; i < 100; i++) accel_redis_spin_note_look(&spin, 1, 9 * limit_ns, 8, true);
  assert_true(accel_redis_spin_may_look(&spin, 1));
  accel_redis_spin_note_look(&spin, 1, 9 * limit_ns + 1, 8, true);
  assert_false(accel_redis_spin_may_look(&spin, 1));
}

static void a_pause_has_a_limit(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = 1000000};
  accel_redis_spin_note_look(&spin, 0, UINT64_C(4000000000), 0, false);
  assert_false(accel_redis_spin_may_look(&spin, UINT64_C(9999999999)));
  assert_true(accel_redis_spin_may_look(&spin, UINT64_C(10000000000)));
}

static void a_look_ends_with_the_time_that_is_left(void **state)
{
  (void)state;
  const redis_spin spin = {.spin_us = 5000};
  assert_int_equal(accel_redis_spin_look_ns(&spin, 4), 4000000);
  assert_int_equal(accel_redis_spin_look_ns(&spin, 5), 5000000);
  assert_int_equal(accel_redis_spin_look_ns(&spin, 1000), 5000000);
}

static void who_only_sleeps_neither_looks_nor_yields(void **state)
{
  (void)state;
  const redis_spin spin = {.spin_us = 0};
  assert_false(accel_redis_spin_may_look(&spin, 1));
  assert_false(accel_redis_spin_may_yield(&spin, 1));
}

static void yields_in_vain_end_in_a_pause_of_their_own(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = SPIN_US};
  const uint64_t most_ns = 200000000;
  accel_redis_spin_note_yield(&spin, 0, most_ns - 1, false);
  assert_true(accel_redis_spin_may_yield(&spin, 0));
  accel_redis_spin_note_yield(&spin, 0, most_ns, true);
  accel_redis_spin_note_yield(&spin, 0, most_ns - 1, false);
  assert_true(accel_redis_spin_may_yield(&spin, 0));
  accel_redis_spin_note_yield(&spin, 0, 1, false);
  assert_false(accel_redis_spin_may_yield(&spin, 0));
  assert_true(accel_redis_spin_may_look(&spin, 0));
}

/* Threads that use this connection add requests, each of which excuses 300 us. */
static void strangers_on_the_processor_end_in_a_pause_at_once(void **state)
{
  (void)state;
  redis_spin spin = {.spin_us = SPIN_US};
  assert_false(accel_redis_spin_note_others(&spin, 0, 1000, 0));
  assert_true(accel_redis_spin_note_others(&spin, 0, 1001, 0));
  assert_true(accel_redis_spin_note_others(&spin, 0, 1200000, 3));
  assert_true(accel_redis_spin_may_let_run(&spin, 0));
  assert_true(accel_redis_spin_note_others(&spin, 0, 1200001, 3));
  assert_false(accel_redis_spin_may_let_run(&spin, 64 * UINT64_C(1200001) - 1));
  assert_true(accel_redis_spin_may_let_run(&spin, 64 * UINT64_C(1200001)));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(looks_in_vain_end_in_a_pause),
      cmocka_unit_test(a_reply_in_time_forgives_what_was_lost),
      cmocka_unit_test(requests_excuse_a_late_reply),
      cmocka_unit_test(a_pause_has_a_limit),
      cmocka_unit_test(a_look_ends_with_the_time_that_is_left),
      cmocka_unit_test(who_only_sleeps_neither_looks_nor_yields),
      cmocka_unit_test(yields_in_vain_end_in_a_pause_of_their_own),
      cmocka_unit_test(strangers_on_the_processor_end_in_a_pause_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

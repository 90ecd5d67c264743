/* The ticks, and that no hit is served too late because of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"
#include "accel/platform/tick.h"

#include "failing_alloc.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000u
#define LATE_MS 10u /* one tick of the system's coarse clock: what api.md allows */

static uint64_t word(void)
{
  return accel_load_relaxed(&accel_tick_word);
}

/* Whether the word gets above `floor`. */
static bool ticks_past(uint64_t floor)
{
  const uint64_t end_ms = accel_clock_deadline(PATIENCE_MS);
  while (accel_clock_monotonic_ms() < end_ms) {
    if (word() != ACCEL_TICK_NONE && word() > floor) return true;
    usleep(1000);
  }
  return false;
}

static void the_word_follows_the_clock_while_it_is_held(void **state)
{
  (void)state;
  assert_true(word() == ACCEL_TICK_NONE);
  const uint64_t start_ms = accel_clock_read(NULL);
  accel_tick_hold();
  assert_true(ticks_past((start_ms << ACCEL_TICK_SHIFT) - 1));
  const uint64_t seen = word();
  assert_true(ticks_past(seen));
  assert_true(word() >> ACCEL_TICK_SHIFT <= accel_clock_read(NULL));
  accel_tick_release();
  assert_true(word() == ACCEL_TICK_NONE);
}

static void the_last_release_ends_it(void **state)
{
  (void)state;
  for (int turn = 0; turn < 3; turn++) {
    accel_tick_hold();
    accel_tick_hold();
    accel_tick_release();
    assert_true(ticks_past(0));
    accel_tick_release();
    assert_true(word() == ACCEL_TICK_NONE);
  }
}

static void without_memory_nobody_ticks(void **state)
{
  (void)state;
  failing_alloc_fail_from(1);
  accel_tick_hold();
  failing_alloc_fail_from(0);
  assert_true(word() == ACCEL_TICK_NONE);
  accel_tick_hold(); /* the next one tries again */
  assert_true(ticks_past(0));
  accel_tick_release();
  accel_tick_release();
}

static void a_child_ticks_for_itself(void **state)
{
  (void)state;
  accel_tick_hold();
  assert_true(ticks_past(0));
  const pid_t child = fork();
  if (child == 0) {
    const bool was_none = word() == ACCEL_TICK_NONE;
    accel_tick_hold();
    const bool ticks = ticks_past(0);
    accel_tick_release();
    accel_tick_release(); /* the parent's */
    _exit(was_none && ticks && word() == ACCEL_TICK_NONE ? 0 : 1);
  }
  int status = -1;
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  assert_true(ticks_past(0));
  accel_tick_release();
}

/* ---- hits ---- */

ACCEL_DEFINE(number, uint64_t, uint64_t)

static accel_status open_and_set(number_cache *numbers, uint32_t ttl_ms)
{
  const accel_config config = {.area = "numbers", .capacity = 100};
  const accel_write write = {.ttl_ms = ttl_ms};
  const uint64_t one = 1;
  const accel_status status = number_cache_open(numbers, &config);
  return status == ACCEL_OK ? number_cache_set_with(numbers, 1, &write, &one) : status;
}

/* Lives that are longer than the ticks may be late, and shorter, end when they should. */
static void nothing_is_served_too_late(void **state)
{
  const uint32_t lives_ms[] = {100, ACCEL_TICK_MARGIN_MS - 100, ACCEL_TICK_MARGIN_MS + 700};
  (void)state;
  for (size_t i = 0; i < sizeof lives_ms / sizeof *lives_ms; i++) {
    number_cache numbers;
    uint64_t out, begun_ms, served_ms = 0;
    const uint64_t written_ms = accel_clock_monotonic_ms();
    assert_int_equal(open_and_set(&numbers, lives_ms[i]), ACCEL_OK);
    const uint64_t limit_ms = accel_clock_monotonic_ms() + lives_ms[i];
    while (begun_ms = accel_clock_monotonic_ms(), number_cache_get(&numbers, 1, &out) == ACCEL_OK)
      served_ms = begun_ms;
    const uint64_t ended_ms = accel_clock_monotonic_ms();
    printf("a life of %u ms: last served after %u ms\n", (unsigned)lives_ms[i],
           (unsigned)(served_ms - written_ms));
    assert_true(served_ms <= limit_ms + LATE_MS);
    assert_true(ended_ms + LATE_MS >= written_ms + lives_ms[i]); /* nor given up too early */
    number_cache_close(&numbers);
  }
}

/* What the parent's ticks last said does not keep the child's entries alive. */
static void a_childs_hits_ask_the_clock(void **state)
{
  number_cache numbers, childs;
  (void)state;
  assert_int_equal(open_and_set(&numbers, ACCEL_TICK_MARGIN_MS + 300), ACCEL_OK);
  const pid_t child = fork();
  if (child == 0) {
    uint64_t out;
    const uint64_t begun_ms = accel_clock_monotonic_ms();
    bool is_right = open_and_set(&childs, 50) == ACCEL_OK;
    const bool is_there = number_cache_get(&childs, 1, &out) == ACCEL_OK;
    is_right = is_right && (is_there || accel_clock_monotonic_ms() > begun_ms + 50);
    usleep(80000);
    is_right = is_right && number_cache_get(&childs, 1, &out) == ACCEL_MISS;
    number_cache_close(&childs);
    number_cache_close(&numbers);
    _exit(is_right ? 0 : 1);
  }
  int status = -1;
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  number_cache_close(&numbers);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_word_follows_the_clock_while_it_is_held),
      cmocka_unit_test(the_last_release_ends_it),
      cmocka_unit_test(without_memory_nobody_ticks),
      cmocka_unit_test(a_child_ticks_for_itself),
      cmocka_unit_test(nothing_is_served_too_late),
      cmocka_unit_test(a_childs_hits_ask_the_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include "quiet_fork.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000u
#define LATE_MS 10u /* one tick of the system's coarse clock: what api.md allows */

static uint64_t word(void)
{
  return accel_load_relaxed(&accel_tick_word);
}

/* Whether somebody draws a line that is not this one. Without a counter nobody does. */
static bool ticks_past(uint64_t line)
{
  const uint64_t end_ms = accel_clock_deadline(PATIENCE_MS);
  if (accel_load_relaxed(&accel_tick_unit) == 0) return word() == ACCEL_TICK_NONE;
  while (accel_clock_monotonic_ms() < end_ms) {
    if (word() != ACCEL_TICK_NONE && word() != line) return true;
    usleep(1000);
  }
  return false;
}

/* The moment that a hit goes by, less the time that it is. */
static int64_t ahead_ms(void)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  return (int64_t)((accel_tick_latest() >> ACCEL_TICK_SHIFT) - now_ms);
}

/* From a second before a period ends until a second later, so that one ends meanwhile. */
static void the_moment_is_never_past_and_soon_comes(void **state)
{
  (void)state;
  assert_true(word() == ACCEL_TICK_NONE);
  assert_true(accel_tick_latest() >= ACCEL_TICK_NONE);
  accel_tick_hold();
  const uint64_t unit_ms = accel_load_relaxed(&accel_tick_unit) >> ACCEL_TICK_SHIFT;
  const uint64_t first = word(), period = accel_counter_period();
  if (unit_ms > 0) {
    assert_in_range(unit_ms, 1, 8100);
    int64_t least_ms = INT64_MAX;
    while (accel_counter_period() == period || word() == first) {
      const int64_t ms = ahead_ms();
      if (ms < least_ms) least_ms = ms;
      assert_true(ms >= 0 && (uint64_t)ms <= unit_ms + PATIENCE_MS);
    }
    assert_true((uint64_t)least_ms <= unit_ms);
  }
  accel_tick_release();
  assert_true(word() == ACCEL_TICK_NONE);
}

/* A line holds for whatever comes after it, and says less the more it is outlived. */
static void an_old_line_is_never_past_either(void **state)
{
  (void)state;
  accel_tick_hold();
  const uint64_t unit = accel_load_relaxed(&accel_tick_unit);
  const uint64_t line = word();
  accel_tick_release();
  if (unit == 0) return; /* there is no counter that can be relied on */
  const uint64_t end_ms = accel_clock_deadline(700);
  while (accel_clock_monotonic_ms() < end_ms) {
    const uint64_t now_ms = accel_clock_monotonic_ms();
    assert_true((line + accel_counter_period() * unit) >> ACCEL_TICK_SHIFT >= now_ms);
    usleep(100);
  }
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
  const pid_t child = quiet_fork();
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
  const uint32_t lives_ms[] = {100, 2100};
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

/* ---- a process that stands still ---- */

#define STOPPED_LIFE_MS 2300u /* more than is mostly left when a hit asks the clock */
#define STOPPED_MS 2500u
#define STOPPED_READERS 4

typedef struct stopped_service {
  uint64_t written_ms; /* atomic; the entry's end is a life later */
  uint64_t hits, late; /* atomic; late: begun after the end */
  pid_t ticker;        /* the thread that ticks */
  bool is_over;
} stopped_service;

static stopped_service *service; /* shared with the child */
static number_cache stopped_numbers;

/* Every second reader sleeps between its hits, as one does that waits for requests: a thread that
 * stands still within a system call may learn less of it than one that was interrupted. */
static void *read_all_the_time(void *number)
{
  const bool sleeps = (uintptr_t)number % 2 == 1;
  while (!accel_load_relaxed(&service->is_over)) {
    uint64_t out;
    if (sleeps) usleep(1000);
    const uint64_t end_ms = service->written_ms + STOPPED_LIFE_MS;
    const uint64_t begun_ms = accel_clock_monotonic_ms();
    if (number_cache_get(&stopped_numbers, 1, &out) != ACCEL_OK) continue;
    accel_add_relaxed(&service->hits, 1u);
    if (begun_ms > end_ms + LATE_MS) accel_add_relaxed(&service->late, 1u);
  }
  return NULL;
}

/* The newest thread of this process. */
static pid_t newest_thread(void)
{
  pid_t newest = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *each; tasks != NULL && (each = readdir(tasks)) != NULL;)
    if (atoi(each->d_name) > newest) newest = atoi(each->d_name);
  if (tasks != NULL) closedir(tasks);
  return newest;
}

static int serve_until_over(void)
{
  pthread_t readers[STOPPED_READERS];
  if (open_and_set(&stopped_numbers, STOPPED_LIFE_MS) != ACCEL_OK) return 1;
  service->ticker = newest_thread();
  accel_store_release(&service->written_ms, accel_clock_monotonic_ms());
  for (uintptr_t i = 0; i < STOPPED_READERS; i++)
    if (pthread_create(&readers[i], NULL, read_all_the_time, (void *)i) != 0) return 1;
  for (int i = 0; i < STOPPED_READERS; i++) pthread_join(readers[i], NULL);
  number_cache_close(&stopped_numbers);
  return 0;
}

static void sleep_ms(uint32_t ms)
{
  usleep(ms * 1000);
}

static void stop_all(pid_t child)
{
  assert_int_equal(kill(child, SIGSTOP), 0);
  sleep_ms(STOPPED_MS);
  assert_int_equal(kill(child, SIGCONT), 0);
}

/* As a debugger does, or a scheduler that lets others go first. */
static void stop_the_ticker(pid_t child)
{
  int status;
  (void)child;
  assert_int_equal(ptrace(PTRACE_SEIZE, service->ticker, NULL, NULL), 0);
  assert_int_equal(ptrace(PTRACE_INTERRUPT, service->ticker, NULL, NULL), 0);
  assert_int_equal(waitpid(service->ticker, &status, __WALL), service->ticker);
  sleep_ms(STOPPED_MS);
  assert_int_equal(ptrace(PTRACE_DETACH, service->ticker, NULL, NULL), 0);
}

static void serve_while(void (*stop)(pid_t child))
{
  void *shared =
      mmap(NULL, sizeof *service, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(shared != MAP_FAILED);
  service = (stopped_service *)shared;
  const pid_t child = fork();
  if (child == 0) _exit(serve_until_over());
  while (accel_load_relaxed(&service->hits) == 0) sleep_ms(1);
  stop(child);
  sleep_ms(100);
  accel_store_release(&service->is_over, true);
  int status = -1;
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  printf("%llu hits\n", (unsigned long long)service->hits);
  assert_int_equal(service->late, 0);
  munmap(shared, sizeof *service);
}

static void nothing_is_late_after_the_process_stood_still(void **state)
{
  (void)state;
  serve_while(stop_all);
}

static void nothing_is_late_while_nobody_ticks(void **state)
{
  (void)state;
  serve_while(stop_the_ticker);
}

/* What the parent's ticks last said does not keep the child's entries alive. */
static void a_childs_hits_ask_the_clock(void **state)
{
  number_cache numbers, childs;
  (void)state;
  assert_int_equal(open_and_set(&numbers, 2300), ACCEL_OK);
  const pid_t child = quiet_fork();
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
      cmocka_unit_test(the_moment_is_never_past_and_soon_comes),
      cmocka_unit_test(an_old_line_is_never_past_either),
      cmocka_unit_test(the_last_release_ends_it),
      cmocka_unit_test(without_memory_nobody_ticks),
      cmocka_unit_test(a_child_ticks_for_itself),
      cmocka_unit_test(nothing_is_served_too_late),
      cmocka_unit_test(nothing_is_late_after_the_process_stood_still),
      cmocka_unit_test(nothing_is_late_while_nobody_ticks),
      cmocka_unit_test(a_childs_hits_ask_the_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

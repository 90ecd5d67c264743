/* The second of the clock that hits read in the kernel's page, and that no hit is late by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"
#include "accel/platform/clock_page.h"

#include "quiet_fork.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATE_MS 10u /* one tick of the system's coarse clock: what api.md allows */

ACCEL_DEFINE(number, uint64_t, uint64_t)

static number_cache numbers;

static accel_status open_and_set(number_cache *cache, uint32_t ttl_ms)
{
  const accel_config config = {.area = "numbers", .capacity = 100};
  const accel_write write = {.ttl_ms = ttl_ms};
  const uint64_t one = 1;
  const accel_status status = number_cache_open(cache, &config);
  return status == ACCEL_OK ? number_cache_set_with(cache, 1, &write, &one) : status;
}

static uint64_t word(void)
{
  return accel_load_relaxed(accel_load_relaxed(&accel_clock_page_second));
}

static bool is_used(void)
{
  return word() != ACCEL_CLOCK_PAGE_NONE;
}

static void expect_success(pid_t child)
{
  int status = -1;
  assert_true(child > 0 && waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
}

/* ---- the word ---- */

/* Whether this process has a page with the time in it, as all have since Linux 5.4. */
static bool has_page(void)
{
  struct utsname name;
  char line[512];
  bool has_it = false;
  if (uname(&name) != 0 || strcmp(name.sysname, "Linux") != 0) return false;
  if (sizeof(void *) < 8 || atof(name.release) < 5 || strncmp(name.release, "5.3", 4) < 0)
    return false;
  FILE *maps = fopen("/proc/self/maps", "re");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
    has_it = has_it || strstr(line, "[vvar]") != NULL;
  if (maps != NULL) fclose(maps);
  return has_it;
}

static void it_is_found_where_there_is_one(void **state)
{
  (void)state;
  assert_false(is_used());
  assert_true(accel_clock_page_shown() >= (uint64_t)3 << 61);
  accel_clock_page_open();
  printf("%s\n", is_used() ? "the kernel's" : "none: the clock is always asked");
  assert_int_equal(is_used(), has_page());
}

/* Over the end of a second. */
static void it_says_what_the_clock_says(void **state)
{
  (void)state;
  accel_clock_page_open();
  if (!is_used()) return;
  const uint64_t end_ms = accel_clock_read(NULL) + 1100;
  for (uint64_t now_ms = 0; now_ms < end_ms;) {
    const uint64_t before = word();
    now_ms = accel_clock_read(NULL);
    assert_true(before <= now_ms / 1000);
    const uint64_t shown_ms = accel_clock_page_shown() >> ACCEL_CLOCK_PAGE_SHIFT;
    assert_true(now_ms < shown_ms + ACCEL_CLOCK_PAGE_BEHIND_MS);
  }
}

static void a_child_searches_for_itself(void **state)
{
  (void)state;
  accel_clock_page_open();
  const pid_t child = quiet_fork();
  if (child == 0) {
    const bool was_used = is_used();
    accel_clock_page_open();
    _exit(!was_used && is_used() == has_page() ? 0 : 1);
  }
  expect_success(child);
}

/* ---- a word that is wrong ---- */

static bool is_missed_after(number_cache *cache, uint32_t ms)
{
  uint64_t out;
  usleep(ms * 1000);
  return number_cache_get(cache, 1, &out) == ACCEL_MISS;
}

/* As if the process went on where the kernel keeps something else there. */
static bool refuses_what_stands_still(void)
{
  static uint64_t still;
  uint64_t out;
  if (open_and_set(&numbers, 50) != ACCEL_OK) return false;
  still = accel_clock_read(NULL) / 1000 - 3;
  accel_store_release(&accel_clock_page_second, &still);
  (void)(number_cache_get(&numbers, 2, &out) == ACCEL_MISS);
  const bool is_kept_by_a_hit = is_used();
  const bool is_written = number_cache_set(&numbers, 3, &out) == ACCEL_OK;
  const bool is_refused = !is_used();
  const bool is_missed = is_missed_after(&numbers, 80);
  number_cache_close(&numbers);
  const bool is_opened = open_and_set(&numbers, 50) == ACCEL_OK;
  const bool is_still_refused = !is_used();
  const bool is_missed_again = is_missed_after(&numbers, 80);
  number_cache_close(&numbers);
  return is_kept_by_a_hit && is_written && is_refused && is_missed && is_opened &&
         is_still_refused && is_missed_again;
}

static void one_that_stands_still_is_refused(void **state)
{
  (void)state;
  const pid_t child = quiet_fork();
  if (child == 0) _exit(refuses_what_stands_still() ? 0 : 1);
  expect_success(child);
}

/* A process whose clock is not the one of the kernel's page: a hundred seconds ahead. */
static bool enter_another_time(void)
{
  const int new_time = 0x80; /* CLONE_NEWTIME */
  if (syscall(SYS_unshare, new_time) != 0) return false;
  FILE *file = fopen("/proc/self/timens_offsets", "we");
  if (file == NULL) return false;
  const bool is_written = fputs("monotonic 100 0\n", file) >= 0;
  return fclose(file) == 0 && is_written;
}

static int live_in_another_time(void)
{
  const uint64_t before_ms = accel_clock_read(NULL);
  if (!enter_another_time()) return 77;
  const pid_t child = quiet_fork();
  if (child == 0) {
    const bool is_ahead = accel_clock_read(NULL) >= before_ms + 100000;
    const bool is_open = open_and_set(&numbers, 50) == ACCEL_OK;
    const bool is_missed = is_missed_after(&numbers, 80);
    number_cache_close(&numbers);
    _exit(is_ahead && is_open && is_missed && !is_used() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

static void another_time_is_not_taken_for_its_own(void **state)
{
  (void)state;
  accel_clock_page_open();
  const pid_t child = quiet_fork();
  if (child == 0) _exit(live_in_another_time());
  int status = -1;
  assert_true(child > 0 && waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    printf("no time namespace could be made here\n");
    skip();
  }
  assert_int_equal(status, 0);
}

/* ---- hits ---- */

/* Lives that are longer than the word may be behind, and shorter, end when they should. */
static void nothing_is_served_too_late(void **state)
{
  const uint32_t lives_ms[] = {100, ACCEL_CLOCK_PAGE_BEHIND_MS + 200};
  (void)state;
  for (size_t i = 0; i < sizeof lives_ms / sizeof *lives_ms; i++) {
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
  uint64_t written_ms;            /* atomic; the entry's end is a life later */
  uint64_t hits, late;            /* atomic; late: begun after the end */
  pid_t readers[STOPPED_READERS]; /* atomic */
  bool is_over;
} stopped_service;

static stopped_service *service; /* shared with the child */
static number_cache stopped_numbers;

/* Every second reader sleeps between its hits, as one does that waits for requests: a thread that
 * stands still within a system call may learn less of it than one that was interrupted. */
static void *read_all_the_time(void *number)
{
  const bool sleeps = (uintptr_t)number % 2 == 1;
  accel_store_release(&service->readers[(uintptr_t)number], (pid_t)syscall(SYS_gettid));
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

static int serve_until_over(void)
{
  pthread_t readers[STOPPED_READERS];
  if (open_and_set(&stopped_numbers, STOPPED_LIFE_MS) != ACCEL_OK) return 1;
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

/* As a debugger does: thread by thread. */
static void stop_each_reader(pid_t child)
{
  int status;
  (void)child;
  for (int i = 0; i < STOPPED_READERS; i++) {
    const pid_t reader = accel_load_acquire(&service->readers[i]);
    assert_int_equal(ptrace(PTRACE_SEIZE, reader, NULL, NULL), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, reader, NULL, NULL), 0);
    assert_int_equal(waitpid(reader, &status, __WALL), reader);
  }
  sleep_ms(STOPPED_MS);
  for (int i = 0; i < STOPPED_READERS; i++)
    assert_int_equal(ptrace(PTRACE_DETACH, accel_load_acquire(&service->readers[i]), NULL, NULL),
                     0);
}

static bool all_read(void)
{
  if (accel_load_relaxed(&service->hits) == 0) return false;
  for (int i = 0; i < STOPPED_READERS; i++)
    if (accel_load_acquire(&service->readers[i]) == 0) return false;
  return true;
}

static void serve_while(void (*stop)(pid_t child))
{
  void *shared =
      mmap(NULL, sizeof *service, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(shared != MAP_FAILED);
  service = (stopped_service *)shared;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no readers behind */
    _exit(serve_until_over());
  }
  while (!all_read()) sleep_ms(1);
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

static void nothing_is_late_after_every_thread_was_held(void **state)
{
  (void)state;
  serve_while(stop_each_reader);
}

/* What the parent's page said does not keep the child's entries alive. */
static void a_childs_entries_end_in_time(void **state)
{
  number_cache childs;
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
      cmocka_unit_test(it_is_found_where_there_is_one),
      cmocka_unit_test(it_says_what_the_clock_says),
      cmocka_unit_test(a_child_searches_for_itself),
      cmocka_unit_test(one_that_stands_still_is_refused),
      cmocka_unit_test(another_time_is_not_taken_for_its_own),
      cmocka_unit_test(nothing_is_served_too_late),
      cmocka_unit_test(nothing_is_late_after_the_process_stood_still),
      cmocka_unit_test(nothing_is_late_after_every_thread_was_held),
      cmocka_unit_test(a_childs_entries_end_in_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

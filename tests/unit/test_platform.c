/* The platform: clocks, threads and their numbers, mutexes, pages, randomness, forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"
#include "accel/platform/fork.h"
#include "accel/platform/slot.h"
#include "accel/platform/system.h"
#include "accel/platform/thread.h"

#include "failing_alloc.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- clocks ---- */

static void clocks_run_forward(void **state)
{
  (void)state;
  uint64_t before_ns = accel_clock_monotonic_ns(), before_ms = accel_clock_read(NULL);
  for (int i = 0; i < 1000; i++) {
    const uint64_t now_ns = accel_clock_monotonic_ns(), now_ms = accel_clock_read(NULL);
    assert_true(now_ns >= before_ns && now_ms >= before_ms);
    before_ns = now_ns;
    before_ms = now_ms;
  }
}

static void the_coarse_clock_lags_by_little(void **state)
{
  (void)state;
  for (int i = 0; i < 20; i++) {
    const uint64_t coarse_ms = accel_clock_read(NULL);
    const uint64_t exact_ms = accel_clock_monotonic_ms();
    assert_true(exact_ms + 1 >= coarse_ms);
    usleep(1000);
    assert_true(accel_clock_monotonic_ms() > exact_ms);
  }
}

static uint64_t users_now(void *ctx)
{
  return *(uint64_t *)ctx;
}

static void a_users_clock_is_asked(void **state)
{
  (void)state;
  uint64_t now_ms = 42;
  const accel_clock clock = {users_now, &now_ms};
  assert_int_equal(accel_clock_read(&clock), 42);
  now_ms = 7;
  assert_int_equal(accel_clock_read(&clock), 7);
}

static void deadlines_are_ahead(void **state)
{
  (void)state;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  assert_true(accel_clock_deadline(ACCEL_FOREVER) == ACCEL_NO_DEADLINE);
  const uint64_t ahead_ms = accel_clock_deadline(5000);
  assert_in_range(ahead_ms, now_ms + 5000, accel_clock_monotonic_ms() + 5000);
  assert_true(accel_clock_wall_ms() > 1600000000000u);
}

/* ---- threads ---- */

typedef struct meeting {
  accel_mutex mutex;
  accel_condition changed;
  int arrived;
  bool may_go;
  uint32_t slots[ACCEL_THREAD_SLOTS + 8];
  uint64_t counted[ACCEL_THREAD_SLOTS]; /* plain, each by the owner of the number */
} meeting;

static void meeting_open(meeting *all)
{
  memset(all, 0, sizeof *all);
  assert_true(accel_mutex_open(&all->mutex));
  assert_true(accel_condition_open(&all->changed));
}

static void meeting_close(meeting *all)
{
  accel_condition_close(&all->changed);
  accel_mutex_close(&all->mutex);
}

static void waiting_ends_at_the_deadline(void **state)
{
  (void)state;
  meeting all;
  meeting_open(&all);
  accel_mutex_lock(&all.mutex);
  const uint64_t deadline_ms = accel_clock_deadline(20);
  while (accel_condition_wait(&all.changed, &all.mutex, deadline_ms)) {}
  assert_true(accel_clock_monotonic_ms() >= deadline_ms);
  assert_false(accel_condition_wait(&all.changed, &all.mutex, 0));
  accel_mutex_unlock(&all.mutex);
  meeting_close(&all);
}

static void wake(void *ctx)
{
  meeting *all = (meeting *)ctx;
  accel_mutex_lock(&all->mutex);
  all->may_go = true;
  accel_condition_signal(&all->changed);
  accel_mutex_unlock(&all->mutex);
}

static void waiting_ends_when_woken(void **state)
{
  (void)state;
  meeting all;
  accel_thread thread;
  meeting_open(&all);
  accel_mutex_lock(&all.mutex);
  assert_true(accel_thread_start(&thread, wake, &all));
  while (!all.may_go) accel_condition_wait(&all.changed, &all.mutex, ACCEL_NO_DEADLINE);
  accel_mutex_unlock(&all.mutex);
  accel_thread_join(thread);
  meeting_close(&all);
  failing_alloc_fail_nth(1);
  assert_false(accel_thread_start(&thread, wake, &all));
  failing_alloc_fail_nth(0);
}

static void note_mask(void *ctx)
{
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  *(bool *)ctx = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGUSR1) == 1;
}

static void our_threads_take_no_signals(void **state)
{
  (void)state;
  bool is_blocked = false;
  accel_thread thread;
  assert_true(accel_thread_start(&thread, note_mask, &is_blocked));
  accel_thread_join(thread);
  assert_true(is_blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  assert_int_equal(sigismember(&mask, SIGUSR1), 0);
}

static void use_scratch(void *ctx)
{
  char *first = (char *)accel_thread_scratch(0);
  char *larger = first == NULL ? NULL : (char *)accel_thread_scratch(100000);
  if (larger != NULL) memset(larger, 1, 100000);
  failing_alloc_fail_nth(1);
  void *none = accel_thread_scratch(10);
  failing_alloc_fail_nth(0);
  char *again = (char *)accel_thread_scratch(10);
  *(bool *)ctx = larger != NULL && none == NULL && again != NULL;
}

static void scratch_lives_as_long_as_its_thread(void **state)
{
  (void)state;
  bool is_right = false;
  accel_thread thread;
  assert_true(accel_thread_start(&thread, use_scratch, &is_right));
  accel_thread_join(thread);
  assert_true(is_right);
  assert_int_equal(failing_alloc_live_blocks(), 0);
}

/* ---- mutexes ---- */

#define CONTENDERS_MAX 64
#define CONTENDED_TURNS 100000u

typedef struct contest {
  accel_mutex mutex;
  unsigned turns_each;
  uint64_t turns;  /* plain: the mutex guards them */
  unsigned inside; /* how many hold it */
  unsigned most_inside;
} contest;

/* Now and then the holder gives its processor away, for longer than anybody only looks again. */
static void take_turns(void *ctx)
{
  contest *all = (contest *)ctx;
  for (unsigned turn = 0; turn < all->turns_each; turn++) {
    accel_mutex_lock(&all->mutex);
    const unsigned inside = ++all->inside;
    all->most_inside = inside > all->most_inside ? inside : all->most_inside;
    if (turn % 64 == 0) sched_yield();
    all->turns++;
    all->inside--;
    accel_mutex_unlock(&all->mutex);
  }
}

static void one_at_a_time_holds_a_mutex(void **state)
{
  (void)state;
  contest all = {.turns = 0};
  accel_thread threads[CONTENDERS_MAX];
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  assert_true(processors > 0);
  const unsigned count =
      processors * 4 < CONTENDERS_MAX ? (unsigned)processors * 4 : CONTENDERS_MAX;
  all.turns_each = CONTENDED_TURNS / count;
  assert_true(accel_mutex_open(&all.mutex));
  for (unsigned i = 0; i < count; i++)
    assert_true(accel_thread_start(&threads[i], take_turns, &all));
  for (unsigned i = 0; i < count; i++) accel_thread_join(threads[i]);
  assert_int_equal(all.turns, all.turns_each * count);
  assert_int_equal(all.most_inside, 1);
  accel_mutex_close(&all.mutex);
}

#define HELD_MS 50u

typedef struct patience {
  accel_mutex mutex;
  bool waits;    /* atomic: about to lock */
  bool is_free;  /* the mutex guards it */
  bool saw_free; /* once it had the mutex */
  uint64_t busy_ns;
} patience;

static uint64_t thread_busy_ns(void)
{
  struct timespec busy;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &busy);
  return (uint64_t)busy.tv_sec * 1000000000u + (uint64_t)busy.tv_nsec;
}

static void wait_for_mutex(void *ctx)
{
  patience *one = (patience *)ctx;
  const uint64_t before_ns = thread_busy_ns();
  accel_store_release(&one->waits, true);
  accel_mutex_lock(&one->mutex);
  one->busy_ns = thread_busy_ns() - before_ns;
  one->saw_free = one->is_free;
  accel_mutex_unlock(&one->mutex);
}

/* Looking again is over long before: what is held for longer costs no processor's time. */
static void who_waits_long_for_a_mutex_sleeps(void **state)
{
  (void)state;
  patience one = {.waits = false};
  accel_thread thread;
  assert_true(accel_mutex_open(&one.mutex));
  accel_mutex_lock(&one.mutex);
  assert_false(accel_mutex_try_lock(&one.mutex));
  assert_true(accel_thread_start(&thread, wait_for_mutex, &one));
  while (!accel_load_acquire(&one.waits)) usleep(100);
  usleep(HELD_MS * 1000u);
  one.is_free = true;
  accel_mutex_unlock(&one.mutex);
  accel_thread_join(thread);
  assert_true(one.saw_free);
  assert_in_range(one.busy_ns, 0, HELD_MS * 1000000u / 5);
  accel_mutex_close(&one.mutex);
}

/* ---- numbers of threads ---- */

static void take_slot(void *ctx)
{
  meeting *all = (meeting *)ctx;
  const uint32_t slot = accel_thread_slot_acquire();
  const bool is_kept = slot == accel_thread_slot_acquire() && slot == accel_thread_slot;
  if (slot != 0) all->counted[slot]++; /* a race if two had one number */
  accel_mutex_lock(&all->mutex);
  all->slots[all->arrived++] = is_kept ? slot : ACCEL_THREAD_SLOTS;
  accel_condition_broadcast(&all->changed);
  while (!all->may_go) accel_condition_wait(&all->changed, &all->mutex, ACCEL_NO_DEADLINE);
  accel_mutex_unlock(&all->mutex);
}

/* Starts so many at once and lets them end when all have their number. */
static void take_slots(meeting *all, int count)
{
  accel_thread threads[ACCEL_THREAD_SLOTS + 8];
  all->arrived = 0;
  all->may_go = false;
  for (int i = 0; i < count; i++) assert_true(accel_thread_start(&threads[i], take_slot, all));
  accel_mutex_lock(&all->mutex);
  while (all->arrived < count) accel_condition_wait(&all->changed, &all->mutex, ACCEL_NO_DEADLINE);
  all->may_go = true;
  accel_condition_broadcast(&all->changed);
  accel_mutex_unlock(&all->mutex);
  for (int i = 0; i < count; i++) accel_thread_join(threads[i]);
}

static void living_threads_have_different_numbers(void **state)
{
  (void)state;
  meeting all;
  meeting_open(&all);
  take_slots(&all, 20);
  for (int i = 0; i < 20; i++) {
    assert_in_range(all.slots[i], 1, ACCEL_THREAD_SLOTS - 1);
    for (int j = 0; j < i; j++) assert_true(all.slots[i] != all.slots[j]);
  }
  meeting_close(&all);
}

static void numbers_of_ended_threads_are_used_again(void **state)
{
  (void)state;
  meeting all;
  meeting_open(&all);
  for (int i = 0; i < 3 * ACCEL_THREAD_SLOTS; i++) {
    take_slots(&all, 1);
    assert_in_range(all.slots[0], 1, 20);
  }
  meeting_close(&all);
}

static void threads_beyond_the_numbers_share_none(void **state)
{
  (void)state;
  meeting all;
  meeting_open(&all);
  take_slots(&all, ACCEL_THREAD_SLOTS + 8);
  unsigned without = 0;
  for (int i = 0; i < ACCEL_THREAD_SLOTS + 8; i++) {
    assert_true(all.slots[i] < ACCEL_THREAD_SLOTS);
    without += all.slots[i] == 0;
  }
  assert_in_range(without, 9, 10); /* one more if this thread has a number */
  take_slots(&all, 1);
  assert_true(all.slots[0] != 0);
  meeting_close(&all);
}

/* ---- pages and randomness ---- */

static void pages_are_zero_and_aligned(void **state)
{
  (void)state;
  const size_t size = ((size_t)5 << 20) + 100;
  unsigned char *pages = (unsigned char *)accel_pages_alloc(size);
  assert_non_null(pages);
  assert_int_equal((uintptr_t)pages % ((size_t)2 << 20), 0); /* where huge pages would begin */
  for (size_t i = 0; i < size; i += 511) assert_int_equal(pages[i], 0);
  memset(pages, 0xAA, size);
  accel_pages_free(pages, size);
  accel_pages_free(NULL, size);
  assert_null(accel_pages_alloc(SIZE_MAX / 2));
}

static void random_bytes_differ(void **state)
{
  (void)state;
  unsigned char a[1000], b[1000];
  memset(a, 0, sizeof a);
  memset(b, 0, sizeof b);
  assert_true(accel_random_bytes(a, sizeof a));
  assert_true(accel_random_bytes(b, sizeof b));
  assert_memory_not_equal(a, b, sizeof a);
  unsigned zeros = 0;
  for (size_t i = 0; i < sizeof a; i++) zeros += a[i] == 0;
  assert_in_range(zeros, 0, 40);
  assert_true(accel_random_bytes(a, 0));
}

/* ---- forks ---- */

static void count_fork(void *ctx)
{
  ++*(int *)ctx;
}

/* Runs `is_right` in a child; cmocka's own assertions would end the parent's report there. */
static void check_in_child(bool (*is_right)(void *ctx), void *ctx)
{
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(is_right(ctx) ? 0 : 1);
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

typedef struct fork_view {
  int calls[3];
  uint64_t generation;
} fork_view;

static bool child_was_told(void *ctx)
{
  const fork_view *view = (const fork_view *)ctx;
  return view->calls[0] == 1 && view->calls[1] == 0 && view->calls[2] == 1 &&
         accel_fork_generation() == view->generation + 1;
}

static void the_child_alone_is_told_of_a_fork(void **state)
{
  (void)state;
  fork_view view = {{0, 0, 0}, accel_fork_generation()};
  accel_fork_handler handlers[3];
  for (int i = 0; i < 3; i++) {
    memset(&handlers[i], 0, sizeof handlers[i]);
    handlers[i].child = count_fork;
    handlers[i].ctx = &view.calls[i];
    assert_true(accel_fork_register(&handlers[i]));
  }
  accel_fork_unregister(&handlers[1]);
  check_in_child(child_was_told, &view);
  assert_int_equal(view.calls[0] + view.calls[1] + view.calls[2], 0);
  assert_true(accel_fork_generation() == view.generation);
  accel_fork_unregister(&handlers[0]);
  accel_fork_unregister(&handlers[2]);
}

static bool child_was_not_told(void *ctx)
{
  return *(int *)ctx == 0;
}

static void who_is_unregistered_is_not_told(void **state)
{
  (void)state;
  int calls = 0;
  accel_fork_handler handler = {.child = count_fork, .ctx = &calls};
  for (int round = 0; round < 2; round++) {
    assert_true(accel_fork_register(&handler));
    accel_fork_unregister(&handler);
  }
  check_in_child(child_was_not_told, &calls);
}

static bool grandchild_counts_two(void *ctx)
{
  const uint64_t generation = *(uint64_t *)ctx;
  if (accel_fork_generation() != generation + 1) return false;
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) _exit(accel_fork_generation() == generation + 2 ? 0 : 1);
  int status = -1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void generations_count_every_fork(void **state)
{
  (void)state;
  uint64_t generation = accel_fork_generation();
  check_in_child(grandchild_counts_two, &generation);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(generations_count_every_fork), /* first: nobody has registered yet */
      cmocka_unit_test(clocks_run_forward),
      cmocka_unit_test(the_coarse_clock_lags_by_little),
      cmocka_unit_test(a_users_clock_is_asked),
      cmocka_unit_test(deadlines_are_ahead),
      cmocka_unit_test(waiting_ends_at_the_deadline),
      cmocka_unit_test(waiting_ends_when_woken),
      cmocka_unit_test(our_threads_take_no_signals),
      cmocka_unit_test(scratch_lives_as_long_as_its_thread),
      cmocka_unit_test(one_at_a_time_holds_a_mutex),
      cmocka_unit_test(who_waits_long_for_a_mutex_sleeps),
      cmocka_unit_test(living_threads_have_different_numbers),
      cmocka_unit_test(numbers_of_ended_threads_are_used_again),
      cmocka_unit_test(threads_beyond_the_numbers_share_none),
      cmocka_unit_test(pages_are_zero_and_aligned),
      cmocka_unit_test(random_bytes_differ),
      cmocka_unit_test(the_child_alone_is_told_of_a_fork),
      cmocka_unit_test(who_is_unregistered_is_not_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

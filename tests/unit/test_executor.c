/* Which job comes first in an executor, which one gives way, and what one cache leaves to others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/executor_share.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define JOBS 64
#define WAIT_MS 5000u
#define FAR_MS 3600000u

/* What the jobs of a test did, in which order. */
typedef struct notes {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool is_shut;
  int blocked, count, dropped;
  int order[4 * JOBS];
} notes;

typedef struct job {
  accel_job job;
  notes *notes;
  int number;
} job;

static notes all;
static accel_executor executor;

static void note(accel_job *given)
{
  const job *self = (const job *)(void *)given;
  pthread_mutex_lock(&self->notes->mutex);
  self->notes->order[self->notes->count++] = self->number;
  pthread_cond_broadcast(&self->notes->changed);
  pthread_mutex_unlock(&self->notes->mutex);
}

static void block(accel_job *given)
{
  notes *own = ((const job *)(void *)given)->notes;
  pthread_mutex_lock(&own->mutex);
  own->blocked++;
  pthread_cond_broadcast(&own->changed);
  while (own->is_shut) pthread_cond_wait(&own->changed, &own->mutex);
  pthread_mutex_unlock(&own->mutex);
}

static void note_drop(accel_job *given)
{
  ((const job *)(void *)given)->notes->dropped++;
}

static void await(const int *counter, int value)
{
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_MS / 1000;
  pthread_mutex_lock(&all.mutex);
  while (*counter < value && accel_clock_monotonic_ms() < deadline_ms)
    pthread_cond_timedwait(&all.changed, &all.mutex, &until);
  const int seen = *counter;
  pthread_mutex_unlock(&all.mutex);
  assert_in_range(seen, value, INT32_MAX);
}

static void reopen(void)
{
  pthread_mutex_lock(&all.mutex);
  all.is_shut = false;
  pthread_cond_broadcast(&all.changed);
  pthread_mutex_unlock(&all.mutex);
}

static void nap_ms(unsigned ms)
{
  const struct timespec pause = {0, (long)ms * 1000000};
  nanosleep(&pause, NULL);
}

static void open_executor(uint32_t threads, uint32_t places)
{
  const accel_executor_config config = {.max_threads = threads, .queue_size = places};
  memset(&all, 0, sizeof all);
  pthread_mutex_init(&all.mutex, NULL);
  pthread_cond_init(&all.changed, NULL);
  all.is_shut = true;
  assert_int_equal(accel_executor_open(&executor, &config), ACCEL_OK);
}

static void close_executor(void)
{
  reopen();
  accel_executor_close(&executor);
  pthread_cond_destroy(&all.changed);
  pthread_mutex_destroy(&all.mutex);
}

static job job_of(int number, void (*run)(accel_job *), uint32_t patience_ms)
{
  return (job){.job = {.run = run, .drop = note_drop, .patience_ms = patience_ms},
               .notes = &all,
               .number = number};
}

/* A job that holds a thread until reopen. */
static void hold_thread(job *blocker, struct accel_executor_share *share)
{
  const int before = all.blocked;
  *blocker = job_of(-1, block, 0);
  blocker->job.share = share;
  assert_true(accel_executor_submit(&executor, &blocker->job));
  await(&all.blocked, before + 1);
}

/* Three loads that waited for 30 ms for a thread. */
static void run_three(uint32_t patience_ms)
{
  static job jobs[3], blocker;
  open_executor(1, 0);
  hold_thread(&blocker, NULL);
  for (int i = 0; i < 3; i++) {
    jobs[i] = job_of(i, note, patience_ms);
    assert_true(accel_executor_submit(&executor, &jobs[i].job));
  }
  nap_ms(30);
  reopen();
  await(&all.count, 3);
}

static void loads_come_in_their_turn(void **state)
{
  (void)state;
  run_three(FAR_MS);
  for (int i = 0; i < 3; i++) assert_int_equal(all.order[i], i);
  close_executor();
}

static void but_the_newest_first_once_they_wait_too_long(void **state)
{
  (void)state;
  run_three(100);
  for (int i = 0; i < 3; i++) assert_int_equal(all.order[i], 2 - i);
  close_executor();
}

/* However old it is, a load that is asked for again is what somebody wants now. */
static void who_is_asked_for_again_is_the_newest(void **state)
{
  (void)state;
  static job jobs[3], blocker;
  open_executor(1, 0);
  hold_thread(&blocker, NULL);
  for (int i = 0; i < 3; i++) {
    jobs[i] = job_of(i, note, 40);
    assert_true(accel_executor_submit(&executor, &jobs[i].job));
  }
  nap_ms(30);
  accel_executor_prefer(&executor, &jobs[0].job);
  reopen();
  await(&all.count, 3);
  assert_int_equal(all.order[0], 0);
  assert_int_equal(all.order[1], 2);
  close_executor();
}

static void without_room_the_oldest_gives_way(void **state)
{
  (void)state;
  static job jobs[4], blocker;
  open_executor(1, 2);
  hold_thread(&blocker, NULL);
  for (int i = 0; i < 3; i++) {
    jobs[i] = job_of(i, note, FAR_MS);
    assert_true(accel_executor_submit(&executor, &jobs[i].job));
  }
  assert_int_equal(all.dropped, 1);
  jobs[3] = job_of(3, note, 0); /* nobody gives way to one that always waits for its turn */
  assert_false(accel_executor_submit(&executor, &jobs[3].job));
  reopen();
  await(&all.count, 2);
  assert_int_equal(all.order[0], 1);
  assert_int_equal(all.order[1], 2);
  close_executor();
}

static void background_comes_now_and_then(void **state)
{
  (void)state;
  static job loads[JOBS], background[2], blocker;
  open_executor(1, 0);
  hold_thread(&blocker, NULL);
  for (int i = 0; i < 2; i++) {
    background[i] = job_of(1000 + i, note, FAR_MS);
    background[i].job.is_background = true;
    assert_true(accel_executor_submit(&executor, &background[i].job));
  }
  for (int i = 0; i < JOBS; i++) {
    loads[i] = job_of(i, note, FAR_MS);
    assert_true(accel_executor_submit(&executor, &loads[i].job));
  }
  reopen();
  await(&all.count, JOBS + 2);
  int places[2] = {0, 0};
  for (int i = 0; i < JOBS + 2; i++)
    if (all.order[i] >= 1000) places[all.order[i] - 1000] = i;
  assert_in_range(places[0], 0, 16);
  assert_in_range(places[1], places[0] + 15, places[0] + 17);
  close_executor();
}

/* Loads always find half of a share's threads free of it. */
static void background_holds_half_of_the_threads(void **state)
{
  (void)state;
  static job background[4], load;
  open_executor(4, 0);
  for (int i = 0; i < 4; i++) {
    background[i] = job_of(i, block, FAR_MS);
    background[i].job.is_background = true;
    assert_true(accel_executor_submit(&executor, &background[i].job));
  }
  await(&all.blocked, 2);
  load = job_of(9, note, FAR_MS);
  assert_true(accel_executor_submit(&executor, &load.job));
  await(&all.count, 1);
  assert_int_equal(all.blocked, 2);
  close_executor();
}

static void jobs_that_wait_for_their_time_take_no_place(void **state)
{
  (void)state;
  enum { MANY = 3000 };
  static job later[MANY], load;
  open_executor(1, 1);
  for (int i = 0; i < MANY; i++) {
    later[i] = job_of(i, block, 0);
    later[i].job.owner = &later[i % 2];
    later[i].job.due_ms = accel_clock_deadline(FAR_MS) + (uint64_t)(i * 7919 % MANY);
    assert_true(accel_executor_submit(&executor, &later[i].job));
  }
  load = job_of(1, note, FAR_MS);
  assert_true(accel_executor_submit(&executor, &load.job));
  await(&all.count, 1);
  assert_true(accel_executor_withdraw(&executor, &later[1].job));
  reopen();
  accel_executor_hasten(&executor, &later[0]);
  await(&all.blocked, MANY / 2);
  close_executor(); /* runs the rest */
  assert_int_equal(all.blocked, MANY - 1);
}

/* The thread that kept the time is given a load, which takes long. */
static void somebody_always_keeps_the_time(void **state)
{
  (void)state;
  static job later, blocker;
  open_executor(2, 0);
  later = job_of(7, note, 0);
  later.job.due_ms = accel_clock_deadline(100);
  assert_true(accel_executor_submit(&executor, &later.job));
  hold_thread(&blocker, NULL);
  await(&all.count, 1);
  assert_in_range(accel_clock_monotonic_ms(), later.job.due_ms, UINT64_MAX);
  close_executor();
}

/* A slow share holds all threads; two more are left, one for each of two others. */
static void what_one_share_holds_leaves_threads_to_others(void **state)
{
  (void)state;
  enum { THREADS = 8 };
  static job blockers[THREADS + 1], second[2], load;
  struct accel_executor_share *shares[3];
  open_executor(THREADS, 0);
  for (int i = 0; i < 3; i++) assert_non_null(shares[i] = accel_executor_share_new());
  for (int i = 0; i <= THREADS; i++) {
    blockers[i] = job_of(i, block, FAR_MS);
    blockers[i].job.share = shares[0];
    assert_true(accel_executor_submit(&executor, &blockers[i].job));
  }
  await(&all.blocked, THREADS);
  for (int i = 0; i < 2; i++) {
    second[i] = job_of(i, block, FAR_MS);
    second[i].job.share = shares[1];
    assert_true(accel_executor_submit(&executor, &second[i].job));
  }
  await(&all.blocked, THREADS + 1);
  load = job_of(1, note, FAR_MS);
  load.job.share = shares[2];
  assert_true(accel_executor_submit(&executor, &load.job));
  await(&all.count, 1);
  assert_int_equal(all.blocked, THREADS + 1);
  reopen();
  await(&all.blocked, THREADS + 3);
  for (int i = 0; i < 3; i++) accel_executor_share_close(&executor, shares[i]);
  close_executor();
}

static void whoever_is_alone_has_all_threads(void **state)
{
  (void)state;
  static job blockers[4];
  open_executor(4, 0);
  struct accel_executor_share *share = accel_executor_share_new();
  for (int i = 0; i < 4; i++) hold_thread(&blockers[i], share);
  reopen();
  accel_executor_share_close(&executor, share);
  close_executor();
}

static void who_closes_can_run_what_is_left(void **state)
{
  (void)state;
  static job blocker, jobs[2];
  open_executor(1, 0);
  struct accel_executor_share *share = accel_executor_share_new();
  hold_thread(&blocker, share);
  for (int i = 0; i < 2; i++) {
    jobs[i] = job_of(i, note, FAR_MS);
    jobs[i].job.share = share;
  }
  jobs[0].job.due_ms = accel_clock_deadline(FAR_MS);
  for (int i = 0; i < 2; i++) assert_true(accel_executor_submit(&executor, &jobs[i].job));
  for (accel_job *each; (each = accel_executor_take(&executor, share)) != NULL;) each->run(each);
  assert_int_equal(all.count, 2);
  accel_executor_share_close(&executor, share);
  close_executor();
}

static void the_common_one_lives_as_long_as_somebody_uses_it(void **state)
{
  (void)state;
  accel_executor *one = accel_executor_common_acquire();
  accel_executor *other = accel_executor_common_acquire();
  assert_non_null(one);
  assert_ptr_equal(one, other);
  accel_executor_common_release(one);
  assert_non_null(other->state);
  accel_executor_common_release(other);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_come_in_their_turn),
      cmocka_unit_test(but_the_newest_first_once_they_wait_too_long),
      cmocka_unit_test(who_is_asked_for_again_is_the_newest),
      cmocka_unit_test(without_room_the_oldest_gives_way),
      cmocka_unit_test(background_comes_now_and_then),
      cmocka_unit_test(background_holds_half_of_the_threads),
      cmocka_unit_test(jobs_that_wait_for_their_time_take_no_place),
      cmocka_unit_test(somebody_always_keeps_the_time),
      cmocka_unit_test(what_one_share_holds_leaves_threads_to_others),
      cmocka_unit_test(whoever_is_alone_has_all_threads),
      cmocka_unit_test(who_closes_can_run_what_is_left),
      cmocka_unit_test(the_common_one_lives_as_long_as_somebody_uses_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

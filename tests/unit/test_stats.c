/* Counters: every increment is found again, whichever thread made it and whether it still lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/stats.h"

#include "failing_alloc.h"

#include <pthread.h>
#include <string.h>

static accel_metrics snapshot(const accel_stats *stats)
{
  accel_metrics metrics;
  memset(&metrics, 0xFF, sizeof metrics);
  uint64_t values[ACCEL_COUNTERS];
  accel_stats_values(stats, values);
  accel_stats_metrics(values, &metrics);
  return metrics;
}

static void they_begin_at_zero_on_lines_of_their_own(void **state)
{
  (void)state;
  accel_stats *stats = accel_stats_open(0);
  assert_non_null(stats);
  assert_int_equal((uintptr_t)stats % ACCEL_CACHE_LINE, 0);
  assert_int_equal(sizeof(accel_stats_line), ACCEL_CACHE_LINE);
  const accel_metrics metrics = snapshot(stats), zero = {0};
  assert_memory_equal(&metrics, &zero, sizeof zero);
  accel_stats_close(stats);
  accel_stats_close(NULL);
  assert_int_equal(failing_alloc_live_blocks(), 0);
}

static void without_memory_there_are_none(void **state)
{
  (void)state;
  failing_alloc_fail_nth(1);
  assert_null(accel_stats_open(0));
  failing_alloc_fail_nth(0);
}

#define COUNT_ONE(field_, metric_, unit_, help_) \
  accel_stats_add(stats, ACCEL_COUNT_##field_, number++);
#define EXPECT_ONE(field_, metric_, unit_, help_) assert_int_equal(metrics.field_, number++);

static void every_counter_has_its_own_field(void **state)
{
  (void)state;
  accel_stats *stats = accel_stats_open(0);
  uint64_t number = 1;
  ACCEL_COUNTER_LIST_(COUNT_ONE)
  const accel_metrics metrics = snapshot(stats);
  number = 1;
  ACCEL_COUNTER_LIST_(EXPECT_ONE)
  accel_stats_close(stats);
}

static void points_carry_the_public_names(void **state)
{
  (void)state;
  accel_stats *stats = accel_stats_open(0);
  accel_stats_local(stats, 3, 0);
  accel_stats_add(stats, ACCEL_COUNT_load_total, 5);
  accel_otel_point points[ACCEL_COUNTERS + 1];
  memset(points, 0, sizeof points);
  uint64_t values[ACCEL_COUNTERS];
  accel_stats_values(stats, values);
  assert_int_equal(accel_stats_points(values, "users", points, 0), ACCEL_COUNTERS);
  assert_null(points[0].name);
  assert_int_equal(accel_stats_points(values, "users", points, 2), ACCEL_COUNTERS);
  assert_null(points[2].name);
  assert_int_equal(accel_stats_points(values, "users", points, ACCEL_COUNTERS + 1), ACCEL_COUNTERS);
  assert_null(points[ACCEL_COUNTERS].name);
  assert_string_equal(points[0].name, "accelerator_cache_local_hit_total");
  assert_string_equal(points[0].area, "users");
  assert_int_equal(points[0].value, 3);
  assert_string_equal(points[4].name, "accelerator_cache_load_total");
  assert_int_equal(points[4].value, 5);
  assert_string_equal(points[15].name, "accelerator_cache_invalidation_receive_failures_total");
  assert_string_equal(points[16].name, "accelerator_cache_remote_errors_total");
  for (size_t i = 0; i < ACCEL_COUNTERS; i++)
    for (size_t j = 0; j < i; j++) assert_string_not_equal(points[i].name, points[j].name);
  accel_stats_close(stats);
}

/* As the path of a hit counts. False: the thread has no line. */
static bool count_hit(accel_stats *stats)
{
  return accel_tally_count(&accel_stats_own(stats)->hit);
}

enum { ROUNDS = 1000 };

static void *count_hits(void *ctx)
{
  accel_stats *stats = (accel_stats *)ctx;
  for (int i = 0; i < ROUNDS; i++) {
    if (!count_hit(stats)) accel_stats_local(stats, 1, 0);
    accel_stats_local(stats, 1, 2);
    accel_stats_add(stats, ACCEL_COUNT_load_total, 1);
  }
  return NULL;
}

/* The first call of a thread finds it without a line; a line once had is kept. */
static void a_thread_gets_a_line_at_its_first_count(void **state)
{
  (void)state;
  accel_stats *stats = accel_stats_open(0);
  accel_stats_local(stats, 0, 0);
  assert_true(accel_thread_slot != 0);
  assert_true(count_hit(stats));
  assert_int_equal(stats->lines[accel_thread_slot].hit.now, 1);
  assert_int_equal(snapshot(stats).local_hit, 1);
  accel_stats_close(stats);
}

static void threads_lose_nothing(void **state)
{
  (void)state;
  enum { THREADS = 4, GENERATIONS = 5 };
  accel_stats *stats = accel_stats_open(0);
  for (int generation = 1; generation <= GENERATIONS; generation++) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, count_hits, stats), 0);
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) { /* while they count */
      const uint64_t hits = snapshot(stats).local_hit;
      assert_true(hits >= before);
      before = hits;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    const accel_metrics metrics = snapshot(stats);
    const uint64_t rounds = (uint64_t)generation * THREADS * ROUNDS;
    assert_int_equal(metrics.local_hit, 2 * rounds);
    assert_int_equal(metrics.local_miss, 2 * rounds);
    assert_int_equal(metrics.load_total, rounds);
  }
  accel_stats_close(stats);
}

typedef struct crowd {
  accel_stats *stats;
  pthread_barrier_t all_have_lines;
} crowd;

static void *count_in_a_crowd(void *ctx)
{
  crowd *all = (crowd *)ctx;
  accel_stats_local(all->stats, 1, 1);
  pthread_barrier_wait(&all->all_have_lines);
  for (int i = 0; i < 100; i++)
    if (!count_hit(all->stats)) accel_stats_local(all->stats, 1, 0);
  return NULL;
}

/* More threads than lines: those that go without share one, and lose nothing either. */
static void more_threads_than_lines_lose_nothing(void **state)
{
  (void)state;
  enum { THREADS = ACCEL_THREAD_SLOTS + 12 };
  crowd all = {.stats = accel_stats_open(0)};
  pthread_t threads[THREADS];
  pthread_barrier_init(&all.all_have_lines, NULL, THREADS);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_in_a_crowd, &all), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&all.all_have_lines);
  assert_int_equal(snapshot(all.stats).local_hit, THREADS * 101);
  assert_int_equal(snapshot(all.stats).local_miss, THREADS);
  assert_true(all.stats->lines[0].hit.before >= 12);
  accel_stats_close(all.stats);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(they_begin_at_zero_on_lines_of_their_own),
      cmocka_unit_test(without_memory_there_are_none),
      cmocka_unit_test(every_counter_has_its_own_field),
      cmocka_unit_test(points_carry_the_public_names),
      cmocka_unit_test(a_thread_gets_a_line_at_its_first_count),
      cmocka_unit_test(threads_lose_nothing),
      cmocka_unit_test(more_threads_than_lines_lose_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

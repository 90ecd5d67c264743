/* The statistics of a sample against values that are published or can be computed by hand.
 */
#include "harness/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const stats_plan plan = {.resamples = 4000, .confidence_level = .95, .seed = 42};

static void assert_near(double have, double want, double tolerance)
{
  if (fabs(have - want) > tolerance) fail_msg("%.12g instead of %.12g", have, want);
}

/* Draws 1000 numbers below 1000 of each; returns how many are equal. */
static size_t count_equal(uint64_t a_seed, uint64_t a_stream, uint64_t b_seed, uint64_t b_stream)
{
  stats_random a, b;
  size_t equal = 0;
  stats_seed(&a, a_seed, a_stream);
  stats_seed(&b, b_seed, b_stream);
  for (size_t i = 0; i < 1000; i++) equal += stats_below(&a, 1000) == stats_below(&b, 1000);
  return equal;
}

static void random_numbers_depend_on_their_seed(void **state)
{
  (void)state;
  assert_int_equal(count_equal(42, 1, 42, 1), 1000);
  assert_true(count_equal(42, 1, 43, 1) < 20);
  assert_true(count_equal(42, 1, 42, 2) < 20);
  for (unsigned bit = 0; bit < 64; bit++)
    assert_true(count_equal(42, 1, 42 ^ (uint64_t)1 << bit, 1) < 20);
}

static void bounded_numbers_are_fair(void **state)
{
  size_t counts[7] = {0};
  stats_random random;
  (void)state;
  stats_seed(&random, 1, 1);
  for (size_t i = 0; i < 70000; i++) {
    const uint32_t drawn = stats_below(&random, 7);
    assert_true(drawn < 7);
    counts[drawn]++;
  }
  for (size_t i = 0; i < 7; i++) assert_near((double)counts[i], 10000, 400);
}

/* R: quantile(c(1, 2, 3, 4, 10), c(0.25, 0.5, 0.9)) is 2, 3, 7.6. */
static void percentiles_are_rs(void **state)
{
  const double numbers[] = {1, 2, 3, 4, 10};
  (void)state;
  assert_near(stats_percentile(numbers, 5, 0), 1, 0);
  assert_near(stats_percentile(numbers, 5, 25), 2, 0);
  assert_near(stats_percentile(numbers, 5, 50), 3, 0);
  assert_near(stats_percentile(numbers, 5, 90), 7.6, 1e-12);
  assert_near(stats_percentile(numbers, 5, 100), 10, 0);
  assert_near(stats_percentile(numbers, 1, 95), 1, 0);
}

static void spread_is_known(void **state)
{
  const double numbers[] = {2, 4, 4, 4, 5, 5, 7, 9}, others[] = {1, 1, 2, 2, 4, 6, 9};
  double scratch[8];
  (void)state;
  assert_near(stats_mean(numbers, 8), 5, 0);
  assert_near(stats_standard_deviation(numbers, 8, 5), sqrt(32.0 / 7), 1e-12);
  assert_near(stats_standard_deviation(numbers, 1, 2), 0, 0);
  assert_near(stats_median_deviation(others, 7, 2, scratch), 1.4826, 1e-12);
}

static void fences_are_tukeys(void **state)
{
  double numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const stats_fences fences = stats_tukey(numbers, 11); /* quartiles 3.5 and 8.5 */
  (void)state;
  assert_near(fences.at[STATS_LOW_SEVERE], -11.5, 1e-12);
  assert_near(fences.at[STATS_LOW_MILD], -4, 1e-12);
  assert_near(fences.at[STATS_HIGH_MILD], 16, 1e-12);
  assert_near(fences.at[STATS_HIGH_SEVERE], 23.5, 1e-12);
  const double strange[] = {-12, -11.5, -5, -4, 16, 17, 23.5, 24};
  const stats_outliers found = stats_count_outliers(strange, 8, fences);
  assert_int_equal(found.beyond[STATS_LOW_SEVERE], 1);
  assert_int_equal(found.beyond[STATS_LOW_MILD], 2);
  assert_int_equal(found.beyond[STATS_HIGH_MILD], 2);
  assert_int_equal(found.beyond[STATS_HIGH_SEVERE], 1);
  assert_int_equal(found.sum, 6);
}

static void sorting_sorts(void **state)
{
  static const size_t sizes[] = {1, 2, 60, 256, 257, 1000};
  double numbers[1000];
  stats_random random;
  (void)state;
  stats_seed(&random, 3, 3);
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (size_t i = 0; i < sizes[s]; i++) numbers[i] = stats_below(&random, 100);
    stats_sort(numbers, sizes[s]);
    for (size_t i = 1; i < sizes[s]; i++) assert_true(numbers[i - 1] <= numbers[i]);
  }
}

/* Sum of twelve uniform numbers minus six: close to normal, mean 0, deviation 1. */
static double draw_normal(stats_random *random)
{
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += (double)stats_below(random, UINT32_MAX) / UINT32_MAX;
  return sum;
}

static void intervals_hold_the_truth_as_often_as_they_say(void **state)
{
  enum { SAMPLES = 40, TRIALS = 200 };
  double times[SAMPLES];
  stats_summary summary;
  stats_random random;
  size_t mean_held = 0, median_held = 0;
  (void)state;
  stats_seed(&random, 7, 7);
  for (size_t t = 0; t < TRIALS; t++) {
    for (size_t i = 0; i < SAMPLES; i++) times[i] = 100 + 10 * draw_normal(&random);
    const stats_plan quick = {.resamples = 400, .confidence_level = .95, .seed = t};
    summary = stats_summarise(times, SAMPLES, &quick);
    mean_held += summary.mean.low <= 100 && 100 <= summary.mean.high;
    median_held += summary.median.low <= 100 && 100 <= summary.median.high;
  }
  assert_in_range(mean_held, TRIALS * 88 / 100, TRIALS * 99 / 100);
  assert_in_range(median_held, TRIALS * 88 / 100, TRIALS);
}

static void a_summary_is_what_its_parts_say(void **state)
{
  const double times[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  stats_summary summary, again;
  (void)state;
  summary = stats_summarise(times, 10, &plan);
  assert_near(summary.mean.point, 5.5, 1e-12);
  assert_near(summary.median.point, 5.5, 1e-12);
  assert_near(summary.standard_deviation.point, sqrt(82.5 / 9), 1e-12);
  /* of a mean: s / sqrt(n), a tenth less for the bootstrap's n in place of n - 1 */
  assert_near(summary.mean.standard_error, sqrt(8.25 / 10), .05);
  again = stats_summarise(times, 10, &plan);
  assert_memory_equal(&summary, &again, sizeof summary);
  const stats_plan other = {plan.resamples, plan.confidence_level, 43};
  again = stats_summarise(times, 10, &other);
  assert_true(summary.mean.standard_error != again.mean.standard_error);
}

static void a_change_is_told_from_none(void **state)
{
  double now[60], before[60];
  stats_random random;
  (void)state;
  stats_seed(&random, 9, 9);
  for (size_t i = 0; i < 60; i++) before[i] = 100 + 5 * draw_normal(&random);
  assert_near(stats_p_value(before, 60, before, 60, &plan), 1, 0);
  const stats_estimate none = stats_ratio(before, 60, before, 60, STATS_MEAN, &plan);
  assert_near(none.point, 1, 0);
  assert_true(none.low < 1 && none.high > 1);
  for (size_t i = 0; i < 60; i++) now[i] = before[i] * 1.2;
  assert_true(stats_p_value(now, 60, before, 60, &plan) < .001);
  const stats_estimate mean = stats_ratio(now, 60, before, 60, STATS_MEAN, &plan);
  assert_near(mean.point, 1.2, 1e-9);
  assert_near(stats_ratio(now, 60, before, 60, 0.5, &plan).point, 1.2, 1e-9);
  assert_true(mean.low > 1.15 && mean.high < 1.25);
}

static void a_ratio_depends_on_its_seed_alone(void **state)
{
  double a[20], b[20];
  stats_random random;
  (void)state;
  stats_seed(&random, 3, 1);
  for (size_t i = 0; i < 20; i++) {
    a[i] = 100 + stats_below(&random, 10);
    b[i] = 150 + stats_below(&random, 10);
  }
  const stats_plan few = {50, .95, 43};
  const stats_estimate first = stats_ratio(b, 20, a, 20, 0.5, &plan);
  const stats_estimate second = stats_ratio(b, 20, a, 20, 0.5, &plan);
  const stats_estimate other = stats_ratio(b, 20, a, 20, 0.5, &few);
  assert_memory_equal(&first, &second, sizeof first);
  assert_true(first.low != other.low || first.high != other.high);
  assert_true(1.40 < first.low && first.low < first.high && first.high < 1.56);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_numbers_depend_on_their_seed),
      cmocka_unit_test(bounded_numbers_are_fair),
      cmocka_unit_test(percentiles_are_rs),
      cmocka_unit_test(spread_is_known),
      cmocka_unit_test(fences_are_tukeys),
      cmocka_unit_test(sorting_sorts),
      cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
      cmocka_unit_test(a_summary_is_what_its_parts_say),
      cmocka_unit_test(a_change_is_told_from_none),
      cmocka_unit_test(a_ratio_depends_on_its_seed_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

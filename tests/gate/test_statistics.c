/* The gate's statistics against published values and against what they promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/stats.h"

#include <math.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define assert_near(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static const double one_to_ten[] = {7, 1, 10, 4, 3, 8, 2, 9, 6, 5};

static void estimates(void **state)
{
  (void)state;
  const double *sorted = stats_sorted(one_to_ten, 10);
  assert_near(stats_mean(one_to_ten, 10), 5.5, 1e-12);
  assert_near(stats_standard_deviation(one_to_ten, 10, 5.5), 3.0276503540974917, 1e-12);
  assert_near(stats_median(one_to_ten, 10), 5.5, 0);
  assert_near(stats_median(one_to_ten, 9), 6, 0);
  /* R: quantile(1:10, c(0.05, 0.25, 0.95)) */
  assert_near(stats_percentile(sorted, 10, 5), 1.45, 1e-12);
  assert_near(stats_percentile(sorted, 10, 25), 3.25, 1e-12);
  assert_near(stats_percentile(sorted, 10, 95), 9.55, 1e-12);
  assert_near(stats_percentile(sorted, 10, 100), 10, 0);
  assert_true(isnan(stats_mean(NULL, 0)) && isnan(stats_median(NULL, 0)));
}

static void bounds_of_the_median(void **state)
{
  (void)state;
  static const size_t ranks[][2] = {{0, 0},  {1, 0},  {5, 0},  {6, 1},  {9, 2},
                                    {10, 2}, {12, 3}, {15, 4}, {20, 6}, {40, 14}};
  for (size_t i = 0; i < COUNT(ranks); i++)
    assert_int_equal(stats_order_rank(ranks[i][0]), ranks[i][1]);
  const stats_interval bounds = stats_median_bounds(one_to_ten, 10);
  assert_near(bounds.low, 2, 0);
  assert_near(bounds.high, 9, 0);
  assert_true(isnan(stats_median_bounds(one_to_ten, 5).low));
}

/* How often the lower bound of 10 numbers lies below the median that they were drawn around: at
 * least 97.9 of 100 times, and not always. */
static void bounds_keep_their_promise(void **state)
{
  (void)state;
  enum { TRIALS = 20000 };
  stats_random random;
  stats_seed(&random, 7, 1);
  size_t kept = 0;
  for (size_t trial = 0; trial < TRIALS; trial++) {
    double values[10];
    for (size_t i = 0; i < 10; i++)
      values[i] = (double)stats_below(&random, UINT32_MAX) - 2147483648.0;
    kept += stats_median_bounds(values, 10).low < 0;
  }
  assert_in_range(kept, TRIALS * 985 / 1000, TRIALS * 993 / 1000); /* exactly 98.93 % */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(estimates),
      cmocka_unit_test(bounds_of_the_median),
      cmocka_unit_test(bounds_keep_their_promise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

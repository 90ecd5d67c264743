/* stats.h: the statistics of a sample. No state but the generator's; no input or output.
 *
 * Percentiles are linearly interpolated between order statistics, as criterion and R's type 7 do.
 * Arrays hold finite numbers, and at least one unless a function says otherwise.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A generator whose numbers depend on its seed alone, on every machine: POSIX's erand48. */
typedef struct stats_random {
  unsigned short state[3];
} stats_random;

/* Starts over: each `stream` of a seed has other numbers; of it, the low 16 bits count. */
void stats_seed(stats_random *random, uint64_t seed, uint64_t stream);
/* Uniform in [0, bound), bound > 0. */
uint32_t stats_below(stats_random *random, uint32_t bound);

void stats_sort(double *numbers, size_t count);
/* A sorted copy, in the arena. */
double *stats_sorted(const double *numbers, size_t count);
/* NAN of no numbers, as the median and the mean. */
double stats_percentile(const double *sorted, size_t count, double percent);
double stats_median(const double *numbers, size_t count);
typedef struct stats_percentiles {
  size_t count; /* of the numbers */
  double p05, p50, p95, p99;
} stats_percentiles;
stats_percentiles stats_percentiles_of(const double *numbers, size_t count);
double stats_mean(const double *numbers, size_t count);
/* With count - 1 in the denominator; 0 for a single number. */
double stats_standard_deviation(const double *numbers, size_t count, double mean);
/* Median absolute deviation, times 1.4826: the standard deviation's equal for normal numbers.
 * `scratch` has room for `count` numbers. */
double stats_median_deviation(const double *numbers, size_t count, double median, double *scratch);

/* Tukey's fences: first quartile - 3 and - 1.5 interquartile ranges, third + 1.5 and + 3. */
enum { STATS_LOW_SEVERE, STATS_LOW_MILD, STATS_HIGH_MILD, STATS_HIGH_SEVERE, STATS_FENCES };
typedef struct stats_fences {
  double at[STATS_FENCES];
} stats_fences;
stats_fences stats_tukey(const double *sorted, size_t count);

/* How many numbers lie beyond each fence, and not beyond the next one. */
typedef struct stats_outliers {
  size_t beyond[STATS_FENCES], sum;
} stats_outliers;
stats_outliers stats_count_outliers(const double *numbers, size_t count, stats_fences fences);

/* An estimate and what a bootstrap says about it. */
typedef struct stats_estimate {
  double point, low, high, standard_error;
} stats_estimate;

typedef struct stats_summary {
  stats_estimate mean, median, standard_deviation, median_deviation;
  stats_fences fences;
  stats_outliers outliers;
} stats_summary;

typedef struct stats_plan {
  size_t resamples;        /* > 0 */
  double confidence_level; /* in (0, 1) */
  uint64_t seed;
} stats_plan;

/* Estimates each figure from plan->resamples drawings of `count` numbers. */
stats_summary stats_summarise(const double *numbers, size_t count, const stats_plan *plan);

/* What a list is summed up by: a share's quantile, 0.5 for the median, or this for the mean. */
#define STATS_MEAN (-1.0)
/* The ratio of what sums up `now` to that of `before`, both resampled. */
stats_estimate stats_ratio(const double *now, size_t now_count, const double *before,
                           size_t before_count, double share, const stats_plan *plan);
/* How likely a difference as large would be if both came from one population: a bootstrap of
 * Welch's t, two-sided. */
double stats_p_value(const double *now, size_t now_count, const double *before, size_t before_count,
                     const stats_plan *plan);

/* ---- bounds that assume nothing about how noise is distributed ---- */

typedef struct stats_interval {
  double low, high;
} stats_interval;

/* The largest k for which the k-th smallest of `count` numbers is below their distribution's
 * median with a probability of at least 97.9 %, which is 2 of 10 and 6 of 20. 0: too few numbers
 * for any, as fewer than 6 are. Exact, whatever the distribution. */
size_t stats_order_rank(size_t count);
/* The k-th smallest and k-th largest of that k: one-sided bounds of the median. NANs if k is 0. */
stats_interval stats_median_bounds(const double *numbers, size_t count);

#endif

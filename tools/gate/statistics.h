/* Statistics: estimates, bounds and tests that assume little about how noise is distributed.
 *
 * Inputs are finite and not changed. Whatever draws at random takes a seed, and gives the same
 * answer for the same seed on every machine. Nothing here knows of benches or files. */
#ifndef ACCEL_GATE_STATISTICS_H
#define ACCEL_GATE_STATISTICS_H

#include "base.h"

typedef struct gate_interval {
  double low;
  double high;
} gate_interval;

/* ---- of one list; NAN of an empty one ---- */

/* A sorted copy. */
double *gate_sorted(gate_arena *arena, const double *values, size_t count);
double gate_mean(const double *values, size_t count);
/* With n - 1; NAN of fewer than two. */
double gate_deviation(const double *values, size_t count);
double gate_median(const double *values, size_t count);
/* Linear between the neighbours (type 7 of Hyndman and Fan). `share` in [0, 1]. */
double gate_quantile(const double *sorted, size_t count, double share);
/* The median of the means of all pairs. */
double gate_hodges_lehmann(const double *values, size_t count);

/* The largest k for which the k-th smallest of `count` numbers is below their distribution's
 * median with a probability of at least 97.9 %, which is 2 of 10 and 6 of 20. 0: too few numbers
 * for any, as fewer than 6 are. Exact, whatever the distribution. */
size_t gate_order_rank(size_t count);
/* The k-th smallest and k-th largest of that k: one-sided bounds of the median. NANs if k is 0. */
gate_interval gate_median_bounds(const double *values, size_t count);

/* q1 - 3 IQR, q1 - 1.5 IQR, q3 + 1.5 IQR, q3 + 3 IQR. */
typedef struct gate_fences {
  double low_severe, low_mild, high_mild, high_severe;
} gate_fences;
gate_fences gate_tukey_fences(const double *values, size_t count);
/* How many lie outside the mild fences. */
size_t gate_outliers(const double *values, size_t count);

/* ---- of two lists ---- */

/* The slope of the line through zero with the least squares, y = slope * x. */
double gate_slope(const double *x, const double *y, size_t count);

/* The probability of a rank sum at least this far from its mean if both came from the same
 * distribution: exact without ties and with at most 20 each, else by the normal approximation
 * with corrections for ties and continuity. Two-sided. 1 if one is empty. */
double gate_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

/* What a list is summed up by: a share's quantile, 0.5 for the median, or this for the mean. */
#define GATE_SHARE_MEAN (-1.0)
/* The ratio of b's to a's, and its 95 % percentile interval, both resampled. */
typedef struct gate_bootstrap {
  double ratio;
  gate_interval bounds;
} gate_bootstrap;
gate_bootstrap gate_bootstrap_ratio(const gate_numbers *a, const gate_numbers *b, double share,
                                    size_t resamples, uint64_t seed);

/* ---- of shapes and of time ---- */

/* A Gaussian kernel's density at `points` places between the ends of `range`. The bandwidth is
 * Silverman's. A list without spread gets a narrow peak. */
typedef struct gate_density {
  gate_interval range;
  size_t count;
  double *heights;
} gate_density;
gate_density gate_kernel_density(gate_arena *arena, const double *values, size_t count,
                                 gate_interval range, size_t points);
/* 0.9 would do for outliers; this is SD (4 / 3n)^0.2. */
double gate_bandwidth(const double *values, size_t count);

/* Where the level changes: indices of the first number of each new level, ascending. E-divisive
 * with 199 permutations a step at 5 %; no segment is shorter than 5. Lists over 500 numbers are
 * searched in their last 500. */
typedef struct gate_changes {
  size_t *items;
  size_t count;
  size_t capacity;
} gate_changes;
gate_changes gate_change_points(gate_arena *arena, const double *values, size_t count,
                                uint64_t seed);

/* ---- chance ---- */

/* PCG-XSH-RR 64/32. */
typedef struct gate_random {
  uint64_t state;
} gate_random;
gate_random gate_random_seeded(uint64_t seed);
uint32_t gate_random_next(gate_random *random);
/* Uniform in [0, below); `below` is above 0. */
uint32_t gate_random_below(gate_random *random, uint32_t below);

#endif

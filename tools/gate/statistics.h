/* Statistics beyond those of bench/harness/stats.h: bounds that assume little about how noise is
 * distributed.
 *
 * Inputs are finite and not changed; an empty list gives NAN. Nothing here knows of benches or
 * files. */
#ifndef ACCEL_GATE_STATISTICS_H
#define ACCEL_GATE_STATISTICS_H

#include "base.h"

#include "harness/stats.h"

typedef struct gate_interval {
  double low;
  double high;
} gate_interval;

/* A sorted copy. */
double *gate_sorted(const double *values, size_t count);
/* With n - 1; NAN of fewer than two. */
double gate_deviation(const double *values, size_t count);

/* The largest k for which the k-th smallest of `count` numbers is below their distribution's
 * median with a probability of at least 97.9 %, which is 2 of 10 and 6 of 20. 0: too few numbers
 * for any, as fewer than 6 are. Exact, whatever the distribution. */
size_t gate_order_rank(size_t count);
/* The k-th smallest and k-th largest of that k: one-sided bounds of the median. NANs if k is 0. */
gate_interval gate_median_bounds(const double *values, size_t count);

#endif

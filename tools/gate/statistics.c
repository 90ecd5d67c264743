#include "statistics.h"

#include <math.h>
#include <string.h>

double *gate_sorted(const double *values, size_t count)
{
  double *sorted = arena_take(count, sizeof *sorted);
  if (count > 0) memcpy(sorted, values, count * sizeof *sorted);
  if (count > 1) stats_sort(sorted, count);
  return sorted;
}

double gate_deviation(const double *values, size_t count)
{
  return count > 1 ? stats_standard_deviation(values, count, stats_mean(values, count)) : NAN;
}

size_t gate_order_rank(size_t count)
{
  const double chance_max = 0.021;
  double chance = exp2(-(double)count); /* of exactly `rank` numbers below the median */
  double below = 0;
  for (size_t rank = 0; rank <= count; rank++) {
    below += chance;
    if (below > chance_max) return rank;
    chance *= (double)(count - rank) / (double)(rank + 1);
  }
  return 0;
}

gate_interval gate_median_bounds(const double *values, size_t count)
{
  const size_t rank = gate_order_rank(count);
  if (rank == 0) return (gate_interval){NAN, NAN};
  const double *sorted = gate_sorted(values, count);
  const gate_interval bounds = {sorted[rank - 1], sorted[count - rank]};
  return bounds;
}

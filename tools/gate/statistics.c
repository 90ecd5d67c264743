#include "statistics.h"

#include <math.h>
#include <string.h>

double *gate_sorted(const double *values, size_t count)
{
  double *sorted = gate_take(count, sizeof *sorted);
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

/* ---- shapes ---- */

double gate_bandwidth(const double *values, size_t count)
{
  const double deviation = gate_deviation(values, count);
  if (!(deviation > 0)) return fmax(fabs(count > 0 ? values[0] : 0) * 1e-3, 1e-12);
  return deviation * pow(4.0 / (3.0 * (double)count), 0.2);
}

gate_numbers gate_kernel_density(const double *values, size_t count, gate_interval range,
                                 size_t points)
{
  gate_numbers heights = {0};
  const double width = gate_bandwidth(values, count);
  const double step = (range.high - range.low) / (double)(points - 1);
  const double scale = 1 / ((double)count * width * sqrt(2 * acos(-1)));
  for (size_t i = 0; i < points; i++) {
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
      const double distance = (range.low + step * (double)i - values[j]) / width;
      sum += exp(-distance * distance / 2);
    }
    gate_numbers_add(&heights, sum * scale);
  }
  return heights;
}

#include "statistics.h"

#include <math.h>
#include <string.h>

double *gate_sorted(gate_arena *arena, const double *values, size_t count)
{
  double *sorted = gate_take(arena, count, sizeof *sorted);
  if (count > 0) memcpy(sorted, values, count * sizeof *sorted);
  if (count > 1) stats_sort(sorted, count);
  return sorted;
}

double gate_mean(const double *values, size_t count)
{
  return count > 0 ? stats_mean(values, count) : NAN;
}

double gate_deviation(const double *values, size_t count)
{
  return count > 1 ? stats_standard_deviation(values, count, stats_mean(values, count)) : NAN;
}

double gate_quantile(const double *sorted, size_t count, double share)
{
  return count > 0 ? stats_percentile(sorted, count, share * 100) : NAN;
}

double gate_median(const double *values, size_t count)
{
  gate_arena arena = {0};
  const double median = gate_quantile(gate_sorted(&arena, values, count), count, 0.5);
  gate_arena_release(&arena);
  return median;
}

stats_fences gate_fences(const double *values, size_t count)
{
  gate_arena arena = {0};
  const stats_fences fences = stats_tukey(gate_sorted(&arena, values, count), count);
  gate_arena_release(&arena);
  return fences;
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
  gate_arena arena = {0};
  const double *sorted = gate_sorted(&arena, values, count);
  const gate_interval bounds = {sorted[rank - 1], sorted[count - rank]};
  gate_arena_release(&arena);
  return bounds;
}

/* ---- bootstrap ---- */

static double summed_up(const double *sorted, size_t count, double share)
{
  return share < 0 ? gate_mean(sorted, count) : gate_quantile(sorted, count, share);
}

/* Draws as many as there are, with replacement, and finds the quantile by how often each was drawn:
 * nothing needs sorting. */
static double resampled(stats_random *random, const double *sorted, size_t count, double share,
                        uint32_t *drawn)
{
  memset(drawn, 0, count * sizeof *drawn);
  for (size_t i = 0; i < count; i++) drawn[stats_below(random, (uint32_t)count)]++;
  if (share < 0) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += sorted[i] * drawn[i];
    return sum / (double)count;
  }
  const double position = share * (double)(count - 1);
  const size_t rank = (size_t)position;
  size_t below = 0, passed = drawn[0];
  while (passed <= rank) passed += drawn[++below];
  size_t above = below;
  while (passed <= rank + 1 && above + 1 < count) passed += drawn[++above];
  if (drawn[above] == 0) above = below;
  return sorted[below] + (position - (double)rank) * (sorted[above] - sorted[below]);
}

gate_bootstrap gate_bootstrap_ratio(const gate_numbers *a, const gate_numbers *b, double share,
                                    size_t resamples, uint64_t seed)
{
  gate_bootstrap found = {NAN, {NAN, NAN}};
  if (a->count == 0 || b->count == 0 || resamples == 0) return found;
  gate_arena arena = {0};
  stats_random random;
  stats_seed(&random, seed, 1);
  const double *low = gate_sorted(&arena, a->values, a->count);
  const double *high = gate_sorted(&arena, b->values, b->count);
  uint32_t *drawn = gate_take(&arena, a->count > b->count ? a->count : b->count, sizeof *drawn);
  double *ratios = gate_take(&arena, resamples, sizeof *ratios);
  for (size_t i = 0; i < resamples; i++) {
    const double below = resampled(&random, low, a->count, share, drawn);
    ratios[i] = resampled(&random, high, b->count, share, drawn) / below;
  }
  stats_sort(ratios, resamples);
  found.ratio = summed_up(high, b->count, share) / summed_up(low, a->count, share);
  found.bounds.low = gate_quantile(ratios, resamples, 0.025);
  found.bounds.high = gate_quantile(ratios, resamples, 0.975);
  gate_arena_release(&arena);
  return found;
}

/* ---- shapes ---- */

double gate_bandwidth(const double *values, size_t count)
{
  const double deviation = gate_deviation(values, count);
  if (!(deviation > 0)) return fmax(fabs(count > 0 ? values[0] : 0) * 1e-3, 1e-12);
  return deviation * pow(4.0 / (3.0 * (double)count), 0.2);
}

gate_numbers gate_kernel_density(gate_arena *arena, const double *values, size_t count,
                                 gate_interval range, size_t points)
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
    gate_numbers_add(arena, &heights, sum * scale);
  }
  return heights;
}

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_numbers(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

double *gate_sorted(gate_arena *arena, const double *values, size_t count)
{
  double *sorted = gate_take(arena, count, sizeof *sorted);
  if (count > 0) memcpy(sorted, values, count * sizeof *sorted);
  if (count > 1) qsort(sorted, count, sizeof *sorted, compare_numbers);
  return sorted;
}

double gate_mean(const double *values, size_t count)
{
  if (count == 0) return NAN;
  double mean = 0;
  for (size_t i = 0; i < count; i++) mean += (values[i] - mean) / (double)(i + 1);
  return mean;
}

double gate_deviation(const double *values, size_t count)
{
  if (count < 2) return NAN;
  const double mean = gate_mean(values, count);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (values[i] - mean) * (values[i] - mean);
  return sqrt(sum / (double)(count - 1));
}

double gate_quantile(const double *sorted, size_t count, double share)
{
  if (count == 0) return NAN;
  const double position = share * (double)(count - 1);
  const size_t below = (size_t)position;
  if (below + 1 >= count) return sorted[count - 1];
  return sorted[below] + (position - (double)below) * (sorted[below + 1] - sorted[below]);
}

double gate_median(const double *values, size_t count)
{
  gate_arena arena = {0};
  const double median = gate_quantile(gate_sorted(&arena, values, count), count, 0.5);
  gate_arena_release(&arena);
  return median;
}

double gate_hodges_lehmann(const double *values, size_t count)
{
  gate_arena arena = {0};
  double *means = gate_take(&arena, count * (count + 1) / 2, sizeof *means);
  size_t pairs = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t j = i; j < count; j++) means[pairs++] = (values[i] + values[j]) / 2;
  const double result = gate_median(means, pairs);
  gate_arena_release(&arena);
  return result;
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

gate_fences gate_tukey_fences(const double *values, size_t count)
{
  gate_arena arena = {0};
  const double *sorted = gate_sorted(&arena, values, count);
  const double q1 = gate_quantile(sorted, count, 0.25);
  const double q3 = gate_quantile(sorted, count, 0.75);
  const double range = q3 - q1;
  gate_arena_release(&arena);
  return (gate_fences){q1 - 3 * range, q1 - 1.5 * range, q3 + 1.5 * range, q3 + 3 * range};
}

size_t gate_outliers(const double *values, size_t count)
{
  const gate_fences fences = gate_tukey_fences(values, count);
  size_t outside = 0;
  for (size_t i = 0; i < count; i++)
    outside += values[i] < fences.low_mild || values[i] > fences.high_mild;
  return outside;
}

double gate_slope(const double *x, const double *y, size_t count)
{
  double xy = 0, xx = 0;
  for (size_t i = 0; i < count; i++) {
    xy += x[i] * y[i];
    xx += x[i] * x[i];
  }
  return xx > 0 ? xy / xx : NAN;
}

/* ---- Mann and Whitney ---- */

typedef struct ranked {
  double value;
  bool is_first;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
  return compare_numbers(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

/* The rank sum of the first list, and the sum of t^3 - t over groups of t equal numbers. */
static double rank_sum(const ranked *all, size_t count, double *ties_out)
{
  double sum = 0;
  *ties_out = 0;
  for (size_t start = 0, end; start < count; start = end) {
    for (end = start + 1; end < count && all[end].value == all[start].value;) end++;
    const double size = (double)(end - start);
    const double rank = ((double)start + 1 + (double)end) / 2;
    for (size_t i = start; i < end; i++) sum += all[i].is_first ? rank : 0;
    *ties_out += size * size * size - size;
  }
  return sum;
}

/* P(U <= u) by counting: ways[k] of choosing ranks so that U is k. */
static double exact_tail(gate_arena *arena, size_t a_count, size_t b_count, double u)
{
  const size_t most = a_count * b_count;
  double *ways = gate_take(arena, most + 1, sizeof *ways);
  ways[0] = 1;
  /* The generating function of U is the Gaussian binomial: multiply by (1 - q^(b+i)), divide by
   * (1 - q^i), for each i up to a. */
  for (size_t i = 1; i <= a_count; i++) {
    for (size_t k = most; k >= b_count + i; k--) ways[k] -= ways[k - b_count - i];
    for (size_t k = i; k <= most; k++) ways[k] += ways[k - i];
  }
  double below = 0, all = 0;
  for (size_t k = 0; k <= most; k++) {
    all += ways[k];
    if ((double)k <= u) below += ways[k];
  }
  return below / all;
}

double gate_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count)
{
  enum { EXACT_MAX = 20 };
  if (a_count == 0 || b_count == 0) return 1;
  gate_arena arena = {0};
  const size_t count = a_count + b_count;
  ranked *all = gate_take(&arena, count, sizeof *all);
  for (size_t i = 0; i < a_count; i++) all[i] = (ranked){a[i], true};
  for (size_t i = 0; i < b_count; i++) all[a_count + i] = (ranked){b[i], false};
  qsort(all, count, sizeof *all, compare_ranked);
  double ties;
  const double n1 = (double)a_count, n2 = (double)b_count, n = (double)count;
  const double u = rank_sum(all, count, &ties) - n1 * (n1 + 1) / 2;
  const double smaller = fmin(u, n1 * n2 - u);
  double chance;
  if (ties == 0 && a_count <= EXACT_MAX && b_count <= EXACT_MAX) {
    chance = 2 * exact_tail(&arena, a_count, b_count, smaller);
  } else {
    const double variance = n1 * n2 / 12 * (n + 1 - ties / (n * (n - 1)));
    const double distance = fmax(n1 * n2 / 2 - smaller - 0.5, 0);
    chance = variance > 0 ? erfc(distance / sqrt(variance) / sqrt(2)) : 1;
  }
  gate_arena_release(&arena);
  return fmin(chance, 1);
}

/* ---- chance ---- */

gate_random gate_random_seeded(uint64_t seed)
{
  gate_random random = {seed + 1442695040888963407u};
  (void)gate_random_next(&random);
  return random;
}

uint32_t gate_random_next(gate_random *random)
{
  const uint64_t old = random->state;
  random->state = old * 6364136223846793005u + 1442695040888963407u;
  const uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
  const uint32_t turn = (uint32_t)(old >> 59);
  return (mixed >> turn) | (mixed << (-turn & 31));
}

/* The upper half of a product: no division, but for the few values that would make some results
 * likelier. */
uint32_t gate_random_below(gate_random *random, uint32_t below)
{
  uint64_t product = (uint64_t)gate_random_next(random) * below;
  if ((uint32_t)product < below) {
    const uint32_t uneven = -below % below;
    while ((uint32_t)product < uneven) product = (uint64_t)gate_random_next(random) * below;
  }
  return (uint32_t)(product >> 32);
}

static double summed_up(const double *sorted, size_t count, double share)
{
  return share < 0 ? gate_mean(sorted, count) : gate_quantile(sorted, count, share);
}

/* Draws as many as there are, with replacement, and finds the quantile by how often each was drawn:
 * nothing needs sorting. */
static double resampled(gate_random *random, const double *sorted, size_t count, double share,
                        uint32_t *drawn)
{
  memset(drawn, 0, count * sizeof *drawn);
  for (size_t i = 0; i < count; i++) drawn[gate_random_below(random, (uint32_t)count)]++;
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
  gate_random random = gate_random_seeded(seed);
  const double *low = gate_sorted(&arena, a->values, a->count);
  const double *high = gate_sorted(&arena, b->values, b->count);
  uint32_t *drawn = gate_take(&arena, a->count > b->count ? a->count : b->count, sizeof *drawn);
  double *ratios = gate_take(&arena, resamples, sizeof *ratios);
  for (size_t i = 0; i < resamples; i++) {
    const double below = resampled(&random, low, a->count, share, drawn);
    ratios[i] = resampled(&random, high, b->count, share, drawn) / below;
  }
  qsort(ratios, resamples, sizeof *ratios, compare_numbers);
  found.ratio = summed_up(high, b->count, share) / summed_up(low, a->count, share);
  found.bounds.low = gate_quantile(ratios, resamples, 0.025);
  found.bounds.high = gate_quantile(ratios, resamples, 0.975);
  gate_arena_release(&arena);
  return found;
}

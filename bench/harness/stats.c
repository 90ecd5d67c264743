#include "stats.h"

#include "arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers ---- */

void stats_seed(stats_random *random, uint64_t seed, uint64_t stream)
{
  random->state[0] = (unsigned short)(stream ^ seed >> 32);
  random->state[1] = (unsigned short)(seed ^ seed >> 48);
  random->state[2] = (unsigned short)(seed >> 16);
  /* The first numbers of seeds that are near each other are near, too. */
  for (int i = 0; i < 8; i++) (void)erand48(random->state);
}

uint32_t stats_below(stats_random *random, uint32_t bound)
{
  return (uint32_t)(erand48(random->state) * bound);
}

/* ---- one set of numbers ---- */

static int compare(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

void stats_sort(double *numbers, size_t count)
{
  if (count > 1) qsort(numbers, count, sizeof *numbers, compare);
}

double *stats_sorted(const double *numbers, size_t count)
{
  double *const sorted = (double *)arena_copy_bytes(numbers, count * sizeof *sorted);
  stats_sort(sorted, count);
  return sorted;
}

double stats_percentile(const double *sorted, size_t count, double percent)
{
  if (count == 0) return NAN;
  const double rank = percent / 100 * (double)(count - 1);
  const size_t below = (size_t)rank;
  if (below + 1 >= count) return sorted[count - 1];
  const double fraction = rank - (double)below;
  return sorted[below] + (sorted[below + 1] - sorted[below]) * fraction;
}

double stats_median(const double *numbers, size_t count)
{
  return stats_percentile(stats_sorted(numbers, count), count, 50);
}

stats_percentiles stats_percentiles_of(const double *numbers, size_t count)
{
  const double *const sorted = stats_sorted(numbers, count);
  return (stats_percentiles){
      .count = count,
      .p05 = stats_percentile(sorted, count, 5),
      .p50 = stats_percentile(sorted, count, 50),
      .p95 = stats_percentile(sorted, count, 95),
      .p99 = stats_percentile(sorted, count, 99),
  };
}

double stats_mean(const double *numbers, size_t count)
{
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += numbers[i];
  return sum / (double)count;
}

double stats_standard_deviation(const double *numbers, size_t count, double mean)
{
  if (count < 2) return 0;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (numbers[i] - mean) * (numbers[i] - mean);
  return sqrt(sum / (double)(count - 1));
}

double stats_median_deviation(const double *numbers, size_t count, double median, double *scratch)
{
  for (size_t i = 0; i < count; i++) scratch[i] = fabs(numbers[i] - median);
  stats_sort(scratch, count);
  return stats_percentile(scratch, count, 50) * 1.4826;
}

stats_fences stats_tukey(const double *sorted, size_t count)
{
  const double first = stats_percentile(sorted, count, 25);
  const double third = stats_percentile(sorted, count, 75);
  const double range = third - first;
  return (stats_fences){
      {first - 3 * range, first - 1.5 * range, third + 1.5 * range, third + 3 * range}};
}

stats_outliers stats_count_outliers(const double *numbers, size_t count, stats_fences fences)
{
  stats_outliers found = {0};
  const double *const at = fences.at;
  for (size_t i = 0; i < count; i++) {
    const double number = numbers[i];
    if (number >= at[STATS_LOW_MILD] && number <= at[STATS_HIGH_MILD]) continue;
    found.sum++;
    found.beyond[number < at[STATS_LOW_SEVERE]    ? STATS_LOW_SEVERE
                 : number > at[STATS_HIGH_SEVERE] ? STATS_HIGH_SEVERE
                 : number < at[STATS_LOW_MILD]    ? STATS_LOW_MILD
                                                  : STATS_HIGH_MILD]++;
  }
  return found;
}

/* ---- bootstrap ---- */

/* Interval and standard error of an estimate, from its distribution, which is sorted here. */
static stats_estimate estimate(double point, double *distribution, const stats_plan *plan)
{
  const size_t count = plan->resamples;
  const double mean = stats_mean(distribution, count);
  stats_estimate result = {.point = point};
  result.standard_error = stats_standard_deviation(distribution, count, mean);
  stats_sort(distribution, count);
  result.low = stats_percentile(distribution, count, 50 * (1 - plan->confidence_level));
  result.high = stats_percentile(distribution, count, 50 * (1 + plan->confidence_level));
  return result;
}

static void draw(stats_random *random, const double *from, size_t from_count, double *to,
                 size_t to_count)
{
  for (size_t i = 0; i < to_count; i++) to[i] = from[stats_below(random, (uint32_t)from_count)];
}

enum { MEAN, MEDIAN, DEVIATION, MEDIAN_DEVIATION, FIGURES };

/* Of numbers that are sorted here. */
static void describe(double *numbers, size_t count, double *scratch, double to[static FIGURES])
{
  to[MEAN] = stats_mean(numbers, count);
  to[DEVIATION] = stats_standard_deviation(numbers, count, to[MEAN]);
  stats_sort(numbers, count);
  to[MEDIAN] = stats_percentile(numbers, count, 50);
  to[MEDIAN_DEVIATION] = stats_median_deviation(numbers, count, to[MEDIAN], scratch);
}

stats_summary stats_summarise(const double *numbers, size_t count, const stats_plan *plan)
{
  double *sorted = stats_sorted(numbers, count);
  double *drawn = (double *)arena_take(count, sizeof *drawn);
  double *scratch = (double *)arena_take(count, sizeof *scratch);
  double *distributions[FIGURES], points[FIGURES], figures[FIGURES];
  for (int f = 0; f < FIGURES; f++)
    distributions[f] = (double *)arena_take(plan->resamples, sizeof(double));
  describe(sorted, count, scratch, points);

  stats_random random;
  stats_seed(&random, plan->seed, 1);
  for (size_t i = 0; i < plan->resamples; i++) {
    draw(&random, numbers, count, drawn, count);
    describe(drawn, count, scratch, figures);
    for (int f = 0; f < FIGURES; f++) distributions[f][i] = figures[f];
  }

  stats_summary out = {.fences = stats_tukey(sorted, count)};
  out.outliers = stats_count_outliers(numbers, count, out.fences);
  stats_estimate *const estimates[FIGURES] = {&out.mean, &out.median, &out.standard_deviation,
                                              &out.median_deviation};
  for (int f = 0; f < FIGURES; f++) *estimates[f] = estimate(points[f], distributions[f], plan);
  return out;
}

/* ---- two samples ---- */

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

static double summed_up(const double *sorted, size_t count, double share)
{
  return share < 0 ? stats_mean(sorted, count) : stats_percentile(sorted, count, share * 100);
}

stats_estimate stats_ratio(const double *now, size_t now_count, const double *before,
                           size_t before_count, double share, const stats_plan *plan)
{
  stats_random random;
  const size_t most = now_count > before_count ? now_count : before_count;
  const double *above = stats_sorted(now, now_count), *below = stats_sorted(before, before_count);
  double *ratios = (double *)arena_take(plan->resamples, sizeof *ratios);
  uint32_t *drawn = (uint32_t *)arena_take(most, sizeof *drawn);
  stats_seed(&random, plan->seed, 1);
  for (size_t i = 0; i < plan->resamples; i++) {
    const double divisor = resampled(&random, below, before_count, share, drawn);
    ratios[i] = resampled(&random, above, now_count, share, drawn) / divisor;
  }
  const double point = summed_up(above, now_count, share) / summed_up(below, before_count, share);
  return estimate(point, ratios, plan);
}

static double welch_t(const double *a, size_t a_count, const double *b, size_t b_count)
{
  const double a_mean = stats_mean(a, a_count), b_mean = stats_mean(b, b_count);
  const double a_deviation = stats_standard_deviation(a, a_count, a_mean);
  const double b_deviation = stats_standard_deviation(b, b_count, b_mean);
  const double variance =
      a_deviation * a_deviation / (double)a_count + b_deviation * b_deviation / (double)b_count;
  return variance > 0 ? (a_mean - b_mean) / sqrt(variance) : 0;
}

double stats_p_value(const double *now, size_t now_count, const double *before, size_t before_count,
                     const stats_plan *plan)
{
  const size_t both = now_count + before_count;
  double *pooled = (double *)arena_take(both, sizeof *pooled);
  double *drawn = (double *)arena_take(both, sizeof *drawn);
  memcpy(pooled, now, now_count * sizeof *now);
  memcpy(pooled + now_count, before, before_count * sizeof *before);

  stats_random random;
  stats_seed(&random, plan->seed, 2);
  const double t = fabs(welch_t(now, now_count, before, before_count));
  size_t as_large = 0;
  for (size_t i = 0; i < plan->resamples; i++) {
    draw(&random, pooled, both, drawn, both);
    as_large += fabs(welch_t(drawn, now_count, drawn + now_count, before_count)) >= t;
  }
  return (double)as_large / (double)plan->resamples;
}

/* ---- bounds ---- */

size_t stats_order_rank(size_t count)
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

stats_interval stats_median_bounds(const double *numbers, size_t count)
{
  const size_t rank = stats_order_rank(count);
  if (rank == 0) return (stats_interval){NAN, NAN};
  const double *sorted = stats_sorted(numbers, count);
  return (stats_interval){sorted[rank - 1], sorted[count - rank]};
}

#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers ---- */

void stats_seed(stats_random *random, uint64_t seed, uint64_t stream)
{
  random->state = 0;
  random->increment = stream << 1 | 1;
  stats_next(random);
  random->state += seed;
  stats_next(random);
}

uint32_t stats_next(stats_random *random)
{
  const uint64_t state = random->state;
  random->state = state * 6364136223846793005u + random->increment;
  const uint32_t mixed = (uint32_t)((state >> 18 ^ state) >> 27);
  const unsigned turn = (unsigned)(state >> 59);
  return mixed >> turn | mixed << (-turn & 31);
}

/* Lemire's way: the upper half of a product, rejecting the few draws that would be unfair. */
uint32_t stats_below(stats_random *random, uint32_t bound)
{
  uint64_t product = (uint64_t)stats_next(random) * bound;
  if ((uint32_t)product >= bound) return (uint32_t)(product >> 32);
  const uint32_t unfair = -bound % bound;
  while ((uint32_t)product < unfair) product = (uint64_t)stats_next(random) * bound;
  return (uint32_t)(product >> 32);
}

/* ---- one set of numbers ---- */

static int compare(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Samples are short, and a bootstrap sorts thousands of them. */
void stats_sort(double *numbers, size_t count)
{
  if (count > 256) {
    qsort(numbers, count, sizeof *numbers, compare);
    return;
  }
  static const size_t gaps[] = {57, 23, 10, 4, 1}; /* Ciura's, for Shell's sort */
  for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
    const size_t gap = gaps[g];
    for (size_t i = gap; i < count; i++) {
      const double number = numbers[i];
      size_t at = i;
      for (; at >= gap && numbers[at - gap] > number; at -= gap) numbers[at] = numbers[at - gap];
      numbers[at] = number;
    }
  }
}

double stats_percentile(const double *sorted, size_t count, double percent)
{
  const double rank = percent / 100 * (double)(count - 1);
  const size_t below = (size_t)rank;
  if (below + 1 >= count) return sorted[count - 1];
  const double fraction = rank - (double)below;
  return sorted[below] + (sorted[below + 1] - sorted[below]) * fraction;
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

double stats_slope(const double *x, const double *y, size_t count)
{
  double xy = 0, xx = 0;
  for (size_t i = 0; i < count; i++) {
    xy += x[i] * y[i];
    xx += x[i] * x[i];
  }
  return xx > 0 ? xy / xx : 0;
}

stats_fences stats_tukey(const double *sorted, size_t count)
{
  const double first = stats_percentile(sorted, count, 25);
  const double third = stats_percentile(sorted, count, 75);
  const double range = third - first;
  return (stats_fences){first - 3 * range, first - 1.5 * range, third + 1.5 * range,
                        third + 3 * range};
}

stats_outliers stats_count_outliers(const double *numbers, size_t count, stats_fences fences)
{
  stats_outliers found = {0};
  for (size_t i = 0; i < count; i++) {
    if (numbers[i] < fences.low_severe)
      found.low_severe++;
    else if (numbers[i] > fences.high_severe)
      found.high_severe++;
    else if (numbers[i] < fences.low_mild)
      found.low_mild++;
    else if (numbers[i] > fences.high_mild)
      found.high_mild++;
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

typedef struct distributions {
  double *mean, *median, *deviation, *median_deviation, *slope;
  double *numbers, *scratch, *x, *y;
} distributions;

/* One block for all: five distributions and four samples. */
static double *split(distributions *to, size_t resamples, size_t count)
{
  double *const block = (double *)calloc(5 * resamples + 4 * count, sizeof *block);
  if (block == NULL) return NULL;
  double **const parts[] = {&to->mean, &to->median, &to->deviation, &to->median_deviation,
                            &to->slope};
  for (size_t i = 0; i < 5; i++) *parts[i] = block + i * resamples;
  double **const samples[] = {&to->numbers, &to->scratch, &to->x, &to->y};
  for (size_t i = 0; i < 4; i++) *samples[i] = block + 5 * resamples + i * count;
  return block;
}

static void resample_numbers(stats_random *random, const double *numbers, size_t count,
                             distributions *to, size_t at)
{
  for (size_t i = 0; i < count; i++) to->numbers[i] = numbers[stats_below(random, (uint32_t)count)];
  to->mean[at] = stats_mean(to->numbers, count);
  to->deviation[at] = stats_standard_deviation(to->numbers, count, to->mean[at]);
  stats_sort(to->numbers, count);
  to->median[at] = stats_percentile(to->numbers, count, 50);
  to->median_deviation[at] =
      stats_median_deviation(to->numbers, count, to->median[at], to->scratch);
}

static void resample_slope(stats_random *random, const double *x, const double *y, size_t count,
                           distributions *to, size_t at)
{
  for (size_t i = 0; i < count; i++) {
    const uint32_t drawn = stats_below(random, (uint32_t)count);
    to->x[i] = x[drawn];
    to->y[i] = y[drawn];
  }
  to->slope[at] = stats_slope(to->x, to->y, count);
}

bool stats_summarise(const double *iterations, const double *times, size_t count, bool is_linear,
                     const stats_plan *plan, stats_summary *out)
{
  distributions drawn;
  double *const block = split(&drawn, plan->resamples, count);
  double *const each = (double *)malloc(2 * count * sizeof *each);
  if (block == NULL || each == NULL) {
    free(block);
    free(each);
    return false;
  }
  double *const sorted = each + count;
  for (size_t i = 0; i < count; i++) sorted[i] = each[i] = times[i] / iterations[i];
  stats_sort(sorted, count);

  stats_random random;
  stats_seed(&random, plan->seed, 1);
  for (size_t i = 0; i < plan->resamples; i++) resample_numbers(&random, each, count, &drawn, i);
  if (is_linear) {
    for (size_t i = 0; i < plan->resamples; i++)
      resample_slope(&random, iterations, times, count, &drawn, i);
  }

  const double mean = stats_mean(each, count), median = stats_percentile(sorted, count, 50);
  *out = (stats_summary){.has_slope = is_linear};
  out->mean = estimate(mean, drawn.mean, plan);
  out->median = estimate(median, drawn.median, plan);
  out->standard_deviation =
      estimate(stats_standard_deviation(each, count, mean), drawn.deviation, plan);
  out->median_deviation = estimate(stats_median_deviation(each, count, median, drawn.scratch),
                                   drawn.median_deviation, plan);
  if (is_linear) out->slope = estimate(stats_slope(iterations, times, count), drawn.slope, plan);
  out->fences = stats_tukey(sorted, count);
  out->outliers = stats_count_outliers(each, count, out->fences);
  free(block);
  free(each);
  return true;
}

/* ---- comparison ---- */

static double welch_t(const double *a, size_t a_count, const double *b, size_t b_count)
{
  const double a_mean = stats_mean(a, a_count), b_mean = stats_mean(b, b_count);
  const double a_deviation = stats_standard_deviation(a, a_count, a_mean);
  const double b_deviation = stats_standard_deviation(b, b_count, b_mean);
  const double variance =
      a_deviation * a_deviation / (double)a_count + b_deviation * b_deviation / (double)b_count;
  return variance > 0 ? (a_mean - b_mean) / sqrt(variance) : 0;
}

static void draw(stats_random *random, const double *from, size_t from_count, double *to,
                 size_t to_count)
{
  for (size_t i = 0; i < to_count; i++) to[i] = from[stats_below(random, (uint32_t)from_count)];
}

static double median_of(double *numbers, size_t count)
{
  stats_sort(numbers, count);
  return stats_percentile(numbers, count, 50);
}

static void compare_with(const double *now, size_t now_count, const double *before,
                         size_t before_count, const stats_plan *plan, double *block,
                         stats_change *out)
{
  double *const pooled = block, *const a = pooled + now_count + before_count;
  double *const b = a + now_count, *const means = b + before_count;
  double *const medians = means + plan->resamples;
  memcpy(pooled, now, now_count * sizeof *now);
  memcpy(pooled + now_count, before, before_count * sizeof *before);

  stats_random random;
  stats_seed(&random, plan->seed, 2);
  const double t = fabs(welch_t(now, now_count, before, before_count));
  size_t as_large = 0;
  for (size_t i = 0; i < plan->resamples; i++) {
    draw(&random, pooled, now_count + before_count, a, now_count);
    draw(&random, pooled, now_count + before_count, b, before_count);
    as_large += fabs(welch_t(a, now_count, b, before_count)) >= t;
  }
  out->p_value = (double)as_large / (double)plan->resamples;

  for (size_t i = 0; i < plan->resamples; i++) {
    draw(&random, now, now_count, a, now_count);
    draw(&random, before, before_count, b, before_count);
    means[i] = stats_mean(a, now_count) / stats_mean(b, before_count) - 1;
    medians[i] = median_of(a, now_count) / median_of(b, before_count) - 1;
  }
  memcpy(a, now, now_count * sizeof *now);
  memcpy(b, before, before_count * sizeof *before);
  const double mean = stats_mean(a, now_count) / stats_mean(b, before_count) - 1;
  const double median = median_of(a, now_count) / median_of(b, before_count) - 1;
  out->mean = estimate(mean, means, plan);
  out->median = estimate(median, medians, plan);
}

bool stats_compare(const double *now, size_t now_count, const double *before, size_t before_count,
                   const stats_plan *plan, stats_change *out)
{
  const size_t samples = 2 * (now_count + before_count);
  double *const block = (double *)malloc((samples + 2 * plan->resamples) * sizeof *block);
  if (block == NULL) return false;
  compare_with(now, now_count, before, before_count, plan, block, out);
  free(block);
  return true;
}

#include "judge.h"

#include <string.h>

enum { RESAMPLES = 2000, BOOTSTRAP_SEED = 42 };

bool gate_exceeds(double worse_by, double limit)
{
  return worse_by - limit > 1e-9 * fmax(1, fabs(limit));
}

/* How much worse `now` is: (now - base) / base, with its sign turned where higher is better. */
static double loss_of(double base, double now, gate_better better)
{
  if (base == now) return 0;
  return better == GATE_LOWER ? (now - base) / base : (base - now) / base;
}

/* ---- one row ---- */

/* By figures alone. */
static gate_verdict judge_figures(const gate_row *row, const gate_limits *limits)
{
  if (gate_exceeds(row->worse_by, row->fail)) return GATE_FAIL;
  if (gate_exceeds(row->worse_by, row->warn)) return GATE_WARN;
  if (gate_exceeds(-row->worse_by, limits->improvement)) return GATE_IMPROVED;
  return GATE_OK;
}

/* By figures that must also be seen through the noise. */
static gate_verdict judge_bounds(const gate_row *row, const gate_limits *limits)
{
  const bool is_worse = row->bounds.low > row->noise;
  if (gate_exceeds(row->worse_by, row->fail) && is_worse) return GATE_FAIL;
  if (gate_exceeds(row->worse_by, row->warn) && is_worse) return GATE_WARN;
  if (gate_exceeds(-row->worse_by, limits->improvement) && row->bounds.high < -row->noise)
    return GATE_IMPROVED;
  if (!gate_exceeds(row->bounds.high, row->fail)) return GATE_OK;
  return GATE_INCONCLUSIVE;
}

/* So noisy that the limit cannot be seen. What is worse by more than limit and noise together is
 * seen all the same: twice the work is a failure on any machine. */
static bool is_hidden(const gate_row *row)
{
  if (!isfinite(row->fail) || row->noise <= row->fail / 2) return false;
  return row->bounds.low <= row->fail + row->noise;
}

/* Beyond the limit, and twice the work or more: no noise explains that. */
static bool is_twice(const gate_row *row)
{
  const double ratio = row->better == GATE_LOWER ? row->now / row->base : row->base / row->now;
  return ratio >= 2 - 1e-9 && gate_exceeds(row->worse_by, row->fail);
}

bool gate_is_count(const gate_row *row)
{
  static const char *const counts[] = {"allocs", "alloc_bytes", "peak_bytes", "instructions",
                                       "code_size"};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (strcmp(row->key, counts[i]) == 0) return true;
  return row->base_metric && row->base_metric->is_exact && row->now_metric->is_exact;
}

/* ---- rounds that were not taken in turns ---- */

/* Which rounds represent the figure. If each round recorded the figure itself, their median counts,
 * so that one bad round decides nothing. Else it is computed over the rounds of the metric. Returns
 * the quantile to compute, or STATS_MEAN. */
static double choose_rounds(const gate_row *row, const gate_numbers **base_out,
                            const gate_numbers **now_out)
{
  const gate_metric *base = row->base_metric, *now = row->now_metric;
  const bool is_mean = strcmp(row->key, "mean") == 0, is_p95 = strcmp(row->key, "p95") == 0;
  *base_out = is_mean ? &base->mean_rounds : &base->p95_rounds;
  *now_out = is_mean ? &now->mean_rounds : &now->p95_rounds;
  const size_t rounds = row->rounds;
  if ((is_mean || is_p95) && (*base_out)->count >= rounds && (*now_out)->count >= rounds)
    return 0.5;
  *base_out = &base->rounds;
  *now_out = &now->rounds;
  return is_mean ? STATS_MEAN : is_p95 ? 0.95 : strcmp(row->key, "p99") == 0 ? 0.99 : 0.5;
}

/* Rounds of another figure than the compared one give the width of the interval, not its place. */
static stats_interval bootstrap(const gate_row *row)
{
  const stats_plan plan = {RESAMPLES, 0.95, BOOTSTRAP_SEED};
  const gate_numbers *base, *now;
  const double share = choose_rounds(row, &base, &now);
  const stats_estimate ratio =
      stats_ratio(now->values, now->count, base->values, base->count, share, &plan);
  const double moved = row->now / row->base / ratio.point;
  return row->better == GATE_LOWER
             ? (stats_interval){ratio.low * moved - 1, ratio.high * moved - 1}
             : (stats_interval){1 - ratio.high * moved, 1 - ratio.low * moved};
}

static void judge_few_rounds(gate_row *row, const gate_limits *limits)
{
  row->verdict = judge_figures(row, limits);
  if (row->verdict != GATE_FAIL && row->verdict != GATE_WARN) return;
  if (limits->may_fail_on_single_run) return;
  if (is_twice(row)) {
    row->note = "twice the work or more, which no noise explains";
    return;
  }
  if (row->verdict == GATE_FAIL) row->verdict = GATE_NOT_PROVEN;
  row->note = row->rounds < 2
                  ? "a single run on a side proves nothing: use ab, 6 rounds, or --threshold"
                  : arena_format("%zu rounds on a side prove nothing: 6 do", row->rounds);
}

void gate_judge_row(gate_row *row, const gate_limits *limits)
{
  const bool has_rounds = row->base_metric && row->rounds >= GATE_ROUNDS_MIN;
  row->worse_by = loss_of(row->base, row->now, row->better);
  if (!gate_is_limited(row->warn, row->fail)) {
    row->verdict = GATE_REPORTED;
  } else if (row->base == 0 && row->now > 0) {
    row->verdict = GATE_FAIL;
    row->note = "there were none";
  } else if (gate_is_count(row)) {
    row->verdict = judge_figures(row, limits);
  } else if (!has_rounds) {
    judge_few_rounds(row, limits);
  } else {
    row->noise = limits->noise_min;
    row->bounds = bootstrap(row);
    row->verdict = judge_bounds(row, limits);
    const bool is_main = strcmp(row->key, "mean") != 0 && strcmp(row->key, "p95") != 0;
    if (is_main && is_twice(row)) row->verdict = GATE_FAIL;
  }
}

void gate_defer_to_median(gate_row *row, const gate_row *median)
{
  const bool is_clear = median->verdict == GATE_OK || median->verdict == GATE_IMPROVED ||
                        median->verdict == GATE_WARN || median->verdict == GATE_FAIL;
  const bool is_of_few = row->rounds >= 2 && row->rounds < GATE_ROUNDS_MIN && row->note &&
                         (row->verdict == GATE_NOT_PROVEN || row->verdict == GATE_FAIL);
  const bool is_unclear = row->verdict == GATE_NOISY || row->verdict == GATE_INCONCLUSIVE;
  if (row == median || !is_clear || !(is_unclear || is_of_few)) return;
  row->verdict = GATE_REPORTED;
  row->note = "hidden by noise; the median decides";
}

/* ---- rounds in pairs ---- */

/* Consecutive rounds compare the same two builds, so only the machine's noise makes their ratios
 * differ. What slows both sides of a round alike is in neither ratio. Returns the deviation of one
 * ratio. */
static double null_control(const gate_numbers *ratios)
{
  gate_numbers null = {0};
  for (size_t i = 0; i + 1 < ratios->count; i++)
    gate_numbers_add(&null, fabs(ratios->values[i + 1] - ratios->values[i]) / sqrt(2));
  return 1.4826 * stats_median(null.values, null.count);
}

void gate_judge_pairs(gate_row *row, const gate_limits *limits)
{
  const gate_numbers *base, *now;
  (void)choose_rounds(row, &base, &now);
  const size_t count = base->count < now->count ? base->count : now->count;
  gate_numbers ratios = {0};
  for (size_t i = 0; i < count; i++) {
    const double ratio = log(now->values[i] / base->values[i]);
    gate_numbers_add(&ratios, row->better == GATE_LOWER ? ratio : -ratio);
  }
  const double null_error = 1.25 * null_control(&ratios) / sqrt((double)count);
  const stats_interval bounds = stats_median_bounds(ratios.values, count);
  row->rounds = count;
  row->base = stats_median(base->values, base->count);
  row->now = stats_median(now->values, now->count);
  row->worse_by = expm1(stats_median(ratios.values, count));
  row->bounds = (stats_interval){expm1(bounds.low), expm1(bounds.high)};
  row->noise = fmax(limits->noise_min, 2 * null_error);
  if (!gate_is_limited(row->warn, row->fail)) {
    row->verdict = GATE_REPORTED;
  } else if (stats_order_rank(count) == 0) {
    row->verdict = GATE_INCONCLUSIVE;
    row->note = "need 6 rounds or more";
  } else if (is_hidden(row)) {
    row->verdict = GATE_NOISY;
  } else {
    row->verdict = judge_bounds(row, limits);
  }
}

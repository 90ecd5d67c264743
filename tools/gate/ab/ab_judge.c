#include "ab.h"

#include <math.h>
#include <string.h>

/* ---- a side as a set ---- */

static double median_of(const gate_numbers *numbers)
{
  return stats_median(numbers->values, numbers->count);
}

/* A bench near 1 us has tails of operations in some rounds and none in others: no figure. */
static bool has_tails(const ab_series *series)
{
  const size_t rounds = series->medians[AB_BASE].count;
  return series->tails[AB_BASE].count >= rounds && series->tails[AB_NOW].count >= rounds;
}

static void add_time(gate_bench *bench, const ab_series *series, int side)
{
  const gate_numbers *rounds = &series->medians[side];
  if (rounds->count < 2) return;
  gate_metric *time = gate_bench_add(bench, "time", "ns");
  const stats_interval bounds = stats_median_bounds(rounds->values, rounds->count);
  time->rounds = *rounds;
  time->mean_rounds = series->means[side];
  time->figures[GATE_MEDIAN] = median_of(rounds);
  time->figures[GATE_MEAN] = median_of(&series->means[side]);
  time->figures[GATE_LOW] = bounds.low;
  time->figures[GATE_HIGH] = bounds.high;
  time->sample_count = (double)rounds->count;
  if (!has_tails(series)) return;
  time->p95_rounds = series->tails[side];
  time->figures[GATE_P95] = median_of(&series->tails[side]);
  time->has_operation_percentiles = true;
}

static void add_count(gate_bench *bench, const char *name, const char *unit, double value)
{
  if (isnan(value)) return;
  gate_metric *metric = gate_bench_add(bench, name, unit);
  metric->is_exact = true;
  metric->figures[GATE_VALUE] = value;
}

static void add_bench(ab_run *run, gate_set *set, const ab_bench *from, int side, bool is_again)
{
  const char *why = run->why;
  if (side == AB_NOW && from->failure) gate_pairs_set(&set->failed, from->about.id, from->failure);
  if (side == AB_BASE && !from->is_on[AB_BASE] && why)
    gate_pairs_set(&set->failed, from->about.id,
                   arena_format("the base cannot compile it: %s", why));
  if (!from->is_on[side] || from->failure) return;
  gate_bench *bench = gate_set_add(set, from->about.id);
  *bench = from->about;
  add_time(bench, &from->series[is_again], side);
  if (is_again) return;
  add_count(bench, "allocs", "1/op", from->allocs[side]);
  add_count(bench, "peak_bytes", "B", from->peak_bytes[side]);
}

static gate_set *side_set(ab_run *run, int side, bool is_again)
{
  const char *name = side == AB_BASE ? run->base_name : run->now_name;
  gate_set *set = gate_set_new(name, GATE_FORM_OWN);
  gate_set_place(set);
  set->build = run->build;
  set->commit = run->commits[side];
  if (side == AB_NOW) set->skipped = run->skipped;
  for (size_t i = 0; i < run->count; i++) add_bench(run, set, &run->benches[i], side, is_again);
  gate_set_sort(set);
  return set;
}

void ab_judge_rounds(ab_run *run, gate_report *report, bool is_again)
{
  report->count = report->compared = 0;
  report->is_paired = true;
  report->base = side_set(run, AB_BASE, is_again);
  report->now = side_set(run, AB_NOW, is_again);
  gate_judge_sets(report, report->base, report->now, run->problems);
}

static const gate_row *find_row(const gate_report *report, const char *id, const char *key)
{
  for (size_t i = 0; i < report->count; i++)
    if (strcmp(report->rows[i].id, id) == 0 && strcmp(report->rows[i].key, key) == 0)
      return &report->rows[i];
  return NULL;
}

/* A failure counts once two series of fresh processes say so. */
static void confirm(ab_run *run, gate_report *report)
{
  gate_report again = {.limits = report->limits};
  ab_judge_rounds(run, &again, true);
  for (size_t i = 0; i < report->count; i++) {
    gate_row *row = &report->rows[i];
    if (row->verdict != GATE_FAIL) continue;
    const gate_row *second = find_row(&again, row->id, row->key);
    /* A mean that is its median to the last digit has no row of its own. */
    if (!second && strcmp(row->unit, "ns") == 0) second = find_row(&again, row->id, "median");
    if (!second) continue;
    const char *change = gate_percent(second->worse_by);
    if (second->verdict == GATE_FAIL) {
      row->note = arena_format("run again: worse by %s", change);
      continue;
    }
    row->verdict = GATE_WARN;
    row->note = arena_format("not reproduced: run again, it was %s (%s)",
                             gate_verdicts[second->verdict].name, change);
  }
}

void ab_judge(ab_run *run, gate_report *report)
{
  ab_judge_rounds(run, report, false);
  confirm(run, report);
}

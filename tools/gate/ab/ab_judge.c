#include "ab.h"

#include <math.h>
#include <stdio.h>
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

static void judge_rounds(ab_run *run, gate_report *report, bool is_again)
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

/* A failure counts once two series of fresh processes say so; else it is a warning. */
static void confirm(gate_report *report, const gate_report *again)
{
  for (size_t i = 0; i < report->count; i++) {
    gate_row *row = &report->rows[i];
    if (row->verdict != GATE_FAIL) continue;
    const gate_row *second = find_row(again, row->id, row->key);
    /* A mean that is its median to the last digit has no row of its own. */
    if (!second && strcmp(row->unit, "ns") == 0) second = find_row(again, row->id, "median");
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

/* ---- how many rounds: more where noise hides a result, all again where one failed ---- */

static bool is_compared(const ab_bench *bench)
{
  return bench->is_on[AB_BASE] && bench->is_on[AB_NOW] && !bench->failure;
}

/* Keeps active what has a time of one of these verdicts. */
static bool mark(const ab_run *run, const gate_report *report, bool *is_active, gate_verdict a,
                 gate_verdict b)
{
  bool is_any = false;
  for (size_t j = 0; j < run->count; j++) {
    bool is_marked = false;
    for (size_t i = 0; i < report->count && !is_marked; i++) {
      const gate_row *row = &report->rows[i];
      is_marked = strcmp(row->unit, "ns") == 0 && (row->verdict == a || row->verdict == b) &&
                  strcmp(run->benches[j].about.id, row->id) == 0;
    }
    is_active[j] = is_active[j] && is_marked;
    is_any = is_any || is_active[j];
  }
  return is_any;
}

static size_t as_many_again(const ab_options *options, size_t done)
{
  const size_t left = options->rounds_max > done ? options->rounds_max - done : 0;
  return done < left ? done : left;
}

/* Rounds of what is active, and as many again while noise hides something: 10, 20, 40. */
static bool measure_pass(ab_run *run, gate_report *report, bool *is_active, bool is_again)
{
  const int64_t end_ms = is_again ? run->deadline_ms : run->unclear_end_ms;
  size_t done = 0, more = run->options->rounds;
  for (;;) {
    if (!ab_rounds(run, is_active, is_again, more)) return false;
    judge_rounds(run, report, is_again);
    done += more;
    more = as_many_again(run->options, done);
    if (more == 0 || gate_now_ms() >= end_ms) return true;
    if (!mark(run, report, is_active, GATE_INCONCLUSIVE, GATE_NOISY)) return true;
    printf("%zu more rounds for what is not clear yet\n", more);
  }
}

bool ab_measure(ab_run *run, gate_report *report)
{
  bool *is_active = arena_take(run->count, sizeof *is_active);
  gate_report again = {.limits = run->limits};
  for (size_t i = 0; i < run->count; i++) is_active[i] = is_compared(&run->benches[i]);
  if (!measure_pass(run, report, is_active, false)) return false;
  for (size_t i = 0; i < run->count; i++) is_active[i] = is_compared(&run->benches[i]);
  if (!mark(run, report, is_active, GATE_FAIL, GATE_FAIL)) return true;
  puts("running once again what failed");
  if (!measure_pass(run, &again, is_active, true)) return false;
  judge_rounds(run, report, false); /* a bench may have broken when it was run again */
  confirm(report, &again);
  return true;
}

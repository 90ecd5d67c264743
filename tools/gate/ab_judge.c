#include "ab.h"

#include "fingerprint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_compared(const ab_bench *bench)
{
  return bench->is_on[AB_BASE] && bench->is_on[AB_NOW] && !bench->failure;
}

/* ---- rows ---- */

static const gate_metric *metric_of(ab_run *run, const gate_numbers *rounds)
{
  gate_metric *metric = gate_take(run->arena, 1, sizeof *metric);
  *metric = (gate_metric){.name = "time", .unit = "ns", .rounds = *rounds};
  for (int i = 0; i < GATE_FIGURES; i++) metric->figures[i] = NAN;
  metric->figures[GATE_MEDIAN] = gate_median(rounds->values, rounds->count);
  metric->figures[GATE_MEAN] = gate_mean(rounds->values, rounds->count);
  return metric;
}

static gate_row time_row(ab_run *run, const ab_bench *bench, const char *key,
                         const gate_numbers *rounds)
{
  const gate_limit limit = gate_limits_find(run->limits, bench->id, key);
  gate_row row = {.id = bench->id,
                  .full_id = bench->full_id,
                  .key = key,
                  .unit = "ns",
                  .warn = limit.warn,
                  .fail = limit.fail};
  gate_judge_rounds(&row, run->limits, &rounds[AB_BASE], &rounds[AB_NOW]);
  return row;
}

static const char *const time_keys[] = {"median", "mean", "p95"};

static const gate_numbers *rounds_of(const ab_series *series, size_t key)
{
  return key == 0 ? series->medians : key == 1 ? series->means : series->tails;
}

/* A bench near 1 us has tails of operations in some rounds and none in others: no figure. */
static bool has_rounds(const ab_series *series, size_t key)
{
  const gate_numbers *rounds = rounds_of(series, key);
  for (int side = 0; side < AB_SIDES; side++)
    if (rounds[side].count < 2 || rounds[side].count < series->medians[side].count) return false;
  return true;
}

/* A failure counts once two series of fresh processes say so. */
static void confirm(ab_run *run, const ab_bench *bench, gate_row *row, size_t key)
{
  if (row->verdict != GATE_FAIL || !has_rounds(&bench->again, key)) return;
  const gate_row again = time_row(run, bench, row->key, rounds_of(&bench->again, key));
  if (again.verdict == GATE_FAIL) {
    row->note =
        gate_format(run->arena, "run again: worse by %s", gate_percent(run->arena, again.change));
    return;
  }
  row->verdict = GATE_WARN;
  row->note = gate_format(run->arena, "not reproduced: run again, it was %s (%s)",
                          gate_verdict_name(again.verdict), gate_percent(run->arena, again.change));
}

/* A mean or a tail that noise hides is only told: where the median is clear, it decides. One that
 * is worse beyond the noise still fails. */
static void give_way(gate_row *row, size_t key, gate_verdict median)
{
  const bool is_clear = median != GATE_NOISY && median != GATE_INCONCLUSIVE;
  if (key == 0 || !is_clear) return;
  if (row->verdict != GATE_NOISY && row->verdict != GATE_INCONCLUSIVE) return;
  row->verdict = GATE_REPORTED;
  row->note = "hidden by noise; the median decides";
}

static void add_times(ab_run *run, gate_report *report, const ab_bench *bench)
{
  gate_verdict median = GATE_OK;
  for (size_t key = 0; key < sizeof time_keys / sizeof *time_keys; key++) {
    if (!has_rounds(&bench->series, key)) continue;
    const gate_numbers *rounds = rounds_of(&bench->series, key);
    gate_row row = time_row(run, bench, time_keys[key], rounds);
    if (key == 0) median = row.verdict;
    confirm(run, bench, &row, key);
    give_way(&row, key, median);
    row.base_metric = metric_of(run, &rounds[AB_BASE]);
    row.now_metric = metric_of(run, &rounds[AB_NOW]);
    *gate_report_add(report, bench->id, time_keys[key]) = row;
    if (row.verdict != GATE_REPORTED) report->compared++;
  }
}

static void add_count(gate_report *report, const ab_bench *bench, const char *key, const char *unit,
                      const double *sides)
{
  if (isnan(sides[AB_BASE]) || isnan(sides[AB_NOW])) return;
  gate_row *row = gate_report_add(report, bench->id, key);
  row->full_id = bench->full_id;
  row->unit = unit;
  row->base = sides[AB_BASE];
  row->now = sides[AB_NOW];
  row->change = gate_change(row->base, row->now, GATE_LOWER);
  row->verdict = GATE_OK;
  if (row->base == 0 && row->now > 0) {
    row->verdict = GATE_FAIL;
    row->note = "there were none";
  } else if (gate_exceeds(row->change, row->fail)) {
    row->verdict = GATE_FAIL;
  } else if (gate_exceeds(row->change, row->warn)) {
    row->verdict = GATE_WARN;
  } else if (gate_exceeds(-row->change, report->limits->improvement)) {
    row->verdict = GATE_IMPROVED;
  }
  report->compared++;
}

static void apply_waiver(gate_report *report, size_t first)
{
  for (size_t i = first; i < report->count; i++) {
    gate_row *row = &report->rows[i];
    const gate_waiver *waiver = gate_limits_waiver(report->limits, row->id);
    if (!waiver || !gate_waiver_holds(report->limits, waiver)) continue;
    row->note = gate_format(report->arena, "%s (until %s)", waiver->reason, waiver->until);
    if (row->verdict != GATE_REPORTED && row->key[0] != '\0') report->compared--;
    row->verdict = GATE_IGNORED;
  }
}

static void add_presence(ab_run *run, gate_report *report, const ab_bench *bench)
{
  gate_row *row = gate_report_add(report, bench->id, "");
  row->full_id = bench->full_id;
  if (bench->failure) {
    row->verdict = GATE_MISSING;
    row->note = gate_format(run->arena, "failed: %s", bench->failure);
  } else if (bench->is_on[AB_NOW]) {
    const char *why = run->programs[bench->program].why;
    row->verdict = GATE_NEW;
    row->note = why ? gate_format(run->arena, "the base cannot compile it: %s", why)
                    : "the base does not have it";
  } else {
    row->verdict = run->limits->missing == GATE_POLICY_FAIL ? GATE_MISSING : GATE_WARN;
    row->note = "only the base has it";
  }
}

static void add_rows(ab_run *run, gate_report *report)
{
  report->count = report->compared = 0;
  for (size_t i = 0; i < run->count; i++) {
    const ab_bench *bench = &run->benches[i];
    const size_t first = report->count;
    if (!is_compared(bench)) {
      add_presence(run, report, bench);
    } else {
      add_times(run, report, bench);
      add_count(report, bench, "allocs", "1/op", bench->allocs);
      add_count(report, bench, "peak_bytes", "B", bench->peak_bytes);
      add_count(report, bench, "instructions", "1/op", bench->instructions);
    }
    apply_waiver(report, first);
  }
  for (size_t i = 0; i < run->skipped.count; i++) {
    gate_row *row = gate_report_add(report, run->skipped.items[i].key, "");
    row->verdict = GATE_SKIPPED;
    row->note = run->skipped.items[i].value;
  }
}

/* ---- which benches need more ---- */

static bool mark(ab_run *run, const gate_report *report, bool *is_active, gate_verdict a,
                 gate_verdict b)
{
  bool is_any = false;
  memset(is_active, 0, run->count * sizeof *is_active);
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    const bool is_time = strcmp(row->unit, "ns") == 0;
    if (!is_time || (row->verdict != a && row->verdict != b)) continue;
    for (size_t j = 0; j < run->count; j++) {
      if (strcmp(run->benches[j].id, row->id) != 0) continue;
      is_active[j] = true;
      is_any = true;
    }
  }
  return is_any;
}

/* As many again while something is unclear: 10, 20, 40. */
static bool settle(ab_run *run, gate_report *report, bool *is_active)
{
  size_t done = run->options->rounds;
  while (done < run->options->rounds_max && ab_now_ms() < run->settled_ms) {
    add_rows(run, report);
    if (!mark(run, report, is_active, GATE_INCONCLUSIVE, GATE_NOISY)) return true;
    const size_t more =
        done < run->options->rounds_max - done ? done : run->options->rounds_max - done;
    printf("%zu more rounds for what is not clear yet\n", more);
    if (!ab_rounds(run, (ab_pass){.is_active = is_active, .rounds = more})) return false;
    done += more;
  }
  return true;
}

/* Whether some figure of the re-run is hidden by noise, which neither confirms nor refutes. */
static bool is_unclear_again(ab_run *run, const ab_bench *bench)
{
  for (size_t key = 0; key < sizeof time_keys / sizeof *time_keys; key++) {
    if (!has_rounds(&bench->again, key)) continue;
    const gate_row row = time_row(run, bench, time_keys[key], rounds_of(&bench->again, key));
    if (row.verdict == GATE_NOISY || row.verdict == GATE_INCONCLUSIVE) return true;
  }
  return false;
}

static bool run_again(ab_run *run, bool *is_active)
{
  size_t done = 0, more = run->options->rounds;
  for (bool is_any = true; is_any;) {
    if (!ab_rounds(run, (ab_pass){is_active, true, more})) return false;
    done += more;
    more = done < run->options->rounds_max - done ? done : run->options->rounds_max - done;
    is_any = false;
    for (size_t i = 0; i < run->count; i++) {
      is_active[i] = is_active[i] && is_unclear_again(run, &run->benches[i]);
      is_any = is_any || is_active[i];
    }
    is_any = is_any && more > 0 && ab_now_ms() < run->deadline_ms;
  }
  return true;
}

static bool measure(ab_run *run, gate_report *report)
{
  bool *is_active = gate_take(run->arena, run->count, sizeof *is_active);
  for (size_t i = 0; i < run->count; i++) is_active[i] = is_compared(&run->benches[i]);
  if (!ab_rounds(run, (ab_pass){.is_active = is_active, .rounds = run->options->rounds}))
    return false;
  if (!settle(run, report, is_active)) return false;
  add_rows(run, report);
  if (!mark(run, report, is_active, GATE_FAIL, GATE_FAIL)) return true;
  puts("running once again what failed");
  return run_again(run, is_active);
}

bool ab_judge(ab_run *run, gate_report *report)
{
  if (!run->options->has_no_times && !measure(run, report)) return false;
  if (run->options->counts) ab_counts(run, report);
  add_rows(run, report);
  return true;
}

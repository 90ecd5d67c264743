/* Two sets: which benches and figures both have, and what is told of the rest. */
#include "judge.h"

#include <string.h>

/* A row with nothing compared yet. */
static gate_row *add_row(gate_report *report, const char *id, const char *key)
{
  report->rows = arena_grow(report->rows, report->count, &report->capacity, sizeof(gate_row));
  gate_row *row = &report->rows[report->count++];
  const gate_limit limit = gate_limits_find(report->limits, id, key);
  *row = (gate_row){
      .id = id,
      .full_id = id,
      .key = key,
      .unit = "",
      .base = NAN,
      .now = NAN,
      .worse_by = NAN,
      .bounds = {NAN, NAN},
      .noise = NAN,
      .warn = limit.warn,
      .fail = limit.fail,
  };
  return row;
}

typedef struct comparison {
  gate_report *report;
  const gate_set *base, *now;
  gate_problems *problems;
} comparison;

/* True if a waiver holds, which makes the row IGNORED. */
static bool apply_waiver(const gate_report *report, gate_row *row)
{
  const gate_waiver *waiver = gate_limits_waiver(report->limits, row->id);
  if (!waiver) return false;
  if (strcmp(report->limits->today, waiver->until) <= 0) {
    row->note = arena_format("%s (until %s)", waiver->reason, waiver->until);
    row->verdict = GATE_IGNORED;
    return true;
  }
  row->note = arena_format("no longer ignored: that was until %s", waiver->until);
  if (row->verdict < GATE_WARN) row->verdict = GATE_WARN;
  return false;
}

/* Waives, and counts what was compared, of the rows from `first` on. */
static void apply_waivers(gate_report *report, size_t first)
{
  for (size_t i = first; i < report->count; i++) {
    gate_row *row = &report->rows[i];
    if (row->verdict == GATE_NEW || row->verdict == GATE_SKIPPED) continue;
    const bool is_limited = row->base_metric && gate_is_limited(row->warn, row->fail);
    if (!apply_waiver(report, row) && is_limited) report->compared++;
  }
}

static bool fits(const comparison *pair, const char *id, const gate_metric *base,
                 const gate_metric *now)
{
  const char *path = pair->now->path;
  if (strcmp(base->unit, now->unit) != 0)
    return gate_wrong(pair->problems, "unit mismatch: %s %s is in %s in %s and in %s in %s", id,
                      base->name, base->unit, pair->base->path, now->unit, path);
  if (base->better != now->better)
    return gate_wrong(
        pair->problems, "direction mismatch: %s %s is better %s in %s and the opposite in %s", id,
        base->name, base->better == GATE_LOWER ? "lower" : "higher", pair->base->path, path);
  return true;
}

static void add_figure(const comparison *pair, const gate_bench *bench, const char *key,
                       const gate_metric *base, const gate_metric *now, double old, double current)
{
  if (isnan(old) || isnan(current)) return;
  gate_report *report = pair->report;
  gate_row *row = add_row(report, bench->id, key);
  row->full_id = bench->full_id;
  row->unit = base->unit;
  row->better = base->better;
  row->base = old;
  row->now = current;
  row->base_metric = base;
  row->now_metric = now;
  row->rounds = base->rounds.count < now->rounds.count ? base->rounds.count : now->rounds.count;
  const bool is_count = gate_is_count(row);
  if (!report->is_paired || is_count)
    gate_judge_row(row, report->limits);
  else
    gate_judge_pairs(row, report->limits);
  /* Counts are the same on every machine, as long as the compiler made the same of the sources. */
  const char *difference = report->build_difference;
  if (!difference && !is_count) difference = report->machine_difference;
  if (!difference || row->verdict == GATE_REPORTED) return;
  row->verdict = GATE_NOT_COMPARABLE;
  row->note = difference;
}

/* The mean and the tails of a single number are that number again. One row is enough: the one with
 * a limit. */
static bool says_the_same(const gate_report *report, const char *id, gate_figure figure,
                          const gate_metric *base, const gate_metric *now)
{
  static const gate_figure others[] = {GATE_MEDIAN, GATE_MEAN};
  for (size_t i = 0; i < 2; i++) {
    const gate_figure other = others[i];
    if (other == figure || base->figures[other] != base->figures[figure] ||
        now->figures[other] != now->figures[figure])
      continue;
    const gate_limit limit = gate_limits_find(report->limits, id, gate_figure_names[figure]);
    const gate_limit other_limit = gate_limits_find(report->limits, id, gate_figure_names[other]);
    const bool is_limited = gate_is_limited(limit.warn, limit.fail);
    const bool other_is_limited = gate_is_limited(other_limit.warn, other_limit.fail);
    if (other_is_limited && !is_limited) return true;
    if (other_is_limited == is_limited && figure != GATE_MEDIAN) return true;
  }
  return false;
}

static void compare_times(const comparison *pair, const gate_bench *bench, const gate_metric *base,
                          const gate_metric *now)
{
  static const gate_figure figures[] = {GATE_MEDIAN, GATE_MEAN, GATE_P95, GATE_P99};
  const size_t first = pair->report->count;
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    const char *key = gate_figure_names[figures[i]];
    if (!says_the_same(pair->report, bench->id, figures[i], base, now))
      add_figure(pair, bench, key, base, now, base->figures[figures[i]], now->figures[figures[i]]);
  }
  gate_row *rows = pair->report->rows + first;
  const size_t count = pair->report->count - first;
  if (count > 0 && strcmp(rows[0].key, "median") == 0)
    for (size_t i = 1; i < count; i++) gate_defer_to_median(&rows[i], &rows[0]);
}

static void compare_metric(const comparison *pair, const gate_bench *bench, const gate_metric *base,
                           const gate_metric *now)
{
  if (!fits(pair, bench->id, base, now)) return;
  if (strcmp(base->name, "time") == 0) {
    compare_times(pair, bench, base, now);
    return;
  }
  const bool is_record = pair->base->form == GATE_FORM_RECORD;
  add_figure(pair, bench, base->name, base, now,
             is_record ? base->figures[GATE_P95] : gate_metric_main(base),
             is_record ? now->figures[GATE_P95] : gate_metric_main(now));
}

static void add_note(const comparison *pair, const char *id, const char *full_id,
                     gate_verdict verdict, const char *note)
{
  gate_row *row = add_row(pair->report, id, "");
  row->full_id = full_id;
  row->verdict = verdict;
  row->note = note;
}

/* The reason of the id itself or of a group that it belongs to. */
static const char *reason_for(const gate_pairs *pairs, const char *id)
{
  for (size_t i = 0; i < pairs->count; i++) {
    const size_t length = strlen(pairs->items[i].key);
    if (gate_ids_equal(pairs->items[i].key, id)) return pairs->items[i].value;
    if (strncmp(pairs->items[i].key, id, length) == 0 && id[length] == '/')
      return pairs->items[i].value;
  }
  return NULL;
}

/* A bench of this id or group was skipped. */
static bool is_told(const gate_report *report, const char *id)
{
  const gate_pairs wanted = {&(gate_pair){id, ""}, 1, 1};
  for (size_t i = 0; i < report->count; i++)
    if (report->rows[i].verdict == GATE_SKIPPED && reason_for(&wanted, report->rows[i].id))
      return true;
  return false;
}

static void note_missing(const comparison *pair, const gate_bench *bench)
{
  const char *skipped = reason_for(&pair->now->skipped, bench->id);
  const bool is_stale = reason_for(&pair->now->stale, bench->id) != NULL;
  const char *why =
      is_stale ? "not in the newest run; its results are old" : "not in the current run";
  const gate_policy policy = pair->report->limits->missing;
  const gate_verdict missing = policy == GATE_POLICY_FAIL   ? GATE_MISSING
                               : policy == GATE_POLICY_WARN ? GATE_WARN
                                                            : GATE_OK;
  add_note(pair, bench->id, bench->full_id, skipped ? GATE_SKIPPED : missing,
           skipped ? skipped : why);
}

static void compare_bench(const comparison *pair, const gate_bench *base)
{
  const gate_bench *now = gate_set_find_spelled(pair->now, base->id);
  if (!now) {
    /* A failed bench has its row already. */
    if (!reason_for(&pair->now->failed, base->id)) note_missing(pair, base);
    return;
  }
  if (base->definition_hash && now->definition_hash &&
      strcmp(base->definition_hash, now->definition_hash) != 0) {
    add_note(pair, now->id, now->full_id, GATE_NEW,
             "the bench itself changed; it measures another thing than its baseline");
    return;
  }
  for (size_t i = 0; i < base->metric_count; i++) {
    const gate_metric *metric = gate_bench_find(now, base->metrics[i].name);
    if (metric) {
      compare_metric(pair, now, &base->metrics[i], metric);
    } else if (pair->base->form == GATE_FORM_RECORD) {
      gate_wrong(pair->problems, "metric differs: %s is measured by %s in %s only", base->id,
                 base->metrics[i].name, pair->base->path);
    }
  }
}

/* What has no result now. A failed bench gets a row with or without a baseline; a skipped one only
 * if no bench of the baseline led to one. */
static void add_absent(const comparison *pair, const gate_pairs *absent, gate_verdict verdict)
{
  for (size_t i = 0; i < absent->count; i++) {
    const char *id = absent->items[i].key;
    if (!gate_limits_judges(pair->report->limits, id)) continue;
    if (verdict == GATE_SKIPPED && is_told(pair->report, id)) continue;
    add_note(pair, id, id, verdict, absent->items[i].value);
  }
}

static void add_new(const comparison *pair)
{
  const gate_set *base = pair->base, *now = pair->now;
  for (size_t i = 0; i < now->count; i++) {
    const gate_bench *bench = &now->benches[i];
    if (!gate_limits_judges(pair->report->limits, bench->id)) continue;
    if (gate_set_find_spelled(base, bench->id)) continue;
    const char *failed = reason_for(&base->failed, bench->id);
    add_note(pair, bench->id, bench->full_id, GATE_NEW,
             failed ? arena_format("it failed in the baseline: %s", failed)
                    : "not in the baseline");
  }
}

void gate_judge_sets(gate_report *report, const gate_set *base, const gate_set *now,
                     gate_problems *problems)
{
  const comparison pair = {report, base, now, problems};
  const size_t first = report->count;
  if (!report->base) {
    report->base = base;
    report->now = now;
  }
  report->machine_difference = gate_machine_difference(base, now);
  report->build_difference = gate_build_difference(base, now);
  gate_limits_bind(report->limits, base, now);
  const bool are_records = base->form == GATE_FORM_RECORD && now->form == GATE_FORM_RECORD;
  if (are_records && base->count == 1 && now->count == 1 &&
      !gate_ids_equal(base->benches[0].id, now->benches[0].id)) {
    gate_wrong(problems, "bench_id differs: %s in %s, %s in %s", base->benches[0].id, base->path,
               now->benches[0].id, now->path);
    return;
  }
  add_absent(&pair, &now->failed, GATE_FAILED);
  for (size_t i = 0; i < base->count; i++)
    if (gate_limits_judges(report->limits, base->benches[i].id))
      compare_bench(&pair, &base->benches[i]);
  add_new(&pair);
  add_absent(&pair, &now->skipped, GATE_SKIPPED);
  apply_waivers(report, first);
}

void gate_note_unused(gate_report *report)
{
  gate_pairs unused = {0};
  gate_limits_unused(report->limits, &unused);
  for (size_t i = 0; i < unused.count; i++) {
    gate_row *row = add_row(report, unused.items[i].key, "");
    row->verdict = GATE_WARN;
    row->note = unused.items[i].value;
  }
}

#include "judge.h"

#include "fingerprint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MIN = 6, RESAMPLES_FEW = 500, RESAMPLES = 10000, BOOTSTRAP_SEED = 42 };

bool gate_exceeds(double change, double limit)
{
  return change - limit > 1e-9 * fmax(1, fabs(limit));
}

double gate_change(double base, double now, gate_better better)
{
  if (base == now) return 0;
  return better == GATE_LOWER ? (now - base) / base : (base - now) / base;
}

/* ---- one row ---- */

static gate_verdict by_policy(gate_policy policy, gate_verdict strict)
{
  return policy == GATE_POLICY_FAIL ? strict : policy == GATE_POLICY_WARN ? GATE_WARN : GATE_OK;
}

/* By figures alone. */
static gate_verdict judge_figures(const gate_row *row, const gate_limits *limits)
{
  if (gate_exceeds(row->change, row->fail)) return GATE_FAIL;
  if (gate_exceeds(row->change, row->warn)) return GATE_WARN;
  if (gate_exceeds(-row->change, limits->improvement)) return GATE_IMPROVED;
  return GATE_OK;
}

/* By figures that must also be seen through the noise. */
static gate_verdict judge_bounds(const gate_row *row, const gate_limits *limits)
{
  const bool is_worse = row->bounds.low > row->noise;
  if (gate_exceeds(row->change, row->fail) && is_worse) return GATE_FAIL;
  if (gate_exceeds(row->change, row->warn) && is_worse) return GATE_WARN;
  if (gate_exceeds(-row->change, limits->improvement) && row->bounds.high < -row->noise)
    return GATE_IMPROVED;
  if (!gate_exceeds(row->bounds.high, row->fail)) return GATE_OK;
  return GATE_INCONCLUSIVE;
}

/* So noisy that the limit is out of sight. What is worse by the limit and all the noise together is
 * seen all the same: twice the work is a failure on any machine. */
static bool is_hidden(const gate_row *row)
{
  if (!isfinite(row->fail) || row->noise <= row->fail / 2) return false;
  return row->bounds.low <= row->fail + row->noise;
}

static bool is_limited(const gate_row *row)
{
  return isfinite(row->warn) || isfinite(row->fail);
}

static gate_interval bootstrap(const gate_row *row, size_t resamples)
{
  const gate_numbers *base = &row->base_metric->rounds, *now = &row->now_metric->rounds;
  const gate_interval ratio = gate_bootstrap_ratio(base->values, base->count, now->values,
                                                   now->count, resamples, BOOTSTRAP_SEED);
  return row->better == GATE_LOWER ? (gate_interval){ratio.low - 1, ratio.high - 1}
                                   : (gate_interval){1 - ratio.high, 1 - ratio.low};
}

/* Most benches are far from every limit: where bounds twice as wide would say the same, few
 * resamples are enough. */
static void judge_rounds_apart(gate_row *row, const gate_limits *limits)
{
  row->noise = limits->noise_min;
  const gate_interval rough = bootstrap(row, RESAMPLES_FEW);
  const double width = rough.high - rough.low;
  row->bounds = (gate_interval){rough.low - width / 2, rough.high + width / 2};
  const gate_verdict at_least = judge_bounds(row, limits);
  row->bounds = rough;
  row->verdict = judge_bounds(row, limits);
  if (row->verdict == at_least) return;
  row->bounds = bootstrap(row, RESAMPLES);
  row->verdict = judge_bounds(row, limits);
}

static bool is_count(const gate_row *row)
{
  static const char *const counts[] = {"allocs", "alloc_bytes", "peak_bytes", "instructions",
                                       "code_size"};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (strcmp(row->key, counts[i]) == 0) return true;
  return row->base_metric && row->base_metric->is_exact && row->now_metric->is_exact;
}

static void judge_row(gate_row *row, const gate_limits *limits)
{
  const bool has_rounds = row->rounds >= ROUNDS_MIN &&
                          (strcmp(row->key, "median") == 0 || strcmp(row->key, "mean") == 0);
  row->change = gate_change(row->base, row->now, row->better);
  if (!is_limited(row)) {
    row->verdict = GATE_REPORTED;
  } else if (row->base == 0 && row->now > 0) {
    row->verdict = GATE_FAIL;
    row->note = "there were none";
  } else if (is_count(row)) {
    row->verdict = judge_figures(row, limits);
  } else if (has_rounds) {
    judge_rounds_apart(row, limits);
  } else {
    row->verdict = judge_figures(row, limits);
    if (row->verdict == GATE_FAIL && !limits->may_fail_on_single_run) {
      row->verdict = GATE_WARN;
      row->note = "a single run: fewer than 6 rounds on a side prove nothing; use ab, or "
                  "--threshold";
    }
  }
}

/* ---- rounds in pairs ---- */

/* What a machine does to two rounds that followed each other is told by how far their ratios are
 * apart: the same two sides were compared, so in truth by nothing. What slows both sides of a round
 * alike is in neither ratio. Returns the deviation of one ratio. */
static double null_control(gate_arena *arena, const gate_numbers *ratios)
{
  gate_numbers null = {0};
  for (size_t i = 0; i + 1 < ratios->count; i++)
    gate_numbers_add(arena, &null, fabs(ratios->values[i + 1] - ratios->values[i]) / sqrt(2));
  return 1.4826 * gate_median(null.values, null.count);
}

void gate_judge_rounds(gate_row *row, const gate_limits *limits, const gate_numbers *base,
                       const gate_numbers *now)
{
  const size_t count = base->count < now->count ? base->count : now->count;
  gate_arena arena = {0};
  gate_numbers ratios = {0};
  for (size_t i = 0; i < count; i++) {
    const double ratio = log(now->values[i] / base->values[i]);
    gate_numbers_add(&arena, &ratios, row->better == GATE_LOWER ? ratio : -ratio);
  }
  const double null_error = 1.25 * null_control(&arena, &ratios) / sqrt((double)count);
  const gate_interval bounds = gate_median_bounds(ratios.values, count);
  row->rounds = count;
  row->base = gate_median(base->values, base->count);
  row->now = gate_median(now->values, now->count);
  row->change = expm1(gate_median(ratios.values, count));
  row->bounds = (gate_interval){expm1(bounds.low), expm1(bounds.high)};
  row->noise = fmax(limits->noise_min, 2 * null_error);
  gate_arena_release(&arena);
  if (!is_limited(row)) {
    row->verdict = GATE_REPORTED;
  } else if (gate_order_rank(count) == 0) {
    row->verdict = GATE_INCONCLUSIVE;
    row->note = "need 6 rounds or more";
  } else if (is_hidden(row)) {
    row->verdict = GATE_NOISY;
  } else {
    row->verdict = judge_bounds(row, limits);
  }
}

/* ---- two sets ---- */

gate_row *gate_report_add(gate_report *report, const char *id, const char *key)
{
  report->rows =
      gate_grow(report->arena, report->rows, report->count, &report->capacity, sizeof(gate_row));
  gate_row *row = &report->rows[report->count++];
  const gate_limit limit = gate_limits_find(report->limits, id, key);
  *row = (gate_row){
      .id = id,
      .full_id = id,
      .key = key,
      .unit = "",
      .base = NAN,
      .now = NAN,
      .change = NAN,
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

static void apply_waiver(gate_report *report, gate_row *row)
{
  const gate_waiver *waiver = gate_limits_waiver(report->limits, row->id);
  if (!waiver) return;
  if (gate_waiver_holds(report->limits, waiver)) {
    row->note = gate_format(report->arena, "%s (until %s)", waiver->reason, waiver->until);
    row->verdict = GATE_IGNORED;
  } else {
    row->note = gate_format(report->arena, "no longer ignored: that was until %s", waiver->until);
    if (row->verdict < GATE_WARN) row->verdict = GATE_WARN;
  }
}

static bool fits(const comparison *pair, const char *id, const gate_metric *base,
                 const gate_metric *now)
{
  const char *path = pair->now->path;
  if (strcmp(base->unit, now->unit) != 0)
    return gate_wrong(pair->problems, path, "unit mismatch: %s %s is in %s in %s and in %s in %s",
                      id, base->name, base->unit, pair->base->path, now->unit, path);
  if (base->better != now->better)
    return gate_wrong(
        pair->problems, path, "direction mismatch: %s %s is better %s in %s and the opposite in %s",
        id, base->name, base->better == GATE_LOWER ? "lower" : "higher", pair->base->path, path);
  return true;
}

static void add_figure(const comparison *pair, const gate_bench *bench, const char *key,
                       const gate_metric *base, const gate_metric *now, double old, double current)
{
  if (isnan(old) || isnan(current)) return;
  gate_report *report = pair->report;
  gate_row *row = gate_report_add(report, bench->id, key);
  row->full_id = bench->full_id;
  row->unit = base->unit;
  row->better = base->better;
  row->base = old;
  row->now = current;
  row->base_metric = base;
  row->now_metric = now;
  row->rounds = base->rounds.count < now->rounds.count ? base->rounds.count : now->rounds.count;
  judge_row(row, report->limits);
  const gate_waiver *waiver = gate_limits_waiver(report->limits, row->id);
  const bool is_ignored = waiver && gate_waiver_holds(report->limits, waiver);
  if (is_limited(row) && !is_ignored) report->compared++;
  if (report->difference && is_limited(row)) {
    row->verdict = GATE_NOT_COMPARABLE;
    row->note = report->difference;
  }
  apply_waiver(report, row);
}

static void compare_metric(const comparison *pair, const gate_bench *bench, const gate_metric *base,
                           const gate_metric *now)
{
  static const gate_figure figures[] = {GATE_MEAN, GATE_MEDIAN, GATE_P95, GATE_P99};
  if (!fits(pair, bench->id, base, now)) return;
  if (strcmp(base->name, "time") != 0) {
    const bool is_record = pair->base->form == GATE_FORM_RECORD;
    add_figure(pair, bench, base->name, base, now,
               is_record ? base->figures[GATE_P95] : gate_metric_main(base),
               is_record ? now->figures[GATE_P95] : gate_metric_main(now));
    return;
  }
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    add_figure(pair, bench, gate_figure_name(figures[i]), base, now, base->figures[figures[i]],
               now->figures[figures[i]]);
}

static gate_row *add_note(const comparison *pair, const gate_bench *bench, gate_verdict verdict,
                          const char *note)
{
  gate_row *row = gate_report_add(pair->report, bench->id, "");
  row->full_id = bench->full_id;
  row->verdict = verdict;
  row->note = note;
  return row;
}

static const gate_bench *find_either_spelling(const gate_set *set, const char *id)
{
  const gate_bench *found = gate_set_find(set, id);
  for (size_t i = 0; !found && i < set->count; i++)
    if (gate_ids_equal(set->benches[i].id, id)) found = &set->benches[i];
  return found;
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

/* Letters to change, add or drop to turn one into the other; ids over 255 bytes are far apart. */
static size_t edit_distance(const char *a, const char *b)
{
  enum { LENGTH_MAX = 255 };
  size_t row[LENGTH_MAX + 1];
  const size_t length = strlen(b);
  if (length > LENGTH_MAX) return SIZE_MAX;
  for (size_t j = 0; j <= length; j++) row[j] = j;
  for (size_t i = 0; a[i] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < length; j++) {
      const size_t above = row[j + 1];
      size_t best = diagonal + (a[i] != b[j]);
      if (above + 1 < best) best = above + 1;
      if (row[j] + 1 < best) best = row[j] + 1;
      diagonal = above;
      row[j + 1] = best;
    }
  }
  return row[length];
}

static const char *rename_hint(const comparison *pair, const char *id)
{
  const char *nearest = NULL;
  size_t least = strlen(id) / 3 + 1;
  for (size_t i = 0; i < pair->now->count; i++) {
    const char *other = pair->now->benches[i].id;
    const size_t distance = edit_distance(id, other);
    if (distance > least || find_either_spelling(pair->base, other)) continue;
    nearest = other;
    least = distance;
  }
  gate_arena *arena = pair->report->arena;
  return nearest ? gate_format(arena, "not in the current run; renamed to %s?", nearest)
                 : "not in the current run";
}

static void note_missing(const comparison *pair, const gate_bench *bench)
{
  gate_report *report = pair->report;
  const char *skipped = reason_for(&pair->now->skipped, bench->id);
  if (skipped) {
    add_note(pair, bench, GATE_SKIPPED, gate_copy_text(report->arena, skipped));
    return;
  }
  const char *failed = reason_for(&pair->now->failed, bench->id);
  const bool is_stale = reason_for(&pair->now->stale, bench->id) != NULL;
  const char *why = failed     ? gate_format(report->arena, "failed: %s", failed)
                    : is_stale ? "not in the newest run; its results are old"
                               : rename_hint(pair, bench->id);
  gate_row *row = add_note(pair, bench, by_policy(report->limits->missing, GATE_MISSING), why);
  apply_waiver(report, row);
}

static const char *definition_change(const gate_bench *base, const gate_bench *now)
{
  const bool has_hashes = base->definition_hash && now->definition_hash;
  if (has_hashes && strcmp(base->definition_hash, now->definition_hash) != 0)
    return "the bench itself changed; it measures another thing than its baseline";
  if (base->params && now->params && strcmp(base->params, now->params) != 0)
    return "its parameters changed; it measures another thing than its baseline";
  return NULL;
}

static void compare_bench(const comparison *pair, const gate_bench *base)
{
  const gate_bench *now = find_either_spelling(pair->now, base->id);
  if (!now) {
    note_missing(pair, base);
    return;
  }
  const char *changed = definition_change(base, now);
  if (changed) {
    add_note(pair, now, GATE_NEW, changed);
    return;
  }
  for (size_t i = 0; i < base->metric_count; i++) {
    const gate_metric *metric = gate_bench_find(now, base->metrics[i].name);
    if (metric) {
      compare_metric(pair, now, &base->metrics[i], metric);
    } else if (pair->base->form == GATE_FORM_RECORD) {
      gate_wrong(pair->problems, pair->now->path, "metric differs: %s is measured by %s in %s only",
                 base->id, base->metrics[i].name, pair->base->path);
    }
  }
}

void gate_judge_sets(gate_report *report, const gate_set *base, const gate_set *now,
                     gate_problems *problems)
{
  const comparison pair = {report, base, now, problems};
  if (!report->base) {
    report->base = base;
    report->now = now;
  }
  report->difference = gate_difference(report->arena, base, now);
  const bool are_records = base->form == GATE_FORM_RECORD && now->form == GATE_FORM_RECORD;
  if (are_records && base->count == 1 && now->count == 1 &&
      !gate_ids_equal(base->benches[0].id, now->benches[0].id)) {
    gate_wrong(problems, now->path, "bench_id differs: %s in %s, %s in %s", base->benches[0].id,
               base->path, now->benches[0].id, now->path);
    return;
  }
  for (size_t i = 0; i < base->count; i++)
    if (gate_limits_judges(report->limits, base->benches[i].id))
      compare_bench(&pair, &base->benches[i]);
  for (size_t i = 0; i < now->count; i++) {
    const gate_bench *bench = &now->benches[i];
    if (gate_limits_judges(report->limits, bench->id) && !find_either_spelling(base, bench->id))
      add_note(&pair, bench, GATE_NEW, "not in the baseline");
  }
}

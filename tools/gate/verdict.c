/* Rows as texts, and from rows to one answer. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

const gate_verdict_text gate_verdicts[GATE_VERDICTS] = {
    [GATE_OK] = {"OK", "ok", "\xE2\x9C\x85 OK", NULL, NULL},
    [GATE_IMPROVED] = {"IMPROVED", "improved", "\xF0\x9F\x9F\xA2 Improvement", NULL, NULL},
    [GATE_REPORTED] = {"REPORTED", "quiet", "Reported", NULL, NULL},
    [GATE_NEW] = {"NEW", "quiet", "New", NULL, NULL},
    [GATE_SKIPPED] = {"SKIPPED", "quiet", "Skipped", NULL, NULL},
    [GATE_IGNORED] = {"IGNORED", "quiet", "Ignored", NULL, NULL},
    [GATE_NOT_COMPARABLE] = {"NOT-COMPARABLE", "warn", "\xE2\x9D\x94 Not comparable", NULL, NULL},
    [GATE_INCONCLUSIVE] = {"INCONCLUSIVE", "unclear", "\xE2\x9D\x94 Inconclusive",
                           "figure that noise hides", "figures that noise hides"},
    [GATE_NOISY] = {"NOISY", "unclear", "\xE2\x9D\x94 Noisy", "figure too noisy",
                    "figures too noisy"},
    [GATE_WARN] = {"WARN", "warn", "\xF0\x9F\x9F\xA1 Warning", "warning", "warnings"},
    [GATE_NOT_PROVEN] = {"NOT-PROVEN", "warn", "\xE2\x9D\x94 Not proven",
                         "figure beyond its limit by too few rounds to judge",
                         "figures beyond their limits by too few rounds to judge"},
    [GATE_MISSING] = {"MISSING", "fail", "\xE2\x9A\xA0\xEF\xB8\x8F Missing", "bench missing",
                      "benches missing"},
    [GATE_FAIL] = {"FAIL", "fail", "\xF0\x9F\x94\xB4 Regression", "regression", "regressions"},
    [GATE_FAILED] = {"FAILED", "fail", "\xF0\x9F\x94\xB4 Failed", "bench that failed",
                     "benches that failed"},
};

double gate_row_change(const gate_row *row)
{
  return row->better == GATE_LOWER ? row->worse_by : -row->worse_by;
}

const char *const gate_headings[GATE_COLUMNS] = {
    "verdict", "bench", "metric", "base", "now", "change", "[low, high]", "noise", "warn / fail"};

static const char *limit_text(double limit)
{
  return isfinite(limit) ? arena_format("%.4g", limit * 100) : "-";
}

/* What needs figures. */
static const char *figure_cell(const gate_row *row, gate_column column)
{
  const bool is_turned = row->better == GATE_HIGHER;
  const double low = is_turned ? -row->bounds.high : row->bounds.low;
  const double high = is_turned ? -row->bounds.low : row->bounds.high;
  switch (column) {
    case GATE_COLUMN_BASE: return gate_quantity(row->base, row->unit);
    case GATE_COLUMN_NOW: return gate_quantity(row->now, row->unit);
    case GATE_COLUMN_CHANGE: return gate_percent(gate_row_change(row));
    case GATE_COLUMN_INTERVAL:
      return isnan(low) ? "" : arena_format("[%+.1f, %+.1f]", low * 100, high * 100);
    case GATE_COLUMN_NOISE:
      return isnan(row->noise) ? "" : arena_format("%.1f %%", row->noise * 100);
    default:
      if (!gate_is_limited(row->warn, row->fail)) return "";
      return arena_format("%s / %s %%", limit_text(row->warn), limit_text(row->fail));
  }
}

const char *gate_cell(const gate_row *row, gate_column column)
{
  switch (column) {
    case GATE_COLUMN_VERDICT: return gate_verdicts[row->verdict].name;
    case GATE_COLUMN_BENCH: return row->full_id;
    case GATE_COLUMN_METRIC: return row->key;
    default: return row->key[0] == '\0' ? "" : figure_cell(row, column);
  }
}

/* ---- one answer ---- */

int gate_row_compare(const void *a, const void *b)
{
  const gate_row *left = a, *right = b;
  if (left->verdict != right->verdict) return left->verdict < right->verdict ? 1 : -1;
  const double left_loss = isnan(left->worse_by) ? -INFINITY : left->worse_by;
  const double right_loss = isnan(right->worse_by) ? -INFINITY : right->worse_by;
  if (left_loss != right_loss) return left_loss < right_loss ? 1 : -1;
  const int by_id = strcmp(left->id, right->id);
  return by_id != 0 ? by_id : strcmp(left->key, right->key);
}

void gate_report_sort(gate_report *report)
{
  memset(report->counts, 0, sizeof report->counts);
  for (size_t i = 0; i < report->count; i++) report->counts[report->rows[i].verdict]++;
  if (report->count > 1) qsort(report->rows, report->count, sizeof(gate_row), gate_row_compare);
}

const char *gate_report_difference(const gate_report *report)
{
  return report->build_difference ? report->build_difference : report->machine_difference;
}

static size_t unclear_count(const gate_report *report)
{
  return report->counts[GATE_INCONCLUSIVE] + report->counts[GATE_NOISY];
}

static bool is_unsure(const gate_report *report)
{
  const gate_limits *limits = report->limits;
  return report->counts[GATE_NOT_PROVEN] > 0 ||
         (limits->needs_same_machine && gate_report_difference(report)) ||
         (limits->inconclusive == GATE_POLICY_FAIL && unclear_count(report) > 0);
}

gate_exit gate_report_exit(const gate_report *report, bool has_problems)
{
  const size_t *counts = report->counts;
  if (has_problems) return GATE_EXIT_INPUT;
  if (counts[GATE_FAILED] > 0) return GATE_EXIT_REGRESSION;
  if (report->compared == 0) return GATE_EXIT_INPUT;
  if (counts[GATE_FAIL] + counts[GATE_MISSING] > 0) return GATE_EXIT_REGRESSION;
  if (report->limits->is_warning_error && counts[GATE_WARN] > 0) return GATE_EXIT_REGRESSION;
  if (is_unsure(report)) return GATE_EXIT_UNSURE;
  return GATE_EXIT_OK;
}

const char *gate_report_word(const gate_report *report, bool has_problems)
{
  const gate_exit code = gate_report_exit(report, has_problems);
  const size_t *counts = report->counts;
  if (code == GATE_EXIT_REGRESSION) return "FAIL";
  if (code == GATE_EXIT_INPUT) return "ERROR";
  if (counts[GATE_NOT_PROVEN] > 0) return "NOT PROVEN";
  if (counts[GATE_NOT_COMPARABLE] > 0) return "NOT JUDGED";
  if (unclear_count(report) > 0) return "UNSURE";
  if (code != GATE_EXIT_OK) return "NOT JUDGED";
  return counts[GATE_WARN] > 0 ? "WARN" : "PASS";
}

/* "2 regressions, 1 bench missing", the worst first; empty if nothing is bad. */
static const char *list_bad(const gate_report *report)
{
  gate_text out = {0};
  for (int v = GATE_VERDICTS - 1; v >= 0; v--)
    if (gate_verdicts[v].one && report->counts[v] > 0)
      gate_text_printf(&out, "%s%s", out.length > 0 ? ", " : "",
                       gate_some(report->counts[v], gate_verdicts[v].one, gate_verdicts[v].many));
  return gate_text_c(&out);
}

const char *gate_report_sentence(const gate_report *report, bool has_problems)
{
  const size_t *counts = report->counts;
  const char *bad = list_bad(report);
  const char *and_bad = *bad != '\0' ? arena_format("%s; ", bad) : "";
  if (has_problems) return arena_format("%ssome input could not be used, see above", and_bad);
  if (report->compared == 0)
    return arena_format("%snothing was compared, which is never a pass", and_bad);
  const char *difference = gate_report_difference(report);
  const char *figures = gate_some(report->compared, "figure", "figures");
  if (counts[GATE_NOT_COMPARABLE] > 0)
    return arena_format("%s%zu of %s not comparable: %s", and_bad, counts[GATE_NOT_COMPARABLE],
                        figures, difference);
  if (counts[GATE_FAIL] == 0) return arena_format("%sno regression seen in %s", and_bad, figures);
  return arena_format("%s in %s", bad, figures);
}

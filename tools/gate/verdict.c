/* From rows to one answer. */
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *gate_verdict_name(gate_verdict verdict)
{
  static const char *const names[GATE_VERDICTS] = {
      "OK",           "IMPROVED", "REPORTED",       "NEW",  "SKIPPED", "IGNORED",
      "INCONCLUSIVE", "NOISY",    "NOT-COMPARABLE", "WARN", "MISSING", "FAIL"};
  return names[verdict];
}

static int compare_rows(const void *a, const void *b)
{
  const gate_row *left = a, *right = b;
  if (left->verdict != right->verdict) return left->verdict < right->verdict ? 1 : -1;
  const double mine = isnan(left->change) ? -INFINITY : left->change;
  const double other = isnan(right->change) ? -INFINITY : right->change;
  if (mine != other) return mine < other ? 1 : -1;
  const int by_id = strcmp(left->id, right->id);
  return by_id != 0 ? by_id : strcmp(left->key, right->key);
}

void gate_report_sort(gate_report *report)
{
  memset(report->counts, 0, sizeof report->counts);
  for (size_t i = 0; i < report->count; i++) report->counts[report->rows[i].verdict]++;
  if (report->count > 1) qsort(report->rows, report->count, sizeof(gate_row), compare_rows);
}

double gate_report_geomean(const gate_report *report)
{
  double sum = 0;
  size_t count = 0;
  /* One figure per bench: the median, or the mean where a baseline has no medians. */
  for (int pass = 0; pass < 2 && count == 0; pass++) {
    for (size_t i = 0; i < report->count; i++) {
      const gate_row *row = &report->rows[i];
      if (strcmp(row->key, pass == 0 ? "median" : "mean") != 0) continue;
      if (!(row->base > 0) || !(row->now > 0)) continue;
      sum += log1p(row->change); /* where rounds are in pairs, the median of their ratios */
      count++;
    }
  }
  return count > 0 ? expm1(sum / (double)count) : NAN;
}

static bool is_unsure(const gate_report *report)
{
  const gate_limits *limits = report->limits;
  const size_t unclear = report->counts[GATE_INCONCLUSIVE] + report->counts[GATE_NOISY];
  return (limits->needs_same_machine && report->difference) ||
         (limits->inconclusive == GATE_POLICY_FAIL && unclear > 0);
}

gate_exit gate_report_exit(const gate_report *report, bool has_problems)
{
  if (has_problems || report->compared == 0) return GATE_EXIT_INPUT;
  if (report->counts[GATE_FAIL] + report->counts[GATE_MISSING] > 0) return GATE_EXIT_REGRESSION;
  if (is_unsure(report)) return GATE_EXIT_UNSURE;
  if (report->limits->is_warning_error && report->counts[GATE_WARN] > 0)
    return GATE_EXIT_REGRESSION;
  return GATE_EXIT_OK;
}

const char *gate_report_word(const gate_report *report, bool has_problems)
{
  const gate_exit code = gate_report_exit(report, has_problems);
  if (code == GATE_EXIT_REGRESSION) return "FAIL";
  if (code != GATE_EXIT_OK) return "UNSURE";
  return report->difference ? "NOT JUDGED" : "PASS";
}

const char *gate_report_sentence(const gate_report *report, bool has_problems)
{
  gate_arena *arena = report->arena;
  const size_t *counts = report->counts;
  if (has_problems && counts[GATE_FAIL] == 0) return "some input could not be used; see above";
  if (has_problems)
    return gate_format(arena, "%s, and some input could not be used",
                       gate_some(arena, counts[GATE_FAIL], "regression", "regressions"));
  if (report->compared == 0) return "nothing was compared, which is never a pass";
  const char *figures = gate_some(arena, report->compared, "figure", "figures");
  const char *missing = gate_some(arena, counts[GATE_MISSING], "bench is", "benches are");
  if (counts[GATE_FAIL] > 0)
    return gate_format(arena, "%zu of %s regressed%s", counts[GATE_FAIL], figures,
                       counts[GATE_MISSING] > 0 ? gate_format(arena, ", %s missing", missing) : "");
  if (counts[GATE_MISSING] > 0)
    return gate_format(arena, "%s missing; no regression in %s", missing, figures);
  if (report->difference) return gate_format(arena, "not comparable: %s", report->difference);
  const size_t unclear = counts[GATE_INCONCLUSIVE] + counts[GATE_NOISY];
  if (unclear > 0 || counts[GATE_WARN] > 0)
    return gate_format(arena, "no regression in %s; %s, %zu unclear", figures,
                       gate_some(arena, counts[GATE_WARN], "warning", "warnings"), unclear);
  return gate_format(arena, "no regression in %s", figures);
}

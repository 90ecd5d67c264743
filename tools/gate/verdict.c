/* From rows to one answer. */
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
  if (counts[GATE_NOT_COMPARABLE] > 0)
    return arena_format("%s%zu of %s not comparable: %s", and_bad, counts[GATE_NOT_COMPARABLE],
                        gate_some(report->compared, "figure", "figures"), difference);
  const char *figures = gate_some(report->compared, "figure", "figures");
  if (counts[GATE_FAIL] == 0) return arena_format("%sno regression seen in %s", and_bad, figures);
  return arena_format("%s in %s", bad, figures);
}

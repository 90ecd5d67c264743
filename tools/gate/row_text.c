#include "judge.h"

#include <math.h>

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

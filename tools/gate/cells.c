#include "judge.h"

#include <math.h>

const char *const gate_headings[GATE_COLUMNS] = {
    "verdict", "bench", "metric", "base", "now", "change", "[low, high]", "noise", "warn / fail"};

static const char *limit_text(double limit)
{
  return isfinite(limit) ? gate_format("%.4g", limit * 100) : "-";
}

/* What needs figures. */
static const char *figure_cell(const gate_row *row, gate_column column)
{
  const gate_interval bounds = gate_shown_bounds(row);
  switch (column) {
    case GATE_COLUMN_BASE: return gate_quantity(row->base, row->unit);
    case GATE_COLUMN_NOW: return gate_quantity(row->now, row->unit);
    case GATE_COLUMN_CHANGE: return gate_percent(gate_shown_change(row));
    case GATE_COLUMN_INTERVAL:
      return isnan(bounds.low) ? ""
                               : gate_format("[%+.1f, %+.1f]", bounds.low * 100, bounds.high * 100);
    case GATE_COLUMN_NOISE:
      return isnan(row->noise) ? "" : gate_format("%.1f %%", row->noise * 100);
    default:
      if (!isfinite(row->warn) && !isfinite(row->fail)) return "";
      return gate_format("%s / %s %%", limit_text(row->warn), limit_text(row->fail));
  }
}

const char *gate_cell(const gate_row *row, gate_column column)
{
  switch (column) {
    case GATE_COLUMN_VERDICT: return gate_verdict_name(row->verdict);
    case GATE_COLUMN_BENCH: return row->full_id;
    case GATE_COLUMN_METRIC: return row->key;
    default: return row->key[0] == '\0' ? "" : figure_cell(row, column);
  }
}

const char *gate_row_sentence(const gate_row *row)
{
  const char *note = row->note ? row->note : "";
  if (row->key[0] == '\0') return note;
  return gate_format("%s is worse by %s (baseline=%s -> current=%s)%s%s", row->key,
                     gate_percent(row->change), gate_cell(row, GATE_COLUMN_BASE),
                     gate_cell(row, GATE_COLUMN_NOW), row->note ? "; " : "", note);
}

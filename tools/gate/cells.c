#include "judge.h"

#include <math.h>

const char *const gate_headings[GATE_COLUMNS] = {
    "verdict", "bench", "metric", "base", "now", "change", "[low, high]", "noise", "warn / fail"};

static const char *limit_text(bench_arena *arena, double limit)
{
  return isfinite(limit) ? arena_format(arena, "%.4g", limit * 100) : "-";
}

/* What needs figures. */
static const char *figure_cell(bench_arena *arena, const gate_row *row, gate_column column)
{
  const gate_interval bounds = gate_shown_bounds(row);
  switch (column) {
    case GATE_COLUMN_BASE: return gate_quantity(arena, row->base, row->unit);
    case GATE_COLUMN_NOW: return gate_quantity(arena, row->now, row->unit);
    case GATE_COLUMN_CHANGE: return gate_percent(arena, gate_shown_change(row));
    case GATE_COLUMN_INTERVAL:
      return isnan(bounds.low)
                 ? ""
                 : arena_format(arena, "[%+.1f, %+.1f]", bounds.low * 100, bounds.high * 100);
    case GATE_COLUMN_NOISE:
      return isnan(row->noise) ? "" : arena_format(arena, "%.1f %%", row->noise * 100);
    default:
      if (!isfinite(row->warn) && !isfinite(row->fail)) return "";
      return arena_format(arena, "%s / %s %%", limit_text(arena, row->warn),
                          limit_text(arena, row->fail));
  }
}

const char *gate_cell(bench_arena *arena, const gate_row *row, gate_column column)
{
  switch (column) {
    case GATE_COLUMN_VERDICT: return gate_verdict_name(row->verdict);
    case GATE_COLUMN_BENCH: return row->full_id;
    case GATE_COLUMN_METRIC: return row->key;
    default: return row->key[0] == '\0' ? "" : figure_cell(arena, row, column);
  }
}

const char *gate_row_sentence(bench_arena *arena, const gate_row *row)
{
  const char *note = row->note ? row->note : "";
  if (row->key[0] == '\0') return note;
  return arena_format(arena, "%s is worse by %s (baseline=%s -> current=%s)%s%s", row->key,
                      gate_percent(arena, row->change), gate_cell(arena, row, GATE_COLUMN_BASE),
                      gate_cell(arena, row, GATE_COLUMN_NOW), row->note ? "; " : "", note);
}

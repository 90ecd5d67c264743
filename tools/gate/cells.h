/* A row of a report as texts, the same on a terminal, in Markdown and on a page. */
#ifndef ACCEL_GATE_CELLS_H
#define ACCEL_GATE_CELLS_H

#include "judge.h"

typedef enum gate_column {
  GATE_COLUMN_VERDICT,
  GATE_COLUMN_BENCH,
  GATE_COLUMN_METRIC,
  GATE_COLUMN_BASE,
  GATE_COLUMN_NOW,
  GATE_COLUMN_CHANGE,
  GATE_COLUMN_INTERVAL,
  GATE_COLUMN_NOISE,
  GATE_COLUMN_LIMITS,
  GATE_COLUMNS
} gate_column;

extern const char *const gate_headings[GATE_COLUMNS];

/* Empty where the row has nothing to say. */
const char *gate_cell(bench_arena *arena, const gate_row *row, gate_column column);
/* "median is worse by 12.3 % (baseline=1 us -> current=1.12 us); why". */
const char *gate_row_sentence(bench_arena *arena, const gate_row *row);

#endif

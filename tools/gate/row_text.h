/* A row as texts, the same on a terminal, in Markdown and on a page. Nothing here judges. */
#ifndef ACCEL_GATE_ROW_TEXT_H
#define ACCEL_GATE_ROW_TEXT_H

#include "judge.h"

/* How each verdict is written, coloured and counted. */
typedef struct gate_verdict_text {
  const char *name;
  const char *kind;       /* by what it is coloured: fail, warn, unclear, improved, ok, quiet */
  const char *icon;       /* as Markdown shows it */
  const char *one, *many; /* NULL for those that need no word */
} gate_verdict_text;
extern const gate_verdict_text gate_verdicts[GATE_VERDICTS];

/* The change as it is displayed: + is more, whether that is worse or better. */
double gate_row_change(const gate_row *row);

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
const char *gate_cell(const gate_row *row, gate_column column);

#endif

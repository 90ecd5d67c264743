/* Verdicts: two sets, or rounds of two builds, become rows, and rows an exit code. Nothing here
 * prints; everything that prints starts from a report. */
#ifndef ACCEL_GATE_JUDGE_H
#define ACCEL_GATE_JUDGE_H

#include "limit.h"

#include "harness/stats.h"

/* With fewer, no bound of a median is certain enough. */
enum { GATE_ROUNDS_MIN = 6 };

/* Harmless first. */
typedef enum gate_verdict {
  GATE_OK,
  GATE_IMPROVED,
  GATE_REPORTED, /* no limit applies */
  GATE_NEW,
  GATE_SKIPPED,
  GATE_IGNORED,
  GATE_NOT_COMPARABLE,
  GATE_INCONCLUSIVE, /* noise hides it, however many rounds */
  GATE_NOISY,
  GATE_WARN,
  GATE_NOT_PROVEN, /* beyond the limit, by too few rounds to tell */
  GATE_MISSING,    /* from here on the exit code is 1 */
  GATE_FAIL,
  GATE_FAILED, /* the bench itself: there is no result */
  GATE_VERDICTS
} gate_verdict;

/* One figure of one bench, compared. */
typedef struct gate_row {
  const char *id;
  const char *full_id;
  const char *key; /* mean, median, p95, p99 of the time, or the metric; "" if all are missing */
  const char *unit;
  gate_better better;
  double base, now;      /* NAN if there is none */
  double worse_by;       /* whatever the direction: 0.2 is 20 % worse */
  stats_interval bounds; /* of worse_by, one-sided each; NANs if there are none */
  double noise;          /* effects below are not told apart from noise; NAN if unknown */
  double warn, fail;     /* INFINITY if it is not limited */
  size_t rounds;         /* of the side with fewer */
  gate_verdict verdict;
  const char *note; /* why; NULL if the figures say it all */
  const gate_metric *base_metric, *now_metric;
} gate_row;

typedef struct gate_report {
  const char *command; /* check or ab */
  const char *base_name, *now_name;
  gate_limits *limits;
  const gate_set *base, *now; /* of the first pair; for their machines and targets */
  gate_row *rows;             /* ordered: worst first once gate_report_sort was called */
  size_t count, capacity;
  size_t compared;
  bool is_paired; /* rounds of both sides were taken in turns */
  size_t counts[GATE_VERDICTS];
  const char *machine_difference; /* what differs, of machines and of builds; NULL: nothing */
  const char *build_difference;
  gate_pairs notes; /* heading -> text */
} gate_report;

/* Compares all that the sets have in common, and tells what only one has. Faults between the two
 * (a unit of another dimension, another direction) are problems. May be called for several
 * pairs. */
void gate_judge_sets(gate_report *report, const gate_set *base, const gate_set *now,
                     gate_problems *problems);

/* Judges one figure: compares the two sides in the row. Fills worse_by, verdict and, where there
 * are rounds, bounds. */
void gate_judge_row(gate_row *row, const gate_limits *limits);
/* The same of rounds that were taken in turns: the ratio of each pair counts. */
void gate_judge_pairs(gate_row *row, const gate_limits *limits);
/* Where the median is clear, it decides: a mean or a tail that noise hides becomes REPORTED. One
 * that is worse beyond the noise still fails. */
void gate_defer_to_median(gate_row *row, const gate_row *median);
/* Whether it was counted rather than measured: every change is real, on any machine. */
bool gate_is_count(const gate_row *row);
/* After all is judged: a row for each limit and waiver of the user that matched nothing. */
void gate_note_unused(gate_report *report);

/* Of two rows, for qsort: the worse verdict first, then the larger worse_by, then by id. */
int gate_row_compare(const void *a, const void *b);
/* Counts verdicts, and orders rows. */
void gate_report_sort(gate_report *report);
/* What the process ends with. `has_problems`: some input could not be used. */
gate_exit gate_report_exit(const gate_report *report, bool has_problems);
/* PASS, WARN, UNSURE, NOT PROVEN, NOT JUDGED, ERROR or FAIL: never better than the worst row. */
const char *gate_report_word(const gate_report *report, bool has_problems);
/* What differs between the machines or builds of both sides, or NULL. */
const char *gate_report_difference(const gate_report *report);
/* One sentence that says what gate_report_exit decided. */
const char *gate_report_sentence(const gate_report *report, bool has_problems);

/* worse_by > limit, where numbers that are equal on paper count as equal. */
bool gate_exceeds(double worse_by, double limit);

/* ---- a row as texts, the same on a terminal, in Markdown and on a page ---- */

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

/* What people and machines read: a report as text. Each function adds to a text; the caller prints
 * or writes it. None of them judges. */
#ifndef ACCEL_GATE_SHOW_H
#define ACCEL_GATE_SHOW_H

#include "choices.h"

typedef struct gate_style {
  bool has_color;
  bool is_quiet;
} gate_style;

/* The table of a terminal, worst first. */
void gate_show_table(gate_text *out, const gate_report *report, gate_style style);
/* The table with its icons; rows that are OK folded away, `marker` first so that a
 * comment can be found and replaced. */
void gate_show_markdown(gate_text *out, const gate_report *report, bool has_problems);
void gate_show_junit(gate_text *out, const gate_report *report);
/* ::error:: and ::warning:: lines, at most 10 of each, then one that tells of the rest. */
void gate_show_annotations(gate_text *out, const gate_report *report);
/* The report itself, for other programs: every row with its figures. */
void gate_show_json(gate_text *out, const gate_report *report, bool has_problems);

/* The texts of compat mode: the checker of one baseline, byte for byte. */
gate_exit gate_show_compat(gate_text *out, gate_text *errors, const gate_set *base,
                           const gate_set *now, double threshold);

/* Prints the table and annotations and writes the files that were asked for. Returns
 * gate_report_exit, or GATE_EXIT_INPUT if a file could not be written. */
gate_exit gate_report_finish(gate_report *report, const gate_choices *choices,
                             gate_problems *problems);
/* "error: ..." a line each, on stderr. */
void gate_print_problems(const gate_problems *problems);
void gate_print(const gate_text *text);

#endif

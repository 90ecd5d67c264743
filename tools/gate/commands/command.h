/* commands/: the command line. main.c finds the subcommand, command_*.c are those, choices.c reads
 * their options, show.c writes what they found. A command gets its own name as
 * argv[0] and returns an exit code. */
#ifndef ACCEL_GATE_COMMAND_H
#define ACCEL_GATE_COMMAND_H

#include "judge.h"

#include "harness/arguments.h"

/* Writes a set as a baseline of our own form. */
bool gate_baseline_write(const char *path, gate_set *set, gate_problems *problems);

gate_exit gate_command_export(int argc, char **argv);
gate_exit gate_command_ab(int argc, char **argv);
gate_exit gate_command_check(int argc, char **argv);
gate_exit gate_command_history(int argc, char **argv);
gate_exit gate_command_report(int argc, char **argv);
gate_exit gate_command_validate(int argc, char **argv);

/* ---- options that check, report and ab have in common ---- */

typedef struct gate_choices {
  const char *profile; /* NULL: chosen by what is compared */
  const char *config;
  gate_pairs settings;       /* option -> value, in order; applied once the profile is known */
  int missing, inconclusive; /* policies; -1: those of the profile */
  bool is_warning_error, needs_same_machine;
  /* where to write; NULL: nowhere */
  const char *markdown, *json, *html;
  const char *history; /* to read, for the page; NULL: none */
} gate_choices;

extern const argument gate_choices_table[];
#define GATE_CHOICES_NONE \
  { \
    .missing = -1, .inconclusive = -1 \
  }

/* Parses words[1] and on by `groups`; operands come to words[1]. False if the command ends here
 * with *code_out: help was asked for, which `usage` begins, or something is wrong, which is told.
 * --compat=seed shows the help then as well. */
bool gate_parse(const argument_group *groups, const char *usage, int count, char **words,
                int *operands_out, gate_exit *code_out);
/* "error: " and the text. Returns GATE_EXIT_USAGE. */
gate_exit gate_usage_wrong(char **words, const char *text);
/* Whether --compat=seed stands anywhere: it decides how the others are read. */
bool gate_asks_for_compat(int argc, char **argv);

/* Profile, config file and settings, in this order. `fallback` is the profile if none was named.
 * NULL, or what is wrong. */
const char *gate_choices_limits(const gate_choices *choices, const char *fallback,
                                gate_limits *out);

/* ---- what people and machines read; nothing here judges ---- */

/* The table of a terminal, worst first. */
void gate_show_table(gate_text *out, const gate_report *report);

/* Prints the table and writes the files that were asked for. Returns gate_report_exit, or
 * GATE_EXIT_INPUT if a file could not be written. */
gate_exit gate_report_finish(gate_report *report, const gate_choices *choices,
                             gate_problems *problems);
/* "error: ..." a line each, on stderr. */
void gate_print_problems(const gate_problems *problems);

#endif

/* Command lines of all commands, and the options that check, report and ab have in common. */
#ifndef ACCEL_GATE_CHOICES_H
#define ACCEL_GATE_CHOICES_H

#include "judge.h"

#include "harness/arguments.h"

typedef struct gate_choices {
  bench_arena *arena;
  const char *profile; /* NULL: chosen by what is compared */
  const char *config;
  gate_pairs settings;       /* option -> value, in order; applied once the profile is known */
  int missing, inconclusive; /* policies; -1: those of the profile */
  bool is_warning_error, needs_same_machine;
  /* where to write; NULL: nowhere */
  const char *markdown, *junit, *json, *html;
  const char *history; /* to read, for the page; NULL: none */
  bool wants_github;
  bool wants_no_annotations;
  bool is_quiet;
  int color; /* auto, always, never */
} gate_choices;

extern const argument gate_choices_table[];
gate_choices gate_choices_new(bench_arena *arena);

/* Parses words[1] and on by `groups`; operands come to words[1]. False if the command ends here
 * with *code_out: help was asked for, which `usage` begins, or something is wrong, which is told.
 * --compat=seed shows the help then as well. */
bool gate_parse(const argument_group *groups, const char *usage, int count, char **words,
                int *operands_out, gate_exit *code_out);
/* "error: " and the text. Returns GATE_EXIT_USAGE. */
gate_exit gate_usage_wrong(char **words, const char *text);
/* Whether --compat=seed stands anywhere: it decides how the others are read. */
bool gate_asks_for_compat(int argc, char **argv);
/* A field that takes "seed" alone, which gate_asks_for_compat has read. */
argument_take gate_take_compat;

/* Profile, config file and settings, in this order. `fallback` is the profile if none was named.
 * NULL, or what is wrong. */
const char *gate_choices_limits(const gate_choices *choices, const char *fallback,
                                gate_limits *out);

#endif

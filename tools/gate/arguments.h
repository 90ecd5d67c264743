/* Command lines: long options by getopt_long, in both forms (--x v and --x=v), never abbreviated,
 * with the founding tools' texts for what is wrong. */
#ifndef ACCEL_GATE_ARGUMENTS_H
#define ACCEL_GATE_ARGUMENTS_H

#include "judge.h"

#include <getopt.h>

/* What gate_next_option returns besides an option's val. */
enum { GATE_END = -1, GATE_POSITIONAL = 1, GATE_UNKNOWN = 2, GATE_NO_VALUE = 3 };

typedef struct gate_arguments {
  int argc;
  char **argv; /* argv[0] is the command's name */
  const struct option *options;
  const char *help;
  const char *value; /* of the option or positional argument that was returned last */
} gate_arguments;

/* The next option or positional argument, in the order of the command line. -h is --help, whose
 * val is 'h' in every list. */
int gate_next_option(gate_arguments *arguments);

/* "error: unknown argument: X" or "error: missing value for --X" for the last answer. Under the
 * founding form the help follows on stdout. Returns GATE_EXIT_USAGE. */
gate_exit gate_usage_error(const gate_arguments *arguments, int answer, bool is_seed);
/* "error: " and the text. Returns GATE_EXIT_USAGE. */
gate_exit gate_usage_wrong(const gate_arguments *arguments, const char *text, bool is_seed);
gate_exit gate_show_help(const gate_arguments *arguments);
/* Whether --compat=seed stands anywhere: it decides how the others are read. */
bool gate_asks_for_seed(int argc, char **argv);

/* ---- options that check, report and ab have in common ---- */

typedef struct gate_choices {
  gate_arena *arena;
  const char *profile; /* NULL: chosen by what is compared */
  const char *config;
  gate_pairs settings; /* option -> value, in order; applied once the profile is known */
  /* where to write; NULL: nowhere */
  const char *markdown, *junit, *openmetrics, *json, *html;
  const char *history; /* to read, for the page; NULL: none */
  bool wants_github;
  bool wants_no_annotations;
  bool is_quiet;
  bool is_ascii;
  int color;    /* -1 never, 0 on a terminal, 1 always */
  size_t width; /* columns; 0: the terminal's */
} gate_choices;

#define GATE_CHOICE_FIRST 1000
/* Lines for a list of options; vals from GATE_CHOICE_FIRST. */
#define GATE_CHOICE_OPTIONS \
  {"threshold", required_argument, NULL, GATE_CHOICE_FIRST}, \
      {"profile", required_argument, NULL, GATE_CHOICE_FIRST + 1}, \
      {"config", required_argument, NULL, GATE_CHOICE_FIRST + 2}, \
      {"only", required_argument, NULL, GATE_CHOICE_FIRST + 3}, \
      {"ignore", required_argument, NULL, GATE_CHOICE_FIRST + 4}, \
      {"missing", required_argument, NULL, GATE_CHOICE_FIRST + 5}, \
      {"inconclusive", required_argument, NULL, GATE_CHOICE_FIRST + 6}, \
      {"warn-is-error", no_argument, NULL, GATE_CHOICE_FIRST + 7}, \
      {"require-same-machine", no_argument, NULL, GATE_CHOICE_FIRST + 8}, \
      {"no-annotations", no_argument, NULL, GATE_CHOICE_FIRST + 9}, \
      {"md", required_argument, NULL, GATE_CHOICE_FIRST + 10}, \
      {"html", required_argument, NULL, GATE_CHOICE_FIRST + 11}, \
      {"junit", required_argument, NULL, GATE_CHOICE_FIRST + 12}, \
      {"openmetrics", required_argument, NULL, GATE_CHOICE_FIRST + 13}, \
      {"json", required_argument, NULL, GATE_CHOICE_FIRST + 14}, \
      {"github", no_argument, NULL, GATE_CHOICE_FIRST + 15}, \
      {"quiet", no_argument, NULL, GATE_CHOICE_FIRST + 16}, \
      {"ascii", no_argument, NULL, GATE_CHOICE_FIRST + 17}, \
      {"color", required_argument, NULL, GATE_CHOICE_FIRST + 18}, \
      {"history", required_argument, NULL, GATE_CHOICE_FIRST + 20}, \
  { \
    "width", required_argument, NULL, GATE_CHOICE_FIRST + 19 \
  }

extern const char gate_choices_help[];

/* Takes the answer `val` of gate_next_option; NULL, or what is wrong with its value. */
const char *gate_choices_take(gate_choices *choices, int val, const char *value);
/* Profile, config file and settings, in this order. `fallback` is the profile if none was named.
 * NULL, or what is wrong. */
const char *gate_choices_limits(const gate_choices *choices, const char *fallback,
                                gate_limits *out);

#endif

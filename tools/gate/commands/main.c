/* accel-gate: benchmark results in, a verdict out.
 *
 * How a run flows: forms/ makes sets of files (record.h), a judge compares sets or rounds (judge.h,
 * with limit.h), and show.c and page/ turn its report into text. main only finds the command. */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct command {
  const char *name;
  gate_exit (*run)(int argc, char **argv);
  const char *meaning;
} command;

static const command commands[] = {
    {"export", gate_command_export, "write a baseline from criterion's folder"},
    {"check", gate_command_check, "judge results against a baseline, or pairs of files"},
    {"ab", gate_command_ab, "build and run two trees in turns, and judge"},
    {"report", gate_command_report, "check, as a report: a regression is told but is no failure"},
    {"history", gate_command_history, "add results to a history, or prune it"},
    {"validate", gate_command_validate, "whether files hold what they should"},
};

static void show_commands(FILE *out)
{
  fputs("usage: accel-gate COMMAND [OPTION...]\n\n", out);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].meaning);
  fputs("\naccel-gate COMMAND --help tells more. Exit codes: 0 passed, 1 a regression, 2 usage,\n"
        "3 input missing or invalid or nothing compared, 4 not proven.\n",
        out);
}

int main(int argc, char **argv)
{
  /* A write past a limit or into a closed pipe is an error that is told, not a sudden end. */
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2) {
    show_commands(stderr);
    return GATE_EXIT_USAGE;
  }
  if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
      strcmp(argv[1], "help") == 0) {
    show_commands(stdout);
    return GATE_EXIT_OK;
  }
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    gate_exit code = commands[i].run(argc - 1, argv + 1);
    arena_end();
    if (fflush(stdout) != 0 || ferror(stdout)) {
      fputs("error: failed to write to standard output\n", stderr);
      if (code == GATE_EXIT_OK) code = GATE_EXIT_INPUT;
    }
    return (int)code;
  }
  fprintf(stderr, "error: unknown command: %s\n", argv[1]);
  show_commands(stderr);
  return GATE_EXIT_USAGE;
}

/* history add, history prune. */
#include "command.h"

#include "forms/forms.h"

#include "harness/host.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: accel-gate history add|prune [OPTION...]\n\n"
    "add puts the newest results at the end of the history, as one line of JSON, from which the\n"
    "page of a report draws trends. prune drops all but the last lines.\n";

typedef struct history_options {
  const char *history, *from, *commit, *tag;
  size_t keep;
} history_options;

#define ARGUMENTS_OF history_options
static const argument own_options[] = {
    ARGUMENT_TEXT("history", history, "FILE", "docs/benchmarks/history.jsonl unless told"),
    ARGUMENT_TEXT("from", from, "FILE", "add: results of any form; target/criterion"),
    ARGUMENT_TEXT("criterion-dir", from, "DIR", "the same"),
    ARGUMENT_TEXT("commit", commit, "ID", "add: what was measured"),
    ARGUMENT_TEXT("tag", tag, "NAME", "add: a release"),
    ARGUMENT_WHOLE("keep", keep, 1, 1e9, "prune: so many lines; 500"),
    {0},
};

static gate_exit add(const history_options *options)
{
  gate_problems problems = {0};
  gate_set *set = gate_read(options->from, (gate_read_options){0}, &problems);
  if (set && set->count == 0 && problems.count == 0)
    gate_wrong(&problems, "no benchmark results in %s", options->from);
  if (problems.count == 0) {
    gate_text line = {0};
    gate_set_place(set);
    if (options->commit) set->commit = options->commit;
    if (options->tag) set->tag = options->tag;
    gate_write_own(&line, set, true);
    (void)gate_history_add(options->history, &line, &problems);
  }
  gate_print_problems(&problems);
  if (problems.count > 0) return GATE_EXIT_INPUT;
  printf("added %s to %s\n", gate_some(set->count, "bench", "benches"), options->history);
  return GATE_EXIT_OK;
}

static gate_exit prune(const history_options *options)
{
  gate_problems problems = {0};
  size_t dropped = 0;
  const bool is_pruned = gate_history_prune(options->history, options->keep, &dropped, &problems);
  gate_print_problems(&problems);
  if (!is_pruned) return GATE_EXIT_INPUT;
  printf("dropped %s of %s\n", gate_some(dropped, "line", "lines"), options->history);
  return GATE_EXIT_OK;
}

gate_exit gate_command_history(int argc, char **argv)
{
  history_options options = {"docs/benchmarks/history.jsonl", host_criterion_folder(), NULL, NULL,
                             500};
  const argument_group groups[] = {{own_options, &options}, {0}};
  gate_exit code;
  int operands;
  if (!gate_parse(groups, usage, argc, argv, &operands, &code)) return code;
  const char *action = operands == 1 ? argv[1] : "";
  if (strcmp(action, "add") == 0) return add(&options);
  if (strcmp(action, "prune") == 0) return prune(&options);
  return gate_usage_wrong(argv, "history takes add or prune");
}

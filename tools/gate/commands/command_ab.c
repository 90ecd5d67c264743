/* ab: judge the current tree against a base, both built and run here and now. */
#include "ab/ab.h"
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: accel-gate ab (--base REF | --base-dir DIR | --self) [OPTION...]\n\n"
    "Builds the current benches against the headers of a base and of this tree, runs both in\n"
    "turns as fresh processes, and judges the ratios of rounds. TIME is a number with ms, s or m\n"
    "behind it.\n";

typedef struct ab_command {
  ab_options options;
  gate_choices choices;
} ab_command;

/* "250ms", "1.5s", "10m". */
static const char *take_time(const argument *self, void *field, const char *value)
{
  char *unit;
  (void)self;
  const double number = strtod(value, &unit);
  const double scale = strcmp(unit, "ms") == 0  ? 1
                       : strcmp(unit, "s") == 0 ? 1e3
                       : strcmp(unit, "m") == 0 ? 6e4
                                                : 0;
  const size_t digits = strspn(value, "0123456789.");
  if (scale == 0 || value + digits != unit || !(number * scale >= 1 && number * scale <= 1e9))
    return "expected a time such as 250ms, 10s or 2m";
  *(size_t *)field = (size_t)(number * scale);
  return NULL;
}

/* Of a bench and side: 1 s, 5 s, 10 s, and time enough for all of it. */
static const char *take_preset(const argument *self, void *all, const char *value)
{
  static const struct {
    const char *name;
    size_t rounds, slice_ms, bench_ms;
  } presets[] = {{"quick", 6, 1000 / 6, 8 * 1000},
                 {"default", 10, 500, 30 * 1000},
                 {"comprehensive", 20, 500, 60 * 1000}};
  ab_options *options = all;
  (void)self;
  for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
    if (strcmp(presets[i].name, value) != 0) continue;
    options->rounds = presets[i].rounds;
    options->slice_ms = presets[i].slice_ms;
    options->bench_ms = presets[i].bench_ms;
    return NULL;
  }
  return "expected quick, default or comprehensive";
}

#define ARGUMENTS_OF ab_options
static const argument own_options[] = {
    ARGUMENT_TEXT("base", base, "REF", "a commit, tag or branch of git"),
    ARGUMENT_TEXT("base-dir", base_tree, "DIR", "a folder that holds the base's accel.h"),
    ARGUMENT_FLAG("self", is_self, "this tree against itself: nothing may differ"),
    ARGUMENT_TEXT("tree", tree, "DIR", "the current tree (.)"),
    ARGUMENT_TEXT("bench", source, "FILE", "the bench to build (bench/cache_path_bench.c)"),
    ARGUMENT_WITH_ALL("preset", "NAME", take_preset,
                      "quick, default or comprehensive: 1 s, 5 s or 10 s of a bench and side"),
    ARGUMENT_WHOLE("rounds", rounds, GATE_ROUNDS_MIN, 1000, "per side, at least 6 (10)"),
    ARGUMENT_WHOLE("rounds-max", rounds_max, 1, 1000,
                   "while verdicts are unclear (4 times --rounds)"),
    ARGUMENT_OWN("slice", slice_ms, "TIME", take_time, "of a bench per round and side (250ms)"),
    ARGUMENT_OWN("warm-up", warm_up_ms, "TIME", take_time, "of a bench per process (100ms)"),
    ARGUMENT_OWN("time-budget", budget_ms, "TIME", take_time,
                 "of the whole run: rounds beyond the sixth end with it\n"
                 "(20s for each bench, 1m at least, 10m at most)"),
    ARGUMENT_WHOLE("seed", seed, 1, 1e15, "of the order of benches (42)"),
    ARGUMENT_TEXT("cc", compiler, "COMMAND", "$CC or gcc"),
    ARGUMENT_TEXT("cflags", flags, "TEXT", "$CFLAGS or -O2 -DNDEBUG"),
    ARGUMENT_FLAG("bisect", is_bisecting,
                  "for git bisect run: what cannot be judged is skipped (125)"),
    {0},
};

static const char *check_options(ab_options *options)
{
  const int bases = (options->base != NULL) + (options->base_tree != NULL) + options->is_self;
  if (bases != 1) return "name one base: --base REF, --base-dir DIR or --self";
  if (options->rounds_max == 0) options->rounds_max = 4 * options->rounds;
  if (options->rounds_max < options->rounds) options->rounds_max = options->rounds;
  return NULL;
}

/* ---- the run ---- */

/* What is unclear may take three quarters of the budget; the last one is left for running again
 * what failed. */
static void set_deadlines(ab_run *run)
{
  enum { MOST_MS = 600 * 1000, LEAST_MS = 60 * 1000 };
  const ab_options *options = run->options;
  const size_t bench_ms = options->bench_ms;
  const size_t fitting_ms = run->count < MOST_MS / bench_ms ? run->count * bench_ms : MOST_MS;
  const size_t default_ms = fitting_ms > LEAST_MS ? fitting_ms : LEAST_MS;
  const int64_t budget_ms = (int64_t)(options->budget_ms > 0 ? options->budget_ms : default_ms);
  run->deadline_ms = run->started_ms + budget_ms;
  run->unclear_end_ms = run->started_ms + budget_ms / 4 * 3;
}

static bool run_benches(ab_run *run, gate_report *report)
{
  if (!ab_build(run) || !ab_list(run)) return false;
  set_deadlines(run);
  printf("%s, %zu rounds a side, slices of %zu ms, %lld s at most, seed %zu; base %s, now %s\n",
         gate_some(run->count, "bench", "benches"), run->options->rounds, run->options->slice_ms,
         (long long)(run->deadline_ms - run->started_ms + 999) / 1000, run->options->seed,
         run->base_name, run->now_name);
  fflush(stdout);
  if (!ab_measure(run, report)) return false;
  gate_pairs_set(&report->notes, "rounds", arena_format("%zu", run->rounds_done));
  if (run->is_unplaced)
    gate_pairs_set(&report->notes, "processors",
                   "sides could not be kept on one processor: expect more noise");
  return true;
}

/* Also of a run that broke there is a report: it says how. */
static gate_exit run_all(ab_command *command, ab_run *run, gate_report *report)
{
  const gate_exit opened = ab_tree_open(run);
  if (opened == GATE_EXIT_USAGE) {
    gate_print_problems(run->problems);
    return opened;
  }
  report->base_name = run->base_name;
  report->now_name = run->now_name;
  if (opened == GATE_EXIT_OK) (void)run_benches(run, report);
  return gate_interrupted() ? GATE_EXIT_INPUT
                            : gate_report_finish(report, &command->choices, run->problems);
}

static gate_exit ab(ab_command *command, int argc, char **argv)
{
  const argument_group groups[] = {
      {own_options, &command->options}, {gate_choices_table, &command->choices}, {0}};
  gate_problems problems = {0};
  gate_limits limits;
  gate_exit code;
  int operands;
  if (!gate_parse(groups, usage, argc, argv, &operands, &code)) return code;
  if (operands > 0) return gate_usage_wrong(argv, arena_format("unknown argument: %s", argv[1]));
  const char *wrong = check_options(&command->options);
  if (!wrong) wrong = gate_choices_limits(&command->choices, "default", &limits);
  if (wrong) return gate_usage_wrong(argv, wrong);
  ab_run run = {.options = &command->options,
                .limits = &limits,
                .problems = &problems,
                .started_ms = gate_now_ms()};
  gate_report report = {.command = "ab", .limits = &limits};
  stats_seed(&run.random, command->options.seed, 1);
  gate_catch_signals();
  code = run_all(command, &run, &report);
  ab_tree_remove();
  if (gate_interrupted()) {
    signal(gate_interrupted(), SIG_DFL);
    raise(gate_interrupted());
  }
  return code;
}

gate_exit gate_command_ab(int argc, char **argv)
{
  enum { BISECT_SKIP = 125 };
  const char *compiler = getenv("CC"), *flags = getenv("CFLAGS");
  ab_command command = {
      .choices = GATE_CHOICES_NONE,
      .options = {.tree = ".",
                  .compiler = compiler && *compiler != '\0' ? compiler : "gcc",
                  .flags = flags && *flags != '\0' ? flags : "-O2 -DNDEBUG",
                  .rounds = 10,
                  .slice_ms = 250,
                  .warm_up_ms = 100,
                  .bench_ms = 20 * 1000,
                  .seed = 42},
  };
  const gate_exit code = ab(&command, argc, argv);
  const bool is_judged = code == GATE_EXIT_OK || code == GATE_EXIT_REGRESSION;
  return command.options.is_bisecting && !is_judged ? (gate_exit)BISECT_SKIP : code;
}

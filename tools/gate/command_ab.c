/* ab: judge the current tree against a base, both built and run here and now. */
#include "ab.h"
#include "command.h"

#include "file.h"
#include "fingerprint.h"
#include "read.h"
#include "write.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: accel-gate ab (--base REF | --base-dir DIR | --self) [OPTION...]\n\n"
    "Builds the current benches against the headers of a base and of this tree, runs both in\n"
    "turns as fresh processes, and judges the ratios of rounds.\n\n"
    "  --base REF                 a commit, tag or branch of git\n"
    "  --base-dir DIR             a folder that holds the base's accel.h\n"
    "  --self                     this tree against itself: nothing may differ\n"
    "  --tree DIR                 the current tree (.)\n"
    "  --bench FILE               a bench to build (bench/cache_path_bench.c; may be repeated)\n"
    "  --base-program FILE, --program FILE\n"
    "                             benches that are built already\n"
    "  --rounds N                 per side, at least 6 (10)\n"
    "  --rounds-max N             while verdicts are unclear (4 times --rounds)\n"
    "  --slice TIME               of a bench per round and side (250ms)\n"
    "  --warm-up TIME             of a bench per process (100ms)\n"
    "  --time-budget TIME         of the whole run; no further rounds behind it, but six (20s for\n"
    "                             each bench, 1m at least, 10m at most)\n"
    "  --seed N                   of the order of benches (42)\n"
    "  --cc COMMAND, --cflags TEXT\n"
    "                             $CC or gcc, $CFLAGS or -O2 -DNDEBUG\n"
    "  --redis                    build the benches with Redis\n"
    "  --instructions             count instructions as well, by the processor if it may be\n"
    "                             asked, else by callgrind\n"
    "  --instructions-only        and measure no times\n"
    "  --export FILE              write the current side as a baseline\n"
    "TIME is a number with ms, s or m behind it.\n\n";

enum {
  AB_OPTION_BASE = 500,
  AB_OPTION_BASE_DIR,
  AB_OPTION_SELF,
  AB_OPTION_TREE,
  AB_OPTION_BENCH,
  AB_OPTION_BASE_PROGRAM,
  AB_OPTION_PROGRAM,
  AB_OPTION_ROUNDS,
  AB_OPTION_ROUNDS_MAX,
  AB_OPTION_SLICE,
  AB_OPTION_WARM_UP,
  AB_OPTION_BUDGET,
  AB_OPTION_SEED,
  AB_OPTION_CC,
  AB_OPTION_CFLAGS,
  AB_OPTION_REDIS,
  AB_OPTION_COUNTS,
  AB_OPTION_COUNTS_ONLY,
  AB_OPTION_EXPORT,
};

static const struct option list[] = {
    {"base", required_argument, NULL, AB_OPTION_BASE},
    {"base-dir", required_argument, NULL, AB_OPTION_BASE_DIR},
    {"self", no_argument, NULL, AB_OPTION_SELF},
    {"tree", required_argument, NULL, AB_OPTION_TREE},
    {"bench", required_argument, NULL, AB_OPTION_BENCH},
    {"base-program", required_argument, NULL, AB_OPTION_BASE_PROGRAM},
    {"program", required_argument, NULL, AB_OPTION_PROGRAM},
    {"rounds", required_argument, NULL, AB_OPTION_ROUNDS},
    {"rounds-max", required_argument, NULL, AB_OPTION_ROUNDS_MAX},
    {"slice", required_argument, NULL, AB_OPTION_SLICE},
    {"warm-up", required_argument, NULL, AB_OPTION_WARM_UP},
    {"time-budget", required_argument, NULL, AB_OPTION_BUDGET},
    {"seed", required_argument, NULL, AB_OPTION_SEED},
    {"cc", required_argument, NULL, AB_OPTION_CC},
    {"cflags", required_argument, NULL, AB_OPTION_CFLAGS},
    {"redis", no_argument, NULL, AB_OPTION_REDIS},
    {"instructions", no_argument, NULL, AB_OPTION_COUNTS},
    {"instructions-only", no_argument, NULL, AB_OPTION_COUNTS_ONLY},
    {"export", required_argument, NULL, AB_OPTION_EXPORT},
    {"help", no_argument, NULL, 'h'},
    GATE_CHOICE_OPTIONS,
    {0},
};

typedef struct ab_command {
  gate_arena *arena;
  ab_options options;
  gate_choices choices;
  const char *export_path;
  size_t seed;
} ab_command;

/* "250ms", "1.5s", "10m". */
static bool parse_time(gate_arena *arena, const char *text, size_t *ms_out)
{
  const size_t length = strspn(text, "0123456789.");
  const char *unit = text + length;
  double value;
  const double scale = strcmp(unit, "ms") == 0  ? 1
                       : strcmp(unit, "s") == 0 ? 1e3
                       : strcmp(unit, "m") == 0 ? 6e4
                                                : 0;
  if (scale == 0 || !gate_number_parse(gate_copy_bytes(arena, text, length), &value)) return false;
  if (!(value * scale >= 1 && value * scale <= 1e9)) return false;
  *ms_out = (size_t)(value * scale);
  return true;
}

static void add_source(ab_command *command, const char *path)
{
  ab_options *options = &command->options;
  options->sources = gate_grow(command->arena, options->sources, options->source_count,
                               &options->source_capacity, sizeof *options->sources);
  options->sources[options->source_count++] = path;
}

static bool take_number(ab_command *command, int answer, const char *value)
{
  ab_options *options = &command->options;
  switch (answer) {
    case AB_OPTION_ROUNDS: return gate_count_parse(value, 1000, &options->rounds);
    case AB_OPTION_ROUNDS_MAX: return gate_count_parse(value, 1000, &options->rounds_max);
    case AB_OPTION_SLICE: return parse_time(command->arena, value, &options->slice_ms);
    case AB_OPTION_WARM_UP: return parse_time(command->arena, value, &options->warm_up_ms);
    case AB_OPTION_BUDGET: return parse_time(command->arena, value, &options->budget_ms);
    default: return gate_count_parse(value, UINT32_MAX, &command->seed);
  }
}

static void take_text(ab_command *command, int answer, const char *value)
{
  ab_options *options = &command->options;
  switch (answer) {
    case AB_OPTION_BASE: options->base = value; break;
    case AB_OPTION_BASE_DIR: options->base_tree = value; break;
    case AB_OPTION_SELF: options->is_self = true; break;
    case AB_OPTION_TREE: options->tree = value; break;
    case AB_OPTION_BENCH: add_source(command, value); break;
    case AB_OPTION_BASE_PROGRAM: options->programs[AB_BASE] = value; break;
    case AB_OPTION_PROGRAM: options->programs[AB_NOW] = value; break;
    case AB_OPTION_CC: options->compiler = value; break;
    case AB_OPTION_CFLAGS: options->flags = value; break;
    case AB_OPTION_REDIS: options->has_redis = true; break;
    case AB_OPTION_COUNTS_ONLY: options->has_no_times = options->counts = true; break;
    case AB_OPTION_COUNTS: options->counts = true; break;
    default: command->export_path = value;
  }
}

static const char *take(ab_command *command, int answer, const char *value)
{
  const bool is_number = (answer >= AB_OPTION_ROUNDS && answer <= AB_OPTION_SEED);
  if (answer >= GATE_CHOICE_FIRST) return gate_choices_take(&command->choices, answer, value);
  if (is_number)
    return take_number(command, answer, value)
               ? NULL
               : gate_format(command->arena, "not a usable number or time: %s", value);
  take_text(command, answer, value);
  return NULL;
}

static const char *check_options(ab_command *command)
{
  ab_options *options = &command->options;
  const bool has_program = options->programs[AB_NOW] != NULL;
  const int bases = (options->base != NULL) + (options->base_tree != NULL) + options->is_self +
                    (options->programs[AB_BASE] != NULL);
  if (bases != 1) return "name one base: --base REF, --base-dir DIR, --base-program FILE or --self";
  if (options->programs[AB_BASE] && !has_program) return "--base-program needs --program";
  if (has_program && !options->programs[AB_BASE] && !options->is_self)
    return "--program needs --base-program or --self";
  if (options->rounds < 6) return "need 6 rounds or more: fewer prove nothing";
  if (options->rounds_max == 0) options->rounds_max = 4 * options->rounds;
  if (options->rounds_max < options->rounds) options->rounds_max = options->rounds;
  options->seed = command->seed;
  if (options->source_count == 0)
    add_source(command, gate_format(command->arena, "%s/bench/cache_path_bench.c", options->tree));
  return NULL;
}

static gate_exit parse(gate_arguments *arguments, ab_command *command, bool *is_done)
{
  *is_done = true;
  for (;;) {
    const int answer = gate_next_option(arguments);
    if (answer == GATE_END) break;
    if (answer == 'h') {
      fputs(help, stdout);
      fputs(gate_choices_help, stdout);
      return GATE_EXIT_OK;
    }
    if (answer == GATE_POSITIONAL || answer == GATE_UNKNOWN || answer == GATE_NO_VALUE)
      return gate_usage_error(arguments, answer == GATE_POSITIONAL ? GATE_UNKNOWN : answer, false);
    const char *wrong = take(command, answer, arguments->value);
    if (wrong) return gate_usage_wrong(arguments, wrong, false);
  }
  const char *wrong = check_options(command);
  if (wrong) return gate_usage_wrong(arguments, wrong, false);
  *is_done = false;
  return GATE_EXIT_OK;
}

/* ---- the run ---- */

static gate_exit export_side(const ab_command *command, gate_report *report,
                             gate_problems *problems)
{
  gate_text text = {.arena = command->arena};
  gate_write_own(&text, report->now);
  if (report->counts[GATE_FAIL] + report->counts[GATE_NOISY] + report->counts[GATE_FAILED] > 0) {
    fprintf(stderr, "error: %s is not written while something is FAIL or NOISY\n",
            command->export_path);
    return GATE_EXIT_REGRESSION;
  }
  if (gate_file_write(command->arena, command->export_path, gate_text_c(&text), text.length,
                      problems))
    return GATE_EXIT_OK;
  gate_print_problems(problems);
  return GATE_EXIT_INPUT;
}

/* What is unclear may take three quarters of the budget; the last one is left for running again
 * what failed. */
static void set_deadlines(ab_run *run)
{
  enum { BENCH_MS = 20 * 1000, MOST_MS = 600 * 1000, LEAST_MS = 60 * 1000 };
  const size_t fitting_ms = run->count < MOST_MS / BENCH_MS ? run->count * BENCH_MS : MOST_MS;
  const size_t default_ms = fitting_ms > LEAST_MS ? fitting_ms : LEAST_MS;
  const size_t budget_ms = run->options->budget_ms > 0 ? run->options->budget_ms : default_ms;
  run->deadline_ms = run->started_ms + (int64_t)budget_ms;
  run->settled_ms = run->started_ms + (int64_t)budget_ms / 4 * 3;
}

static gate_exit run_all(ab_command *command, ab_run *run, gate_report *report)
{
  gate_exit code = ab_tree_open(run);
  if (code != GATE_EXIT_OK) return code;
  if (!ab_build(run) || !ab_list(run)) return GATE_EXIT_INPUT;
  set_deadlines(run);
  printf("%s, %zu rounds a side, slices of %zu ms, %lld s at most, seed %llu; base %s\n",
         gate_some(run->arena, run->count, "bench", "benches"), run->options->rounds,
         run->options->slice_ms, (long long)(run->deadline_ms - run->started_ms + 999) / 1000,
         (unsigned long long)run->options->seed, run->base_name);
  fflush(stdout);
  if (!ab_judge(run, report)) return GATE_EXIT_INPUT;
  report->base_name = run->base_name;
  report->now_name = run->options->tree;
  gate_pairs_set(run->arena, &report->notes, "rounds",
                 gate_format(run->arena, "%zu", run->rounds_done));
  if (run->is_unplaced)
    gate_pairs_set(run->arena, &report->notes, "processors",
                   "sides could not be kept on one processor: expect more noise");
  code = gate_report_finish(report, &command->choices, run->problems);
  if (command->export_path) {
    const gate_exit exported = export_side(command, report, run->problems);
    if (code == GATE_EXIT_OK) code = exported;
  }
  return code;
}

gate_exit gate_command_ab(gate_arena *arena, int argc, char **argv)
{
  const char *compiler = getenv("CC"), *flags = getenv("CFLAGS");
  ab_command command = {
      .arena = arena,
      .choices = {.arena = arena},
      .seed = 42,
      .options = {.tree = ".",
                  .compiler = compiler && *compiler != '\0' ? compiler : "gcc",
                  .flags = flags && *flags != '\0' ? flags : "-O2 -DNDEBUG",
                  .rounds = 10,
                  .slice_ms = 250,
                  .warm_up_ms = 100},
  };
  gate_arguments arguments = {argc, argv, list, help, NULL};
  bool is_done;
  const gate_exit parsed = parse(&arguments, &command, &is_done);
  if (is_done) return parsed;
  gate_problems problems = {.arena = arena};
  gate_limits limits;
  const char *wrong = gate_choices_limits(&command.choices, "default", &limits);
  if (wrong) return gate_usage_wrong(&arguments, wrong, false);
  ab_run run = {.arena = arena,
                .options = &command.options,
                .limits = &limits,
                .problems = &problems,
                .started_ms = ab_now_ms(),
                .random = gate_random_seeded(command.seed)};
  gate_report report = {.arena = arena, .command = "ab", .limits = &limits};
  gate_catch_signals();
  gate_exit code = run_all(&command, &run, &report);
  if (code != GATE_EXIT_OK && report.base_name == NULL) gate_print_problems(&problems);
  ab_tree_remove();
  if (gate_interrupted()) {
    signal(gate_interrupted(), SIG_DFL);
    raise(gate_interrupted());
  }
  return code;
}

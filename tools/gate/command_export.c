/* export: from criterion's folder to a baseline. */
#include "command.h"

#include "file.h"
#include "fingerprint.h"
#include "read.h"
#include "write.h"

#include <stdio.h>
#include <string.h>

static const char *const default_output = "docs/benchmarks/cache_path_bench.json";

static const char help[] =
    "export_bench_baseline\n\n"
    "USAGE:\n"
    "  accel-gate export [--criterion-dir DIR] [--output FILE] [--accept REASON] [--commit ID]\n"
    "                    [--from runs|ab] [--input FILE] [--compat seed]\n\n"
    "DEFAULTS:\n"
    "  --criterion-dir target/criterion\n"
    "  --output docs/benchmarks/cache_path_bench.json\n"
    "  --input target/criterion/accel-ab.json\n\n"
    "Writes the newest run of DIR as a baseline, with the machine's fingerprint, and shows what\n"
    "changes against the old file. A baseline that got worse beyond the limits is written only\n"
    "with a reason, which stays in the file. --compat=seed writes the founding form.\n"
    "--from=runs wants three runs of every bench at least, as bench.sh --runs 3 leaves them.\n"
    "--from=ab takes what `ab --export` wrote into the file of --input, with as many rounds.\n";

typedef struct export_options {
  const char *folder, *output, *reason, *commit;
  const char *input; /* of --from=ab */
  bool is_seed;
  bool is_from_ab;
  bool wants_rounds; /* one process proves little: --from was given */
} export_options;

static gate_exit parse(gate_arguments *arguments, export_options *out, bool *is_done)
{
  *is_done = true;
  for (;;) {
    const int answer = gate_next_option(arguments);
    switch (answer) {
      case GATE_END: *is_done = false; return GATE_EXIT_OK;
      case 'h': return gate_show_help(arguments);
      case 'd': out->folder = arguments->value; break;
      case 'o': out->output = arguments->value; break;
      case 'a': out->reason = arguments->value; break;
      case 'c': out->commit = arguments->value; break;
      case 'i': out->input = arguments->value; break;
      case 'f':
        out->is_from_ab = strcmp(arguments->value, "ab") == 0;
        out->wants_rounds = true;
        if (!out->is_from_ab && strcmp(arguments->value, "runs") != 0)
          return gate_usage_wrong(arguments, "unknown --from value; there are runs and ab",
                                  out->is_seed);
        break;
      case 's':
        if (strcmp(arguments->value, "seed") != 0)
          return gate_usage_wrong(arguments, "unknown --compat value; there is seed", out->is_seed);
        break;
      default: return gate_usage_error(arguments, answer, out->is_seed);
    }
  }
}

/* Whether anything speaks against replacing the old baseline without a word. */
static const char *objection(gate_arena *arena, const gate_report *report)
{
  const size_t *counts = report->counts;
  const size_t worse = counts[GATE_FAIL] + counts[GATE_NOISY] + counts[GATE_INCONCLUSIVE];
  if (counts[GATE_NOT_COMPARABLE] > 0)
    return gate_format(arena, "it is of another machine or build (%s)",
                       gate_report_difference(report));
  if (counts[GATE_FAILED] > 0) return "a bench failed";
  if (counts[GATE_MISSING] > 0)
    return gate_some(arena, counts[GATE_MISSING], "bench of it is gone", "benches of it are gone");
  if (report->compared == 0) return "nothing could be compared with it";
  if (worse == 0) return NULL;
  return gate_some(arena, worse, "figure got worse beyond the limits, or noise hides it",
                   "figures got worse beyond the limits, or noise hides them");
}

/* How the new baseline compares with the one that it replaces. True if it may be written. */
static bool compare_old(gate_arena *arena, const export_options *options, const gate_set *now,
                        gate_problems *problems)
{
  if (!gate_exists(options->output)) {
    printf("there was no baseline in %s: this is the first\n", options->output);
    if (now->failed.count == 0 || options->reason) return true;
    return gate_wrong(problems, options->output,
                      "%s failed: %s; not written without --accept REASON",
                      now->failed.items[0].key, now->failed.items[0].value);
  }
  gate_problems old_problems = {.arena = arena};
  const gate_set *old = gate_read(arena, options->output, (gate_read_options){0}, &old_problems);
  gate_limits limits;
  (void)gate_limits_profile(arena, "default", &limits);
  limits.may_fail_on_single_run = true;
  gate_report report = {.arena = arena, .command = "export", .limits = &limits};
  const char *why = "it cannot be read";
  if (old) {
    gate_judge_sets(&report, old, now, &old_problems);
    gate_report_sort(&report);
    gate_text out = {.arena = arena};
    gate_show_table(&out, &report, (gate_style){.is_ascii = true, .width = 120});
    gate_print(&out);
    if (old_problems.count == 0) why = objection(arena, &report);
  }
  gate_print_problems(&old_problems);
  if (!why || options->reason) return true;
  return gate_wrong(problems, options->output, "%s stays as it is without --accept REASON: %s",
                    options->output, why);
}

/* A baseline of one process is as lucky as that process was. */
static void check_rounds(const gate_set *set, const char *path, gate_problems *problems)
{
  enum { ROUNDS_MIN = 3 };
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    const size_t rounds = time ? time->rounds.count : 0;
    if (rounds >= ROUNDS_MIN) continue;
    gate_wrong(problems, path, "%s: %s has %s; a baseline needs %d", path, set->benches[i].id,
               gate_some(problems->arena, rounds, "run", "runs"), ROUNDS_MIN);
  }
}

static gate_set *read_results(gate_arena *arena, const export_options *options,
                              gate_problems *problems)
{
  const gate_read_options reading = {.is_seed = options->is_seed, .needs_median = true};
  const char *path = options->is_from_ab ? options->input : options->folder;
  gate_set *set = options->is_from_ab ? gate_read(arena, path, reading, problems)
                                      : gate_read_criterion(arena, path, reading, problems);
  if (!set || problems->count > 0) return set;
  if (set->count == 0) gate_wrong(problems, path, "no valid benchmark entries collected");
  if (options->wants_rounds) check_rounds(set, path, problems);
  return set;
}

static bool write_baseline(gate_arena *arena, const export_options *options, gate_set *set,
                           gate_problems *problems)
{
  gate_text text = {.arena = arena};
  if (options->is_seed) {
    (void)gate_write_seed(&text, set);
  } else {
    set->reason = options->reason;
    if (options->commit) set->commit = options->commit;
    if (!set->started) set->started = gate_time_text(arena);
    gate_write_own(&text, set);
  }
  return gate_file_write(arena, options->output, gate_text_c(&text), text.length, problems);
}

gate_exit gate_command_export(gate_arena *arena, int argc, char **argv)
{
  static const struct option list[] = {{"criterion-dir", required_argument, NULL, 'd'},
                                       {"output", required_argument, NULL, 'o'},
                                       {"accept", required_argument, NULL, 'a'},
                                       {"commit", required_argument, NULL, 'c'},
                                       {"compat", required_argument, NULL, 's'},
                                       {"from", required_argument, NULL, 'f'},
                                       {"input", required_argument, NULL, 'i'},
                                       {"help", no_argument, NULL, 'h'},
                                       {0}};
  gate_arguments arguments = {argc, argv, list, help, NULL};
  export_options options = {.output = default_output,
                            .input = "target/criterion/accel-ab.json",
                            .is_seed = gate_asks_for_seed(argc, argv)};
  options.folder = options.is_seed ? "target/criterion" : gate_criterion_folder(arena);
  bool is_done;
  const gate_exit parsed = parse(&arguments, &options, &is_done);
  if (is_done) return parsed;

  gate_problems problems = {.arena = arena};
  gate_set *set = read_results(arena, &options, &problems);
  /* Results that do not say where they were made are of this machine. */
  if (set && set->machine.count == 0 && !options.is_seed) gate_fingerprint(arena, &set->machine);
  if (problems.count == 0 && !options.is_seed && !compare_old(arena, &options, set, &problems)) {
    gate_print_problems(&problems);
    return GATE_EXIT_REGRESSION;
  }
  if (problems.count == 0 && write_baseline(arena, &options, set, &problems)) {
    printf("wrote baseline: %s (%zu benchmarks)\n", options.output, set->count);
    return GATE_EXIT_OK;
  }
  /* The founding exporter stopped at the first fault. */
  if (options.is_seed) problems.count = 1;
  gate_print_problems(&problems);
  return options.is_seed ? GATE_EXIT_REGRESSION : GATE_EXIT_INPUT;
}

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
    "                    [--compat seed]\n\n"
    "DEFAULTS:\n"
    "  --criterion-dir target/criterion\n"
    "  --output docs/benchmarks/cache_path_bench.json\n\n"
    "Writes the newest run of DIR as a baseline, with the machine's fingerprint, and shows what\n"
    "changes against the old file. A baseline that got worse beyond the limits is written only\n"
    "with a reason, which stays in the file. --compat=seed writes the founding form.\n";

typedef struct export_options {
  const char *folder, *output, *reason, *commit;
  bool is_seed;
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
      case 's':
        if (strcmp(arguments->value, "seed") != 0)
          return gate_usage_wrong(arguments, "unknown --compat value; there is seed", out->is_seed);
        break;
      default: return gate_usage_error(arguments, answer, out->is_seed);
    }
  }
}

/* How the new baseline compares with the one that it replaces. True if it may be written. */
static bool compare_old(gate_arena *arena, const export_options *options, const gate_set *now,
                        gate_problems *problems)
{
  if (!gate_exists(options->output)) {
    printf("there was no baseline in %s: this is the first\n", options->output);
    return true;
  }
  gate_problems old_problems = {.arena = arena};
  const gate_set *old = gate_read(arena, options->output, (gate_read_options){0}, &old_problems);
  gate_limits limits;
  (void)gate_limits_profile(arena, "default", &limits);
  limits.may_fail_on_single_run = true;
  limits.missing = GATE_POLICY_WARN;
  gate_report report = {.arena = arena, .command = "export", .limits = &limits};
  if (!old) {
    printf("the old baseline cannot be read and is replaced: %s\n", old_problems.items[0].text);
    return true;
  }
  gate_judge_sets(&report, old, now, &old_problems);
  gate_report_sort(&report);
  gate_text out = {.arena = arena};
  gate_show_table(&out, &report, (gate_style){.is_ascii = true, .width = 120});
  gate_print(&out);
  if (report.counts[GATE_FAIL] == 0 || options->reason) return true;
  return gate_wrong(problems, options->output,
                    "%s worse beyond the limits; %s stays as it is without --accept REASON",
                    gate_some(arena, report.counts[GATE_FAIL], "figure got", "figures got"),
                    options->output);
}

static bool write_baseline(gate_arena *arena, const export_options *options, gate_set *set,
                           gate_problems *problems)
{
  gate_text text = {.arena = arena};
  if (options->is_seed) {
    gate_write_seed(&text, set);
  } else {
    gate_fingerprint(arena, &set->machine);
    set->reason = options->reason;
    if (options->commit) set->commit = options->commit;
    if (!set->started) set->started = gate_time_text(arena, gate_now_s());
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
                                       {"help", no_argument, NULL, 'h'},
                                       {0}};
  gate_arguments arguments = {argc, argv, list, help, NULL};
  export_options options = {.output = default_output, .is_seed = gate_asks_for_seed(argc, argv)};
  options.folder = options.is_seed ? "target/criterion" : gate_criterion_folder(arena);
  bool is_done;
  const gate_exit parsed = parse(&arguments, &options, &is_done);
  if (is_done) return parsed;

  gate_problems problems = {.arena = arena};
  const gate_read_options reading = {.is_seed = options.is_seed, .needs_median = true};
  gate_set *set = gate_read_criterion(arena, options.folder, reading, &problems);
  if (set && set->count == 0 && problems.count == 0)
    gate_wrong(&problems, options.folder, "no valid benchmark entries collected");
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

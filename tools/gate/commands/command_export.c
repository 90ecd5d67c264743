/* export: from criterion's folder to a baseline. */
#include "command.h"

#include "forms/forms.h"

#include "harness/host.h"

#include <stdio.h>

static const char usage[] =
    "export_bench_baseline\n\n"
    "USAGE:\n"
    "  accel-gate export [OPTION...]\n\n"
    "DEFAULTS:\n"
    "  --criterion-dir target/criterion\n"
    "  --output docs/benchmarks/cache_path_bench.json\n\n"
    "Writes the newest run of DIR as a baseline, with the machine's fingerprint, and shows what\n"
    "changes against the old file. One that got worse beyond the limits or is of another machine,\n"
    "that lost benches or cannot be read is replaced only with a reason, which stays in the "
    "file.\n";

typedef struct export_options {
  const char *folder, *output, *reason, *commit;
  int compat; /* as in check */
  bool is_compat;
} export_options;

#define ARGUMENTS_OF export_options
static const argument own_options[] = {
    ARGUMENT_TEXT("criterion-dir", folder, "DIR", "the results"),
    ARGUMENT_TEXT("output", output, "FILE", "the baseline"),
    ARGUMENT_TEXT("accept", reason, "REASON", "replace it all the same"),
    ARGUMENT_TEXT("commit", commit, "ID", "what was measured"),
    ARGUMENT_CHOICE("compat", compat, "seed", "write the form of the first exporter"),
    {0},
};

/* Whether anything speaks against replacing the old baseline without a word. */
static const char *objection(const gate_report *report)
{
  const size_t *counts = report->counts;
  const size_t worse = counts[GATE_FAIL] + counts[GATE_NOISY] + counts[GATE_INCONCLUSIVE];
  if (counts[GATE_NOT_COMPARABLE] > 0)
    return arena_format("it is of another machine or build (%s)", gate_report_difference(report));
  if (counts[GATE_FAILED] > 0) return "a bench failed";
  if (counts[GATE_MISSING] > 0)
    return gate_some(counts[GATE_MISSING], "bench of it is gone", "benches of it are gone");
  if (report->compared == 0) return "nothing could be compared with it";
  if (worse == 0) return NULL;
  return gate_some(worse, "figure got worse beyond the limits, or noise hides it",
                   "figures got worse beyond the limits, or noise hides them");
}

/* How the new baseline compares with the one that it replaces. True if it may be written. */
static bool compare_old(const export_options *options, const gate_set *now, gate_problems *problems)
{
  if (!gate_exists(options->output)) {
    printf("there was no baseline in %s: this is the first\n", options->output);
    if (now->failed.count == 0 || options->reason) return true;
    return gate_wrong(problems, "%s failed: %s; not written without --accept REASON",
                      now->failed.items[0].key, now->failed.items[0].value);
  }
  gate_problems old_problems = {0};
  const gate_set *old = gate_read(options->output, (gate_read_options){0}, &old_problems);
  gate_limits limits;
  (void)gate_limits_profile("default", &limits);
  limits.may_fail_on_single_run = true;
  gate_report report = {.command = "export", .limits = &limits};
  const char *why = "it cannot be read";
  if (old) {
    gate_judge_sets(&report, old, now, &old_problems);
    gate_report_sort(&report);
    gate_text out = {0};
    gate_show_table(&out, &report);
    fputs(gate_text_c(&out), stdout);
    fflush(stdout);
    if (old_problems.count == 0) why = objection(&report);
  }
  gate_print_problems(&old_problems);
  if (!why || options->reason) return true;
  return gate_wrong(problems, "%s stays as it is without --accept REASON: %s", options->output,
                    why);
}

static gate_set *read_results(const export_options *options, gate_problems *problems)
{
  const gate_read_options reading = {.is_compat = options->is_compat, .needs_median = true};
  gate_set *set = gate_read_criterion(options->folder, reading, problems);
  if (set && problems->count == 0 && set->count == 0)
    gate_wrong(problems, "no valid benchmark entries collected");
  return set;
}

bool gate_baseline_write(const char *path, gate_set *set, gate_problems *problems)
{
  gate_text text = {0};
  gate_set_place(set);
  gate_write_own(&text, set, false);
  return gate_file_write(path, &text, problems);
}

static bool write_baseline(const export_options *options, gate_set *set, gate_problems *problems)
{
  gate_text text = {0};
  set->reason = options->reason;
  if (options->commit) set->commit = options->commit;
  if (!options->is_compat) return gate_baseline_write(options->output, set, problems);
  gate_write_compat(&text, set);
  return gate_file_write(options->output, &text, problems);
}

gate_exit gate_command_export(int argc, char **argv)
{
  export_options options = {.output = "docs/benchmarks/cache_path_bench.json",
                            .is_compat = gate_asks_for_compat(argc, argv)};
  const argument_group groups[] = {{own_options, &options}, {0}};
  gate_exit code;
  int operands;
  options.folder = options.is_compat ? "target/criterion" : host_criterion_folder();
  if (!gate_parse(groups, usage, argc, argv, &operands, &code)) return code;
  if (operands > 0) return gate_usage_wrong(argv, "export takes options only");
  gate_problems problems = {0};
  gate_set *set = read_results(&options, &problems);
  if (set && !options.is_compat) gate_set_place(set);
  if (problems.count == 0 && !options.is_compat && !compare_old(&options, set, &problems)) {
    gate_print_problems(&problems);
    return GATE_EXIT_REGRESSION;
  }
  if (problems.count == 0 && write_baseline(&options, set, &problems)) {
    printf("wrote baseline: %s (%zu benchmarks)\n", options.output, set->count);
    return GATE_EXIT_OK;
  }
  /* The compat exporter stopped at the first fault. */
  if (options.is_compat) problems.count = 1;
  gate_print_problems(&problems);
  return options.is_compat ? GATE_EXIT_REGRESSION : GATE_EXIT_INPUT;
}

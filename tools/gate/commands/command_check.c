/* check: a baseline against criterion's folder, or pairs of files. */
#include "command.h"

#include "forms/forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "%s\n\n"
    "USAGE:\n"
    "  accel-gate %s [--baseline FILE] [--criterion-dir DIR] [--threshold R] [OPTION...]\n"
    "  accel-gate %s [OPTION...] BASE CURRENT [BASE CURRENT...]\n\n"
    "DEFAULTS:\n"
    "  --baseline docs/benchmarks/cache_path_bench.json\n"
    "  --criterion-dir target/criterion\n"
    "  --threshold 0.15 under --compat=seed, else the limits of the profile\n\n"
    "%s\n"
    "Files are a baseline, a bench_id record, the output of Google Benchmark (JSON), Go, libtest "
    "or\n"
    "hyperfine (JSON), what convert writes, or a folder of criterion's; - is standard input.\n";
static const char check_meaning[] =
    "Exit codes: 0 passed or warned, 1 worse, missing or failed, 2 usage, 3 input, 4 not proven:\n"
    "beyond the limit, by fewer than 6 rounds (twice the work is 1 by however few).\n";
static const char report_meaning[] = "The same as check, as a report: what got worse is told, and "
                                     "is no failure. Only usage (2) and\n"
                                     "input that cannot be used (3) are.\n";

typedef struct check_options {
  gate_choices choices;
  const char *baseline, *folder;
  char **files;
  size_t file_count;
  bool is_compat, is_first;
  bool is_report; /* tells and does not judge: only unusable input is a failure */
} check_options;

static const argument own_options[] = {
    {"baseline", "FILE", "what to compare with", arguments_text, offsetof(check_options, baseline),
     0, 0},
    {"criterion-dir", "DIR", "the results", arguments_text, offsetof(check_options, folder), 0, 0},
    {"compat", "seed", "the texts and exit codes of the first checkers", gate_take_compat, 0, 0, 0},
    {"init", NULL, "where there is no baseline yet, write it, and say so", arguments_flag,
     offsetof(check_options, is_first), 0, 0},
    {0},
};

/* ---- compat ---- */

/* The compat checker stopped at the first fault. */
static gate_exit first_problem(gate_problems *problems)
{
  problems->count = 1;
  gate_print_problems(problems);
  return GATE_EXIT_REGRESSION;
}

static gate_exit check_compat(bench_arena *arena, const check_options *options)
{
  const gate_read_options reading = {.is_compat = true};
  gate_problems problems = {.arena = arena};
  gate_limits limits;
  (void)gate_choices_limits(&options->choices, "seed000", &limits);
  const double threshold = gate_limits_find(&limits, "", "mean").fail;
  if (!gate_exists(options->baseline)) {
    gate_wrong(&problems, "baseline file not found: %s", options->baseline);
    return first_problem(&problems);
  }
  const gate_set *base = gate_read(arena, options->baseline, reading, &problems);
  if (problems.count > 0) return first_problem(&problems);
  if (base->count == 0) {
    gate_wrong(&problems, "baseline benchmarks are empty");
    return first_problem(&problems);
  }
  const gate_set *now = gate_read_criterion(arena, options->folder, reading, &problems);
  if (problems.count > 0) return first_problem(&problems);
  gate_text out = {.arena = arena}, errors = {.arena = arena};
  const gate_exit code = gate_show_compat(&out, &errors, base, now, threshold);
  gate_print(&out);
  fputs(gate_text_c(&errors), stderr);
  return code;
}

/* ---- pairs ---- */

static size_t tell_missing(const check_options *options)
{
  size_t missing = 0;
  for (size_t i = 0; i < options->file_count; i++) {
    if (gate_exists(options->files[i])) continue;
    fprintf(stderr, missing++ == 0 ? "Missing file(s): %s" : " %s", options->files[i]);
  }
  if (missing > 0) fputs("\n", stderr);
  return missing;
}

/* The compat line of the one figure that a pair of records has. */
static void print_record(const gate_row *row, gate_choices choices, double *worst)
{
  const bool is_rate = row->better == GATE_HIGHER;
  const char *metric = is_rate ? "throughput_mbs" : "duration_ms";
  const double percent = row->change * 100 + 0.0;
  if (fabs(percent) > *worst) *worst = fabs(percent);
  if (row->verdict == GATE_FAIL) {
    if (choices.wants_no_annotations)
      printf("[FAIL]");
    else
      printf("::warning::");
    printf("[%s] p95 %s regressed by %.2f%% (baseline=%.15g -> current=%.15g)\n", row->id, metric,
           percent, row->base / 1e6, row->now / 1e6);
  } else {
    printf("[%s][%s] p95 %s change %.2f%% (baseline=%.15g, current=%.15g)\n",
           row->verdict == GATE_IMPROVED ? "OK" : gate_verdict_name(row->verdict), row->id, metric,
           gate_shown_change(row) * 100 + 0.0, row->base / 1e6, row->now / 1e6);
  }
}

static const char *fallback_profile(const gate_set *base)
{
  switch (base ? base->form : GATE_FORM_UNKNOWN) {
    case GATE_FORM_COMPAT: return "seed000";
    case GATE_FORM_GO: return "seed003";
    case GATE_FORM_RECORD: return "seed004";
    default: return "default";
  }
}

typedef struct pair_check {
  const check_options *options;
  gate_report report;
  gate_limits limits;
  bool has_limits;
  gate_problems problems;
  const gate_set **sets;
  size_t schema_faults, records;
  double worst;
} pair_check;

static gate_set *read_side(pair_check *state, size_t index)
{
  const size_t before = state->problems.count;
  const char *path = state->options->files[index];
  if (!gate_exists(path)) return NULL;
  bench_arena *arena = state->report.arena;
  gate_set *set = gate_read(arena, path, (gate_read_options){0}, &state->problems);
  if (state->problems.count > before) {
    const char *side = index % 2 == 0 ? "baseline" : "current";
    if (!state->options->is_compat)
      for (size_t i = before; i < state->problems.count; i++)
        fprintf(stderr, "error: %s\n", state->problems.texts[i]);
    fprintf(stderr, "[schema] Invalid %s JSON: %s\n", side, path);
    state->schema_faults++;
  }
  return set;
}

/* Limits depend on what the first readable file is. */
static const char *choose_limits(pair_check *state)
{
  const gate_set *first = NULL;
  for (size_t i = 0; !first && i < state->options->file_count; i++) first = state->sets[i];
  state->has_limits = true;
  const check_options *options = state->options;
  return gate_choices_limits(&options->choices, fallback_profile(first), &state->limits);
}

static void check_pair(pair_check *state, size_t index)
{
  const gate_set *base = state->sets[index], *now = state->sets[index + 1];
  if (!base || !now) return;
  gate_report *report = &state->report;
  const size_t first_row = report->count, before = state->problems.count;
  gate_judge_sets(report, base, now, &state->problems);
  if (!state->options->is_compat || state->problems.count > before) {
    for (size_t i = before; i < state->problems.count; i++)
      fprintf(stderr, "error: %s\n", state->problems.texts[i]);
    if (state->problems.count > before) state->schema_faults++;
  }
  if (base->form != GATE_FORM_RECORD) return;
  state->records++;
  for (size_t i = first_row; i < report->count; i++)
    if (report->rows[i].key[0] != '\0' && report->rows[i].verdict != GATE_REPORTED)
      print_record(&report->rows[i], state->options->choices, &state->worst);
}

/* The compat summary of records. */
static gate_exit finish_records(pair_check *state, size_t missing)
{
  gate_report *report = &state->report;
  gate_report_sort(report);
  const bool has_faults = missing + state->schema_faults > 0;
  const size_t failures = report->counts[GATE_FAIL] + state->schema_faults;
  const gate_exit code = gate_report_exit(report, has_faults);
  if (failures > 0) {
    fprintf(stderr, "Overall: %zu regression(s) detected; worst delta %.2f%%\n", failures,
            state->worst);
  } else if (code == GATE_EXIT_OK) {
    printf("Overall: no regressions; worst delta %.2f%%\n", state->worst);
  } else {
    fprintf(stderr, "Overall: %s\n", gate_report_sentence(report, has_faults));
  }
  return state->options->is_compat && failures > 0 ? GATE_EXIT_REGRESSION : code;
}

static gate_exit finish_pairs(pair_check *state, size_t missing)
{
  gate_report *report = &state->report;
  const check_options *options = state->options;
  const gate_choices *choices = &options->choices;
  const bool has_files = choices->markdown || choices->json || choices->junit || choices->html ||
                         choices->wants_github;
  if (state->records > 0 && !has_files) return finish_records(state, missing);
  gate_problems rest = {.arena = report->arena};
  if (missing + state->schema_faults > 0)
    gate_wrong(&rest, "%s missing or invalid",
               gate_some(report->arena, missing + state->schema_faults, "file is", "files are"));
  return gate_report_finish(report, choices, &rest);
}

/* The first baseline: what there is now, if all of it is well. */
static gate_exit write_first(bench_arena *arena, const char *path, const char *results)
{
  gate_problems problems = {.arena = arena};
  gate_set *now = gate_read(arena, results, (gate_read_options){0}, &problems);
  if (now && problems.count == 0 && now->count == 0 && now->failed.count == 0)
    gate_wrong(&problems, "no benchmark results in %s", results);
  const bool is_failed = now && now->failed.count > 0;
  for (size_t i = 0; is_failed && i < now->failed.count; i++)
    gate_wrong(&problems, "%s failed: %s", now->failed.items[i].key, now->failed.items[i].value);
  if (problems.count == 0 && gate_baseline_write(arena, path, now, &problems)) {
    printf("no baseline yet: wrote the first, %s (%s)\n", path,
           gate_some(arena, now->count, "bench", "benches"));
    return GATE_EXIT_OK;
  }
  gate_print_problems(&problems);
  return is_failed ? GATE_EXIT_REGRESSION : GATE_EXIT_INPUT;
}

static gate_exit check_pairs(bench_arena *arena, char **words, const check_options *options)
{
  if (options->file_count % 2 != 0)
    return gate_usage_wrong(words, "files come in pairs: BASE CURRENT [BASE CURRENT...]");
  if (options->is_first && options->file_count == 2 && !gate_exists(options->files[0]))
    return write_first(arena, options->files[0], options->files[1]);
  const size_t missing = tell_missing(options);
  if (missing > 0 && options->is_compat) return GATE_EXIT_INPUT;
  pair_check state = {.options = options, .problems = {.arena = arena}};
  state.report = (gate_report){.arena = arena, .command = "check", .limits = &state.limits};
  state.report.base_name = options->files[0];
  state.report.now_name = options->files[1];
  state.sets = arena_take(arena, options->file_count, sizeof *state.sets);
  for (size_t i = 0; i < options->file_count; i++) state.sets[i] = read_side(&state, i);
  const char *wrong = choose_limits(&state);
  if (wrong) return gate_usage_wrong(words, wrong);
  for (size_t i = 0; i < options->file_count; i += 2) check_pair(&state, i);
  return finish_pairs(&state, missing);
}

/* ---- a baseline and a folder ---- */

static gate_exit check_folder(bench_arena *arena, char **words, const check_options *options)
{
  gate_problems problems = {.arena = arena};
  const gate_read_options reading = {0};
  const bool has_baseline = gate_exists(options->baseline);
  if (!has_baseline && options->is_first)
    return write_first(arena, options->baseline, options->folder);
  if (!has_baseline && !options->is_report)
    gate_wrong(&problems, "baseline file not found: %s", options->baseline);
  /* What failed is told all the same. */
  const gate_set *base = has_baseline ? gate_read(arena, options->baseline, reading, &problems)
                                      : gate_set_new(arena, options->baseline, GATE_FORM_OWN);
  if (base && base->count == 0 && problems.count == 0 && !options->is_report)
    gate_wrong(&problems, "baseline benchmarks are empty");
  const gate_set *now = gate_read_criterion(arena, options->folder, reading, &problems);
  gate_limits limits;
  const char *wrong = gate_choices_limits(&options->choices, fallback_profile(base), &limits);
  if (wrong) return gate_usage_wrong(words, wrong);
  gate_report report = {.arena = arena, .command = "check", .limits = &limits};
  report.base_name = options->baseline;
  report.now_name = options->folder;
  if (base && now) gate_judge_sets(&report, base, now, &problems);
  return gate_report_finish(&report, &options->choices, &problems);
}

static gate_exit check_or_report(bench_arena *arena, int argc, char **argv, bool is_report)
{
  check_options options = {.choices = gate_choices_new(arena),
                           .baseline = "docs/benchmarks/cache_path_bench.json",
                           .is_compat = gate_asks_for_compat(argc, argv),
                           .is_report = is_report};
  const argument_group groups[] = {
      {own_options, &options}, {gate_choices_table, &options.choices}, {0}};
  const char *name = is_report ? "report" : "check";
  const char *text = arena_format(arena, usage, is_report ? "report" : "check_bench_regression",
                                  name, name, is_report ? report_meaning : check_meaning);
  gate_exit code;
  int operands;
  options.folder = options.is_compat ? "target/criterion" : gate_criterion_folder(arena);
  if (!gate_parse(groups, text, argc, argv, &operands, &code)) return code;
  options.files = argv + 1;
  options.file_count = (size_t)operands;
  if (options.file_count > 0) return check_pairs(arena, argv, &options);
  if (options.is_compat) return check_compat(arena, &options);
  return check_folder(arena, argv, &options);
}

gate_exit gate_command_check(bench_arena *arena, int argc, char **argv)
{
  return check_or_report(arena, argc, argv, false);
}

gate_exit gate_command_report(bench_arena *arena, int argc, char **argv)
{
  const gate_exit code = check_or_report(arena, argc, argv, true);
  return code == GATE_EXIT_REGRESSION || code == GATE_EXIT_UNSURE ? GATE_EXIT_OK : code;
}

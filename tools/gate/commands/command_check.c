/* check: a baseline against criterion's folder, or pairs of files. */
#include "command.h"

#include "forms/forms.h"

#include "harness/host.h"

#include <math.h>
#include <stdio.h>

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
    "hyperfine (JSON), or a folder of criterion's; - is standard input.\n";
static const char check_meaning[] =
    "Exit codes: 0 passed or warned, 1 worse, missing or failed, 2 usage, 3 input, 4 not proven:\n"
    "beyond the limit, by fewer than 6 rounds (twice the work is 1 by however few).\n";
static const char report_meaning[] = "The same as check, as a report: what got worse is told, and "
                                     "is no failure. Only usage (2) and\n"
                                     "input that cannot be used (3) are.\n";

typedef struct check_options {
  gate_choices choices;
  const char *baseline, *folder;
  char **files; /* pairs */
  size_t file_count;
  bool is_folder; /* the one pair is the baseline and the folder */
  int compat;     /* of one choice: is_compat, which has to be known before, counts */
  bool is_compat, is_first, has_no_annotations;
  bool is_report; /* tells and does not judge: only unusable input is a failure */
} check_options;

#define ARGUMENTS_OF check_options
static const argument own_options[] = {
    ARGUMENT_TEXT("baseline", baseline, "FILE", "what to compare with"),
    ARGUMENT_TEXT("criterion-dir", folder, "DIR", "the results"),
    ARGUMENT_CHOICE("compat", compat, "seed", "the texts and exit codes of the first checkers"),
    ARGUMENT_FLAG("no-annotations", has_no_annotations,
                  "of bench_id records: [FAIL] instead of ::warning::"),
    ARGUMENT_FLAG("init", is_first, "where there is no baseline yet, write it, and say so"),
    {0},
};

typedef struct check {
  const check_options *options;
  gate_problems problems; /* each is told when it is found */
  gate_report report;
  gate_limits limits;
  size_t missing, faults, records;
  double worst;
} check;

/* ---- compat ---- */

static void print_check(const char *id, double base, double now, double delta)
{
  const size_t letters = gate_letters(id);
  printf("[CHECK] %s%*s base=%10.2fns now=%10.2fns delta=%7.2f%%\n", id,
         letters < 30 ? (int)(30 - letters) : 0, "", base, now, delta * 100);
}

static gate_exit compat_failed(const char *text)
{
  fflush(stdout);
  fprintf(stderr, "error: %s\n", text);
  return GATE_EXIT_REGRESSION;
}

/* The first checker's text, byte for byte. */
static gate_exit compare_compat(const gate_set *base, const gate_set *now, double threshold)
{
  gate_text failures = {0};
  size_t compared = 0;
  for (size_t i = 0; i < base->count; i++) {
    const char *id = base->benches[i].id;
    const double old = gate_bench_find(&base->benches[i], "time")->figures[GATE_MEAN];
    const gate_bench *current = gate_set_find_spelled(now, id);
    if (!current) {
      printf("[WARN] benchmark missing in current run: %s\n", id);
      continue;
    }
    if (old <= 0) {
      printf("[WARN] invalid baseline mean for %s: %s\n", id, gate_number_plain(old));
      continue;
    }
    const double mean = gate_bench_find(current, "time")->figures[GATE_MEAN];
    const double delta = (mean - old) / old;
    print_check(id, old, mean, delta);
    compared++;
    if (gate_exceeds(delta, threshold))
      gate_text_printf(&failures, "  - %s: baseline=%.2fns current=%.2fns delta=%.2f%%\n", id, old,
                       mean, delta * 100);
  }
  if (compared == 0)
    return compat_failed("no overlapping benchmarks between baseline and current run");
  if (failures.length == 0) {
    printf("\n[PASS] no regression over threshold %.2f%%\n", threshold * 100);
    return GATE_EXIT_OK;
  }
  printf("\n[FAIL] performance regression exceeded threshold:\n%s", gate_text_c(&failures));
  return compat_failed("regression detected");
}

/* The first checker stopped at the first fault. */
static gate_exit check_compat(check *self)
{
  const check_options *options = self->options;
  const gate_read_options reading = {.is_compat = true};
  gate_problems *problems = &self->problems;
  const gate_set *base = NULL, *now = NULL;
  if (!gate_exists(options->baseline))
    gate_wrong(problems, "baseline file not found: %s", options->baseline);
  else
    base = gate_read(options->baseline, reading, problems);
  if (problems->count == 0 && base->count == 0)
    gate_wrong(problems, "baseline benchmarks are empty");
  if (problems->count == 0) now = gate_read_criterion(options->folder, reading, problems);
  if (problems->count > 0) {
    problems->count = 1;
    gate_print_problems(problems);
    return GATE_EXIT_REGRESSION;
  }
  (void)gate_choices_limits(&options->choices, "seed000", &self->limits);
  const double threshold = gate_limits_find(&self->limits, "", "mean").fail;
  return compare_compat(base, now, threshold);
}

/* ---- pairs ---- */

/* The one line of the figure that a pair of records has. */
static void print_record(check *self, const gate_row *row)
{
  const char *metric = row->better == GATE_HIGHER ? "throughput_mbs" : "duration_ms";
  const double percent = row->worse_by * 100 + 0.0;
  self->worst = fmax(self->worst, fabs(percent));
  if (row->verdict == GATE_FAIL)
    printf("%s[%s] p95 %s regressed by %.2f%% (baseline=%.15g -> current=%.15g)\n",
           self->options->has_no_annotations ? "[FAIL]" : "::warning::", row->id, metric, percent,
           row->base / 1e6, row->now / 1e6);
  else
    printf("[%s][%s] p95 %s change %.2f%% (baseline=%.15g, current=%.15g)\n",
           row->verdict == GATE_IMPROVED ? "OK" : gate_verdicts[row->verdict].name, row->id, metric,
           gate_row_change(row) * 100 + 0.0, row->base / 1e6, row->now / 1e6);
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

/* Tells what was found wrong since there were `before` problems; true if there is more. */
static bool tell(check *self, size_t before)
{
  for (size_t i = before; i < self->problems.count; i++)
    fprintf(stderr, "error: %s\n", self->problems.texts[i]);
  const bool is_wrong = self->problems.count > before;
  self->faults += is_wrong;
  return is_wrong;
}

/* A baseline and a folder. What failed is told without a baseline as well. */
static gate_set *read_folder_side(check *self, bool is_base)
{
  const check_options *options = self->options;
  if (!is_base)
    return gate_read_criterion(options->folder, (gate_read_options){0}, &self->problems);
  gate_set *set = gate_set_new(options->baseline, GATE_FORM_OWN);
  if (gate_exists(options->baseline)) {
    set = gate_read(options->baseline, (gate_read_options){0}, &self->problems);
    if (set && set->count == 0 && self->problems.count == 0 && !options->is_report)
      gate_wrong(&self->problems, "baseline benchmarks are empty");
  } else if (!options->is_report) {
    gate_wrong(&self->problems, "baseline file not found: %s", options->baseline);
  }
  return set;
}

static gate_set *read_side(check *self, size_t index)
{
  const check_options *options = self->options;
  const char *path = options->files[index];
  const size_t before = self->problems.count;
  const bool is_base = index % 2 == 0;
  gate_set *set = NULL;
  if (options->is_folder)
    set = read_folder_side(self, is_base);
  else if (gate_exists(path))
    set = gate_read(path, (gate_read_options){0}, &self->problems);
  if (tell(self, before) && !options->is_folder)
    fprintf(stderr, "[schema] Invalid %s JSON: %s\n", is_base ? "baseline" : "current", path);
  return set;
}

static void check_pair(check *self, const gate_set *base, const gate_set *now)
{
  gate_report *report = &self->report;
  const size_t first_row = report->count, before = self->problems.count;
  if (!base || !now) return;
  gate_judge_sets(report, base, now, &self->problems);
  (void)tell(self, before);
  if (base->form != GATE_FORM_RECORD) return;
  self->records++;
  for (size_t i = first_row; i < report->count; i++)
    if (report->rows[i].key[0] != '\0' && report->rows[i].verdict != GATE_REPORTED)
      print_record(self, &report->rows[i]);
}

/* The summary of records. */
static gate_exit finish_records(check *self)
{
  gate_report *report = &self->report;
  gate_report_sort(report);
  const bool has_faults = self->missing + self->faults > 0;
  const size_t failures = report->counts[GATE_FAIL] + self->faults;
  const gate_exit code = gate_report_exit(report, has_faults);
  if (failures > 0)
    fprintf(stderr, "Overall: %zu regression(s) detected; worst delta %.2f%%\n", failures,
            self->worst);
  else if (code == GATE_EXIT_OK)
    printf("Overall: no regressions; worst delta %.2f%%\n", self->worst);
  else
    fprintf(stderr, "Overall: %s\n", gate_report_sentence(report, has_faults));
  return self->options->is_compat && failures > 0 ? GATE_EXIT_REGRESSION : code;
}

static gate_exit finish(check *self)
{
  const gate_choices *choices = &self->options->choices;
  const bool has_files = choices->markdown || choices->json || choices->html;
  if (self->records > 0 && !has_files) return finish_records(self);
  gate_problems rest = {0};
  if (self->missing + self->faults > 0)
    gate_wrong(&rest, "%s missing or invalid",
               gate_some(self->missing + self->faults, "file is", "files are"));
  return gate_report_finish(&self->report, choices, &rest);
}

/* The first baseline: what there is now, if all of it is well. */
static gate_exit write_first(check *self)
{
  const char *path = self->options->files[0], *results = self->options->files[1];
  gate_problems *problems = &self->problems;
  gate_set *now = gate_read(results, (gate_read_options){0}, problems);
  const size_t failures = now ? now->failed.count : 0;
  if (problems->count == 0 && now->count + failures == 0)
    gate_wrong(problems, "no benchmark results in %s", results);
  for (size_t i = 0; i < failures; i++)
    gate_wrong(problems, "%s failed: %s", now->failed.items[i].key, now->failed.items[i].value);
  if (problems->count == 0 && gate_baseline_write(path, now, problems)) {
    printf("no baseline yet: wrote the first, %s (%s)\n", path,
           gate_some(now->count, "bench", "benches"));
    return GATE_EXIT_OK;
  }
  gate_print_problems(problems);
  return failures > 0 ? GATE_EXIT_REGRESSION : GATE_EXIT_INPUT;
}

static gate_exit check_files(check *self, char **words)
{
  const check_options *options = self->options;
  const size_t count = options->file_count;
  if (count % 2 != 0)
    return gate_usage_wrong(words, "files come in pairs: BASE CURRENT [BASE CURRENT...]");
  if (options->is_first && count == 2 && !gate_exists(options->files[0])) return write_first(self);
  for (size_t i = 0; i < count && !options->is_folder; i++)
    if (!gate_exists(options->files[i]))
      fprintf(stderr, self->missing++ == 0 ? "Missing file(s): %s" : " %s", options->files[i]);
  if (self->missing > 0) fputs("\n", stderr);
  if (self->missing > 0 && options->is_compat) return GATE_EXIT_INPUT;
  gate_set **sets = arena_take(count, sizeof *sets);
  /* Limits depend on what the first readable file is. */
  const gate_set *first = NULL;
  for (size_t i = 0; i < count; i++) {
    sets[i] = read_side(self, i);
    if (!first) first = sets[i];
  }
  const char *wrong =
      gate_choices_limits(&options->choices, fallback_profile(first), &self->limits);
  if (wrong) return gate_usage_wrong(words, wrong);
  for (size_t i = 0; i < count; i += 2) check_pair(self, sets[i], sets[i + 1]);
  return finish(self);
}

static gate_exit check_or_report(int argc, char **argv, bool is_report)
{
  check_options options = {.choices = GATE_CHOICES_NONE,
                           .baseline = "docs/benchmarks/cache_path_bench.json",
                           .is_compat = gate_asks_for_compat(argc, argv),
                           .is_report = is_report};
  const argument_group groups[] = {
      {own_options, &options}, {gate_choices_table, &options.choices}, {0}};
  const char *name = is_report ? "report" : "check";
  const char *text = arena_format(usage, is_report ? "report" : "check_bench_regression", name,
                                  name, is_report ? report_meaning : check_meaning);
  gate_exit code;
  int operands;
  options.folder = options.is_compat ? "target/criterion" : host_criterion_folder();
  if (!gate_parse(groups, text, argc, argv, &operands, &code)) return code;
  check self = {.options = &options, .problems = {0}};
  if (operands == 0 && options.is_compat) return check_compat(&self);
  char *pair[] = {arena_copy(options.baseline), arena_copy(options.folder)};
  options.is_folder = operands == 0;
  options.files = options.is_folder ? pair : argv + 1;
  options.file_count = options.is_folder ? 2 : (size_t)operands;
  self.report = (gate_report){.command = "check",
                              .limits = &self.limits,
                              .base_name = options.files[0],
                              .now_name = options.files[1]};
  return check_files(&self, argv);
}

gate_exit gate_command_check(int argc, char **argv)
{
  return check_or_report(argc, argv, false);
}

gate_exit gate_command_report(int argc, char **argv)
{
  const gate_exit code = check_or_report(argc, argv, true);
  return code == GATE_EXIT_REGRESSION || code == GATE_EXIT_UNSURE ? GATE_EXIT_OK : code;
}

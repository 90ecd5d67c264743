/* bench_main: which cases, in which way, and what becomes of their results. */
#include "result.h"

#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPERATIONS 10000
#define SLOW_NS 1000.0
#define COUNTED_ITERATIONS 256

/* ---- messages ---- */

/* A line that the next one replaces, on terminals only. */
__attribute__((format(printf, 2, 3))) static void progress(const results *all, const char *format,
                                                           ...)
{
  va_list arguments;
  if (all->settings->is_quiet || isatty(STDERR_FILENO) != 1) return;
  va_start(arguments, format);
  fputs("\r\033[K", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fflush(stderr);
}

/* Times of such builds would be compared with those of others. */
static bool is_worth_measuring(const bench_build *build)
{
  const char *what = NULL;
  if (build->sanitizer != NULL)
    what = build->sanitizer;
  else if (!build->is_optimised)
    what = "no optimisation (-O2)";
  else if (build->has_assertions)
    what = "assertions (-DNDEBUG leaves them out)";
  if (what == NULL) return true;
  fprintf(stderr, "error: built with %s%s: its times mean nothing; --test runs it all the same\n",
          what, build->sanitizer != NULL ? " sanitizer" : "");
  return false;
}

/* ---- selection ---- */

static bool select_exact(results *all)
{
  bool is_found = false;
  const char *const wanted = all->settings->filter;
  for (size_t i = 0; i < all->suite->count; i++) {
    const identity *const id = all->list[i].id;
    if (strcmp(wanted, id->full) != 0 && strcmp(wanted, id->directory) != 0) continue;
    all->list[i].state = RESULT_OK;
    is_found = true;
  }
  return is_found;
}

static bool select_matching(results *all)
{
  regex_t pattern;
  bool is_found = false;
  const char *const filter = all->settings->filter;
  if (filter != NULL && regcomp(&pattern, filter, REG_EXTENDED | REG_NOSUB) != 0) {
    fprintf(stderr, "error: \"%s\" is no regular expression\n", filter);
    return false;
  }
  for (size_t i = 0; i < all->suite->count; i++) {
    const identity *const id = all->list[i].id;
    if (filter != NULL && regexec(&pattern, id->full, 0, NULL, 0) != 0 &&
        regexec(&pattern, id->directory, 0, NULL, 0) != 0)
      continue;
    all->list[i].state = RESULT_OK;
    is_found = true;
  }
  if (filter != NULL) regfree(&pattern);
  return is_found;
}

static bool select_cases(results *all)
{
  const bool is_exact = all->settings->is_exact && all->settings->filter != NULL;
  const bool is_found = is_exact ? select_exact(all) : select_matching(all);
  if (!is_found && all->settings->filter != NULL)
    fprintf(stderr, "error: no bench of %s matches \"%s\"; see --list\n", all->suite->name,
            all->settings->filter);
  return is_found;
}

static void skip_cases(results *all)
{
  for (size_t i = 0; i < all->suite->count; i++) {
    result *const one = &all->list[i];
    if (one->state != RESULT_OK) continue;
    if (all->settings->plan.threads > 1 && !one->bench->is_shared)
      one->reason = "runs on one thread only";
    else if (all->suite->skip_reason != NULL)
      one->reason = all->suite->skip_reason(one->bench);
    if (one->reason != NULL) one->state = RESULT_SKIPPED;
  }
}

/* ---- one bench ---- */

static bool allocate_samples(result *one, size_t count)
{
  one->samples.count = count;
  one->samples.iterations = (double *)calloc(count, sizeof(double));
  one->samples.times = (double *)calloc(count, sizeof(double));
  return one->samples.iterations != NULL && one->samples.times != NULL;
}

static const char *measure_open_case(const results *all, result *one)
{
  uint64_t iterations;
  double elapsed_ns;
  const options *const settings = all->settings;
  const char *const name = one->id->full;
  progress(all, "Benchmarking %s: Warming up for %g s", name, settings->plan.warm_up_s);
  const char *failure = measure_warm_up(one->bench, settings->plan.warm_up_s,
                                        settings->plan.threads, &iterations, &elapsed_ns);
  if (failure != NULL) return failure;
  const double iteration_ns = elapsed_ns / (double)iterations;
  if (!allocate_samples(one, settings->plan.sample_size)) return "no memory for samples";
  one->samples.is_linear = measure_schedule(&settings->plan, iteration_ns, one->samples.iterations);
  progress(all, "Benchmarking %s: Collecting %zu samples in about %g s", name, one->samples.count,
           settings->plan.measurement_s);
  failure = measure_repeat(one->bench, settings->plan.threads, &one->samples);
  if (failure != NULL || iteration_ns < SLOW_NS) return failure;
  progress(all, "Benchmarking %s: Timing single operations", name);
  return measure_operations(one->bench, settings->plan.measurement_s / 4, OPERATIONS,
                            &one->latency);
}

static const char *measure_case(const results *all, result *one)
{
  const bench_case *const bench = one->bench;
  const char *failure = measure_allocating(bench, COUNTED_ITERATIONS, &one->memory);
  if (failure != NULL) return failure;
  failure = bench->open != NULL ? bench->open(bench->ctx) : NULL;
  if (failure != NULL) return failure;
  failure = measure_open_case(all, one);
  if (bench->close != NULL) bench->close(bench->ctx);
  return failure;
}

/* Compares with the baseline, if there is one. False: the one asked for is missing or broken. */
static const char *compare_case(const results *all, result *one)
{
  measure_samples before = {0};
  const options *const settings = all->settings;
  const char *const name = settings->baseline != NULL ? settings->baseline : settings->save_as;
  if (name == NULL) return NULL;
  if (!criterion_load(all, one->id, name, &before))
    return settings->baseline != NULL ? "the baseline asked for is not there" : NULL;
  double *const now = (double *)malloc(one->samples.count * sizeof *now);
  double *const then = (double *)malloc(before.count * sizeof *then);
  if (now != NULL && then != NULL) {
    result_each(&one->samples, now);
    result_each(&before, then);
    one->has_change = stats_compare(now, one->samples.count, then, before.count,
                                    &settings->statistics, &one->change);
  }
  free(now);
  free(then);
  free(before.iterations);
  free(before.times);
  return one->has_change ? NULL : "no memory for a comparison";
}

static const char *analyse_case(const results *all, result *one)
{
  progress(all, "Benchmarking %s: Analyzing", one->id->full);
  const measure_samples *const samples = &one->samples;
  if (!stats_summarise(samples->iterations, samples->times, samples->count, samples->is_linear,
                       &all->settings->statistics, &one->summary))
    return "no memory for statistics";
  const char *const failure = compare_case(all, one);
  if (failure != NULL) return failure;
  const bool is_saved = criterion_save(all, one) && summary_save(all, one);
  return is_saved ? NULL : "its results could not be written";
}

static void take_case(const results *all, result *one)
{
  const char *const load = all->settings->load;
  const char *failure = NULL;
  if (load == NULL)
    failure = measure_case(all, one);
  else if (!criterion_load(all, one->id, load, &one->samples))
    failure = "there is no such baseline to load";
  if (failure == NULL) failure = analyse_case(all, one);
  progress(all, "%s", "");
  if (failure == NULL) {
    if (all->settings->format == FORMAT_CRITERION) text_print_result(all, one);
    if (all->settings->format == FORMAT_BENCHER) bencher_print_result(one);
    fflush(stdout);
    return;
  }
  one->state = RESULT_FAILED;
  one->reason = failure;
  fprintf(stderr, "error: %s: %s\n", one->id->full, failure);
}

/* ---- modes ---- */

static int measure_all(results *all)
{
  bool is_whole = true;
  for (size_t i = 0; i < all->suite->count; i++) {
    result *const one = &all->list[i];
    if (one->state == RESULT_OK) take_case(all, one);
    if (one->state == RESULT_FAILED) is_whole = false;
    if (one->state != RESULT_SKIPPED) continue;
    fprintf(stderr, "skipped: %s: %s\n", one->id->full, one->reason);
    is_whole &= criterion_mark_skipped(all, one);
  }
  return record_save(all) && is_whole && fflush(stdout) == 0 ? 0 : 1;
}

static int list_all(const results *all)
{
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state != RESULT_LEFT_OUT) printf("%s: benchmark\n", all->list[i].id->full);
  return 0;
}

/* Runs a case for so many iterations, or for so long, outside any statistics. */
static const char *repeat_case(const bench_case *bench, uint64_t iterations, double seconds,
                               unsigned threads)
{
  double elapsed_ns;
  const char *failure = bench->open != NULL ? bench->open(bench->ctx) : NULL;
  if (failure != NULL) return failure;
  failure = seconds > 0 ? measure_warm_up(bench, seconds, threads, &iterations, &elapsed_ns)
                        : measure_sample(bench, iterations, threads, &elapsed_ns);
  if (bench->close != NULL) bench->close(bench->ctx);
  return failure;
}

static int repeat_all(const results *all, const char *what, uint64_t iterations, double seconds)
{
  int status = 0;
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state == RESULT_LEFT_OUT) continue;
    const bool is_skipped = one->state == RESULT_SKIPPED;
    const char *const failure =
        is_skipped ? one->reason
                   : repeat_case(one->bench, iterations, seconds, all->settings->plan.threads);
    if (failure != NULL && !is_skipped) status = 1;
    if (what == NULL && failure == NULL) continue;
    printf("%s %s: %s\n", what != NULL ? what : "Counting", one->id->full,
           failure == NULL ? "Success" : failure);
  }
  return status;
}

static int run_mode(results *all)
{
  const options *const settings = all->settings;
  switch (settings->mode) {
    case MODE_LIST: return list_all(all);
    case MODE_TEST: return repeat_all(all, "Testing", 1, 0);
    case MODE_COUNT: return repeat_all(all, NULL, settings->count_iterations, 0);
    case MODE_PROFILE: return repeat_all(all, "Profiling", 0, settings->profile_s);
    case MODE_SERVE: return serve(all);
    default: break;
  }
  if (!is_worth_measuring(all->build)) return 2;
  return measure_all(all);
}

static void name_run(results *all)
{
  const char *const given = getenv("ACCEL_BENCH_RUN_ID");
  host_date(all->started);
  if (given != NULL && given[0] != '\0')
    snprintf(all->run_id, sizeof all->run_id, "%.100s", given);
  else
    snprintf(all->run_id, sizeof all->run_id, "%s-%ld", all->started, (long)getpid());
}

int bench_main(const bench_suite *suite, bench_build build, int count, char **arguments)
{
  options settings;
  const int wrong = options_parse(&settings, count, arguments);
  if (wrong != 0) return wrong;
  if (settings.mode == MODE_HELP) {
    options_print_help(stdout, suite->name);
    return 0;
  }
  results all = {.suite = suite, .build = &build, .settings = &settings};
  identity *const ids = (identity *)calloc(suite->count, sizeof *ids);
  all.list = (result *)calloc(suite->count, sizeof *all.list);
  int status = 1;
  if (ids != NULL && all.list != NULL) {
    identity_fill(suite, settings.plan.threads, ids);
    for (size_t i = 0; i < suite->count; i++)
      all.list[i] = (result){.bench = &suite->cases[i], .id = &ids[i]};
    all.ids = ids;
    name_run(&all);
    if (select_cases(&all)) {
      skip_cases(&all);
      status = run_mode(&all);
    }
  }
  for (size_t i = 0; all.list != NULL && i < suite->count; i++) {
    free(all.list[i].samples.iterations);
    free(all.list[i].samples.times);
  }
  free(all.list);
  free(ids);
  return status;
}

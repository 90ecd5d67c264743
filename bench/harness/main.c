/* bench_main: which cases, in which way, and what becomes of their results. */
#include "result.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPERATIONS 10000

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

/* Selects the cases that the filter names; false if there are none. */
static bool select_cases(results *all)
{
  regex_t pattern;
  bool is_found = false;
  const char *const filter = all->settings->filter;
  const bool is_exact = all->settings->is_exact && filter != NULL;
  if (!is_exact && regcomp(&pattern, filter ? filter : "", REG_EXTENDED | REG_NOSUB) != 0) {
    fprintf(stderr, "error: \"%s\" is no regular expression\n", filter);
    return false;
  }
  for (size_t i = 0; i < all->suite->count; i++) {
    const char *const names[] = {all->list[i].id->full, all->list[i].id->directory};
    for (size_t n = 0; n < 2; n++)
      if (is_exact ? strcmp(filter, names[n]) == 0 : regexec(&pattern, names[n], 0, NULL, 0) == 0)
        all->list[i].state = RESULT_OK;
    is_found = is_found || all->list[i].state == RESULT_OK;
  }
  if (!is_exact) regfree(&pattern);
  if (!is_found && filter != NULL)
    fprintf(stderr, "error: no bench of %s matches \"%s\"; see --list\n", all->suite->name, filter);
  return is_found;
}

static void skip_cases(results *all)
{
  for (size_t i = 0; i < all->suite->count; i++) {
    result *const one = &all->list[i];
    if (one->state != RESULT_OK) continue;
    if (all->suite->skip_reason != NULL) one->reason = all->suite->skip_reason(one->bench);
    if (one->reason != NULL) one->state = RESULT_SKIPPED;
  }
}

/* ---- one bench ---- */

static const char *measure_open_case(const results *all, result *one)
{
  uint64_t iterations;
  double elapsed_ns;
  const options *const settings = all->settings;
  const char *failure =
      measure_warm_up(one->bench, settings->plan.warm_up_s, &iterations, &elapsed_ns);
  if (failure != NULL) return failure;
  const double iteration_ns = elapsed_ns / (double)iterations;
  const double sample_ns = settings->plan.measurement_s * 1e9 / (double)settings->plan.sample_size;
  one->samples =
      measure_samples_of(settings->plan.sample_size, fmax(1, ceil(sample_ns / iteration_ns)));
  failure = measure_repeat(one->bench, &one->samples);
  if (failure != NULL || iteration_ns < MEASURE_SLOW_NS) return failure;
  return measure_operations(one->bench, settings->plan.measurement_s / 4, OPERATIONS,
                            &one->percentiles);
}

static const char *measure_case(const results *all, result *one)
{
  const bench_case *const bench = one->bench;
  const char *failure = measure_allocating(bench, MEASURE_COUNTED, &one->memory);
  if (failure != NULL) return failure;
  failure = bench->open != NULL ? bench->open(bench->ctx) : NULL;
  if (failure != NULL) return failure;
  failure = measure_open_case(all, one);
  if (bench->close != NULL) bench->close(bench->ctx);
  return failure;
}

/* Compares with the baseline, if there is one. */
static const char *compare_case(const results *all, result *one)
{
  measure_samples before = {0};
  const options *const settings = all->settings;
  const stats_plan *const plan = &settings->statistics;
  const char *const name = settings->baseline != NULL ? settings->baseline : settings->save_as;
  if (name == NULL) return NULL;
  if (!criterion_load(all, one->id, name, &before))
    return settings->baseline != NULL ? "the baseline asked for is not there" : NULL;
  const double *const then = result_each(&before), *const now = one->each;
  const size_t count = one->samples.count;
  one->has_change = true;
  one->mean_change = stats_ratio(now, count, then, before.count, STATS_MEAN, plan);
  one->median_change = stats_ratio(now, count, then, before.count, 0.5, plan);
  one->p_value = stats_p_value(now, count, then, before.count, plan);
  stats_estimate *const changes[] = {&one->mean_change, &one->median_change};
  for (size_t i = 0; i < 2; i++) {
    changes[i]->point -= 1;
    changes[i]->low -= 1;
    changes[i]->high -= 1;
  }
  return NULL;
}

static const char *analyse_case(const results *all, result *one)
{
  const measure_samples *const samples = &one->samples;
  one->each = result_each(samples);
  one->is_of_operations = one->percentiles.count > 0;
  if (!one->is_of_operations) one->percentiles = stats_percentiles_of(one->each, samples->count);
  one->summary = stats_summarise(one->each, samples->count, &all->settings->statistics);
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
    if (one->state == RESULT_SKIPPED)
      fprintf(stderr, "skipped: %s: %s\n", one->id->full, one->reason);
  }
  return record_save(all) && is_whole && fflush(stdout) == 0 ? 0 : 1;
}

static int list_all(const results *all)
{
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state != RESULT_LEFT_OUT) printf("%s: benchmark\n", all->list[i].id->full);
  return 0;
}

/* Runs a case for so long, or once if `seconds` is 0, outside any statistics. */
static const char *repeat_case(const bench_case *bench, double seconds)
{
  double elapsed_ns;
  uint64_t iterations = 1;
  const char *failure = bench->open != NULL ? bench->open(bench->ctx) : NULL;
  if (failure != NULL) return failure;
  failure = seconds > 0 ? measure_warm_up(bench, seconds, &iterations, &elapsed_ns)
                        : measure_sample(bench, iterations, &elapsed_ns);
  if (bench->close != NULL) bench->close(bench->ctx);
  return failure;
}

static int repeat_all(const results *all, const char *what, double seconds)
{
  int status = 0;
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state == RESULT_LEFT_OUT) continue;
    const bool is_skipped = one->state == RESULT_SKIPPED;
    const char *const failure = is_skipped ? one->reason : repeat_case(one->bench, seconds);
    if (failure != NULL && !is_skipped) status = 1;
    printf("%s %s: %s\n", what, one->id->full, failure == NULL ? "Success" : failure);
  }
  return status;
}

static int run_mode(results *all)
{
  const options *const settings = all->settings;
  if (settings->is_list) return list_all(all);
  if (settings->is_test) return repeat_all(all, "Testing", 0);
  if (settings->profile_s > 0) return repeat_all(all, "Profiling", settings->profile_s);
  if (settings->is_served) return serve(all);
  return is_worth_measuring(all->build) ? measure_all(all) : 2;
}

static void name_run(results *all)
{
  const char *const given = getenv("ACCEL_BENCH_RUN_ID");
  all->started = host_date();
  all->run_id = given != NULL && given[0] != '\0'
                    ? given
                    : arena_format("%s-%ld", all->started, (long)getpid());
}

static int run_suite(const bench_suite *suite, const bench_build *build, const options *settings)
{
  results all = {.suite = suite, .build = build, .settings = settings};
  const identity *const ids = identity_fill(suite);
  all.list = (result *)arena_take(suite->count, sizeof *all.list);
  for (size_t i = 0; i < suite->count; i++)
    all.list[i] = (result){.bench = &suite->cases[i], .id = &ids[i]};
  name_run(&all);
  if (!select_cases(&all)) return 1;
  skip_cases(&all);
  return run_mode(&all);
}

int bench_main(const bench_suite *suite, bench_build build, int count, char **arguments)
{
  options settings;
  int status = options_parse(&settings, suite->name, count, arguments);
  if (status < 0) status = run_suite(suite, &build, &settings);
  arena_end();
  return status;
}

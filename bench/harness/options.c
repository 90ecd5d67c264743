#include "arguments.h"
#include "result.h"

#include <string.h>

#define DAY_S 86400.0
#define LEAST 1e-9 /* of what must be above 0 */

/* A baseline's name is a folder's: it leads nowhere else, and replaces nothing but baselines. */
static const char *take_name(const argument *self, void *field, const char *value)
{
  const bool is_reserved = strcmp(value, "new") == 0 || strcmp(value, "change") == 0 ||
                           strcmp(value, "report") == 0 || value[0] == '.';
  if (value[0] == '\0' || strlen(value) > 64 || strpbrk(value, "/\\") != NULL || is_reserved)
    return "expected a folder's name of up to 64 bytes other than new";
  return arguments_text(self, field, value);
}

/* Compared with only: no baseline changes. */
static const char *take_baseline(const argument *self, void *all, const char *value)
{
  options *const out = (options *)all;
  out->save_as = NULL;
  return take_name(self, &out->baseline, value);
}

static const char *take_quick(const argument *self, void *all, const char *value)
{
  options *const out = (options *)all;
  (void)self;
  (void)value;
  out->plan = (measure_plan){.1, .5, 10};
  out->statistics.resamples = 1000;
  return NULL;
}

#define ARGUMENTS_OF options
static const argument table[] = {
    ARGUMENT_FLAG("list", is_list, "print the ids"),
    ARGUMENT_FLAG("test", is_test, "run each bench once, without measuring"),
    ARGUMENT_FLAG("exact", is_exact, "FILTER is a whole id"),
    ARGUMENT_WHOLE("sample-size", plan.sample_size, 10, 1e5, "samples of a bench, at least 10; 60"),
    ARGUMENT_NUMBER("warm-up-time", plan.warm_up_s, LEAST, DAY_S, "S", "seconds before them; 3"),
    ARGUMENT_NUMBER("measurement-time", plan.measurement_s, LEAST, DAY_S, "S",
                    "seconds for them; 5"),
    ARGUMENT_WHOLE("nresamples", statistics.resamples, 1, 1e7, "of the bootstrap; 10000"),
    ARGUMENT_WITH_ALL("quick", NULL, take_quick, "10 samples in half a second, 1000 resamples"),
    ARGUMENT_NUMBER("profile-time", profile_s, LEAST, DAY_S, "S",
                    "repeat each bench for S seconds, for a profiler"),
    ARGUMENT_OWN("save-baseline", save_as, "NAME", take_name,
                 "compare with NAME, then replace it; base"),
    ARGUMENT_WITH_ALL("baseline", "NAME", take_baseline, "compare with NAME, and keep it"),
    ARGUMENT_OWN("discard-baseline", save_as, NULL, arguments_text, "neither compare nor keep"),
    ARGUMENT_OWN("load-baseline", load, "NAME", take_name,
                 "analyse what NAME holds instead of measuring"),
    ARGUMENT_CHOICE("output-format", format, "criterion|bencher", "the first for people"),
    ARGUMENT_TEXT("criterion-dir", criterion_path, "FOLDER",
                  "where results go; $CRITERION_HOME,\n"
                  "$CARGO_TARGET_DIR/criterion, or target/criterion"),
    ARGUMENT_TEXT("summary-dir", summary_path, "FOLDER",
                  "where suites of service levels leave their summaries;\n"
                  "$CARGO_TARGET_DIR/benchmarks, or target/benchmarks"),
    ARGUMENT_WHOLE("seed", statistics.seed, 0, 0x1p64, "of the bootstrap; 42"),
    ARGUMENT_FLAG("serve", is_served, "read commands from stdin, for accel-gate ab"),
    ARGUMENT_FLAG("verbose", is_verbose, "more figures"),
    ARGUMENT_FLAG("v", is_verbose, "the same"),
    ARGUMENT_FLAG("quiet", is_quiet, "ids and times only"),
    ARGUMENT_FLAG("bench", is_cargo, NULL), /* cargo gives it to all */
    {0},
};

static void print_help(const char *program)
{
  const argument_group groups[] = {{table, NULL}, {0}};
  printf("usage: %s [OPTION...] [FILTER]\n\n"
         "Measures the benches whose id matches FILTER, a regular expression; all without one.\n"
         "Options with a value take it as the next argument or after \"=\".\n\n",
         program);
  arguments_help(stdout, groups);
  fputs("\nenvironment: ACCELERATOR_BENCH_REDIS_URL, ACCEL_BENCH_RUN_ID, CRITERION_HOME,\n"
        "CARGO_TARGET_DIR\n",
        stdout);
}

int options_parse(options *out, const char *program, int count, char **arguments)
{
  const char *wrong;
  int operands;
  const argument_group groups[] = {{table, out}, {0}};
  *out = (options){
      .plan = {3, 5, 60},
      .statistics = {10000, .95, 42},
      .save_as = "base",
      .criterion_path = host_criterion_folder(),
      .summary_path = host_target_folder("benchmarks"),
  };
  const arguments_outcome outcome = arguments_parse(groups, count, arguments, &operands, &wrong);
  if (outcome == ARGUMENTS_HELP) {
    print_help(program);
    return 0;
  }
  const bool is_taken = outcome == ARGUMENTS_TAKEN;
  if (is_taken && operands == 1) out->filter = arguments[1];
  if (is_taken && operands <= 1) return -1;
  fprintf(stderr, "error: %s; see --help\n", is_taken ? "one FILTER at most" : wrong);
  return 2;
}

#include "options.h"

#include "arguments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static const char *take_discard(const argument *self, void *save_as, const char *value)
{
  (void)value;
  return arguments_text(self, save_as, NULL);
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

#define FIELD(name_) offsetof(options, name_)
static const argument table[] = {
    {"exact", NULL, "FILTER is a whole id", arguments_flag, FIELD(is_exact), 0, 0},
    {"list", NULL, "print the ids", arguments_flag, FIELD(is_list), 0, 0},
    {"test", NULL, "run each bench once, without measuring", arguments_flag, FIELD(is_test), 0, 0},
    {"sample-size", "N", "samples of a bench, at least 10; 60", arguments_whole,
     FIELD(plan.sample_size), 10, 1e5},
    {"warm-up-time", "S", "seconds before them; 3", arguments_number, FIELD(plan.warm_up_s), LEAST,
     DAY_S},
    {"measurement-time", "S", "seconds for them; 5", arguments_number, FIELD(plan.measurement_s),
     LEAST, DAY_S},
    {"nresamples", "N", "of the bootstrap; 10000", arguments_whole, FIELD(statistics.resamples), 1,
     1e7},
    {"noise-threshold", "X", "changes below are noise; 0.01", arguments_number,
     FIELD(noise_threshold), 0, 1e9},
    {"confidence-level", "X", "of intervals, between 0 and 1; 0.95", arguments_number,
     FIELD(statistics.confidence_level), LEAST, 1 - LEAST},
    {"significance-level", "X", "p below it is a change, between 0 and 1; 0.05", arguments_number,
     FIELD(significance_level), LEAST, 1 - LEAST},
    {"quick", NULL, "10 samples in half a second, 1000 resamples", take_quick, 0, 0, 0},
    {"profile-time", "S", "repeat each bench for S seconds, for a profiler", arguments_number,
     FIELD(profile_s), LEAST, DAY_S},
    {"save-baseline", "NAME", "compare with NAME, then replace it; base", take_name, FIELD(save_as),
     0, 0},
    {"baseline", "NAME", "compare with NAME, and keep it", take_baseline, 0, 0, 0},
    {"discard-baseline", NULL, "neither compare nor keep", take_discard, FIELD(save_as), 0, 0},
    {"load-baseline", "NAME", "analyse what NAME holds instead of measuring", take_name,
     FIELD(load), 0, 0},
    {"output-format", "criterion|bencher", "the first for people", arguments_choice, FIELD(format),
     0, 0},
    {"json", "FILE", "also write JSON there", arguments_text, FIELD(json_path), 0, 0},
    {"criterion-dir", "FOLDER",
     "where results go; $CRITERION_HOME,\n$CARGO_TARGET_DIR/criterion, or target/criterion",
     arguments_text, FIELD(criterion_path), 0, 0},
    {"summary-dir", "FOLDER",
     "where suites of service levels leave their summaries;\n"
     "$CARGO_TARGET_DIR/benchmarks, or target/benchmarks",
     arguments_text, FIELD(summary_path), 0, 0},
    {"seed", "N", "of the bootstrap; 42", arguments_whole, FIELD(statistics.seed), 0, 0x1p64},
    {"serve", NULL, "read commands from stdin, for accel-gate ab", arguments_flag, FIELD(is_served),
     0, 0},
    {"count", "ID", "run N iterations of one bench, for callgrind; N follows", arguments_text,
     FIELD(counted_id), 0, 0},
    {"color", "auto|always|never", "auto: on terminals", arguments_choice, FIELD(color), 0, 0},
    {"verbose", NULL, "more figures", arguments_flag, FIELD(is_verbose), 0, 0},
    {"v", NULL, "the same", arguments_flag, FIELD(is_verbose), 0, 0},
    {"quiet", NULL, "ids and times only", arguments_flag, FIELD(is_quiet), 0, 0},
    {"bench", NULL, NULL, arguments_flag, FIELD(is_cargo), 0, 0}, /* cargo gives it to all */
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
        "CARGO_TARGET_DIR, NO_COLOR\n",
        stdout);
}

/* What is left are operands: a filter, or after --count its iterations. */
static const char *take_operands(options *out, int count, char **operands)
{
  const argument iterations = {.most = 0x1p64};
  if (out->counted_id != NULL) {
    out->filter = out->counted_id;
    out->is_exact = true;
    const bool is_usable =
        count == 1 && arguments_whole(&iterations, &out->count_iterations, operands[0]) == NULL;
    return is_usable ? NULL : "--count takes an id and a number of iterations";
  }
  if (count > 1) return "one FILTER at most";
  if (count == 1) out->filter = operands[0];
  return NULL;
}

/* Where cargo would put it. */
static const char *default_folder(bench_arena *arena, const char *name)
{
  const char *const target = getenv("CARGO_TARGET_DIR");
  return arena_format(arena, "%s/%s", target != NULL && *target != '\0' ? target : "target", name);
}

options_outcome options_parse(options *out, bench_arena *arena, const char *program, int count,
                              char **arguments)
{
  char wrong[512];
  int operands;
  const argument_group groups[] = {{table, out}, {0}};
  const char *const home = getenv("CRITERION_HOME");
  *out = (options){
      .plan = {3, 5, 60},
      .statistics = {10000, .95, 42},
      .noise_threshold = .01,
      .significance_level = .05,
      .save_as = "base",
      .criterion_path = home != NULL && *home != '\0' ? home : default_folder(arena, "criterion"),
      .summary_path = default_folder(arena, "benchmarks"),
  };
  const char *why = wrong;
  switch (arguments_parse(groups, count, arguments, &operands, wrong)) {
    case ARGUMENTS_HELP: print_help(program); return OPTIONS_HELP;
    case ARGUMENTS_TAKEN: why = take_operands(out, operands, arguments + 1); break;
    default: break;
  }
  const bool may_colour = getenv("NO_COLOR") == NULL && isatty(STDOUT_FILENO) == 1;
  out->is_coloured = out->color == 0 ? may_colour : out->color == 1;
  if (why == NULL) return OPTIONS_TAKEN;
  fprintf(stderr, "error: %s; see --help\n", why);
  return OPTIONS_WRONG;
}

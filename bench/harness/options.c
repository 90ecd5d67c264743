#include "options.h"

#include "arguments.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- values ---- */

/* Decimal notation only: strtod also reads blanks, "inf" and hexadecimal numbers. */
static bool parse_number(const char *text, double *out)
{
  char *end;
  if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0') return false;
  errno = 0;
  *out = strtod(text, &end);
  return *end == '\0' && errno == 0 && isfinite(*out);
}

static bool parse_integer(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
  char *end;
  if (!isdigit((unsigned char)text[0])) return false;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return *end == '\0' && errno == 0 && *out >= least && *out <= most;
}

static const char *take_seconds(void *field, const char *value)
{
  double *const out = (double *)field;
  const bool is_usable = parse_number(value, out) && *out > 0 && *out <= 86400;
  return is_usable ? NULL : "expected seconds, more than 0 and at most a day";
}

static const char *take_level(void *field, const char *value)
{
  double *const out = (double *)field;
  const bool is_usable = parse_number(value, out) && *out > 0 && *out < 1;
  return is_usable ? NULL : "expected a number between 0 and 1";
}

static const char *take_noise(void *field, const char *value)
{
  double *const out = (double *)field;
  return parse_number(value, out) && *out >= 0 ? NULL : "expected a number of at least 0";
}

static const char *take_seed(void *field, const char *value)
{
  return parse_integer(value, 0, UINT64_MAX, (uint64_t *)field) ? NULL : "expected a whole number";
}

static const char *take_sample_size(void *field, const char *value)
{
  uint64_t number;
  if (!parse_integer(value, 10, 100000, &number))
    return "expected a whole number from 10 to 100000";
  *(size_t *)field = (size_t)number;
  return NULL;
}

static const char *take_resamples(void *field, const char *value)
{
  uint64_t number;
  if (!parse_integer(value, 1, 10000000, &number))
    return "expected a whole number from 1 to 10000000";
  *(size_t *)field = (size_t)number;
  return NULL;
}

static const char *take_threads(void *field, const char *value)
{
  uint64_t number;
  if (!parse_integer(value, 1, 256, &number)) return "expected a whole number from 1 to 256";
  *(unsigned *)field = (unsigned)number;
  return NULL;
}

static const char *take_path(void *field, const char *value)
{
  *(const char **)field = value;
  return value[0] != '\0' ? NULL : "expected a path";
}

/* A baseline's name is a folder's: it leads nowhere else, and replaces nothing but baselines. */
static const char *take_name(void *field, const char *value)
{
  *(const char **)field = value;
  const bool is_reserved = strcmp(value, "new") == 0 || strcmp(value, "change") == 0 ||
                           strcmp(value, "report") == 0 || value[0] == '.';
  if (value[0] != '\0' && strlen(value) <= 64 && strpbrk(value, "/\\") == NULL && !is_reserved)
    return NULL;
  return "expected a folder's name of up to 64 bytes other than new";
}

/* ---- options that change more than a field ---- */

static const char *take_baseline(void *all, const char *value)
{
  options *const out = (options *)all;
  out->save_as = NULL; /* compared with only: no baseline changes */
  return take_name(&out->baseline, value);
}

static const char *take_discard(void *all, const char *value)
{
  (void)value;
  ((options *)all)->save_as = NULL;
  return NULL;
}

static const char *take_format(void *field, const char *value)
{
  static const char *const names[] = {"criterion", "bencher"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    *(options_format *)field = (options_format)i;
    return NULL;
  }
  return "expected criterion or bencher";
}

static const char *take_color(void *field, const char *value)
{
  bool *const out = (bool *)field;
  if (strcmp(value, "auto") == 0) return NULL;
  *out = strcmp(value, "always") == 0;
  return *out || strcmp(value, "never") == 0 ? NULL : "expected auto, always or never";
}

static const char *take_profile(void *all, const char *value)
{
  ((options *)all)->mode = MODE_PROFILE;
  return take_seconds(&((options *)all)->profile_s, value);
}

static const char *take_count(void *all, const char *value)
{
  options *const out = (options *)all;
  out->mode = MODE_COUNT;
  out->filter = value;
  out->is_exact = true;
  return NULL;
}

static const char *take_quick(void *all, const char *value)
{
  options *const out = (options *)all;
  (void)value;
  out->is_quick = true;
  out->plan = (measure_plan){.1, .5, 10, out->plan.threads};
  out->statistics.resamples = 1000;
  return NULL;
}

static const char *take_list(void *mode, const char *value)
{
  (void)value;
  *(options_mode *)mode = MODE_LIST;
  return NULL;
}

static const char *take_test(void *mode, const char *value)
{
  (void)value;
  *(options_mode *)mode = MODE_TEST;
  return NULL;
}

static const char *take_serve(void *mode, const char *value)
{
  (void)value;
  *(options_mode *)mode = MODE_SERVE;
  return NULL;
}

#define FIELD(name_) offsetof(options, name_)
static const argument table[] = {
    {"exact", NULL, "FILTER is a whole id", arguments_flag, FIELD(is_exact), 0},
    {"list", NULL, "print the ids", take_list, FIELD(mode), 0},
    {"test", NULL, "run each bench once, without measuring", take_test, FIELD(mode), 0},
    {"sample-size", "N", "samples of a bench, at least 10; 60", take_sample_size,
     FIELD(plan.sample_size), 0},
    {"warm-up-time", "S", "seconds before them; 3", take_seconds, FIELD(plan.warm_up_s), 0},
    {"measurement-time", "S", "seconds for them; 5", take_seconds, FIELD(plan.measurement_s), 0},
    {"nresamples", "N", "of the bootstrap; 10000", take_resamples, FIELD(statistics.resamples), 0},
    {"noise-threshold", "X", "changes below are noise; 0.01", take_noise, FIELD(noise_threshold),
     0},
    {"confidence-level", "X", "of intervals, between 0 and 1; 0.95", take_level,
     FIELD(statistics.confidence_level), 0},
    {"significance-level", "X", "p below it is a change, between 0 and 1; 0.05", take_level,
     FIELD(significance_level), 0},
    {"quick", NULL, "10 samples in half a second, 1000 resamples", take_quick, 0, 0},
    {"profile-time", "S", "repeat each bench for S seconds, for a profiler", take_profile, 0, 0},
    {"save-baseline", "NAME", "compare with NAME, then replace it; base", take_name, FIELD(save_as),
     0},
    {"baseline", "NAME", "compare with NAME, and keep it", take_baseline, 0, 0},
    {"discard-baseline", NULL, "neither compare nor keep", take_discard, 0, 0},
    {"load-baseline", "NAME", "analyse what NAME holds instead of measuring", take_name,
     FIELD(load), 0},
    {"output-format", "WHAT", "criterion (for people) or bencher", take_format, FIELD(format), 0},
    {"json", "FILE", "also write JSON there", take_path, FIELD(json_path), 0},
    {"criterion-dir", "FOLDER",
     "where results go; $CRITERION_HOME,\n$CARGO_TARGET_DIR/criterion, or target/criterion",
     take_path, FIELD(criterion_path), 0},
    {"summary-dir", "FOLDER",
     "where suites of service levels leave their summaries;\n"
     "$CARGO_TARGET_DIR/benchmarks, or target/benchmarks",
     take_path, FIELD(summary_path), 0},
    {"seed", "N", "of the bootstrap; 42", take_seed, FIELD(statistics.seed), 0},
    {"threads", "N", "run the benches that allow it on N threads; 1", take_threads,
     FIELD(plan.threads), 0},
    {"serve", NULL, "read commands from stdin, for accel-gate ab", take_serve, FIELD(mode), 0},
    {"count", "ID", "run N iterations of one bench, for callgrind; N follows", take_count, 0, 0},
    {"color", "WHEN", "auto, always or never", take_color, FIELD(is_coloured), 0},
    {"verbose", NULL, "more figures", arguments_flag, FIELD(is_verbose), 'v'},
    {"quiet", NULL, "ids and times only", arguments_flag, FIELD(is_quiet), 0},
    {"bench", NULL, NULL, arguments_flag, FIELD(is_cargo), 0}, /* what cargo gives to every bench */
    {0},
};

void options_print_help(FILE *to, const char *program)
{
  const argument_group groups[] = {{table, NULL}, {0}};
  fprintf(to,
          "usage: %s [OPTION...] [FILTER]\n\n"
          "Measures the benches whose id matches FILTER, a regular expression; all without one.\n"
          "Options with a value take it as the next argument or after \"=\".\n\n",
          program);
  arguments_help(to, groups);
  fputs("\nenvironment: ACCELERATOR_BENCH_REDIS_URL, ACCEL_BENCH_RUN_ID, CRITERION_HOME,\n"
        "CARGO_TARGET_DIR, NO_COLOR\n",
        to);
}

/* What is left are operands: a filter, or after --count its iterations. */
static bool take_operands(options *out, int count, char **operands)
{
  const bool is_count = out->mode == MODE_COUNT;
  if (is_count) {
    if (count == 1 && parse_integer(operands[0], 0, UINT64_MAX, &out->count_iterations))
      return true;
    fprintf(stderr, "error: --count takes an id and a number of iterations\n");
    return false;
  }
  if (count > 1) {
    fprintf(stderr, "error: one FILTER at most; \"%s\" is another\n", operands[1]);
    return false;
  }
  if (count == 1) out->filter = operands[0];
  return true;
}

/* Where cargo would put it. */
static const char *default_folder(const char *name, char path[static 4096])
{
  const char *const target = getenv("CARGO_TARGET_DIR");
  const bool is_set = target != NULL && target[0] != '\0';
  snprintf(path, 4096, "%s/%s", is_set ? target : "target", name);
  return path;
}

static const char *default_criterion_folder(void)
{
  static char path[4096];
  const char *const home = getenv("CRITERION_HOME");
  return home != NULL && home[0] != '\0' ? home : default_folder("criterion", path);
}

int options_parse(options *out, int count, char **arguments)
{
  static char summary_path[4096];
  char wrong[512];
  int operands;
  const argument_group groups[] = {{table, out}, {0}};
  *out = (options){
      .plan = {3, 5, 60, 1},
      .statistics = {10000, .95, 42},
      .noise_threshold = .01,
      .significance_level = .05,
      .save_as = "base",
      .criterion_path = default_criterion_folder(),
      .summary_path = default_folder("benchmarks", summary_path),
      .is_coloured = getenv("NO_COLOR") == NULL && isatty(STDOUT_FILENO) == 1,
  };
  switch (arguments_parse(groups, count, arguments, &operands, wrong)) {
    case ARGUMENTS_HELP: out->mode = MODE_HELP; return 0;
    case ARGUMENTS_WRONG: fprintf(stderr, "error: %s; see --help\n", wrong); return 2;
    default: return take_operands(out, operands, arguments + 1) ? 0 : 2;
  }
}

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: %s [OPTION...] [FILTER]\n"
    "\n"
    "Measures the benches whose id matches FILTER, a regular expression; all without one.\n"
    "Options with a value take it as the next argument or after \"=\".\n"
    "\n"
    "      --exact                  FILTER is a whole id\n"
    "      --list                   print the ids\n"
    "      --test                   run each bench once, without measuring\n"
    "      --sample-size N          samples of a bench, at least 10; 60\n"
    "      --warm-up-time S         seconds before them; 3\n"
    "      --measurement-time S     seconds for them; 5\n"
    "      --nresamples N           of the bootstrap; 10000\n"
    "      --noise-threshold X      changes below are noise; 0.01\n"
    "      --confidence-level X     of intervals, between 0 and 1; 0.95\n"
    "      --significance-level X   p below it is a change, between 0 and 1; 0.05\n"
    "      --quick                  10 samples in half a second, 1000 resamples\n"
    "      --profile-time S         repeat each bench for S seconds, for a profiler\n"
    "      --save-baseline NAME     compare with NAME, then replace it; base\n"
    "      --baseline NAME          compare with NAME, and keep it\n"
    "      --baseline-lenient NAME  the same where there is one\n"
    "      --discard-baseline       neither compare nor keep\n"
    "      --load-baseline NAME     analyse what NAME holds instead of measuring\n"
    "      --output-format WHAT     criterion (for people), bencher, json, google or go\n"
    "      --json FILE              also write JSON there\n"
    "      --criterion-dir FOLDER   where results go; $CRITERION_HOME,\n"
    "                               $CARGO_TARGET_DIR/criterion, or target/criterion\n"
    "      --summary-dir FOLDER     where suites of service levels leave their summaries;\n"
    "                               $CARGO_TARGET_DIR/benchmarks, or target/benchmarks\n"
    "      --seed N                 of the bootstrap; 42\n"
    "      --threads N              run the benches that allow it on N threads; 1\n"
    "      --pin CPU                stay on this CPU\n"
    "      --checklist              tell whether this host is quiet\n"
    "      --serve                  read commands from stdin, for accel-gate ab\n"
    "      --count ID N             run N iterations of one bench, for callgrind\n"
    "      --perf                   with --count: say how many instructions they took\n"
    "      --color WHEN             auto, always or never\n"
    "  -v, --verbose                more figures, and the checklist\n"
    "      --quiet                  ids and times only\n"
    "  -h, --help                   this text\n"
    "\n"
    "environment: ACCELERATOR_BENCH_REDIS_URL, ACCEL_BENCH_RUN_ID, CRITERION_HOME,\n"
    "CARGO_TARGET_DIR, NO_COLOR\n";

void options_print_help(FILE *to, const char *program)
{
  fprintf(to, help, program);
}

enum {
  SAMPLE_SIZE = 256,
  WARM_UP_TIME,
  MEASUREMENT_TIME,
  NRESAMPLES,
  NOISE_THRESHOLD,
  CONFIDENCE_LEVEL,
  SIGNIFICANCE_LEVEL,
  PROFILE_TIME,
  SAVE_BASELINE,
  BASELINE,
  BASELINE_LENIENT,
  DISCARD_BASELINE,
  LOAD_BASELINE,
  OUTPUT_FORMAT,
  JSON_FILE,
  CRITERION_DIR,
  SUMMARY_DIR,
  SEED,
  THREADS,
  PIN,
  COUNT,
  COLOR,
  EXACT,
  LIST,
  TEST,
  QUICK,
  CHECKLIST,
  SERVE,
  PERF,
  QUIET,
  CARGO_BENCH, /* what cargo gives to every bench; means nothing */
};

static const struct option long_options[] = {
    {"exact", no_argument, NULL, EXACT},
    {"list", no_argument, NULL, LIST},
    {"test", no_argument, NULL, TEST},
    {"sample-size", required_argument, NULL, SAMPLE_SIZE},
    {"warm-up-time", required_argument, NULL, WARM_UP_TIME},
    {"measurement-time", required_argument, NULL, MEASUREMENT_TIME},
    {"nresamples", required_argument, NULL, NRESAMPLES},
    {"noise-threshold", required_argument, NULL, NOISE_THRESHOLD},
    {"confidence-level", required_argument, NULL, CONFIDENCE_LEVEL},
    {"significance-level", required_argument, NULL, SIGNIFICANCE_LEVEL},
    {"quick", no_argument, NULL, QUICK},
    {"profile-time", required_argument, NULL, PROFILE_TIME},
    {"save-baseline", required_argument, NULL, SAVE_BASELINE},
    {"baseline", required_argument, NULL, BASELINE},
    {"baseline-lenient", required_argument, NULL, BASELINE_LENIENT},
    {"discard-baseline", no_argument, NULL, DISCARD_BASELINE},
    {"load-baseline", required_argument, NULL, LOAD_BASELINE},
    {"output-format", required_argument, NULL, OUTPUT_FORMAT},
    {"json", required_argument, NULL, JSON_FILE},
    {"criterion-dir", required_argument, NULL, CRITERION_DIR},
    {"summary-dir", required_argument, NULL, SUMMARY_DIR},
    {"seed", required_argument, NULL, SEED},
    {"threads", required_argument, NULL, THREADS},
    {"pin", required_argument, NULL, PIN},
    {"checklist", no_argument, NULL, CHECKLIST},
    {"serve", no_argument, NULL, SERVE},
    {"count", required_argument, NULL, COUNT},
    {"perf", no_argument, NULL, PERF},
    {"color", required_argument, NULL, COLOR},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, 'h'},
    {"bench", no_argument, NULL, CARGO_BENCH},
    {NULL, 0, NULL, 0},
};

/* ---- values ---- */

static bool complain(const char *option, const char *value, const char *wanted)
{
  fprintf(stderr, "error: --%s takes %s, not \"%s\"\n", option, wanted, value);
  return false;
}

/* Decimal notation only: strtod also reads blanks, "inf" and hexadecimal numbers. */
static bool parse_number(const char *text, double *out)
{
  char *end;
  if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0') return false;
  errno = 0;
  *out = strtod(text, &end);
  return *end == '\0' && errno == 0 && isfinite(*out);
}

static bool parse_integer(const char *text, uint64_t *out)
{
  char *end;
  if (!isdigit((unsigned char)text[0])) return false;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return *end == '\0' && errno == 0;
}

static bool take_seconds(const char *option, const char *value, double *out)
{
  if (parse_number(value, out) && *out > 0 && *out <= 86400) return true;
  return complain(option, value, "seconds, more than 0 and at most a day");
}

static bool take_level(const char *option, const char *value, double *out)
{
  if (parse_number(value, out) && *out > 0 && *out < 1) return true;
  return complain(option, value, "a number between 0 and 1");
}

static bool take_noise(const char *option, const char *value, double *out)
{
  if (parse_number(value, out) && *out >= 0) return true;
  return complain(option, value, "a number of at least 0");
}

static bool take_integer(const char *option, const char *value, uint64_t least, uint64_t most,
                         uint64_t *out)
{
  char wanted[96];
  if (parse_integer(value, out) && *out >= least && *out <= most) return true;
  snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu", (unsigned long long)least,
           (unsigned long long)most);
  return complain(option, value, wanted);
}

/* A baseline's name is a folder's: it leads nowhere else, and replaces nothing but baselines. */
static bool take_name(const char *option, const char *value, const char **out)
{
  *out = value;
  const bool is_reserved = strcmp(value, "new") == 0 || strcmp(value, "change") == 0 ||
                           strcmp(value, "report") == 0 || value[0] == '.';
  if (value[0] != '\0' && strlen(value) <= 64 && strpbrk(value, "/\\") == NULL && !is_reserved)
    return true;
  return complain(option, value, "a folder's name of up to 64 bytes other than new");
}

static bool take_path(const char *option, const char *value, const char *wanted, const char **out)
{
  *out = value;
  return value[0] != '\0' || complain(option, value, wanted);
}

static bool take_format(const char *option, const char *value, options_format *out)
{
  static const char *const names[] = {"criterion", "bencher", "json", "google", "go"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    *out = (options_format)i;
    return true;
  }
  return complain(option, value, "criterion, bencher, json, google or go");
}

static bool take_color(const char *option, const char *value, bool *out)
{
  if (strcmp(value, "auto") == 0) return true;
  *out = strcmp(value, "always") == 0;
  return *out || strcmp(value, "never") == 0 || complain(option, value, "auto, always or never");
}

/* ---- options ---- */

static bool take_whole(options *out, int option, const char *name, const char *value)
{
  uint64_t number = 0;
  switch (option) {
    case SAMPLE_SIZE:
      if (!take_integer(name, value, 10, 100000, &number)) return false;
      out->plan.sample_size = (size_t)number;
      return true;
    case NRESAMPLES:
      if (!take_integer(name, value, 1, 10000000, &number)) return false;
      out->statistics.resamples = (size_t)number;
      return true;
    case SEED: return take_integer(name, value, 0, UINT64_MAX, &out->statistics.seed);
    case THREADS:
      if (!take_integer(name, value, 1, 256, &number)) return false;
      out->plan.threads = (unsigned)number;
      return true;
    default:
      if (!take_integer(name, value, 0, 1023, &number)) return false;
      out->pin_cpu = (int)number;
      return true;
  }
}

static bool take_baseline(options *out, int option, const char *name, const char *value)
{
  if (option == LOAD_BASELINE) return take_name(name, value, &out->load);
  if (option == SAVE_BASELINE) return take_name(name, value, &out->save_as);
  out->is_baseline_optional = option == BASELINE_LENIENT;
  out->save_as = NULL; /* compared with only: no baseline changes */
  return take_name(name, value, &out->baseline);
}

static bool take_valued(options *out, int option, const char *name, const char *value)
{
  switch (option) {
    case WARM_UP_TIME: return take_seconds(name, value, &out->plan.warm_up_s);
    case MEASUREMENT_TIME: return take_seconds(name, value, &out->plan.measurement_s);
    case PROFILE_TIME: out->mode = MODE_PROFILE; return take_seconds(name, value, &out->profile_s);
    case NOISE_THRESHOLD: return take_noise(name, value, &out->noise_threshold);
    case CONFIDENCE_LEVEL: return take_level(name, value, &out->statistics.confidence_level);
    case SIGNIFICANCE_LEVEL: return take_level(name, value, &out->significance_level);
    case SAVE_BASELINE:
    case BASELINE:
    case BASELINE_LENIENT:
    case LOAD_BASELINE: return take_baseline(out, option, name, value);
    case OUTPUT_FORMAT: return take_format(name, value, &out->format);
    case COLOR: return take_color(name, value, &out->is_coloured);
    case JSON_FILE: return take_path(name, value, "a file", &out->json_path);
    case CRITERION_DIR: return take_path(name, value, "a folder", &out->criterion_path);
    case SUMMARY_DIR: return take_path(name, value, "a folder", &out->summary_path);
    case COUNT:
      out->mode = MODE_COUNT;
      out->filter = value;
      out->is_exact = true;
      return true;
    default: return take_whole(out, option, name, value);
  }
}

static void take_flag(options *out, int option)
{
  switch (option) {
    case EXACT: out->is_exact = true; break;
    case LIST: out->mode = MODE_LIST; break;
    case TEST: out->mode = MODE_TEST; break;
    case CHECKLIST: out->mode = MODE_CHECKLIST; break;
    case SERVE: out->mode = MODE_SERVE; break;
    case PERF: out->has_counter = true; break;
    case DISCARD_BASELINE: out->save_as = NULL; break;
    case QUIET: out->is_quiet = true; break;
    case 'v': out->is_verbose = true; break;
    case 'h': out->mode = MODE_HELP; break;
    case QUICK:
      out->is_quick = true;
      out->plan = (measure_plan){.1, .5, 10, out->plan.threads};
      out->statistics.resamples = 1000;
      break;
    default: break;
  }
}

/* What is left are operands: a filter, or after --count its iterations. */
static bool take_operands(options *out, int count, char **operands)
{
  if (out->mode == MODE_COUNT) {
    if (count != 1) {
      fprintf(stderr, "error: --count takes an id and a number of iterations\n");
      return false;
    }
    return take_integer("count", operands[0], 0, UINT64_MAX, &out->count_iterations);
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
  *out = (options){
      .plan = {3, 5, 60, 1},
      .statistics = {10000, .95, 42},
      .noise_threshold = .01,
      .significance_level = .05,
      .save_as = "base",
      .criterion_path = default_criterion_folder(),
      .summary_path = default_folder("benchmarks", summary_path),
      .pin_cpu = -1,
      .is_coloured = getenv("NO_COLOR") == NULL && isatty(STDOUT_FILENO) == 1,
  };
  int option, index = 0;
  optind = 0; /* glibc: from the start, also when called a second time */
  while ((option = getopt_long(count, arguments, ":vh", long_options, &index)) != -1) {
    if (option == ':' || option == '?') {
      const char *const what = arguments[optind - 1];
      const char *const wrong = option == ':' ? "needs a value" : "is no option, or takes no value";
      fprintf(stderr, "error: %s %s; see --help\n", what, wrong);
      return 2;
    }
    if (option < 256 || long_options[index].has_arg == no_argument)
      take_flag(out, option);
    else if (!take_valued(out, option, long_options[index].name, optarg))
      return 2;
    if (out->mode == MODE_HELP) return 0;
  }
  return take_operands(out, count - optind, arguments + optind) ? 0 : 2;
}

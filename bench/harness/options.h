/* options.h: what the arguments of a bench program say, checked. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "measure.h"
#include "stats.h"

#include <stdio.h>

typedef enum options_format {
  FORMAT_CRITERION, /* for people */
  FORMAT_BENCHER,
} options_format;

typedef enum options_mode {
  MODE_MEASURE,
  MODE_LIST,
  MODE_TEST,    /* each case once, to see that it works */
  MODE_PROFILE, /* repeat without analysis, under a profiler */
  MODE_SERVE,   /* commands from stdin */
  MODE_COUNT,   /* a fixed number of iterations of one case */
  MODE_HELP,
} options_mode;

typedef struct options {
  options_mode mode;
  const char *filter; /* an extended regular expression, or with is_exact a full id; or NULL */
  bool is_exact, is_quiet, is_verbose, is_quick, is_coloured;
  measure_plan plan;
  stats_plan statistics;
  double noise_threshold, significance_level;
  double profile_s;
  const char *save_as;  /* the baseline to compare with and to replace; NULL: replace none */
  const char *baseline; /* the baseline to compare with only, or NULL */
  const char *load;     /* the baseline to analyse instead of measuring, or NULL */
  options_format format;
  const char *json_path;      /* also write the own JSON there, or NULL */
  const char *criterion_path; /* the folder of results */
  const char *summary_path;   /* the folder of summaries */
  uint64_t count_iterations;
  bool is_cargo; /* --bench, which means nothing */
} options;

/* Returns 0, or 2 after writing what is wrong and how to ask for help to stderr. */
int options_parse(options *out, int count, char **arguments);
void options_print_help(FILE *to, const char *program);

#endif

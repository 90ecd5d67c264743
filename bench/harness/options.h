/* options.h: what the arguments of a bench program say, checked. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "measure.h"
#include "stats.h"

typedef enum options_format { FORMAT_CRITERION, FORMAT_BENCHER } options_format;

typedef struct options {
  const char *filter; /* an extended regular expression, or with is_exact a full id; or NULL */
  bool is_exact, is_quiet, is_verbose;
  /* Instead of measuring; the first that is set acts. */
  bool is_list, is_test; /* test: each case once, to see that it works */
  double profile_s;      /* repeat for so long without analysis, under a profiler; 0: measure */
  bool is_served;        /* commands from stdin */
  measure_plan plan;
  stats_plan statistics;
  double noise_threshold, significance_level;
  const char *save_as;        /* the baseline to compare with and to replace; NULL: replace none */
  const char *baseline;       /* the baseline to compare with only, or NULL */
  const char *load;           /* the baseline to analyse instead of measuring, or NULL */
  int format;                 /* an options_format */
  const char *criterion_path; /* the folder of results */
  const char *summary_path;   /* the folder of summaries */
  bool is_cargo;              /* --bench, which means nothing */
} options;

/* -1, or the status that the program ends with: 0 after the help that was asked for is printed, 2
 * if something is wrong, which stderr explains. */
int options_parse(options *out, const char *program, int count, char **arguments);

#endif

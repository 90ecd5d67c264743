/* result.h: what is known about a case after it was measured, and about the run as a whole. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "host.h"
#include "identity.h"
#include "json.h"
#include "measure.h"
#include "options.h"
#include "stats.h"

typedef enum result_state {
  RESULT_LEFT_OUT,
  RESULT_OK,
  RESULT_SKIPPED,
  RESULT_FAILED
} result_state;

typedef struct result {
  const bench_case *bench;
  const identity *id;
  result_state state; /* LEFT_OUT: the filter did not name it */
  const char *reason; /* of SKIPPED and FAILED */
  measure_samples samples;
  const double *each; /* time per iteration of each sample, in their order */
  stats_summary summary;
  stats_percentiles percentiles; /* of times per iteration */
  bool is_of_operations;         /* the percentiles, rather than of samples */
  measure_memory memory;
  bool is_counted; /* memory is known */
  bool has_change;
  stats_estimate mean_change, median_change; /* against the baseline: ratios minus one */
  double p_value;
} result;

typedef struct results {
  const bench_suite *suite;
  const bench_build *build;
  const options *settings;
  result *list; /* one for each case of the suite */
  const char *run_id, *started;
} results;

double *result_each(const measure_samples *samples);
/* Writes the value as text, and takes it. Complains on stderr. */
bool result_write(const char *path, json_t *value, bool is_pretty);
/* "gcc 12.2.0" and so on. */
json_t *result_build(const results *all);
/* NULL if the case has none. */
json_t *result_targets(const bench_case *bench);

/* criterion.c: the tree of one result, and its baselines. */
bool criterion_save(const results *all, const result *one);
/* Reads the samples of a baseline. Says on stderr what is wrong with a file that is there. */
bool criterion_load(const results *all, const identity *id, const char *name, measure_samples *out);

/* record.c: the own JSON of the whole run; and the file of one bench of a suite that has_summaries,
 * for a table of service levels. */
bool record_save(const results *all);
bool summary_save(const results *all, const result *one);

/* text.c: on stdout. */
void text_print_result(const results *all, const result *one);
void bencher_print_result(const result *one);

/* serve.c: returns the program's exit status. */
int serve(results *all);

#endif

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
  stats_summary summary;
  measure_latency latency;
  measure_memory memory;
  bool has_change;
  stats_change change; /* against the baseline */
} result;

typedef struct results {
  const bench_suite *suite;
  const bench_build *build;
  const options *settings;
  const identity *ids; /* one for each case of the suite, as is list */
  result *list;
  char run_id[128], started[32];
} results;

/* The percentiles of times per iteration; of samples, or of single operations. */
typedef struct result_percentiles {
  bool is_of_operations;
  double p05, p50, p95, p99;
} result_percentiles;

/* `each` has room for the number of samples; it gets the times per iteration in their order. */
void result_each(const measure_samples *samples, double *each);
/* False: no memory. */
bool result_percentiles_of(const result *of, result_percentiles *out);

/* Writes `text` (freed here; NULL: it could not be made) to a file beside `path` and renames it, so
 * that what was there survives a failure. Makes missing folders. Complains on stderr. */
bool result_write(const char *path, char *text);
/* "gcc 12.2.0" and so on. */
json_t *result_build(const results *all);
/* NULL if the case has none. */
json_t *result_targets(const bench_case *bench);

/* criterion.c: the tree of one result, and its baselines. */
bool criterion_save(const results *all, const result *one);
/* Reads the samples of a baseline; the arrays are the caller's to free. Says on stderr what is
 * wrong with a file that is there. */
bool criterion_load(const results *all, const identity *id, const char *name, measure_samples *out);
bool criterion_mark_skipped(const results *all, const result *one);

/* record.c: the own JSON of the whole run, to be freed; NULL: no memory. */
char *record_write(const results *all);
bool record_save(const results *all);

/* summary.c: the file of one bench of a suite that has_summaries. */
bool summary_save(const results *all, const result *one);

/* text.c: on stdout. */
void text_print_result(const results *all, const result *one);
void bencher_print_result(const result *one);

/* serve.c: returns the program's exit status. */
int serve(results *all);

#endif

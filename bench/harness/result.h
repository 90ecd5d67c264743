/* result.h: a run of a bench program: what its arguments say, how its cases are called, and what is
 * known of them after they were measured. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "arena.h"
#include "host.h"
#include "json.h"
#include "measure.h"

/* ---- options.c: the arguments, checked ---- */

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

/* ---- identity.c: the names of a case ---- */

typedef struct identity {
  const char *full;      /* single_key/hit/manual */
  const char *directory; /* single_key/hit_manual */
  const char *title;     /* full, cut to 100 bytes and "..." */
} identity;

/* One for each case. Equal folders get "_2", "_3", … in their order. */
identity *identity_fill(const bench_suite *suite);

/* One component of a folder's name: ? " / \ * < > : | ^ become "_", and what is more than 64 bytes
 * is cut at a character's boundary. */
char *identity_sanitise(const char *component);

/* Hash of what defines the case: names, sizes and its definition, but not the library. */
const char *identity_hash(const bench_case *bench, const identity *id);

/* ---- results ---- */

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

/* The data model: what a benchmark run says, whatever file it came from.
 *
 *   set      one run or baseline: where and when it was made, and its benches, sorted by id
 *   bench    one benchmark: its id is criterion's directory id ("single_key/hit_manual")
 *   metric   one thing measured of it: "time", "throughput", "allocs", "peak_bytes", ...
 *   figure   one number of a metric: its mean, its median, its 95th percentile, ...
 *
 * Invariants that the readers establish: ids are unique, not empty, UTF-8 without control
 * letters; figures are finite, or NAN for "not given"; times and throughputs are above 0 (allocs
 * and bytes may be 0); units are canonical. Judges and writers may rely on them, and on nothing
 * else. */
#ifndef ACCEL_GATE_RECORD_H
#define ACCEL_GATE_RECORD_H

#include "base.h"

#include <jansson.h>

typedef enum gate_better { GATE_LOWER, GATE_HIGHER } gate_better;

typedef enum gate_figure {
  GATE_MEAN,
  GATE_MEDIAN,
  GATE_P05,
  GATE_P50,
  GATE_P95,
  GATE_P99,
  GATE_LOW,   /* the ends of the 95 % interval that came with the file */
  GATE_HIGH,  /* */
  GATE_VALUE, /* of a metric that is one number, such as an exact count */
  GATE_DEVIATION,
  GATE_FIGURES
} gate_figure;

typedef struct gate_metric {
  const char *name;
  const char *unit; /* ns, B, B/s, elem/s, 1/op, or a unit that we do not know */
  gate_better better;
  bool is_exact;                  /* a count without noise: every change is real */
  bool has_operation_percentiles; /* p95 of operations, not of means over batches */
  double figures[GATE_FIGURES];   /* NAN where not given */
  double sample_count;            /* n; 0 if not given */
  gate_numbers rounds;            /* one number per process or run, in the order of time */
  gate_numbers mean_rounds;       /* their means and tails, where `rounds` are medians */
  gate_numbers p95_rounds;
  gate_numbers samples; /* of one process: value per iteration */
} gate_metric;

typedef struct gate_bench {
  const char *id;
  const char *full_id;         /* the id as displayed; the id itself if not given */
  const char *definition_hash; /* or NULL; differs when the bench measures another thing */
  double target, acceptable;   /* absolute bounds for the time, or NAN */
  gate_metric *metrics;
  size_t metric_count;
  size_t metric_capacity;
} gate_bench;

typedef struct gate_pair {
  const char *key;
  const char *value;
} gate_pair;

/* What is not a measurement: machine, build, or ids that were skipped with their reasons. */
typedef struct gate_pairs {
  gate_pair *items;
  size_t count;
  size_t capacity;
} gate_pairs;

typedef enum gate_form {
  GATE_FORM_UNKNOWN,
  GATE_FORM_CRITERION, /* a folder */
  GATE_FORM_COMPAT,    /* {"version":1,"benchmarks":{...}} */
  GATE_FORM_OWN,       /* the same with "schema":2 */
  GATE_FORM_RECORD,    /* one bench: {"bench_id":...} */
  GATE_FORM_GO,
  GATE_FORM_GOOGLE,
  GATE_FORM_HYPERFINE,
  GATE_FORM_LIBTEST,
  GATE_FORMS
} gate_form;

/* As displayed, for example in error texts. */
extern const char *const gate_form_names[GATE_FORMS];

typedef struct gate_set {
  const char *path;
  gate_form form;
  const char *run_id;  /* NULL if not given, and so the others */
  const char *started; /* ISO 8601 */
  const char *commit;
  const char *tag;    /* of a release */
  const char *reason; /* why the baseline was written */
  gate_pairs machine;
  gate_pairs build;
  gate_pairs skipped; /* id or group -> reason */
  gate_pairs failed;  /* id -> reason */
  gate_pairs stale;   /* id -> why it is not of the newest run */
  gate_bench *benches;
  size_t count;
  size_t capacity;
} gate_set;

/* An empty set. */
gate_set *gate_set_new(const char *path, gate_form form);

/* A new bench at the end. The caller sorts when all are there. */
gate_bench *gate_set_add(gate_set *set, const char *id);
/* The one of this id that was added last, or a new one. */
gate_bench *gate_set_get(gate_set *set, const char *id);
void gate_set_sort(gate_set *set);
/* NULL if there is none. `set` is sorted. */
const gate_bench *gate_set_find(const gate_set *set, const char *id);
/* The same in either spelling of ids. */
const gate_bench *gate_set_find_spelled(const gate_set *set, const char *id);

/* A metric of which nothing is known yet but its name, unit and direction. */
gate_metric *gate_bench_add(gate_bench *bench, const char *name, const char *unit);
/* The metric of this name, or a new one. */
gate_metric *gate_bench_get(gate_bench *bench, const char *name, const char *unit);
/* Adds one round of a metric; NAN is none. */
void gate_add_round(gate_bench *bench, const char *name, const char *unit, double value);
/* Fills mean, median, percentiles and count from `values` where they are not given. */
void gate_metric_summarise(gate_metric *metric, const gate_numbers *values);
/* NULL if there is none. */
const gate_metric *gate_bench_find(const gate_bench *bench, const char *name);
/* The same of a bench of `set`, either of which may be missing. */
const gate_metric *gate_set_metric(const gate_set *set, const char *id, const char *name);

/* The number that stands for a metric when one is asked for: median, else value, mean, p50, p95. */
double gate_metric_main(const gate_metric *metric);
bool gate_has(const gate_metric *metric, gate_figure figure);

/* Sets a value, replacing the one with this key. */
void gate_pairs_set(gate_pairs *pairs, const char *key, const char *value);
/* All members of an object that are texts, numbers or truths, as texts. */
void gate_pairs_read(gate_pairs *pairs, json_t *object);
/* All of `more`, as above. */
void gate_pairs_add(gate_pairs *pairs, const gate_pairs *more);
/* NULL if there is none. */
const char *gate_pairs_get(const gate_pairs *pairs, const char *key);

/* The canonical unit of `unit` (ns for ms) and the factor that takes values there. Units that are
 * not known stay as they are, with 1. */
const char *gate_unit_canonical(const char *unit, double *factor_out);
/* What stands behind a number of about this size, such as " us", and what it is divided by. */
const char *gate_unit_shown(double value, const char *canonical, double *factor_out);
/* "12.3 ns", "4.56 us", "512 KiB": scaled for people. */
const char *gate_quantity(double value, const char *canonical);
/* The direction that a unit has by nature: rates are better high, all else low. */
gate_better gate_unit_better(const char *canonical);

/* Why `id` is none, or NULL. */
const char *gate_id_fault(const char *id);
/* The id of `id` as criterion's folders spell it is compared, so that "single_key/hit/manual" and
 * "single_key/hit_manual" are the same. */
bool gate_ids_equal(const char *a, const char *b);

/* The names of figures as files spell them: mean, median, p05, ... */
extern const char *const gate_figure_names[GATE_FIGURES];

/* ---- which machine this is, as far as it matters to speed ---- */

/* Results that do not say where and when they were made are of here and now: cpu, cores,
 * flags_hash, kernel and memory_kb; not the current frequency or a host name, which change without
 * the machine changing. The time is $SOURCE_DATE_EPOCH if that is set, so that outputs can be made
 * again byte for byte. */
void gate_set_place(gate_set *set);

/* Whether measurements of the two may be compared: cpu, cores and flags_hash of machines; compiler,
 * flags and type of builds, without which counts may not either. What only one of them tells does
 * not count. NULL if so, else what differs: "cpu: A, now B". */
const char *gate_machine_difference(const gate_set *base, const gate_set *now);
const char *gate_build_difference(const gate_set *base, const gate_set *now);

#endif

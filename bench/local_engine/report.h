/* report.h: figures of rounds, as tables on stdout and as lines of a CSV file. */
#ifndef BENCH_LOCAL_ENGINE_REPORT_H
#define BENCH_LOCAL_ENGINE_REPORT_H

#include "options.h"
#include "world.h"

/* One figure per round. */
typedef struct bench_series {
  double values[BENCH_ROUNDS_MAX];
  size_t count;
} bench_series;

double bench_median(const bench_series *series);
double bench_least(const bench_series *series);
double bench_most(const bench_series *series);
/* Round by round. */
bench_series bench_ratio(const bench_series *above, const bench_series *below);

/* False: the file cannot be written; says so. */
bool bench_report_open(const bench_options *options);
/* False: the file could not be written whole; says so. */
bool bench_report_close(void);

/* One line of the CSV file. */
void bench_report_csv(const bench_world *world, const char *table, size_t subject, const char *what,
                      const char *unit, const bench_series *series);

/* One operation of one thread: `taken` and `found` per subject; count 0: has no such thing. */
void bench_report_times(const bench_world *world, const char *title, const bench_series *taken,
                        const bench_series *found);
/* What several threads did in a second: [subject][number of threads]. */
void bench_report_threads(const bench_world *world, const char *title,
                          bench_series (*rates)[BENCH_LIST_MAX]);
void bench_report_memory(const bench_world *world);

/* What is being measured, on a terminal only. "" clears the line. */
void bench_progress(const bench_world *world, const char *what, size_t round);

#endif

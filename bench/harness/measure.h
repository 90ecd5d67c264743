/* measure.h: runs a case: warm-up, samples, single operations, allocations.
 *
 * A failing case stops the measurement: functions return why, or NULL. Threads: main only.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "../harness.h"
#include "stats.h"

/* Operations that take longer are timed one by one too. */
#define MEASURE_SLOW_NS 1000.0
/* So many operations tell what each allocates. */
#define MEASURE_COUNTED 256

typedef struct measure_plan {
  double warm_up_s, measurement_s; /* > 0 */
  size_t sample_size;              /* > 0 */
} measure_plan;

typedef struct measure_samples {
  size_t count;
  double *iterations, *times; /* times: ns of the whole sample */
} measure_samples;

typedef struct measure_memory {
  double allocations, bytes; /* per iteration */
  uint64_t peak_bytes;       /* at once, from open to close */
} measure_memory;

/* What one look at the clock costs, ns. */
double measure_timer_ns(void);

/* One sample of `iterations`. */
const char *measure_sample(const bench_case *bench, uint64_t iterations, double *elapsed_ns_out);
/* Runs for `seconds` at least, ever more iterations; reports the last sample, the longest. */
const char *measure_warm_up(const bench_case *bench, double seconds, uint64_t *iterations_out,
                            double *elapsed_ns_out);
/* So many samples of so many iterations, which measure_repeat takes. */
measure_samples measure_samples_of(size_t count, double iterations);
const char *measure_repeat(const bench_case *bench, measure_samples *samples);
/* Up to `count` single operations, each timed by itself, for as long as `seconds`; in ns. */
const char *measure_operations(const bench_case *bench, double seconds, size_t count,
                               stats_percentiles *out);
/* Opens, runs and closes the case once more, and counts. Not while it is open. */
const char *measure_allocating(const bench_case *bench, uint64_t iterations, measure_memory *out);

/* The hooks' counters (memory.c). */
void measure_count_memory(bool on);
void measure_allocated(uint64_t *calls_out, uint64_t *bytes_out);
uint64_t measure_peak_bytes(void);

#endif

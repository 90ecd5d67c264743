#include "measure.h"

#include "arena.h"

#include <time.h>

#define NS_PER_S 1e9

static uint64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double measure_timer_ns(void)
{
  const uint64_t start_ns = now_ns();
  for (int i = 0; i < 1000; i++) bench_keep(now_ns());
  return (double)(now_ns() - start_ns) / 1001;
}

/* The counters are read outside the timed part, and stand still unless measure_allocating. */
void bench_start(bench_loop *loop)
{
  measure_allocated(&loop->started_allocations, &loop->started_bytes);
  loop->started_ns = now_ns();
}

void bench_stop(bench_loop *loop)
{
  loop->elapsed_ns += now_ns() - loop->started_ns;
  uint64_t calls, bytes;
  measure_allocated(&calls, &bytes);
  loop->allocations += calls - loop->started_allocations;
  loop->allocated_bytes += bytes - loop->started_bytes;
}

/* ---- one sample ---- */

const char *measure_sample(const bench_case *bench, uint64_t iterations, double *elapsed_ns_out)
{
  bench_loop loop = {.iterations = iterations};
  bench->run(&loop, bench->ctx);
  *elapsed_ns_out = (double)loop.elapsed_ns;
  return loop.failure;
}

/* ---- warm-up and samples ---- */

/* The time that counts is the whole one: a case may spend more on preparing than on its loop. */
const char *measure_warm_up(const bench_case *bench, double seconds, uint64_t *iterations_out,
                            double *elapsed_ns_out)
{
  const uint64_t start_ns = now_ns();
  for (uint64_t iterations = 1;; iterations *= 2) {
    const char *const failure = measure_sample(bench, iterations, elapsed_ns_out);
    if (failure != NULL) return failure;
    *iterations_out = iterations;
    const double passed_s = (double)(now_ns() - start_ns) / NS_PER_S;
    const bool is_measurable = *elapsed_ns_out >= 1000 * measure_timer_ns();
    if (passed_s >= seconds && is_measurable) return NULL;
    if (iterations > UINT64_MAX / 4) return "the operation takes no time that a clock could see";
  }
}

measure_samples measure_samples_of(size_t count, double iterations)
{
  measure_samples samples = {.count = count};
  samples.iterations = (double *)arena_take(count, sizeof(double));
  samples.times = (double *)arena_take(count, sizeof(double));
  for (size_t i = 0; i < count; i++) samples.iterations[i] = iterations;
  return samples;
}

const char *measure_repeat(const bench_case *bench, measure_samples *samples)
{
  for (size_t i = 0; i < samples->count; i++) {
    const uint64_t iterations = (uint64_t)samples->iterations[i];
    const char *const failure = measure_sample(bench, iterations, &samples->times[i]);
    if (failure != NULL) return failure;
    if (samples->times[i] <= 0) return "a sample took no time that the clock could see";
  }
  return NULL;
}

/* ---- single operations and memory ---- */

const char *measure_operations(const bench_case *bench, double seconds, size_t count,
                               stats_percentiles *out)
{
  double *const times = (double *)arena_take(count, sizeof *times);
  const char *failure = NULL;
  size_t taken = 0;
  const uint64_t start_ns = now_ns();
  while (taken < count && failure == NULL) {
    failure = measure_sample(bench, 1, &times[taken]);
    if (failure == NULL) taken++;
    if ((double)(now_ns() - start_ns) >= seconds * NS_PER_S) break;
  }
  *out = stats_percentiles_of(times, taken);
  return failure;
}

static const char *count_allocations(const bench_case *bench, uint64_t iterations,
                                     measure_memory *out)
{
  double elapsed_ns;
  /* What is allocated once, by the first operation, is not part of each. */
  const char *const failure = measure_sample(bench, 1, &elapsed_ns);
  if (failure != NULL) return failure;
  bench_loop loop = {.iterations = iterations};
  bench->run(&loop, bench->ctx);
  out->allocations = (double)loop.allocations / (double)iterations;
  out->bytes = (double)loop.allocated_bytes / (double)iterations;
  return loop.failure;
}

const char *measure_allocating(const bench_case *bench, uint64_t iterations, measure_memory *out)
{
  measure_count_memory(true);
  const char *failure = bench->open != NULL ? bench->open(bench->ctx) : NULL;
  if (failure == NULL) {
    failure = count_allocations(bench, iterations, out);
    if (bench->close != NULL) bench->close(bench->ctx);
  }
  out->peak_bytes = measure_peak_bytes();
  measure_count_memory(false);
  return failure;
}

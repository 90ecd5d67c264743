/* Several threads on one subject: all start together and work until time is up.
 *
 * On a busy machine some of them are taken from their processors now and then, and what the others
 * do alone meanwhile says nothing about threads that run together. So each thread counts its work
 * per quarter of a millisecond, and only those count in which, and beside which, every thread has
 * got something done. */
#define _GNU_SOURCE
#include "world.h"

#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_BLOCK 256u
#define THREADS_BIN_NS 250000u
#define THREADS_SPAN_MOST 64u  /* bins */
#define THREADS_SPANS_LEAST 4u /* fewer say nothing */

typedef struct gate {
  size_t ready; /* atomic: threads that wait for is_open */
  bool is_open, stops;
  uint64_t start_ns;
  size_t bins; /* for how long work is counted */
} gate;

typedef struct worker {
  const bench_subject *subject;
  void *state;
  bench_draws keys;
  size_t at, period, number;
  uint32_t *blocks; /* per bin: how many ended in it */
  bool pins;
  gate *all;
  pthread_t thread;
} worker;

/* Asked before the first thread was pinned: those that it starts inherit its processor. */
static cpu_set_t allowed;

bool bench_pin(size_t number)
{
  cpu_set_t one;
  if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  size_t left = number % (size_t)CPU_COUNT(&allowed);
  for (size_t i = 0; i < CPU_SETSIZE; i++) {
    if (!CPU_ISSET(i, &allowed) || left-- > 0) continue;
    CPU_ZERO(&one);
    CPU_SET(i, &one);
    return pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0;
  }
  return false;
}

static void *work(void *ctx)
{
  worker *self = (worker *)ctx;
  const bench_subject *subject = self->subject;
  if (self->pins) bench_pin(self->number);
  accel_add_acq_rel(&self->all->ready, 1u);
  while (!accel_load_acquire(&self->all->is_open)) sched_yield();
  while (!accel_load_relaxed(&self->all->stops)) {
    const uint64_t *keys = self->keys.keys + self->at;
    if (self->period == 0)
      subject->get(self->state, keys, THREADS_BLOCK);
    else
      subject->mixed(self->state, keys, THREADS_BLOCK, self->period);
    const uint64_t bin = (accel_clock_monotonic_ns() - self->all->start_ns) / THREADS_BIN_NS;
    if (bin < self->all->bins) self->blocks[bin]++;
    self->at += THREADS_BLOCK;
    if (self->at + THREADS_BLOCK > self->keys.count) self->at = 0;
  }
  return NULL;
}

static void sleep_ms(size_t ms)
{
  const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  nanosleep(&pause, NULL);
}

/* Returns how many could be started. */
static size_t start(worker *workers, const bench_world *world, size_t subject, size_t threads,
                    gate *all)
{
  for (size_t i = 0; i < threads; i++) {
    const size_t at = world->zipf.count / threads * i / THREADS_BLOCK * THREADS_BLOCK;
    workers[i].subject = world->subjects[subject];
    workers[i].state = world->states[subject];
    workers[i].keys = world->zipf;
    workers[i].at = at + THREADS_BLOCK > world->zipf.count ? 0 : at;
    workers[i].number = i;
    workers[i].pins = !world->options->no_pin;
    workers[i].all = all;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return i;
  }
  return threads;
}

static int compare_counts(const void *a, const void *b)
{
  const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

/* Work that ended in `span` bins from `bin` on. 0: a thread got nothing done. */
static uint64_t blocks_together(const worker *workers, size_t threads, size_t bin, size_t span)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < threads; i++) {
    uint64_t own = 0;
    for (size_t at = bin; at < bin + span; at++) own += workers[i].blocks[at];
    if (own == 0) return 0;
    sum += own;
  }
  return sum;
}

/* Blocks per bin, of spans in which and beside which all threads ran: the mean of the middle half.
 * 0: there are too few. `sums` has a place for each bin. */
static double middle_half(const worker *workers, size_t threads, size_t bins, size_t span,
                          uint64_t *sums)
{
  size_t count = 0;
  for (size_t bin = span; bin + 2 * span <= bins; bin += span) {
    const uint64_t here = blocks_together(workers, threads, bin, span);
    if (here == 0 || blocks_together(workers, threads, bin - span, span) == 0 ||
        blocks_together(workers, threads, bin + span, span) == 0)
      continue;
    sums[count++] = here;
  }
  if (count < THREADS_SPANS_LEAST) return 0;
  qsort(sums, count, sizeof *sums, compare_counts);
  uint64_t sum = 0;
  for (size_t i = count / 4; i < count - count / 4; i++) sum += sums[i];
  return (double)sum / (double)((count - count / 4 - count / 4) * span);
}

static double rate_of(const worker *workers, size_t threads, size_t bins, uint64_t *sums)
{
  const double operations_per_bin = THREADS_BLOCK * 1e3 / THREADS_BIN_NS; /* to millions a second */
  if (threads <= (size_t)CPU_COUNT(&allowed)) {
    /* A slow thread needs longer spans to get something done in each. */
    double blocks = 0;
    for (size_t span = 1; blocks <= 0 && span <= THREADS_SPAN_MOST; span *= 4)
      blocks = middle_half(workers, threads, bins, span, sums);
    return blocks * operations_per_bin;
  }
  uint64_t blocks = 0; /* they take turns: all of the time counts */
  for (size_t i = 0; i < threads; i++)
    for (size_t bin = 0; bin < bins; bin++) blocks += workers[i].blocks[bin];
  return (double)blocks * operations_per_bin / (double)bins;
}

/* False: not all could be started. */
static bool run_all(const bench_world *world, worker *workers, size_t subject, size_t threads,
                    gate *all)
{
  const size_t started = start(workers, world, subject, threads, all);
  while (accel_load_acquire(&all->ready) < started) sched_yield();
  accel_store_relaxed(&all->stops, started < threads);
  all->start_ns = accel_clock_monotonic_ns();
  accel_store_release(&all->is_open, true);
  if (started == threads) sleep_ms(world->options->slice_ms);
  accel_store_relaxed(&all->stops, true);
  for (size_t i = 0; i < started; i++) pthread_join(workers[i].thread, NULL);
  return started == threads;
}

double bench_measure_threads(const bench_world *world, size_t subject, size_t threads,
                             size_t period)
{
  worker workers[BENCH_THREADS_MAX] = {0};
  gate all = {.bins = world->options->slice_ms * 1000000u / THREADS_BIN_NS};
  uint32_t *blocks = (uint32_t *)calloc(threads * all.bins, sizeof *blocks);
  uint64_t *sums = (uint64_t *)malloc(all.bins * sizeof *sums);
  double rate = 0;
  for (size_t i = 0; blocks != NULL && i < threads; i++) {
    workers[i].period = period;
    workers[i].blocks = blocks + i * all.bins;
  }
  if (blocks != NULL && sums != NULL && run_all(world, workers, subject, threads, &all))
    rate = rate_of(workers, threads, all.bins, sums);
  free(blocks);
  free(sums);
  return rate;
}

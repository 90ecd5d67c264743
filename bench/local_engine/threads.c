/* Several threads on one subject: all start together and work until time is up. */
#define _GNU_SOURCE
#include "world.h"

#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define THREADS_BLOCK 256u

typedef struct gate {
  size_t ready; /* atomic: threads that wait for is_open */
  bool is_open, stops;
} gate;

typedef struct worker {
  const bench_subject *subject;
  void *state;
  bench_draws keys;
  size_t at, period, number, operations;
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
    self->operations += THREADS_BLOCK;
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

double bench_measure_threads(const bench_world *world, size_t subject, size_t threads,
                             size_t period)
{
  worker workers[BENCH_THREADS_MAX] = {0};
  gate all = {0};
  size_t operations = 0;
  for (size_t i = 0; i < threads; i++) workers[i].period = period;
  const size_t started = start(workers, world, subject, threads, &all);
  while (accel_load_acquire(&all.ready) < started) sched_yield();
  accel_store_relaxed(&all.stops, started < threads);
  const uint64_t start_ns = accel_clock_monotonic_ns();
  accel_store_release(&all.is_open, true);
  if (started == threads) sleep_ms(world->options->slice_ms);
  accel_store_relaxed(&all.stops, true);
  const uint64_t taken_ns = accel_clock_monotonic_ns() - start_ns;
  for (size_t i = 0; i < started; i++) {
    pthread_join(workers[i].thread, NULL);
    operations += workers[i].operations;
  }
  return (double)operations * 1e3 / (double)taken_ns;
}

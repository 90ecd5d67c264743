/* lateness.h: how late this machine runs its threads, for tests that must look at a clock.
 *
 * What is promised in milliseconds cannot hold on a machine that gives a thread its turn later than
 * that. A thread of this process does a little work again and again and notes by how much longer
 * it took than it should; bounds grow with the most that it saw. An idle machine adds next to
 * nothing, so the bound stays sharp where it can be.
 *
 * A process calls lateness_begin once; its children begin anew. Other functions: any thread.
 */
#ifndef LATENESS_H
#define LATENESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static atomic_uint_least64_t lateness_most_ns;
static atomic_uint lateness_rounds;

static uint64_t lateness_clock_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Sleeps for 5 ms and computes for 0.5 ms: either may be late. */
static void *lateness_watch(void *unused)
{
  enum { SLEEP_NS = 5000000, WORK_NS = 500000 };
  (void)unused;
  for (;;) {
    const struct timespec pause = {0, SLEEP_NS};
    const uint64_t began_ns = lateness_clock_ns(CLOCK_MONOTONIC);
    nanosleep(&pause, NULL);
    const uint64_t work_ns = lateness_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (lateness_clock_ns(CLOCK_THREAD_CPUTIME_ID) - work_ns < WORK_NS) {}
    const uint64_t took_ns = lateness_clock_ns(CLOCK_MONOTONIC) - began_ns;
    const uint64_t late_ns = took_ns > SLEEP_NS + WORK_NS ? took_ns - SLEEP_NS - WORK_NS : 0;
    if (late_ns > lateness_most_ns) lateness_most_ns = late_ns;
    lateness_rounds++;
  }
  return NULL;
}

/* False: there is no thread to watch. */
static inline bool lateness_begin(void)
{
  pthread_t thread;
  lateness_most_ns = 0;
  if (pthread_create(&thread, NULL, lateness_watch, NULL) != 0) return false;
  pthread_detach(thread);
  return true;
}

/* Whether so many ms are within the bound, with a way through ten threads on top of it, each late
 * by the most so far; what was late just now is noted first. */
static inline bool lateness_keeps(double took_ms, double bound_ms)
{
  if (took_ms <= bound_ms) return true;
  for (unsigned seen = lateness_rounds; lateness_rounds < seen + 2;) usleep(1000);
  return took_ms <= bound_ms + 10 * (double)lateness_most_ns / 1e6;
}

#endif

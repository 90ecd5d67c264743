/* crew.h: threads that work for some seconds, and what they found wrong. Meanwhile a signal stops
 * now this thread and now that for a millisecond, at whatever instruction it is: what another must
 * not see half done is then half done for long, however few processors there are. */
#ifndef STRESS_CREW_H
#define STRESS_CREW_H

#include "accel/hash.h"
#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"
#include "accel/platform/thread.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CREW_MAX 32u
#define CREW_STEPS 64u /* between looks at the clock */
#define CREW_SIGNAL SIGUSR1
#define CREW_SHAKE_NS 200000

typedef struct crew_member {
  void (*step)(struct crew_member *self, uint64_t random);
  void *ctx;
  uint64_t number, random, end_ms;
  uint64_t steps, reads; /* reads: step counts them */
  accel_thread thread;
} crew_member;

/* cmocka's assertions are for the main thread: the others note. */
static unsigned crew_faults;

static inline void crew_expect(bool holds, const char *what)
{
  if (holds || accel_add_relaxed(&crew_faults, 1u) >= 10) return;
  fprintf(stderr, "%s\n", what);
}

static inline uint64_t crew_random(uint64_t *state)
{
  *state += 0x9E3779B97F4A7C15u;
  return accel_hash_fold(*state, 0xD6E8FEB86659FD93u);
}

static inline void crew_stop_a_while(int number)
{
  (void)number;
  poll(NULL, 0, 1);
}

static inline void crew_work(void *ctx)
{
  crew_member *self = (crew_member *)ctx;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, CREW_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &signals, NULL); /* accel's threads block them all */
  while (accel_clock_monotonic_ms() < self->end_ms) {
    for (size_t i = 0; i < CREW_STEPS; i++) self->step(self, crew_random(&self->random));
    self->steps += CREW_STEPS;
  }
}

/* The share of a case of `cases` in ACCEL_SOAK_SECONDS, without it in `usual_ms`. */
static inline uint64_t crew_case_ms(uint64_t usual_ms, uint64_t cases)
{
  const char *seconds = getenv("ACCEL_SOAK_SECONDS");
  const uint64_t given = seconds == NULL ? 0 : strtoull(seconds, NULL, 10);
  return (given == 0 ? usual_ms : given * 1000) / cases;
}

/* Until the threads look at the clock for the last time. */
static inline void crew_shake(const crew_member *crew, size_t count, uint64_t end_ms)
{
  uint64_t random = count;
  const struct timespec pause = {.tv_nsec = CREW_SHAKE_NS};
  while (accel_clock_monotonic_ms() + 5 < end_ms) {
    if (count > 0) pthread_kill(crew[crew_random(&random) % count].thread.native, CREW_SIGNAL);
    nanosleep(&pause, NULL);
  }
}

/* Returns the reads of all. */
static inline uint64_t crew_run(size_t count, uint64_t ms, void (*step)(crew_member *, uint64_t),
                                void *ctx)
{
  static crew_member crew[CREW_MAX];
  uint64_t reads = 0, steps = 0;
  const uint64_t end_ms = accel_clock_monotonic_ms() + ms;
  accel_store_relaxed(&crew_faults, 0u);
  const struct sigaction action = {.sa_handler = crew_stop_a_while, .sa_flags = SA_RESTART};
  sigaction(CREW_SIGNAL, &action, NULL);
  size_t started = 0;
  for (; started < count; started++) {
    crew[started] = (crew_member){
        .step = step, .ctx = ctx, .number = started, .random = started, .end_ms = end_ms};
    if (!accel_thread_start(&crew[started].thread, crew_work, &crew[started])) break;
  }
  crew_expect(started == count, "the system has no more threads");
  crew_shake(crew, started, end_ms);
  for (size_t i = 0; i < started; i++) {
    accel_thread_join(crew[i].thread);
    reads += crew[i].reads;
    steps += crew[i].steps;
  }
  printf("%zu threads, %llu steps\n", count, (unsigned long long)steps);
  return reads;
}

#endif

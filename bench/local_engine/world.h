/* world.h: one capacity's keys, the subjects opened and filled with them, and samples of each. */
#ifndef BENCH_LOCAL_ENGINE_WORLD_H
#define BENCH_LOCAL_ENGINE_WORLD_H

#include "options.h"
#include "subject.h"

#define BENCH_SUBJECTS_MAX 8u

typedef struct bench_draws {
  uint64_t *keys;
  size_t count;
} bench_draws;

typedef struct bench_world {
  const bench_options *options;
  size_t entries;
  const bench_subject *subjects[BENCH_SUBJECTS_MAX]; /* those that take part */
  size_t subject_count;
  uint64_t *keys;                         /* as many as entries */
  size_t common_count;                    /* the front of them is found in every subject */
  bench_draws zipf, uniform, hot, absent; /* of common keys, and of keys that nobody has */
  void *states[BENCH_SUBJECTS_MAX];
  uint64_t filled_ms[BENCH_SUBJECTS_MAX];
  double resident[BENCH_SUBJECTS_MAX]; /* of as many keys as the capacity, in percent */
  double overhead[BENCH_SUBJECTS_MAX]; /* bytes per entry beyond key and value */
} bench_world;

/* False: no memory; says so. Opens every subject and sets every key once. */
bool bench_world_open(bench_world *world, const bench_options *options, size_t entries);
void bench_world_close(bench_world *world);

/* Sets the common keys again where they would soon expire. */
void bench_world_refill(bench_world *world, size_t subject);

/* What is asked for in one sample of one thread. */
typedef enum bench_operation {
  BENCH_GET,
  BENCH_SET,
  BENCH_GET_OR_SET,
  BENCH_GET_OR_LOAD
} bench_operation;

/* Whether the subject has the operation at all. */
bool bench_can(const bench_subject *subject, bench_operation operation);

typedef struct bench_sample {
  double ns;          /* per operation */
  double found_share; /* of gets */
} bench_sample;

/* Keys that are asked for before the clock starts. */
size_t bench_warm_up(const bench_options *options);
/* Times `options->operations` operations; keys holds bench_warm_up more. */
bench_sample bench_measure(const bench_world *world, size_t subject, bench_operation operation,
                           const uint64_t *keys);

/* Millions of operations per second of `threads` threads; sets: one in `period`, 0: none. Of the
 * moments in which all threads ran, unless there are more threads than processors. 0: there was no
 * such moment, or a thread could not be started. */
double bench_measure_threads(const bench_world *world, size_t subject, size_t threads,
                             size_t period);
/* Keeps the calling thread on one processor. */
bool bench_pin(size_t number);

#endif

/* options.h: what the command line asks for. */
#ifndef BENCH_LOCAL_ENGINE_OPTIONS_H
#define BENCH_LOCAL_ENGINE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_LIST_MAX 8u
#define BENCH_ROUNDS_MAX 99u
#define BENCH_THREADS_MAX 64u

typedef struct bench_list {
  size_t values[BENCH_LIST_MAX];
  size_t count;
} bench_list;

typedef struct bench_options {
  bench_list entries, threads;
  size_t rounds;
  size_t operations; /* of one thread, per round */
  size_t slice_ms;   /* several threads run so long per round */
  const char *filter, *csv;
  bool no_pin;
} bench_options;

typedef enum bench_wish { BENCH_RUN, BENCH_HELP, BENCH_MISUSE } bench_wish;

bench_wish bench_options_read(bench_options *options, int count, char **arguments);

#endif

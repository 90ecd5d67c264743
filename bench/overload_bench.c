/* overload_bench: what is answered when more is asked for than the source can do.
 *
 * The source does 64 loads at a time, of 100 ms each: 640 a second, as many as the threads of the
 * common executor can ask for. Threads ask for keys that nobody asked for before, each at its own
 * times, at a multiple of that rate; one that is late asks at once. Of each second is told:
 *
 *   offered    calls that began
 *   answered   calls that brought their value
 *   refused    calls that failed, late or at once
 *   wasted     loads that the source did for nobody: their callers had left
 *
 * Then comes a burst of ten times the rate, and half the rate after it: how long after the end of
 * the burst began the last call that failed.
 */
#define _GNU_SOURCE 1
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS 64
#define LOAD_MS 100
#define CAPACITY (SLOTS * 1000 / LOAD_MS)
#define KEYS_OF_A_BATCH 4
#define WARM_UP_MS 700
#define STACK_BYTES (64u << 10)

ACCEL_DEFINE(row, uint64_t, uint64_t)

typedef enum kind { GET, MGET, GET_OR_LOAD, WRAPPER, KINDS } kind;
static const char *const kind_names[KINDS] = {"get", "mget", "get_or_load", "wrapper"};

static row_cache cache;
static atomic_ullong next_key;

/* ---- the source ---- */

static pthread_mutex_t source_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t source_free = PTHREAD_COND_INITIALIZER;
static unsigned source_busy;
static atomic_ullong source_loads;

static double now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void sleep_ms(double ms)
{
  if (ms <= 0) return;
  const struct timespec pause = {(time_t)(ms / 1e3),
                                 (long)((ms - 1e3 * (double)(long)(ms / 1e3)) * 1e6)};
  nanosleep(&pause, NULL);
}

static void source_ask(void)
{
  pthread_mutex_lock(&source_mutex);
  while (source_busy == SLOTS) pthread_cond_wait(&source_free, &source_mutex);
  source_busy++;
  pthread_mutex_unlock(&source_mutex);
  sleep_ms(LOAD_MS);
  pthread_mutex_lock(&source_mutex);
  source_busy--;
  pthread_cond_signal(&source_free);
  pthread_mutex_unlock(&source_mutex);
  atomic_fetch_add(&source_loads, 1);
}

static accel_status load_one(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  source_ask();
  *out = key;
  return ACCEL_OK;
}

static accel_status load_batch(void *ctx, const uint64_t *keys, size_t count, uint64_t *values,
                               accel_status *statuses)
{
  (void)ctx;
  source_ask();
  for (size_t i = 0; i < count; i++) {
    values[i] = keys[i];
    statuses[i] = ACCEL_OK;
  }
  return ACCEL_OK;
}

static ACCEL_CACHEABLE(row, read_row, (uint64_t key, uint64_t *out), (key, out), .cache = &cache,
                       .key = key, .out = out)
{
  source_ask();
  *out = key;
  return ACCEL_OK;
}

/* ---- the callers ---- */

static accel_status ask(kind what)
{
  uint64_t keys[KEYS_OF_A_BATCH], values[KEYS_OF_A_BATCH];
  const uint64_t first = atomic_fetch_add(&next_key, KEYS_OF_A_BATCH);
  for (size_t i = 0; i < KEYS_OF_A_BATCH; i++) keys[i] = first + i;
  switch (what) {
    case MGET: return row_cache_mget(&cache, keys, KEYS_OF_A_BATCH, NULL, values, NULL);
    case GET_OR_LOAD: return row_cache_get_or_load(&cache, first, NULL, load_one, NULL, values);
    case WRAPPER: return read_row(first, values);
    default: return row_cache_get(&cache, first, values);
  }
}

typedef struct crowd {
  kind what;
  double rate; /* calls a second, of all */
  size_t size;
  pthread_t *threads;
  atomic_bool is_over;
  double began_ms; /* of the phase whose failures are noted */
  atomic_ullong offered, answered, refused;
  _Atomic(double) last_failure_ms; /* when the last call began that failed */
} crowd;

typedef struct caller {
  crowd *all;
  double first_ms; /* when to ask first, after the beginning */
} caller;

static void *call(void *own_pointer)
{
  caller own = *(caller *)own_pointer;
  free(own_pointer);
  crowd *all = own.all;
  const double period_ms = 1e3 * (double)all->size / all->rate;
  double due_ms = now_ms() + own.first_ms;
  sleep_ms(own.first_ms);
  while (!atomic_load(&all->is_over)) {
    const double began_ms = now_ms();
    atomic_fetch_add(&all->offered, 1);
    const accel_status status = ask(all->what);
    atomic_fetch_add(status == ACCEL_OK ? &all->answered : &all->refused, 1);
    if (status != ACCEL_OK && began_ms > atomic_load(&all->last_failure_ms))
      atomic_store(&all->last_failure_ms, began_ms);
    due_ms += period_ms;
    if (due_ms < now_ms()) due_ms = now_ms();
    sleep_ms(due_ms - now_ms());
  }
  return NULL;
}

/* As many threads as may be waiting at a time. */
static bool crowd_begin(crowd *all, kind what, double rate)
{
  memset(all, 0, sizeof *all);
  all->what = what;
  all->rate = rate;
  all->size = (size_t)(rate * 0.45) + 32;
  all->threads = (pthread_t *)calloc(all->size, sizeof *all->threads);
  all->began_ms = now_ms();
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, STACK_BYTES);
  size_t started = 0;
  for (; all->threads != NULL && started < all->size; started++) {
    caller *own = (caller *)malloc(sizeof *own);
    if (own == NULL) break;
    *own = (caller){all, 1e3 * (double)started / rate};
    if (pthread_create(&all->threads[started], &small, call, own) == 0) continue;
    free(own);
    break;
  }
  pthread_attr_destroy(&small);
  if (started == all->size) return true;
  fprintf(stderr, "no memory or no more threads: %zu of %zu\n", started, all->size);
  return false;
}

static void crowd_stop(crowd *all)
{
  atomic_store(&all->is_over, true);
}

static void crowd_join(crowd *all)
{
  for (size_t i = 0; i < all->size; i++) pthread_join(all->threads[i], NULL);
  free(all->threads);
}

/* ---- what is measured ---- */

typedef struct figures {
  double offered, answered, refused, wasted; /* a second */
} figures;

static bool open_cache(kind what)
{
  const accel_config config = {.area = "bench", .capacity = 1 << 20};
  if (row_cache_open(&cache, &config) != ACCEL_OK) {
    fprintf(stderr, "%s\n", row_cache_last_error(&cache));
    return false;
  }
  if (what == GET) row_cache_set_loader(&cache, load_one, NULL);
  if (what == MGET) row_cache_set_mloader(&cache, load_batch, NULL);
  return true;
}

static bool measure(kind what, double times, double seconds, figures *out)
{
  crowd all;
  if (!open_cache(what) || !crowd_begin(&all, what, times * CAPACITY)) return false;
  sleep_ms(WARM_UP_MS);
  const unsigned long long offered = all.offered, answered = all.answered, refused = all.refused;
  const unsigned long long loads = source_loads;
  const double began_ms = now_ms();
  sleep_ms(seconds * 1e3);
  const double took = (now_ms() - began_ms) / 1e3;
  out->offered = (double)(all.offered - offered) / took;
  out->answered = (double)(all.answered - answered) / took;
  out->refused = (double)(all.refused - refused) / took;
  out->wasted = (double)(source_loads - loads) / took - out->answered;
  if (out->wasted < 0) out->wasted = 0;
  crowd_stop(&all);
  crowd_join(&all);
  row_cache_close(&cache);
  return true;
}

/* Negative: it could not be measured. */
static double measure_recovery(kind what, double seconds)
{
  crowd burst, after;
  if (!open_cache(what) || !crowd_begin(&burst, what, 10 * CAPACITY)) return -1;
  sleep_ms(seconds * 1e3);
  crowd_stop(&burst);
  const double end_ms = now_ms();
  if (!crowd_begin(&after, what, 0.5 * CAPACITY)) return -1;
  sleep_ms(3000);
  crowd_stop(&after);
  crowd_join(&after);
  crowd_join(&burst);
  row_cache_close(&cache);
  const double last_ms = atomic_load(&after.last_failure_ms);
  return last_ms > end_ms ? last_ms - end_ms : 0;
}

/* ---- output ---- */

typedef struct options {
  bool is_json, is_quick;
  int only; /* a kind; -1: all */
} options;

static void usage(FILE *out)
{
  fprintf(out,
          "usage: overload_bench [--json] [--quick] [--kind NAME] [--help]\n\n"
          "What is answered at 0.5 to 10 times what a source of %d loads a second can do.\n\n"
          "  --json       one object instead of a table\n"
          "  --quick      shorter, at 0.5 and 3 times\n"
          "  --kind NAME  get, mget, get_or_load or wrapper alone\n",
          CAPACITY);
}

/* 0: go on; else the exit status plus one. */
static int read_options(int count, char **words, options *out)
{
  *out = (options){.only = -1};
  for (int i = 1; i < count; i++) {
    if (strcmp(words[i], "--json") == 0) {
      out->is_json = true;
    } else if (strcmp(words[i], "--quick") == 0) {
      out->is_quick = true;
    } else if (strcmp(words[i], "--help") == 0) {
      usage(stdout);
      return 1;
    } else if (strcmp(words[i], "--kind") == 0 && i + 1 < count) {
      for (int k = 0; k < KINDS; k++)
        if (strcmp(words[i + 1], kind_names[k]) == 0) out->only = k;
      if (out->only < 0) return usage(stderr), 3;
      i++;
    } else {
      return usage(stderr), 3;
    }
  }
  return 0;
}

static void print_row(const options *how, bool is_first, kind what, double times, const figures *of)
{
  if (how->is_json)
    printf("%s\n    {\"kind\": \"%s\", \"times\": %g, \"offered\": %.1f, \"answered\": %.1f, "
           "\"refused\": %.1f, \"wasted\": %.1f}",
           is_first ? "" : ",", kind_names[what], times, of->offered, of->answered, of->refused,
           of->wasted);
  else
    printf("%-12s %5g %9.0f %9.0f %9.0f %9.0f\n", kind_names[what], times, of->offered,
           of->answered, of->refused, of->wasted);
  fflush(stdout);
}

static bool run_rates(const options *how)
{
  static const double all_times[] = {0.5, 1, 1.4, 3, 10}, few_times[] = {0.5, 3};
  const double *times = how->is_quick ? few_times : all_times;
  const size_t count = how->is_quick ? 2 : 5;
  bool is_first = true;
  for (int k = 0; k < KINDS; k++) {
    for (size_t i = 0; i < count && (how->only < 0 || how->only == k); i++) {
      figures one;
      if (!measure((kind)k, times[i], how->is_quick ? 0.5 : 3, &one)) return false;
      print_row(how, is_first, (kind)k, times[i], &one);
      is_first = false;
    }
  }
  return true;
}

static bool run_recoveries(const options *how)
{
  bool is_first = true;
  for (int k = 0; k < KINDS; k++) {
    if (how->only >= 0 && how->only != k) continue;
    const double ms = measure_recovery((kind)k, how->is_quick ? 0.5 : 2);
    if (ms < 0) return false;
    if (how->is_json)
      printf("%s\n    {\"kind\": \"%s\", \"recovery_ms\": %.0f}", is_first ? "" : ",",
             kind_names[k], ms);
    else
      printf("%-12s the last call that failed began %.0f ms after the burst\n", kind_names[k], ms);
    fflush(stdout);
    is_first = false;
  }
  return true;
}

int main(int count, char **words)
{
  options how;
  const int end = read_options(count, words, &how);
  if (end != 0) return end - 1;
  if (how.is_json)
    printf("{\n  \"capacity\": %d,\n  \"rates\": [", CAPACITY);
  else
    printf("the source can do %d loads a second; figures are per second\n\n%-12s %5s %9s %9s %9s "
           "%9s\n",
           CAPACITY, "", "times", "offered", "answered", "refused", "wasted");
  if (!run_rates(&how)) return 1;
  printf(how.is_json ? "\n  ],\n  \"recoveries\": [" : "\n");
  if (!run_recoveries(&how)) return 1;
  if (how.is_json) printf("\n  ]\n}\n");
  return 0;
}

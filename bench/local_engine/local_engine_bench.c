/* What the L1 engine costs, beside what others use and beside the least that it could cost.
 *
 * options.c says what can be asked for, subject_*.c who takes part, keys.c what keys there are,
 * world.c and threads.c how a sample is taken; here stands what is measured, and in which order.
 * docs/benchmarks.md explains the figures. */
#include "keys.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exit statuses: 2 misuse, 77 cannot measure here (which test runners call skipped). */
#define EXIT_MISUSE 2
#define EXIT_CANNOT 77

#define BYTES_PER_ENTRY 1200u /* of all subjects and draws together */
#define WIDE_FACTOR 10u       /* keys of get-or-load, in capacities */

static const char *why_not(void)
{
#ifndef __OPTIMIZE__
  return "it was built without optimisation";
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return "it was built with a sanitizer";
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
  return "it was built with a sanitizer";
#endif
#endif
  return NULL;
}

static bool is_wanted(const bench_options *options, const char *title)
{
  if (options->filter == NULL || strstr(title, options->filter) != NULL) return true;
  for (size_t i = 0; bench_subjects[i] != NULL; i++) /* it names subjects: every table, then */
    if (strstr(bench_subjects[i]->name, options->filter) != NULL) return true;
  return false;
}

/* Floors always; caches if the filter names them, or names none. */
static void choose_subjects(bench_world *world, const bench_options *options)
{
  bool names_any = false;
  world->subject_count = 0;
  for (size_t i = 0; options->filter != NULL && bench_subjects[i] != NULL; i++)
    names_any = names_any || strstr(bench_subjects[i]->name, options->filter) != NULL;
  for (size_t i = 0; bench_subjects[i] != NULL; i++) {
    const bench_subject *subject = bench_subjects[i];
    if (subject->role != BENCH_CACHE || !names_any ||
        strstr(subject->name, options->filter) != NULL)
      world->subjects[world->subject_count++] = subject;
  }
}

/* The order of a round: every subject is once first. */
static size_t turn(const bench_world *world, size_t round, size_t place)
{
  return (round + place) % world->subject_count;
}

/* ---- one thread ---- */

static void add(bench_series *series, double value)
{
  series->values[series->count++] = value;
}

static void measure(bench_world *world, const char *title, bench_operation operation,
                    const bench_draws *draws)
{
  bench_series taken[BENCH_SUBJECTS_MAX] = {0}, found[BENCH_SUBJECTS_MAX] = {0};
  if (!is_wanted(world->options, title)) return;
  const size_t step = world->options->operations;
  const size_t window = step + bench_warm_up(world->options);
  for (size_t round = 0; round < world->options->rounds; round++) {
    const uint64_t *keys = draws->keys + round * step % (draws->count - window + 1);
    bench_progress(world, title, round);
    for (size_t place = 0; place < world->subject_count; place++) {
      const size_t subject = turn(world, round, place);
      const bench_subject *who = world->subjects[subject];
      if (who->role == BENCH_FLOOR_SHARED || !bench_can(who, operation) ||
          (draws == &world->absent && who->never_miss))
        continue;
      bench_world_refill(world, subject);
      const bench_sample sample = bench_measure(world, subject, operation, keys);
      add(&taken[subject], sample.ns);
      if (operation != BENCH_SET) add(&found[subject], sample.found_share);
    }
  }
  bench_progress(world, "", 0);
  bench_report_times(world, title, taken, found);
}

/* ---- operations that change what is cached: each begins with all subjects full ---- */

typedef struct bench_change {
  const char *title;
  bench_operation operation;
  bool is_fresh; /* every key is new; otherwise ten times as many as fit, by Zipf's law */
} bench_change;

static bool can_change(const bench_subject *subject, const bench_change *change)
{
  if (!change->is_fresh) return bench_can(subject, change->operation);
  return subject->inserts;
}

/* What was drawn before the first round makes the caches hold what they would in the long run. */
static size_t settle(const bench_world *world, const bench_change *change)
{
  size_t count = change->is_fresh ? world->entries : 4 * world->entries;
  if (count > (size_t)1 << 23) count = (size_t)1 << 23;
  return count;
}

static bool draw_change(const bench_world *world, const bench_change *change, bench_draws *draws)
{
  const size_t window = world->options->operations + bench_warm_up(world->options);
  draws->count = settle(world, change) + world->options->rounds * window;
  draws->keys = (uint64_t *)malloc(draws->count * sizeof *draws->keys);
  if (draws->keys == NULL) return false;
  if (!change->is_fresh)
    bench_keys_zipf_scattered(draws->keys, draws->count, world->entries * WIDE_FACTOR);
  for (size_t i = 0; change->is_fresh && i < draws->count; i++)
    draws->keys[i] = bench_keys_scatter(((uint64_t)1 << 50) + i);
  return true;
}

static void settle_all(bench_world *world, const bench_change *change, const uint64_t *keys)
{
  const size_t count = settle(world, change);
  for (size_t i = 0; i < world->subject_count; i++) {
    const bench_subject *who = world->subjects[i];
    if (!can_change(who, change)) continue;
    if (change->is_fresh)
      who->set(world->states[i], keys, count);
    else if (change->operation == BENCH_GET_OR_SET)
      who->get_or_set(world->states[i], keys, count);
    else
      who->get_or_load(world->states[i], keys, count);
  }
}

static void measure_change(bench_world *world, const bench_change *change)
{
  bench_series taken[BENCH_SUBJECTS_MAX] = {0}, found[BENCH_SUBJECTS_MAX] = {0};
  bench_draws draws;
  if (!is_wanted(world->options, change->title)) return;
  if (!draw_change(world, change, &draws)) {
    fprintf(stderr, "%s: no memory for its keys\n", change->title);
    return;
  }
  settle_all(world, change, draws.keys);
  const uint64_t *keys = draws.keys + settle(world, change);
  for (size_t round = 0; round < world->options->rounds; round++) {
    bench_progress(world, change->title, round);
    for (size_t place = 0; place < world->subject_count; place++) {
      const size_t subject = turn(world, round, place);
      if (!can_change(world->subjects[subject], change)) continue;
      const bench_sample sample = bench_measure(world, subject, change->operation, keys);
      add(&taken[subject], sample.ns);
      if (change->operation != BENCH_SET) add(&found[subject], sample.found_share);
    }
    keys += world->options->operations + bench_warm_up(world->options);
  }
  bench_progress(world, "", 0);
  bench_report_times(world, change->title, taken, found);
  free(draws.keys);
}

/* ---- several threads ---- */

static bool can_share(const bench_subject *subject, size_t period)
{
  if (period == 0) return true;
  const bool is_shared = subject->role == BENCH_CACHE || subject->role == BENCH_FLOOR_SHARED;
  return is_shared && subject->mixed != NULL;
}

static void measure_threads(bench_world *world, const char *title, size_t period)
{
  static bench_series rates[BENCH_SUBJECTS_MAX][BENCH_LIST_MAX];
  const bench_list *threads = &world->options->threads;
  if (!is_wanted(world->options, title) || threads->count == 0) return;
  memset(rates, 0, sizeof rates);
  for (size_t round = 0; round < world->options->rounds; round++) {
    bench_progress(world, title, round);
    for (size_t place = 0; place < world->subject_count; place++) {
      const size_t subject = turn(world, round, place);
      if (!can_share(world->subjects[subject], period)) continue;
      for (size_t i = 0; i < threads->count; i++) {
        bench_world_refill(world, subject);
        const double rate = bench_measure_threads(world, subject, threads->values[i], period);
        if (rate > 0) add(&rates[subject][i], rate);
      }
    }
  }
  bench_progress(world, "", 0);
  bench_report_threads(world, title, rates);
}

/* ---- one capacity ---- */

static void measure_gets(bench_world *world)
{
  bench_report_memory(world);
  measure(world, "hit, Zipf 0.99", BENCH_GET, &world->zipf);
  measure(world, "hit, uniform", BENCH_GET, &world->uniform);
  measure(world, "hit, one hot key", BENCH_GET, &world->hot);
  measure(world, "miss", BENCH_GET, &world->absent);
  measure(world, "set of a present key", BENCH_SET, &world->uniform);
  measure_threads(world, "Zipf 0.99, gets only", 0);
  measure_threads(world, "Zipf 0.99, 5 % sets", 20);
  measure_threads(world, "Zipf 0.99, 25 % sets", 4);
  measure_threads(world, "Zipf 0.99, 50 % sets", 2);
  measure_threads(world, "Zipf 0.99, sets only", 1);
}

static bool measure_all(const bench_options *options, size_t entries)
{
  static const bench_change changes[] = {
      {"set of a new key at capacity", BENCH_SET, true},
      {"get, set if absent, Zipf 0.99 over 10 x", BENCH_GET_OR_SET, false},
      {"get_or_load, Zipf 0.99 over 10 x", BENCH_GET_OR_LOAD, false},
  };
  bench_world world = {0};
  choose_subjects(&world, options);
  if (!bench_world_open(&world, options, entries)) return false;
  measure_gets(&world);
  bench_world_close(&world);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    if (!is_wanted(options, changes[i].title)) continue;
    if (!bench_world_open(&world, options, entries)) return false;
    measure_change(&world, &changes[i]);
    bench_world_close(&world);
  }
  return true;
}

/* Figures without their machine mean nothing. */
static void print_machine(void)
{
  char line[256] = "", name[256] = "an unknown processor";
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "model name : %255[^\n]", name) == 1) break;
  if (file != NULL) fclose(file);
  printf("%s, %ld processors; accel %s; compiler %s\n", name, sysconf(_SC_NPROCESSORS_ONLN),
         ACCEL_VERSION, __VERSION__);
}

static bool has_room(size_t entries)
{
  const long pages = sysconf(_SC_AVPHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_size <= 0) return true; /* the subjects will say */
  return entries <= (size_t)pages * (size_t)page_size / BYTES_PER_ENTRY;
}

int main(int count, char **arguments)
{
  bench_options options;
  const char *reason = why_not();
  const bench_wish wish = bench_options_read(&options, count, arguments);
  if (wish == BENCH_HELP) return EXIT_SUCCESS;
  if (wish == BENCH_MISUSE) return EXIT_MISUSE;
  if (reason != NULL) {
    fprintf(stderr, "local_engine_bench refuses to measure: %s\n", reason);
    return EXIT_CANNOT;
  }
  if (!bench_report_open(&options)) return EXIT_MISUSE;
  print_machine();
  if (*bench_absent_subjects != '\0') printf("not in this build:%s\n", bench_absent_subjects);
  if (options.no_pin)
    puts("threads run where the system puts them");
  else if (bench_pin(0))
    puts("threads are pinned, in turn to each processor");
  else
    puts("threads cannot be pinned here");
  bool is_done = true;
  for (size_t i = 0; i < options.entries.count; i++) {
    const size_t entries = options.entries.values[i];
    if (has_room(entries)) {
      is_done = measure_all(&options, entries) && is_done;
      continue;
    }
    fprintf(stderr, "%zu entries need more memory than is free: left out\n", entries);
    is_done = false;
  }
  return bench_report_close() && is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "world.h"

#include "accel/platform/clock.h"
#include "keys.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REFILL_AFTER_MS 20000u /* an entry lives 54 s at least */

/* ---- keys ---- */

static bool draws_open(bench_draws *draws, size_t count)
{
  draws->count = count;
  draws->keys = (uint64_t *)malloc(count * sizeof *draws->keys);
  return draws->keys != NULL;
}

size_t bench_warm_up(const bench_options *options)
{
  return options->operations / 8;
}

static bool draw(bench_world *world)
{
  const size_t window = world->options->operations + bench_warm_up(world->options);
  size_t count = 4 * world->entries;
  if (count > (size_t)1 << 24) count = (size_t)1 << 24;
  if (count < 2 * window) count = 2 * window;
  if (!draws_open(&world->zipf, count) || !draws_open(&world->uniform, count) ||
      !draws_open(&world->hot, window) || !draws_open(&world->absent, count))
    return false;
  bench_keys_zipf(world->zipf.keys, count, world->keys, world->common_count);
  bench_keys_uniform(world->uniform.keys, count, world->keys, world->common_count);
  for (size_t i = 0; i < window; i++) world->hot.keys[i] = world->keys[0];
  for (size_t i = 0; i < count; i++)
    world->absent.keys[i] = bench_keys_scatter(((uint64_t)1 << 40) + i);
  return true;
}

/* ---- filling ---- */

static size_t heap_bytes(void)
{
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static bool fill(bench_world *world, size_t subject)
{
  const bench_subject *who = world->subjects[subject];
  const size_t before = heap_bytes();
  void *state = who->open(world->entries);
  if (state == NULL) return false;
  world->states[subject] = state;
  who->set(state, world->keys, world->entries);
  world->filled_ms[subject] = accel_clock_monotonic_ms();
  const size_t bytes = who->memory_bytes != NULL ? who->memory_bytes(state) : heap_bytes() - before;
  const double content = sizeof(uint64_t) + sizeof(bench_value);
  world->overhead[subject] = (double)bytes / (double)world->entries - content;
  return true;
}

/* Moves the keys that the subject has lost behind the common ones. */
static void count_residents(bench_world *world, size_t subject)
{
  const bench_subject *who = world->subjects[subject];
  const size_t found =
      who->never_miss ? 0 : who->get(world->states[subject], world->keys, world->entries);
  world->resident[subject] = 100 * (double)found / (double)world->entries;
  for (size_t i = 0; !who->never_miss && i < world->common_count;) {
    if (who->get(world->states[subject], &world->keys[i], 1) == 1) {
      i++;
      continue;
    }
    const uint64_t lost = world->keys[i];
    world->keys[i] = world->keys[--world->common_count];
    world->keys[world->common_count] = lost;
  }
}

bool bench_world_open(bench_world *world, const bench_options *options, size_t entries)
{
  world->options = options;
  world->entries = world->common_count = entries;
  world->keys = bench_keys_make(entries);
  bool is_open = world->keys != NULL;
  for (size_t i = 0; is_open && i < world->subject_count; i++) {
    is_open = fill(world, i);
    if (is_open) count_residents(world, i); /* at once: its entries may expire */
  }
  if (is_open && world->common_count > 0 && draw(world)) return true;
  fprintf(stderr, "%zu entries: %s\n", entries,
          is_open && world->common_count == 0 ? "no key is left that all subjects have"
                                              : "no memory for all subjects");
  bench_world_close(world);
  return false;
}

void bench_world_close(bench_world *world)
{
  for (size_t i = 0; i < world->subject_count; i++) {
    if (world->states[i] != NULL) world->subjects[i]->close(world->states[i]);
    world->states[i] = NULL;
  }
  free(world->zipf.keys);
  free(world->uniform.keys);
  free(world->hot.keys);
  free(world->absent.keys);
  free(world->keys);
  world->zipf = world->uniform = world->hot = world->absent = (bench_draws){NULL, 0};
  world->keys = NULL;
}

void bench_world_refill(bench_world *world, size_t subject)
{
  const bench_subject *who = world->subjects[subject];
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (!who->expires || now_ms - world->filled_ms[subject] < REFILL_AFTER_MS) return;
  who->set(world->states[subject], world->keys, world->common_count);
  world->filled_ms[subject] = now_ms;
}

/* ---- one sample ---- */

bool bench_can(const bench_subject *subject, bench_operation operation)
{
  switch (operation) {
    case BENCH_GET: return true;
    case BENCH_SET: return subject->set != NULL && !subject->never_miss;
    case BENCH_GET_OR_SET: return subject->get_or_set != NULL;
    case BENCH_GET_OR_LOAD: return subject->get_or_load != NULL;
    default: return false;
  }
}

static size_t run(const bench_subject *subject, void *state, bench_operation operation,
                  const uint64_t *keys, size_t count)
{
  switch (operation) {
    case BENCH_GET: return subject->get(state, keys, count);
    case BENCH_SET: subject->set(state, keys, count); return count;
    case BENCH_GET_OR_SET: return subject->get_or_set(state, keys, count);
    case BENCH_GET_OR_LOAD: return subject->get_or_load(state, keys, count);
    default: return 0;
  }
}

/* The processor's time for this thread: what other programs take meanwhile does not count. */
static uint64_t thread_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bench_sample bench_measure(const bench_world *world, size_t subject, bench_operation operation,
                           const uint64_t *keys)
{
  const bench_subject *who = world->subjects[subject];
  void *state = world->states[subject];
  const size_t warm_up = bench_warm_up(world->options), count = world->options->operations;
  run(who, state, operation, keys, warm_up);
  const uint64_t start_ns = thread_ns();
  const size_t found = run(who, state, operation, keys + warm_up, count);
  const uint64_t taken_ns = thread_ns() - start_ns;
  return (bench_sample){(double)taken_ns / (double)count, (double)found / (double)count};
}

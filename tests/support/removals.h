/* removals.h: no allocation that fails keeps an old value alive.
 *
 * Every write fails at each of its allocations in turn, alone and with all that follow it. Whatever
 * it says then, this process does not serve the value that was to go, neither from L1 nor from L2,
 * from that moment on; and once the repairs are done no process does. Two caches of one L2 stand
 * for two processes.
 *
 * The includer defines `removals_ops`, `removals_open(void)` which returns the opened L2, and
 * `removals_close(void)`, then includes this file. Built with failing_alloc.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/platform/clock.h"
#include "failing_alloc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define POINTS_MAX 400 /* more allocations than any write makes */
#define KEYS 3
#define OLD 1111
#define NEW 2222
#define PATIENCE_MS 60000
#define TEXT_SIZE 4000

ACCEL_DEFINE_STR_WITH(row, uint64_t, .remote = &removals_ops)

static row_cache writer, other;
static const accel_read only_local = {.skip_remote = true, .disable_load = true};
static const accel_read only_cached = {.disable_load = true};

/* ---- keys: short, and too long for L2 to hold but as a hash ---- */

static char texts[POINTS_MAX][KEYS][TEXT_SIZE];
static size_t longest; /* of the keys' texts */

static const char *key_of(unsigned round, unsigned i)
{
  char *text = texts[round][i];
  const size_t size = i == 0 ? 8 : i == 1 ? longest / 2 : longest;
  snprintf(text, TEXT_SIZE, "%0*u", (int)(size < 8 ? 8 : size), round * KEYS + i);
  return text;
}

/* ---- the writes ---- */

static uint64_t new_values[KEYS] = {NEW, NEW, NEW};

static accel_status run_set(const char *const keys[KEYS])
{
  return row_cache_set(&writer, keys[0], &new_values[0]);
}

static accel_status run_set_null(const char *const keys[KEYS])
{
  return row_cache_set_null(&writer, keys[1]);
}

static accel_status run_set_remotely(const char *const keys[KEYS])
{
  const accel_write write = {.skip_local = true};
  return row_cache_set_with(&writer, keys[2], &write, &new_values[0]);
}

static accel_status run_del(const char *const keys[KEYS])
{
  return row_cache_del(&writer, keys[1]);
}

static accel_status run_del_after(const char *const keys[KEYS])
{
  return row_cache_del_after(&writer, keys[0], 1);
}

static accel_status run_mset(const char *const keys[KEYS])
{
  return row_cache_mset(&writer, keys, new_values, KEYS);
}

static accel_status run_mdel(const char *const keys[KEYS])
{
  return row_cache_mdel(&writer, keys, KEYS);
}

ACCEL_CACHE_EVICT(row, remove_first, (const char *key), (key), .cache = &writer, .key = key)
{
  (void)key;
  return ACCEL_OK;
}

static accel_status run_evict(const char *const keys[KEYS])
{
  /* The wrapper hides what the cache says: whether it failed is seen by the repairs. */
  return remove_first(keys[0]);
}

static accel_status run_clear(const char *const keys[KEYS])
{
  (void)keys;
  return row_cache_clear(&writer);
}

typedef struct removal {
  const char *name;
  accel_status (*run)(const char *const keys[KEYS]);
  bool changes[KEYS]; /* which keys it is about */
} removal;

static const removal removals[] = {
    {"set", run_set, {true}},
    {"set_null", run_set_null, {false, true}},
    {"set of L2 alone", run_set_remotely, {false, false, true}},
    {"del", run_del, {false, true}},
    {"del_after", run_del_after, {true}},
    {"mset", run_mset, {true, true, true}},
    {"mdel", run_mdel, {true, true, true}},
    {"evict", run_evict, {true}},
    {"clear", run_clear, {true, true, true}},
};

/* ---- what must hold ---- */

static void nap(void)
{
  const struct timespec pause = {0, 1000000};
  nanosleep(&pause, NULL);
}

static size_t repairs_left(void)
{
  accel_diagnostic seen;
  row_cache_diagnostic_snapshot(&writer, &seen);
  return seen.repairs;
}

static void await_repaired(const char *what)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  uint64_t value;
  while (repairs_left() > 0) {
    if (accel_clock_monotonic_ms() > until_ms)
      fail_msg("%s: %zu repairs are never done", what, repairs_left());
    (void)row_cache_get_with(&writer, "a read that finds L2 left out", &only_cached, &value);
    nap();
  }
}

static bool reads_old(row_cache *cache, const accel_read *how, const char *key)
{
  uint64_t value = 0;
  return row_cache_get_with(cache, key, how, &value) == ACCEL_OK && value == OLD;
}

/* Both processes hold the old value, and L2 does. */
static void give_old(const char *const keys[KEYS])
{
  const uint64_t old = OLD;
  for (unsigned i = 0; i < KEYS; i++) {
    const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
    do {
      if (accel_clock_monotonic_ms() > until_ms) fail_msg("L2 does not take a value");
      (void)row_cache_set(&writer, keys[i], &old);
      (void)reads_old(&other, &only_cached, keys[i]);
    } while (!reads_old(&other, &only_local, keys[i]) || !reads_old(&writer, &only_local, keys[i]));
  }
}

static void expect_gone_here(const removal *each, const char *const keys[KEYS], uint64_t point)
{
  for (unsigned i = 0; i < KEYS; i++) {
    if (!each->changes[i]) continue;
    if (reads_old(&writer, &only_local, keys[i]))
      fail_msg("%s, allocation %u: L1 has key %u as it was", each->name, (unsigned)point, i);
    if (reads_old(&writer, &only_cached, keys[i]))
      fail_msg("%s, allocation %u: L2 is believed of key %u", each->name, (unsigned)point, i);
  }
}

/* Messages may still be on their way. */
static void expect_gone_everywhere(const removal *each, unsigned rounds)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < KEYS; i++) {
      if (!each->changes[i]) continue;
      const char *key = key_of(round, i);
      while (reads_old(&other, &only_cached, key)) {
        if (accel_clock_monotonic_ms() > until_ms)
          fail_msg("%s, allocation %u: another process keeps key %u", each->name, round + 1, i);
        nap();
      }
      assert_false(reads_old(&writer, &only_cached, key));
    }
  }
}

static void order_failure(uint64_t point, bool all_from_there)
{
  if (all_from_there)
    failing_alloc_fail_from(point);
  else
    failing_alloc_fail_nth(point);
}

/* Allocation after allocation, until the write has none left to fail. */
static void sweep(const removal *each, bool all_from_there)
{
  unsigned round = 0;
  bool has_failed = true;
  for (; has_failed && round < POINTS_MAX; round++) {
    const char *const keys[KEYS] = {key_of(round, 0), key_of(round, 1), key_of(round, 2)};
    give_old(keys);
    order_failure(round + 1, all_from_there);
    (void)each->run(keys);
    has_failed = failing_alloc_failures() > 0;
    failing_alloc_fail_nth(0);
    expect_gone_here(each, keys, round + 1);
  }
  assert_true(round < POINTS_MAX);
  await_repaired(each->name);
  expect_gone_everywhere(each, round);
}

static void open_both(size_t key_size)
{
  longest = key_size;
  const accel_config config = {
      .area = "row", .capacity = 4000, .remote = removals_open(), .loader_timeout_ms = PATIENCE_MS};
  assert_int_equal(row_cache_open(&writer, &config), ACCEL_OK);
  assert_int_equal(row_cache_open(&other, &config), ACCEL_OK);
}

static void close_both(void)
{
  row_cache_close(&writer);
  row_cache_close(&other);
  removals_close();
}

static void every_removal_happens_without_memory(void **state)
{
  (void)state;
  open_both(300);
  for (size_t i = 0; i < sizeof removals / sizeof removals[0]; i++) {
    sweep(&removals[i], false);
    sweep(&removals[i], true);
  }
  close_both();
}

/* The text of such a key does not fit into the memory of open: the area is on the list then. */
static void the_longest_keys_are_removed_without_memory(void **state)
{
  (void)state;
  open_both(TEXT_SIZE - 1);
  for (size_t i = 0; i < sizeof removals / sizeof removals[0]; i++)
    if (removals[i].run == run_mdel || removals[i].run == run_set_remotely)
      sweep(&removals[i], true);
  close_both();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_removal_happens_without_memory),
      cmocka_unit_test(the_longest_keys_are_removed_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

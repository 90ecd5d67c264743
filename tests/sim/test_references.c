/* The reference policies against the plainest programs that do the same, and against what can be
 * worked out by hand. */
#include "reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEYS_MAX 64
#define LENGTH_MAX 4096

typedef struct small_trace {
  uint32_t keys[LENGTH_MAX];
  sim_trace trace;
} small_trace;

static void make(small_trace *to, const char *description)
{
  sim_error error;
  sim_trace made = {0};
  assert_true(sim_trace_make(description, &made, &error));
  assert_in_range(made.length, 1, LENGTH_MAX);
  assert_in_range(made.distinct, 1, KEYS_MAX);
  memcpy(to->keys, made.keys, made.length * sizeof *made.keys);
  to->trace = (sim_trace){to->keys, made.length, made.distinct};
  sim_trace_release(&made);
}

static void make_of(small_trace *to, const char *digits)
{
  to->trace = (sim_trace){to->keys, strlen(digits), 0};
  for (size_t i = 0; i < to->trace.length; i++) {
    to->keys[i] = (uint32_t)(digits[i] - '0');
    if (to->keys[i] >= to->trace.distinct) to->trace.distinct = to->keys[i] + 1;
  }
}

/* ---- queues as arrays, the oldest first ---- */

typedef struct row {
  uint32_t keys[KEYS_MAX + 1];
  unsigned count;
} row;

static unsigned row_find(const row *in, uint32_t key)
{
  unsigned at = 0;
  while (at < in->count && in->keys[at] != key) at++;
  return at;
}

static bool row_has(const row *in, uint32_t key)
{
  return row_find(in, key) < in->count;
}

static void row_add(row *to, uint32_t key)
{
  assert_in_range(to->count, 0, KEYS_MAX);
  to->keys[to->count++] = key;
}

static void row_remove(row *from, uint32_t key)
{
  const unsigned at = row_find(from, key);
  assert_true(at < from->count);
  memmove(&from->keys[at], &from->keys[at + 1], (from->count - at - 1) * sizeof *from->keys);
  from->count--;
}

static uint32_t row_pop(row *from)
{
  const uint32_t key = from->keys[0];
  row_remove(from, key);
  return key;
}

static uint64_t plain_lru(const sim_trace *trace, unsigned capacity)
{
  row entries = {.count = 0};
  uint64_t hits = 0;
  for (size_t i = 0; i < trace->length; i++) {
    const uint32_t key = trace->keys[i];
    if (row_has(&entries, key)) {
      hits++;
      row_remove(&entries, key);
    }
    if (entries.count == capacity) row_pop(&entries);
    row_add(&entries, key);
  }
  return hits;
}

/* ---- S3-FIFO, as in the pseudo code of its paper ---- */

typedef struct plain_s3 {
  row small, main_part, ghosts;
  unsigned uses[KEYS_MAX];
} plain_s3;

static void plain_s3_evict(plain_s3 *cache, unsigned capacity, unsigned limit)
{
  const bool is_small = cache->small.count >= limit;
  const uint32_t gone = row_pop(is_small ? &cache->small : &cache->main_part);
  if (is_small && cache->uses[gone] > 1) {
    cache->uses[gone] = 0;
    row_add(&cache->main_part, gone);
  } else if (is_small) {
    row_add(&cache->ghosts, gone);
    if (cache->ghosts.count > capacity - limit) row_pop(&cache->ghosts);
  } else if (cache->uses[gone] > 0) {
    cache->uses[gone]--;
    row_add(&cache->main_part, gone);
  }
}

static uint64_t plain_s3fifo(const sim_trace *trace, unsigned capacity)
{
  plain_s3 cache;
  memset(&cache, 0, sizeof cache);
  const unsigned limit = capacity < 10 ? 1 : capacity / 10;
  uint64_t hits = 0;
  for (size_t i = 0; i < trace->length; i++) {
    const uint32_t key = trace->keys[i];
    if (row_has(&cache.small, key) || row_has(&cache.main_part, key)) {
      hits++;
      cache.uses[key] += cache.uses[key] < 3;
      continue;
    }
    const bool is_ghost = row_has(&cache.ghosts, key);
    if (is_ghost) row_remove(&cache.ghosts, key);
    while (cache.small.count + cache.main_part.count == capacity)
      plain_s3_evict(&cache, capacity, limit);
    cache.uses[key] = 0;
    row_add(is_ghost ? &cache.main_part : &cache.small, key);
  }
  return hits;
}

/* ---- W-TinyLFU with exact counts, which are what a sketch has as long as none is halved ---- */

typedef struct plain_lfu {
  row window, probation, protected_part;
  unsigned counts[KEYS_MAX];
  unsigned limit, room;
} plain_lfu;

static void plain_lfu_admit(plain_lfu *cache)
{
  const uint32_t newcomer = row_pop(&cache->window);
  row *from = cache->probation.count > 0 ? &cache->probation : &cache->protected_part;
  if (cache->probation.count + cache->protected_part.count == cache->room) {
    if (from->count == 0 || cache->counts[newcomer] <= cache->counts[from->keys[0]]) return;
    row_pop(from);
  }
  row_add(&cache->probation, newcomer);
}

static bool plain_lfu_get(plain_lfu *cache, uint32_t key)
{
  cache->counts[key] += cache->counts[key] < 15;
  if (row_has(&cache->window, key)) {
    row_remove(&cache->window, key);
    row_add(&cache->window, key);
    return true;
  }
  const bool is_protected = row_has(&cache->protected_part, key);
  if (!is_protected && !row_has(&cache->probation, key)) {
    row_add(&cache->window, key);
    if (cache->window.count > cache->limit) plain_lfu_admit(cache);
    return false;
  }
  row_remove(is_protected ? &cache->protected_part : &cache->probation, key);
  row_add(&cache->protected_part, key);
  if (cache->protected_part.count > cache->room * 4 / 5)
    row_add(&cache->probation, row_pop(&cache->protected_part));
  return true;
}

static uint64_t plain_tinylfu(const sim_trace *trace, unsigned capacity, unsigned percent)
{
  plain_lfu cache;
  memset(&cache, 0, sizeof cache);
  cache.limit = capacity * percent / 100 == 0 ? 1 : capacity * percent / 100;
  cache.room = capacity - cache.limit;
  uint64_t hits = 0;
  for (size_t i = 0; i < trace->length; i++) hits += plain_lfu_get(&cache, trace->keys[i]);
  return hits;
}

/* ---- the optimum: every choice there is ---- */

static unsigned best_from(const sim_trace *trace, size_t at, uint32_t residents, unsigned capacity)
{
  if (at == trace->length) return 0;
  const uint32_t bit = 1u << trace->keys[at];
  if ((residents & bit) != 0) return 1 + best_from(trace, at + 1, residents, capacity);
  const uint32_t all = residents | bit;
  if ((unsigned)__builtin_popcount(all) <= capacity) return best_from(trace, at + 1, all, capacity);
  unsigned best = 0;
  for (uint32_t rest = all; rest != 0; rest &= rest - 1) {
    const unsigned hits = best_from(trace, at + 1, all & ~(rest & -rest), capacity);
    if (hits > best) best = hits;
  }
  return best;
}

/* ---- tests ---- */

static void lru_and_s3fifo_are_what_plain_programs_do(void **state)
{
  static const char *const descriptions[] = {
      "zipf:keys=40,length=1000,exponent=0.8",
      "zipf:keys=60,length=1000,exponent=1.2,seed=2",
      "uniform:keys=30,length=1000",
      "loop:keys=24,length=500",
      "scan:length=60",
      "shift:keys=50,length=1000,period=100",
  };
  (void)state;
  static small_trace small;
  for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++) {
    make(&small, descriptions[i]);
    for (unsigned capacity = 1; capacity <= 32; capacity++) {
      uint64_t hits;
      assert_true(sim_lru(&small.trace, capacity, &hits));
      assert_int_equal(hits, plain_lru(&small.trace, capacity));
      assert_true(sim_s3fifo(&small.trace, capacity, &hits));
      assert_int_equal(hits, plain_s3fifo(&small.trace, capacity));
    }
  }
}

/* Traces so short that no count is halved, and keys so few that the sketch does not err. */
static void tinylfu_is_what_a_plain_program_does(void **state)
{
  (void)state;
  static small_trace small;
  for (unsigned seed = 1; seed <= 20; seed++) {
    char description[80];
    snprintf(description, sizeof description, "zipf:keys=24,length=150,exponent=0.7,seed=%u", seed);
    make(&small, description);
    for (unsigned capacity = 16; capacity <= 22; capacity++) {
      uint64_t hits;
      assert_true(sim_tinylfu_1(&small.trace, capacity, &hits));
      assert_int_equal(hits, plain_tinylfu(&small.trace, capacity, 1));
      assert_true(sim_tinylfu_20(&small.trace, capacity, &hits));
      assert_int_equal(hits, plain_tinylfu(&small.trace, capacity, 20));
    }
  }
}

static void no_choice_is_better_than_the_optimum(void **state)
{
  (void)state;
  static small_trace small;
  for (unsigned seed = 1; seed <= 40; seed++) {
    char description[80];
    snprintf(description, sizeof description, "zipf:keys=6,length=14,exponent=0.3,seed=%u", seed);
    make(&small, description);
    for (unsigned capacity = 1; capacity <= 3; capacity++) {
      uint64_t hits;
      assert_true(sim_optimum(&small.trace, capacity, &hits));
      assert_int_equal(hits, best_from(&small.trace, 0, 0, capacity));
    }
  }
}

static void hits_that_can_be_counted_by_hand(void **state)
{
  (void)state;
  static small_trace small;
  uint64_t hits;
  make_of(&small, "012012012");
  assert_true(sim_lru(&small.trace, 2, &hits));
  assert_int_equal(hits, 0);
  assert_true(sim_lru(&small.trace, 3, &hits));
  assert_int_equal(hits, 6);
  assert_true(sim_optimum(&small.trace, 2, &hits)); /* 0 and 1, and 2 is never let in */
  assert_int_equal(hits, 4);
  make_of(&small, "0011223344");
  assert_true(sim_s3fifo(&small.trace, 1, &hits));
  assert_int_equal(hits, 5);
  assert_true(sim_tinylfu_20(&small.trace, 1, &hits));
  assert_int_equal(hits, 5);
  assert_true(sim_optimum(&small.trace, 1, &hits));
  assert_int_equal(hits, 5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lru_and_s3fifo_are_what_plain_programs_do),
      cmocka_unit_test(tinylfu_is_what_a_plain_program_does),
      cmocka_unit_test(no_choice_is_better_than_the_optimum),
      cmocka_unit_test(hits_that_can_be_counted_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

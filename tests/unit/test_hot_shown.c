/* test_hot_shown.c: which outputs of an observer list hot keys, how many, and what that takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/hot.h"
#include "accel/observer_state.h"

static size_t hashed; /* calls of .hash */

static uint64_t count_hash(const char *const *key, uint64_t seed)
{
  hashed++;
  return accel_hash_string(*key, seed);
}

static bool is_same(const char *const *a, const char *const *b)
{
  return strcmp(*a, *b) == 0;
}

ACCEL_DEFINE(number, uint64_t, uint64_t)
ACCEL_DEFINE_STR_WITH(word, uint64_t, .hash = count_hash, .equal = is_same)

static uint64_t clock_ms;

static uint64_t now(void *ctx)
{
  (void)ctx;
  return clock_ms;
}

static const accel_clock test_clock = {now, NULL};

typedef struct world {
  accel_observer observer;
  accel_config config;
} world;

static void open_world(world *all, uint32_t hot_keys, bool shows_keys)
{
  const accel_observer_config config = {.shows_keys = shows_keys};
  clock_ms = 1000;
  all->observer.state = NULL;
  assert_int_equal(accel_observer_open(&all->observer, &config), ACCEL_OK);
  all->config = (accel_config){
      .area = "hot", .clock = &test_clock, .hot_keys = hot_keys, .observer = &all->observer};
}

/* Reads each key so often that about `samples` reads of it are samples. */
static void read_numbers(number_cache *cache, uint64_t keys, size_t samples)
{
  uint64_t out;
  for (size_t i = 0; i < samples * ACCEL_HOT_GAP; i++)
    for (uint64_t key = 0; key < keys; key++) accel_ignore(number_cache_get(cache, key, &out));
  clock_ms += 10000;
}

static void only_the_state_lists_them(void **state)
{
  (void)state;
  world all;
  number_cache cache;
  accel_observation seen;
  open_world(&all, 16, false);
  assert_int_equal(number_cache_open(&cache, &all.config), ACCEL_OK);
  read_numbers(&cache, 2, 50);
  assert_int_equal(accel_observer_observe(&all.observer, &seen), ACCEL_OK);
  assert_int_equal(seen.caches[0].hot_key_count, 0);
  accel_observation_release(&seen);
  assert_int_equal(accel_observer_observe_all(&all.observer, &seen), ACCEL_OK);
  assert_int_equal(seen.caches[0].hot_key_count, 2);
  accel_observation_release(&seen);
  number_cache_close(&cache);
  accel_observer_close(&all.observer);
}

/* Two caches of an area, each with other keys. */
static void at_most_64_of_an_area_are_listed(void **state)
{
  (void)state;
  world all;
  number_cache caches[2];
  accel_observation seen;
  open_world(&all, 512, true);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(number_cache_open(&caches[i], &all.config), ACCEL_OK);
  uint64_t out;
  for (size_t i = 0; i < 200 * ACCEL_HOT_GAP; i++)
    accel_ignore(number_cache_get(&caches[1], 1000 + i % 100, &out));
  read_numbers(&caches[0], 100, 10);
  assert_int_equal(accel_observer_observe_all(&all.observer, &seen), ACCEL_OK);
  const accel_observed_cache *line = &seen.caches[0];
  assert_int_equal(line->hot_key_count, ACCEL_OBSERVED_HOT_KEYS);
  for (size_t i = 1; i < line->hot_key_count; i++)
    assert_true(line->hot_keys[i].reads_per_s <= line->hot_keys[i - 1].reads_per_s);
  accel_observation_release(&seen);
  for (size_t i = 0; i < 2; i++) number_cache_close(&caches[i]);
  accel_observer_close(&all.observer);
}

/* The text of a long key is looked for in L1 only if it is to be shown. */
static void hashes_are_shown_without_a_search(void **state)
{
  (void)state;
  for (int shows_keys = 0; shows_keys < 2; shows_keys++) {
    world all;
    word_cache cache;
    accel_buffer text = {0};
    uint64_t out = 1;
    char key[64];
    open_world(&all, 16, shows_keys);
    assert_int_equal(word_cache_open(&cache, &all.config), ACCEL_OK);
    for (int i = 0; i < 500; i++) {
      snprintf(key, sizeof key, "a key of more than 24 characters %d", i);
      assert_int_equal(word_cache_set(&cache, key, &out), ACCEL_OK);
    }
    for (size_t i = 0; i < 50 * ACCEL_HOT_GAP; i++)
      accel_ignore(word_cache_get(&cache, "never there, and therefore never found", &out));
    clock_ms += 10000;
    hashed = 0;
    assert_int_equal(accel_observer_json(&all.observer, &text), ACCEL_OK);
    assert_int_equal(hashed > 0, shows_keys);
    accel_buffer_release(&text);
    word_cache_close(&cache);
    accel_observer_close(&all.observer);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_the_state_lists_them),
      cmocka_unit_test(at_most_64_of_an_area_are_listed),
      cmocka_unit_test(hashes_are_shown_without_a_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

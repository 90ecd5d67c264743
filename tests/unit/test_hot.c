/* test_hot.c: which keys are read most: whether the right ones are found, at which rates, in which
 * window, for every kind of key; and that no count is lost to the sampling. Everything is counted,
 * and what is random is drawn from a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/hot.h"
#include "accel/stats.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ACCEL_DEFINE(number, uint64_t, uint64_t)
ACCEL_DEFINE(small, uint8_t, uint64_t)
ACCEL_DEFINE_STR(word, uint64_t)

typedef struct place_t {
  uint32_t x, y, z;
} place_t;

static uint64_t place_hash(const place_t *place, uint64_t seed)
{
  return accel_hash_integer(place->x, seed) + place->y + place->z;
}

static bool place_equal(const place_t *a, const place_t *b)
{
  return a->x == b->x && a->y == b->y && a->z == b->z;
}

ACCEL_DEFINE_WITH(place, place_t, uint64_t, .hash = place_hash, .equal = place_equal)

static uint64_t clock_ms;

static uint64_t read_clock(void *ctx)
{
  (void)ctx;
  return clock_ms;
}

static const accel_clock test_clock = {.now_ms = read_clock};

static accel_config config_of(uint32_t hot_keys)
{
  clock_ms = 1000000;
  return (accel_config){.area = "hot", .clock = &test_clock, .hot_keys = hot_keys};
}

/* ---- a Zipf distribution ---- */

enum { ZIPF_KEYS = 100000 };

typedef struct zipf {
  double sums[ZIPF_KEYS];
  uint64_t random;
} zipf;

static void zipf_open(zipf *self, double exponent)
{
  double sum = 0;
  for (size_t i = 0; i < ZIPF_KEYS; i++) self->sums[i] = sum += 1 / pow((double)i + 1, exponent);
  self->random = 7;
}

static double zipf_share(const zipf *self, size_t key)
{
  const double before = key == 0 ? 0 : self->sums[key - 1];
  return (self->sums[key] - before) / self->sums[ZIPF_KEYS - 1];
}

static uint64_t zipf_draw(zipf *self)
{
  self->random = self->random * 6364136223846793005u + 1442695040888963407u;
  const double wanted =
      (double)(self->random >> 11) / 9007199254740992.0 * self->sums[ZIPF_KEYS - 1];
  size_t low = 0, high = ZIPF_KEYS - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (self->sums[middle] < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static accel_hot *watch(zipf *keys, uint32_t slots, size_t samples)
{
  accel_hot *hot = accel_hot_open(&number_cache_type_, slots, 10000, 5000);
  assert_non_null(hot);
  for (size_t i = 0; i < samples; i++) {
    const uint64_t key = zipf_draw(keys);
    accel_hot_add(hot, &key, accel_hash_integer(key, 99), 5000 + i * 10000 / samples);
  }
  return hot;
}

static uint64_t key_of(const accel_hot_seen *seen)
{
  uint64_t key;
  assert_non_null(seen->key);
  memcpy(&key, seen->key, sizeof key);
  return key;
}

/* Of 20 million reads one in 1024 is seen. */
static void most_of_the_hottest_keys_are_found(void **state)
{
  (void)state;
  static zipf keys;
  zipf_open(&keys, 1.0);
  for (int round = 0; round < 5; round++) {
    accel_hot *hot = watch(&keys, 256, 20000000 / ACCEL_HOT_GAP);
    accel_hot_report report;
    assert_true(accel_hot_report_open(hot, 15000, &report));
    size_t found = 0;
    for (size_t i = 0; i < 16; i++) found += key_of(&report.seen[i]) < 16;
    assert_true(found >= 13);
    accel_hot_report_close(&report);
    accel_hot_close(hot, false);
  }
}

static void rates_of_frequent_keys_are_right(void **state)
{
  (void)state;
  static zipf keys;
  enum { SAMPLES = 400000 };
  zipf_open(&keys, 1.0);
  accel_hot *hot = watch(&keys, 256, SAMPLES);
  accel_hot_report report;
  assert_true(accel_hot_report_open(hot, 15000, &report));
  assert_int_equal(report.window_ms, 10000);
  size_t frequent = 0;
  for (size_t i = 0; i < report.count; i++) {
    const double expected = zipf_share(&keys, key_of(&report.seen[i])) * SAMPLES;
    if (expected < SAMPLES / 100.0) continue;
    frequent++;
    assert_true(fabs((double)report.seen[i].samples - expected) < expected / 10);
  }
  assert_int_equal(frequent, 8); /* as many as there are */
  for (size_t i = 1; i < report.count; i++)
    assert_true(report.seen[i].samples <= report.seen[i - 1].samples);
  accel_hot_report_close(&report);
  accel_hot_close(hot, false);
}

/* A newcomer inherits the count of the key whose place it takes. */
static void a_newcomer_does_not_overtake(void **state)
{
  (void)state;
  accel_hot *hot = accel_hot_open(&number_cache_type_, 1, 10000, 0);
  accel_hot_report report;
  for (uint64_t key = 0; key < 16; key++)
    for (int i = 0; i < 100 + (int)key; i++) accel_hot_add(hot, &key, key, 1);
  const uint64_t late = 99;
  accel_hot_add(hot, &late, late, 1);
  assert_true(accel_hot_report_open(hot, 2, &report));
  assert_int_equal(report.count, 16);
  assert_int_equal(key_of(&report.seen[0]), 15);
  assert_int_equal(report.seen[0].samples, 115);
  assert_int_equal(key_of(&report.seen[15]), late);
  assert_int_equal(report.seen[15].samples, 1);
  accel_hot_report_close(&report);
  accel_hot_close(hot, false);
}

/* Whatever the user's hash is. */
static void keys_of_one_hash_are_kept_apart(void **state)
{
  (void)state;
  accel_hot *hot = accel_hot_open(&number_cache_type_, 16, 10000, 0);
  accel_hot_report report;
  for (uint64_t i = 0; i < 30; i++) {
    const uint64_t key = i % 3 == 0;
    accel_hot_add(hot, &key, 5, 1);
  }
  assert_true(accel_hot_report_open(hot, 2, &report));
  assert_int_equal(report.count, 2);
  assert_int_equal(report.seen[0].samples, 20);
  assert_int_equal(report.seen[1].samples, 10);
  accel_hot_report_close(&report);
  accel_hot_close(hot, false);
}

/* ---- windows, through a cache ---- */

static void read_often(number_cache *cache, uint64_t key, size_t times)
{
  uint64_t out;
  for (size_t i = 0; i < times; i++) accel_ignore(number_cache_get(cache, key, &out));
}

static void a_report_is_of_the_last_complete_window(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[8];
  accel_config config = config_of(64);
  config.hot_key_window_ms = 1000;
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 0);
  assert_int_equal(number_cache_set(&cache, 1, &(uint64_t){1}), ACCEL_OK);
  assert_int_equal(number_cache_set(&cache, 2, &(uint64_t){2}), ACCEL_OK);
  read_often(&cache, 1, 100 * ACCEL_HOT_GAP);
  clock_ms += 500; /* none is complete: what there is, over its own time */
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 1);
  assert_true(fabs(hot[0].reads_per_s - 200.0 * ACCEL_HOT_GAP) < 60.0 * ACCEL_HOT_GAP);
  clock_ms += 500;
  read_often(&cache, 2, 300 * ACCEL_HOT_GAP);
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 1);
  assert_int_equal(hot[0].key, 1);
  assert_true(fabs(hot[0].reads_per_s - 100.0 * ACCEL_HOT_GAP) < 30.0 * ACCEL_HOT_GAP);
  assert_true(fabs((double)hot[0].at_least - hot[0].reads_per_s) < 1);
  clock_ms += 1000;
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 1);
  assert_int_equal(hot[0].key, 2);
  clock_ms += 1000; /* nobody read anything */
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 0);
  read_often(&cache, 1, 10 * ACCEL_HOT_GAP);
  clock_ms += 5000; /* nor in the last of several */
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 0);
  number_cache_close(&cache);
}

static void missing_keys_are_seen_too(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[8];
  const accel_config config = config_of(16);
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  read_often(&cache, 404, 50 * ACCEL_HOT_GAP);
  clock_ms += 10000;
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 1);
  assert_int_equal(hot[0].key, 404);
  number_cache_close(&cache);
}

static accel_status load_none(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx, (void)out;
  return key == 0 ? ACCEL_OK : (accel_status)-1000;
}

/* Reads that miss, of one key and of many; hits of get_ref and of mget. */
static void every_kind_of_read_is_sampled(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[8];
  number_cache_ref ref;
  accel_config config = config_of(16);
  config.loader_timeout_ms = ACCEL_FOREVER;
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load_none, NULL);
  assert_int_equal(number_cache_set(&cache, 1, &(uint64_t){1}), ACCEL_OK);
  uint64_t keys[2] = {1, 2}, values[2];
  for (size_t i = 0; i < 20 * ACCEL_HOT_GAP; i++) {
    assert_int_equal(number_cache_get_ref(&cache, 1, &ref), ACCEL_OK);
    number_cache_ref_release(&ref);
    accel_ignore(number_cache_mget(&cache, keys, 2, NULL, values, NULL));
  }
  clock_ms += 10000;
  assert_int_equal(number_cache_hot_keys(&cache, hot, 8), 2);
  assert_int_equal(hot[0].key, 1);
  assert_int_equal(hot[1].key, 2);
  accel_metrics metrics;
  number_cache_metrics_snapshot(&cache, &metrics);
  assert_int_equal(metrics.local_hit, 40 * ACCEL_HOT_GAP);
  assert_int_equal(metrics.local_miss, 20 * ACCEL_HOT_GAP);
  number_cache_close(&cache);
}

static void without_hot_keys_there_is_no_report(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[1];
  const accel_config config = config_of(0);
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  read_often(&cache, 1, 10 * ACCEL_HOT_GAP);
  clock_ms += 10000;
  assert_int_equal(number_cache_hot_keys(&cache, hot, 1), 0);
  assert_int_equal(number_cache_hot_keys(&cache, NULL, 1), 0);
  number_cache_close(&cache);
  assert_int_equal(number_cache_hot_keys(&cache, hot, 1), 0);
}

static void expect_in_state(bool shows_keys, const char *expected)
{
  accel_observer observer;
  number_cache cache;
  accel_buffer state = {0};
  const accel_observer_config seen = {.shows_keys = shows_keys};
  accel_config config = config_of(16);
  assert_int_equal(accel_observer_open(&observer, &seen), ACCEL_OK);
  config.observer = &observer;
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  read_often(&cache, 404, 50 * ACCEL_HOT_GAP);
  clock_ms += 10000;
  assert_int_equal(accel_observer_json(&observer, &state), ACCEL_OK);
  assert_true(accel_buffer_append(&state, "", 1));
  assert_non_null(strstr((const char *)state.data, expected));
  assert_int_equal(strstr((const char *)state.data, "\"404\"") != NULL, shows_keys);
  accel_buffer_release(&state);
  number_cache_close(&cache);
  accel_observer_close(&observer);
}

static void an_observer_shows_them_by_their_hashes(void **state)
{
  (void)state;
  expect_in_state(false, "\"key\":\"#");
  expect_in_state(true, "\"key\":\"404\"");
}

/* ---- kinds of keys ---- */

static void keys_of_any_size_are_written_in_place(void **state)
{
  (void)state;
  small_cache bytes;
  place_cache places;
  small_cache_hot_key hot_bytes[3];
  place_cache_hot_key hot_places[3];
  uint64_t out;
  const accel_config config = config_of(16);
  assert_int_equal(small_cache_open(&bytes, &config), ACCEL_OK);
  assert_int_equal(place_cache_open(&places, &config), ACCEL_OK);
  const place_t place = {7, 8, 9};
  for (size_t i = 0; i < 60 * ACCEL_HOT_GAP; i++) {
    accel_ignore(small_cache_get(&bytes, (uint8_t)(i % 3 == 0 ? 200 : 100), &out));
    accel_ignore(place_cache_get(&places, i % 3 == 0 ? (place_t){1, 2, 3} : place, &out));
  }
  clock_ms += 10000;
  assert_int_equal(small_cache_hot_keys(&bytes, hot_bytes, 3), 2);
  assert_int_equal(hot_bytes[0].key, 100);
  assert_int_equal(hot_bytes[1].key, 200);
  assert_true(hot_bytes[1].at_least > 0 && hot_bytes[1].reads_per_s > 0);
  assert_int_equal(place_cache_hot_keys(&places, hot_places, 3), 2);
  assert_memory_equal(&hot_places[0].key, &place, sizeof place);
  assert_true(hot_places[0].at_least > hot_places[1].at_least);
  assert_int_equal(place_cache_hot_keys(&places, hot_places, 1), 1);
  small_cache_close(&bytes);
  place_cache_close(&places);
}

/* Long ones are kept by their hash, so only those that L1 has now have a name. */
static void long_strings_are_looked_up(void **state)
{
  (void)state;
  word_cache cache;
  word_cache_hot_key hot[5];
  uint64_t out;
  static const char *const keys[] = {"short", "exactly 24 characters   ",
                                     "a key of 25 characters...",
                                     "a key that is long, and was never there"};
  const accel_config config = config_of(16);
  assert_int_equal(word_cache_open(&cache, &config), ACCEL_OK);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(word_cache_set(&cache, keys[i], &(uint64_t){i}), ACCEL_OK);
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < (60 - 12 * i) * ACCEL_HOT_GAP; k++)
      accel_ignore(word_cache_get(&cache, keys[i], &out));
  clock_ms += 10000;
  assert_int_equal(word_cache_hot_keys(&cache, hot, 5), 3);
  for (size_t i = 0; i < 3; i++) assert_string_equal(hot[i].key, keys[i]);
  assert_int_equal(word_cache_del(&cache, keys[2]), ACCEL_OK);
  assert_int_equal(word_cache_hot_keys(&cache, hot, 5), 2);
  word_cache_close(&cache);
}

/* ---- sampling ---- */

/* However often a cycle of reads is as long as the gap. */
static void a_pattern_of_reads_does_not_meet_the_samples(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[4];
  const accel_config config = config_of(16);
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  for (uint64_t key = 0; key < 4; key++)
    assert_int_equal(number_cache_set(&cache, key, &key), ACCEL_OK);
  for (size_t i = 0; i < 400 * ACCEL_HOT_GAP; i++) read_often(&cache, i % 4, 1);
  clock_ms += 10000;
  assert_int_equal(number_cache_hot_keys(&cache, hot, 4), 4);
  for (size_t i = 0; i < 4; i++) {
    assert_true(hot[i].at_least > 60 * ACCEL_HOT_GAP);
    assert_true(hot[i].at_least < 140 * ACCEL_HOT_GAP);
  }
  number_cache_close(&cache);
}

enum { THREADS = 24, READS = 20000 };

static void *read_in_a_thread(void *cache)
{
  for (size_t i = 0; i < READS; i++) read_often((number_cache *)cache, i % 5 == 0 ? 9 : i % 3, 1);
  return NULL;
}

static void *count_in_a_thread(void *stats)
{
  for (size_t i = 0; i < READS; i++) {
    accel_stats_line *own = accel_stats_own((accel_stats *)stats);
    if (!accel_tally_count(&own->hit)) accel_stats_local((accel_stats *)stats, 1, 0);
  }
  return NULL;
}

/* A snapshot never sees less than one before, and at the end everything. */
static void gaps_lose_no_count(void **state)
{
  (void)state;
  accel_stats *stats = accel_stats_open(3); /* gaps that end all the time */
  pthread_t threads[THREADS];
  uint64_t before = 0;
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_in_a_thread, stats), 0);
  for (int i = 0; i < 200; i++) { /* while they count */
    uint64_t values[ACCEL_COUNTERS];
    accel_stats_values(stats, values);
    assert_true(values[ACCEL_COUNT_local_hit] >= before);
    assert_true(values[ACCEL_COUNT_local_hit] <= (uint64_t)THREADS * READS);
    before = values[ACCEL_COUNT_local_hit];
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  uint64_t values[ACCEL_COUNTERS];
  accel_stats_values(stats, values);
  assert_int_equal(values[ACCEL_COUNT_local_hit], THREADS * READS);
  assert_int_equal(values[ACCEL_COUNT_local_miss], 0);
  accel_stats_close(stats);
}

static void threads_count_and_report_at_once(void **state)
{
  (void)state;
  number_cache cache;
  number_cache_hot_key hot[4];
  pthread_t threads[THREADS];
  accel_config config = config_of(16);
  config.clock = NULL;
  config.hot_key_window_ms = 1;
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  for (uint64_t key = 0; key < 3; key++)
    assert_int_equal(number_cache_set(&cache, key, &key), ACCEL_OK);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, read_in_a_thread, &cache), 0);
  for (int i = 0; i < 200; i++)
    for (size_t k = number_cache_hot_keys(&cache, hot, 4); k-- > 0;)
      assert_true(hot[k].key < 3 || hot[k].key == 9);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  accel_metrics metrics;
  number_cache_metrics_snapshot(&cache, &metrics);
  assert_int_equal(metrics.local_hit + metrics.local_miss, THREADS * READS);
  assert_int_equal(metrics.local_miss, THREADS * READS / 5);
  number_cache_close(&cache);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(most_of_the_hottest_keys_are_found),
      cmocka_unit_test(rates_of_frequent_keys_are_right),
      cmocka_unit_test(a_newcomer_does_not_overtake),
      cmocka_unit_test(keys_of_one_hash_are_kept_apart),
      cmocka_unit_test(a_report_is_of_the_last_complete_window),
      cmocka_unit_test(missing_keys_are_seen_too),
      cmocka_unit_test(every_kind_of_read_is_sampled),
      cmocka_unit_test(without_hot_keys_there_is_no_report),
      cmocka_unit_test(an_observer_shows_them_by_their_hashes),
      cmocka_unit_test(keys_of_any_size_are_written_in_place),
      cmocka_unit_test(long_strings_are_looked_up),
      cmocka_unit_test(a_pattern_of_reads_does_not_meet_the_samples),
      cmocka_unit_test(gaps_lose_no_count),
      cmocka_unit_test(threads_count_and_report_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

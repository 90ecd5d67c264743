/* Keys that somebody chose so that they meet under one seed behave like any others, because a
 * cache draws its seed. 100 000 of them are searched for, whose hashes under seed 1 agree in the
 * ten lowest bits, and as many that agree in the ten highest: whichever an engine looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KNOWN_SEED 1u
#define KEYS 100000u
#define BUCKETS 1024u
#define TEXTS 10000u
#define TEXT_BUCKETS 256u
#define ROUNDS 3

typedef struct block {
  uint64_t words[8];
} block;

ACCEL_DEFINE(flood, uint64_t, block)

enum { LOW, HIGH, ORDINARY, FAMILIES };
static const char *const names[FAMILIES] = {"equal low bits", "equal high bits", "ordinary"};
static uint64_t *families[FAMILIES];

static size_t bucket_of(int family, uint64_t hash)
{
  return family == HIGH ? hash >> 54 : hash % BUCKETS;
}

static int search_for_keys(void **state)
{
  size_t found[FAMILIES] = {0};
  (void)state;
  for (int i = 0; i < FAMILIES; i++) {
    families[i] = (uint64_t *)malloc(KEYS * sizeof *families[i]);
    if (families[i] == NULL) return -1;
  }
  for (uint64_t key = 0; found[LOW] < KEYS || found[HIGH] < KEYS; key++) {
    const uint64_t hash = accel_hash_integer(key, KNOWN_SEED);
    if (bucket_of(LOW, hash) == 7 && found[LOW] < KEYS) families[LOW][found[LOW]++] = key;
    if (bucket_of(HIGH, hash) == 7 && found[HIGH] < KEYS) families[HIGH][found[HIGH]++] = key;
  }
  for (uint64_t i = 0; i < KEYS; i++) families[ORDINARY][i] = i * 977;
  return 0;
}

static int forget_keys(void **state)
{
  (void)state;
  for (int i = 0; i < FAMILIES; i++) free(families[i]);
  return 0;
}

/* The share of the fullest bucket, 1 being an equal one. */
static double fullest(const size_t *counts, size_t buckets, size_t keys)
{
  size_t most = 0;
  for (size_t i = 0; i < buckets; i++) most = counts[i] > most ? counts[i] : most;
  return (double)most * (double)buckets / (double)keys;
}

/* Over the buckets of the family's bits. */
static double fullest_bucket(int family, uint64_t seed)
{
  static size_t counts[BUCKETS];
  memset(counts, 0, sizeof counts);
  for (size_t i = 0; i < KEYS; i++)
    counts[bucket_of(family, accel_hash_integer(families[family][i], seed))]++;
  return fullest(counts, BUCKETS, KEYS);
}

static void chosen_keys_meet_under_the_known_seed_only(void **state)
{
  (void)state;
  for (int family = 0; family < ORDINARY; family++) {
    assert_true(fullest_bucket(family, KNOWN_SEED) > BUCKETS - 1);
    for (uint64_t seed = 2; seed < 12; seed++)
      assert_true(fullest_bucket(family, seed * 0x9E3779B97F4A7C15u) < 2);
  }
}

/* ---- a cache ---- */

typedef struct outcome {
  double resident, stripes, ns;
} outcome;

/* The processor time of this thread, whatever else ran. */
static uint64_t own_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t set_and_get_all(flood_cache *cache, const uint64_t *keys, size_t *found)
{
  const uint64_t start_ns = own_ns();
  for (size_t i = 0; i < KEYS; i++) {
    const block value = {{keys[i]}};
    assert_int_equal(flood_cache_set(cache, keys[i], &value), ACCEL_OK);
  }
  for (size_t i = 0; i < KEYS; i++) {
    block value;
    if (flood_cache_get(cache, keys[i], &value) != ACCEL_OK) continue;
    assert_int_equal(value.words[0], keys[i]);
    ++*found;
  }
  return own_ns() - start_ns;
}

/* How a family fares in a cache that draws its own seed, as each does. */
static outcome try_family(int family)
{
  static size_t stripes[ACCEL_LOCAL_STRIPES_MAX];
  static flood_cache cache;
  const accel_config config = {.area = "flood", .capacity = KEYS, .local_ttl_ms = ACCEL_FOREVER};
  size_t found = 0, used = 0;
  memset(stripes, 0, sizeof stripes);
  assert_int_equal(flood_cache_open(&cache, &config), ACCEL_OK);
  assert_true(cache.base.seed != KNOWN_SEED);
  const uint64_t taken_ns = set_and_get_all(&cache, families[family], &found);
  for (size_t i = 0; i < KEYS; i++) {
    const uint64_t hash = accel_hash_integer(families[family][i], cache.base.seed);
    stripes[accel_flat_ops.gate(cache.base.local, hash).stripe]++;
  }
  for (size_t i = 0; i < ACCEL_LOCAL_STRIPES_MAX; i++) used += stripes[i] > 0;
  flood_cache_close(&cache);
  return (outcome){.resident = (double)found / KEYS,
                   .stripes = fullest(stripes, ACCEL_LOCAL_STRIPES_MAX, KEYS) * (double)used /
                              ACCEL_LOCAL_STRIPES_MAX,
                   .ns = (double)taken_ns / KEYS};
}

static void take_best(outcome *best, outcome next)
{
  if (next.resident > best->resident) best->resident = next.resident;
  if (best->stripes == 0 || next.stripes < best->stripes) best->stripes = next.stripes;
  if (best->ns == 0 || next.ns < best->ns) best->ns = next.ns;
}

static void chosen_keys_behave_like_others(void **state)
{
  outcome best[FAMILIES] = {{0, 0, 0}};
  (void)state;
  for (int round = 0; round < ROUNDS; round++)
    for (int family = 0; family < FAMILIES; family++) take_best(&best[family], try_family(family));
  for (int family = 0; family < FAMILIES; family++)
    print_message("%s: %.2f %% resident, fullest stripe %.2f of an equal share, %.0f ns\n",
                  names[family], 100 * best[family].resident, best[family].stripes,
                  best[family].ns);
  for (int family = 0; family < ORDINARY; family++) {
    assert_true(best[family].resident > best[ORDINARY].resident - 0.02);
    assert_true(best[family].stripes < 2 * best[ORDINARY].stripes);
    assert_true(best[family].ns < 10 * best[ORDINARY].ns);
  }
}

/* ---- the hash of strings ---- */

static double fullest_of_texts(const uint32_t *numbers, uint64_t seed)
{
  size_t counts[TEXT_BUCKETS] = {0};
  char text[32];
  for (size_t i = 0; i < TEXTS; i++) {
    snprintf(text, sizeof text, "session-%u", numbers[i]);
    counts[accel_hash_string(text, seed) % TEXT_BUCKETS]++;
  }
  return fullest(counts, TEXT_BUCKETS, TEXTS);
}

static void chosen_texts_meet_under_the_known_seed_only(void **state)
{
  static uint32_t numbers[TEXTS];
  char text[32];
  size_t found = 0;
  (void)state;
  for (uint32_t number = 0; found < TEXTS; number++) {
    snprintf(text, sizeof text, "session-%u", number);
    if (accel_hash_string(text, KNOWN_SEED) % TEXT_BUCKETS == 7) numbers[found++] = number;
  }
  assert_true(fullest_of_texts(numbers, KNOWN_SEED) > TEXT_BUCKETS - 1);
  for (uint64_t seed = 2; seed < 12; seed++)
    assert_true(fullest_of_texts(numbers, seed * 0x9E3779B97F4A7C15u) < 2);
}

int main(void)
{
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(chosen_keys_meet_under_the_known_seed_only),
      cmocka_unit_test(chosen_keys_behave_like_others),
      cmocka_unit_test(chosen_texts_meet_under_the_known_seed_only),
  };
  return cmocka_run_group_tests(cases, search_for_keys, forget_keys);
}

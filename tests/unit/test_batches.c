/* What a batch costs grows with its keys and no faster, whatever a user's hash is like. The time of
 * the processor is measured, of which a busy machine takes no more; the limits are more than twenty
 * times what is needed, and a fifth of what the square of so many keys takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS 100000u
#define LIMIT_S 5.0

typedef struct place {
  uint32_t x, y;
} place;

/* Not mixed: places of one row differ in the low bits alone, those of one column in the high. */
static uint64_t place_hash(const place *key, uint64_t seed)
{
  (void)seed;
  return (uint64_t)key->y << 44 | key->x;
}

static bool place_equal(const place *a, const place *b)
{
  return a->x == b->x && a->y == b->y;
}

ACCEL_DEFINE_WITH(place, place, uint64_t, .hash = place_hash, .equal = place_equal)

static accel_status load_all(void *ctx, const place *keys, size_t count, uint64_t *values,
                             accel_status *statuses)
{
  (void)ctx;
  for (size_t i = 0; i < count; i++) {
    values[i] = keys[i].x + keys[i].y;
    statuses[i] = ACCEL_OK;
  }
  return ACCEL_OK;
}

static accel_status load_one(void *ctx, place key, uint64_t *out)
{
  (void)ctx;
  *out = key.x + key.y;
  return ACCEL_OK;
}

static double cpu_s(void)
{
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

typedef struct world {
  place_cache cache;
  place *keys;
  uint64_t *values;
  double began_s;
} world;

static world all;

static int open_world(void **state)
{
  (void)state;
  const accel_config config = {.area = "places",
                               .capacity = 2 * KEYS,
                               .warmup_enabled = true,
                               .loader_timeout_ms = ACCEL_FOREVER};
  all.keys = (place *)calloc(KEYS, sizeof *all.keys);
  all.values = (uint64_t *)calloc(KEYS, sizeof *all.values);
  if (all.keys == NULL || all.values == NULL) return 1;
  for (uint32_t i = 0; i < KEYS; i++) all.keys[i] = i % 2 == 0 ? (place){i, 0} : (place){0, i};
  if (place_cache_open(&all.cache, &config) != ACCEL_OK) return 1;
  all.began_s = cpu_s();
  return 0;
}

static int close_world(void **state)
{
  (void)state;
  const double took_s = cpu_s() - all.began_s;
  place_cache_close(&all.cache);
  free(all.keys);
  free(all.values);
  if (took_s > LIMIT_S) print_error("%.1f s\n", took_s);
  return took_s > LIMIT_S;
}

static void read_all(void)
{
  assert_int_equal(place_cache_mget(&all.cache, all.keys, KEYS, NULL, all.values, NULL), ACCEL_OK);
  for (uint32_t i = 0; i < KEYS; i++) assert_int_equal(all.values[i], i);
}

static void mget_with_an_mloader(void **state)
{
  (void)state;
  place_cache_set_mloader(&all.cache, load_all, NULL);
  read_all();
}

static void mget_key_by_key(void **state)
{
  (void)state;
  place_cache_set_loader(&all.cache, load_one, NULL);
  read_all();
}

/* Each key a hundred times over, in the worst order. */
static void mget_of_duplicates(void **state)
{
  (void)state;
  place_cache_set_mloader(&all.cache, load_all, NULL);
  for (uint32_t i = 0; i < KEYS; i++) all.keys[i] = (place){0, i % 1000};
  assert_int_equal(place_cache_mget(&all.cache, all.keys, KEYS, NULL, all.values, NULL), ACCEL_OK);
  for (uint32_t i = 0; i < KEYS; i++) assert_int_equal(all.values[i], i % 1000);
}

static void mset_and_mdel(void **state)
{
  (void)state;
  for (uint32_t i = 0; i < KEYS; i++) all.values[i] = i;
  assert_int_equal(place_cache_mset(&all.cache, all.keys, all.values, KEYS), ACCEL_OK);
  read_all();
  assert_int_equal(place_cache_mdel(&all.cache, all.keys, KEYS), ACCEL_OK);
}

static void warmup(void **state)
{
  (void)state;
  size_t loaded;
  place_cache_set_mloader(&all.cache, load_all, NULL);
  assert_int_equal(place_cache_warmup(&all.cache, all.keys, KEYS, &loaded), ACCEL_OK);
  assert_int_equal(loaded, KEYS);
}

/* A load that reads others, one by one, while a batch of many is under way in its thread. */
static accel_status load_with_another(void *ctx, place key, uint64_t *out)
{
  (void)ctx;
  const place other = {key.x + KEYS, key.y + KEYS};
  return place_cache_get_or_load(&all.cache, other, NULL, load_one, NULL, out);
}

static void loads_within_a_batch(void **state)
{
  (void)state;
  place_cache_set_loader(&all.cache, load_with_another, NULL);
  assert_int_equal(place_cache_mget(&all.cache, all.keys, KEYS, NULL, all.values, NULL), ACCEL_OK);
}

#define BATCH_TEST(function_) cmocka_unit_test_setup_teardown(function_, open_world, close_world)

int main(void)
{
  const struct CMUnitTest tests[] = {
      BATCH_TEST(mget_with_an_mloader),
      BATCH_TEST(mget_key_by_key),
      BATCH_TEST(mget_of_duplicates),
      BATCH_TEST(mset_and_mdel),
      BATCH_TEST(warmup),
      BATCH_TEST(loads_within_a_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is too long or too large is told, and memory stays within what was configured. */
#include "failures_world.h"

/* ---- sizes ---- */

static void long_keys_work_up_to_the_limit(void **state)
{
  world *all = (world *)*state;
  static char key[110002];
  const row value = row_of(3);
  row out;
  memset(key, 'k', 100000);
  assert_int_equal(note_cache_set(&all->notes, key, &value), ACCEL_OK);
  assert_int_equal(note_cache_get(&all->notes, key, &out), ACCEL_OK);
  assert_int_equal(out.number, 3);
  const accel_read from_remote = {.skip_local = true};
  assert_int_equal(note_cache_get_with(&all->notes, key, &from_remote, &out), ACCEL_OK);
  key[99999] = 'x';
  assert_int_equal(note_cache_get(&all->notes, key, &out), ACCEL_MISS);
  memset(key, 'k', 110001);
  assert_int_equal(note_cache_set(&all->notes, key, &value), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(note_cache_last_error(&all->notes), "max_key_bytes, 110000"));
  assert_int_equal(note_cache_get(&all->notes, key, &out), ACCEL_ERR_CONFIG);
  assert_int_equal(note_cache_del(&all->notes, key), ACCEL_ERR_CONFIG);
  assert_int_equal(note_cache_get(&all->notes, NULL, &out), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(note_cache_last_error(&all->notes), "key is NULL"));
  const char *mixed[] = {"a", NULL};
  row values[2];
  accel_status statuses[2];
  assert_int_equal(note_cache_mget(&all->notes, mixed, 2, NULL, values, statuses),
                   ACCEL_ERR_CONFIG);
  assert_int_equal(statuses[0], ACCEL_MISS);
  assert_int_equal(statuses[1], ACCEL_ERR_CONFIG);
}

typedef struct big {
  char bytes[8192];
} big;

ACCEL_DEFINE_WITH(big, uint64_t, big, .remote = &accel_fake_ops)

static accel_status load_big(void *ctx, uint64_t key, big *out)
{
  (void)ctx, (void)key;
  memset(out, 'b', sizeof *out);
  return ACCEL_OK;
}

static void values_that_l2_cannot_hold_are_told(void **state)
{
  world *all = (world *)*state;
  static big value, out;
  big_cache cache;
  accel_metrics metrics;
  const accel_config config = {.area = "big", .remote = &all->fake, .capacity = 8};
  assert_int_equal(big_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(big_cache_set(&cache, 1, &value), ACCEL_ERR_CODEC);
  assert_true(big_cache_last_error(&cache)[0] != '\0');
  assert_int_equal(big_cache_get(&cache, 1, &out), ACCEL_MISS);
  assert_int_equal(big_cache_get_or_load(&cache, 2, NULL, load_big, NULL, &out), ACCEL_OK);
  assert_int_equal(out.bytes[8191], 'b');
  big_cache_metrics_snapshot(&cache, &metrics);
  assert_true(metrics.remote_encode_errors >= 2);
  big_cache_close(&cache);
}

/* ---- bounds of L1 ---- */

static void the_number_of_entries_is_bounded(void **state)
{
  (void)state;
  row_cache cache;
  accel_diagnostic before, after;
  const accel_config config = {.area = "row", .capacity = 200};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  for (uint64_t key = 0; key < 10000; key++) {
    const row value = row_of(key);
    assert_int_equal(row_cache_set(&cache, key, &value), ACCEL_OK);
    if (key == 5000) row_cache_diagnostic_snapshot(&cache, &before);
  }
  row_cache_diagnostic_snapshot(&cache, &after);
  assert_in_range(after.entries, 100, 200);
  assert_int_equal(after.memory_bytes, before.memory_bytes);
  row_cache_close(&cache);
}

static void the_weight_is_bounded(void **state)
{
  (void)state;
  row_cache cache;
  accel_diagnostic diagnostic;
  row value = row_of(1001);
  const accel_config config = {.area = "row", .capacity = 1000, .max_weight = 1000};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  expect(&cache, row_cache_set(&cache, 1, &value), ACCEL_ERR_CONFIG, "weight");
  for (uint64_t key = 0; key < 500; key++) {
    value = row_of(10 + key % 20);
    assert_int_equal(row_cache_set(&cache, key, &value), ACCEL_OK);
    row_cache_diagnostic_snapshot(&cache, &diagnostic);
    assert_in_range(diagnostic.weight, 10, 1000);
  }
  row_cache_close(&cache);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(long_keys_work_up_to_the_limit),
      WORLD_TEST(values_that_l2_cannot_hold_are_told),
      WORLD_TEST(the_number_of_entries_is_bounded),
      WORLD_TEST(the_weight_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

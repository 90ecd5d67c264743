/* How long entries live: jitter, and clocks that jump. */
#include "cache_world.h"

#include <stdlib.h>

#define DRAWS 400u
#define TTL_MS 10000u

static void configure_jitter(world *all)
{
  all->config.no_ttl_jitter = false;
  all->config.capacity = 4096;
  all->config.local_ttl_ms = TTL_MS;
  all->config.remote_ttl_ms = 10 * TTL_MS;
  all->config.null_ttl_ms = TTL_MS;
}

static int compare(const void *a, const void *b)
{
  const uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
  return (first > second) - (first < second);
}

static size_t count_distinct(uint32_t *numbers, size_t count)
{
  qsort(numbers, count, sizeof *numbers, compare);
  size_t distinct = 1;
  for (size_t i = 1; i < count; i++) distinct += numbers[i] != numbers[i - 1];
  return distinct;
}

/* Within [ttl x (1 - ratio), ttl], using the whole of it, and seldom twice the same. */
static void assert_spread(uint32_t *lives_ms, uint32_t ttl_ms, uint32_t least_ms)
{
  const size_t distinct = count_distinct(lives_ms, DRAWS);
  const uint32_t tenth_ms = (ttl_ms - least_ms) / 10;
  assert_in_range(lives_ms[0], least_ms, least_ms + tenth_ms);
  assert_in_range(lives_ms[DRAWS - 1], ttl_ms - tenth_ms, ttl_ms);
  assert_in_range(distinct, DRAWS / 2, DRAWS);
}

static uint32_t remote_left(world *all, uint64_t key)
{
  char name[32];
  snprintf(name, sizeof name, "rows:%u", (unsigned)key);
  return accel_fake_ttl_left(&all->fake, name);
}

/* ---- jitter ---- */

static void lives_differ_per_key(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  open_caches(all);
  row_cache *a = &all->caches[0];
  static uint32_t set[DRAWS], loaded[DRAWS], null[DRAWS], remote[DRAWS], remote_loaded[DRAWS];
  for (uint64_t i = 0; i < DRAWS; i++) {
    assert_int_equal(put_number(a, i, i), ACCEL_OK);
    assert_reads(a, DRAWS + i, NULL, 1000 + DRAWS + i);
    assert_int_equal(row_cache_set_null(a, 2 * DRAWS + i), ACCEL_OK);
    set[i] = local_info(a, i).ttl_left_ms;
    loaded[i] = local_info(a, DRAWS + i).ttl_left_ms;
    null[i] = local_info(a, 2 * DRAWS + i).ttl_left_ms;
    remote[i] = remote_left(all, i);
    remote_loaded[i] = remote_left(all, DRAWS + i);
  }
  assert_spread(set, TTL_MS, TTL_MS / 10 * 9);
  assert_spread(loaded, TTL_MS, TTL_MS / 10 * 9);
  assert_spread(remote, 10 * TTL_MS, 9 * TTL_MS);
  assert_spread(remote_loaded, 10 * TTL_MS, 9 * TTL_MS);
  for (size_t i = 0; i < DRAWS; i++) assert_in_range(null[i], TTL_MS / 10 * 9, TTL_MS);
  assert_in_range(count_distinct(null, DRAWS), DRAWS / 2, DRAWS);
}

static void local_lives_end_first(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  all->config.remote_ttl_ms = TTL_MS;
  all->config.local_ttl_ms = 2 * TTL_MS;
  open_caches(all);
  for (uint64_t i = 0; i < DRAWS; i += 2) {
    assert_int_equal(put_number(&all->caches[0], i, i), ACCEL_OK);
    assert_reads(&all->caches[0], i + 1, NULL, 1000 + i + 1);
    for (uint64_t key = i; key <= i + 1; key++)
      assert_int_equal(local_info(&all->caches[0], key).ttl_left_ms, remote_left(all, key));
  }
}

static void and_per_write_and_process(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  open_caches(all);
  static uint32_t written[DRAWS];
  unsigned same = 0;
  for (uint64_t i = 0; i < DRAWS; i++) {
    assert_int_equal(put_number(&all->caches[0], 1, i), ACCEL_OK);
    written[i] = local_info(&all->caches[0], 1).ttl_left_ms;
    assert_reads(&all->caches[1], 1, NULL, i);
    same += written[i] == local_info(&all->caches[1], 1).ttl_left_ms;
  }
  assert_spread(written, TTL_MS, TTL_MS / 10 * 9);
  assert_in_range(same, 0, DRAWS / 20);
}

static void the_ratio_may_be_all_or_nothing(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  all->config.ttl_jitter_ratio = 1.0;
  open_caches(all);
  static uint32_t lives_ms[DRAWS];
  for (uint64_t i = 0; i < DRAWS; i++) {
    assert_int_equal(put_number(&all->caches[0], 1, i), ACCEL_OK);
    lives_ms[i] = local_info(&all->caches[0], 1).ttl_left_ms;
  }
  assert_spread(lives_ms, TTL_MS, 1);

  row_cache_close(&all->caches[0]);
  all->config.no_ttl_jitter = true;
  assert_int_equal(row_cache_open(&all->caches[0], &all->config), ACCEL_OK);
  for (uint64_t i = 0; i < 20; i++) {
    assert_int_equal(put_number(&all->caches[0], i, i), ACCEL_OK);
    assert_int_equal(local_info(&all->caches[0], i).ttl_left_ms, TTL_MS);
    assert_int_equal(remote_left(all, i), 10 * TTL_MS);
  }
}

static void never_below_a_millisecond_nor_for_the_endless(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  all->config.ttl_jitter_ratio = 1.0;
  all->config.local_ttl_ms = 1;
  all->config.null_ttl_ms = ACCEL_FOREVER;
  open_caches(all);
  for (uint64_t i = 0; i < 50; i++) {
    assert_int_equal(put_number(&all->caches[0], i, i), ACCEL_OK);
    assert_int_equal(local_info(&all->caches[0], i).ttl_left_ms, 1);
  }
  assert_int_equal(row_cache_set_null(&all->caches[0], 1), ACCEL_OK);
  pass(all, 1000000000);
  assert_status(&all->caches[0], 1, &only_local, ACCEL_NULL);
  assert_int_equal(local_info(&all->caches[0], 1).ttl_left_ms, ACCEL_FOREVER);
}

static void what_was_asked_for_is_exact(void **state)
{
  world *all = (world *)*state;
  configure_jitter(all);
  open_caches(all);
  const accel_write write = {.ttl_ms = 5000};
  const row value = {5};
  for (uint64_t i = 0; i < 50; i++) {
    assert_int_equal(row_cache_set_with(&all->caches[0], i, &write, &value), ACCEL_OK);
    assert_int_equal(remote_left(all, i), 5000);
    assert_int_equal(local_info(&all->caches[0], i).ttl_left_ms, 5000); /* below local_ttl_ms */
    pass(all, 100);
    assert_reads(&all->caches[1], i, NULL, 5);
    assert_int_equal(local_info(&all->caches[1], i).ttl_left_ms, 4900); /* the rest, as it is */
  }
}

/* ---- clocks that jump ---- */

static void the_servers_clock_does_not_move_local_lives(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0];
  assert_int_equal(put_number(a, 1, 5), ACCEL_OK);
  const uint64_t then_ms = accel_fake_now_ms(&all->fake);
  const uint64_t jumps_ms[] = {then_ms + 86400000, then_ms - 86400000, 1, then_ms};
  for (int i = 0; i < 4; i++) {
    accel_fake_set_now(&all->fake, jumps_ms[i]);
    assert_reads(a, 1, &only_local, 5);
    assert_int_equal(local_info(a, 1).ttl_left_ms, 60000);
    assert_int_equal(local_info(a, 1).age_ms, 0);
  }
  pass(all, 59999);
  assert_reads(a, 1, &only_local, 5);
  pass(all, 1);
  assert_status(a, 1, &only_local, ACCEL_MISS);
}

static void remote_entries_carry_their_own_times(void **state)
{
  world *all = (world *)*state;
  all->config.remote_ttl_ms = 10000;
  open_caches(all);
  accel_buffer stored = {.data = NULL};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_true(accel_fake_peek(&all->fake, "rows:1", &stored));
  /* A server that keeps it too long, as after PERSIST or a restored backup. */
  assert_true(accel_fake_poke(&all->fake, "rows:1", stored.data, stored.size, ACCEL_FOREVER));
  pass(all, 9000);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_int_equal(local_info(&all->caches[1], 1).ttl_left_ms, 1000);
  pass(all, 1000);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
  accel_buffer_release(&stored);
}

static void no_clock_makes_a_remote_entry_live_longer(void **state)
{
  world *all = (world *)*state;
  all->config.remote_ttl_ms = 10000;
  open_caches(all);
  const int64_t skews_ms[] = {-86400000, -5000, 0, 5000, 86400000};
  for (int i = 0; i < 5; i++) {
    accel_fake_set_skew(&all->fake, 0);
    assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
    accel_fake_set_skew(&all->fake, skews_ms[i]);
    const accel_status status = row_cache_get_with(&all->caches[1], 1, &only_cached, &(row){0});
    assert_true(status == ACCEL_OK || status == ACCEL_MISS);
    assert_in_range(local_info(&all->caches[1], 1).ttl_left_ms, 0, 10000);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(lives_differ_per_key),
      WORLD_TEST(local_lives_end_first),
      WORLD_TEST(and_per_write_and_process),
      WORLD_TEST(the_ratio_may_be_all_or_nothing),
      WORLD_TEST(never_below_a_millisecond_nor_for_the_endless),
      WORLD_TEST(what_was_asked_for_is_exact),
      WORLD_TEST(the_servers_clock_does_not_move_local_lives),
      WORLD_TEST(remote_entries_carry_their_own_times),
      WORLD_TEST(no_clock_makes_a_remote_entry_live_longer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

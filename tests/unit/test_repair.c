/* Writes that L2 did not confirm are repaired, and the queue that remembers them. */
#include "cache_world.h"

#include "accel/repair.h"

static const accel_read not_local = {.skip_local = true, .disable_load = true};

static size_t repairs_of(const row_cache *cache)
{
  accel_diagnostic seen;
  row_cache_diagnostic_snapshot(cache, &seen);
  return seen.repairs;
}

static void await_repaired(const row_cache *cache)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (repairs_of(cache) > 0) {
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("%zu are left", repairs_of(cache));
    nap();
  }
}

/* Both caches have key 1 with 5 in both levels. */
static void open_filled(world *all)
{
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_reads(&all->caches[1], 1, NULL, 5);
}

static void fail_writes(world *all, uint32_t times)
{
  accel_fake_fail(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_TIMEOUT, times);
  accel_fake_fail(&all->fake, ACCEL_FAKE_DEL, ACCEL_FAKE_BEFORE, ACCEL_ERR_TIMEOUT, times);
}

static void an_unconfirmed_del_is_made_good(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  fail_writes(all, 1);
  assert_int_equal(row_cache_del(a, 1), ACCEL_ERR_BACKEND);
  assert_reads(b, 1, &only_local, 5); /* it cannot know yet */
  await_repaired(a);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
  assert_int_equal(metrics_of(a).repair_queued, 1);
  assert_int_equal(metrics_of(a).repair_replayed, 1);
}

static void an_unconfirmed_set_is_never_written_later(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  fail_writes(all, 3);
  for (uint64_t number = 6; number < 9; number++)
    assert_int_equal(put_number(a, 1, number), ACCEL_ERR_BACKEND);
  fail_writes(all, 0);
  assert_int_equal(repairs_of(a), 1); /* the newest per key */
  await_repaired(a);
  assert_status(a, 1, &not_local, ACCEL_MISS);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
}

static void until_then_what_remote_has_is_not_believed(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0];
  fail_writes(all, ACCEL_FAKE_ALWAYS);
  assert_int_equal(row_cache_del(a, 1), ACCEL_ERR_BACKEND);
  assert_reads(&all->caches[1], 1, &not_local, 5); /* L2 still has the old value */
  assert_status(a, 1, &only_cached, ACCEL_MISS);
  assert_reads(a, 1, NULL, 1001);
  assert_reads(a, 1, &only_local, 1001);
  const uint64_t keys[2] = {1, 2};
  row values[2];
  const accel_read fresh = {.skip_local = true};
  assert_int_equal(row_cache_mget(a, keys, 2, &fresh, values, NULL), ACCEL_OK);
  assert_int_equal(values[0].number, 1001);
  assert_reads(&all->caches[1], 1, &not_local, 5); /* nor is anything written there */
  assert_reads(&all->caches[1], 2, &not_local, 1002);
  fail_writes(all, 0);
  await_repaired(a);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void a_server_that_is_back_is_repaired_first(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0];
  accel_fake_stop(&all->fake, true);
  const uint64_t keys[3] = {1, 2, 3};
  assert_int_equal(row_cache_mdel(a, keys, 3), ACCEL_ERR_BACKEND);
  assert_int_equal(repairs_of(a), 3);
  accel_fake_forget_counts(&all->fake);
  accel_fake_start(&all->fake);
  assert_reads(a, 1, NULL, 1001);
  await_repaired(a);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_DEL), 1); /* one round trip */
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void what_fails_again_stays_noted(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0];
  fail_writes(all, 3);
  assert_int_equal(row_cache_del(a, 1), ACCEL_ERR_BACKEND);
  await_repaired(a);
  assert_int_equal(metrics_of(a).repair_replayed, 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_DEL), 4);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void too_many_clear_the_area(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  fail_writes(all, ACCEL_FAKE_ALWAYS);
  accel_fake_fail(&all->fake, ACCEL_FAKE_CLEAR, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND,
                  ACCEL_FAKE_ALWAYS);
  assert_int_equal(put_number(b, 5000, 1), ACCEL_ERR_BACKEND);
  static uint64_t keys[ACCEL_REPAIR_KEYS + 1];
  for (size_t i = 0; i < ACCEL_REPAIR_KEYS + 1; i++) keys[i] = 100 + i;
  assert_int_equal(row_cache_mdel(a, keys, ACCEL_REPAIR_KEYS + 1), ACCEL_ERR_BACKEND);
  assert_int_equal(repairs_of(a), ACCEL_REPAIR_KEYS + 1);
  assert_int_equal(metrics_of(a).repair_overflowed, 1);
  const accel_read anywhere = {.skip_local = true, .disable_load = true};
  assert_status(a, 1, &anywhere, ACCEL_MISS); /* no key is believed */
  fail_writes(all, 0);
  accel_fake_fail(&all->fake, ACCEL_FAKE_CLEAR, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 0);
  await_repaired(a);
  await_repaired(b);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 0);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
}

static void a_clear_that_failed_is_repeated(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  accel_fake_fail(&all->fake, ACCEL_FAKE_CLEAR, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(row_cache_clear(&all->caches[0]), ACCEL_ERR_BACKEND);
  assert_status(&all->caches[0], 1, &only_cached, ACCEL_MISS);
  await_repaired(&all->caches[0]);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void closing_tries_once_more_and_no_longer(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  fail_writes(all, 1);
  assert_int_equal(row_cache_del(&all->caches[0], 1), ACCEL_ERR_BACKEND);
  row_cache_close(&all->caches[0]);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);

  accel_fake_stop(&all->fake, true);
  assert_int_equal(row_cache_del(&all->caches[1], 1), ACCEL_ERR_BACKEND);
  const uint64_t begin_ms = accel_clock_monotonic_ms();
  row_cache_close(&all->caches[1]);
  assert_true(accel_clock_monotonic_ms() - begin_ms < 30000);
}

ACCEL_DEFINE_STR_WITH(page, row, .remote = &accel_fake_ops)

static void long_names_are_repaired_too(void **state)
{
  world *all = (world *)*state;
  page_cache caches[2] = {0};
  char name[400];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  for (int i = 0; i < 2; i++) assert_int_equal(page_cache_open(&caches[i], &all->config), ACCEL_OK);
  row value = {7};
  assert_int_equal(page_cache_set(&caches[0], name, &value), ACCEL_OK);
  assert_int_equal(page_cache_get(&caches[1], name, &value), ACCEL_OK);
  fail_writes(all, 1);
  assert_int_equal(page_cache_del(&caches[0], name), ACCEL_ERR_BACKEND);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (page_cache_get(&caches[1], name, &value) == ACCEL_OK)
    assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 0);
  for (int i = 0; i < 2; i++) page_cache_close(&caches[i]);
}

/* ---- the queue by itself, against a list ---- */

static void the_queue_remembers_what_a_list_would(void **state)
{
  enum { TEXTS = 6000 /* so that it grows, and shrinks */ };
  (void)state;
  static accel_repair queue;
  static uint64_t noted[TEXTS];
  unsigned random = 1;
  size_t length = 0;
  assert_true(accel_repair_open(&queue, false, false));
  for (int step = 0; step < 100000; step++) {
    char text[16];
    random = random * 1664525u + 1013904223u;
    const unsigned i = (random >> 8) % TEXTS;
    const int size = snprintf(text, sizeof text, "key.%u", i);
    assert_true(accel_repair_skips_remote(&queue, text, (size_t)size) == (noted[i] != 0));
    if ((random >> 30) != 0 && step % 20000 < 12000) {
      assert_true(accel_repair_add(&queue, text, (size_t)size, false));
      if (noted[i] == 0) length++;
      noted[i] = queue.failures;
    } else {
      accel_repair_entry entry = {.number = noted[i], .size = (uint16_t)size};
      memcpy(entry.text, text, (size_t)size);
      entry.number--; /* an older failure's: it stays */
      accel_repair_done(&queue, &entry);
      entry.number++;
      assert_true(accel_repair_skips_remote(&queue, text, (size_t)size) == (noted[i] != 0));
      accel_repair_done(&queue, &entry);
      if (noted[i] != 0) length--;
      noted[i] = 0;
    }
    assert_int_equal(accel_repair_length(&queue), length);
  }
  accel_repair_close(&queue);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(an_unconfirmed_del_is_made_good),
      WORLD_TEST(an_unconfirmed_set_is_never_written_later),
      WORLD_TEST(until_then_what_remote_has_is_not_believed),
      WORLD_TEST(a_server_that_is_back_is_repaired_first),
      WORLD_TEST(what_fails_again_stays_noted),
      WORLD_TEST(too_many_clear_the_area),
      WORLD_TEST(a_clear_that_failed_is_repeated),
      WORLD_TEST(closing_tries_once_more_and_no_longer),
      WORLD_TEST(long_names_are_repaired_too),
      cmocka_unit_test(the_queue_remembers_what_a_list_would),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

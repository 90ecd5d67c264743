/* Reloading behind the readers' backs, throttling a failing source, and warming up. */
#include "cache_world.h"

/* Key 1 was loaded as 1001, lives 10 s, and is due for a refresh in its last 3 s. */
static void open_due(world *all)
{
  all->config.refresh_ahead = true;
  all->config.local_ttl_ms = 10000;
  open_caches(all);
  assert_reads(&all->caches[0], 1, NULL, 1001);
  pass(all, 7000);
  source_set(&all->source, 2000, ACCEL_OK, true);
}

/* ---- refresh-ahead ---- */

static void a_refresh_makes_no_reader_wait(void **state)
{
  world *all = (world *)*state;
  open_due(all);
  row_cache *rows = &all->caches[0];
  row value;
  assert_int_equal(row_cache_get(rows, 1, &value), ACCEL_OK); /* while the source is shut */
  assert_int_equal(value.number, 1001);
  await_waiting(&all->source, 1);
  assert_int_equal(local_info(rows, 1).stale, false);
  reopen(&all->source);
  await_number(rows, 1, 2001);
  assert_int_equal(local_info(rows, 1).ttl_left_ms, 10000);
  const accel_read remote = {.skip_local = true, .disable_load = true};
  assert_reads(rows, 1, &remote, 2001); /* L2 has it too */
  const accel_metrics counted = metrics_of(rows);
  assert_int_equal(counted.refresh_attempts, 1);
  assert_int_equal(counted.refresh_success, 1);
  assert_int_equal(counted.local_miss, 1); /* the first load's */
}

static void not_before_it_is_due(void **state)
{
  world *all = (world *)*state;
  all->config.refresh_ahead = true;
  all->config.local_ttl_ms = 4000; /* the window is half its life */
  open_caches(all);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 1, 5), ACCEL_OK);
  pass(all, 1999);
  assert_reads(rows, 1, NULL, 5);
  assert_int_equal(metrics_of(rows).refresh_attempts, 0);
  pass(all, 1);
  assert_reads(rows, 1, NULL, 5);
  await_number(rows, 1, 1001);
  assert_int_equal(metrics_of(rows).refresh_attempts, 1);
}

static void not_unless_asked_for_and_possible(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = 10000;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  all->config.refresh_ahead = true;
  row_cache_close(&all->caches[1]);
  assert_int_equal(row_cache_open(&all->caches[1], &all->config), ACCEL_OK); /* no loader */
  assert_reads(&all->caches[1], 1, NULL, 5);
  pass(all, 9999);
  for (int i = 0; i < 2; i++) {
    assert_reads(&all->caches[i], 1, NULL, 5);
    assert_int_equal(metrics_of(&all->caches[i]).refresh_attempts, 0);
  }
  assert_int_equal(row_cache_refresh(&all->caches[1], 1), ACCEL_ERR_CONFIG);
}

static void *read_often(void *ctx)
{
  task *self = (task *)ctx;
  for (int i = 0; i < 50 && self->status == ACCEL_OK; i++)
    self->status = row_cache_get(self->cache, self->key, &self->value);
  return NULL;
}

static void one_refresh_per_key_at_a_time(void **state)
{
  world *all = (world *)*state;
  open_due(all);
  row_cache *rows = &all->caches[0];
  task readers[8];
  memset(readers, 0, sizeof readers);
  for (int i = 0; i < 8; i++) start(&readers[i], read_often, rows, 1);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(join(&readers[i]), ACCEL_OK);
    assert_int_equal(readers[i].value.number, 1001);
  }
  assert_int_equal(row_cache_refresh(rows, 1), ACCEL_OK); /* one is under way: fine */
  assert_int_equal(metrics_of(rows).refresh_attempts, 1);
  reopen(&all->source);
  await_number(rows, 1, 2001);
  assert_int_equal(source_calls(&all->source), 2);
}

static void start_refresh(world *all)
{
  open_due(all);
  assert_int_equal(row_cache_refresh(&all->caches[0], 1), ACCEL_OK);
  await_waiting(&all->source, 1);
}

static void await_refused(world *all)
{
  reopen(&all->source);
  AWAIT(&all->caches[0], local_fill_refused, 1);
}

static void a_set_during_a_refresh_wins(void **state)
{
  world *all = (world *)*state;
  start_refresh(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  await_refused(all);
  for (int i = 0; i < 2; i++) assert_reads(&all->caches[i], 1, &only_cached, 5);
}

static void a_del_during_a_refresh_wins(void **state)
{
  world *all = (world *)*state;
  start_refresh(all);
  assert_int_equal(row_cache_del(&all->caches[0], 1), ACCEL_OK);
  await_refused(all);
  for (int i = 0; i < 2; i++) assert_status(&all->caches[i], 1, &only_cached, ACCEL_MISS);
}

static void so_does_one_of_another_process(void **state)
{
  world *all = (world *)*state;
  start_refresh(all);
  assert_int_equal(put_number(&all->caches[1], 1, 5), ACCEL_OK);
  await_refused(all);
  for (int i = 0; i < 2; i++) assert_reads(&all->caches[i], 1, &only_cached, 5);
}

static void and_a_clear(void **state)
{
  world *all = (world *)*state;
  start_refresh(all);
  assert_int_equal(row_cache_clear(&all->caches[1]), ACCEL_OK);
  await_refused(all);
  for (int i = 0; i < 2; i++) assert_status(&all->caches[i], 1, &only_cached, ACCEL_MISS);
}

static void a_refresh_may_find_that_the_row_is_gone(void **state)
{
  world *all = (world *)*state;
  open_due(all);
  answer(&all->source, 2000, ACCEL_NULL);
  assert_int_equal(row_cache_refresh(&all->caches[0], 1), ACCEL_OK);
  AWAIT(&all->caches[0], refresh_success, 1);
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  row value;
  while (row_cache_get_with(&all->caches[0], 1, &only_local, &value) != ACCEL_NULL) {
    assert_in_range(accel_clock_monotonic_ms(), 0, deadline_ms);
    nap();
  }
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_NULL);
}

/* ---- the throttle ---- */

static void after_a_failed_refresh_the_source_is_not_asked(void **state)
{
  world *all = (world *)*state;
  open_due(all);
  row_cache *rows = &all->caches[0];
  answer(&all->source, 2000, ACCEL_ERR_LOADER);
  assert_reads(rows, 1, NULL, 1001);
  AWAIT(rows, refresh_failures, 1);
  AWAIT(rows, load_error, 1);
  nap();
  for (int i = 0; i < 20; i++) assert_reads(rows, 1, NULL, 1001); /* the old value stays */
  assert_int_equal(metrics_of(rows).refresh_attempts, 1);
  answer(&all->source, 2000, ACCEL_OK);
  pass(all, 1000); /* stale_throttle_ms */
  assert_reads(rows, 1, NULL, 1001);
  await_number(rows, 1, 2001);
  assert_int_equal(metrics_of(rows).refresh_attempts, 2);
}

static void after_a_failed_load_the_source_is_not_asked(void **state)
{
  world *all = (world *)*state;
  all->config.remote = NULL;
  all->config.local_ttl_ms = 1000;
  all->config.stale_on_error = true;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 1, 5), ACCEL_OK);
  pass(all, 1000);
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  for (unsigned second = 1; second <= 5; second++) {
    for (int i = 0; i < 10; i++) assert_reads(rows, 1, NULL, 5);
    assert_int_equal(source_calls(&all->source), second);
    pass(all, 1000); /* stale_throttle_ms */
  }
  answer(&all->source, 1000, ACCEL_OK);
  assert_reads(rows, 1, NULL, 1001);
  assert_int_equal(metrics_of(rows).stale_fallback, 50);
}

static void the_throttle_concerns_only_readers_with_a_stale_value(void **state)
{
  world *all = (world *)*state;
  all->config.stale_on_error = true;
  open_caches(all);
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  for (int i = 0; i < 3; i++) assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_LOADER);
  assert_int_equal(source_calls(&all->source), 3);
  answer(&all->source, 1000, ACCEL_OK);
  assert_reads(&all->caches[0], 1, NULL, 1001);
}

/* ---- warmup ---- */

static void warmup_does_nothing_unless_enabled(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  const uint64_t keys[2] = {1, 2};
  size_t loaded = 9;
  assert_int_equal(row_cache_warmup(&all->caches[0], keys, 2, &loaded), ACCEL_OK);
  assert_int_equal(loaded, 0);
  assert_int_equal(source_calls(&all->source), 0);
}

static void warmup_loads_in_chunks_what_is_not_cached(void **state)
{
  world *all = (world *)*state;
  all->config.warmup_enabled = true;
  all->config.warmup_batch_size = 10;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  uint64_t keys[35];
  for (uint64_t i = 0; i < 35; i++) keys[i] = i;
  for (uint64_t i = 0; i < 5; i++) assert_int_equal(put_number(rows, i, i), ACCEL_OK);
  row_cache_set_loader(rows, NULL, NULL);
  size_t loaded = 9;
  assert_int_equal(row_cache_warmup(rows, keys, 35, &loaded), ACCEL_ERR_CONFIG);
  assert_int_equal(loaded, 0);
  row_cache_set_mloader(rows, load_rows, &all->source);
  accel_fake_forget_counts(&all->fake);
  assert_int_equal(row_cache_warmup(rows, keys, 35, &loaded), ACCEL_OK);
  assert_int_equal(loaded, 30);
  assert_int_equal(source_calls(&all->source), 4);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_FILL), 4);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_FILL), 30);
  assert_int_equal(row_cache_warmup(rows, keys, 35, &loaded), ACCEL_OK);
  assert_int_equal(loaded, 0);
  assert_int_equal(row_cache_warmup(&all->caches[1], keys, 35, NULL), ACCEL_OK); /* all in L2 */
  assert_int_equal(source_calls(&all->source), 4);
  for (uint64_t i = 5; i < 35; i++) assert_reads(&all->caches[1], i, &only_local, 1000 + i);
}

static void warmup_goes_on_after_a_failure(void **state)
{
  world *all = (world *)*state;
  all->config.warmup_enabled = true;
  all->config.warmup_batch_size = 2;
  open_caches(all);
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  const uint64_t keys[5] = {1, 2, 3, 4, 5};
  size_t loaded = 9;
  assert_int_equal(row_cache_warmup(&all->caches[0], keys, 5, &loaded), ACCEL_ERR_LOADER);
  assert_int_equal(loaded, 0);
  assert_int_equal(source_calls(&all->source), 5);
}

/* ---- what a read may be told ---- */

static void info_tells_where_and_how_old(void **state)
{
  world *all = (world *)*state;
  all->config.remote_ttl_ms = 100000;
  all->now_ms = 100; /* a clock that is younger than what is in L2 */
  open_caches(all);
  accel_info info;
  const accel_read read = {.info = &info};
  assert_reads(&all->caches[0], 1, &read, 1001);
  assert_int_equal(info.source, ACCEL_FROM_LOADER);
  assert_int_equal(info.age_ms, 0);
  pass(all, 250);
  assert_reads(&all->caches[0], 1, &read, 1001);
  assert_int_equal(info.source, ACCEL_FROM_LOCAL);
  assert_int_equal(info.age_ms, 250);
  assert_int_equal(info.ttl_left_ms, 59750);
  assert_false(info.stale);
  assert_reads(&all->caches[1], 1, &read, 1001);
  assert_int_equal(info.source, ACCEL_FROM_REMOTE);
  assert_int_equal(info.age_ms, 250); /* since it was written there */
  assert_int_equal(info.ttl_left_ms, 99750);
  row value;
  const accel_read cached = {.disable_load = true, .info = &info};
  assert_int_equal(row_cache_get_with(&all->caches[0], 2, &cached, &value), ACCEL_MISS);
  assert_int_equal(info.source, ACCEL_FROM_NONE);
  assert_int_equal(info.age_ms, 0);
  assert_int_equal(info.ttl_left_ms, 0);
}

static void infos_tell_it_per_key(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[1], 2, 12), ACCEL_OK);
  assert_int_equal(put_number(&all->caches[0], 1, 11), ACCEL_OK);
  assert_int_equal(row_cache_set_null(&all->caches[1], 3), ACCEL_OK);
  const uint64_t keys[5] = {1, 2, 3, 4, 1};
  accel_info infos[5];
  row values[5];
  const accel_read read = {.infos = infos};
  assert_int_equal(row_cache_mget(&all->caches[0], keys, 5, &read, values, NULL), ACCEL_OK);
  const accel_origin expected[5] = {ACCEL_FROM_LOCAL, ACCEL_FROM_REMOTE, ACCEL_FROM_REMOTE,
                                    ACCEL_FROM_LOADER, ACCEL_FROM_LOCAL};
  for (int i = 0; i < 5; i++) assert_int_equal(infos[i].source, expected[i]);
  assert_int_equal(infos[2].ttl_left_ms, 30000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_refresh_makes_no_reader_wait),
      WORLD_TEST(not_before_it_is_due),
      WORLD_TEST(not_unless_asked_for_and_possible),
      WORLD_TEST(one_refresh_per_key_at_a_time),
      WORLD_TEST(a_set_during_a_refresh_wins),
      WORLD_TEST(a_del_during_a_refresh_wins),
      WORLD_TEST(so_does_one_of_another_process),
      WORLD_TEST(and_a_clear),
      WORLD_TEST(a_refresh_may_find_that_the_row_is_gone),
      WORLD_TEST(after_a_failed_refresh_the_source_is_not_asked),
      WORLD_TEST(after_a_failed_load_the_source_is_not_asked),
      WORLD_TEST(the_throttle_concerns_only_readers_with_a_stale_value),
      WORLD_TEST(warmup_does_nothing_unless_enabled),
      WORLD_TEST(warmup_loads_in_chunks_what_is_not_cached),
      WORLD_TEST(warmup_goes_on_after_a_failure),
      WORLD_TEST(info_tells_where_and_how_old),
      WORLD_TEST(infos_tell_it_per_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

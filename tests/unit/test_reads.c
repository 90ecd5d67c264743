/* What a read may rely on: negative entries, an L2 in trouble, lives, stale values. */
#include "cache_world.h"

/* ---- negative entries ---- */

static unsigned bodies;

ACCEL_CACHEABLE(row, find_row, (row_cache * rows, uint64_t id, row *out), (rows, id, out),
                .cache = rows, .key = id, .out = out)
{
  (void)rows;
  bodies++;
  out->number = id;
  return ACCEL_OK;
}

ACCEL_CACHEABLE_BATCH(row, find_rows, (row_cache * rows), (rows), .cache = rows)
{
  (void)rows, (void)keys, (void)values;
  bodies++;
  for (size_t i = 0; i < count; i++) statuses[i] = ACCEL_NULL;
  return ACCEL_OK;
}

accel_status find_row(row_cache *rows, uint64_t id, row *out);

static void assert_is_null_everywhere(row_cache *rows, uint64_t key, source *asked)
{
  row value = {77}, values[2];
  accel_status statuses[2];
  const uint64_t keys[2] = {key, key};
  bodies = 0;
  assert_int_equal(row_cache_get(rows, key, &value), ACCEL_NULL);
  assert_int_equal(row_cache_get_with(rows, key, &only_cached, &value), ACCEL_NULL);
  assert_int_equal(row_cache_get_or_load(rows, key, NULL, load_row, asked, &value), ACCEL_NULL);
  assert_int_equal(row_cache_mget(rows, keys, 2, NULL, values, statuses), ACCEL_OK);
  assert_int_equal(statuses[0], ACCEL_NULL);
  assert_int_equal(statuses[1], ACCEL_NULL);
  row_cache_ref ref;
  assert_int_equal(row_cache_get_ref(rows, key, &ref), ACCEL_NULL);
  assert_int_equal(find_row(rows, key, &value), ACCEL_NULL);
  assert_int_equal(find_rows(rows, keys, 2, values, statuses), ACCEL_OK);
  assert_int_equal(statuses[1], ACCEL_NULL);
  assert_int_equal(bodies, 0);
  assert_int_equal(value.number, 77);
}

static void a_negative_entry_is_a_hit(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  assert_int_equal(row_cache_set_null(&all->caches[0], 1), ACCEL_OK);
  assert_is_null_everywhere(&all->caches[0], 1, &all->source);
  assert_is_null_everywhere(&all->caches[1], 1, &all->source); /* from L2, then from L1 */
  assert_int_equal(metrics_of(&all->caches[0]).local_hit, 9);
  assert_int_equal(metrics_of(&all->caches[1]).remote_hit, 1);
  assert_int_equal(source_calls(&all->source), 0);
}

static void a_loader_may_say_so(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  answer(&all->source, 1000, ACCEL_NULL);
  assert_status(&all->caches[0], 1, NULL, ACCEL_NULL);
  answer(&all->source, 1000, ACCEL_OK);
  assert_is_null_everywhere(&all->caches[0], 1, &all->source);
  assert_is_null_everywhere(&all->caches[1], 1, &all->source);
  assert_int_equal(source_calls(&all->source), 1);
  assert_int_equal(metrics_of(&all->caches[0]).load_null, 1);
  pass(all, 30000); /* null_ttl_ms */
  assert_reads(&all->caches[0], 1, NULL, 1001);
  assert_int_equal(metrics_of(&all->caches[0]).load_success, 2);
  assert_int_equal(metrics_of(&all->caches[0]).load_null, 1);
}

static void without_negative_entries_every_read_asks(void **state)
{
  world *all = (world *)*state;
  all->config.no_null_cache = true;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_int_equal(row_cache_set_null(&all->caches[0], 1), ACCEL_OK);
  assert_status(&all->caches[0], 1, &only_cached, ACCEL_MISS);
  answer(&all->source, 1000, ACCEL_NULL);
  for (int i = 0; i < 3; i++) assert_status(&all->caches[0], 1, NULL, ACCEL_NULL);
  assert_int_equal(source_calls(&all->source), 3);
}

/* ---- an L2 in trouble ---- */

static void remote_trouble_never_costs_a_read_its_loader(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  const accel_status troubles[] = {ACCEL_ERR_BACKEND, ACCEL_ERR_TIMEOUT, ACCEL_ERR_NOMEM};
  for (uint64_t i = 0; i < 3; i++) {
    const accel_fake_op ops[] = {ACCEL_FAKE_GET, ACCEL_FAKE_LEASE, ACCEL_FAKE_FILL};
    for (uint64_t op = 0; op < 3; op++) {
      const uint64_t key = 3 * i + op;
      accel_fake_fail(&all->fake, ops[op], ACCEL_FAKE_BEFORE, troubles[i], 1);
      assert_reads(&all->caches[0], key, NULL, 1000 + key);
      assert_reads(&all->caches[0], key, &only_local, 1000 + key);
    }
  }
  assert_int_equal(metrics_of(&all->caches[0]).remote_errors, 9);
  assert_int_equal(metrics_of(&all->caches[0]).remote_miss, 6);

  accel_fake_stop(&all->fake, true);
  answer(&all->source, 1000, ACCEL_NULL);
  assert_status(&all->caches[0], 18, NULL, ACCEL_NULL);
  answer(&all->source, 1000, -1001);
  assert_status(&all->caches[0], 19, NULL, (accel_status)-1001);
  row_cache_set_loader(&all->caches[0], NULL, NULL);
  assert_status(&all->caches[0], 20, NULL, ACCEL_MISS);
}

static void one_bad_key_of_a_batch_is_loaded_alone(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  const uint64_t keys[3] = {1, 2, 3};
  row values[3] = {{11}, {12}, {13}};
  accel_status statuses[3];
  assert_int_equal(row_cache_mset(&all->caches[0], keys, values, 3), ACCEL_OK);
  assert_true(accel_fake_fail_key(&all->fake, ACCEL_FAKE_GET, "rows:2", ACCEL_ERR_BACKEND, 1));
  assert_int_equal(row_cache_mget(&all->caches[1], keys, 3, NULL, values, statuses), ACCEL_OK);
  assert_int_equal(values[0].number, 11);
  assert_int_equal(values[1].number, 1002);
  assert_int_equal(values[2].number, 13);
  assert_int_equal(source_calls(&all->source), 1);
}

static void what_is_not_ours_is_a_miss(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  accel_buffer stored = {.data = NULL};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_true(accel_fake_peek(&all->fake, "rows:1", &stored));
  unsigned harmed = 0;
  for (size_t i = 0; i < stored.size; i++, harmed++) {
    stored.data[i] ^= 0x40;
    assert_true(accel_fake_poke(&all->fake, "rows:1", stored.data, stored.size, 60000));
    stored.data[i] ^= 0x40;
    const accel_read read = {.skip_local = true, .disable_load = true};
    assert_status(&all->caches[1], 1, &read, ACCEL_MISS);
  }
  assert_int_equal(metrics_of(&all->caches[1]).remote_decode_errors, harmed);
  /* Whole, but another key's. */
  assert_true(accel_fake_poke(&all->fake, "rows:2", stored.data, stored.size, 60000));
  assert_reads(&all->caches[1], 2, NULL, 1002);
  accel_buffer_release(&stored);
}

static void remote_trouble_never_costs_a_stale_value(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = 1000;
  all->config.remote_ttl_ms = 1000;
  open_caches(all);
  const accel_read stale = {.allow_stale = true};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  pass(all, 1000);
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND,
                  ACCEL_FAKE_ALWAYS);
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  assert_reads(&all->caches[0], 1, &stale, 5);
  assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_LOADER);
}

static void propagated_trouble_leaves_the_loader_alone(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = 1000;
  all->config.remote_errors = ACCEL_PROPAGATE;
  open_caches(all);
  const accel_read stale = {.allow_stale = true};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  pass(all, 1000);
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 3);
  assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_BACKEND);
  assert_reads(&all->caches[0], 1, &stale, 5);
  assert_status(&all->caches[0], 2, &stale, ACCEL_ERR_BACKEND);
  assert_int_equal(source_calls(&all->source), 0);
}

/* ---- lives of fills ---- */

static void a_fill_lives_no_longer_than_its_rest_in_remote(void **state)
{
  world *all = (world *)*state;
  all->config.remote_ttl_ms = 10000;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  pass(all, 4000);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_int_equal(local_info(&all->caches[1], 1).ttl_left_ms, 6000);
  pass(all, 5999);
  assert_reads(&all->caches[1], 1, &only_local, 5);
  pass(all, 1);
  assert_status(&all->caches[1], 1, &only_local, ACCEL_MISS);
}

static void a_fill_lives_no_longer_than_local_entries_do(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = 2000;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_int_equal(row_cache_set_null(&all->caches[0], 2), ACCEL_OK);
  pass(all, 4000);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_status(&all->caches[1], 2, NULL, ACCEL_NULL);
  assert_int_equal(local_info(&all->caches[1], 1).ttl_left_ms, 2000);
  assert_int_equal(local_info(&all->caches[1], 2).ttl_left_ms, 26000); /* null_ttl_ms, the rest */
}

/* ---- stale values ---- */

static void open_stale(world *all)
{
  all->config.remote = NULL;
  all->config.local_ttl_ms = 1000;
  all->config.stale_max_ms = 5000;
  all->config.stale_throttle_ms = 1;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  pass(all, 1000);
}

static void a_stale_value_serves_again_and_again(void **state)
{
  world *all = (world *)*state;
  open_stale(all);
  row_cache *rows = &all->caches[0];
  accel_info info;
  const accel_read stale = {.allow_stale = true, .info = &info};
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  for (int i = 0; i < 10; i++) {
    assert_reads(rows, 1, &stale, 5);
    assert_true(info.stale);
    assert_int_equal(info.source, ACCEL_FROM_LOCAL);
    assert_int_equal(info.ttl_left_ms, 0);
    assert_int_equal(info.age_ms, 1000 + i * 500);
    assert_status(rows, 1, NULL, ACCEL_ERR_LOADER); /* not permitted, and not fresh again */
    assert_status(rows, 1, &only_cached, ACCEL_MISS);
    pass(all, 500);
  }
  assert_status(rows, 1, &stale, ACCEL_ERR_LOADER); /* stale_max_ms after its expiry */
  assert_int_equal(metrics_of(rows).stale_fallback, 10);
}

static void a_fresh_value_goes_first(void **state)
{
  world *all = (world *)*state;
  open_stale(all);
  accel_info info;
  const accel_read stale = {.allow_stale = true, .info = &info};
  assert_reads(&all->caches[0], 1, &stale, 1001);
  assert_false(info.stale);
  assert_int_equal(info.source, ACCEL_FROM_LOADER);
  assert_int_equal(metrics_of(&all->caches[0]).stale_fallback, 0);
}

static void stale_where_loading_is_disabled_or_slow(void **state)
{
  world *all = (world *)*state;
  all->config.loader_timeout_ms = 20;
  open_stale(all);
  row_cache *rows = &all->caches[0];
  const accel_read cached = {.allow_stale = true, .disable_load = true};
  const accel_read stale = {.allow_stale = true};
  assert_reads(rows, 1, &cached, 5);
  assert_int_equal(source_calls(&all->source), 0);
  shut(&all->source);
  assert_reads(rows, 1, &stale, 5);
  assert_status(rows, 1, NULL, ACCEL_ERR_TIMEOUT);
  const accel_read elsewhere = {.allow_stale = true, .disable_load = true, .skip_local = true};
  assert_status(rows, 1, &elsewhere, ACCEL_MISS);
}

static void what_was_removed_is_not_stale(void **state)
{
  world *all = (world *)*state;
  all->config.stale_on_error = true;
  open_stale(all);
  answer(&all->source, 1000, ACCEL_ERR_LOADER);
  assert_reads(&all->caches[0], 1, NULL, 5);
  assert_int_equal(row_cache_del(&all->caches[0], 1), ACCEL_OK);
  pass(all, 10);
  assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_LOADER);
  assert_int_equal(row_cache_set_null(&all->caches[0], 1), ACCEL_OK);
  pass(all, 30000);
  assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_LOADER); /* a negative entry never is */
}

/* ---- the soft limit ---- */

static void a_soft_limit_answers_with_the_stale_value(void **state)
{
  world *all = (world *)*state;
  all->config.stale_on_error = true;
  all->config.loader_soft_timeout_ms = 10;
  open_stale(all);
  shut(&all->source);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  assert_reads(&all->caches[0], 1, NULL, 5);
  assert_reads(&all->caches[0], 1, NULL, 5);
  assert_in_range(accel_clock_monotonic_ms() - began_ms, 0, WAIT_MS / 2); /* not the hard one */
  assert_int_equal(source_calls(&all->source), 1);                        /* still the same load */
  reopen(&all->source);
  await_number(&all->caches[0], 1, 1001);
}

/* ---- counters ---- */

static void hits_and_misses_add_up_to_reads(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  uint64_t keys[20];
  row value, values[20];
  for (uint64_t i = 0; i < 20; i++) keys[i] = i % 15;
  for (int i = 0; i < 100; i++) assert_int_equal(row_cache_get(rows, (uint64_t)i % 10, &value), 0);
  assert_int_equal(row_cache_mget(rows, keys, 20, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(row_cache_get_or_load(rows, 50, NULL, load_row, &all->source, &value), 0);
  assert_int_equal(find_row(rows, 51, &value), ACCEL_OK);
  task reader = {.cache = NULL};
  start(&reader, task_get, rows, 3);
  assert_int_equal(join(&reader), ACCEL_OK);
  const accel_metrics counted = metrics_of(rows);
  assert_int_equal(counted.local_hit + counted.local_miss, 100 + 20 + 1 + 1 + 1);
  assert_int_equal(counted.local_miss, 10 + 5 + 1 + 1);
  assert_int_equal(counted.remote_hit + counted.remote_miss, counted.local_miss);
  assert_int_equal(counted.load_success + counted.load_error, counted.load_total);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_negative_entry_is_a_hit),
      WORLD_TEST(a_loader_may_say_so),
      WORLD_TEST(without_negative_entries_every_read_asks),
      WORLD_TEST(remote_trouble_never_costs_a_read_its_loader),
      WORLD_TEST(one_bad_key_of_a_batch_is_loaded_alone),
      WORLD_TEST(what_is_not_ours_is_a_miss),
      WORLD_TEST(remote_trouble_never_costs_a_stale_value),
      WORLD_TEST(propagated_trouble_leaves_the_loader_alone),
      WORLD_TEST(a_fill_lives_no_longer_than_its_rest_in_remote),
      WORLD_TEST(a_fill_lives_no_longer_than_local_entries_do),
      WORLD_TEST(a_stale_value_serves_again_and_again),
      WORLD_TEST(a_fresh_value_goes_first),
      WORLD_TEST(stale_where_loading_is_disabled_or_slow),
      WORLD_TEST(what_was_removed_is_not_stale),
      WORLD_TEST(a_soft_limit_answers_with_the_stale_value),
      WORLD_TEST(hits_and_misses_add_up_to_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One load per key in all processes: leases, the readers that wait for them, and what becomes of
 * them. */
#include "cache_world.h"

static const accel_read not_local = {.skip_local = true, .disable_load = true};

/* a loads key 1 and hangs; the lease is taken. */
static void start_slow_load(world *all, task *leader)
{
  shut(&all->source);
  start(leader, task_get, &all->caches[0], 1);
  await_waiting(&all->source, 1);
}

static void two_caches_load_a_cold_key_once(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task first = {.cache = NULL}, second = {.cache = NULL};
  start_slow_load(all, &first);
  start(&second, task_get, &all->caches[1], 1);
  AWAIT(&all->caches[1], lease_waits, 1);
  reopen(&all->source);
  assert_int_equal(join(&first), ACCEL_OK);
  assert_int_equal(join(&second), ACCEL_OK);
  assert_int_equal(second.value.number, 1001);
  assert_int_equal(source_calls(&all->source), 1);
  assert_reads(&all->caches[1], 1, &only_local, 1001);
  assert_int_equal(metrics_of(&all->caches[0]).lease_granted, 1);
  assert_int_equal(metrics_of(&all->caches[1]).lease_timeout, 0);
  assert_int_equal(metrics_of(&all->caches[1]).remote_miss, 1); /* however often it looked */
}

static void a_lease_is_no_value(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
  assert_int_equal(metrics_of(&all->caches[1]).remote_decode_errors, 0);
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
}

static void a_write_voids_the_lease(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  assert_int_equal(put_number(b, 1, 6), ACCEL_OK);
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
  AWAIT(a, lease_lost, 1);
  assert_reads(a, 1, &not_local, 6);

  assert_int_equal(row_cache_del(b, 1), ACCEL_OK);
  start_slow_load(all, &leader);
  assert_int_equal(row_cache_del(b, 1), ACCEL_OK);
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
  AWAIT(a, lease_lost, 2);
  assert_status(b, 1, &not_local, ACCEL_MISS);
}

/* Somebody took the lease and died. */
static void nobody_waits_for_ever(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  row_cache_close(&all->caches[1]);
  all->config.loader_timeout_ms = 1000;
  assert_int_equal(row_cache_open(&all->caches[1], &all->config), ACCEL_OK);
  row_cache_set_loader(&all->caches[1], load_row, &all->slow_source);
  answer(&all->slow_source, 2000, ACCEL_OK);
  const uint64_t begin_ms = accel_clock_monotonic_ms();
  assert_reads(&all->caches[1], 1, NULL, 2001);
  assert_true(accel_clock_monotonic_ms() - begin_ms >= 500);
  assert_int_equal(metrics_of(&all->caches[1]).lease_timeout, 1);
  assert_status(&all->caches[1], 1, &not_local, ACCEL_MISS); /* the lease's holder fills L2 */
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_reads(&all->caches[1], 1, &not_local, 1001);
}

static void whoever_waits_may_be_content_with_a_stale_value(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = 1000;
  all->config.remote_ttl_ms = 1000;
  all->config.stale_on_error = true;
  all->config.loader_timeout_ms = 1000;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_reads(&all->caches[1], 1, NULL, 5);
  pass(all, 1000);
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  const unsigned before = source_calls(&all->source);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_int_equal(metrics_of(&all->caches[1]).stale_fallback, 1);
  assert_int_equal(source_calls(&all->source), before);
  reopen(&all->source);
  join(&leader);
}

static void a_failed_load_is_throttled_in_other_processes(void **state)
{
  world *all = (world *)*state;
  all->config.loader_timeout_ms = 1000;
  open_caches(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  answer(&all->source, 1000, -1001);
  const uint32_t expected_ms[] = {250, 500, 1000, 2000, 4000, 8000, 10000, 10000};
  for (size_t i = 0; i < 8; i++) {
    assert_status(a, 1, NULL, (accel_status)-1001); /* its own process may try again at once */
    const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
    while (accel_fake_ttl_left(&all->fake, "rows:1") != expected_ms[i]) {
      assert_true(accel_clock_monotonic_ms() < until_ms);
      nap();
    }
  }
  assert_int_equal(source_calls(&all->source), 8);
  answer(&all->source, 1000, ACCEL_OK);
  assert_status(b, 1, &only_cached, ACCEL_MISS); /* the failure is nobody's negative entry */
  const uint64_t begin_ms = accel_clock_monotonic_ms();
  assert_reads(b, 1, NULL, 1001);
  assert_true(accel_clock_monotonic_ms() - begin_ms >= 500);
  assert_reads(a, 2, NULL, 1002);
  assert_reads(a, 1, NULL, 1001);
  assert_reads(b, 1, &not_local, 1001);
}

static accel_status load_miss(void *ctx, uint64_t key, row *out)
{
  (void)ctx, (void)key, (void)out;
  return ACCEL_MISS;
}

static void a_load_without_a_value_gives_the_lease_back(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache_set_loader(&all->caches[0], load_miss, NULL);
  assert_status(&all->caches[0], 1, NULL, ACCEL_MISS);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (accel_fake_ttl_left(&all->fake, "rows:1") > 1 && accel_clock_monotonic_ms() < until_ms)
    nap();
  pass(all, 1);
  assert_reads(&all->caches[1], 1, NULL, 1001);
  assert_int_equal(metrics_of(&all->caches[1]).lease_waits, 0);
}

/* ---- batches ---- */

static void a_batch_leases_and_fills_in_one_round_trip_each(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache_set_mloader(&all->caches[0], load_rows, &all->source);
  uint64_t keys[50];
  row values[50];
  for (uint64_t i = 0; i < 50; i++) keys[i] = i;
  assert_int_equal(row_cache_mget(&all->caches[0], keys, 50, NULL, values, NULL), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (accel_fake_items(&all->fake, ACCEL_FAKE_FILL) < 50 &&
         accel_clock_monotonic_ms() < until_ms)
    nap();
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_LEASE), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_FILL), 1);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_LEASE), 50);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_FILL), 50);
}

static void a_batch_loads_at_once_what_nobody_else_loads(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  answer(&all->slow_source, 2000, ACCEL_OK);
  row_cache *b = &all->caches[1];
  row_cache_set_mloader(b, load_rows, &all->slow_source);
  const uint64_t keys[3] = {0, 1, 2};
  row values[3];
  task batch = {.cache = NULL};
  start(&batch, task_get, b, 1); /* waits for the same lease, in the same flight */
  AWAIT(b, lease_waits, 1);
  reopen(&all->source);
  assert_int_equal(row_cache_mget(b, keys, 3, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(join(&batch), ACCEL_OK);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_int_equal(values[0].number, 2000);
  assert_int_equal(values[1].number, 1001);
  assert_int_equal(values[2].number, 2002);
  assert_int_equal(all->slow_source.asked[1], 0);
  assert_int_equal(source_calls(&all->slow_source), 1);
}

/* ---- what is in the way ---- */

static void assert_replaces(world *all, const void *bytes, size_t size)
{
  assert_true(accel_fake_poke(&all->fake, "rows:1", bytes, size, 60000));
  assert_int_equal(row_cache_del(&all->caches[1], 99), ACCEL_OK);
  const accel_read read = {.skip_local = true};
  assert_reads(&all->caches[0], 1, &read, 1001);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  row found = {0};
  while (row_cache_get_with(&all->caches[1], 1, &not_local, &found) != ACCEL_OK)
    assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_int_equal(found.number, 1001);
}

static void bytes_that_are_not_ours_are_replaced(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  char bytes[64];
  memset(bytes, 'x', sizeof bytes);
  assert_replaces(all, bytes, sizeof bytes);
  assert_replaces(all, bytes, 24);
  assert_replaces(all, bytes, 23);
  assert_replaces(all, "", 0);
  memset(bytes, 0, sizeof bytes);
  assert_replaces(all, bytes, sizeof bytes);
}

/* ---- refreshes ---- */

static void a_refresh_replaces_the_value_that_it_saw(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  assert_int_equal(put_number(a, 1, 5), ACCEL_OK);
  assert_int_equal(row_cache_refresh(a, 1), ACCEL_OK);
  await_number(a, 1, 1001);
  assert_reads(b, 1, &not_local, 1001);

  shut(&all->source);
  assert_int_equal(row_cache_refresh(a, 1), ACCEL_OK);
  await_waiting(&all->source, 1);
  accel_fake_hold(&all->fake, 0); /* a does not hear of it */
  assert_int_equal(put_number(b, 1, 7), ACCEL_OK);
  reopen(&all->source);
  AWAIT(a, lease_lost, 1);
  assert_reads(b, 1, &not_local, 7);
}

static void a_failed_refresh_leaves_the_value(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  answer(&all->source, 1000, -1001);
  assert_int_equal(row_cache_refresh(&all->caches[0], 1), ACCEL_OK);
  AWAIT(&all->caches[0], refresh_failures, 1);
  row_cache_close(&all->caches[0]);
  assert_reads(&all->caches[1], 1, &not_local, 5);
}

/* ---- without ---- */

static void leases_can_be_turned_off(void **state)
{
  world *all = (world *)*state;
  all->config.no_lease = true;
  open_caches(all);
  task leader = {.cache = NULL};
  start_slow_load(all, &leader);
  row_cache_set_loader(&all->caches[1], load_row, &all->slow_source);
  assert_reads(&all->caches[1], 1, NULL, 1001);
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_LEASE), 0);
}

ACCEL_DEFINE_WITH(plain, uint64_t, row, .remote = &accel_fake_plain_ops)

/* What a store of bytes alone can and cannot do: docs/backends.md. */
static void a_backend_without_bus_and_comparison_serves_two_levels(void **state)
{
  world *all = (world *)*state;
  plain_cache caches[2] = {0};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(plain_cache_open(&caches[i], &all->config), ACCEL_OK);
    plain_cache_set_loader(&caches[i], load_row, &all->source);
  }
  row value = {0};
  accel_diagnostic seen;
  plain_cache_diagnostic_snapshot(&caches[0], &seen);
  assert_true(seen.degraded);
  assert_false(seen.channel_up);
  assert_int_equal(plain_cache_get(&caches[0], 1, &value), ACCEL_OK);
  assert_int_equal(plain_cache_get(&caches[1], 1, &value), ACCEL_OK);
  assert_int_equal(source_calls(&all->source), 1); /* L2 is shared */
  value.number = 7;
  assert_int_equal(plain_cache_set(&caches[0], 1, &value), ACCEL_OK);
  assert_int_equal(plain_cache_get(&caches[1], 1, &value), ACCEL_OK);
  assert_int_equal(value.number, 1001); /* nobody told it, */
  pass(all, 1000);                      /* degraded_ttl_ms */
  assert_int_equal(plain_cache_get(&caches[1], 1, &value), ACCEL_OK);
  assert_int_equal(value.number, 7); /* but its life was short */
  assert_int_equal(plain_cache_clear(&caches[0]), ACCEL_ERR_BACKEND);
  plain_cache_metrics_snapshot(&caches[0], &seen.metrics);
  assert_int_equal(seen.metrics.lease_granted + seen.metrics.lease_waits, 0);
  for (int i = 0; i < 2; i++) plain_cache_close(&caches[i]);
}

/* A load of one process, which another overtakes with a set. */
typedef struct overtaken_load {
  plain_cache *other;
  row newer;
} overtaken_load;

static accel_status load_overtaken(void *load_pointer, uint64_t key, row *out)
{
  const overtaken_load *load = (const overtaken_load *)load_pointer;
  out->number = 1; /* what the source said before */
  return plain_cache_set(load->other, key, &load->newer);
}

/* The other half of that page: what a_write_voids_the_lease prevents, nobody prevents here. */
static void without_comparison_a_slow_load_overwrites_newer_data(void **state)
{
  world *all = (world *)*state;
  plain_cache caches[2] = {0};
  for (int i = 0; i < 2; i++)
    assert_int_equal(plain_cache_open(&caches[i], &all->config), ACCEL_OK);
  overtaken_load load = {.other = &caches[1], .newer = {.number = 2}};
  row value = {0};
  assert_int_equal(plain_cache_get_or_load(&caches[0], 1, NULL, load_overtaken, &load, &value),
                   ACCEL_OK);
  assert_int_equal(plain_cache_get_with(&caches[1], 1, &not_local, &value), ACCEL_OK);
  assert_int_equal(value.number, 1);
  pass(all, 300000); /* remote_ttl_ms */
  assert_int_equal(plain_cache_get_with(&caches[1], 1, &not_local, &value), ACCEL_MISS);
  for (int i = 0; i < 2; i++) plain_cache_close(&caches[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(two_caches_load_a_cold_key_once),
      WORLD_TEST(a_lease_is_no_value),
      WORLD_TEST(a_write_voids_the_lease),
      WORLD_TEST(nobody_waits_for_ever),
      WORLD_TEST(whoever_waits_may_be_content_with_a_stale_value),
      WORLD_TEST(a_failed_load_is_throttled_in_other_processes),
      WORLD_TEST(a_load_without_a_value_gives_the_lease_back),
      WORLD_TEST(a_batch_leases_and_fills_in_one_round_trip_each),
      WORLD_TEST(a_batch_loads_at_once_what_nobody_else_loads),
      WORLD_TEST(bytes_that_are_not_ours_are_replaced),
      WORLD_TEST(a_refresh_replaces_the_value_that_it_saw),
      WORLD_TEST(a_failed_refresh_leaves_the_value),
      WORLD_TEST(leases_can_be_turned_off),
      WORLD_TEST(a_backend_without_bus_and_comparison_serves_two_levels),
      WORLD_TEST(without_comparison_a_slow_load_overwrites_newer_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

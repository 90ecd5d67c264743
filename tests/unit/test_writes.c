/* What a write returns, says and leaves behind in the rare cases: L2 out of memory, an L1 whose
 * stripe other writes never leave alone, a second del that cannot be queued. */
#include "cache_world.h"

/* ---- L2 is out of memory ---- */

static row_cache *asked;

static accel_status load_by_a_set(void *ctx, uint64_t key, row *out)
{
  (void)ctx, (void)key, (void)out;
  return put_number(asked, 7, 7);
}

static void a_write_that_l2_has_no_memory_for_is_unconfirmed(void **state)
{
  world *all = (world *)*state;
  row_cache other;
  row out;
  const accel_config config = {.area = "others", .loader_timeout_ms = ACCEL_FOREVER};
  open_caches(all);
  asked = &all->caches[0];
  assert_int_equal(row_cache_open(&other, &config), ACCEL_OK);
  row_cache_set_loader(&other, load_by_a_set, NULL);
  accel_fake_fail(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_NOMEM, 2);
  assert_int_equal(put_number(asked, 7, 7), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(row_cache_last_error(asked), "L2 did not confirm the set in area rows"));
  /* The reason reaches a reader behind a cache of a cache: its text has the status returned. */
  assert_int_equal(row_cache_get(&other, 1, &out), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(row_cache_last_error(&other), "L2 did not confirm the set in area rows"));
  accel_fake_fail(&all->fake, ACCEL_FAKE_CLEAR, ACCEL_FAKE_BEFORE, ACCEL_ERR_NOMEM, 1);
  assert_int_equal(row_cache_clear(asked), ACCEL_ERR_BACKEND);
  row_cache_close(&other);
}

/* ---- a set of L1 alone, beside an L2 ---- */

static accel_local_ops restless_ops;

static accel_gate restless_gate(accel_local *local, uint64_t hash)
{
  accel_gate gate = accel_flat_ops.gate(local, hash);
  gate.generation++; /* as if another write of the stripe came after each look */
  return gate;
}

ACCEL_DEFINE_WITH(restless, uint64_t, row, .remote = &accel_fake_ops, .local = &restless_ops)

static void a_set_of_l1_alone_is_there_however_busy_its_stripe(void **state)
{
  world *all = (world *)*state;
  restless_cache cache;
  const row value = {3};
  row out = {0};
  accel_info info;
  const accel_write local_only = {.skip_remote = true};
  const accel_read read = {.disable_load = true, .skip_remote = true, .info = &info};
  restless_ops = accel_flat_ops;
  restless_ops.gate = restless_gate;
  assert_int_equal(restless_cache_open(&cache, &all->config), ACCEL_OK);
  assert_int_equal(restless_cache_set_with(&cache, 1, &local_only, &value), ACCEL_OK);
  assert_int_equal(restless_cache_get_with(&cache, 1, &read, &out), ACCEL_OK);
  assert_int_equal(out.number, 3);
  assert_true(info.ttl_left_ms <= 1000); /* no longer than without a channel */
  restless_cache_close(&cache);
}

/* ---- the second del ---- */

static void a_del_that_never_comes_again_is_refused_before_the_first(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *cache = &all->caches[0];
  assert_int_equal(put_number(cache, 1, 5), ACCEL_OK);
  assert_int_equal(row_cache_del_after(cache, 1, ACCEL_FOREVER), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(row_cache_last_error(cache), "ACCEL_FOREVER"));
  assert_reads(cache, 1, &only_local, 5);
}

static struct {
  row_cache cache;
  bool has_deleted, is_closing; /* atomic */
  accel_status status;
  char error[160];
} late;

static void await_flag(const bool *flag)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE) && accel_clock_monotonic_ms() < until_ms) nap();
}

/* Between the first del and the second. */
static void hold_the_first_del(void *ctx, const accel_log_record *record)
{
  (void)ctx;
  if (strcmp(record->op, "del") != 0) return;
  __atomic_store_n(&late.has_deleted, true, __ATOMIC_RELEASE);
  await_flag(&late.is_closing);
}

static accel_status load_by_a_late_del(void *ctx, uint64_t key, row *out)
{
  (void)ctx;
  out->number = key;
  late.status = row_cache_del_after(&late.cache, 99, 1);
  snprintf(late.error, sizeof late.error, "%s", row_cache_last_error(&late.cache));
  return ACCEL_OK;
}

static void a_second_del_of_a_cache_that_closes_says_so(void **state)
{
  world *all = (world *)*state;
  memset(&late, 0, sizeof late);
  all->config.log = hold_the_first_del;
  assert_int_equal(row_cache_open(&late.cache, &all->config), ACCEL_OK);
  row_cache_set_loader(&late.cache, load_by_a_late_del, NULL);
  assert_int_equal(row_cache_refresh(&late.cache, 1), ACCEL_OK);
  await_flag(&late.has_deleted);
  assert_int_equal(row_cache_close_within(&late.cache, 0), ACCEL_ERR_TIMEOUT);
  __atomic_store_n(&late.is_closing, true, __ATOMIC_RELEASE);
  row_cache_close(&late.cache);
  assert_int_equal(late.status, ACCEL_ERR_CLOSED);
  assert_non_null(strstr(late.error, "closing"));
  assert_non_null(strstr(late.error, "the first was done"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_write_that_l2_has_no_memory_for_is_unconfirmed),
      WORLD_TEST(a_set_of_l1_alone_is_there_however_busy_its_stripe),
      WORLD_TEST(a_del_that_never_comes_again_is_refused_before_the_first),
      WORLD_TEST(a_second_del_of_a_cache_that_closes_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

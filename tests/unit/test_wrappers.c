/* The wrapper generators for one key: what they keep, what they ask, and what they let through. */
#include "wrappers_world.h"

/* ---- cacheable ---- */

static void a_body_answers_once(void **state)
{
  service *svc = (service *)*state;
  user_row out;
  for (unsigned i = 0; i < 3; i++) {
    memset(&out, 0, sizeof out);
    assert_int_equal(service_get(svc, 7, &out), ACCEL_OK);
    assert_int_equal(out.id, 7);
    assert_int_equal(out.age, 30);
    assert_int_equal(svc->keys_asked, i + 1);
  }
  assert_int_equal(svc->bodies, 1);
  assert_int_equal(accel_fake_calls(&svc->rows.fake, ACCEL_FAKE_FILL), 1);
}

static void what_does_not_exist_is_remembered(void **state)
{
  service *svc = (service *)*state;
  user_row out = {5, 5};
  assert_int_equal(user_cache_set_null(&svc->rows.cache, 1), ACCEL_OK);
  assert_int_equal(service_get(svc, 1, &out), ACCEL_NULL);
  assert_int_equal(svc->bodies, 0);
  svc->answer = ACCEL_NULL;
  assert_int_equal(service_get(svc, 2, &out), ACCEL_NULL);
  assert_int_equal(service_get(svc, 2, &out), ACCEL_NULL);
  assert_int_equal(svc->bodies, 1);
  assert_int_equal(out.id, 5);
}

static void without_negative_entries_the_body_is_asked_again(void **state)
{
  service *svc = (service *)*state;
  user_row out;
  svc->no_null_cache = true;
  svc->answer = ACCEL_NULL;
  for (unsigned i = 0; i < 2; i++) assert_int_equal(service_get(svc, 2, &out), ACCEL_NULL);
  assert_int_equal(svc->bodies, 2);
}

static void a_failing_body_is_heard_and_not_kept(void **state)
{
  service *svc = (service *)*state;
  user_row out;
  svc->answer = ROW_LOCKED;
  for (unsigned i = 0; i < 2; i++) assert_int_equal(service_get(svc, 3, &out), ROW_LOCKED);
  assert_int_equal(svc->bodies, 2);
  svc->answer = ACCEL_MISS;
  assert_int_equal(service_get(svc, 3, &out), ACCEL_MISS);
  svc->answer = ACCEL_OK;
  assert_int_equal(service_get(svc, 3, &out), ACCEL_OK);
  assert_int_equal(svc->bodies, 4);
}

static void a_stale_value_stands_in_where_allowed(void **state)
{
  service *svc = (service *)*state;
  user_row out = {0, 0};
  assert_int_equal(service_get(svc, 4, &out), ACCEL_OK);
  svc->rows.now_ms += 61000;
  accel_fake_evict(&svc->rows.fake, "user:4");
  svc->answer = ROW_LOCKED;
  assert_int_equal(service_get(svc, 4, &out), ROW_LOCKED);
  svc->rows.now_ms += 2000; /* past the throttle */
  svc->allow_stale = true;
  memset(&out, 0, sizeof out);
  assert_int_equal(service_get(svc, 4, &out), ACCEL_OK);
  assert_int_equal(out.age, 30);
  assert_int_equal(svc->bodies, 3);
}

static bool is_young(const user_row *row)
{
  return row->age < 18;
}

static void unless_decides_what_is_not_kept(void **state)
{
  service *svc = (service *)*state;
  user_row out;
  svc->unless = is_young;
  svc->age = 10;
  for (unsigned i = 0; i < 2; i++) assert_int_equal(service_get(svc, 5, &out), ACCEL_OK);
  assert_int_equal(svc->bodies, 2);
  svc->age = 18;
  for (unsigned i = 0; i < 2; i++) assert_int_equal(service_get(svc, 5, &out), ACCEL_OK);
  assert_int_equal(svc->bodies, 3);
}

static void bypass_leaves_the_cache_alone(void **state)
{
  service *svc = (service *)*state;
  user_row out, row = {6, 40};
  user_rows_set(&svc->rows, 6, 20);
  svc->bypass = true;
  assert_int_equal(service_get(svc, 6, &out), ACCEL_OK);
  assert_int_equal(out.age, 30);
  assert_int_equal(service_save(svc, &row), ACCEL_OK);
  assert_int_equal(service_delete(svc, 6), ACCEL_OK);
  assert_int_equal(svc->bodies, 3);
  expect_cached(svc, 6, 20);
}

static void a_ttl_of_its_own_ends_the_entry(void **state)
{
  service *svc = (service *)*state;
  user_row out, row = {9, 1};
  svc->ttl_ms = 5000;
  assert_int_equal(service_get(svc, 8, &out), ACCEL_OK);
  assert_int_equal(service_save(svc, &row), ACCEL_OK);
  assert_in_range(accel_fake_ttl_left(&svc->rows.fake, "user:8"), 1, 5000);
  assert_in_range(accel_fake_ttl_left(&svc->rows.fake, "user:9"), 1, 5000);
  svc->rows.now_ms += 4900;
  expect_cached(svc, 8, 30);
  svc->rows.now_ms += 200;
  accel_fake_evict(&svc->rows.fake, "user:8");
  expect_not_cached(svc, 8);
}

typedef struct caller {
  service *svc;
  pthread_t thread;
  accel_status status;
  user_row out;
} caller;

static void *call_get(void *ctx)
{
  caller *self = (caller *)ctx;
  self->status = service_get(self->svc, 11, &self->out);
  return NULL;
}

static unsigned shared_loads(const service *svc)
{
  accel_metrics metrics;
  user_cache_metrics_snapshot(&svc->rows.cache, &metrics);
  return (unsigned)metrics.load_shared;
}

static void call_from_everywhere(service *svc, accel_status expected)
{
  caller callers[CALLERS];
  atomic_store(&svc->is_held, true);
  for (size_t i = 0; i < CALLERS; i++) {
    callers[i] = (caller){.svc = svc};
    assert_int_equal(pthread_create(&callers[i].thread, NULL, call_get, &callers[i]), 0);
  }
  for (unsigned i = 0; i < 5000 && shared_loads(svc) < CALLERS - 1; i++) usleep(1000);
  atomic_store(&svc->is_held, false);
  for (size_t i = 0; i < CALLERS; i++) {
    pthread_join(callers[i].thread, NULL);
    assert_int_equal(callers[i].status, expected);
    if (expected == ACCEL_OK) assert_int_equal(callers[i].out.age, 30);
  }
  assert_int_equal(svc->bodies, 1);
}

static void concurrent_callers_share_one_body(void **state)
{
  call_from_everywhere((service *)*state, ACCEL_OK);
}

static void concurrent_callers_share_its_failure(void **state)
{
  service *svc = (service *)*state;
  svc->answer = ROW_LOCKED;
  call_from_everywhere(svc, ROW_LOCKED);
}

static void a_follower_waits_no_longer_than_allowed(void **state)
{
  service *svc = (service *)*state;
  caller leader = {.svc = svc};
  user_row out;
  user_cache_close(&svc->rows.cache);
  user_rows_open_cache(&svc->rows, 20);
  atomic_store(&svc->is_held, true);
  assert_int_equal(pthread_create(&leader.thread, NULL, call_get, &leader), 0);
  while (atomic_load(&svc->bodies) == 0) usleep(500);
  assert_int_equal(service_get(svc, 11, &out), ACCEL_ERR_TIMEOUT);
  assert_non_null(strstr(user_cache_last_error(&svc->rows.cache), "loader_timeout_ms, 20"));
  atomic_store(&svc->is_held, false);
  pthread_join(leader.thread, NULL);
  assert_int_equal(leader.status, ACCEL_OK); /* the limit is for callers that wait */
  assert_int_equal(leader.out.age, 30);
  assert_int_equal(svc->bodies, 1);
}

static void a_body_that_needs_its_own_key_is_told(void **state)
{
  service *svc = (service *)*state;
  user_row out;
  assert_int_equal(service_get_itself(svc, 12, &out), ACCEL_ERR_CONFIG);
  assert_true(svc->was_told);
  svc->on_cache_error = ACCEL_PROPAGATE;
  assert_int_equal(service_get_itself(svc, 12, &out), ACCEL_ERR_CONFIG);
  assert_int_equal(svc->bodies, 2);
}

/* ---- put and evict ---- */

static void put_keeps_what_the_body_saved(void **state)
{
  service *svc = (service *)*state;
  user_row row = {0, 50};
  svc->next_id = 21;
  assert_int_equal(service_save(svc, &row), ACCEL_OK);
  assert_int_equal(svc->keys_asked, 1);
  expect_cached(svc, 21, 50);
  expect_not_cached(svc, 0);
  svc->answer = ROW_LOCKED;
  row.age = 51;
  assert_int_equal(service_save(svc, &row), ROW_LOCKED);
  assert_int_equal(svc->keys_asked, 1);
  expect_cached(svc, 21, 50);
}

static void evict_removes_after_success(void **state)
{
  service *svc = (service *)*state;
  user_rows_set(&svc->rows, 31, 1);
  svc->answer = ROW_LOCKED;
  assert_int_equal(service_delete(svc, 31), ROW_LOCKED);
  expect_cached(svc, 31, 1);
  svc->answer = ACCEL_OK;
  assert_int_equal(service_delete(svc, 31), ACCEL_OK);
  assert_int_equal(svc->keys_asked, 2);
  expect_not_cached(svc, 31);
}

static void evict_before_removes_twice(void **state)
{
  service *svc = (service *)*state;
  svc->before = true;
  user_rows_set(&svc->rows, 32, 1);
  svc->answer = ROW_LOCKED;
  assert_int_equal(service_delete(svc, 32), ROW_LOCKED);
  expect_not_cached(svc, 32);
  svc->answer = ACCEL_OK;
  svc->fills_before_it_answers = true;
  assert_int_equal(service_delete(svc, 32), ACCEL_OK);
  expect_not_cached(svc, 32);
}

static void evict_all_clears_the_area(void **state)
{
  service *svc = (service *)*state;
  user_rows_set(&svc->rows, 33, 1);
  user_rows_set(&svc->rows, 34, 2);
  svc->all = true;
  assert_int_equal(service_delete(svc, 0), ACCEL_OK);
  expect_not_cached(svc, 33);
  expect_not_cached(svc, 34);
  assert_int_equal(accel_fake_keys(&svc->rows.fake, NULL, NULL), 0);
}

/* ---- when the cache fails ---- */

static void ignored_failures_change_nothing(void **state)
{
  service *svc = (service *)*state;
  user_row out = {0, 0}, row = {42, 2};
  fail_remote(svc);
  assert_int_equal(service_get(svc, 41, &out), ACCEL_OK);
  assert_int_equal(out.age, 30);
  assert_int_equal(service_save(svc, &row), ACCEL_OK);
  assert_int_equal(service_delete(svc, 41), ACCEL_OK);
  svc->all = true;
  assert_int_equal(service_delete(svc, 41), ACCEL_OK);
  assert_int_equal(svc->bodies, 4);
}

static void propagated_failures_end_the_call(void **state)
{
  service *svc = (service *)*state;
  user_row out, row = {42, 2};
  svc->on_cache_error = ACCEL_PROPAGATE;
  fail_remote(svc);
  assert_int_equal(service_get(svc, 41, &out), ACCEL_ERR_BACKEND);
  assert_int_equal(svc->bodies, 0);
  assert_int_equal(service_save(svc, &row), ACCEL_ERR_BACKEND);
  assert_int_equal(service_delete(svc, 41), ACCEL_ERR_BACKEND);
  svc->before = true;
  assert_int_equal(service_delete(svc, 41), ACCEL_ERR_BACKEND);
  assert_int_equal(svc->bodies, 3);
  svc->answer = ROW_LOCKED;
  assert_int_equal(service_delete(svc, 41), ROW_LOCKED);
}

static void without_a_cache_the_body_runs(void **state)
{
  service *svc = (service *)*state;
  user_row out = {0, 0}, row = {42, 2};
  user_cache_close(&svc->rows.cache);
  for (unsigned i = 0; i < 2; i++) assert_int_equal(service_get(svc, 41, &out), ACCEL_OK);
  assert_int_equal(out.age, 30);
  assert_int_equal(service_save(svc, &row), ACCEL_OK);
  assert_int_equal(service_delete(svc, 41), ACCEL_OK);
  assert_int_equal(svc->bodies, 4);
  svc->on_cache_error = ACCEL_PROPAGATE;
  assert_int_equal(service_get(svc, 41, &out), ACCEL_ERR_CLOSED);
  assert_int_equal(svc->bodies, 4);
  assert_int_equal(service_save(svc, &row), ACCEL_ERR_CLOSED);
  assert_int_equal(service_delete(svc, 41), ACCEL_ERR_CLOSED);
  assert_int_equal(svc->bodies, 6);
}

#define SERVICE_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      SERVICE_TEST(a_body_answers_once),
      SERVICE_TEST(what_does_not_exist_is_remembered),
      SERVICE_TEST(without_negative_entries_the_body_is_asked_again),
      SERVICE_TEST(a_failing_body_is_heard_and_not_kept),
      SERVICE_TEST(a_stale_value_stands_in_where_allowed),
      SERVICE_TEST(unless_decides_what_is_not_kept),
      SERVICE_TEST(bypass_leaves_the_cache_alone),
      SERVICE_TEST(a_ttl_of_its_own_ends_the_entry),
      SERVICE_TEST(concurrent_callers_share_one_body),
      SERVICE_TEST(concurrent_callers_share_its_failure),
      SERVICE_TEST(a_follower_waits_no_longer_than_allowed),
      SERVICE_TEST(a_body_that_needs_its_own_key_is_told),
      SERVICE_TEST(put_keeps_what_the_body_saved),
      SERVICE_TEST(evict_removes_after_success),
      SERVICE_TEST(evict_before_removes_twice),
      SERVICE_TEST(evict_all_clears_the_area),
      SERVICE_TEST(ignored_failures_change_nothing),
      SERVICE_TEST(propagated_failures_end_the_call),
      SERVICE_TEST(without_a_cache_the_body_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

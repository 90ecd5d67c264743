/* What an observer shows of Redis servers: names without passwords, connections, the breaker. */
#include "accel.h"
#include "accel/observer_state.h"
#include "client.h"

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { PATIENCE_MS = 20000 };

static redis_server server;

static int start_server(void **state)
{
  (void)state;
  return redis_server_start(&server, "requirepass s3cret") ? 0 : -1;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

typedef bool wanted_fn(const accel_observation *seen);

/* Observes until it is as wanted. */
static void await(accel_observer *observer, wanted_fn *wanted, accel_observation *seen)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  for (;;) {
    assert_int_equal(accel_observer_observe(observer, seen), ACCEL_OK);
    if (wanted(seen)) return;
    accel_observation_release(seen);
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("it did not come to be as wanted");
    usleep(2000);
  }
}

static bool is_ready(const accel_observation *seen)
{
  return seen->endpoint_count == 1 && seen->endpoints[0].ready == 1;
}

static bool is_down(const accel_observation *seen)
{
  return seen->endpoints[0].down == 1;
}

static bool is_broken(const accel_observation *seen)
{
  return strcmp(seen->endpoints[0].breaker, "open") == 0;
}

static bool is_back(const accel_observation *seen)
{
  return seen->endpoints[0].ready == 1 && strcmp(seen->endpoints[0].breaker, "closed") == 0;
}

static void a_server_comes_and_goes(void **state)
{
  (void)state;
  accel_observer observer;
  accel_redis redis;
  number_cache numbers;
  accel_observation seen;
  char url[100], name[40];
  snprintf(url, sizeof url, "redis://:s3cret@127.0.0.1:%d", server.port);
  snprintf(name, sizeof name, "127.0.0.1:%d", server.port);
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  const accel_redis_config where = {.url = url, .observer = &observer};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "numbers", .remote = &redis, .observer = &observer};
  assert_int_equal(number_cache_open(&numbers, &config), ACCEL_OK);
  await(&observer, is_ready, &seen);
  assert_string_equal(seen.endpoints[0].endpoint, name);
  assert_string_equal(seen.endpoints[0].breaker, "closed");
  assert_int_equal(seen.endpoints[0].reconnects, 0);
  accel_observation_release(&seen);

  uint64_t number = 1;
  redis_server_freeze(&server);
  for (int i = 0; i < 8; i++) (void)number_cache_set(&numbers, 1, &number);
  await(&observer, is_broken, &seen);
  accel_observation_release(&seen);
  redis_server_thaw(&server);
  await(&observer, is_back, &seen);
  accel_observation_release(&seen);

  redis_server_kill(&server);
  await(&observer, is_down, &seen);
  assert_int_equal(seen.health, ACCEL_HEALTH_DEGRADED);
  assert_true(seen.error_count > 0);
  for (size_t i = 0; i < seen.error_count; i++) assert_null(strstr(seen.errors[i].text, "s3cret"));
  accel_observation_release(&seen);
  assert_true(redis_server_restart(&server));
  await(&observer, is_back, &seen);
  assert_true(seen.endpoints[0].reconnects >= 1);
  accel_observation_release(&seen);

  accel_buffer page = {0};
  assert_int_equal(accel_observer_prometheus(&observer, &page), ACCEL_OK);
  assert_int_equal(accel_observer_json(&observer, &page), ACCEL_OK);
  assert_true(accel_buffer_append(&page, "", 1));
  assert_null(strstr((const char *)page.data, "s3cret"));
  char line[120];
  snprintf(line, sizeof line, "accelerator_redis_connections{endpoint=\"%s\",state=\"ready\"} 1\n",
           name);
  assert_non_null(strstr((const char *)page.data, line));
  accel_buffer_release(&page);
  number_cache_close(&numbers);
  accel_redis_close(&redis);
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.endpoint_count, 0);
  accel_observation_release(&seen);
  accel_observer_close(&observer);
}

static void two_of_one_server_are_one(void **state)
{
  (void)state;
  accel_observer observer;
  accel_redis first, second;
  accel_observation seen;
  char url[100];
  snprintf(url, sizeof url, "redis://:s3cret@127.0.0.1:%d", server.port);
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  const accel_redis_config where = {.url = url, .observer = &observer};
  assert_int_equal(accel_redis_open(&first, &where), ACCEL_OK);
  assert_int_equal(accel_redis_open(&second, &where), ACCEL_OK);
  assert_int_equal(accel_redis_ping(&first), ACCEL_OK);
  assert_int_equal(accel_redis_ping(&second), ACCEL_OK);
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.endpoint_count, 1);
  assert_int_equal(seen.endpoints[0].ready, 2);
  accel_observation_release(&seen);
  accel_redis_close(&second);
  accel_redis_close(&first);
  accel_observer_close(&observer);
  assert_int_equal(accel_redis_open(&first, &where), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&first), "observer is not an open accel_observer"));
}

int main(void)
{
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_server_comes_and_goes, start_server, stop_server),
      cmocka_unit_test_setup_teardown(two_of_one_server_are_one, start_server, stop_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A real master with a replica and three Sentinels: which server is the master, and what a failover
 * does. */
#include "accel.h"
#include "client.h"
#include "redis_cluster.h"

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { SLOW_MS = 1000, CHANNEL_MS = 10000 };

static redis_watched watched;

static int start_watched(void **state)
{
  (void)state;
  return redis_watched_start(&watched, NULL) ? 0 : -1;
}

static int stop_watched(void **state)
{
  (void)state;
  redis_watched_stop(&watched);
  return 0;
}

static bool channel_comes_up(number_cache *cache)
{
  const uint64_t until_ms = accel_clock_deadline(CHANNEL_MS);
  accel_diagnostic diagnostic;
  do {
    number_cache_diagnostic_snapshot(cache, &diagnostic);
    if (diagnostic.channel_up) return true;
    usleep(2000);
  } while (accel_clock_monotonic_ms() < until_ms);
  return false;
}

static void unknown_masters_and_dead_sentinels_are_told(void **state)
{
  accel_redis redis;
  char url[300];
  (void)state;
  snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/somebody", watched.sentinels[0].port);
  assert_int_equal(
      accel_redis_open(&redis, &(accel_redis_config){.url = url, .command_timeout_ms = SLOW_MS}),
      ACCEL_OK);
  assert_int_equal(accel_redis_ping(&redis), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(accel_redis_last_error(&redis), "no master \"somebody\""));
  const accel_config config = {.area = "number", .remote = &redis};
  accel_diagnostic diagnostic;
  number_cache cache;
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  usleep(500000);
  number_cache_diagnostic_snapshot(&cache, &diagnostic);
  assert_false(diagnostic.channel_up); /* a Sentinel is nobody to listen to */
  number_cache_close(&cache);
  accel_redis_close(&redis);
  snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:1,127.0.0.1:%d/%s",
           watched.sentinels[1].port, REDIS_WATCHED_NAME);
  assert_int_equal(
      accel_redis_open(&redis, &(accel_redis_config){.url = url, .command_timeout_ms = SLOW_MS}),
      ACCEL_OK);
  assert_int_equal(accel_redis_ping(&redis), ACCEL_OK);
  accel_redis_close(&redis);
}

/* Two caches in L1 and L2, before, during and after a failover. */
static void a_failover_is_survived(void **state)
{
  accel_redis redis;
  number_cache one, two;
  uint64_t value = 0;
  (void)state;
  const accel_redis_config where = {.url = watched.url, .command_timeout_ms = SLOW_MS};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "number", .remote = &redis};
  assert_int_equal(number_cache_open(&one, &config), ACCEL_OK);
  assert_int_equal(number_cache_open(&two, &config), ACCEL_OK);
  assert_true(channel_comes_up(&one) && channel_comes_up(&two));
  assert_int_equal(number_cache_set(&one, 1, &(uint64_t){10}), ACCEL_OK);
  assert_int_equal(number_cache_get(&two, 1, &value), ACCEL_OK);
  assert_int_equal(value, 10);

  redis_server_kill(&watched.master);
  const uint64_t killed_ms = accel_clock_monotonic_ms();
  while (number_cache_set(&one, 1, &(uint64_t){11}) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < killed_ms + 150000);
    usleep(10000);
  }
  print_message("written again %u ms after the master was killed\n",
                (unsigned)(accel_clock_monotonic_ms() - killed_ms));
  assert_int_equal(redis_watched_master_port(&watched), watched.replica.port);
  assert_true(channel_comes_up(&one) && channel_comes_up(&two));
  assert_int_equal(number_cache_set(&one, 1, &(uint64_t){12}), ACCEL_OK);
  const uint64_t set_ms = accel_clock_monotonic_ms();
  while (number_cache_get(&two, 1, &value) != ACCEL_OK || value != 12) {
    assert_true(accel_clock_monotonic_ms() < set_ms + 60000);
    usleep(1000);
  }
  number_cache_close(&two);
  number_cache_close(&one);
  accel_redis_close(&redis);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unknown_masters_and_dead_sentinels_are_told),
      cmocka_unit_test(a_failover_is_survived),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_watched, stop_watched);
}

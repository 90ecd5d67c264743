/* An accel_redis that is opened twice, closed before its caches, or is none at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "one_server.h"

#include <string.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

static accel_status load_same(void *ctx, uint64_t key, uint64_t *out)
{
  (*(unsigned *)ctx)++;
  *out = key;
  return ACCEL_OK;
}

static void an_open_redis_is_not_opened_again(void **state)
{
  (void)state;
  accel_redis redis;
  memset(&redis, 0x5A, sizeof redis);
  const accel_redis_config where = {.url = server.url};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "open already"));
  assert_int_equal(accel_redis_ping(&redis), ACCEL_OK);
  accel_redis_close(&redis);
  assert_int_equal(accel_redis_ping(&redis), ACCEL_ERR_CONFIG);
}

static void what_is_no_redis_is_refused(void **state)
{
  (void)state;
  accel_redis redis, closed;
  number_cache cache;
  memset(&closed, 0, sizeof closed);
  accel_redis_config where = {.url = server.url};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  void *const wrong[] = {&where, &closed, &cache, (void *)(uintptr_t)16};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const accel_config config = {.area = "number", .remote = wrong[i]};
    assert_int_equal(number_cache_open(&cache, &config), ACCEL_ERR_CONFIG);
    assert_non_null(strstr(number_cache_last_error(&cache), "not an open"));
  }
  accel_redis_close(&redis);
}

/* The wrong order; the last cache to close closes it. */
static void a_closed_redis_serves_its_caches_until_they_close(void **state)
{
  (void)state;
  accel_redis redis;
  number_cache first, second;
  uint64_t out = 0;
  unsigned loads = 0;
  accel_redis_config where = {.url = server.url, .command_timeout_ms = 5000};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "number",
                               .remote = &redis,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .remote_errors = ACCEL_PROPAGATE};
  assert_int_equal(number_cache_open(&first, &config), ACCEL_OK);
  assert_int_equal(number_cache_open(&second, &config), ACCEL_OK);
  number_cache_set_loader(&first, load_same, &loads);
  accel_redis_close(&redis);
  assert_int_equal(number_cache_open(&second, &config), ACCEL_ERR_CONFIG); /* is open */
  assert_int_equal(number_cache_get(&first, 7, &out), ACCEL_OK);
  number_cache_close(&first);
  assert_int_equal(number_cache_get(&second, 7, &out), ACCEL_OK); /* from Redis */
  assert_int_equal(out, 7);
  assert_int_equal(loads, 1);
  number_cache_close(&second);
  assert_int_equal(number_cache_open(&second, &config), ACCEL_ERR_CONFIG); /* has no Redis */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_open_redis_is_not_opened_again),
      cmocka_unit_test(what_is_no_redis_is_refused),
      cmocka_unit_test(a_closed_redis_serves_its_caches_until_they_close),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

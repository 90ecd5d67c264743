/* A server that hangs up says why before: its words are what the caller is told. Real servers. */
#include "client.h"

#include "accel/platform/atomic.h"
#include "accel_backends/redis/state.h"

#include <hiredis/hiredis.h>

enum { PATIENCE_MS = 20000, CLIENTS = 40, LARGE = 2 << 20 };

static redis_server server;

/* Waits for the text in what ping says. */
static void ping_says(accel_redis *redis, const char *words)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (accel_redis_ping(redis) == ACCEL_OK ||
         strstr(accel_redis_last_error(redis), words) == NULL) {
    if (accel_clock_monotonic_ms() > until_ms)
      fail_msg("\"%s\" without \"%s\"", accel_redis_last_error(redis), words);
    usleep(2000);
  }
}

static void too_many_clients(const char *options, const char *userinfo)
{
  redisContext *others[CLIENTS];
  char url[96];
  accel_redis redis;
  assert_true(redis_server_start(&server, options));
  for (size_t i = 0; i < CLIENTS; i++) others[i] = redisConnect("127.0.0.1", server.port);
  snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", userinfo, server.port);
  assert_int_equal(accel_redis_open(&redis, &(accel_redis_config){.url = url}), ACCEL_OK);
  ping_says(&redis, "the server replied: ERR max number of clients reached");
  for (size_t i = 0; i < CLIENTS; i++) redisFree(others[i]);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (accel_redis_ping(&redis) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(2000);
  }
  accel_redis_close(&redis);
  redis_server_stop(&server);
}

static void a_full_house(void **state)
{
  (void)state;
  too_many_clients("maxclients 10", "");
  too_many_clients("maxclients 10\nrequirepass correct", ":correct@");
}

static size_t append_nothing(void *ctx, uint32_t lane, const accel_remote_item *const *items,
                             size_t count, accel_buffer *out)
{
  (void)ctx, (void)lane, (void)items, (void)count;
  return accel_buffer_append(out, "m", 1) ? 1 : 0;
}

static accel_status put_large(client *one, const char *value, size_t size, bool tells)
{
  const accel_remote_publisher publisher = {NULL, append_nothing};
  client_key key;
  accel_remote_item item = client_item("large", value, &key);
  item.size = size;
  client_begin(one);
  accel_redis_ops.put(one->link, &item, 1, tells ? &publisher : NULL, &one->call);
  return item.status;
}

/* In the middle of what it is sent: the server neither takes the rest nor answers the rest. Once it
 * has said why, nothing as large is sent for a while, and no connection is lost for it. */
static void a_value_that_the_server_does_not_take(void **state)
{
  client one;
  char reply[64];
  char *value = (char *)calloc(1, LARGE);
  (void)state;
  assert_non_null(value);
  assert_true(redis_server_start(&server, "proto-max-bulk-len 1mb"));
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 5000};
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "small", "value"), ACCEL_OK);
  redis_endpoint *endpoint = one.redis.state->route.endpoints[0];
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  for (unsigned i = 0; i < 5; i++) {
    accel_store_relaxed(&endpoint->sizes.too_large_until_ms, UINT64_C(0));
    accel_status status;
    while ((status = put_large(&one, value, LARGE, i % 2 == 0)) != ACCEL_ERR_CODEC) {
      assert_int_equal(status, ACCEL_ERR_BACKEND); /* where its words were lost */
      assert_true(accel_clock_monotonic_ms() < until_ms);
      usleep(20000);
    }
    assert_non_null(strstr(one.call.error, "invalid bulk length"));
  }
  while (put_large(&one, value, LARGE / 4, true) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(2000);
  }
  const long before = redis_server_connections(&server);
  for (unsigned i = 0; i < 20; i++) {
    assert_int_equal(put_large(&one, value, LARGE + i, i % 2 == 0), ACCEL_ERR_CODEC);
    assert_non_null(strstr(one.call.error, "the server refused 2097152"));
    assert_int_equal(put_large(&one, value, LARGE / 4, true), ACCEL_OK);
  }
  assert_int_equal(redis_server_connections(&server) - before, 1); /* this question's own */
  /* On the other connection nobody notices, and the server is not blamed. */
  assert_int_equal(client_check(&one, "small", "value"), ACCEL_OK);
  assert_int_equal(endpoint->lanes[REDIS_LANE_DATA].breaker.state, REDIS_BREAKER_CLOSED);
  assert_int_equal(endpoint->lanes[REDIS_LANE_LARGE].breaker.state, REDIS_BREAKER_CLOSED);
  /* The server is set to take more: it is asked again after a while. */
  assert_true(
      redis_server_ask(&server, "CONFIG SET proto-max-bulk-len 512mb", reply, sizeof reply));
  accel_store_relaxed(&endpoint->sizes.too_large_until_ms, accel_clock_monotonic_ms());
  assert_int_equal(put_large(&one, value, LARGE, true), ACCEL_OK);
  client_close(&one);
  redis_server_stop(&server);
  free(value);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_full_house),
      cmocka_unit_test(a_value_that_the_server_does_not_take),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

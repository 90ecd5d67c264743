/* A clear looks for keys by SCAN, which changes nothing: neither is it held to the limits of a
 * write, nor does it count as one when it is late. */
#include "lane_world.h"

enum { KEYS = 16384, NAME_SIZE = 200, SHORT_MS = 50, LATENCY_MS = 300 };

/* Names of the greatest length, behind the longest prefix: one step finds more than a megabyte. */
static void an_area_of_long_names_is_cleared(void **state)
{
  char prefix[65], command[512], reply[64];
  client one;
  (void)state;
  memset(prefix, 'p', sizeof prefix - 1);
  prefix[sizeof prefix - 1] = '\0';
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = PATIENCE_MS, .key_prefix = prefix};
  client_open(&one, &config);
  snprintf(command, sizeof command,
           "EVAL \"for i=1,%d do redis.call('SET',ARGV[1]..i..string.rep('n',%d),'') end\" 0 "
           "%s:" CLIENT_AREA ":",
           KEYS, NAME_SIZE - 5, prefix);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  assert_true(redis_server_comes_to_say(&server, "DBSIZE", ":16384", PATIENCE_MS));
  client_begin(&one);
  if (accel_redis_ops.clear(one.link, NULL, &one.call) != ACCEL_OK) fail_msg("%s", one.call.error);
  assert_true(redis_server_comes_to_say(&server, "DBSIZE", ":0\r\n", PATIENCE_MS));
  client_close(&one);
}

/* Gives up a look for keys, and then a set on the lane for large values. True: both were sent, and
 * neither is answered yet. */
static bool give_up_a_look_and_a_set(redis_endpoint *endpoint)
{
  accel_remote_call call = call_within(SHORT_MS);
  const accel_status status = accel_redis_ops.clear(writer.link, &publisher, &call);
  if (status != ACCEL_ERR_TIMEOUT || strstr(call.error, "no reply") == NULL) return false;
  if (set("large", LARGE, SHORT_MS) != ACCEL_ERR_TIMEOUT) return false;
  return has_late_writes(REDIS_LANE_LARGE) &&
         accel_redis_io_pending(redis_endpoint_data(endpoint)) > 0;
}

/* Otherwise both lanes would count as having late writes, and nothing could be removed. */
static void a_late_look_for_keys_is_no_late_write(void **state)
{
  redis_endpoint *endpoint = accel_redis_route_main(&writer.redis.state->route);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  (void)state;
  assert_int_equal(set("large", LARGE, 0), ACCEL_OK);
  assert_int_equal(set("small", SMALL, 0), ACCEL_OK);
  slow_down((proxy_flow){.latency_ms = LATENCY_MS});
  while (!give_up_a_look_and_a_set(endpoint)) assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_false(has_late_writes(REDIS_LANE_DATA));
  assert_int_equal(del("small", 0), ACCEL_OK);
  assert_false(exists("small"));
}

static int start(void **state)
{
  (void)state;
  bytes = (char *)calloc(1, LARGE);
  return bytes != NULL && redis_server_start(&server, NULL) && proxy_open(&way, server.port) ? 0
                                                                                             : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&way);
  redis_server_stop(&server);
  free(bytes);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_area_of_long_names_is_cleared),
      cmocka_unit_test_setup_teardown(a_late_look_for_keys_is_no_late_write, open_both, close_both),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

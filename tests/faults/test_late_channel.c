/* A channel on which bytes flow all the time, but late: it is no better than a dead one, and is
 * noticed as fast.
 *
 * `mine` listens behind a proxy that lets few bytes pass; so many messages wait before the one that
 * matters that it would take minutes to come. Nothing else tells `mine`. */
#include "fault_world.h"

#include "accel/platform/atomic.h"
#include "accel_backends/redis/state.h"

enum { KEY = 1, OTHERS = 3000, PATIENCE_MS = 20000, TOO_LATE_MS = 20000 };

static redis_server server;
static proxy way;
static fault_world mine, other;

static void open_both(const char *url, accel_redis_coherence coherence, uint32_t timeout_ms)
{
  const accel_config config = {.local_ttl_ms = 3600000, .loader_timeout_ms = PATIENCE_MS};
  const accel_redis_config behind = {
      .url = url, .command_timeout_ms = timeout_ms, .coherence = coherence};
  const accel_redis_config direct = {.url = server.url, .command_timeout_ms = 5000};
  fault_open(&mine, &behind, config);
  fault_open(&other, &direct, config);
  assert_true(fault_comes(&mine, true, PATIENCE_MS) >= 0);
  assert_true(fault_comes(&other, true, PATIENCE_MS) >= 0);
}

static bool holds_key(void)
{
  const accel_read read = {.skip_remote = true, .disable_load = true};
  item_t item;
  return item_cache_get_with(&mine.cache, KEY, &read, &item) == ACCEL_OK;
}

static void have_key_in_local(void)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (!holds_key()) {
    item_t item;
    item_cache_get(&mine.cache, KEY, &item);
    assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  /* The messages about what was just stored are over: they would take the key away. */
  usleep(300000);
  if (!holds_key()) have_key_in_local();
}

static void del_elsewhere_behind_many(void)
{
  static uint64_t others[OTHERS];
  for (uint64_t i = 0; i < OTHERS; i++) others[i] = 1000000 + i;
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  item_cache_mdel(&other.cache, others, OTHERS);
  while (item_cache_del(&other.cache, KEY) != ACCEL_OK)
    assert_true(accel_clock_monotonic_ms() < until_ms);
}

static void deleted_value_goes_in_time(const char *url, accel_redis_coherence coherence,
                                       uint32_t timeout_ms)
{
  const proxy_flow slow = {.slice_bytes = 16, .slice_pause_ms = 50};
  open_both(url, coherence, timeout_ms);
  have_key_in_local();
  const uint64_t epochs = fault_metrics(&mine).epoch_raised;
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_LISTENER, &slow);
  del_elsewhere_behind_many();
  const uint64_t received = proxy_look(&way).replies, began_ns = accel_clock_monotonic_ns();
  while (holds_key() && fault_ms_since(began_ns) < TOO_LATE_MS) usleep(1000);
  const double ms = fault_ms_since(began_ns);
  const uint64_t flowed = proxy_look(&way).replies - received;
  print_message("the deleted value was served for %.0f ms, while %u bytes came\n", ms,
                (unsigned)flowed);
  assert_true(ms < TOO_LATE_MS);
  if (ms > 1000) assert_true(flowed > 0);
  /* Not whether it is down now: the next channel may be up already. */
  assert_true(fault_was_down(&mine, epochs));
  proxy_heal(&way);
  if (fault_comes(&mine, true, PATIENCE_MS) < 0) fail_msg("%s", fault_look(&mine).channel_error);
  fault_close(&other);
  fault_close(&mine);
}

static void with_messages(void **state)
{
  (void)state;
  deleted_value_goes_in_time(way.url, ACCEL_PUBSUB, 2000);
}

/* A long limit of commands is none of the channel's. */
static void with_tracking(void **state)
{
  (void)state;
  deleted_value_goes_in_time(way.url, ACCEL_TRACKING, 15000);
}

static void behind_a_sentinel(void **state)
{
  redis_server sentinel;
  char options[256], url[128];
  (void)state;
  snprintf(options, sizeof options, "sentinel monitor late 127.0.0.1 %d 1", way.port);
  assert_true(redis_server_start_sentinel(&sentinel, options));
  snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/late", sentinel.port);
  deleted_value_goes_in_time(url, ACCEL_PUBSUB, 2000);
  redis_server_stop(&sentinel);
}

/* The server of one that tells its clients the proxy's port as its own. */
static void in_a_cluster(void **state)
{
  char command[64], reply[64], url[64];
  redis_server plain = server;
  (void)state;
  proxy_close(&way);
  assert_true(redis_server_start(&server, "cluster-enabled yes\ncluster-config-file nodes.conf\n"
                                          "client-output-buffer-limit pubsub 0 0 0"));
  assert_true(proxy_open(&way, server.port));
  snprintf(command, sizeof command, "CONFIG SET cluster-announce-port %d", way.port);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  assert_string_equal(reply, "+OK\r\n+OK\r\n");
  assert_true(redis_server_ask(&server, "CLUSTER ADDSLOTSRANGE 0 16383", reply, sizeof reply));
  assert_true(redis_server_comes_to_say(&server, "CLUSTER INFO", "cluster_state:ok", PATIENCE_MS));
  snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d", way.port);
  snprintf(server.url, sizeof server.url, "redis+cluster://127.0.0.1:%d", server.port);
  deleted_value_goes_in_time(url, ACCEL_PUBSUB, 2000);
  proxy_close(&way);
  redis_server_stop(&server);
  server = plain;
  assert_true(proxy_open(&way, server.port));
}

/* A channel that is slow within reason stays: its answers come, if late. */
static void a_slow_channel_is_not_lost_for_that(void **state)
{
  const proxy_flow slow = {.latency_ms = 700};
  (void)state;
  open_both(way.url, ACCEL_PUBSUB, 2000);
  have_key_in_local();
  const uint64_t epochs = fault_metrics(&mine).epoch_raised;
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_LISTENER, &slow);
  usleep(4000000);
  const accel_diagnostic seen = fault_look(&mine);
  print_message("epochs raised in 4 s with answers 700 ms late: %u\n",
                (unsigned)(fault_metrics(&mine).epoch_raised - epochs));
  assert_true(seen.channel_up);
  proxy_heal(&way);
  fault_close(&other);
  fault_close(&mine);
}

/* With tracking the channel asks a question on the data connection, too, which is late whenever
 * something large passes there: that is no loss as long as answers come. */
static void late_answers_of_the_data_connection_are_no_loss(void **state)
{
  const proxy_flow late = {.latency_ms = 300};
  (void)state;
  open_both(way.url, ACCEL_TRACKING, 50);
  const uint64_t epochs = fault_metrics(&mine).epoch_raised;
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &late);
  usleep(1500000); /* one question at least, and less than three seconds */
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &(proxy_flow){.latency_ms = 0});
  usleep(100000);
  assert_true(fault_look(&mine).channel_up);
  assert_int_equal(fault_metrics(&mine).epoch_raised, epochs);
  fault_close(&other);
  fault_close(&mine);
}

static int start(void **state)
{
  (void)state;
  const bool is_started = redis_server_start(&server, "client-output-buffer-limit pubsub 0 0 0");
  return is_started && proxy_open(&way, server.port) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&way);
  redis_server_stop(&server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(with_messages),
      cmocka_unit_test(with_tracking),
      cmocka_unit_test(behind_a_sentinel),
      cmocka_unit_test(in_a_cluster),
      cmocka_unit_test(a_slow_channel_is_not_lost_for_that),
      cmocka_unit_test(late_answers_of_the_data_connection_are_no_loss),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

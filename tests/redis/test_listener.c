/* The channel: up once it is confirmed, down when it is lost or silent, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis.h"
#include "lateness.h"
#include "redis_server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static redis_server server;

/* A sink that counts. */
typedef struct listening {
  atomic_uint ups, downs, messages, heartbeats;
  atomic_uint refusals, strangers;
  atomic_bool has_heartbeat;
  char last[64]; /* of the only message a test sends */
} listening;

static void hear_up(void *ctx)
{
  ((listening *)ctx)->ups++;
}

static void hear_down(void *ctx)
{
  ((listening *)ctx)->downs++;
}

static void hear_message(void *ctx, const void *data, size_t size)
{
  listening *heard = (listening *)ctx;
  if (size < sizeof heard->last) memcpy(heard->last, data, size);
  heard->messages++;
}

static bool hear_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  (void)lane;
  listening *heard = (listening *)ctx;
  heard->heartbeats++;
  return heard->has_heartbeat && accel_buffer_append(out, "beat", 4);
}

static void hear_event(void *ctx, accel_remote_event event, uint32_t n)
{
  if (event == ACCEL_REMOTE_NO_PERMISSION) ((listening *)ctx)->refusals += n;
  if (event == ACCEL_REMOTE_NO_AUTH) ((listening *)ctx)->strangers += n;
}

static void *attach(accel_redis *redis, const char *name, listening *heard)
{
  const accel_remote_area area = {
      .area = name,
      .has_listener = true,
      .sink = {heard, hear_message, hear_up, hear_down, hear_heartbeat, hear_event},
      .owner = heard};
  void *link = NULL;
  char channel[192];
  memset(heard, 0, sizeof *heard);
  assert_int_equal(accel_redis_ops.attach(redis, &area, &link, channel), ACCEL_OK);
  char expected[192];
  snprintf(expected, sizeof expected, "app:accel:invalidation:%s", name);
  assert_string_equal(channel, expected);
  return link;
}

static bool comes_to(atomic_uint *counter, unsigned count, uint32_t ms)
{
  const uint64_t until_ms = accel_clock_deadline(10 * ms); /* of a busy machine */
  while (*counter < count) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(1000);
  }
  return true;
}

static bool publish(const char *area, const char *message)
{
  char command[128], reply[128];
  snprintf(command, sizeof command, "PUBLISH app:accel:invalidation:%s %s", area, message);
  return redis_server_ask(&server, command, reply, sizeof reply) && reply[0] == ':';
}

/* How many connections listen to the area's channel. */
static long listeners(const char *area)
{
  char command[128], reply[256];
  snprintf(command, sizeof command, "PUBSUB NUMSUB app:accel:invalidation:%s", area);
  if (!redis_server_ask(&server, command, reply, sizeof reply)) return -1;
  const char *number = strrchr(reply, ':');
  return number == NULL ? -1 : strtol(number + 1, NULL, 10);
}

static int open_redis(void **state)
{
  static accel_redis redis;
  const accel_redis_config config = {
      .url = server.url, .key_prefix = "app", .connect_timeout_ms = 300};
  *state = &redis;
  return accel_redis_open(&redis, &config) == ACCEL_OK ? 0 : -1;
}

static int close_redis(void **state)
{
  accel_redis_close((accel_redis *)*state);
  return 0;
}

static void up_means_that_messages_arrive(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  for (int round = 0; round < 20; round++) {
    listening heard;
    void *link = attach(redis, "a", &heard);
    assert_true(comes_to(&heard.ups, 1, 5000));
    assert_true(publish("a", "hello"));
    assert_true(comes_to(&heard.messages, 1, 5000));
    assert_string_equal(heard.last, "hello");
    accel_redis_ops.detach(link);
    assert_int_equal(heard.ups, 1);
    assert_int_equal(heard.downs, 0);
  }
}

static void an_area_that_left_is_not_listened_to(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening one, two, other;
  void *first = attach(redis, "a", &one);
  void *second = attach(redis, "a", &two);
  void *third = attach(redis, "b", &other);
  assert_true(comes_to(&one.ups, 1, 5000));
  assert_true(comes_to(&two.ups, 1, 5000));
  assert_true(comes_to(&other.ups, 1, 5000));
  assert_int_equal(listeners("a"), 1);
  accel_redis_ops.detach(first);
  usleep(50000);
  assert_int_equal(listeners("a"), 1); /* the second still does */
  assert_true(publish("a", "x"));
  assert_true(comes_to(&two.messages, 1, 5000));
  assert_int_equal(one.messages, 0);
  accel_redis_ops.detach(second);
  for (int wait = 0; wait < 10000 && listeners("a") != 0; wait++) usleep(5000);
  assert_int_equal(listeners("a"), 0);
  assert_int_equal(listeners("b"), 1);
  accel_redis_ops.detach(third);
}

static void a_killed_listener_is_down_and_returns(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard;
  char reply[64];
  void *link = attach(redis, "a", &heard);
  assert_true(comes_to(&heard.ups, 1, 5000));
  for (unsigned round = 1; round <= 3; round++) {
    assert_true(redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply));
    assert_true(comes_to(&heard.downs, round, 5000));
    assert_true(comes_to(&heard.ups, round + 1, 5000));
  }
  assert_true(publish("a", "again"));
  assert_true(comes_to(&heard.messages, 1, 5000));
  accel_redis_ops.detach(link);
}

static void a_restarted_server_is_listened_to_again(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard, later;
  void *link = attach(redis, "a", &heard);
  assert_true(comes_to(&heard.ups, 1, 5000));
  redis_server_kill(&server);
  assert_true(comes_to(&heard.downs, 1, 5000));
  void *second = attach(redis, "b", &later); /* while there is nobody to ask */
  usleep(100000);
  assert_int_equal(later.ups, 0);
  assert_true(redis_server_restart(&server));
  assert_true(comes_to(&heard.ups, 2, 5000));
  assert_true(comes_to(&later.ups, 1, 5000));
  assert_int_equal(heard.downs, 1);
  assert_int_equal(later.downs, 0);
  accel_redis_ops.detach(link);
  accel_redis_ops.detach(second);
}

static void a_frozen_server_is_down_after_three_seconds(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard;
  void *link = attach(redis, "a", &heard);
  assert_true(comes_to(&heard.ups, 1, 5000));
  const uint64_t began_ms = accel_clock_monotonic_ms();
  redis_server_freeze(&server);
  const bool was_noticed = comes_to(&heard.downs, 1, 6000);
  const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
  redis_server_thaw(&server);
  assert_true(was_noticed);
  print_message("silence was noticed after %u ms\n", (unsigned)took_ms);
  assert_true(took_ms >= 1900 && lateness_keeps((double)took_ms, 5000));
  assert_true(comes_to(&heard.ups, 2, 5000));
  accel_redis_ops.detach(link);
}

static void heartbeats_go_out_once_a_second(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard;
  void *link = attach(redis, "a", &heard);
  heard.has_heartbeat = true;
  assert_true(comes_to(&heard.ups, 1, 5000));
  assert_true(comes_to(&heard.messages, 1, 5000));
  assert_string_equal(heard.last, "beat");
  accel_redis_ops.detach(link);
}

static void the_server_s_clock_is_told(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard;
  void *link = attach(redis, "a", &heard);
  assert_true(comes_to(&heard.ups, 1, 5000));
  for (int wait = 0; wait < 60000 && !accel_redis_ops.is_ready(link); wait++) usleep(1000);
  const uint64_t wall_ms = accel_clock_wall_ms(), servers_ms = accel_redis_ops.now_ms(link);
  assert_true(servers_ms + 500 >= wall_ms);
  assert_true(servers_ms <= accel_clock_wall_ms() + 1500);
  accel_redis_ops.detach(link);
}

static void a_stranger_s_nonsense_reaches_only_the_sink(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening heard;
  void *link = attach(redis, "a", &heard);
  assert_true(comes_to(&heard.ups, 1, 5000));
  for (unsigned i = 1; i <= 50; i++) {
    assert_true(publish("a", "nonsense"));
    assert_true(comes_to(&heard.messages, i, 5000));
  }
  assert_int_equal(heard.downs, 0);
  accel_redis_ops.detach(link);
}

/* An area whose channel the access list forbids: said and counted, no trouble of the others, and
 * asked for again. */
/* Of over 1 MiB: nobody keeps so much. What it said is unknown, so its area lost a message; the
 * connection goes on, and no other area notices. */
static void a_message_that_is_too_long_is_its_areas_loss_alone(void **state)
{
  accel_redis *redis = (accel_redis *)*state;
  listening flooded, calm;
  char reply[64];
  void *first = attach(redis, "a", &flooded);
  void *second = attach(redis, "b", &calm);
  assert_true(comes_to(&flooded.ups, 1, 5000));
  assert_true(comes_to(&calm.ups, 1, 5000));
  for (unsigned i = 1; i <= 3; i++) {
    assert_true(redis_server_ask(&server,
                                 "EVAL \"return redis.call('publish', "
                                 "'app:accel:invalidation:a', string.rep('x', 2097152))\" 0",
                                 reply, sizeof reply));
    assert_int_equal(strncmp(reply, ":1\r", 3), 0);
    assert_true(publish("b", "hello"));
    assert_true(comes_to(&calm.messages, i, 5000));
    assert_true(publish("a", "hello"));
    while (strcmp(flooded.last, "hello") != 0) assert_true(comes_to(&flooded.messages, 1, 5000));
    assert_true(flooded.downs == i || flooded.messages == 2 * i);
    memset(flooded.last, 0, sizeof flooded.last);
  }
  assert_int_equal(calm.ups, 1);
  assert_int_equal(calm.downs, 0);
  assert_int_equal(calm.messages, 3);
  accel_redis_ops.detach(first);
  accel_redis_ops.detach(second);
}

static void a_refused_channel_is_said_and_harms_no_other(void **state)
{
  (void)state;
  redis_server strict;
  accel_redis redis;
  listening open, closed;
  char url[128], text[160], reply[64];
  const char *options = "user anna on >s3cret ~* resetchannels &app:accel:invalidation:open +@all";
  assert_true(redis_server_start(&strict, options));
  snprintf(url, sizeof url, "redis://anna:s3cret@127.0.0.1:%d", strict.port);
  const accel_redis_config config = {.url = url, .key_prefix = "app", .command_timeout_ms = 2000};
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_OK);
  void *closed_link = attach(&redis, "closed", &closed);
  void *open_link = attach(&redis, "open", &open);
  assert_true(comes_to(&open.ups, 1, 5000));
  assert_true(comes_to(&closed.refusals, 2, 8000)); /* it asks more than once */
  assert_int_equal(closed.ups, 0);
  assert_int_equal(open.downs, 0);
  assert_int_equal(open.refusals, 0);
  accel_redis_ops.explain_channel(open_link, text);
  assert_string_equal(text, "");
  accel_redis_ops.explain_channel(closed_link, text);
  assert_non_null(strstr(text, "NOPERM"));
  assert_null(strstr(text, "s3cret"));
  assert_int_equal(accel_redis_ping(&redis), ACCEL_ERR_BACKEND);
  assert_string_equal(accel_redis_last_error(&redis), text);

  assert_true(redis_server_ask(&strict, "ACL SETUSER anna &app:accel:invalidation:closed", reply,
                               sizeof reply));
  assert_true(comes_to(&closed.ups, 1, 8000));
  assert_int_equal(open.downs, 0);
  accel_redis_ops.explain_channel(closed_link, text);
  assert_string_equal(text, "");
  assert_int_equal(accel_redis_ping(&redis), ACCEL_OK);
  accel_redis_ops.detach(closed_link);
  accel_redis_ops.detach(open_link);
  accel_redis_close(&redis);
  redis_server_stop(&strict);
}

/* A user without permission for PING cannot prove a channel alive, so it does not come up; said,
 * counted, and tried again with growing pauses. */
static void a_user_who_may_not_ping_is_told(void **state)
{
  (void)state;
  redis_server strict;
  accel_redis redis;
  listening heard;
  char url[128], text[160], reply[64];
  assert_true(redis_server_start(&strict, "user anna on >s3cret ~* &* +@all -ping"));
  snprintf(url, sizeof url, "redis://anna:s3cret@127.0.0.1:%d", strict.port);
  const accel_redis_config config = {.url = url, .key_prefix = "app", .command_timeout_ms = 2000};
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_OK);
  void *link = attach(&redis, "a", &heard);
  assert_true(comes_to(&heard.refusals, 3, 8000));
  usleep(2500000);
  assert_int_equal(heard.ups, 0);
  assert_in_range(heard.refusals, 3, 30);
  accel_redis_ops.explain_channel(link, text);
  assert_non_null(strstr(text, "PING"));
  assert_non_null(strstr(text, "NOPERM"));
  assert_true(redis_server_ask(&strict, "ACL SETUSER anna +ping", reply, sizeof reply));
  assert_true(comes_to(&heard.ups, 1, 8000));
  accel_redis_ops.explain_channel(link, text);
  assert_string_equal(text, "");
  accel_redis_ops.detach(link);
  accel_redis_close(&redis);
  redis_server_stop(&strict);
}

static void who_may_not_sign_in_is_told(void **state)
{
  static const struct {
    const char *userinfo, *says;
  } cases[] = {{":wr0ngpass@", "WRONGPASS"}, {"anna:s3cret@", "WRONGPASS"}, {"", "NOAUTH"}};
  (void)state;
  redis_server secret;
  assert_true(redis_server_start(&secret, "user default on >s3cret ~* &* +@all"));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    accel_redis redis;
    listening heard;
    char url[128], text[160] = "";
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", cases[i].userinfo, secret.port);
    const accel_redis_config config = {.url = url, .key_prefix = "app"};
    assert_int_equal(accel_redis_open(&redis, &config), ACCEL_OK);
    void *link = attach(&redis, "a", &heard);
    const uint64_t until_ms = accel_clock_deadline(60000);
    while (text[0] == '\0' && accel_clock_monotonic_ms() < until_ms) {
      usleep(1000);
      accel_redis_ops.explain_channel(link, text);
    }
    if (strstr(text, cases[i].says) == NULL) fail_msg("%s", text);
    assert_null(strstr(text, "wr0ng"));
    assert_null(strstr(text, "s3cret"));
    assert_int_equal(heard.ups, 0);
    assert_true(comes_to(&heard.strangers, 1, 5000));
    accel_redis_ops.detach(link);
    accel_redis_close(&redis);
  }
  redis_server_stop(&secret);
}

static int start_server(void **state)
{
  (void)state;
  return lateness_begin() && redis_server_start(&server, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

#define LISTENER_TEST(function_) cmocka_unit_test_setup_teardown(function_, open_redis, close_redis)

int main(void)
{
  const struct CMUnitTest tests[] = {
      LISTENER_TEST(up_means_that_messages_arrive),
      LISTENER_TEST(an_area_that_left_is_not_listened_to),
      LISTENER_TEST(a_killed_listener_is_down_and_returns),
      LISTENER_TEST(a_restarted_server_is_listened_to_again),
      LISTENER_TEST(a_frozen_server_is_down_after_three_seconds),
      LISTENER_TEST(heartbeats_go_out_once_a_second),
      LISTENER_TEST(the_server_s_clock_is_told),
      LISTENER_TEST(a_stranger_s_nonsense_reaches_only_the_sink),
      LISTENER_TEST(a_message_that_is_too_long_is_its_areas_loss_alone),
      cmocka_unit_test(a_refused_channel_is_said_and_harms_no_other),
      cmocka_unit_test(a_user_who_may_not_ping_is_told),
      cmocka_unit_test(who_may_not_sign_in_is_told),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* A server that lies, trickles or stops: every call ends in time with a failure, and the connection
 * is not used again. */
#include "client.h"
#include "peer.h"

#include "accel_backends/redis/state.h"

/* Asks for one key; how long it took. */
static uint64_t ask(client *one, accel_status expected)
{
  const uint64_t began_ms = accel_clock_monotonic_ms();
  const accel_status status = client_check(one, "key", "value");
  if (status != expected)
    fail_msg("%s (%s) instead of %s", accel_status_name(status), one->call.error,
             accel_status_name(expected));
  return accel_clock_monotonic_ms() - began_ms;
}

static void a_trickle_costs_the_deadline_and_no_more(void **state)
{
  (void)state;
  peer slow;
  client one;
  assert_true(peer_open(&slow, "$5\r\nvalue\r\n", 50));
  const accel_redis_config config = {.url = slow.url, .command_timeout_ms = 60};
  client_open(&one, &config);
  while (!accel_redis_ops.is_ready(one.link)) usleep(1000);
  const uint64_t took_ms = ask(&one, ACCEL_ERR_TIMEOUT);
  print_message("a limit of 60 ms took %u ms\n", (unsigned)took_ms);
  assert_true(took_ms >= 60);
  client_close(&one);
  peer_close(&slow);
}

/* The answer is whole before the deadline, though in ten pieces. */
static void a_trickle_in_time_is_an_answer(void **state)
{
  (void)state;
  peer slow;
  client one;
  assert_true(peer_open(&slow, "$5\r\nvalue\r\n", 5));
  const accel_redis_config config = {.url = slow.url, .command_timeout_ms = 3000};
  client_open(&one, &config);
  ask(&one, ACCEL_OK);
  client_close(&one);
  peer_close(&slow);
}

static void what_is_no_answer_breaks_the_connection(void **state)
{
  static const struct {
    const char *answer, *reason;
  } cases[] = {
      {"hello\r\n", "protocol error"},
      {":1\r\n", "unexpected type"},
      {"*1\r\n$5\r\nvalue\r\n", "unexpected type"},
      {"+value\r\n", "unexpected type"},
      {"$5\r\nvalueXX", "longer than its head says"},
      {"$536870912\r\n", "no reply"}, /* it may still come */
      {"*2147483648\r\n", "protocol error"},
      {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "nested"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    peer liar;
    client one;
    assert_true(peer_open(&liar, cases[i].answer, 0));
    const accel_redis_config config = {.url = liar.url, .command_timeout_ms = 300};
    client_open(&one, &config);
    const bool is_late = strstr(cases[i].reason, "no reply") != NULL;
    ask(&one, is_late ? ACCEL_ERR_TIMEOUT : ACCEL_ERR_BACKEND);
    if (strstr(one.call.error, cases[i].reason) == NULL)
      fail_msg("the text is \"%s\", without \"%s\"", one.call.error, cases[i].reason);
    client_close(&one);
    peer_close(&liar);
  }
}

/* Two answers to one question: the second must not become the next question's. */
static void an_answer_too_many_is_never_anybodys(void **state)
{
  (void)state;
  peer liar;
  client one;
  assert_true(peer_open(&liar, "$5\r\nvalue\r\n$5\r\nother\r\n", 0));
  const accel_redis_config config = {.url = liar.url, .command_timeout_ms = 300};
  client_open(&one, &config);
  for (int round = 0; round < 10; round++) {
    const accel_status status = client_check(&one, "key", "value");
    assert_true(status == ACCEL_OK || status == ACCEL_ERR_BACKEND);
    usleep(5000);
  }
  assert_true(__atomic_load_n(&liar.connections, __ATOMIC_RELAXED) > 1);
  client_close(&one);
  peer_close(&liar);
}

/* A text beyond the limit is not kept, and one that does not go on is not waited for. */
static void a_giant_answer_is_cut_off(void **state)
{
  (void)state;
  peer giant;
  client one;
  char *answer = (char *)malloc(400001);
  assert_non_null(answer);
  const int head = snprintf(answer, 400001, "$536870912\r\n");
  memset(answer + head, 'x', 400000 - (size_t)head);
  answer[400000] = '\0';
  assert_true(peer_open(&giant, answer, 0));
  const accel_redis_config config = {
      .url = giant.url, .command_timeout_ms = 20000, .max_value_bytes = 100000};
  client_open(&one, &config);
  assert_true(ask(&one, ACCEL_ERR_BACKEND) < 19000);
  assert_non_null(strstr(one.call.error, "connection lost"));
  client_close(&one);
  peer_close(&giant);
  free(answer);
}

static size_t append_ping(void *unused, accel_buffer *out)
{
  (void)unused;
  return accel_redis_command_append_words(out, REDIS_WORDS("PING")) ? 1 : 0;
}

static void what_nobody_answers_is_not_queued_without_end(void **state)
{
  (void)state;
  peer deaf;
  client one;
  const redis_request request = {.append = append_ping};
  assert_true(peer_open(&deaf, "", 0));
  const accel_redis_config config = {.url = deaf.url, .command_timeout_ms = 1000};
  client_open(&one, &config);
  while (!accel_redis_ops.is_ready(one.link)) usleep(1000);
  for (unsigned i = 0; i < 2 * REDIS_CONNECTION_SLOTS; i++)
    accel_redis_connection_post(redis_endpoint_data(one.redis.state->route.endpoints[0]), &request);
  assert_true(ask(&one, ACCEL_ERR_BACKEND) < 900);
  assert_non_null(strstr(one.call.error, "queue is full"));
  client_close(&one);
  peer_close(&deaf);
}

/* Stored, but not told: for the caller it is not done. */
static void a_message_that_is_refused_fails_what_it_tells_of(void **state)
{
  (void)state;
  peer strict;
  client one;
  client_key key;
  client_publisher numbers = {.items_at_most = 64};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  assert_true(
      peer_open(&strict, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-NOPERM channel\r\n", 0));
  const accel_redis_config config = {.url = strict.url, .command_timeout_ms = 2000};
  client_open(&one, &config);
  accel_remote_item item = client_item("key", "value", &key);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, &item, 1, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "NOPERM channel"));
  assert_int_equal(one.call.messages_sent, 0);
  assert_int_equal(one.call.messages_failed, 1);
  client_close(&one);
  peer_close(&strict);
}

static void count_up(void *ups)
{
  __atomic_add_fetch((unsigned *)ups, 1, __ATOMIC_RELAXED);
}

static void ignore_down(void *ups)
{
  (void)ups;
}

static void ignore_message(void *ups, const void *data, size_t size)
{
  (void)ups, (void)data, (void)size;
}

static bool send_no_heartbeat(void *ups, uint32_t lane, accel_buffer *out)
{
  (void)ups, (void)lane, (void)out;
  return false;
}

/* Two subscriptions, of which the server confirms one. */
static void only_what_is_confirmed_is_up(void **state)
{
  (void)state;
  peer lazy;
  accel_redis redis;
  void *links[2];
  char channel[192];
  unsigned ups = 0;
  assert_true(peer_open(&lazy, "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n", 0));
  lazy.answers_left = 1;
  const accel_redis_config config = {.url = lazy.url};
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) {
    const accel_remote_area area = {
        .area = i == 0 ? "a" : "b",
        .has_listener = true,
        .sink = {&ups, ignore_message, count_up, ignore_down, send_no_heartbeat},
        .owner = &redis};
    assert_int_equal(accel_redis_ops.attach(&redis, &area, &links[i], channel), ACCEL_OK);
  }
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (__atomic_load_n(&ups, __ATOMIC_RELAXED) == 0 && accel_clock_monotonic_ms() < until_ms)
    usleep(1000);
  usleep(50000);
  assert_int_equal(__atomic_load_n(&ups, __ATOMIC_RELAXED), 1);
  for (size_t i = 0; i < 2; i++) accel_redis_ops.detach(links[i]);
  accel_redis_close(&redis);
  peer_close(&lazy);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_trickle_costs_the_deadline_and_no_more),
      cmocka_unit_test(a_trickle_in_time_is_an_answer),
      cmocka_unit_test(what_is_no_answer_breaks_the_connection),
      cmocka_unit_test(an_answer_too_many_is_never_anybodys),
      cmocka_unit_test(a_giant_answer_is_cut_off),
      cmocka_unit_test(what_nobody_answers_is_not_queued_without_end),
      cmocka_unit_test(a_message_that_is_refused_fails_what_it_tells_of),
      cmocka_unit_test(only_what_is_confirmed_is_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

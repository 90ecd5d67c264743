/* What protects a failing server: back-off, breaker and retry budget on a clock of the test, and
 * every error reply of a server with what follows from it. */
#include "client.h"

#include "accel_backends/redis/server/breaker.h"
#include "accel_backends/redis/state.h"
#include "peer.h"

/* ---- the machines ---- */

static void pauses_grow_to_their_limit_and_are_random(void **state)
{
  redis_backoff backoff = {0};
  uint64_t sum = 0;
  (void)state;
  for (uint32_t i = 0, bound = 10; i < 12; i++, bound = bound < 1000 ? bound * 2 : 2000) {
    accel_redis_backoff_failed(&backoff, 1000);
    assert_in_range(backoff.next_ms, 1001, 1000 + bound);
  }
  for (int i = 0; i < 200; i++) {
    accel_redis_backoff_failed(&backoff, 0);
    sum += backoff.next_ms;
  }
  assert_in_range(sum / 200, 700, 1300); /* full jitter: half of 2000 in the mean */
  accel_redis_backoff_reset(&backoff);
  accel_redis_backoff_failed(&backoff, 0);
  assert_in_range(backoff.next_ms, 1, 10);
}

static bool admits(redis_breaker *breaker)
{
  bool is_probe;
  return accel_redis_breaker_admits(breaker, &is_probe);
}

static void five_failures_in_a_row_open_it(void **state)
{
  redis_breaker breaker;
  (void)state;
  assert_true(accel_redis_breaker_open(&breaker));
  for (int i = 0; i < 4; i++) {
    assert_true(admits(&breaker));
    accel_redis_breaker_failed(&breaker, false, 100);
  }
  assert_true(admits(&breaker));
  accel_redis_breaker_succeeded(&breaker, false);
  for (int i = 0; i < 5; i++) {
    assert_true(admits(&breaker));
    accel_redis_breaker_failed(&breaker, false, 2000);
  }
  assert_false(admits(&breaker));
  assert_in_range(accel_redis_breaker_ping_ms(&breaker), 2225, 2275);
  accel_redis_breaker_close(&breaker);
}

static void half_of_a_seconds_calls_open_it(void **state)
{
  redis_breaker breaker;
  (void)state;
  assert_true(accel_redis_breaker_open(&breaker));
  int calls = 0;
  for (; calls < 100 && admits(&breaker); calls++) {
    if (calls % 2 == 0)
      accel_redis_breaker_failed(&breaker, false, 500);
    else
      accel_redis_breaker_succeeded(&breaker, false);
  }
  assert_in_range(calls, 19, 22);
  accel_redis_breaker_close(&breaker);
}

static void a_third_of_them_does_not(void **state)
{
  redis_breaker breaker;
  (void)state;
  assert_true(accel_redis_breaker_open(&breaker));
  for (int calls = 0; calls < 300; calls++) {
    assert_true(admits(&breaker));
    if (calls % 3 == 0)
      accel_redis_breaker_failed(&breaker, false, 500 + (uint64_t)calls * 10);
    else
      accel_redis_breaker_succeeded(&breaker, false);
  }
  accel_redis_breaker_close(&breaker);
}

static void it_opens_longer_each_time_and_closes_by_one_probe(void **state)
{
  redis_breaker breaker;
  uint64_t now_ms = 1000;
  bool is_probe;
  (void)state;
  assert_true(accel_redis_breaker_open(&breaker));
  for (int i = 0; i < 5; i++) {
    assert_true(admits(&breaker));
    accel_redis_breaker_failed(&breaker, false, now_ms);
  }
  for (uint32_t pause_ms = 250; pause_ms < 20000; pause_ms *= 2) {
    const uint32_t bound_ms = pause_ms > 10000 ? 10000 : pause_ms;
    const uint64_t probe_ms = accel_redis_breaker_ping_ms(&breaker);
    assert_in_range(probe_ms - now_ms, bound_ms - bound_ms / 10, bound_ms + bound_ms / 10);
    now_ms = probe_ms;
    if (pause_ms == 500) {
      accel_redis_breaker_pinged(&breaker, false, now_ms); /* not even a PING */
      continue;
    }
    accel_redis_breaker_pinged(&breaker, true, now_ms);
    assert_true(accel_redis_breaker_admits(&breaker, &is_probe) && is_probe);
    assert_false(admits(&breaker));
    accel_redis_breaker_withdrawn(&breaker, true);
    assert_true(accel_redis_breaker_admits(&breaker, &is_probe) && is_probe);
    accel_redis_breaker_failed(&breaker, true, now_ms);
    assert_false(admits(&breaker));
  }
  accel_redis_breaker_pinged(&breaker, true, now_ms);
  assert_true(accel_redis_breaker_admits(&breaker, &is_probe) && is_probe);
  accel_redis_breaker_succeeded(&breaker, true);
  assert_true(accel_redis_breaker_admits(&breaker, &is_probe) && !is_probe);
  accel_redis_breaker_close(&breaker);
}

static void one_retry_per_ten_calls(void **state)
{
  redis_retry_budget budget = {0};
  (void)state;
  assert_false(accel_redis_retry_budget_spend(&budget));
  for (int i = 0; i < 9; i++) accel_redis_retry_budget_earn(&budget);
  assert_false(accel_redis_retry_budget_spend(&budget));
  accel_redis_retry_budget_earn(&budget);
  assert_true(accel_redis_retry_budget_spend(&budget));
  assert_false(accel_redis_retry_budget_spend(&budget));
  for (int i = 0; i < 5000; i++) accel_redis_retry_budget_earn(&budget);
  int saved = 0;
  while (accel_redis_retry_budget_spend(&budget)) saved++;
  assert_int_equal(saved, 10);
}

/* ---- refusals ---- */

typedef struct counted {
  uint32_t events[ACCEL_REMOTE_EVENTS];
} counted;

static void count_event(void *ctx, accel_remote_event event, uint32_t n)
{
  ((counted *)ctx)->events[event] += n;
}

static void open_counted(client *client_, const accel_redis_config *config, counted *events)
{
  const accel_remote_area area = {
      .area = CLIENT_AREA, .sink = {.ctx = events, .event = count_event}, .owner = client_};
  char channel[192];
  memset(client_, 0, sizeof *client_);
  memset(events, 0, sizeof *events);
  assert_int_equal(accel_redis_open(&client_->redis, config), ACCEL_OK);
  assert_int_equal(accel_redis_ops.attach(&client_->redis, &area, &client_->link, channel),
                   ACCEL_OK);
}

static void each_refusal_has_its_counter_and_its_reaction(void **state)
{
  enum { NOTHING, PAUSES, OPENS, LEAVES };
  static const struct {
    const char *says;
    accel_remote_event event;
    int follows;
  } cases[] = {
      {"-OOM command not allowed\r\n", ACCEL_REMOTE_OOM, PAUSES},
      {"-MISCONF Redis is configured to save\r\n", ACCEL_REMOTE_MISCONF, PAUSES},
      {"-NOREPLICAS Not enough good replicas\r\n", ACCEL_REMOTE_MISCONF, PAUSES},
      {"-READONLY You can't write\r\n", ACCEL_REMOTE_READONLY, LEAVES},
      {"-LOADING Redis is loading\r\n", ACCEL_REMOTE_LOADING, OPENS},
      {"-BUSY Redis is busy\r\n", ACCEL_REMOTE_BUSY, OPENS},
      {"-MASTERDOWN Link with MASTER is down\r\n", ACCEL_REMOTE_MASTER_DOWN, OPENS},
      {"-CLUSTERDOWN The cluster is down\r\n", ACCEL_REMOTE_CLUSTER_DOWN, OPENS},
      {"-NOAUTH Authentication required.\r\n", ACCEL_REMOTE_NO_AUTH, LEAVES},
      {"-WRONGPASS invalid\r\n", ACCEL_REMOTE_NO_AUTH, LEAVES},
      {"-NOPERM this user has no permissions\r\n", ACCEL_REMOTE_NO_PERMISSION, NOTHING},
      {"-WRONGTYPE Operation against\r\n", ACCEL_REMOTE_WRONG_TYPE, NOTHING},
      {"-ERR unknown\r\n", ACCEL_REMOTE_REFUSED, NOTHING},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    peer refusing;
    client one;
    counted events;
    assert_true(peer_open(&refusing, cases[i].says, 0));
    const accel_redis_config config = {.url = refusing.url, .command_timeout_ms = 1000};
    open_counted(&one, &config, &events);
    const unsigned calls = cases[i].follows == OPENS ? 5 : 1;
    for (unsigned k = 0; k < calls; k++) client_check(&one, "a", "value");
    assert_int_equal(events.events[cases[i].event], calls);
    redis_endpoint *endpoint = one.redis.state->route.endpoints[0];
    const bool is_paused = endpoint->writes_paused_ms > accel_clock_monotonic_ms();
    const bool is_open = endpoint->lanes[REDIS_LANE_DATA].breaker.state != REDIS_BREAKER_CLOSED;
    assert_int_equal(is_paused, cases[i].follows == PAUSES);
    assert_int_equal(is_open, cases[i].follows == OPENS);
    if (is_open) {
      assert_int_equal(client_check(&one, "a", "value"), ACCEL_ERR_BACKEND);
      assert_non_null(strstr(one.call.error, "breaker is open"));
      assert_non_null(strstr(one.call.error, strrchr(refusing.url, '/') + 1));
      assert_int_equal(events.events[ACCEL_REMOTE_BREAKER_OPEN], 1);
    }
    const uint64_t until_ms = accel_clock_deadline(60000);
    while (cases[i].follows == LEAVES && accel_clock_monotonic_ms() < until_ms &&
           __atomic_load_n(&refusing.connections, __ATOMIC_RELAXED) < 2)
      usleep(1000);
    if (cases[i].follows == LEAVES)
      assert_true(__atomic_load_n(&refusing.connections, __ATOMIC_RELAXED) >= 2);
    client_close(&one);
    peer_close(&refusing);
  }
}

static void a_frozen_server_is_left_alone_and_found_again(void **state)
{
  redis_server server;
  client one;
  counted events;
  (void)state;
  assert_true(redis_server_start(&server, NULL));
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = 50, .connect_timeout_ms = 200};
  open_counted(&one, &config, &events);
  assert_true(client_recovers(&one, 5000));
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  redis_server_freeze(&server);
  for (int i = 0; i < 5; i++) client_check(&one, "a", "value");
  const uint64_t began_ms = accel_clock_monotonic_ms();
  for (int i = 0; i < 100; i++)
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_ERR_BACKEND);
  const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
  redis_server_thaw(&server);
  const uint64_t thawed_ms = accel_clock_monotonic_ms();
  while (client_check(&one, "a", "value") != ACCEL_OK &&
         accel_clock_monotonic_ms() < thawed_ms + 60000)
    usleep(2000);
  const uint64_t back_ms = accel_clock_monotonic_ms() - thawed_ms;
  print_message("100 calls with an open breaker took %u ms; used again after %u ms\n",
                (unsigned)took_ms, (unsigned)back_ms);
  assert_true(events.events[ACCEL_REMOTE_BREAKER_OPEN] > 50);
  assert_true(back_ms < 60000);
  client_close(&one);
  redis_server_stop(&server);
}

typedef struct reader {
  client *shared;
  accel_status status;
} reader;

static void *read_once(void *reader_pointer)
{
  reader *self = (reader *)reader_pointer;
  client mine = *self->shared;
  self->status = client_check(&mine, "a", "value");
  return NULL;
}

static void a_read_whose_connection_broke_unanswered_is_sent_again(void **state)
{
  redis_server server;
  client one;
  counted events;
  pthread_t thread;
  (void)state;
  assert_true(redis_server_start(&server, NULL));
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 5000};
  open_counted(&one, &config, &events);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  for (int i = 0; i < 10; i++) assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
  reader waiting = {.shared = &one};
  redis_server_freeze(&server);
  assert_int_equal(pthread_create(&thread, NULL, read_once, &waiting), 0);
  usleep(100000);
  redis_server_kill(&server);
  assert_true(redis_server_restart(&server));
  pthread_join(thread, NULL);
  assert_int_equal(waiting.status, ACCEL_MISS); /* an answer: of the new server, which is empty */
  assert_int_equal(events.events[ACCEL_REMOTE_RETRIED], 1);
  client_close(&one);
  redis_server_stop(&server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pauses_grow_to_their_limit_and_are_random),
      cmocka_unit_test(five_failures_in_a_row_open_it),
      cmocka_unit_test(half_of_a_seconds_calls_open_it),
      cmocka_unit_test(a_third_of_them_does_not),
      cmocka_unit_test(it_opens_longer_each_time_and_closes_by_one_probe),
      cmocka_unit_test(one_retry_per_ten_calls),
      cmocka_unit_test(each_refusal_has_its_counter_and_its_reaction),
      cmocka_unit_test(a_frozen_server_is_left_alone_and_found_again),
      cmocka_unit_test(a_read_whose_connection_broke_unanswered_is_sent_again),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What open refuses, and what servers refuse: each with a reason, none with a password. */
#include "client.h"
#include "peer.h"

/* The configuration for a user with a password, on a server of its own. */
static void start_secret_server(redis_server *secret)
{
  assert_true(redis_server_start(secret, "user default on >s3cret ~* &* +@all\n"
                                         "user anna on >b@d/pw ~* &* +@all"));
}

static void open_does_not_need_the_server(void **state)
{
  (void)state;
  const accel_redis_config config = {.url = "redis://127.0.0.1:1", .command_timeout_ms = 2000};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_check(&one, "a", ""), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "127.0.0.1:1: Connection refused"));
  assert_false(accel_redis_ops.is_ready(one.link));
  client_close(&one);
  const accel_redis_config nowhere = {.url = "redis://no-such-host.invalid",
                                      .command_timeout_ms = 10};
  client_open(&one, &nowhere);
  client_close(&one);
}

static void bad_configurations_are_refused_with_a_reason(void **state)
{
  static const struct {
    accel_redis_config config;
    const char *reason;
  } cases[] = {
      {{.url = "tcp://h"}, "url"},
      {{.key_prefix = "a b"}, "key_prefix is \"a b\""},
      {{.key_prefix = "a:b"}, "key_prefix"},
      {{.connect_timeout_ms = ACCEL_FOREVER}, "connect_timeout_ms"},
      {{.command_timeout_ms = ACCEL_FOREVER}, "command_timeout_ms"},
      {{.spin_us = 1000001}, "spin_us is 1000001"},
      {{.max_value_bytes = 512u << 20}, "max_value_bytes is 536870912"},
      {{.coherence = (accel_redis_coherence)7}, "coherence is 7"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    accel_redis redis;
    assert_int_equal(accel_redis_open(&redis, &cases[i].config), ACCEL_ERR_CONFIG);
    assert_non_null(strstr(accel_redis_last_error(&redis), cases[i].reason));
    assert_int_equal(accel_redis_ping(&redis), ACCEL_ERR_CONFIG);
    accel_redis_close(&redis);
  }
  accel_redis redis;
  assert_int_equal(accel_redis_open(NULL, &cases[0].config), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_redis_open(&redis, NULL), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_redis_ping(NULL), ACCEL_ERR_CONFIG);
  accel_redis_close(NULL);
}

static void passwords_open_the_door_and_appear_nowhere(void **state)
{
  redis_server secret;
  (void)state;
  start_secret_server(&secret);
  const struct {
    const char *userinfo;
    bool enters;
  } cases[] = {{":s3cret@", true},
               {"anna:b%40d%2Fpw@", true},
               {"", false},
               {":wr0ngpass@", false},
               {"anna:s3cret@", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char url[128];
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d/3", cases[i].userinfo, secret.port);
    const accel_redis_config config = {.url = url, .command_timeout_ms = 2000};
    client one;
    client_open(&one, &config);
    const accel_status status = client_put(&one, "a", "value");
    assert_int_equal(status, cases[i].enters ? ACCEL_OK : ACCEL_ERR_BACKEND);
    if (!cases[i].enters) {
      assert_true(strstr(one.call.error, "WRONGPASS") != NULL ||
                  strstr(one.call.error, "NOAUTH") != NULL);
      assert_null(strstr(one.call.error, "s3cret"));
      assert_null(strstr(one.call.error, "wr0ng"));
      accel_redis_ping(&one.redis);
      assert_null(strstr(accel_redis_last_error(&one.redis), "s3cret"));
    }
    client_close(&one);
  }
  redis_server_stop(&secret);
}

/* A server that does not know AUTH repeats its words in the error. */
static void a_server_that_repeats_a_password_is_not_quoted(void **state)
{
  redis_server old;
  char url[128];
  (void)state;
  assert_true(redis_server_start(&old, "rename-command AUTH \"\""));
  snprintf(url, sizeof url, "redis://:s3cret@127.0.0.1:%d", old.port);
  const accel_redis_config config = {.url = url, .command_timeout_ms = 2000};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "AUTH: the server replied: ERR"));
  assert_null(strstr(one.call.error, "s3cret"));
  client_close(&one);
  redis_server_stop(&old);
}

/* What the server says besides values is longer than they may be. */
static void the_smallest_limit_of_values_breaks_nothing(void **state)
{
  redis_server small;
  (void)state;
  assert_true(redis_server_start(&small, NULL));
  const accel_redis_config config = {
      .url = small.url, .command_timeout_ms = 2000, .max_value_bytes = 1};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "v"), ACCEL_OK);
  assert_int_equal(client_check(&one, "a", "v"), ACCEL_OK);
  assert_int_equal(client_put(&one, "a", "va"), ACCEL_ERR_CODEC);
  assert_non_null(strstr(one.call.error, "the value of a has 2 bytes; max_value_bytes is 1"));
  assert_int_equal(accel_redis_ping(&one.redis), ACCEL_OK);
  client_close(&one);
  redis_server_stop(&small);
}

static void a_unix_socket_serves_too(void **state)
{
  redis_server local;
  (void)state;
  assert_true(redis_server_start_unix(&local, NULL));
  const accel_redis_config config = {.url = local.url, .command_timeout_ms = 2000};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
  client_close(&one);
  redis_server_stop(&local);
}

static void del_works_where_unlink_is_unknown(void **state)
{
  redis_server old;
  (void)state;
  assert_true(redis_server_start(&old, "rename-command UNLINK \"\""));
  const accel_redis_config config = {.url = old.url, .command_timeout_ms = 2000};
  for (int way = 0; way < 3; way++) {
    client one;
    client_open(&one, &config);
    client_publisher numbers = {.items_at_most = 1};
    const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
    client_key keys[2];
    accel_remote_item items[2] = {client_item("a", NULL, &keys[0]),
                                  client_item("b", NULL, &keys[1])};
    assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
    assert_int_equal(client_put(&one, "b", "value"), ACCEL_OK);
    client_begin(&one);
    const accel_status status = way == 0 ? accel_redis_ops.del(one.link, items, 2, NULL, &one.call)
                                : way == 1
                                    ? accel_redis_ops.del(one.link, items, 2, &publisher, &one.call)
                                    : accel_redis_ops.clear(one.link, &publisher, &one.call);
    assert_int_equal(status, ACCEL_OK);
    if (way < 2) assert_int_equal(items[0].status, ACCEL_OK);
    if (way < 2) assert_int_equal(items[1].status, ACCEL_OK);
    assert_int_equal(one.call.messages_sent, way == 0 ? 0 : way == 1 ? 2 : 1);
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_MISS);
    assert_int_equal(client_check(&one, "b", "value"), ACCEL_MISS);
    client_close(&one);
  }
  redis_server_stop(&old);
}

/* Out of memory: SETs are refused, reads and removals are not; the reason is told. */
static void a_full_server_refuses_writes_only(void **state)
{
  redis_server full;
  char reply[256];
  (void)state;
  assert_true(redis_server_start(&full, "maxmemory-policy noeviction"));
  const accel_redis_config config = {.url = full.url, .command_timeout_ms = 2000};
  client_publisher numbers = {.items_at_most = 64};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  assert_true(redis_server_ask(&full, "CONFIG SET maxmemory 1", reply, sizeof reply));
  client_key key;
  accel_remote_item item = client_item("b", "value", &key);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, &item, 1, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "OOM"));
  assert_true(item.is_removed); /* and told, with the message that it had */
  assert_int_equal(numbers.number, 1);
  assert_int_equal(one.call.messages_sent, 1);
  assert_int_equal(one.call.messages_failed, 0);
  assert_int_equal(client_put(&one, "b", "value"), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "are paused for"));
  assert_non_null(strstr(one.call.error, "OOM"));
  assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
  assert_int_equal(client_del(&one, "a"), ACCEL_OK);
  assert_true(redis_server_ask(&full, "CONFIG SET maxmemory 0", reply, sizeof reply));
  usleep(1100000);
  assert_int_equal(client_put(&one, "b", "value"), ACCEL_OK);
  client_close(&one);
  redis_server_stop(&full);
}

/* Whether a refusal was met for the first time, or makes that writes are paused, or
 * cost the connection: a call that failed is told the server's word. */
static void every_refused_write_is_told_why(void **state)
{
  static const char *const rows[][3] = {
      {"CONFIG SET min-replicas-to-write 1", "NOREPLICAS", "CONFIG SET min-replicas-to-write 0"},
      {"REPLICAOF 127.0.0.1 1", "READONLY", "REPLICAOF NO ONE"},
  };
  redis_server server;
  char reply[256];
  (void)state;
  assert_true(redis_server_start(&server, ""));
  for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
    const char *const *row = rows[i / 2];
    const bool sets_first = i % 2 == 0;
    const accel_redis_config config = {.url = server.url, .command_timeout_ms = 2000};
    client_publisher numbers = {.items_at_most = 64};
    const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
    client one;
    client_key key;
    accel_remote_item item = client_item("a", "value", &key);
    client_open(&one, &config);
    assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
    assert_true(redis_server_ask(&server, row[0], reply, sizeof reply));
    if (sets_first) assert_int_equal(client_put(&one, "a", "new"), ACCEL_ERR_BACKEND);
    for (int again = 0; again < 3; again++) {
      client_begin(&one);
      accel_redis_ops.del(one.link, &item, 1, again == 1 ? NULL : &publisher, &one.call);
      assert_int_equal(item.status, ACCEL_ERR_BACKEND);
      assert_non_null(strstr(one.call.error, row[1]));
      assert_int_equal(client_put(&one, "a", "new"), ACCEL_ERR_BACKEND);
      assert_non_null(strstr(one.call.error, row[1]));
    }
    assert_true(redis_server_ask(&server, row[2], reply, sizeof reply));
    client_close(&one);
  }
  redis_server_stop(&server);
}

/* A server whose user anna has these rules, and a client in her name. */
static void open_strict(redis_server *strict, const char *rules, client *one)
{
  char options[128], url[128];
  snprintf(options, sizeof options, "user anna on >pw %s", rules);
  assert_true(redis_server_start(strict, options));
  snprintf(url, sizeof url, "redis://anna:pw@127.0.0.1:%d", strict->port);
  const accel_redis_config config = {.url = url, .command_timeout_ms = 2000};
  client_open(one, &config);
  client_begin(one);
}

static void a_user_who_may_not_publish_is_told(void **state)
{
  redis_server strict;
  client_publisher numbers = {.items_at_most = 64};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  client one;
  client_key key;
  accel_remote_item item = client_item("a", "value", &key);
  (void)state;
  open_strict(&strict, "~* resetchannels +@all", &one);
  assert_int_equal(accel_redis_ops.put(one.link, &item, 1, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "NOPERM"));
  assert_int_equal(one.call.messages_failed, 1);
  client_close(&one);
  redis_server_stop(&strict);
}

static void a_user_who_may_not_run_scripts_is_told(void **state)
{
  redis_server strict;
  client one;
  client_key key;
  accel_remote_item item = client_item("a", "value", &key);
  (void)state;
  open_strict(&strict, "~* +@all -eval -evalsha", &one);
  item.token = 7;
  assert_int_equal(accel_redis_ops.fill(one.link, &item, 1, &one.call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "NOPERM"));
  client_close(&one);
  redis_server_stop(&strict);
}

/* ---- redirections without end ---- */

enum { KEY_SLOT = 7833 }; /* of test:key */

static void opens_as_a_cluster(client *one, peer *server, uint32_t timeout_ms)
{
  char url[96];
  snprintf(url, sizeof url, "redis+cluster://%.60s", server->url + strlen("redis://"));
  const accel_redis_config config = {.url = url, .command_timeout_ms = timeout_ms};
  client_open(one, &config);
  while (!accel_redis_ops.is_ready(one->link)) usleep(1000);
}

static void is_told(const client *one, const char *words)
{
  if (strstr(one->call.error, words) == NULL)
    fail_msg("\"%s\" without \"%s\"", one->call.error, words);
}

/* TRYAGAIN: the keys are on their way from one server to another, and a moment later they are
 * there. It is asked after 1, 5, 21, 85 ms, not six times at once. On a busy machine an answer may
 * come too late: then once more. */
static void a_server_that_asks_for_patience_is_given_time(void **state)
{
  enum { ANSWERS = 1000, LIMIT_MS = 300 };
  peer busy;
  client one;
  (void)state;
  assert_true(peer_open(&busy, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n", 0));
  opens_as_a_cluster(&one, &busy, LIMIT_MS);
  accel_status status = ACCEL_ERR_TIMEOUT;
  unsigned took_ms = 0;
  int asked = 0;
  for (int attempt = 0; attempt < 20 && status == ACCEL_ERR_TIMEOUT; attempt++) {
    __atomic_store_n(&busy.answers_left, ANSWERS, __ATOMIC_RELAXED);
    const uint64_t began_ms = accel_clock_monotonic_ms();
    status = client_check(&one, "key", "x");
    took_ms = (unsigned)(accel_clock_monotonic_ms() - began_ms);
    asked = ANSWERS - __atomic_load_n(&busy.answers_left, __ATOMIC_RELAXED);
  }
  print_message("asked %d times within %u ms\n", asked, took_ms);
  assert_int_equal(status, ACCEL_ERR_BACKEND);
  assert_in_range(asked, 1, 5);
  assert_true(took_ms >= 20);
  char words[128];
  snprintf(words, sizeof words,
           "key (slot %d): no time is left after %d tries; last, %.40s replied TRYAGAIN", KEY_SLOT,
           asked, busy.url + strlen("redis://"));
  is_told(&one, words);
  client_close(&one);
  peer_close(&busy);
}

/* It sends each key to itself. */
static void a_key_that_is_sent_on_without_end_is_given_up(void **state)
{
  peer turning;
  client one;
  char answer[64], words[128];
  (void)state;
  assert_true(peer_open(&turning, "", 0));
  const char *name = turning.url + strlen("redis://");
  snprintf(answer, sizeof answer, "-MOVED %d %.40s\r\n", KEY_SLOT, name);
  __atomic_store_n(&turning.answer, answer, __ATOMIC_RELAXED);
  opens_as_a_cluster(&one, &turning, 60000);
  assert_int_equal(client_check(&one, "key", "x"), ACCEL_ERR_BACKEND);
  snprintf(words, sizeof words, "key (slot %d): given up after 6 tries; last, %.40s replied MOVED",
           KEY_SLOT, name);
  is_told(&one, words);
  client_close(&one);
  peer_close(&turning);
}

/* A real cluster, of which one server has a few slots, and nobody the others. */
static void a_key_that_no_server_has_is_named(void **state)
{
  redis_server server;
  char reply[64], url[64];
  client one;
  (void)state;
  assert_true(redis_server_start(&server, "cluster-enabled yes\ncluster-config-file nodes.conf\n"
                                          "cluster-require-full-coverage no"));
  assert_true(redis_server_ask(&server, "CLUSTER ADDSLOTSRANGE 0 100", reply, sizeof reply));
  snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d", server.port);
  const accel_redis_config config = {.url = url, .command_timeout_ms = 2000};
  client_open(&one, &config);
  const uint64_t until_ms = accel_clock_deadline(60000);
  do {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    assert_true(accel_failed(client_check(&one, "key", "x")));
  } while (strstr(one.call.error, "no server owns the slot of the key") == NULL);
  char words[32];
  snprintf(words, sizeof words, ": key, slot %d", KEY_SLOT);
  is_told(&one, words);
  client_close(&one);
  redis_server_stop(&server);
}

/* ---- which server ---- */

/* Whatever a call fails by: the text says which server it was. */
static void a_failed_call_names_its_server(void **state)
{
  peer broken;
  client one;
  (void)state;
  assert_true(peer_open(&broken, "", 0));
  const char *name = broken.url + strlen("redis://");
  const accel_redis_config config = {.url = broken.url, .command_timeout_ms = 100};
  client_open(&one, &config);
  while (!accel_redis_ops.is_ready(one.link)) usleep(1000);
  assert_int_equal(client_check(&one, "key", "x"), ACCEL_ERR_TIMEOUT);
  is_told(&one, name);
  is_told(&one, ": no reply within ");
  __atomic_store_n(&broken.answer, "-ERR no\r\n", __ATOMIC_RELAXED);
  client_close(&one);
  client_open(&one, &config);
  while (!accel_redis_ops.is_ready(one.link)) usleep(1000);
  assert_int_equal(client_check(&one, "key", "x"), ACCEL_ERR_BACKEND);
  is_told(&one, name);
  is_told(&one, ": the server replied: ERR no");
  __atomic_store_n(&broken.answer, ":1\r\n", __ATOMIC_RELAXED);
  assert_int_equal(client_check(&one, "key", "x"), ACCEL_ERR_BACKEND);
  is_told(&one, name);
  is_told(&one, ": protocol error: ");
  client_close(&one);
  peer_close(&broken);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(open_does_not_need_the_server),
      cmocka_unit_test(bad_configurations_are_refused_with_a_reason),
      cmocka_unit_test(passwords_open_the_door_and_appear_nowhere),
      cmocka_unit_test(a_server_that_repeats_a_password_is_not_quoted),
      cmocka_unit_test(the_smallest_limit_of_values_breaks_nothing),
      cmocka_unit_test(a_unix_socket_serves_too),
      cmocka_unit_test(del_works_where_unlink_is_unknown),
      cmocka_unit_test(a_full_server_refuses_writes_only),
      cmocka_unit_test(every_refused_write_is_told_why),
      cmocka_unit_test(a_user_who_may_not_publish_is_told),
      cmocka_unit_test(a_user_who_may_not_run_scripts_is_told),
      cmocka_unit_test(a_server_that_asks_for_patience_is_given_time),
      cmocka_unit_test(a_key_that_is_sent_on_without_end_is_given_up),
      cmocka_unit_test(a_key_that_no_server_has_is_named),
      cmocka_unit_test(a_failed_call_names_its_server),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

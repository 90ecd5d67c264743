/* A real Redis Cluster of three masters: keys of all slots, slots that move, a master that dies. */
#include "client.h"
#include "redis_cluster.h"

#include "accel_backends/redis/wire/slots.h"

enum { KEYS = 300, SLOW_MS = 1000 };

static redis_cluster cluster;
static client one;

static int start_cluster(void **state)
{
  (void)state;
  return redis_cluster_start(&cluster, 3, 1, NULL) ? 0 : -1;
}

static int stop_cluster(void **state)
{
  (void)state;
  redis_cluster_stop(&cluster);
  return 0;
}

static int open_client(void **state)
{
  (void)state;
  client_open(&one, &(accel_redis_config){.url = cluster.url, .command_timeout_ms = SLOW_MS});
  return 0;
}

static int close_client(void **state)
{
  (void)state;
  client_close(&one);
  return 0;
}

static client_key keys[KEYS];

static void fill_items(accel_remote_item *items, const char *value)
{
  for (int i = 0; i < KEYS; i++) {
    char name[16];
    snprintf(name, sizeof name, "k%d", i);
    items[i] = client_item(name, value, &keys[i]); /* the key's text holds the name */
  }
}

static unsigned slot_of(const char *name)
{
  char key[64];
  snprintf(key, sizeof key, CLIENT_AREA ":%s", name);
  return accel_redis_slot_add(0, key, strlen(key)) % REDIS_SLOTS;
}

static size_t count_status(const accel_remote_item *items, accel_status status)
{
  size_t found = 0;
  for (int i = 0; i < KEYS; i++) found += items[i].status == status;
  return found;
}

static void keys_of_all_slots_are_stored_and_found(void **state)
{
  static accel_remote_item items[KEYS];
  client_publisher numbers = {.items_at_most = 64};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  (void)state;
  fill_items(items, "value");
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, items, KEYS, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(count_status(items, ACCEL_OK), KEYS);
  fill_items(items, NULL);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.get(one.link, items, KEYS, &one.call), ACCEL_OK);
  for (int i = 0; i < KEYS; i++) {
    assert_int_equal(items[i].status, ACCEL_OK);
    assert_int_equal(items[i].size, 5);
    assert_memory_equal(items[i].data, "value", 5);
  }
  accel_redis_ops.release(one.link, &one.call);
  for (size_t i = 0; i < 3; i++) assert_true(redis_server_calls(&cluster.servers[i], "get") > 0);
  fill_items(items, NULL);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.del(one.link, items, KEYS, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(client_check(&one, "k7", "value"), ACCEL_MISS);
}

static void clear_reaches_every_master(void **state)
{
  static accel_remote_item items[KEYS];
  (void)state;
  fill_items(items, "value");
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, items, KEYS, NULL, &one.call), ACCEL_OK);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.clear(one.link, NULL, &one.call), ACCEL_OK);
  char reply[64];
  for (size_t i = 0; i < 3; i++) {
    assert_true(redis_server_ask(&cluster.servers[i], "DBSIZE", reply, sizeof reply));
    assert_int_equal(strncmp(reply, ":0\r\n", 4), 0);
  }
}

/* Every step of a move: before it, keys still there, keys gone (ASK), moved (MOVED). */
static void keys_are_found_while_their_slot_moves(void **state)
{
  (void)state;
  const unsigned slot = slot_of("moving");
  const size_t from = redis_cluster_first_owner(&cluster, slot), to = (from + 1) % 3;
  assert_int_equal(client_put(&one, "moving", "1"), ACCEL_OK);
  assert_true(redis_cluster_move_begin(&cluster, slot, from, to));
  assert_int_equal(client_check(&one, "moving", "1"), ACCEL_OK);
  assert_int_equal(client_put(&one, "moving", "2"), ACCEL_OK);
  assert_true(redis_cluster_move_keys(&cluster, slot, from, to));
  assert_int_equal(client_check(&one, "moving", "2"), ACCEL_OK);
  assert_int_equal(client_put(&one, "moving", "3"), ACCEL_OK);
  assert_int_equal(client_check(&one, "moving", "3"), ACCEL_OK);
  assert_int_equal(client_del(&one, "moving"), ACCEL_OK);
  assert_int_equal(client_check(&one, "moving", "3"), ACCEL_MISS);
  assert_int_equal(client_put(&one, "moving", "4"), ACCEL_OK);
  assert_true(redis_cluster_move_end(&cluster, slot, from, to));
  assert_int_equal(client_check(&one, "moving", "4"), ACCEL_OK);
  assert_int_equal(client_put(&one, "moving", "5"), ACCEL_OK);
  assert_int_equal(client_check(&one, "moving", "5"), ACCEL_OK);
}

typedef struct late_word {
  const redis_server *server;
  char command[128];
} late_word;

static void *say_later(void *word_pointer)
{
  const late_word *word = (const late_word *)word_pointer;
  char reply[128];
  usleep(8000);
  redis_server_ask(word->server, word->command, reply, sizeof reply);
  return NULL;
}

/* The giver knows already that a slot has gone, the taker not yet: each sends to the other. Moves
 * the slot so; what becomes of a set meanwhile. */
static accel_status set_while_they_disagree(unsigned slot, size_t from, size_t to)
{
  char reply[128];
  pthread_t thread;
  late_word word = {.server = &cluster.servers[to]};
  assert_int_equal(client_put(&one, "disputed", "1"), ACCEL_OK);
  assert_true(redis_cluster_move_begin(&cluster, slot, from, to));
  assert_true(redis_cluster_move_keys(&cluster, slot, from, to));
  snprintf(word.command, sizeof word.command, "CLUSTER SETSLOT %u NODE %s", slot, cluster.ids[to]);
  assert_true(redis_server_ask(&cluster.servers[from], word.command, reply, sizeof reply));
  assert_int_equal(pthread_create(&thread, NULL, say_later, &word), 0);
  const accel_status status = client_put(&one, "disputed", "2");
  pthread_join(thread, NULL);
  assert_true(redis_cluster_move_end(&cluster, slot, from, to));
  assert_int_equal(client_check(&one, "disputed", status == ACCEL_OK ? "2" : "1"), ACCEL_OK);
  return status;
}

/* A busy machine may say the word after the moment; not every time. */
static void servers_that_disagree_have_a_moment_to_agree(void **state)
{
  enum { ATTEMPTS = 20 };
  const unsigned slot = slot_of("disputed");
  size_t owner = redis_cluster_first_owner(&cluster, slot);
  accel_status status = ACCEL_ERR_BACKEND;
  (void)state;
  for (int i = 0; i < ATTEMPTS && status != ACCEL_OK; i++) {
    status = set_while_they_disagree(slot, owner, (owner + 1) % 3);
    owner = (owner + 1) % 3;
  }
  if (status != ACCEL_OK) fail_msg("the set failed: %s", one.call.error);
}

static void leases_and_their_fills_follow_a_moving_slot(void **state)
{
  (void)state;
  const unsigned slot = slot_of("leased");
  const size_t from = redis_cluster_first_owner(&cluster, slot), to = (from + 1) % 3;
  /* Bytes 16 to 23 are the token. */
  static const char lease[] = "0123456789abcdef\1\0\0\0\0\0\0\0";
  client_key key;
  accel_remote_item item = client_item("leased", NULL, &key);
  item.data = lease;
  item.size = sizeof lease - 1;
  item.token = 1;
  assert_true(redis_cluster_move_begin(&cluster, slot, from, to));
  client_begin(&one);
  if (accel_redis_ops.lease(one.link, &item, 1, 5000, &one.call) != ACCEL_OK)
    fail_msg("the lease failed: %s", one.call.error);
  assert_int_equal(item.token, 1);
  accel_remote_item fill = client_item("leased", "loaded", &key);
  fill.token = 1;
  client_begin(&one);
  accel_redis_ops.fill(one.link, &fill, 1, &one.call);
  if (fill.status != ACCEL_OK) fail_msg("the fill failed: %s", one.call.error);
  assert_true(redis_cluster_move_keys(&cluster, slot, from, to));
  assert_true(redis_cluster_move_end(&cluster, slot, from, to));
  if (client_check(&one, "leased", "loaded") != ACCEL_OK)
    fail_msg("the value was not found: %s", one.call.error);
}

/* The first master dies; its replica takes over, and everything is reached again. */
static void a_master_that_dies_is_replaced(void **state)
{
  static accel_remote_item items[KEYS];
  (void)state;
  fill_items(items, "value");
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, items, KEYS, NULL, &one.call), ACCEL_OK);
  redis_server_kill(&cluster.servers[0]);
  const uint64_t killed_ms = accel_clock_monotonic_ms();
  client_begin(&one);
  fill_items(items, NULL);
  accel_redis_ops.get(one.link, items, KEYS, &one.call);
  const size_t found = count_status(items, ACCEL_OK);
  accel_redis_ops.release(one.link, &one.call);
  assert_in_range(found, KEYS / 2, KEYS - KEYS / 5); /* the other two masters' */
  bool is_whole = false;
  while (!is_whole && accel_clock_monotonic_ms() < killed_ms + 150000) {
    fill_items(items, "again");
    client_begin(&one);
    accel_redis_ops.put(one.link, items, KEYS, NULL, &one.call);
    is_whole = count_status(items, ACCEL_OK) == KEYS;
    if (!is_whole) usleep(20000);
  }
  print_message("a killed master was replaced after %u ms\n",
                (unsigned)(accel_clock_monotonic_ms() - killed_ms));
  assert_true(is_whole);
  assert_int_equal(client_check(&one, "k5", "again"), ACCEL_OK);
  assert_int_equal(accel_redis_ping(&one.redis), ACCEL_OK);
}

static void what_a_cluster_lacks_is_refused(void **state)
{
  accel_redis redis;
  (void)state;
  const accel_redis_config config = {.url = cluster.url, .coherence = ACCEL_TRACKING};
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "ACCEL_TRACKING"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(keys_of_all_slots_are_stored_and_found, open_client,
                                      close_client),
      cmocka_unit_test_setup_teardown(clear_reaches_every_master, open_client, close_client),
      cmocka_unit_test_setup_teardown(keys_are_found_while_their_slot_moves, open_client,
                                      close_client),
      cmocka_unit_test_setup_teardown(servers_that_disagree_have_a_moment_to_agree, open_client,
                                      close_client),
      cmocka_unit_test_setup_teardown(leases_and_their_fills_follow_a_moving_slot, open_client,
                                      close_client),
      cmocka_unit_test(what_a_cluster_lacks_is_refused),
      cmocka_unit_test_setup_teardown(a_master_that_dies_is_replaced, open_client, close_client),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}

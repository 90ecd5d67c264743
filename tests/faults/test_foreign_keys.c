/* Others on the same Redis: things at our keys that are no values, keys that begin like ours,
 * the same area in another database, many keys to walk, and a server whose list of them has no end.
 */
#include "fault_world.h"

#include "../redis/peer.h"
#include "one_server.h"

static void ask(const char *command, const char *expected)
{
  char reply[256];
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  if (strstr(reply, expected) == NULL) fail_msg("%s: %s", command, reply);
}

static void open_at(fault_world *world, const accel_redis_config *where, const char *area)
{
  fault_open(world, where, (accel_config){.area = area, .loader_timeout_ms = 2000});
  assert_true(fault_comes(world, true, 10000) >= 0);
  world->version = 1;
}

/* ---- what lies at our keys ---- */

enum { KINDS = 6 };

/* One of each, at fault:0 to fault:5. */
static void put_strangers(void)
{
  ask("FLUSHALL", "+OK");
  ask("RPUSH fault:0 a b", ":2");
  ask("HSET fault:1 a b", ":1");
  ask("SADD fault:2 a", ":1");
  ask("ZADD fault:3 1 a", ":1");
  ask("XADD fault:4 1-1 a b", "1-1");
  ask("SET fault:5 \"\"", "+OK");
}

/* A second process would read each from L2. */
static void assert_healed(fault_world *world)
{
  const accel_read read = {.skip_local = true, .disable_load = true};
  for (uint64_t key = 0; key < KINDS; key++) {
    item_t item;
    const accel_status status = item_cache_get_with(&world->cache, key, &read, &item);
    if (status != ACCEL_OK) fail_msg("key %u: %s", (unsigned)key, accel_status_name(status));
    assert_true(fault_is_whole(key, &item));
  }
}

static void read_each(fault_world *world)
{
  const accel_read read = {.skip_local = true};
  item_t item;
  for (uint64_t key = 0; key < KINDS; key++)
    assert_int_equal(item_cache_get_with(&world->cache, key, &read, &item), ACCEL_OK);
}

static void read_all(fault_world *world)
{
  static const uint64_t keys[KINDS] = {0, 1, 2, 3, 4, 5};
  const accel_read read = {.skip_local = true};
  item_t items[KINDS];
  accel_status statuses[KINDS];
  assert_int_equal(item_cache_mget(&world->cache, keys, KINDS, &read, items, statuses), ACCEL_OK);
}

static void refresh_each(fault_world *world)
{
  const uint64_t before = fault_metrics(world).refresh_success;
  for (uint64_t key = 0; key < KINDS; key++)
    assert_int_equal(item_cache_refresh(&world->cache, key), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(10000);
  while (fault_metrics(world).refresh_success < before + KINDS)
    assert_true(accel_clock_monotonic_ms() < until_ms);
}

static void the_first_load_replaces_what_is_no_value(void **state)
{
  void (*const ways[])(fault_world *) = {read_each, read_all, refresh_each};
  (void)state;
  for (size_t way = 0; way < 3; way++)
    for (int tracking = 0; tracking < 2; tracking++)
      for (int bounded = 0; bounded < 2; bounded++) {
        fault_world world;
        const accel_redis_config where = {.url = server.url,
                                          .command_timeout_ms = 2000,
                                          .coherence =
                                              tracking == 0 ? ACCEL_PUBSUB : ACCEL_TRACKING};
        put_strangers();
        open_at(&world, &where, "fault");
        if (bounded != 0) { /* from its first large value on it reads otherwise */
          item_t item;
          ask("SETRANGE fault:100 300000 x", ":300001");
          assert_int_equal(item_cache_get(&world.cache, 100, &item), ACCEL_OK);
        }
        ways[way](&world);
        assert_healed(&world);
        fault_close(&world);
      }
}

static void a_set_replaces_whatever_is_there(void **state)
{
  fault_world world;
  (void)state;
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = 2000};
  put_strangers();
  open_at(&world, &where, "fault");
  for (uint64_t key = 0; key < KINDS; key++) {
    const item_t item = fault_item(key, 1);
    assert_int_equal(item_cache_set(&world.cache, key, &item), ACCEL_OK);
  }
  assert_healed(&world);
  fault_close(&world);
}

/* ---- keys that begin like ours ---- */

ACCEL_DEFINE_STR_WITH(word, item_t, .remote = &accel_redis_ops)

/* An area without a prefix that is called as others' prefix is. */
static void a_clear_removes_its_own_keys_alone(void **state)
{
  (void)state;
  for (int tracking = 0; tracking < 2; tracking++) {
    fault_world other;
    accel_redis redis;
    word_cache app;
    const accel_redis_config prefixed = {
        .url = server.url, .key_prefix = "app", .command_timeout_ms = 2000};
    const accel_redis_config plain = {.url = server.url,
                                      .command_timeout_ms = 2000,
                                      .coherence = tracking == 0 ? ACCEL_PUBSUB : ACCEL_TRACKING};
    ask("FLUSHALL", "+OK");
    open_at(&other, &prefixed, "users");
    assert_int_equal(accel_redis_open(&redis, &plain), ACCEL_OK);
    const accel_config config = {.area = "app", .remote = &redis};
    assert_int_equal(word_cache_open(&app, &config), ACCEL_OK);
    accel_diagnostic seen;
    const uint64_t until_ms = accel_clock_deadline(10000);
    do word_cache_diagnostic_snapshot(&app, &seen);
    while ((!seen.channel_up || seen.metrics.epoch_raised == 0) &&
           accel_clock_monotonic_ms() < until_ms);
    const uint64_t epochs = seen.metrics.epoch_raised;
    char words[5][300] = {"plain", "a:b%c d", "x", "%", ""};
    memset(words[4], 'l', 299);
    const item_t item = fault_item(1, 1);
    for (size_t i = 0; i < 5; i++)
      assert_int_equal(word_cache_set(&app, words[i], &item), ACCEL_OK);
    for (uint64_t key = 0; key < 20; key++) {
      const item_t each = fault_item(key, 1);
      assert_int_equal(item_cache_set(&other.cache, key, &each), ACCEL_OK);
    }
    ask("SET app:session:abc x", "+OK"); /* another program's */
    ask("SET app:%41 x", "+OK");         /* nobody encodes a letter */
    ask("SET app:a/b x", "+OK");
    ask("DBSIZE", ":28");
    usleep(20000);
    word_cache_diagnostic_snapshot(&app, &seen);
    assert_int_equal(seen.metrics.epoch_raised, epochs); /* the others' sets are nothing to it */
    assert_int_equal(word_cache_clear(&app), ACCEL_OK);
    ask("DBSIZE", ":23");
    ask("EXISTS app:plain", ":0");
    ask("EXISTS app:users:7", ":1");
    word_cache_close(&app);
    accel_redis_close(&redis);
    fault_close(&other);
  }
}

/* ---- databases ---- */

static void the_same_area_in_two_databases_is_two(void **state)
{
  char urls[2][160];
  fault_world worlds[3];
  item_t item;
  (void)state;
  ask("FLUSHALL", "+OK");
  for (int i = 0; i < 2; i++) snprintf(urls[i], sizeof urls[i], "%s/%d", server.url, 3 * i);
  for (int i = 0; i < 3; i++) {
    const accel_redis_config where = {.url = urls[i > 0], .command_timeout_ms = 2000};
    open_at(&worlds[i], &where, "fault");
  }
  assert_string_equal(fault_look(&worlds[0]).channel, "accel:invalidation:fault");
  assert_string_equal(fault_look(&worlds[1]).channel, "accel:invalidation:3:fault");
  for (int i = 0; i < 3; i++) {
    worlds[i].version = (uint64_t)i + 1;
    assert_int_equal(item_cache_get(&worlds[i].cache, 7, &item), ACCEL_OK);
  }
  item = fault_item(7, 9);
  assert_int_equal(item_cache_set(&worlds[1].cache, 7, &item), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(10000);
  while (fault_metrics(&worlds[2]).invalidation_receive == 0)
    assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_int_equal(item_cache_get(&worlds[2].cache, 7, &item), ACCEL_OK);
  assert_int_equal(item.version, 9);
  const accel_read local = {.skip_remote = true, .disable_load = true};
  assert_int_equal(item_cache_get_with(&worlds[0].cache, 7, &local, &item), ACCEL_OK);
  assert_int_equal(item.version, 1);
  assert_int_equal(fault_metrics(&worlds[0]).invalidation_receive, 0);
  for (int i = 0; i < 3; i++) fault_close(&worlds[i]);
}

/* ---- a long walk ---- */

typedef struct hiccup {
  proxy way;
  atomic_bool has_walked; /* the clear has returned */
} hiccup;

/* Holds up what is asked once the walk has begun, for longer than a call may take. */
static void *hold_up(void *hiccup_pointer)
{
  hiccup *self = (hiccup *)hiccup_pointer;
  const uint64_t before = proxy_look(&self->way).replies;
  while (proxy_look(&self->way).replies < before + 64 && !self->has_walked) usleep(200);
  proxy_detain(&self->way, PROXY_DATA);
  usleep(450000);
  proxy_release(&self->way);
  return NULL;
}

/* True: a step was late, and its connection stood all the same. */
static bool clear_with_a_hiccup(fault_world *world, hiccup *self, accel_status *status)
{
  pthread_t thread;
  const unsigned accepted = proxy_look(&self->way).accepted;
  self->has_walked = false;
  assert_int_equal(pthread_create(&thread, NULL, hold_up, self), 0);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  *status = item_cache_clear(&world->cache);
  const double took_ms = fault_ms_since(began_ns);
  self->has_walked = true;
  pthread_join(thread, NULL);
  return took_ms >= 300 && proxy_look(&self->way).accepted == accepted;
}

/* Of many steps one is late: the walk goes on from there. */
static void a_clear_survives_a_hiccup(void **state)
{
  fault_world world;
  hiccup self = {0};
  (void)state;
  ask("FLUSHALL", "+OK");
  ask("EVAL \"for i = 1, 40000 do redis.call('SET', 'other:' .. i, '') end return 1\" 0", ":1");
  assert_true(proxy_open(&self.way, server.port));
  const accel_redis_config where = {.url = self.way.url, .command_timeout_ms = 300};
  open_at(&world, &where, "fault");
  proxy_set_flow(&self.way, PROXY_REPLIES, PROXY_DATA, &(proxy_flow){.latency_ms = 10});
  accel_status status = ACCEL_OK;
  bool was_late = false;
  for (int i = 0; i < 50 && !was_late; i++) {
    for (uint64_t key = 0; key < 20; key++) {
      const item_t item = fault_item(key, 1);
      item_cache_set(&world.cache, key, &item);
    }
    was_late = clear_with_a_hiccup(&world, &self, &status);
  }
  assert_true(was_late);
  if (status != ACCEL_OK) fail_msg("%s", item_cache_last_error(&world.cache));
  assert_int_equal(fault_look(&world).repairs, 0);
  ask("DBSIZE", ":40000");
  fault_close(&world);
  proxy_close(&self.way);
}

/* ---- a list without an end ---- */

/* What failed is cleared again in the background, for ever; closing does not wait for that. */
static void closing_does_not_wait_for_an_endless_clear(void **state)
{
  peer endless;
  fault_world world;
  (void)state;
  assert_true(peer_open(&endless, "-ERR not now\r\n", 0));
  __atomic_store_n(&endless.answers_checks, true, __ATOMIC_RELAXED);
  __atomic_store_n(&endless.answers_left, INT32_MAX, __ATOMIC_RELAXED);
  const accel_redis_config where = {.url = endless.url, .command_timeout_ms = 2000};
  fault_open(&world, &where, (accel_config){.no_broadcast = true});
  const uint64_t until_ms = accel_clock_deadline(10000);
  while (!fault_look(&world).remote_ready) assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_int_equal(item_cache_clear(&world.cache), ACCEL_ERR_BACKEND);
  __atomic_store_n(&endless.answer, "*2\r\n$1\r\n7\r\n*0\r\n", __ATOMIC_RELAXED);
  const int left = __atomic_load_n(&endless.answers_left, __ATOMIC_RELAXED);
  const uint64_t at_it_ms = accel_clock_deadline(60000);
  while (left - __atomic_load_n(&endless.answers_left, __ATOMIC_RELAXED) < 1000) /* it is at it */
    assert_true(accel_clock_monotonic_ms() < at_it_ms);
  assert_int_equal(fault_look(&world).repairs, 1);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  item_cache_close(&world.cache);
  print_message("closed after %.0f ms\n", fault_ms_since(began_ns));
  assert_true(fault_ms_since(began_ns) < 15000);
  accel_redis_close(&world.redis);
  peer_close(&endless);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_load_replaces_what_is_no_value),
      cmocka_unit_test(a_set_replaces_whatever_is_there),
      cmocka_unit_test(a_clear_removes_its_own_keys_alone),
      cmocka_unit_test(the_same_area_in_two_databases_is_two),
      cmocka_unit_test(a_clear_survives_a_hiccup),
      cmocka_unit_test(closing_does_not_wait_for_an_endless_clear),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

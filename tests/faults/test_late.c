/* A connection that is closed still delivers: a set that was given up, repaired, and followed by a
 * newer one happens after all. Nothing it brings may stay.
 */
#include "fault_world.h"

enum { LATE_MS = 20000 };

typedef struct large_t {
  uint64_t version;
  char rest[300000]; /* of a connection of its own */
} large_t;

ACCEL_DEFINE_WITH(large, uint64_t, large_t, .remote = &accel_redis_ops)

static redis_server server;
static proxy way;
static fault_world writer, other;

static void open_world(fault_world *world, const char *url, accel_redis_coherence coherence)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = 100, .coherence = coherence};
  fault_open(world, &where, (accel_config){.loader_timeout_ms = 2000});
  assert_true(fault_comes(world, true, 10000) >= 0);
}

/* The writer's way is the proxy's. */
static void open_all(accel_redis_coherence coherence)
{
  assert_true(redis_server_start(&server, NULL));
  assert_true(proxy_open(&way, server.port));
  open_world(&writer, way.url, coherence);
  open_world(&other, server.url, coherence);
}

static void close_all(void)
{
  fault_close(&writer);
  fault_close(&other);
  proxy_close(&way);
  redis_server_stop(&server);
}

static void source_has(uint64_t version)
{
  writer.version = other.version = version;
}

static bool stores(uint64_t key, uint64_t version)
{
  const item_t item = fault_item(key, version);
  return item_cache_set(&writer.cache, key, &item) == ACCEL_OK;
}

/* On a busy machine one may come too late. */
static void store_at_last(uint64_t key, uint64_t version)
{
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  while (!stores(key, version)) assert_true(accel_clock_monotonic_ms() < until_ms);
}

/* What L2 says, 0: nothing. */
static uint64_t remote_version(fault_world *world, uint64_t key)
{
  const accel_read read = {.skip_local = true, .disable_load = true};
  item_t item;
  return item_cache_get_with(&world->cache, key, &read, &item) == ACCEL_OK ? item.version : 0;
}

static uint64_t version_of(fault_world *world, uint64_t key)
{
  item_t item;
  assert_int_equal(item_cache_get(&world->cache, key, &item), ACCEL_OK);
  return item.version;
}

static void await_repaired(void)
{
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  while (fault_look(&writer).repairs > 0 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(fault_look(&writer).repairs, 0);
}

/* Until the other one reads the version there, or no longer does. */
static void await_remote(uint64_t key, uint64_t version, bool is_there)
{
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  while ((remote_version(&other, key) == version) != is_there)
    assert_true(accel_clock_monotonic_ms() < until_ms);
}

/* What is sent from now on stays on its way. */
static void detain(void)
{
  proxy_detain(&way, PROXY_DATA);
  while (!proxy_look(&way).detains) usleep(1000);
}

/* The connection is lost before anything is repaired on it. */
static void lose_connection(void)
{
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  proxy_cut(&way, PROXY_CLOSE, PROXY_DATA);
  while (proxy_look(&way).outlived == 0 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(proxy_look(&way).outlived, 1);
}

/* Version 2 is on its way on a connection that is lost then; 3 is confirmed on another one. */
static void give_up_2_and_confirm_3(uint64_t key)
{
  source_has(1);
  store_at_last(key, 1);
  detain();
  source_has(2);
  assert_false(stores(key, 2));
  lose_connection();
  await_repaired();
  source_has(3);
  store_at_last(key, 3);
  await_remote(key, 3, true);
}

/* Nobody has it, neither now nor from L2. */
static void nothing_is_left_of_2(uint64_t key)
{
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  while (fault_metrics(&writer).repair_late == 0 && accel_clock_monotonic_ms() < until_ms)
    usleep(1000);
  assert_true(fault_metrics(&writer).repair_late > 0);
  await_repaired();
  assert_int_not_equal(remote_version(&writer, key), 2);
  assert_int_not_equal(remote_version(&other, key), 2);
  assert_int_equal(version_of(&writer, key), 3);
  while (version_of(&other, key) != 3 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(version_of(&other, key), 3);
}

static void a_late_set_is_undone(void **state)
{
  (void)state;
  for (int tracking = 0; tracking < 2; tracking++) {
    open_all(tracking == 0 ? ACCEL_PUBSUB : ACCEL_TRACKING);
    give_up_2_and_confirm_3(1);
    proxy_release(&way);
    nothing_is_left_of_2(1);
    close_all();
  }
}

/* The writer does not hear it: its channel is down then. */
static void a_late_set_that_nobody_hears_is_undone(void **state)
{
  (void)state;
  open_all(ACCEL_PUBSUB);
  give_up_2_and_confirm_3(1);
  proxy_refuse(&way, true);
  proxy_cut(&way, PROXY_CLOSE, PROXY_LISTENER);
  assert_true(fault_comes(&writer, false, LATE_MS) >= 0);
  proxy_release(&way);
  await_remote(1, 2, true);
  assert_int_equal(fault_metrics(&writer).repair_late, 0);
  proxy_refuse(&way, false);
  assert_true(fault_comes(&writer, true, LATE_MS) >= 0);
  await_remote(1, 2, false);
  await_repaired();
  assert_int_equal(version_of(&writer, 1), 3);
  const uint64_t until_ms = accel_clock_deadline(LATE_MS);
  while (version_of(&other, 1) != 3 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(version_of(&other, 1), 3);
  close_all();
}

/* What comes late and only removes costs a load. */
static void a_late_del_is_no_harm(void **state)
{
  (void)state;
  open_all(ACCEL_PUBSUB);
  source_has(1);
  store_at_last(1, 1);
  detain();
  source_has(2);
  assert_int_equal(item_cache_del(&writer.cache, 1), ACCEL_ERR_BACKEND);
  lose_connection();
  await_repaired();
  source_has(3);
  store_at_last(1, 3);
  proxy_release(&way);
  nothing_is_left_of_2(1);
  close_all();
}

/* A large value takes a connection, and a lane, of its own; its repair need not. */
static void a_late_large_set_is_undone(void **state)
{
  static large_t value;
  (void)state;
  assert_true(redis_server_start(&server, NULL));
  assert_true(proxy_open(&way, server.port));
  accel_redis redis;
  large_cache cache;
  const accel_redis_config where = {.url = way.url, .command_timeout_ms = 1000};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "large", .capacity = 8, .remote = &redis};
  assert_int_equal(large_cache_open(&cache, &config), ACCEL_OK);
  accel_diagnostic seen;
  const uint64_t until_ms = accel_clock_deadline(2 * LATE_MS);
  do large_cache_diagnostic_snapshot(&cache, &seen);
  while (!seen.channel_up && accel_clock_monotonic_ms() < until_ms);
  value.version = 1;
  assert_int_equal(large_cache_set(&cache, 1, &value), ACCEL_OK);
  detain();
  value.version = 2;
  assert_int_equal(large_cache_set(&cache, 1, &value), ACCEL_ERR_BACKEND);
  lose_connection();
  do large_cache_diagnostic_snapshot(&cache, &seen);
  while (seen.repairs > 0 && accel_clock_monotonic_ms() < until_ms);
  value.version = 3;
  while (large_cache_set(&cache, 1, &value) != ACCEL_OK && accel_clock_monotonic_ms() < until_ms)
    usleep(1000);
  proxy_release(&way);
  do large_cache_diagnostic_snapshot(&cache, &seen);
  while ((seen.metrics.repair_late == 0 || seen.repairs > 0) &&
         accel_clock_monotonic_ms() < until_ms);
  assert_true(seen.metrics.repair_late > 0);
  const accel_read read = {.skip_local = true, .disable_load = true};
  const accel_status status = large_cache_get_with(&cache, 1, &read, &value);
  assert_true(status != ACCEL_OK || value.version != 2);
  large_cache_close(&cache);
  accel_redis_close(&redis);
  proxy_close(&way);
  redis_server_stop(&server);
}

/* A write that a frozen server confirms too late, and twenty that follow it. True: the connections
 * stayed, which on a busy machine they may not. */
static bool delay_one_write(void)
{
  const unsigned accepted = proxy_look(&way).accepted;
  redis_server_freeze(&server);
  assert_false(stores(1, 1));
  redis_server_thaw(&server);
  await_repaired();
  for (uint64_t key = 0; key < 20; key++) store_at_last(key, 1);
  usleep(20000);
  return proxy_look(&way).accepted == accepted;
}

/* A slow server, whose connection stays, is no reason to repair twice. */
static void what_is_in_order_is_not_late(void **state)
{
  (void)state;
  open_all(ACCEL_PUBSUB);
  source_has(1);
  for (int counted = 0, round = 0; counted < 3; round++) {
    assert_true(round < 50);
    const uint64_t late = fault_metrics(&writer).repair_late;
    if (!delay_one_write()) continue;
    assert_int_equal(fault_metrics(&writer).repair_late, late);
    counted++;
  }
  close_all();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_late_set_is_undone),
      cmocka_unit_test(a_late_set_that_nobody_hears_is_undone),
      cmocka_unit_test(a_late_del_is_no_harm),
      cmocka_unit_test(a_late_large_set_is_undone),
      cmocka_unit_test(what_is_in_order_is_not_late),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Processes that stand still (SIGSTOP): the system goes on to accept connections for them, and
 * nobody answers. A Sentinel, the master that Sentinels watch, and the server of a cluster that is
 * listened to. */
#include "fault_world.h"
#include "redis_cluster.h"

#include "accel_backends/redis/state.h"
#include "accel_backends/redis/wire/slots.h"

enum { PATIENCE_MS = 30000, KEYS = 30 };

static fault_world world;

static void comes_to_set(uint64_t key)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  const item_t item = fault_item(key, 1);
  while (item_cache_set(&world.cache, key, &item) != ACCEL_OK) {
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("%s", item_cache_last_error(&world.cache));
    usleep(5000);
  }
}

/* The first Sentinel and the master stand still; the others name the replica. The former master
 * that comes back is none. */
static void a_sentinel_and_the_master(void **state)
{
  redis_watched watched;
  char reply[256];
  (void)state;
  assert_true(redis_watched_start(&watched, NULL));
  redis_server_freeze(&watched.sentinels[0]);
  const accel_redis_config where = {.url = watched.url, .command_timeout_ms = 200};
  fault_open(&world, &where, (accel_config){.local_ttl_ms = 3600000});
  comes_to_set(1);
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  redis_server_freeze(&watched.master);
  assert_true(fault_comes(&world, false, PATIENCE_MS) >= 0);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  for (;;) {
    comes_to_set(2);
    assert_true(redis_server_ask(&watched.replica, "EXISTS fault:2", reply, sizeof reply));
    if (strncmp(reply, ":1", 2) == 0) break;
    assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  redis_server_thaw(&watched.master);
  redis_server_thaw(&watched.sentinels[0]);
  for (uint64_t key = 10; key < 40; key++) {
    comes_to_set(key);
    usleep(20000);
  }
  for (uint64_t key = 10; key < 40; key++) {
    char command[64];
    snprintf(command, sizeof command, "EXISTS fault:%u", (unsigned)key);
    assert_true(redis_server_ask(&watched.replica, command, reply, sizeof reply));
    assert_true(strncmp(reply, ":1", 2) == 0);
  }
  fault_close(&world);
  redis_watched_stop(&watched);
}

static redis_cluster cluster;

static size_t owner_of(uint64_t key)
{
  char name[32];
  const int size = snprintf(name, sizeof name, "fault:%u", (unsigned)key);
  return redis_cluster_first_owner(&cluster,
                                   accel_redis_slot_add(0, name, (size_t)size) % REDIS_SLOTS);
}

static size_t listened_to(void)
{
  redis_endpoint *main = accel_redis_route_main(&world.redis.state->route);
  redis_address *address = accel_redis_endpoint_hold_address(main);
  size_t found = 0;
  while (found < cluster.masters && strstr(cluster.servers[found].url, address->port) == NULL)
    found++;
  accel_redis_address_release(address, 0);
  assert_true(found < cluster.masters);
  return found;
}

static void the_server_of_a_cluster_that_is_listened_to(void **state)
{
  const accel_read from_remote = {.skip_local = true, .disable_load = true};
  unsigned failed = 0;
  (void)state;
  /* Nothing takes over: there are no replicas. */
  assert_true(redis_cluster_start(&cluster, 3, 0, "cluster-require-full-coverage no"));
  const accel_redis_config where = {.url = cluster.url, .command_timeout_ms = 500};
  fault_open(&world, &where, (accel_config){.local_ttl_ms = 3600000});
  for (uint64_t key = 0; key < KEYS; key++) comes_to_set(key);
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  const size_t frozen = listened_to();
  const uint64_t epochs = fault_metrics(&world).epoch_raised;
  redis_server_freeze(&cluster.servers[frozen]);
  const double down_ms = fault_comes(&world, false, PATIENCE_MS);
  assert_true(down_ms >= 0);
  for (uint64_t key = 0; key < KEYS; key++) {
    item_t item;
    if (owner_of(key) == frozen) continue;
    failed += item_cache_get_with(&world.cache, key, &from_remote, &item) != ACCEL_OK;
  }
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (!fault_look(&world).channel_up) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
  print_message("down after %.0f ms, up again at another server; keys of others that failed: %u\n",
                down_ms, failed);
  assert_int_not_equal(listened_to(), frozen);
  assert_int_equal(failed, 0);
  assert_true(fault_metrics(&world).epoch_raised > epochs);
  redis_server_thaw(&cluster.servers[frozen]);
  comes_to_set(0);
  fault_close(&world);
  redis_cluster_stop(&cluster);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sentinel_and_the_master),
      cmocka_unit_test(the_server_of_a_cluster_that_is_listened_to),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

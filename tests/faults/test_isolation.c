/* What one key, one value or one server does to the others: nothing.
 *
 * The values and servers are real. What the others notice is counted, not timed: connections that
 * the server accepted, calls that the breaker refused, items of healthy servers that failed. */
#include "fault_world.h"
#include "one_server.h"
#include "redis_cluster.h"

#include "accel/platform/atomic.h"
#include "accel_backends/redis/state.h"
#include "accel_backends/redis/wire/slots.h"

enum {
  GOOD_KEYS = 50,
  BAD_KEY = 1000,
  ROUNDS = 40,
  PATIENCE_MS = 20000,
  MAX_VALUE = 1 << 20,
  OVERSIZED = 4 << 20
};

static fault_world world;

static long server_says(const char *section, const char *field)
{
  static char reply[16384];
  char command[32];
  snprintf(command, sizeof command, "INFO %s", section);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  const char *found = strstr(reply, field);
  assert_non_null(found);
  return strtol(found + strlen(field) + 1, NULL, 10);
}

static void ask_server(const char *command)
{
  char reply[256];
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  assert_true(reply[0] != '-');
}

static const accel_read from_remote = {.skip_local = true, .disable_load = true};

static accel_status read_key(uint64_t key)
{
  item_t item;
  const accel_status status = item_cache_get_with(&world.cache, key, &from_remote, &item);
  if (status == ACCEL_OK) assert_true(fault_is_whole(key, &item));
  return status;
}

static void set_good_keys(void)
{
  for (uint64_t key = 0; key < GOOD_KEYS; key++) {
    const item_t item = fault_item(key, 1);
    assert_int_equal(item_cache_set(&world.cache, key, &item), ACCEL_OK);
  }
}

static void open_world(const char *url, uint32_t command_timeout_ms)
{
  const accel_redis_config where = {
      .url = url, .command_timeout_ms = command_timeout_ms, .max_value_bytes = MAX_VALUE};
  fault_open(&world, &where, (accel_config){.loader_timeout_ms = PATIENCE_MS});
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  ask_server("FLUSHALL");
  set_good_keys();
}

/* ---- a value that is larger than it may be ---- */

static unsigned read_beside_the_bad_key(unsigned rounds)
{
  unsigned failed = 0;
  for (unsigned round = 0; round < rounds; round++) {
    assert_int_equal(read_key(BAD_KEY), ACCEL_MISS);
    failed += read_key(round % GOOD_KEYS) != ACCEL_OK;
  }
  return failed;
}

static void an_oversized_value_is_the_trouble_of_its_key_alone(void **state)
{
  (void)state;
  open_world(server.url, 10000);
  ask_server("SETRANGE fault:1000 4194303 x");
  const long connections = server_says("clients", "connected_clients");
  assert_int_equal(read_beside_the_bad_key(3), 0); /* by now it is known */
  const long sent = server_says("stats", "total_net_output_bytes");
  const long accepted = server_says("stats", "total_connections_received");
  assert_int_equal(read_beside_the_bad_key(ROUNDS), 0);
  const accel_metrics seen = fault_metrics(&world);
  assert_int_equal(seen.remote_breaker_open, 0);
  assert_int_equal(seen.remote_errors, 0);
  /* The question for these figures is one connection by itself. */
  assert_int_equal(server_says("stats", "total_connections_received") - accepted, 1);
  assert_true(server_says("clients", "connected_clients") <= connections + 1);
  const long cost = server_says("stats", "total_net_output_bytes") - sent;
  print_message("%d reads of a value of %d bytes that is too large: %ld bytes\n", ROUNDS, OVERSIZED,
                cost);
  assert_true(cost < MAX_VALUE / 4);
  fault_close(&world);
}

/* Also one that is asked for in one call with others, and one that is hardly too large. */
static void batches_keep_their_other_items(void **state)
{
  enum { KEYS = 4 };
  static const char *const stores[] = {"SETRANGE fault:1000 1048576 x",
                                       "SETRANGE fault:1001 4194303 x"};
  const uint64_t keys[KEYS] = {3, BAD_KEY, 7, BAD_KEY + 1};
  (void)state;
  for (unsigned way = 0; way < 2; way++) {
    open_world(server.url, 10000);
    for (size_t i = 0; i < 2; i++) ask_server(stores[i]);
    for (unsigned round = 0; round < 3; round++) {
      item_t items[KEYS];
      accel_status statuses[KEYS];
      const accel_status status =
          item_cache_mget(&world.cache, keys, KEYS, &from_remote, items, statuses);
      assert_false(accel_failed(status));
      for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(statuses[i], i % 2 == 0 ? ACCEL_OK : ACCEL_MISS);
      assert_true(fault_is_whole(keys[2], &items[2]));
    }
    assert_int_equal(fault_metrics(&world).remote_errors, 0);
    fault_close(&world);
  }
}

/* A load replaces it, as it replaces anything else that is no value. */
static void an_oversized_value_is_replaced_by_a_load(void **state)
{
  char reply[64];
  (void)state;
  open_world(server.url, 10000);
  ask_server("SETRANGE fault:1000 4194303 x");
  /* What a fill compares must be something: zeros are no token. */
  ask_server("SETRANGE fault:1000 0 abcdefghijklmnopqrstuvwxyzabcdefghijklmnop");
  for (unsigned round = 0; round < 3; round++) {
    const accel_read read = {.skip_local = true};
    item_t item;
    assert_int_equal(item_cache_get_with(&world.cache, BAD_KEY, &read, &item), ACCEL_OK);
    assert_true(fault_is_whole(BAD_KEY, &item));
  }
  assert_int_equal(world.loads, 1);
  assert_true(redis_server_ask(&server, "STRLEN fault:1000", reply, sizeof reply));
  assert_true(strtol(reply + 1, NULL, 10) < 1000);
  /* And one that shrank by other hands is read. */
  ask_server("SETRANGE fault:2 4194303 x");
  assert_int_equal(read_key(2), ACCEL_MISS);
  const item_t item = fault_item(2, 5);
  assert_int_equal(item_cache_set(&world.cache, 2, &item), ACCEL_OK);
  assert_int_equal(read_key(2), ACCEL_OK);
  fault_close(&world);
}

/* ---- a value that needs longer than a call may take ---- */

typedef struct blob_t {
  uint32_t key;
  unsigned char bytes[2 << 20];
} blob_t;

ACCEL_DEFINE_WITH(blob, uint64_t, blob_t, .remote = &accel_redis_ops)

/* With the default limits, over a link that needs more than 50 ms for it. */
static void a_large_value_has_the_time_that_it_needs(void **state)
{
  static blob_t written, read;
  const accel_read whole = {.skip_local = true, .disable_load = true};
  const proxy_flow slow = {.slice_bytes = 1 << 15, .slice_pause_ms = 1};
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  proxy way;
  accel_redis redis;
  blob_cache blobs;
  unsigned read_back = 0, failed = 0;
  (void)state;
  assert_true(proxy_open(&way, server.port));
  assert_int_equal(accel_redis_open(&redis, &(accel_redis_config){.url = way.url}), ACCEL_OK);
  const accel_config config = {
      .area = "blob", .remote = &redis, .mode = ACCEL_REMOTE, .loader_timeout_ms = PATIENCE_MS};
  assert_int_equal(blob_cache_open(&blobs, &config), ACCEL_OK);
  while (accel_redis_ping(&redis) != ACCEL_OK) usleep(1000);
  for (size_t i = 0; i < sizeof written.bytes; i++)
    written.bytes[i] = (unsigned char)accel_hash_integer(i, 3);
  proxy_set_flow(&way, PROXY_REQUESTS, PROXY_DATA, &slow);
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &slow);
  while (blob_cache_set(&blobs, 1, &written) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(10000);
  }
  while (read_back < 3) {
    const accel_status status = blob_cache_get_with(&blobs, 1, &whole, &read);
    read_back += status == ACCEL_OK;
    if (status == ACCEL_OK) assert_memory_equal(&written, &read, sizeof read);
    failed += accel_redis_ping(&redis) != ACCEL_OK;
    assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  print_message("pings that failed beside three reads of 2 MiB: %u\n", failed);
  accel_metrics seen;
  blob_cache_metrics_snapshot(&blobs, &seen);
  assert_int_equal(seen.remote_breaker_open, 0);
  blob_cache_close(&blobs);
  accel_redis_close(&redis);
  proxy_close(&way);
}

/* ---- a caller in a hurry ---- */

static redis_breaker_state breaker_state(void)
{
  return accel_load_acquire(
      &world.redis.state->route.endpoints[0]->lanes[REDIS_LANE_DATA].breaker.state);
}

/* Its limits are its own, also where it happens to be the one that tries the server again. */
static void callers_in_a_hurry_say_nothing_about_the_server(void **state)
{
  item_cache hasty; /* on the same connection */
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  proxy way;
  (void)state;
  assert_true(proxy_open(&way, server.port));
  open_world(way.url, 5000);
  const accel_config config = {.area = "hasty", .remote = &world.redis, .loader_timeout_ms = 5};
  assert_int_equal(item_cache_open(&hasty, &config), ACCEL_OK);
  redis_breaker *breaker = &world.redis.state->route.endpoints[0]->lanes[REDIS_LANE_DATA].breaker;
  const proxy_flow late = {.latency_ms = 60};
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &late);
  for (unsigned i = 0; i < REDIS_BREAKER_STREAK; i++)
    accel_redis_breaker_failed(breaker, false, accel_clock_monotonic_ms());
  while (breaker_state() != REDIS_BREAKER_HALF_OPEN) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
  for (uint64_t key = 0; key < ROUNDS; key++) {
    item_t item;
    assert_int_not_equal(item_cache_get_with(&hasty, key, &from_remote, &item), ACCEL_OK);
    /* Closed: this thread stood still for so long that the answer was there. */
    assert_int_not_equal(breaker_state(), REDIS_BREAKER_OPEN);
  }
  while (read_key(1) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
  assert_int_equal(breaker_state(), REDIS_BREAKER_CLOSED);
  item_cache_close(&hasty);
  fault_close(&world);
  proxy_close(&way);
}

/* ---- a server of a cluster that hangs ---- */

static redis_cluster cluster;

static size_t owner_of(uint64_t key)
{
  char name[32];
  const int size = snprintf(name, sizeof name, "fault:%u", (unsigned)key);
  return redis_cluster_first_owner(&cluster,
                                   accel_redis_slot_add(0, name, (size_t)size) % REDIS_SLOTS);
}

static void a_frozen_server_fails_its_own_keys_alone(void **state)
{
  enum { KEYS = 30 };
  uint64_t keys[KEYS];
  unsigned refused = 0;
  (void)state;
  assert_true(redis_cluster_start(&cluster, 3, 0, NULL));
  const accel_redis_config where = {.url = cluster.url, .command_timeout_ms = 400};
  fault_open(&world, &where,
             (accel_config){.loader_timeout_ms = PATIENCE_MS, .no_broadcast = true});
  for (uint64_t key = 0; key < KEYS; key++) {
    const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
    const item_t item = fault_item(key, 1);
    keys[key] = key;
    while (item_cache_set(&world.cache, key, &item) != ACCEL_OK)
      assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  /* The first part of the batch is the one that nobody answers. */
  const size_t frozen = owner_of(0);
  redis_server_freeze(&cluster.servers[frozen]);
  for (unsigned round = 0; round < 12; round++) {
    item_t items[KEYS];
    accel_status statuses[KEYS];
    item_cache_mget(&world.cache, keys, KEYS, &from_remote, items, statuses);
    for (size_t i = 0; i < KEYS; i++) {
      if (owner_of(i) == frozen)
        assert_int_not_equal(statuses[i], ACCEL_OK);
      else if (statuses[i] != ACCEL_OK)
        refused++;
    }
  }
  print_message("keys of healthy servers that failed beside a frozen one: %u\n", refused);
  assert_int_equal(refused, 0);
  redis_route *route = &world.redis.state->route;
  size_t at = 0;
  for (redis_endpoint *each; (each = accel_redis_route_next(route, &at)) != NULL;) {
    const bool is_frozen = strstr(cluster.servers[frozen].url, each->address->port) != NULL;
    if (!is_frozen)
      assert_int_equal(each->lanes[REDIS_LANE_DATA].breaker.state, REDIS_BREAKER_CLOSED);
  }
  redis_server_thaw(&cluster.servers[frozen]);
  fault_close(&world);
  redis_cluster_stop(&cluster);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_oversized_value_is_the_trouble_of_its_key_alone),
      cmocka_unit_test(batches_keep_their_other_items),
      cmocka_unit_test(an_oversized_value_is_replaced_by_a_load),
      cmocka_unit_test(a_large_value_has_the_time_that_it_needs),
      cmocka_unit_test(callers_in_a_hurry_say_nothing_about_the_server),
      cmocka_unit_test(a_frozen_server_fails_its_own_keys_alone),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* Batches that cannot be done within command_timeout_ms as a whole: they are done in blocks, what
 * fails costs its own keys, and nothing else of the area is lost.
 */
#include "fault_world.h"

enum { MANY = 100000, OTHERS = 500, SLICE = 4000, OTHER_KEYS_FROM = 10000000, PATIENCE_MS = 60000 };

static redis_server server;
static proxy way;
static fault_world writer, other;
static uint64_t keys[MANY];
static item_t items[MANY];
static accel_status statuses[MANY];

static int start(void **state)
{
  (void)state;
  for (size_t i = 0; i < MANY; i++) items[i] = fault_item(keys[i] = i, 1);
  return redis_server_start(&server, NULL) && proxy_open(&way, server.port) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&way);
  redis_server_stop(&server);
  return 0;
}

static void open_world(fault_world *world, const char *url, uint32_t limit_ms)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = limit_ms};
  fault_open(world, &where, (accel_config){.capacity = 2 * MANY});
  assert_true(fault_comes(world, true, 10000) >= 0);
}

/* Keys that no batch names: in L2, and in the other one's L1. */
static void store_others(void)
{
  for (uint64_t key = OTHER_KEYS_FROM; key < OTHER_KEYS_FROM + OTHERS; key++) {
    const item_t item = fault_item(key, 1);
    const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
    while (item_cache_set(&writer.cache, key, &item) != ACCEL_OK)
      assert_true(accel_clock_monotonic_ms() < until_ms);
  }
}

static unsigned count_others(accel_read read, fault_world *world)
{
  unsigned found = 0;
  item_t item;
  for (uint64_t key = OTHER_KEYS_FROM; key < OTHER_KEYS_FROM + OTHERS; key++)
    found += item_cache_get_with(&world->cache, key, &read, &item) == ACCEL_OK;
  return found;
}

static const accel_read in_remote = {.skip_local = true, .disable_load = true};

static void await_repaired(void)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (fault_look(&writer).repairs > 0 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(fault_look(&writer).repairs, 0);
}

/* With the defaults, and a machine that may be busy: a block may fail, no more. */
static void a_hundred_thousand_keys_in_fifty_ms_each_block(void **state)
{
  (void)state;
  open_world(&writer, server.url, 0);
  open_world(&other, server.url, 0);
  store_others();
  const uint64_t epochs = fault_metrics(&other).epoch_raised;
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_status set = item_cache_mset(&writer.cache, keys, items, MANY);
  const double set_ms = fault_ms_since(began_ns);
  await_repaired();
  const uint64_t read_ns = accel_clock_monotonic_ns();
  for (size_t i = 0; i < MANY; i += SLICE)
    item_cache_mget(&other.cache, keys + i, SLICE, &in_remote, items + i, statuses + i);
  const double read_ms = fault_ms_since(read_ns);
  unsigned found = 0;
  for (size_t i = 0; i < MANY; i++) {
    if (statuses[i] != ACCEL_OK) continue;
    found++;
    assert_true(fault_is_whole(keys[i], &items[i]));
  }
  const uint64_t del_ns = accel_clock_monotonic_ns();
  const accel_status del = item_cache_mdel(&writer.cache, keys, MANY);
  print_message("%d keys: mset %s in %.0f ms, mget %u in %.0f ms, mdel %s in %.0f ms\n", MANY,
                accel_status_name(set), set_ms, found, read_ms, accel_status_name(del),
                fault_ms_since(del_ns));
  await_repaired();
  assert_true(found > MANY * 8 / 10);
  assert_int_equal(fault_metrics(&writer).repair_overflowed, 0);
  assert_int_equal(fault_metrics(&other).epoch_raised, epochs);
  assert_true(count_others(in_remote, &other) >= OTHERS * 9 / 10);
  fault_close(&writer);
  fault_close(&other);
}

static void a_batch_that_fails_costs_its_own_keys(void **state)
{
  (void)state;
  open_world(&writer, server.url, 200);
  open_world(&other, server.url, 2000);
  store_others();
  const uint64_t epochs = fault_metrics(&other).epoch_raised;
  for (size_t i = 0; i < MANY; i++) items[i] = fault_item(keys[i], 2);
  redis_server_freeze(&server);
  assert_int_equal(item_cache_mset(&writer.cache, keys, items, MANY), ACCEL_ERR_BACKEND);
  assert_int_equal(fault_look(&writer).repairs, MANY);
  assert_int_equal(fault_metrics(&writer).repair_overflowed, 0);
  assert_int_equal(item_cache_mset(&writer.cache, keys, items, MANY), ACCEL_ERR_BACKEND);
  assert_int_equal(fault_look(&writer).repairs, MANY); /* once more is not twice as many */
  redis_server_thaw(&server);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  await_repaired();
  print_message("%d keys are repaired within %.0f ms\n", MANY, fault_ms_since(began_ns));
  assert_int_equal(fault_metrics(&writer).repair_overflowed, 0);
  assert_int_equal(count_others(in_remote, &other), OTHERS);
  (void)epochs;
  fault_close(&writer);
  fault_close(&other);
}

static unsigned count_ok(size_t count)
{
  unsigned found = 0;
  for (size_t i = 0; i < count; i++) found += statuses[i] == ACCEL_OK;
  return found;
}

/* The whole batch takes longer than its limit, a block a fraction of it. On a machine that is busy
 * a block may fail, not nine of ten. */
static void a_slow_link_takes_its_time(void **state)
{
  enum { LIMIT_MS = 500, COUNT = 16000 };
  const proxy_flow slow = {.bytes_per_second = 2000000};
  (void)state;
  open_world(&writer, way.url, LIMIT_MS);
  proxy_set_flow(&way, PROXY_REQUESTS, PROXY_DATA, &slow);
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &slow);
  for (size_t i = 0; i < COUNT; i++) items[i] = fault_item(keys[i], 3);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_status set = item_cache_mset(&writer.cache, keys, items, COUNT);
  const double set_ms = fault_ms_since(began_ns);
  await_repaired();
  item_cache_mget(&writer.cache, keys, COUNT, &in_remote, items, statuses);
  const accel_status del = item_cache_mdel(&writer.cache, keys, COUNT);
  print_message("mset %s in %.0f ms, with a limit of %d ms; mget finds %u of %d; mdel %s\n",
                accel_status_name(set), set_ms, LIMIT_MS, count_ok(COUNT), COUNT,
                accel_status_name(del));
  assert_true(set_ms > 1.5 * LIMIT_MS); /* else nothing was shown */
  assert_true(count_ok(COUNT) > COUNT / 2);
  await_repaired();
  item_cache_mget(&writer.cache, keys, COUNT, &in_remote, items, statuses);
  assert_int_equal(count_ok(COUNT), 0);
  assert_int_equal(fault_metrics(&writer).repair_overflowed, 0);
  proxy_heal(&way);
  fault_close(&writer);
}

/* Values that fill a block each. */

typedef struct page_t {
  uint64_t key;
  char rest[60000];
} page_t;

ACCEL_DEFINE_WITH(page, uint64_t, page_t, .remote = &accel_redis_ops)

static void large_values_on_a_slow_link(void **state)
{
  enum { LIMIT_MS = 500, COUNT = 60 };
  const proxy_flow slow = {.bytes_per_second = 3000000};
  static page_t pages[COUNT];
  (void)state;
  accel_redis redis;
  page_cache cache;
  const accel_redis_config where = {.url = way.url, .command_timeout_ms = LIMIT_MS};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "pages", .capacity = 2 * COUNT, .remote = &redis};
  assert_int_equal(page_cache_open(&cache, &config), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(10000);
  while (accel_redis_ping(&redis) != ACCEL_OK && accel_clock_monotonic_ms() < until_ms) {}
  proxy_set_flow(&way, PROXY_REQUESTS, PROXY_DATA, &slow);
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &slow);
  for (uint64_t i = 0; i < COUNT; i++) pages[i].key = i;
  page_cache_mset(&cache, keys, pages, COUNT);
  page_cache_mget(&cache, keys, COUNT, &in_remote, pages, statuses);
  accel_metrics metrics;
  page_cache_metrics_snapshot(&cache, &metrics);
  print_message("%u of %d values of 60 kB are read, %u errors\n", count_ok(COUNT), COUNT,
                (unsigned)metrics.remote_errors);
  for (uint64_t i = 0; i < COUNT; i++)
    if (statuses[i] == ACCEL_OK) assert_int_equal(pages[i].key, i);
  assert_true(count_ok(COUNT) > COUNT / 2);
  proxy_heal(&way);
  page_cache_close(&cache);
  accel_redis_close(&redis);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hundred_thousand_keys_in_fifty_ms_each_block),
      cmocka_unit_test(a_batch_that_fails_costs_its_own_keys),
      cmocka_unit_test(a_slow_link_takes_its_time),
      cmocka_unit_test(large_values_on_a_slow_link),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

/* A Redis that is full, a real one, and a second process that reads: removals are done and told as
 * ever, what cannot be stored is removed, and nobody loses anything else by it.
 *
 * Keys have no TTL here, so that the policies that evict only keys with one have nothing to evict.
 */
#include "fault_world.h"
#include "redis_cluster.h"

#include <sys/wait.h>

enum {
  SEEN_MS = 10000, /* it takes one or two; without what is tested it never comes */
  KEYS = 100
};

static const char *const policies[] = {"noeviction", "volatile-lru", "volatile-lfu",
                                       "volatile-random", "volatile-ttl"};
static fault_world writer, other;

static void configure(const redis_server *server, const char *name, const char *value)
{
  char command[64], reply[64];
  snprintf(command, sizeof command, "CONFIG SET %s %s", name, value);
  assert_true(redis_server_ask(server, command, reply, sizeof reply));
  assert_non_null(strstr(reply, "+OK"));
}

/* Of this size already, so that no SET is accepted from now on. */
static void make_full(const redis_server *server)
{
  char reply[256];
  configure(server, "maxmemory", "1");
  assert_true(redis_server_ask(server, "SET elsewhere 1", reply, sizeof reply));
  assert_non_null(strstr(reply, "OOM"));
}

static void open_both(const char *url, accel_redis_coherence coherence)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000, .coherence = coherence};
  const accel_config config = {.remote_ttl_ms = ACCEL_FOREVER, .loader_timeout_ms = 2000};
  fault_open(&writer, &where, config);
  fault_open(&other, &where, config);
  assert_true(fault_comes(&writer, true, 10000) >= 0);
  assert_true(fault_comes(&other, true, 10000) >= 0);
}

static void close_both(void)
{
  fault_close(&writer);
  fault_close(&other);
}

static uint64_t version_of(fault_world *world, uint64_t key)
{
  item_t item;
  assert_int_equal(item_cache_get(&world->cache, key, &item), ACCEL_OK);
  assert_true(fault_is_whole(key, &item));
  return item.version;
}

/* Both have the version in L1 and L2. */
static void spread(uint64_t version)
{
  writer.version = other.version = version;
  for (uint64_t key = 0; key < KEYS; key++) {
    const item_t item = fault_item(key, version);
    assert_int_equal(item_cache_set(&writer.cache, key, &item), ACCEL_OK);
  }
  for (uint64_t key = 0; key < KEYS; key++) {
    const uint64_t until_ms = accel_clock_deadline(60000);
    while (version_of(&other, key) != version && accel_clock_monotonic_ms() < until_ms) {}
    assert_int_equal(version_of(&other, key), version);
  }
}

/* The source has it now. */
static void change_source(uint64_t version)
{
  writer.version = other.version = version;
}

/* Milliseconds until the other one serves the version. */
static double seen_after(uint64_t key, uint64_t version)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  while (version_of(&other, key) != version)
    if (fault_ms_since(began_ns) > SEEN_MS) fail_msg("key %u is old for ever", (unsigned)key);
  return fault_ms_since(began_ns);
}

/* ---- what removes ---- */

/* Single dels, and an mdel, of the keys from `first` on. */
static void dels_are_done_and_told(const char *policy, uint64_t first)
{
  enum { SINGLE = 10, MANY = 10 };
  uint64_t keys[MANY];
  double slowest_ms = 0;
  for (uint64_t key = first; key < first + SINGLE; key++) {
    assert_int_equal(item_cache_del(&writer.cache, key), ACCEL_OK);
    const double ms = seen_after(key, 2);
    if (ms > slowest_ms) slowest_ms = ms;
  }
  for (uint64_t i = 0; i < MANY; i++) keys[i] = first + SINGLE + i;
  assert_int_equal(item_cache_mdel(&writer.cache, keys, MANY), ACCEL_OK);
  for (uint64_t i = 0; i < MANY; i++) seen_after(keys[i], 2);
  print_message("%-16s a del is seen after %.2f ms at most\n", policy, slowest_ms);
}

static void a_del_is_done_and_told_whatever_the_policy(void **state)
{
  redis_server full;
  (void)state;
  for (int tracking = 0; tracking < 2; tracking++) {
    assert_true(redis_server_start(&full, NULL));
    open_both(full.url, tracking == 0 ? ACCEL_PUBSUB : ACCEL_TRACKING);
    spread(1);
    make_full(&full);
    change_source(2);
    const uint64_t epochs = fault_metrics(&other).epoch_raised;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
      configure(&full, "maxmemory-policy", policies[i]);
      dels_are_done_and_told(policies[i], 20 * i);
    }
    assert_int_equal(fault_metrics(&writer).repair_queued, 0);
    /* No number was lost with a refused message: the others kept all the rest. */
    assert_int_equal(fault_metrics(&other).epoch_raised, epochs);
    close_both();
    redis_server_stop(&full);
  }
}

static accel_status remove_from_source(fault_world *world, uint64_t key)
{
  (void)key;
  change_source(world->version + 1);
  return ACCEL_OK;
}

static ACCEL_CACHE_EVICT(item, evict, (fault_world * world, uint64_t key), (world, key),
                         .cache = &world->cache, .key = key)
{
  return remove_from_source(world, key);
}

/* The set itself fails; the others read what the source has. */
static void what_cannot_be_stored_is_removed(void **state)
{
  redis_server full;
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  open_both(full.url, ACCEL_PUBSUB);
  spread(1);
  make_full(&full);
  const uint64_t epochs = fault_metrics(&other).epoch_raised;
  change_source(2);
  for (uint64_t key = 0; key < 8; key++) { /* refused by the server, then by the pause */
    const item_t item = fault_item(key, 2);
    assert_int_equal(item_cache_set(&writer.cache, key, &item), ACCEL_ERR_BACKEND);
    seen_after(key, 2);
  }
  assert_int_equal(item_cache_set_null(&writer.cache, 8), ACCEL_ERR_BACKEND);
  seen_after(8, 2);
  item_t items[20];
  uint64_t keys[20];
  for (uint64_t i = 0; i < 20; i++) items[i] = fault_item(keys[i] = 10 + i, 2);
  assert_int_equal(item_cache_mset(&writer.cache, keys, items, 20), ACCEL_ERR_BACKEND);
  for (uint64_t i = 0; i < 20; i++) seen_after(keys[i], 2);
  assert_int_equal(evict(&writer, 40), ACCEL_OK);
  seen_after(40, 3);
  assert_int_equal(fault_metrics(&writer).repair_queued, 0);
  assert_int_equal(fault_metrics(&other).epoch_raised, epochs);
  change_source(4);
  assert_int_equal(item_cache_clear(&writer.cache), ACCEL_OK);
  for (uint64_t key = 50; key < KEYS; key++) seen_after(key, 4);
  configure(&full, "maxmemory", "0");
  usleep(1100000);
  const item_t stored = fault_item(1, 4);
  assert_int_equal(item_cache_set(&writer.cache, 1, &stored), ACCEL_OK);
  close_both();
  redis_server_stop(&full);
}

/* A cache that tells nobody removes as well. */
static void without_messages_a_set_removes_too(void **state)
{
  redis_server full;
  char reply[64];
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  const accel_redis_config where = {.url = full.url, .command_timeout_ms = 2000};
  fault_open(&writer, &where, (accel_config){.no_broadcast = true});
  const item_t item = fault_item(1, 1);
  assert_int_equal(item_cache_set(&writer.cache, 1, &item), ACCEL_OK);
  for (int again = 0; again < 2; again++) {
    configure(&full, "maxmemory", "0");
    assert_true(redis_server_ask(&full, "SET fault:1 old", reply, sizeof reply));
    make_full(&full);
    assert_int_equal(item_cache_set(&writer.cache, 1, &item), ACCEL_ERR_BACKEND);
    assert_true(redis_server_ask(&full, "EXISTS fault:1", reply, sizeof reply));
    assert_non_null(strstr(reply, ":0"));
  }
  assert_int_equal(fault_metrics(&writer).repair_queued, 0);
  fault_close(&writer);
  redis_server_stop(&full);
}

/* What failed while the server hung is repaired although it is full by then. */
static void a_repair_is_made_in_a_full_server(void **state)
{
  redis_server full;
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  open_both(full.url, ACCEL_PUBSUB);
  item_cache_close(&writer.cache);
  accel_redis_close(&writer.redis);
  const accel_redis_config hasty = {.url = full.url, .command_timeout_ms = 50};
  fault_open(&writer, &hasty, (accel_config){.remote_ttl_ms = ACCEL_FOREVER});
  assert_true(fault_comes(&writer, true, 10000) >= 0);
  spread(1);
  make_full(&full);
  redis_server_freeze(&full);
  change_source(2);
  assert_int_equal(item_cache_del(&writer.cache, 1), ACCEL_ERR_BACKEND);
  const item_t item = fault_item(2, 2);
  assert_int_equal(item_cache_set(&writer.cache, 2, &item), ACCEL_ERR_BACKEND);
  assert_int_equal(fault_look(&writer).repairs, 2);
  redis_server_thaw(&full);
  seen_after(1, 2);
  seen_after(2, 2);
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (fault_look(&writer).repairs > 0 && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  assert_int_equal(fault_look(&writer).repairs, 0);
  close_both();
  redis_server_stop(&full);
}

/* ---- leases ---- */

typedef struct full_load {
  redis_server *server;
  uint64_t version;
} full_load;

/* While it runs the server becomes full. */
static accel_status load_and_fill_up(void *load_pointer, uint64_t key, item_t *out)
{
  const full_load *load = (const full_load *)load_pointer;
  make_full(load->server);
  *out = fault_item(key, load->version);
  return ACCEL_OK;
}

/* What was loaded cannot be stored: its lease is taken back, and nobody waits for it. */
static void a_lease_is_given_back_to_a_full_server(void **state)
{
  redis_server full;
  char reply[64];
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  for (int tracking = 0; tracking < 2; tracking++) {
    full_load load = {&full, 1};
    open_both(full.url, tracking == 0 ? ACCEL_PUBSUB : ACCEL_TRACKING);
    item_cache_set_loader(&writer.cache, load_and_fill_up, &load);
    assert_int_equal(version_of(&writer, 1000), 1);
    assert_true(redis_server_ask(&full, "EXISTS fault:1000", reply, sizeof reply));
    assert_non_null(strstr(reply, ":0"));
    assert_int_equal(fault_metrics(&other).lease_waits, 0);
    other.version = 1;
    assert_int_equal(version_of(&other, 1000), 1);
    assert_int_equal(fault_metrics(&other).lease_waits, 0);
    configure(&full, "maxmemory", "0");
    close_both();
  }
  redis_server_stop(&full);
}

/* A value that may still be read stays when what was to replace it does not fit. */
static void a_refresh_that_does_not_fit_leaves_the_value(void **state)
{
  redis_server full;
  char reply[64];
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  full_load load = {&full, 2};
  open_both(full.url, ACCEL_PUBSUB);
  spread(1);
  item_cache_set_loader(&writer.cache, load_and_fill_up, &load);
  assert_int_equal(item_cache_refresh(&writer.cache, 1), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (fault_metrics(&writer).remote_oom == 0 && accel_clock_monotonic_ms() < until_ms)
    usleep(1000);
  assert_true(fault_metrics(&writer).remote_oom > 0);
  assert_true(redis_server_ask(&full, "EXISTS fault:1", reply, sizeof reply));
  assert_non_null(strstr(reply, ":1"));
  close_both();
  redis_server_stop(&full);
}

/* ---- real processes, and a cluster ---- */

/* The child reads until it sees the version, and says when. */
static void read_until(const char *url, int ready, int seen)
{
  fault_world world;
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000};
  fault_open(&world, &where, (accel_config){.remote_ttl_ms = ACCEL_FOREVER});
  world.version = 2;
  bool is_ready = fault_comes(&world, true, 10000) >= 0 && version_of(&world, 1) == 1;
  if (write(ready, &is_ready, 1) != 1) _exit(1);
  while (version_of(&world, 1) != 2) {}
  const uint64_t now_ns = accel_clock_monotonic_ns();
  if (write(seen, &now_ns, sizeof now_ns) != sizeof now_ns) _exit(1);
  fault_close(&world);
  _exit(0);
}

static void another_process_sees_a_del_at_once(void **state)
{
  redis_server full;
  int ready[2], seen[2];
  bool is_ready = false;
  uint64_t seen_ns = 0;
  (void)state;
  assert_true(redis_server_start(&full, NULL));
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(seen), 0);
  const accel_redis_config where = {.url = full.url, .command_timeout_ms = 2000};
  fault_open(&writer, &where, (accel_config){.remote_ttl_ms = ACCEL_FOREVER});
  const item_t item = fault_item(1, 1);
  assert_int_equal(item_cache_set(&writer.cache, 1, &item), ACCEL_OK);
  fault_close(&writer); /* nothing is open while the child is made */
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) read_until(full.url, ready[1], seen[1]);
  fault_open(&writer, &where, (accel_config){.remote_ttl_ms = ACCEL_FOREVER});
  assert_int_equal(read(ready[0], &is_ready, 1), 1);
  assert_true(is_ready);
  assert_true(fault_comes(&writer, true, 10000) >= 0);
  make_full(&full);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  assert_int_equal(item_cache_del(&writer.cache, 1), ACCEL_OK);
  assert_int_equal(read(seen[0], &seen_ns, sizeof seen_ns), sizeof seen_ns);
  print_message("another process sees it after %.2f ms\n", (double)(seen_ns - began_ns) / 1e6);
  assert_int_equal(waitpid(child, NULL, 0), child);
  for (size_t i = 0; i < 2; i++) close(ready[i]), close(seen[i]);
  fault_close(&writer);
  redis_server_stop(&full);
}

static void a_full_cluster_removes_and_tells(void **state)
{
  static redis_cluster cluster;
  (void)state;
  assert_true(redis_cluster_start(&cluster, 3, 0, NULL));
  open_both(cluster.url, ACCEL_PUBSUB);
  spread(1);
  for (size_t i = 0; i < cluster.masters; i++) configure(&cluster.servers[i], "maxmemory", "1");
  change_source(2);
  for (uint64_t key = 0; key < 20; key++) {
    assert_int_equal(item_cache_del(&writer.cache, key), ACCEL_OK);
    seen_after(key, 2);
  }
  item_t items[60];
  uint64_t keys[60];
  for (uint64_t i = 0; i < 60; i++) items[i] = fault_item(keys[i] = 20 + i, 2);
  assert_int_equal(item_cache_mset(&writer.cache, keys, items, 60), ACCEL_ERR_BACKEND);
  for (uint64_t i = 0; i < 60; i++) seen_after(keys[i], 2);
  assert_int_equal(fault_metrics(&writer).repair_queued, 0);
  close_both();
  redis_cluster_stop(&cluster);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_del_is_done_and_told_whatever_the_policy),
      cmocka_unit_test(what_cannot_be_stored_is_removed),
      cmocka_unit_test(without_messages_a_set_removes_too),
      cmocka_unit_test(a_repair_is_made_in_a_full_server),
      cmocka_unit_test(a_lease_is_given_back_to_a_full_server),
      cmocka_unit_test(a_refresh_that_does_not_fit_leaves_the_value),
      cmocka_unit_test(another_process_sees_a_del_at_once),
      cmocka_unit_test(a_full_cluster_removes_and_tells),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

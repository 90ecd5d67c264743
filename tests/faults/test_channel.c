/* Invalidations are lost: by a cut, by Redis' own limit, one by one, or by a race. Nothing stale is
 * served once the channel is up again, and what was lost unnoticed is noticed in time.
 *
 * `mine` listens behind the proxy; `other` is another process' cache as far as Redis can tell, and
 * writes. Lives are long: an old value that goes away was taken away by the channel.
 */
#include "fault_world.h"

#include <hiredis/hiredis.h>

static redis_server server;
static proxy faults;
static fault_world mine, other;

static void open_both(void)
{
  const accel_config config = {
      .local_ttl_ms = 3600000, .degraded_ttl_ms = ACCEL_FOREVER, .loader_timeout_ms = 60000};
  const accel_redis_config behind = {.url = faults.url, .command_timeout_ms = 5000},
                           direct = {.url = server.url, .command_timeout_ms = 5000};
  fault_open(&mine, &behind, config);
  fault_open(&other, &direct, config);
  assert_true(fault_comes(&mine, true, 10000) >= 0);
  assert_true(fault_comes(&other, true, 10000) >= 0);
}

static int close_both(void **state)
{
  (void)state;
  proxy_heal(&faults);
  fault_close(&other);
  fault_close(&mine);
  memset(&mine, 0, sizeof mine);
  memset(&other, 0, sizeof other);
  return 0;
}

static int start(void **state)
{
  (void)state;
  return redis_server_start(&server, "client-output-buffer-limit pubsub 64kb 32kb 1") &&
                 proxy_open(&faults, server.port)
             ? 0
             : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&faults);
  redis_server_stop(&server);
  return 0;
}

static bool holds(fault_world *world, uint64_t key, uint64_t version)
{
  const accel_read read = {.skip_remote = true, .disable_load = true};
  item_t item;
  return item_cache_get_with(&world->cache, key, &read, &item) == ACCEL_OK &&
         item.version == version;
}

/* Writes the version of all keys elsewhere, and has them in our L1. */
static void fill_mine(unsigned keys, uint64_t version)
{
  for (uint64_t key = 0; key < keys; key++) {
    const item_t item = fault_item(key, version);
    assert_int_equal(item_cache_set(&other.cache, key, &item), ACCEL_OK);
  }
  const uint64_t until_ms = accel_clock_deadline(200000);
  for (uint64_t key = 0; key < keys;) {
    item_t item;
    accel_ignore(item_cache_get(&mine.cache, key, &item));
    if (holds(&mine, key, version)) key++;
    assert_true(accel_clock_monotonic_ms() < until_ms);
  }
}

static void write_elsewhere(unsigned keys, uint64_t version)
{
  for (uint64_t key = 0; key < keys; key++) {
    const item_t item = fault_item(key, version);
    const accel_status status =
        key % 2 == 0 ? item_cache_set(&other.cache, key, &item) : item_cache_del(&other.cache, key);
    assert_int_equal(status, ACCEL_OK);
  }
}

static unsigned count_stale(unsigned keys, uint64_t version)
{
  unsigned stale = 0;
  for (uint64_t key = 0; key < keys; key++) {
    const accel_read read = {.disable_load = true};
    item_t item;
    const accel_status status = item_cache_get_with(&mine.cache, key, &read, &item);
    if (status == ACCEL_OK && item.version != version) stale++;
    if (status != ACCEL_OK && status != ACCEL_MISS) stale++;
    if (status == ACCEL_OK && key % 2 != 0) stale++;
  }
  return stale;
}

static void nothing_stale_after_a_gap(void **state)
{
  const unsigned keys = fault_number(2000, 10000);
  char reply[64];
  (void)state;
  open_both();
  for (uint64_t round = 0; round < 3; round++) {
    fill_mine(keys, 2 * round);
    const uint64_t epochs = fault_metrics(&mine).epoch_raised;
    proxy_refuse(&faults, true);
    proxy_cut(&faults, round % 2 == 0 ? PROXY_RESET : PROXY_CLOSE, PROXY_LISTENER);
    assert_true(fault_comes(&mine, false, 5000) >= 0);
    write_elsewhere(keys, 2 * round + 1);
    proxy_heal(&faults);
    if (round == 2) redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply);
    const double live_ms = fault_comes(&mine, true, 10000);
    const unsigned stale = count_stale(keys, 2 * round + 1);
    print_message("%u writes during the gap; up again %.0f ms after it; %u stale; epoch +%u\n",
                  keys, live_ms, stale, (unsigned)(fault_metrics(&mine).epoch_raised - epochs));
    assert_true(live_ms >= 0);
    assert_int_equal(stale, 0);
    assert_true(fault_metrics(&mine).epoch_raised >= epochs + 2);
  }
}

static bool publish_nonsense(redisContext *direct, size_t size)
{
  char *nonsense = (char *)calloc(1, size);
  redisReply *reply = (redisReply *)redisCommand(direct, "PUBLISH accel:invalidation:fault %b",
                                                 (const void *)nonsense, size);
  free(nonsense);
  if (reply == NULL) return false;
  freeReplyObject(reply);
  return true;
}

/* Redis closes a listener that does not take its messages: here long ones of a stranger's. */
static void a_listener_that_redis_drops_is_noticed(void **state)
{
  enum { KEYS = 50, SIZE = 200000 };
  const proxy_flow slow = {.bytes_per_second = 20000};
  (void)state;
  open_both();
  fill_mine(KEYS, 1);
  redisContext *direct = redisConnect("127.0.0.1", server.port);
  assert_non_null(direct);
  const uint64_t epochs = fault_metrics(&mine).epoch_raised;
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_LISTENER, &slow);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  unsigned sent = 0;
  for (; fault_look(&mine).channel_up && fault_ms_since(began_ns) < 20000; sent++)
    assert_true(publish_nonsense(direct, SIZE));
  const double noticed_ms = fault_ms_since(began_ns);
  assert_false(fault_look(&mine).channel_up);
  write_elsewhere(KEYS, 3);
  proxy_heal(&faults);
  assert_true(fault_comes(&mine, true, 10000) >= 0);
  print_message("cut off by Redis after %u messages, %.0f ms; %u stale\n", sent, noticed_ms,
                count_stale(KEYS, 3));
  assert_int_equal(count_stale(KEYS, 3), 0);
  assert_true(fault_metrics(&mine).epoch_raised >= epochs + 1);
  redisFree(direct);
}

/* A message is lost while the connection stays up, as a proxy or a cluster's bus may lose it. The
 * next one shows it by its number; without a next one the heartbeats do. */
static void a_lost_message_shows_by_its_number(void **state)
{
  enum { KEY = 4 };
  const unsigned rounds = fault_number(2, 20);
  double slowest_ms = 0;
  (void)state;
  open_both();
  for (uint64_t round = 1; round <= rounds; round++) {
    fill_mine(KEY + 1, 10 * round);
    usleep(100000); /* messages of the writes before are over */
    proxy_drop(&faults, PROXY_LISTENER, 1);
    const unsigned dropped = proxy_look(&faults).dropped;
    const item_t item = fault_item(KEY, 10 * round + 1);
    assert_int_equal(item_cache_set(&other.cache, KEY, &item), ACCEL_OK);
    const uint64_t began_ns = accel_clock_monotonic_ns();
    item_t found;
    while (item_cache_get(&mine.cache, KEY, &found) == ACCEL_OK && found.version != item.version &&
           fault_ms_since(began_ns) < 60000)
      usleep(1000);
    assert_int_equal(proxy_look(&faults).dropped, dropped + 1);
    if (fault_ms_since(began_ns) > slowest_ms) slowest_ms = fault_ms_since(began_ns);
  }
  print_message("a lost last message was noticed after %.0f ms at worst\n", slowest_ms);
  assert_true(slowest_ms < 60000); /* the entry itself lives longer */
}

/* ---- the race between fills and invalidations ---- */

enum { RACE_KEYS = 8, RACE_READERS = 3, RACE_WRITERS = 2, RACE_MARKER = 100 };

typedef struct race {
  atomic_uint_least64_t database[RACE_KEYS];
  atomic_bool is_over;
  atomic_uint reads;
  unsigned writes_per_round;
  accel_read read;
} race;

/* Time passes between the look at the source and the fill: room for a write. */
static accel_status load_from_database(void *race_pointer, uint64_t key, item_t *out)
{
  *out = fault_item(key, ((race *)race_pointer)->database[key]);
  usleep(100);
  return ACCEL_OK;
}

static void *race_read(void *race_pointer)
{
  race *self = (race *)race_pointer;
  for (uint64_t key = 0; !self->is_over; key = (key + 1) % RACE_KEYS, self->reads++) {
    item_t item;
    const accel_status status = item_cache_get_with(&mine.cache, key, &self->read, &item);
    if (status == ACCEL_OK && !fault_is_whole(key, &item)) abort();
  }
  return NULL;
}

/* The database changes first, and then the key is removed from the caches. */
static void *race_write(void *race_pointer)
{
  race *self = (race *)race_pointer;
  for (unsigned i = 0; i < self->writes_per_round; i++) {
    const uint64_t key = i % RACE_KEYS;
    self->database[key]++;
    if (item_cache_del(&other.cache, key) != ACCEL_OK) abort();
  }
  return NULL;
}

static unsigned race_stale(race *self)
{
  unsigned stale = 0;
  for (uint64_t key = 0; key < RACE_KEYS; key++) {
    item_t item;
    if (item_cache_get_with(&mine.cache, key, &self->read, &item) != ACCEL_OK) stale++;
    if (item.version != self->database[key]) stale++;
  }
  return stale;
}

/* Once the message about the marker was heard, all before it were: they come in order. */
static bool race_is_at_rest(uint64_t round)
{
  const item_t item = fault_item(RACE_MARKER, round + 1);
  const uint64_t until_ms = accel_clock_deadline(60000);
  if (item_cache_set(&other.cache, RACE_MARKER, &item) != ACCEL_OK) return false;
  while (holds(&mine, RACE_MARKER, round))
    if (accel_clock_monotonic_ms() > until_ms) return false;
  return true;
}

static unsigned race_round(race *self, uint64_t round)
{
  pthread_t readers[RACE_READERS], writers[RACE_WRITERS];
  item_t marker;
  self->is_over = false;
  while (!holds(&mine, RACE_MARKER, round))
    accel_ignore(item_cache_get(&mine.cache, RACE_MARKER, &marker));
  for (size_t i = 0; i < RACE_READERS; i++) pthread_create(&readers[i], NULL, race_read, self);
  for (size_t i = 0; i < RACE_WRITERS; i++) pthread_create(&writers[i], NULL, race_write, self);
  for (size_t i = 0; i < RACE_WRITERS; i++) pthread_join(writers[i], NULL);
  self->is_over = true;
  for (size_t i = 0; i < RACE_READERS; i++) pthread_join(readers[i], NULL);
  assert_true(race_is_at_rest(round));
  return race_stale(self);
}

static void race_run(accel_read read, const char *name)
{
  const unsigned rounds = fault_number(40, 2000);
  static race self;
  unsigned stale = 0;
  open_both();
  memset(&self, 0, sizeof self);
  self.writes_per_round = 64;
  self.read = read;
  item_cache_set_loader(&mine.cache, load_from_database, &self);
  const item_t marker = fault_item(RACE_MARKER, 0);
  assert_int_equal(item_cache_set(&other.cache, RACE_MARKER, &marker), ACCEL_OK);
  for (unsigned round = 0; round < rounds; round++) stale += race_round(&self, round);
  const accel_metrics metrics = fault_metrics(&mine);
  print_message("%s: %u rounds, %u reads, %u loads, %u fills refused, %u stale at rest\n", name,
                rounds, (unsigned)self.reads, (unsigned)metrics.load_total,
                (unsigned)metrics.local_fill_refused, stale);
  assert_int_equal(stale, 0);
  assert_true(metrics.load_total > rounds);
}

static void fills_of_l1_and_invalidations_race_without_harm(void **state)
{
  (void)state;
  race_run((accel_read){.skip_remote = true}, "L1");
}

static void fills_of_both_levels_and_invalidations_race_without_harm(void **state)
{
  (void)state;
  race_run((accel_read){.skip_remote = false}, "both levels");
}

#define CHANNEL_TEST(function_) cmocka_unit_test_teardown(function_, close_both)

int main(void)
{
  const struct CMUnitTest tests[] = {
      CHANNEL_TEST(nothing_stale_after_a_gap),
      CHANNEL_TEST(a_listener_that_redis_drops_is_noticed),
      CHANNEL_TEST(a_lost_message_shows_by_its_number),
      CHANNEL_TEST(fills_of_l1_and_invalidations_race_without_harm),
      CHANNEL_TEST(fills_of_both_levels_and_invalidations_race_without_harm),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

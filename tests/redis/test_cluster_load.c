/* A cluster under load: slots move to and fro while two caches write and read. */
#include "client.h"

#include "accel.h"
#include "redis_cluster.h"

#include "accel_backends/redis/slots.h"

/* A value that tells whose it is. */
typedef struct record {
  uint64_t key, version;
} record;

ACCEL_DEFINE_WITH(record, uint64_t, record, .remote = &accel_redis_ops)

enum { KEYS = 64, READERS = 3, MOVES = 24, SLOW_MS = 1000, SETTLE_MS = 5000 };

static redis_cluster cluster;

typedef struct side {
  accel_redis redis;
  record_cache cache;
} side;

static side writing, reading;
static bool ends;              /* atomic */
static uint64_t written[KEYS]; /* atomic: the last version that was confirmed */
static uint64_t wrong, backward, reads, sets, refused; /* atomic */

static int start_cluster(void **state)
{
  (void)state;
  return redis_cluster_start(&cluster, 3, 0, NULL) ? 0 : -1;
}

static int stop_cluster(void **state)
{
  (void)state;
  redis_cluster_stop(&cluster);
  return 0;
}

static void open_side(side *one)
{
  const accel_redis_config where = {.url = cluster.url, .command_timeout_ms = SLOW_MS};
  assert_int_equal(accel_redis_open(&one->redis, &where), ACCEL_OK);
  const accel_config config = {.area = "record", .remote = &one->redis};
  assert_int_equal(record_cache_open(&one->cache, &config), ACCEL_OK);
}

static void close_side(side *one)
{
  record_cache_close(&one->cache);
  accel_redis_close(&one->redis);
}

static void *write_on(void *unused)
{
  (void)unused;
  for (uint64_t i = 0; !__atomic_load_n(&ends, __ATOMIC_ACQUIRE); i++) {
    const uint64_t key = i % KEYS;
    const record next = {key, written[key] + 1};
    if (record_cache_set(&writing.cache, key, &next) == ACCEL_OK)
      __atomic_store_n(&written[key], next.version, __ATOMIC_RELEASE);
    else
      __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&sets, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void *read_on(void *unused)
{
  uint64_t seen[KEYS] = {0};
  record found;
  (void)unused;
  for (uint64_t i = 0; !__atomic_load_n(&ends, __ATOMIC_ACQUIRE); i++) {
    const uint64_t key = i * 7 % KEYS;
    __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
    if (record_cache_get(&reading.cache, key, &found) != ACCEL_OK) continue;
    if (found.key != key) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    if (found.version < seen[key]) __atomic_fetch_add(&backward, 1, __ATOMIC_RELAXED);
    seen[key] = found.version;
  }
  return NULL;
}

/* Moves the slots of some keys, one after the other, each to the next server. */
static void move_slots(void)
{
  static size_t owner[REDIS_SLOTS];
  for (unsigned slot = 0; slot < REDIS_SLOTS; slot++)
    owner[slot] = redis_cluster_first_owner(&cluster, slot);
  for (unsigned i = 0; i < MOVES; i++) {
    char key[32];
    snprintf(key, sizeof key, "record:%u", i % (MOVES / 2));
    const unsigned slot = accel_redis_slot_add(0, key, strlen(key)) % REDIS_SLOTS;
    const size_t from = owner[slot], to = (from + 1) % 3;
    assert_true(redis_cluster_move_begin(&cluster, slot, from, to));
    usleep(20000);
    assert_true(redis_cluster_move_keys(&cluster, slot, from, to));
    usleep(20000);
    assert_true(redis_cluster_move_end(&cluster, slot, from, to));
    owner[slot] = to;
  }
}

static bool all_agree(void)
{
  for (uint64_t key = 0; key < KEYS; key++) {
    record here, there;
    if (record_cache_get(&writing.cache, key, &here) != ACCEL_OK) return false;
    if (record_cache_get(&reading.cache, key, &there) != ACCEL_OK) return false;
    if (here.version < written[key] || there.version != here.version) return false;
  }
  return true;
}

static void moving_slots_harm_nobody(void **state)
{
  pthread_t threads[READERS + 1];
  (void)state;
  open_side(&writing);
  open_side(&reading);
  assert_int_equal(pthread_create(&threads[0], NULL, write_on, NULL), 0);
  for (int i = 1; i <= READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, read_on, NULL), 0);
  move_slots();
  __atomic_store_n(&ends, true, __ATOMIC_RELEASE);
  for (int i = 0; i <= READERS; i++) pthread_join(threads[i], NULL);
  /* A set that was refused may have left its key to nobody; it is written once more. */
  for (uint64_t key = 0; key < KEYS; key++) {
    const record last = {key, written[key] + 1};
    assert_int_equal(record_cache_set(&writing.cache, key, &last), ACCEL_OK);
    written[key] = last.version;
  }
  const uint64_t until_ms = accel_clock_deadline(SETTLE_MS);
  bool agree = all_agree();
  while (!agree && accel_clock_monotonic_ms() < until_ms) {
    usleep(10000);
    agree = all_agree();
  }
  print_message("%u slots moved under %llu sets (%llu refused) and %llu reads\n", MOVES,
                (unsigned long long)sets, (unsigned long long)refused, (unsigned long long)reads);
  assert_true(sets > 100 && reads > 1000);
  assert_int_equal(wrong, 0);
  assert_int_equal(backward, 0);
  assert_true(refused < MOVES / 4);
  assert_true(agree);
  close_side(&reading);
  close_side(&writing);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(moving_slots_harm_nobody)};
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}

/* A cluster under load: slots move to and fro while two caches write and read. */
#include "fault_world.h"
#include "redis_cluster.h"

#include "accel_backends/redis/wire/slots.h"

/* A value that tells which key it belongs to. */
typedef struct record {
  uint64_t key, version;
} record;

ACCEL_DEFINE_WITH(record, uint64_t, record, .remote = &accel_redis_ops)

enum {
  KEYS = 64,
  READERS = 3,
  SLOTS_MOVED = 12,
  MOVES = 24,
  SLOW_MS = 1000,
  SETTLE_MS = 60000,
  MESSAGE_MS = 500,
  VERSIONS = 1 << 16
};

static redis_cluster cluster;

typedef struct side {
  accel_redis redis;
  record_cache cache;
} side;

static side writing, reading;
static bool ends;                             /* atomic */
static uint64_t written[KEYS];                /* atomic: the last version that was confirmed */
static uint64_t confirmed_ns[KEYS][VERSIONS]; /* atomic */
static uint64_t longest_step_ms, overtaken, wrong, backward, reads, sets, refused; /* atomic */

static int start_cluster(void **state)
{
  (void)state;
  return lateness_begin() && redis_cluster_start(&cluster, 3, 0, NULL) ? 0 : -1;
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

static void confirm(uint64_t key, uint64_t version)
{
  if (version < VERSIONS)
    __atomic_store_n(&confirmed_ns[key][version], accel_clock_monotonic_ns(), __ATOMIC_RELAXED);
  __atomic_store_n(&written[key], version, __ATOMIC_RELEASE);
}

/* Two loads of one process may end in another order than they began, while the message that tells
 * of the newer value is on its way from server to server; then the older one is read for as long
 * as that takes. */
static void check_step_back(uint64_t key, uint64_t version, uint64_t began_ns)
{
  uint64_t newer_ns = 0;
  if (version + 1 < VERSIONS)
    newer_ns = __atomic_load_n(&confirmed_ns[key][version + 1], __ATOMIC_RELAXED);
  const bool was_confirmed = newer_ns != 0 && newer_ns < began_ns;
  const uint64_t late_ms = was_confirmed ? (began_ns - newer_ns) / 1000000 : 0;
  uint64_t longest_ms = __atomic_load_n(&longest_step_ms, __ATOMIC_RELAXED);
  while (late_ms > longest_ms &&
         !__atomic_compare_exchange_n(&longest_step_ms, &longest_ms, late_ms, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  const bool is_due = lateness_keeps((double)late_ms, MESSAGE_MS);
  __atomic_fetch_add(is_due ? &overtaken : &backward, 1, __ATOMIC_RELAXED);
}

static void *write_on(void *unused)
{
  (void)unused;
  for (uint64_t i = 0; !__atomic_load_n(&ends, __ATOMIC_ACQUIRE); i++) {
    const uint64_t key = i % KEYS;
    const record next = {key, written[key] + 1};
    if (record_cache_set(&writing.cache, key, &next) == ACCEL_OK)
      confirm(key, next.version);
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
    const uint64_t began_ns = accel_clock_monotonic_ns();
    __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
    if (record_cache_get(&reading.cache, key, &found) != ACCEL_OK) continue;
    if (found.key != key) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    if (found.version < seen[key]) check_step_back(key, found.version, began_ns);
    seen[key] = found.version;
  }
  return NULL;
}

/* Moves the slots of some keys, one after the other, each to the next server. Returns how often. */
static unsigned move_slots(void)
{
  const uint64_t until_ms = accel_clock_deadline(fault_soak_seconds() * 1000);
  unsigned i = 0;
  static size_t owner[REDIS_SLOTS];
  for (unsigned slot = 0; slot < REDIS_SLOTS; slot++)
    owner[slot] = redis_cluster_first_owner(&cluster, slot);
  for (; i < MOVES || accel_clock_monotonic_ms() < until_ms; i++) {
    char key[32];
    snprintf(key, sizeof key, "record:%u", i % SLOTS_MOVED);
    const unsigned slot = accel_redis_slot_add(0, key, strlen(key)) % REDIS_SLOTS;
    const size_t from = owner[slot], to = (from + 1) % 3;
    assert_true(redis_cluster_move_begin(&cluster, slot, from, to));
    usleep(20000);
    assert_true(redis_cluster_move_keys(&cluster, slot, from, to));
    usleep(20000);
    assert_true(redis_cluster_move_end(&cluster, slot, from, to));
    owner[slot] = to;
  }
  return i;
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
  const unsigned moves = move_slots();
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
  print_message("%u slots moved under %llu sets (%llu refused) and %llu reads, of which %llu went "
                "back, for %llu ms at most\n",
                moves, (unsigned long long)sets, (unsigned long long)refused,
                (unsigned long long)reads, (unsigned long long)(overtaken + backward),
                (unsigned long long)longest_step_ms);
  assert_true(sets > 100 && reads > 1000);
  assert_int_equal(wrong, 0);
  assert_int_equal(backward, 0);
  assert_true(refused < moves / 4);
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

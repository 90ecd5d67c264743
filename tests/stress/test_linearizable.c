/* Short histories of four threads on three keys of one cache, each checked for linearizability
 * (history.h): first with room for everything, then with so little that entries are evicted at any
 * moment. The cache's clock, and the comparison of one kind of key, let their thread go now and
 * then: in the middle of an operation, so that operations overlap however few processors there are.
 *
 * ACCEL_SOAK_SECONDS, shared by the four cases, lets each go on after its histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "crew.h"
#include "history.h"
#include "whole_table.h"

#include <sched.h>
#include <string.h>

#define THREADS 4u
#define STEPS 8u
#define KEYS 3u
#define HISTORIES 2600u
#define CASES 4u
#define TIGHT_CAPACITY 2u
#define SHORTER_UNDER_TSAN 4u

/* ---- caches: values say what they are ---- */

typedef struct block {
  uint64_t key, version, mixed[6];
} block;

static block block_of(uint64_t key, uint64_t version)
{
  block made = {.key = key, .version = version};
  for (size_t i = 0; i < 6; i++) made.mixed[i] = (key + 1) * (version + 1) + i;
  return made;
}

typedef struct lazy_key {
  uint64_t key;
} lazy_key;

static ACCEL_THREAD_LOCAL uint64_t lazy_random;

static void yield_at_times(void)
{
  if (crew_random(&lazy_random) % 4 == 0) sched_yield();
}

static uint64_t read_lazy_clock(void *ctx)
{
  (void)ctx;
  yield_at_times();
  return accel_clock_monotonic_ms();
}

static const accel_clock lazy_clock = {read_lazy_clock, NULL};

static uint64_t lazy_hash(const lazy_key *key, uint64_t seed)
{
  return accel_hash_integer(key->key, seed);
}

static bool lazy_equal(const lazy_key *a, const lazy_key *b)
{
  yield_at_times();
  return a->key == b->key;
}

ACCEL_DEFINE(swift, uint64_t, block)
ACCEL_DEFINE_WITH(lazy, lazy_key, block, .hash = lazy_hash, .equal = lazy_equal)

static swift_cache swift_tested;
static lazy_cache lazy_tested;

static accel_status swift_get(uint64_t key, block *out)
{
  return swift_cache_get(&swift_tested, key, out);
}

static accel_status lazy_get(uint64_t key, block *out)
{
  return lazy_cache_get(&lazy_tested, (lazy_key){key}, out);
}

typedef struct tested {
  accel_cache *cache;
  const accel_type *type;
  accel_status (*get)(uint64_t key, block *out);
} tested;

static const tested swift = {&swift_tested.base, &swift_cache_type_, swift_get};
static const tested lazy = {&lazy_tested.base, &lazy_cache_type_, lazy_get};

/* ---- recording ---- */

typedef struct record {
  history_event event;
  uint8_t key;
} record;

typedef struct board {
  const tested *what;
  bool may_evict;
  uint64_t moment;         /* atomic: counts calls and returns */
  uint32_t round, arrived; /* atomic */
  bool ends;               /* atomic */
  record records[THREADS][STEPS];
} board;

static board all;

static uint16_t state_of(accel_status status, const block *value, uint64_t key)
{
  if (status == ACCEL_NULL) return HISTORY_NULL;
  if (status == ACCEL_MISS) return HISTORY_ABSENT;
  const block meant = block_of(key, value->version);
  crew_expect(status == ACCEL_OK, "a read failed");
  crew_expect(memcmp(&meant, value, sizeof meant) == 0, "a torn value");
  return (uint16_t)value->version;
}

static uint16_t read_key(const tested *what, uint64_t key, bool holds)
{
  block value;
  accel_local_pin pin;
  if (!holds) {
    const accel_status status = what->get(key, &value);
    return state_of(status, &value, key);
  }
  const accel_status status = accel_cache_get_ref(what->cache, what->type, &key, &pin);
  if (status != ACCEL_OK) return state_of(status, NULL, key);
  const uint16_t state = state_of(status, (const block *)accel_cache_ref_value(&pin), key);
  accel_cache_ref_release(&pin, what->type);
  return state;
}

static uint16_t write_key(const tested *what, uint64_t key, uint64_t choice, uint16_t version)
{
  const block value = block_of(key, version);
  accel_status status;
  uint16_t state = version;
  if (choice < 6) {
    status = accel_cache_set(what->cache, what->type, &key, &value);
  } else if (choice < 7) {
    status = accel_cache_set_null(what->cache, what->type, &key);
    state = HISTORY_NULL;
  } else {
    status = accel_cache_del(what->cache, what->type, &key);
    state = HISTORY_ABSENT;
  }
  /* Where all entries are held there is no room for another; the key is gone then. */
  if (status == ACCEL_ERR_NOMEM && all.may_evict) return HISTORY_ABSENT;
  crew_expect(status == ACCEL_OK, "a write failed");
  return state;
}

static void pause_a_while(uint64_t random)
{
  if (random % 8 == 0) sched_yield();
  for (volatile uint64_t i = 0; i < random % 32; i++) {}
}

static void record_one(record *out, const tested *what, uint64_t random, uint16_t version)
{
  const uint64_t choice = random % 16;
  const uint8_t key = (uint8_t)((random >> 8) % KEYS);
  pause_a_while(random >> 16);
  out->key = key;
  out->event.is_read = choice >= 8;
  out->event.begin = accel_add_acq_rel(&all.moment, 1u);
  out->event.state =
      choice >= 8 ? read_key(what, key, choice == 15) : write_key(what, key, choice, version);
  out->event.end = accel_add_acq_rel(&all.moment, 1u);
}

typedef struct player {
  size_t number;
  accel_thread thread;
} player;

static void play(void *ctx)
{
  const size_t number = ((const player *)ctx)->number;
  uint64_t random = number + 1;
  lazy_random = number;
  for (uint32_t round = 1;; round++) {
    while (accel_load_acquire(&all.round) != round) sched_yield();
    if (accel_load_acquire(&all.ends)) return;
    for (size_t i = 0; i < STEPS; i++)
      record_one(&all.records[number][i], all.what, crew_random(&random),
                 (uint16_t)(HISTORY_VERSION_MIN + number * STEPS + i));
    accel_add_acq_rel(&all.arrived, 1u);
  }
}

/* ---- checking ---- */

static bool overlaps(const history_event *a, const history_event *b)
{
  return a->begin < b->end && b->begin < a->end;
}

static size_t gather(uint8_t key, history_event *events)
{
  size_t count = 0;
  for (size_t i = 0; i < THREADS * STEPS; i++) {
    const record *each = &all.records[i / STEPS][i % STEPS];
    if (each->key == key) events[count++] = each->event;
  }
  return count;
}

static void print_events(const history_event *events, size_t count)
{
  for (size_t i = 0; i < count; i++)
    fprintf(stderr, "  %s %u from %llu to %llu\n", events[i].is_read ? "read" : "wrote",
            events[i].state, (unsigned long long)events[i].begin,
            (unsigned long long)events[i].end);
}

/* Returns whether operations on one key overlapped. */
static bool check_history(bool may_evict)
{
  bool overlapped = false;
  for (uint8_t key = 0; key < KEYS; key++) {
    history_event events[THREADS * STEPS];
    const size_t count = gather(key, events);
    for (size_t i = 0; i < count && !overlapped; i++)
      for (size_t j = i + 1; j < count; j++)
        overlapped = overlapped || overlaps(&events[i], &events[j]);
    if (history_is_linearizable(events, count, may_evict)) continue;
    print_events(events, count);
    crew_expect(false, "no order explains this history (0: absent, 1: negative, else a version)");
  }
  return overlapped;
}

static void empty_cache(const tested *what)
{
  for (uint64_t key = 0; key < KEYS; key++) accel_cache_del(what->cache, what->type, &key);
}

static size_t wanted_histories(void)
{
#if defined(__SANITIZE_THREAD__)
  return HISTORIES / SHORTER_UNDER_TSAN;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return HISTORIES / SHORTER_UNDER_TSAN;
#else
  return HISTORIES;
#endif
#else
  return HISTORIES;
#endif
}

static void play_round(void)
{
  accel_store_relaxed(&all.arrived, 0u);
  accel_add_acq_rel(&all.round, 1u);
  while (accel_load_acquire(&all.arrived) < THREADS) sched_yield();
}

static void record_histories(const tested *what, bool may_evict)
{
  player players[THREADS];
  size_t histories = 0, overlapped = 0;
  const uint64_t end_ms =
      accel_clock_monotonic_ms() + (getenv("ACCEL_SOAK_SECONDS") ? crew_case_ms(0, CASES) : 0);
  memset(&all, 0, sizeof all);
  all.what = what;
  all.may_evict = may_evict;
  crew_faults = 0;
  for (size_t i = 0; i < THREADS; i++) {
    players[i].number = i;
    assert_true(accel_thread_start(&players[i].thread, play, &players[i]));
  }
  while (crew_faults == 0 &&
         (histories < wanted_histories() || accel_clock_monotonic_ms() < end_ms)) {
    empty_cache(what);
    play_round();
    overlapped += check_history(may_evict);
    histories++;
  }
  accel_store_release(&all.ends, true);
  accel_add_acq_rel(&all.round, 1u);
  for (size_t i = 0; i < THREADS; i++) accel_thread_join(players[i].thread);
  printf("%zu histories, operations on one key overlapped in %zu\n", histories, overlapped);
  assert_int_equal(crew_faults, 0);
  assert_true(overlapped > 0);
}

static void run_case(const tested *what, size_t capacity)
{
  const accel_config config = {.area = "linear", .capacity = capacity, .clock = &lazy_clock};
  assert_int_equal(accel_cache_open(what->cache, what->type, &config), ACCEL_OK);
  record_histories(what, capacity == TIGHT_CAPACITY);
  expect_whole_table(what->cache->local, what->type);
  accel_cache_close(what->cache, what->type);
}

static void histories_have_an_order(void **state)
{
  (void)state;
  run_case(&swift, 1000);
}

static void histories_have_an_order_under_eviction(void **state)
{
  (void)state;
  run_case(&swift, TIGHT_CAPACITY);
}

static void interrupted_histories_have_an_order(void **state)
{
  (void)state;
  run_case(&lazy, 1000);
}

static void interrupted_histories_have_an_order_under_eviction(void **state)
{
  (void)state;
  run_case(&lazy, TIGHT_CAPACITY);
}

/* ---- the checker itself ---- */

typedef struct script {
  const char *what;
  size_t count;
  history_event events[4];
  bool is_right, is_right_with_eviction;
} script;

static void scripted_histories_are_judged(void **state)
{
  static const script scripts[] = {
      {"a read after a write", 2, {{1, 2, false, 7}, {3, 4, true, 7}}, true, true},
      {"a write that got lost", 2, {{1, 2, false, 7}, {3, 4, true, 0}}, false, true},
      {"a read from nowhere", 1, {{1, 2, true, 7}}, false, false},
      {"a read during a write", 2, {{1, 4, false, 7}, {2, 3, true, 7}}, true, true},
      {"the same, before it", 2, {{1, 4, false, 7}, {2, 3, true, 0}}, true, true},
      {"an older value after a newer one was read",
       4,
       {{1, 2, false, 7}, {3, 8, false, 9}, {4, 5, true, 9}, {6, 7, true, 7}},
       false,
       false},
      {"an older value after a newer one was written",
       3,
       {{1, 2, false, 7}, {3, 4, false, 9}, {5, 6, true, 7}},
       false,
       false},
      {"a value that comes back",
       4,
       {{1, 2, false, 7}, {3, 4, true, 7}, {5, 6, true, 0}, {7, 8, true, 7}},
       false,
       false},
      {"two overlapping writes, in either order",
       3,
       {{1, 4, false, 7}, {2, 3, false, 9}, {5, 6, true, 7}},
       true,
       true},
      {"a negative entry that was overwritten",
       3,
       {{1, 2, false, 1}, {3, 4, false, 7}, {5, 6, true, 1}},
       false,
       false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    const script *each = &scripts[i];
    print_message("%s\n", each->what);
    assert_int_equal(history_is_linearizable(each->events, each->count, false), each->is_right);
    assert_int_equal(history_is_linearizable(each->events, each->count, true),
                     each->is_right_with_eviction);
  }
}

int main(void)
{
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(scripted_histories_are_judged),
      cmocka_unit_test(histories_have_an_order),
      cmocka_unit_test(histories_have_an_order_under_eviction),
      cmocka_unit_test(interrupted_histories_have_an_order),
      cmocka_unit_test(interrupted_histories_have_an_order_under_eviction),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}

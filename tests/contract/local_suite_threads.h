/* local_suite_threads.h: several threads on one table. Short: what is wrong shows within the
 * second, above all under ThreadSanitizer. */
#ifndef LOCAL_SUITE_THREADS_H
#define LOCAL_SUITE_THREADS_H

#include "local_suite.h"

#include "accel/platform/clock.h"

#define SUITE_THREADS 4u
#define SUITE_THREADS_MS 300u

typedef struct suite_worker {
  suite_table *table;
  void (*work)(suite_table *table, uint64_t random);
  accel_thread thread;
  uint64_t random, rounds;
  bool *stops;
} suite_worker;

static void suite_work(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  while (!accel_load_relaxed(worker->stops)) {
    worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
    worker->work(worker->table, worker->random >> 33);
    accel_store_relaxed(&worker->rounds, worker->rounds + 1);
  }
}

/* A busy machine may start a thread late: wait until each has done something. */
static bool suite_all_work(suite_worker *workers)
{
  for (size_t i = 0; i < SUITE_THREADS; i++)
    if (accel_load_relaxed(&workers[i].rounds) == 0) return false;
  return true;
}

static void suite_run_threads(suite_table *table, void (*work)(suite_table *, uint64_t))
{
  suite_worker workers[SUITE_THREADS];
  bool stops = false;
  for (size_t i = 0; i < SUITE_THREADS; i++) {
    workers[i] = (suite_worker){.table = table, .work = work, .random = i + 1, .stops = &stops};
    assert_true(accel_thread_start(&workers[i].thread, suite_work, &workers[i]));
  }
  const uint64_t end_ms = accel_clock_monotonic_ms() + SUITE_THREADS_MS;
  while (accel_clock_monotonic_ms() < end_ms || !suite_all_work(workers)) {
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
  }
  accel_store_relaxed(&stops, true);
  for (size_t i = 0; i < SUITE_THREADS; i++) accel_thread_join(workers[i].thread);
}

/* cmocka's assertions are for the main thread. */
static uint64_t suite_wrongs;

static void suite_expect(bool condition)
{
  if (!condition) accel_add_relaxed(&suite_wrongs, 1u);
}

static void suite_work_plain(suite_table *table, uint64_t random)
{
  const uint64_t key = random % 24;
  suite_plain value = suite_make_plain(0xBAD, 0xBAD);
  if (random / 24 % 4 == 0) {
    value = suite_make_plain(key, random);
    suite_expect(suite_set(table, &key, &value) == ACCEL_OK);
    return;
  }
  const accel_status status = suite_get(table, &key, &value);
  suite_expect(suite_is_whole_plain(&value));
  suite_expect(value.owner == (status == ACCEL_OK ? key : 0xBAD));
}

static void no_read_is_torn(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 16);
  suite_wrongs = 0;
  suite_run_threads(&table, suite_work_plain);
  assert_int_equal(suite_wrongs, 0);
  assert_true(suite_stats(&table).entries <= 16);
  suite_close(&table);
}

/* Replaced over and over, but never removed, and with room for all: never a miss. */
static void suite_work_replace(suite_table *table, uint64_t random)
{
  const uint64_t key = random % 4;
  suite_plain value = suite_make_plain(key, random);
  if (random / 4 % 2 == 0) {
    suite_expect(suite_set(table, &key, &value) == ACCEL_OK);
    return;
  }
  accel_status status = suite_get(table, &key, &value);
  accel_local_found found;
  if (status == ACCEL_ATTENTION) status = suite_peek(table, &key, &value, &found);
  suite_expect(status == ACCEL_OK && value.owner == key && suite_is_whole_plain(&value));
}

static void a_key_that_is_replaced_is_not_missed(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 300);
  for (uint64_t key = 0; key < 4; key++) suite_set_plain(&table, key, 1);
  suite_wrongs = 0;
  suite_run_threads(&table, suite_work_replace);
  assert_int_equal(suite_wrongs, 0);
  suite_close(&table);
}

enum { SUITE_FULL = 32 };
static uint64_t suite_kept[SUITE_FULL]; /* the keys that stayed when many more had come */
static size_t suite_kept_count;

/* A full table, in which nothing is written but what is there: some keys have no place for a new
 * version, and still nothing is missed, whatever the values are. (To copy an owning value would pin
 * it, and a pinned entry that is replaced needs another's place.) */
static void suite_work_overwrite(suite_table *table, uint64_t random)
{
  const bool owns = table->type == &suite_note_type;
  const uint64_t key = suite_kept[random % suite_kept_count];
  suite_plain plain = suite_make_plain(key, random);
  char text[] = "note";
  suite_note note = {text};
  void *value = owns ? (void *)&note : (void *)&plain;
  if (random / SUITE_FULL % 2 == 0) {
    suite_expect(suite_set(table, &key, value) == ACCEL_OK);
    return;
  }
  accel_status status = owns ? ACCEL_ATTENTION : suite_get(table, &key, value);
  accel_local_found found;
  if (status == ACCEL_ATTENTION) status = suite_peek(table, &key, NULL, &found);
  suite_expect(status == ACCEL_OK);
}

static void a_key_of_two_full_sets_is_not_missed(void **state)
{
  (void)state;
  const accel_type *const types[] = {&suite_plain_type, &suite_note_type};
  for (size_t i = 0; i < 2; i++) {
    suite_table table = suite_open(types[i], SUITE_FULL);
    for (uint64_t key = 0; key < (uint64_t)4 * SUITE_FULL; key++) {
      if (i == 0) suite_set_plain(&table, key, 1);
      if (i == 1) assert_int_equal(suite_set_note(&table, key, "note"), ACCEL_OK);
    }
    suite_kept_count = 0;
    for (uint64_t key = 0; key < (uint64_t)4 * SUITE_FULL; key++)
      if (suite_has(&table, key)) suite_kept[suite_kept_count++] = key;
    suite_wrongs = 0;
    suite_run_threads(&table, suite_work_overwrite);
    assert_int_equal(suite_wrongs, 0);
    suite_close(&table);
  }
}

/* ---- drops that take long ---- */

static bool suite_drops_wait; /* atomic */

static void suite_wait_in_drop(void)
{
  while (accel_load_relaxed(&suite_drops_wait)) {
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
  }
}

static void suite_set_beside(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  for (uint64_t i = 0; i < 64; i++)
    suite_expect(suite_set_note(worker->table, worker->random + i, "beside") == ACCEL_OK);
  accel_store_release(&worker->rounds, (uint64_t)1);
}

/* Each waits in the user's drop, until all places are such as are just being dropped. */
static void suite_set_and_wait(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  suite_waits_in_drop = true;
  suite_expect(suite_set_note(worker->table, worker->random, "waits") == ACCEL_OK);
  suite_waits_in_drop = false;
}

#define SUITE_WAITERS 34u /* more than there are places */

static void sets_wait_for_slow_drops(void **state)
{
  (void)state;
  suite_worker waiters[SUITE_WAITERS], beside;
  suite_table table = suite_open(&suite_note_type, 30);
  for (uint64_t key = 0; key < 30; key++) suite_set_note(&table, key, "old");
  suite_wrongs = 0;
  suite_drops_wait = true;
  suite_in_drop = suite_wait_in_drop;
  for (uint64_t i = 0; i < SUITE_WAITERS; i++) {
    waiters[i] = (suite_worker){.table = &table, .random = 1000 + i};
    assert_true(accel_thread_start(&waiters[i].thread, suite_set_and_wait, &waiters[i]));
  }
  beside = (suite_worker){.table = &table, .random = 5000};
  assert_true(accel_thread_start(&beside.thread, suite_set_beside, &beside));
  const struct timespec pause = {.tv_nsec = 100000000};
  nanosleep(&pause, NULL); /* what fails for impatience has failed by now */
  accel_store_relaxed(&suite_drops_wait, false);
  for (uint64_t i = 0; i < SUITE_WAITERS; i++) accel_thread_join(waiters[i].thread);
  accel_thread_join(beside.thread);
  suite_in_drop = NULL;
  assert_int_equal(suite_wrongs, 0);
  suite_close(&table);
}

/* Everything at once, on owning values. */
static void suite_work_label(suite_table *table, uint64_t random)
{
  char text[60];
  const char *key = text;
  snprintf(text, sizeof text, random % 2 == 0 ? "%u" : "longer than the place of a key: %u",
           (unsigned)(random / 16 % 40));
  suite_note note = {text};
  accel_local_pin pin;
  switch (random % 16) {
    case 0:
    case 1:
    case 2: suite_set(table, &key, &note); break;
    case 3: suite_del(table, &key); break;
    case 4:
    case 5:
    case 6:
      if (suite_pin(table, &key, &pin) != ACCEL_OK) break;
      suite_expect(strcmp(((const suite_note *)pin.value)->text, text) == 0);
      suite_ops->unpin(table->type, &pin);
      break;
    case 7:
      if (random / 640 % 50 == 0)
        suite_ops->resize(table->local, table->type, 20 + random / 16 % 40);
      break;
    case 8:
      if (random / 640 % 50 == 0) suite_ops->clear(table->local, table->type);
      break;
    default:
      if (suite_get(table, &key, &note) != ACCEL_OK) break;
      suite_expect(strcmp(note.text, text) == 0);
      suite_drop_note(&note);
  }
}

static void owned_values_survive_threads(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_label_type, 30);
  suite_wrongs = 0;
  suite_run_threads(&table, suite_work_label);
  assert_int_equal(suite_wrongs, 0);
  assert_int_equal(suite_ops->resize(table.local, table.type, 30), ACCEL_OK); /* ends a clear */
  assert_int_equal(suite_notes_living, suite_stats(&table).entries);
  suite_close(&table);
}

static void suite_work_resize(suite_table *table, uint64_t random)
{
  if (random % 2000 == 0) {
    suite_expect(suite_ops->resize(table->local, table->type, 200 + random / 2000 % 300) ==
                 ACCEL_OK);
    return;
  }
  suite_work_plain(table, random);
}

static void readers_go_on_while_the_table_is_resized(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 300);
  suite_wrongs = 0;
  suite_run_threads(&table, suite_work_resize);
  assert_int_equal(suite_wrongs, 0);
  suite_close(&table);
}

/* A counter stands for the truth: a fill may never put an older number over a newer one. */
static uint64_t suite_truth[8];

static void suite_work_gate(suite_table *table, uint64_t random)
{
  const uint64_t key = random % 8;
  const accel_lifetime lifetime = suite_lifetime(ACCEL_FOREVER);
  if (random / 8 % 4 == 0) { /* the source changes, then it is told */
    accel_add_acq_rel(&suite_truth[key], 1u);
    suite_del(table, &key);
    return;
  }
  suite_plain value;
  accel_local_found found;
  if (suite_peek(table, &key, &value, &found) == ACCEL_OK) return;
  const accel_gate gate = suite_gate(table, &key);
  value = suite_make_plain(key, accel_load_acquire(&suite_truth[key]));
  suite_fill_lifetime(table, &key, &value, &lifetime, &gate);
}

static void no_fill_outlives_a_later_delete(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  memset(suite_truth, 0, sizeof suite_truth);
  suite_run_threads(&table, suite_work_gate);
  for (uint64_t key = 0; key < 8; key++) {
    const uint64_t version = suite_version(&table, key, suite_truth[key]);
    assert_int_equal(version, suite_truth[key]);
  }
  suite_close(&table);
}

#endif

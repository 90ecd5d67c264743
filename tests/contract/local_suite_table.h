/* local_suite_table.h: the table as a whole: bounds, weights, pins, resize, memory. */
#ifndef LOCAL_SUITE_TABLE_H
#define LOCAL_SUITE_TABLE_H

#include "local_suite.h"

/* ---- bounds ---- */

static void the_capacity_is_never_exceeded(void **state)
{
  (void)state;
  static const size_t capacities[] = {1, 2, 15, 16, 17, 100, 3000};
  for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
    const size_t capacity = capacities[i];
    suite_table table = suite_open(&suite_plain_type, capacity);
    for (uint64_t key = 0; key < 3 * capacity + 10; key++) {
      suite_set_plain(&table, key, key);
      assert_int_equal(suite_version(&table, key, 99999), key);
      assert_true(suite_stats(&table).entries <= capacity);
    }
    assert_int_equal(suite_stats(&table).entries,
                     suite_count_present(&table, 0, 3 * capacity + 10));
    assert_true(suite_stats(&table).entries * 100 >= capacity * 98);
    suite_close(&table);
  }
}

static void nearly_all_of_as_many_keys_as_the_capacity_stay(void **state)
{
  (void)state;
  static const size_t capacities[] = {16, 100, 1000, 20000};
  for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
    const size_t capacity = capacities[i];
    suite_table table = suite_open(&suite_plain_type, capacity);
    for (uint64_t key = 0; key < capacity; key++) suite_set_plain(&table, key, key);
    assert_true(suite_count_present(&table, 0, capacity) * 100 >= capacity * 98);
    for (uint64_t key = 0; key < capacity; key++) suite_set_plain(&table, key, key + 1);
    assert_true(suite_count_present(&table, 0, capacity) * 100 >= capacity * 97);
    suite_close(&table);
  }
}

/* Whether the value owns memory or not: an entry that is there stays there. */
static void a_set_of_a_present_key_evicts_nobody(void **state)
{
  (void)state;
  const accel_type *types[] = {&suite_plain_type, &suite_note_type};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    suite_table table = suite_open(types[i], 1000);
    char text[] = "note";
    const suite_note note = {text};
    const suite_plain plain = suite_make_plain(1, 1);
    const void *value = types[i] == &suite_note_type ? (const void *)&note : (const void *)&plain;
    bool is_there[3000];
    for (uint64_t key = 0; key < 3000; key++)
      assert_int_equal(suite_set(&table, &key, value), ACCEL_OK);
    for (uint64_t key = 0; key < 3000; key++) is_there[key] = suite_has(&table, key);
    const size_t entries = suite_stats(&table).entries;
    for (int round = 0; round < 3; round++)
      for (uint64_t key = 0; key < 3000; key++)
        if (is_there[key]) assert_int_equal(suite_set(&table, &key, value), ACCEL_OK);
    for (uint64_t key = 0; key < 3000; key++)
      assert_int_equal(suite_has(&table, key), is_there[key]);
    assert_int_equal(suite_stats(&table).entries, entries);
    suite_close(&table);
  }
}

static void negative_and_stale_entries_count(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 10);
  for (uint64_t key = 0; key < 5; key++) assert_int_equal(suite_set(&table, &key, NULL), ACCEL_OK);
  suite_ops->expire_all(table.local);
  assert_int_equal(suite_stats(&table).entries, 5);
  for (uint64_t key = 5; key < 30; key++) suite_set_plain(&table, key, 1);
  assert_int_equal(suite_stats(&table).entries, 10);
  suite_close(&table);
}

static void used_entries_outlive_unused_ones(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 200);
  for (uint64_t key = 0; key < 50; key++) suite_set_plain(&table, key, 1);
  for (uint64_t key = 1000; key < 3000; key++) {
    suite_set_plain(&table, key, 1);
    for (uint64_t hot = 0; hot < 50; hot++) suite_version(&table, hot, 99);
  }
  assert_true(suite_count_present(&table, 0, 50) >= 48);
  suite_close(&table);
}

/* Hot ones that no reader may have any more go before cold ones that are fresh. */
static void stale_entries_go_first(void **state)
{
  (void)state;
  for (int is_expired = 0; is_expired < 2; is_expired++) {
    suite_table table = suite_open(&suite_plain_type, 200);
    const accel_lifetime lifetime = suite_lifetime(is_expired ? 1000 : ACCEL_FOREVER);
    for (uint64_t key = 0; key < 100; key++) {
      const suite_plain value = suite_make_plain(key, 1);
      assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
      for (int i = 0; i < 5; i++) assert_int_equal(suite_version(&table, key, 99), 1);
    }
    suite_now_ms += 1000;
    if (!is_expired) suite_ops->expire_all(table.local);
    for (uint64_t key = 100; key < 240; key++) suite_set_plain(&table, key, 1);
    assert_true(suite_count_present(&table, 100, 140) >= 138);
    suite_close(&table);
  }
}

/* What is there is what came, less what went. */
static void suite_expect_balance(const suite_table *table, uint64_t removed)
{
  const accel_local_counts counts = suite_counts(table);
  const uint64_t gone = counts.evictions + counts.expirations + removed;
  assert_int_equal(suite_stats(table).entries, counts.inserts - gone);
}

static void writes_and_victims_are_counted(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  accel_local_counts counts = suite_counts(&table), zero = {0};
  assert_memory_equal(&counts, &zero, sizeof zero);
  for (uint64_t key = 0; key < 50; key++) suite_set_plain(&table, key, 1);
  for (uint64_t key = 0; key < 20; key++) suite_set_plain(&table, key, 2);
  const uint64_t absent = 1000, present = 5;
  accel_gate gate = suite_gate(&table, &absent);
  const suite_plain value = suite_make_plain(absent, 1);
  assert_int_equal(suite_fill(&table, &absent, &value, &gate), ACCEL_OK);
  gate = suite_gate(&table, &present);
  suite_del(&table, &present);
  assert_int_equal(suite_fill(&table, &present, &value, &gate), ACCEL_MISS); /* not a write */
  counts = suite_counts(&table);
  assert_int_equal(counts.inserts, 51);
  assert_int_equal(counts.overwrites, 20);
  assert_int_equal(counts.evictions + counts.expirations, 0);
  for (uint64_t key = 2000; key < 3000; key++) suite_set_plain(&table, key, 1);
  counts = suite_counts(&table);
  assert_int_equal(counts.inserts, 1051);
  assert_int_equal(counts.expirations, 0);
  assert_true(counts.evictions >= 950);
  suite_expect_balance(&table, 1);
  suite_close(&table);
}

static void expired_victims_are_counted_apart(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const accel_lifetime brief = suite_lifetime(10);
  for (uint64_t key = 0; key < 100; key++) {
    const suite_plain value = suite_make_plain(key, 1);
    assert_int_equal(suite_set_lifetime(&table, &key, &value, &brief, NULL), ACCEL_OK);
  }
  suite_now_ms += 1000;
  const uint64_t early = suite_counts(&table).evictions;
  for (uint64_t key = 100; key < 150; key++) suite_set_plain(&table, key, 1);
  const accel_local_counts counts = suite_counts(&table);
  assert_in_range(counts.expirations, 45, 50);
  assert_true(counts.evictions - early <= 5);
  suite_expect_balance(&table, 0);
  suite_ops->expire_all(table.local);
  for (uint64_t key = 200; key < 250; key++) suite_set_plain(&table, key, 1);
  assert_true(suite_counts(&table).expirations >= counts.expirations + 45);
  suite_close(&table);
}

static void counts_outlive_a_resize(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  for (uint64_t key = 0; key < 60; key++) suite_set_plain(&table, key, 1);
  const size_t capacities[] = {100000, 200, 5000, 100};
  for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
    assert_int_equal(suite_ops->resize(table.local, table.type, capacities[i]), ACCEL_OK);
    suite_set_plain(&table, 1000 + i, 1);
    assert_int_equal(suite_counts(&table).inserts, 61 + i);
  }
  suite_close(&table);
}

static void weights_are_bounded(void **state)
{
  (void)state;
  suite_table table = suite_open_weighed(&suite_crate_type, 5000, 1000);
  uint64_t random = 1;
  for (uint64_t i = 0; i < 3000; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t key = random >> 54;
    const uint64_t weight = (random >> 33) % (i % 10 == 0 ? 1001 : 30);
    assert_int_equal(suite_set(&table, &key, &weight), ACCEL_OK);
    assert_true(suite_stats(&table).weight <= 1000);
    uint64_t found = 9999;
    assert_int_equal(suite_get(&table, &key, &found), ACCEL_OK);
    assert_int_equal(found, weight);
  }
  uint64_t sum = 0;
  for (uint64_t key = 0; key < 1024; key++) {
    uint64_t weight = 0;
    if (suite_get(&table, &key, &weight) == ACCEL_OK) sum += weight;
  }
  assert_int_equal(suite_stats(&table).weight, sum);
  suite_close(&table);
}

static void weight_nothing_is_free_and_the_heaviest_fits_alone(void **state)
{
  (void)state;
  suite_table table = suite_open_weighed(&suite_crate_type, 100, 10);
  const uint64_t nothing = 0, everything = 10, too_much = 11;
  for (uint64_t key = 0; key < 50; key++)
    assert_int_equal(suite_set(&table, &key, &nothing), ACCEL_OK);
  const uint64_t heavy = 1000;
  assert_int_equal(suite_set(&table, &heavy, &everything), ACCEL_OK);
  assert_int_equal(suite_count_present(&table, 0, 50), 50);
  assert_int_equal(suite_set(&table, &heavy, &too_much), ACCEL_ERR_CONFIG);
  assert_false(suite_has(&table, heavy));
  assert_int_equal(suite_stats(&table).weight, 0);
  suite_close(&table);
}

/* ---- pins ---- */

static void a_pinned_value_outlives_everything_but_its_unpin(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 20);
  const uint64_t key = 7;
  suite_set_plain(&table, key, 1);
  accel_local_pin pin, second;
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_OK);
  assert_int_equal(suite_pin(&table, &key, &second), ACCEL_OK);
  assert_ptr_equal(pin.value, second.value); /* in place */
  suite_ops->unpin(table.type, &second);
  const suite_plain *value = (const suite_plain *)pin.value;
  const suite_plain expected = suite_make_plain(7, 1);

  suite_set_plain(&table, key, 2);
  assert_memory_equal(value, &expected, sizeof expected);
  assert_int_equal(suite_version(&table, key, 99), 2);
  for (uint64_t other = 100; other < 300; other++) suite_set_plain(&table, other, 1);
  assert_true(suite_stats(&table).entries <= 20);
  assert_memory_equal(value, &expected, sizeof expected);
  assert_int_equal(suite_ops->resize(table.local, table.type, 40), ACCEL_OK);
  assert_int_equal(suite_ops->resize(table.local, table.type, 5), ACCEL_OK);
  const size_t before = suite_stats(&table).entries;
  assert_true(before > 0 && before <= 5);
  suite_ops->clear(table.local, table.type);
  assert_memory_equal(value, &expected, sizeof expected);
  assert_true(suite_stats(&table).entries <= 1); /* it may still count */
  suite_ops->unpin(table.type, &pin);
  assert_int_equal(suite_stats(&table).entries, 0);
  suite_close(&table);
}

static void an_owning_value_is_dropped_after_its_last_unpin(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_label_type, 20);
  const char *key = "a key that is too long for its place in the table";
  char text[] = "kept";
  const suite_note note = {text};
  assert_int_equal(suite_set(&table, &key, &note), ACCEL_OK);
  accel_local_pin first, second;
  assert_int_equal(suite_pin(&table, &key, &first), ACCEL_OK);
  assert_int_equal(suite_pin(&table, &key, &second), ACCEL_OK);
  suite_del(&table, &key);
  suite_ops->clear(table.local, table.type);
  assert_int_equal(suite_ops->resize(table.local, table.type, 100), ACCEL_OK);
  assert_string_equal(((const suite_note *)first.value)->text, "kept");
  suite_ops->unpin(table.type, &first);
  assert_string_equal(((const suite_note *)second.value)->text, "kept");
  assert_int_equal(suite_notes_living, 1);
  suite_ops->unpin(table.type, &second);
  assert_int_equal(suite_notes_living, 0);
  assert_int_equal(suite_stats(&table).entries, 0);
  suite_close(&table);
}

static void pin_answers_like_get(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 20);
  const uint64_t key = 7;
  accel_local_pin pin;
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_MISS);
  assert_int_equal(suite_set(&table, &key, NULL), ACCEL_OK);
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_NULL);
  suite_set_plain(&table, key, 1);
  suite_ops->expire_all(table.local);
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_MISS);
  suite_close(&table);
}

static void a_table_of_pinned_entries_refuses_more(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 3);
  accel_local_pin pins[3];
  for (uint64_t key = 0; key < 3; key++) {
    suite_set_plain(&table, key, 1);
    assert_int_equal(suite_pin(&table, &key, &pins[key]), ACCEL_OK);
  }
  const uint64_t key = 9;
  const suite_plain value = suite_make_plain(9, 1);
  assert_int_equal(suite_set(&table, &key, &value), ACCEL_ERR_NOMEM);
  const accel_gate gate = suite_gate(&table, &key);
  assert_int_equal(suite_fill(&table, &key, &value, &gate), ACCEL_ERR_NOMEM);
  assert_int_equal(suite_version(&table, 1, 99), 1);
  for (size_t i = 0; i < 3; i++) suite_ops->unpin(table.type, &pins[i]);
  assert_int_equal(suite_set(&table, &key, &value), ACCEL_OK);
  suite_close(&table);
}

/* ---- resize ---- */

static void resize_keeps_what_fits(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  for (uint64_t key = 0; key < 90; key++) suite_set_plain(&table, key, key);
  suite_ops->expire_all(table.local);
  for (uint64_t key = 0; key < 80; key++) suite_set_plain(&table, key, key + 1);
  assert_int_equal(suite_ops->resize(table.local, table.type, 5000), ACCEL_OK);
  for (uint64_t key = 0; key < 80; key++)
    assert_int_equal(suite_version(&table, key, 999), key + 1);
  for (uint64_t key = 80; key < 90; key++) {
    assert_int_equal(suite_version(&table, key, 999), 999);
    assert_true(suite_has(&table, key));
  }
  for (uint64_t key = 100; key < 2000; key++) suite_set_plain(&table, key, key);
  for (uint64_t key = 100; key < 2000; key++) assert_int_equal(suite_version(&table, key, 9), key);
  assert_int_equal(suite_stats(&table).entries, 1990);
  assert_int_equal(suite_ops->resize(table.local, table.type, 10), ACCEL_OK);
  assert_true(suite_stats(&table).entries <= 10);
  assert_true(suite_stats(&table).entries >= 9);
  suite_close(&table);
}

static void resize_keeps_the_used_ones(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_note_type, 900);
  for (uint64_t key = 0; key < 800; key++)
    assert_int_equal(suite_set_note(&table, key, "note"), ACCEL_OK);
  for (uint64_t key = 0; key < 50; key++) suite_expect_note(&table, key, "note");
  assert_int_equal(suite_ops->resize(table.local, table.type, 60), ACCEL_OK);
  assert_true(suite_count_present(&table, 0, 50) >= 49);
  assert_int_equal(suite_stats(&table).entries, suite_notes_living);
  suite_close(&table);
}

static void a_pinned_plain_entry_stays_findable_through_a_resize(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 50);
  const uint64_t key = 7;
  suite_set_plain(&table, key, 1);
  accel_local_pin pin;
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_OK);
  assert_int_equal(suite_ops->resize(table.local, table.type, 80), ACCEL_OK);
  assert_int_equal(suite_version(&table, key, 99), 1);
  suite_ops->unpin(table.type, &pin);
  assert_int_equal(suite_version(&table, key, 99), 1);
  assert_int_equal(suite_stats(&table).entries, 1);
  suite_close(&table);
}

/* ---- memory ---- */

#ifdef FAILING_ALLOC_H

static void a_failed_open_holds_nothing(void **state)
{
  (void)state;
  const accel_local_config config = {
      .type = &suite_plain_type, .owner = &config, .clock = &suite_clock, .capacity = 1000};
  const uint64_t live = failing_alloc_live_blocks();
  for (uint64_t n = 1;; n++) {
    accel_local *local = NULL;
    failing_alloc_fail_nth(n);
    const accel_status status = suite_ops->open(&config, &local);
    const uint64_t failures = failing_alloc_failures();
    failing_alloc_fail_nth(0);
    if (failures == 0) {
      assert_int_equal(status, ACCEL_OK);
      assert_true(n > 1);
      suite_ops->close(local, &suite_plain_type);
      break;
    }
    assert_int_equal(status, ACCEL_ERR_NOMEM);
    assert_int_equal(failing_alloc_live_blocks(), live);
  }
  assert_int_equal(failing_alloc_live_blocks(), live);
}

/* One operation of each kind; those that may fail for want of memory say so. */
static void suite_do_everything(suite_table *table, uint64_t i)
{
  char text[80];
  const char *key = text;
  snprintf(text, sizeof text, "a key that needs an allocation of its own: %u", (unsigned)(i % 60));
  char note_text[] = "note";
  const suite_note note = {note_text};
  const accel_gate gate = suite_gate(table, &key);
  accel_status status = suite_fill(table, &key, &note, &gate);
  assert_true(status == ACCEL_OK || status == ACCEL_ERR_NOMEM);
  status = suite_set(table, &key, &note);
  assert_true(status == ACCEL_OK || status == ACCEL_ERR_NOMEM);
  suite_note out;
  const accel_status got = suite_get(table, &key, &out);
  assert_int_equal(got, status == ACCEL_OK ? ACCEL_OK : ACCEL_MISS);
  if (got == ACCEL_OK) suite_drop_note(&out);
  const char *keys[8];
  assert_true(suite_ops->hottest(table->local, table->type, keys, 8) <= 8);
  status = suite_ops->resize(table->local, table->type, 30 + i % 20);
  assert_true(status == ACCEL_OK || status == ACCEL_ERR_NOMEM);
}

static void every_allocation_may_fail(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_label_type, 40);
  for (uint64_t i = 0; i < 400; i++) {
    failing_alloc_fail_nth(1 + i % 12);
    suite_do_everything(&table, i);
    failing_alloc_fail_nth(0);
  }
  suite_close(&table);
}

static void the_memory_is_told(void **state)
{
  (void)state;
  const uint64_t before = failing_alloc_live_bytes();
  suite_table table = suite_open(&suite_page_type, 500);
  char text[200];
  memset(text, 'k', sizeof text);
  text[199] = 0;
  const char *key = text;
  for (uint64_t i = 0; i < 300; i++) {
    snprintf(text, 8, "%06u", (unsigned)i);
    text[6] = 'k';
    text[7] = 'k';
    assert_int_equal(suite_set(&table, &key, &i), ACCEL_OK);
  }
  const uint64_t held = failing_alloc_live_bytes() - before;
  const uint64_t told = suite_stats(&table).memory_bytes;
  assert_true(told >= held - 100 && told <= held + 100);
  suite_close(&table);
}

#endif

#endif

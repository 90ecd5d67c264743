/* local_suite_entries.h: one key at a time: reads, gates, writes. */
#ifndef LOCAL_SUITE_ENTRIES_H
#define LOCAL_SUITE_ENTRIES_H

#include "local_suite.h"

static void a_get_returns_what_was_set(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  assert_int_equal(suite_version(&table, 7, 99), 99);
  suite_set_plain(&table, 7, 1);
  assert_int_equal(suite_version(&table, 7, 99), 1);
  suite_set_plain(&table, 7, 2);
  assert_int_equal(suite_version(&table, 7, 99), 2);
  assert_int_equal(suite_stats(&table).entries, 1);
  suite_close(&table);
}

static void a_miss_and_a_negative_entry_leave_out_alone(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  suite_plain out = suite_make_plain(1, 2);
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_MISS);
  assert_int_equal(suite_set(&table, &key, NULL), ACCEL_OK);
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_NULL);
  accel_local_found found;
  assert_int_equal(suite_peek(&table, &key, &out, &found), ACCEL_NULL);
  const suite_plain expected = suite_make_plain(1, 2);
  assert_memory_equal(&out, &expected, sizeof out);
  suite_set_plain(&table, key, 3);
  assert_int_equal(suite_version(&table, key, 99), 3);
  suite_close(&table);
}

static void many_keys_do_not_mix(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 5000);
  for (uint64_t key = 0; key < 2000; key++) suite_set_plain(&table, key * 977, key);
  for (uint64_t key = 0; key < 2000; key++)
    assert_int_equal(suite_version(&table, key * 977, 99999), key);
  suite_close(&table);
}

static void struct_keys_survive_a_poor_hash(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_pair_type, 4000);
  for (uint32_t i = 0; i < 1000; i++) {
    suite_pair key;
    memset(&key, (int)i, sizeof key); /* what lies in the padding must not matter */
    key.shop = i;
    memcpy(key.code, "same-code", sizeof key.code);
    const uint64_t value = i;
    assert_int_equal(suite_set(&table, &key, &value), ACCEL_OK);
  }
  for (uint32_t i = 0; i < 1000; i++) {
    suite_pair key = {.shop = i};
    memcpy(key.code, "same-code", sizeof key.code);
    uint64_t value = 0;
    assert_int_equal(suite_get(&table, &key, &value), ACCEL_OK);
    assert_int_equal(value, i);
    key.code[8] = 'x';
    assert_int_equal(suite_get(&table, &key, &value), ACCEL_MISS);
  }
  suite_close(&table);
}

static void string_keys_are_copied_whatever_their_length(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_page_type, 100);
  char text[200];
  for (size_t length = 0; length < sizeof text; length += 3) {
    memset(text, 'k', length);
    text[length] = 0;
    const char *key = text;
    const uint64_t value = length;
    assert_int_equal(suite_set(&table, &key, &value), ACCEL_OK);
  }
  for (size_t length = 0; length < sizeof text; length++) {
    memset(text, 'k', length);
    text[length] = 0;
    const char *key = text;
    uint64_t value = 0;
    assert_int_equal(suite_get(&table, &key, &value), length % 3 == 0 ? ACCEL_OK : ACCEL_MISS);
    if (length % 3 == 0) assert_int_equal(value, length);
  }
  suite_close(&table);
}

static void large_and_aligned_values_arrive_whole(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_wide_type, 20);
  suite_wide value = {{0}};
  for (uint64_t key = 0; key < 10; key++) {
    for (size_t i = 0; i < 256; i++) value.words[i] = key * 1000 + i;
    assert_int_equal(suite_set(&table, &key, &value), ACCEL_OK);
  }
  for (uint64_t key = 0; key < 10; key++) {
    assert_int_equal(suite_get(&table, &key, &value), ACCEL_OK);
    for (size_t i = 0; i < 256; i++) assert_int_equal(value.words[i], key * 1000 + i);
    accel_local_pin pin;
    assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_OK);
    assert_int_equal((uintptr_t)pin.value % 64, 0);
    suite_ops->unpin(table.type, &pin);
  }
  suite_close(&table);
}

/* Neighbours differ in every byte; memory of just that size shows a read or a write beyond. */
static void values_of_every_size_arrive_whole(void **state)
{
  (void)state;
  for (size_t size = 1; size < 1100; size += size < 150 ? 1 : 97) {
    const accel_type type = suite_bytes_type(size);
    suite_table table = suite_open(&type, 4);
    unsigned char *value = (unsigned char *)malloc(size);
    assert_non_null(value);
    for (uint64_t key = 0; key < 4; key++) {
      for (size_t i = 0; i < size; i++) value[i] = (unsigned char)(i * 7 + 64 * key);
      assert_int_equal(suite_set(&table, &key, value), ACCEL_OK);
    }
    for (uint64_t key = 0; key < 4; key++) {
      memset(value, 0, size);
      assert_int_equal(suite_get(&table, &key, value), ACCEL_OK);
      for (size_t i = 0; i < size; i++)
        assert_int_equal(value[i], (unsigned char)(i * 7 + 64 * key));
    }
    free(value);
    suite_close(&table);
  }
}

/* ---- gates ---- */

static void a_fill_is_refused_once_its_gate_has_moved(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  const suite_plain loaded = suite_make_plain(7, 1);

  accel_gate gate = suite_gate(&table, &key);
  assert_int_equal(suite_fill(&table, &key, &loaded, &gate), ACCEL_OK);
  assert_int_equal(suite_version(&table, key, 99), 1);
  assert_int_equal(suite_fill(&table, &key, &loaded, &gate), ACCEL_OK); /* fills do not raise it */

  suite_set_plain(&table, key, 2);
  assert_int_equal(suite_fill(&table, &key, &loaded, &gate), ACCEL_MISS);
  assert_int_equal(suite_version(&table, key, 99), 2);

  gate = suite_gate(&table, &key);
  suite_del(&table, &key);
  assert_int_equal(suite_fill(&table, &key, &loaded, &gate), ACCEL_MISS);
  assert_false(suite_has(&table, key));

  gate = suite_gate(&table, &key);
  suite_ops->expire_all(table.local);
  assert_int_equal(suite_fill(&table, &key, &loaded, &gate), ACCEL_MISS);
  gate = suite_gate(&table, &key);
  assert_int_equal(suite_fill(&table, &key, NULL, &gate), ACCEL_OK);
  suite_plain out;
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_NULL);
  suite_close(&table);
}

static void a_set_whose_gate_moved_removes_the_key(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  const suite_plain value = suite_make_plain(7, 1);
  const accel_lifetime lifetime = suite_lifetime(ACCEL_FOREVER);
  accel_gate gate = suite_gate(&table, &key);
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, &gate), ACCEL_OK);
  assert_int_equal(suite_version(&table, key, 99), 1);
  assert_true(suite_gate(&table, &key).generation > gate.generation);
  /* The first set raised it. */
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, &gate), ACCEL_MISS);
  assert_false(suite_has(&table, key));
  gate = suite_gate(&table, &key);
  suite_ops->expire_all(table.local);
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, &gate), ACCEL_MISS);
  assert_false(suite_has(&table, key));
  suite_close(&table);
}

static void every_write_but_a_fill_raises_the_generation(void **state)
{
  (void)state;
  suite_table table = suite_open_weighed(&suite_crate_type, 100, 10);
  const uint64_t key = 7;
  const uint64_t light = 1, heavy = 11;
  uint64_t before = suite_gate(&table, &key).generation;
  suite_del(&table, &key); /* of a key that is not there */
  assert_true(suite_gate(&table, &key).generation > before);
  before = suite_gate(&table, &key).generation;
  assert_int_equal(suite_set(&table, &key, &light), ACCEL_OK);
  assert_true(suite_gate(&table, &key).generation > before);
  before = suite_gate(&table, &key).generation;
  assert_int_equal(suite_set(&table, &key, &heavy), ACCEL_ERR_CONFIG);
  assert_true(suite_gate(&table, &key).generation > before);
  assert_false(suite_has(&table, key));
  const accel_gate gate = suite_gate(&table, &key);
  assert_int_equal(suite_fill(&table, &key, &light, &gate), ACCEL_OK);
  assert_int_equal(suite_fill(&table, &key, &heavy, &gate), ACCEL_ERR_CONFIG);
  assert_true(suite_has(&table, key));
  assert_int_equal(suite_gate(&table, &key).generation, gate.generation);
  suite_close(&table);
}

static void del_is_idempotent_and_touches_one_key(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  suite_set_plain(&table, 7, 1);
  suite_set_plain(&table, 8, 1);
  const uint64_t key = 7;
  suite_del(&table, &key);
  suite_del(&table, &key);
  assert_false(suite_has(&table, 7));
  assert_int_equal(suite_version(&table, 8, 99), 1);
  assert_int_equal(suite_stats(&table).entries, 1);
  suite_close(&table);
}

/* ---- owning values ---- */

static void owned_values_are_copied_in_and_out_and_dropped_once(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_label_type, 50);
  char text[100];
  const char *key = text;
  for (int i = 0; i < 200; i++) { /* evicts, replaces, and keeps long keys too */
    snprintf(text, sizeof text, i % 2 == 0 ? "%d" : "a key that is longer than its place: %d",
             i % 90);
    char note_text[32];
    snprintf(note_text, sizeof note_text, "note %d", i);
    const suite_note note = {note_text};
    assert_int_equal(suite_set(&table, &key, &note), ACCEL_OK);
    suite_note out = {NULL};
    assert_int_equal(suite_get(&table, &key, &out), ACCEL_OK);
    assert_string_equal(out.text, note_text);
    suite_drop_note(&out);
  }
  assert_int_equal(suite_notes_living, suite_stats(&table).entries);
  suite_close(&table);
}

static void a_failing_copy_is_a_status(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_note_type, 50);
  const uint64_t key = 7;
  assert_int_equal(suite_set_note(&table, key, "old"), ACCEL_OK);
  suite_note_copy_fails = true;
  suite_note out = {NULL};
  accel_local_found found;
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_ERR_NOMEM);
  assert_int_equal(suite_peek(&table, &key, &out, &found), ACCEL_ERR_NOMEM);
  const accel_gate gate = suite_gate(&table, &key);
  char text[] = "new";
  const suite_note note = {text};
  assert_int_equal(suite_fill(&table, &key, &note, &gate), ACCEL_ERR_NOMEM);
  suite_note_copy_fails = false;
  suite_expect_note(&table, key, "old");
  suite_note_copy_fails = true;
  assert_int_equal(suite_set_note(&table, key, "new"), ACCEL_ERR_NOMEM);
  suite_note_copy_fails = false;
  assert_false(suite_has(&table, key));
  suite_close(&table);
}

static suite_table *suite_reentered;

/* Would wait for ever if a lock of the engine were held. */
static void suite_reenter(void)
{
  for (uint64_t key = 0; key < 20; key++) suite_has(suite_reentered, key);
}

static void users_code_runs_without_locks(void **state)
{
  (void)state;
  suite_table table = suite_open_weighed(&suite_note_type, 10, 200);
  suite_reentered = &table;
  suite_on_user_code = suite_reenter;
  for (uint64_t i = 0; i < 60; i++) {
    assert_int_equal(suite_set_note(&table, i % 20, "note"), ACCEL_OK);
    suite_expect_note(&table, i % 20, "note");
    const uint64_t key = (i + 19) % 20;
    if (i % 3 == 0) suite_del(&table, &key);
  }
  assert_int_equal(suite_ops->resize(table.local, table.type, 5), ACCEL_OK);
  suite_ops->clear(table.local, table.type);
  suite_close(&table);
}

/* A write from within a drop may fail while the slots of a clear wait for theirs, but it ends. */
static void suite_write_within(void)
{
  for (uint64_t key = 100; key < 140; key++) {
    const accel_status status = suite_set_note(suite_reentered, key, "within");
    assert_true(status == ACCEL_OK || status == ACCEL_ERR_NOMEM);
  }
}

static void a_drop_may_write(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_note_type, 31);
  for (uint64_t key = 0; key < 31; key++)
    assert_int_equal(suite_set_note(&table, key, "note"), ACCEL_OK);
  suite_ops->clear(table.local, table.type);
  suite_reentered = &table;
  suite_on_drop = suite_write_within;
  assert_int_equal(suite_set_note(&table, 1, "new"), ACCEL_OK);
  suite_on_drop = NULL;
  assert_true(suite_stats(&table).entries <= 31);
  suite_close(&table);
}

#endif

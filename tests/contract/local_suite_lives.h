/* local_suite_lives.h: when entries expire, and what is left of them after that. */
#ifndef LOCAL_SUITE_LIVES_H
#define LOCAL_SUITE_LIVES_H

#include "local_suite.h"

static void an_entry_is_served_until_it_expires_and_peeked_after(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  const suite_plain value = suite_make_plain(7, 1);
  const accel_lifetime lifetime = suite_lifetime(500);
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
  suite_now_ms += 499;
  assert_int_equal(suite_version(&table, key, 99), 1);
  suite_now_ms += 1;
  suite_plain out;
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_ATTENTION);
  accel_local_found found;
  assert_int_equal(suite_peek(&table, &key, &out, &found), ACCEL_OK);
  assert_int_equal(out.version, 1);
  assert_int_equal(found.life.born_ms, lifetime.born_ms);
  assert_int_equal(found.life.refresh_ms, lifetime.refresh_ms);
  assert_int_equal(found.life.expires_ms, lifetime.expires_ms);
  assert_true(found.is_current);
  suite_close(&table);
}

static void an_entry_past_its_refresh_needs_attention(void **state)
{
  (void)state;
  suite_table table = suite_open_with(&suite_page_type, 100, 0, 300);
  const char *key = "page";
  const uint64_t value = 5;
  uint64_t out = 0;
  const accel_lifetime lifetime = accel_ttl_lifetime(suite_now_ms, 1000, 300);
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
  suite_now_ms += 699;
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_OK);
  suite_now_ms += 1;
  assert_int_equal(suite_get(&table, &key, &out), ACCEL_ATTENTION);
  accel_local_found found;
  assert_int_equal(suite_peek(&table, &key, &out, &found), ACCEL_OK);
  assert_int_equal(found.life.refresh_ms, suite_now_ms);
  assert_int_equal(found.life.expires_ms, suite_now_ms + 300);
  suite_close(&table);
}

static void what_never_expires_never_asks_the_clock(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  suite_set_plain(&table, 7, 1);
  const uint64_t reads = suite_clock_reads;
  assert_int_equal(suite_version(&table, 7, 99), 1);
  assert_int_equal(suite_clock_reads, reads);
  suite_now_ms = UINT64_MAX - 1;
  assert_int_equal(suite_version(&table, 7, 99), 1);
  const uint64_t key = 7;
  accel_local_found found;
  assert_int_equal(suite_peek(&table, &key, NULL, &found), ACCEL_OK);
  assert_true(found.life.expires_ms == ACCEL_NEVER);
  assert_true(found.life.refresh_ms == ACCEL_NEVER);
  suite_close(&table);
}

static void long_lives_and_late_clocks_are_exact(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  const suite_plain value = suite_make_plain(7, 1);
  suite_now_ms += (uint64_t)1 << 37; /* four years: no 32-bit count of milliseconds */
  const accel_lifetime lifetime = suite_lifetime(ACCEL_FOREVER - 1);
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
  suite_now_ms += ACCEL_FOREVER - 2;
  assert_int_equal(suite_version(&table, key, 99), 1);
  suite_now_ms += 1;
  assert_int_equal(suite_version(&table, key, 99), 99);
  suite_close(&table);
}

/* The moment of expiry is exact, and so is the birth of usual lives and of what lives for ever. */
static void lives_come_back_as_they_went_in(void **state)
{
  (void)state;
  const uint32_t ttls[] = {1,      2,       999,      60000,     524287,         524288,
                           600001, 1048575, 86400000, 604800001, UINT32_MAX - 1, ACCEL_FOREVER};
  suite_table table = suite_open_with(&suite_plain_type, 100, 0, 3000);
  const int64_t jumps[] = {0, 864000000, -1728000000};
  for (uint64_t i = 0; i < 36; i++) {
    suite_now_ms = 1000000 + (uint64_t)jumps[i % 3];
    const uint64_t key = i;
    const suite_plain value = suite_make_plain(key, i);
    const accel_lifetime lifetime = accel_ttl_lifetime(suite_now_ms, ttls[i / 3], 3000);
    assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
    accel_local_found found;
    assert_int_equal(suite_peek(&table, &key, NULL, &found), ACCEL_OK);
    assert_true(found.life.expires_ms == lifetime.expires_ms);
    assert_true(found.life.refresh_ms - lifetime.refresh_ms <= 1);
    const uint64_t rounded_ms = found.life.born_ms - lifetime.born_ms;
    assert_true(rounded_ms <= (ttls[i / 3] == ACCEL_FOREVER ? 0 : ttls[i / 3] / 1000000));
    assert_int_equal(suite_version(&table, key, 99), i);
  }
  suite_close(&table);
}

static void an_entry_that_arrives_expired_is_only_stale(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  const uint64_t key = 7;
  const suite_plain value = suite_make_plain(7, 1);
  const accel_lifetime lifetime = {suite_now_ms - 10, suite_now_ms - 5, suite_now_ms - 5};
  assert_int_equal(suite_set_lifetime(&table, &key, &value, &lifetime, NULL), ACCEL_OK);
  assert_int_equal(suite_version(&table, key, 99), 99);
  assert_true(suite_has(&table, key));
  suite_close(&table);
}

static void expire_all_makes_everything_a_stale_candidate(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 100);
  for (uint64_t key = 0; key < 50; key++) suite_set_plain(&table, key, 1);
  suite_ops->expire_all(table.local);
  for (uint64_t key = 0; key < 50; key++) {
    assert_int_equal(suite_version(&table, key, 99), 99);
    suite_plain out;
    accel_local_found found;
    assert_int_equal(suite_peek(&table, &key, &out, &found), ACCEL_OK);
    assert_false(found.is_current);
  }
  suite_set_plain(&table, 3, 2);
  assert_int_equal(suite_version(&table, 3, 99), 2);
  assert_int_equal(suite_version(&table, 4, 99), 99);
  suite_close(&table);
}

static void clear_leaves_no_stale_candidate(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_note_type, 3000);
  for (uint64_t key = 0; key < 2000; key++)
    assert_int_equal(suite_set_note(&table, key, "note"), ACCEL_OK);
  const uint64_t key = 5;
  const accel_gate gate = suite_gate(&table, &key);
  suite_ops->clear(table.local, table.type);
  assert_int_equal(suite_count_present(&table, 0, 2000), 0);
  assert_int_equal(suite_stats(&table).entries, 0);
  assert_int_equal(suite_stats(&table).weight, 0);
  char text[] = "late";
  const suite_note late = {text};
  assert_int_equal(suite_fill(&table, &key, &late, &gate), ACCEL_MISS);
  assert_int_equal(suite_set_note(&table, key, "new"), ACCEL_OK);
  suite_expect_note(&table, key, "new");
  suite_close(&table);
}

/* An engine may leave what a clear removed to later writes, but to a bounded number of them, and
 * to a resize; a pinned value waits for its unpin. */
static void what_a_clear_removed_is_dropped_in_the_end(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_note_type, 3000);
  for (uint64_t key = 0; key < 3000; key++)
    assert_int_equal(suite_set_note(&table, key, "old"), ACCEL_OK);
  const uint64_t pinned = 2999;
  accel_local_pin pin;
  assert_int_equal(suite_pin(&table, &pinned, &pin), ACCEL_OK);
  suite_ops->clear(table.local, table.type);
  for (uint64_t i = 0; i < 2000; i++)
    assert_int_equal(suite_set_note(&table, i % 10, "new"), ACCEL_OK);
  assert_int_equal(suite_notes_living, 11);
  assert_string_equal(((const suite_note *)pin.value)->text, "old");
  suite_ops->clear(table.local, table.type);
  assert_int_equal(suite_set_note(&table, 1, "newer"), ACCEL_OK);
  assert_int_equal(suite_ops->resize(table.local, table.type, 500), ACCEL_OK);
  assert_int_equal(suite_notes_living, 2);
  suite_ops->unpin(table.type, &pin);
  assert_int_equal(suite_notes_living, 1);
  assert_int_equal(suite_stats(&table).entries, 1);
  suite_expect_note(&table, 1, "newer");
  suite_close(&table);
}

#endif

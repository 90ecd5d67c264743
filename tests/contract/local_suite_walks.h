/* local_suite_walks.h: visits of all entries, and which of them are in most use. */
#ifndef LOCAL_SUITE_WALKS_H
#define LOCAL_SUITE_WALKS_H

#include "local_suite.h"

typedef struct suite_visits {
  suite_table *table;
  size_t count, limit;
  uint8_t seen[4000];
  bool sets_again;
} suite_visits;

static bool suite_visit(void *ctx, const void *key_pointer, const void *value)
{
  suite_visits *visits = (suite_visits *)ctx;
  const uint64_t key = *(const uint64_t *)key_pointer;
  assert_true(suite_is_whole_plain((const suite_plain *)value));
  assert_int_equal(((const suite_plain *)value)->owner, key);
  visits->seen[key]++;
  visits->count++;
  if (visits->sets_again) suite_set_plain(visits->table, key, 2);
  return visits->count < visits->limit;
}

static void each_visits_fresh_values_once(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 4000);
  suite_visits visits = {.table = &table, .limit = SIZE_MAX, .sets_again = true};
  for (uint64_t key = 0; key < 100; key++) suite_set_plain(&table, key, 1);
  suite_ops->expire_all(table.local);
  for (uint64_t key = 100; key < 3000; key++) suite_set_plain(&table, key, 1);
  const uint64_t negative = 3100, expired = 3200;
  assert_int_equal(suite_set(&table, &negative, NULL), ACCEL_OK);
  const suite_plain value = suite_make_plain(expired, 1);
  const accel_lifetime lifetime = suite_lifetime(10);
  assert_int_equal(suite_set_lifetime(&table, &expired, &value, &lifetime, NULL), ACCEL_OK);
  suite_now_ms += 10;
  suite_ops->each(table.local, table.type, suite_visit, &visits);
  for (uint64_t key = 0; key < 4000; key++)
    assert_int_equal(visits.seen[key], key >= 100 && key < 3000 ? 1 : 0);

  suite_visits few = {.table = &table, .limit = 5};
  suite_ops->each(table.local, table.type, suite_visit, &few);
  assert_int_equal(few.count, 5);
  suite_close(&table);
}

static bool suite_visit_and_move(void *ctx, const void *key_pointer, const void *value)
{
  suite_visits *visits = (suite_visits *)ctx;
  const uint64_t other = (*(const uint64_t *)key_pointer * 7 + 3) % 500;
  suite_del(visits->table, &other); /* its place may be taken by what was visited */
  return suite_visit(ctx, key_pointer, value);
}

static void each_meets_no_key_twice_while_entries_move(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 500);
  for (uint64_t key = 0; key < 500; key++) suite_set_plain(&table, key, 1);
  suite_visits visits = {.table = &table, .limit = SIZE_MAX, .sets_again = true};
  suite_ops->each(table.local, table.type, suite_visit_and_move, &visits);
  for (uint64_t key = 0; key < 500; key++) assert_true(visits.seen[key] <= 1);
  assert_true(visits.count > 100);
  suite_close(&table);
}

static bool suite_visit_label(void *ctx, const void *key, const void *value)
{
  suite_table *table = (suite_table *)ctx;
  const char *const *text = (const char *const *)key;
  suite_del(table, key); /* what is visited stays valid */
  assert_string_equal(*text, ((const suite_note *)value)->text);
  return true;
}

static void each_may_remove_what_it_visits(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_label_type, 50);
  char text[60];
  const char *key = text;
  for (int i = 0; i < 40; i++) {
    snprintf(text, sizeof text, i % 2 == 0 ? "%d" : "longer than the place of a key: %d", i);
    const suite_note note = {text};
    assert_int_equal(suite_set(&table, &key, &note), ACCEL_OK);
  }
  suite_ops->each(table.local, table.type, suite_visit_label, &table);
  assert_int_equal(suite_stats(&table).entries, 0);
  assert_int_equal(suite_notes_living, 0);
  suite_close(&table);
}

static void hottest_names_the_used_ones_first(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 2000);
  for (uint64_t key = 0; key < 1500; key++) suite_set_plain(&table, key, 1);
  for (int round = 0; round < 4; round++)
    for (uint64_t key = 0; key < 20; key++) suite_version(&table, key * 70, 99);
  uint64_t keys[40];
  assert_int_equal(suite_ops->hottest(table.local, table.type, keys, 0), 0);
  assert_int_equal(suite_ops->hottest(table.local, table.type, keys, 20), 20);
  size_t used = 0;
  for (size_t i = 0; i < 20; i++) used += keys[i] % 70 == 0 && keys[i] < 1400;
  assert_true(used >= 18);
  uint64_t *all = (uint64_t *)calloc(1600, sizeof *all);
  assert_int_equal(suite_ops->hottest(table.local, table.type, all, 1600), 1500);
  uint8_t seen[1500] = {0};
  for (size_t i = 0; i < 1500; i++) seen[all[i]]++;
  for (size_t i = 0; i < 1500; i++) assert_int_equal(seen[i], 1);
  free(all);
  suite_close(&table);
}

static void hottest_strings_lie_in_the_scratch(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_page_type, 50);
  char text[60];
  const char *key = text;
  for (uint64_t i = 0; i < 30; i++) {
    snprintf(text, sizeof text, i % 2 == 0 ? "%u" : "longer than the place of a key: %u",
             (unsigned)i);
    assert_int_equal(suite_set(&table, &key, &i), ACCEL_OK);
  }
  const char *keys[40];
  const size_t count = suite_ops->hottest(table.local, table.type, keys, 40);
  assert_int_equal(count, 30);
  suite_ops->clear(table.local, table.type);
  unsigned sum = 0;
  for (size_t i = 0; i < count; i++) {
    const char *digits = strrchr(keys[i], ' ');
    sum += (unsigned)strtoul(digits == NULL ? keys[i] : digits, NULL, 10);
  }
  assert_int_equal(sum, 435);
  suite_close(&table);
}

#endif

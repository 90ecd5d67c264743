/* local_suite.h: what every L1 engine must do, as tests (backend.h, the part on L1).
 *
 * An engine's own test file names its operations and calls local_suite_run. The suite's own tests
 * are in local_suite_entries.h (one key at a time), local_suite_table.h (bounds, pins, walks) and
 * local_suite_threads.h. Each runs on a table of its own, on a clock of its own, and must leave no
 * block of memory and no copy of a value behind.
 */
#ifndef LOCAL_SUITE_H
#define LOCAL_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local_suite_types.h"

#include "accel/platform/thread.h"

#include "whole_table.h"

#include <stdio.h>

/* Set by the engine's own main. */
static const accel_local_ops *suite_ops;

#ifdef FAILING_ALLOC_H
#define suite_live_blocks failing_alloc_live_blocks
#else /* with the default hooks leaks are the sanitizer's to find */
static uint64_t suite_live_blocks(void)
{
  return 0;
}
#endif

/* ---- a clock that stands still ---- */

static uint64_t suite_now_ms;
static uint64_t suite_clock_reads;

static uint64_t suite_read_clock(void *ctx)
{
  (void)ctx;
  accel_add_relaxed(&suite_clock_reads, 1u);
  return accel_load_relaxed(&suite_now_ms);
}

static const accel_clock suite_clock = {suite_read_clock, NULL};

/* ---- one table ---- */

typedef struct suite_table {
  const accel_type *type;
  accel_local *local;
  uint64_t live_blocks; /* before it was opened */
} suite_table;

static suite_table suite_open_with(const accel_type *type, size_t capacity, size_t max_weight,
                                   uint32_t refresh_window_ms)
{
  suite_table table = {.type = type};
  accel_thread_scratch(1); /* the thread's own, which stays */
  table.live_blocks = suite_live_blocks();
  suite_now_ms = 1000000;
  suite_notes_living = 0;
  suite_note_copy_fails = false;
  suite_on_user_code = NULL;
  const accel_local_config config = {
      .type = type,
      .owner = &table,
      .clock = &suite_clock,
      .capacity = capacity,
      .max_weight = max_weight,
      .seed = SUITE_SEED,
      .refresh_window_ms = refresh_window_ms,
  };
  assert_int_equal(suite_ops->open(&config, &table.local), ACCEL_OK);
  return table;
}

static suite_table suite_open_weighed(const accel_type *type, size_t capacity, size_t max_weight)
{
  return suite_open_with(type, capacity, max_weight, 0);
}

static suite_table suite_open(const accel_type *type, size_t capacity)
{
  return suite_open_weighed(type, capacity, 0);
}

static void suite_close(suite_table *table)
{
  suite_on_user_code = NULL;
  if (suite_ops->close == accel_flat_close) expect_whole_table(table->local, table->type);
  suite_ops->close(table->local, table->type);
  accel_thread_scratch(1);
  assert_int_equal(suite_notes_living, 0);
  assert_int_equal(suite_live_blocks(), table->live_blocks);
}

/* ---- operations with a key's own hash ---- */

static uint64_t suite_hash(const suite_table *table, const void *key)
{
  return table->type->hash(key, SUITE_SEED);
}

static accel_lifetime suite_lifetime(uint32_t ttl_ms)
{
  return accel_ttl_lifetime(suite_now_ms, ttl_ms, 0);
}

static accel_status suite_get(const suite_table *table, const void *key, void *out)
{
  return suite_ops->get(table->local, table->type, key, suite_hash(table, key), out);
}

static accel_status suite_peek(const suite_table *table, const void *key, void *out_or_null,
                               accel_local_found *found)
{
  const uint64_t hash = suite_hash(table, key);
  return suite_ops->peek(table->local, table->type, key, hash, out_or_null, found);
}

static accel_gate suite_gate(const suite_table *table, const void *key)
{
  return suite_ops->gate(table->local, suite_hash(table, key));
}

static accel_status suite_fill_lifetime(const suite_table *table, const void *key,
                                        const void *value, const accel_lifetime *lifetime,
                                        const accel_gate *gate)
{
  const uint64_t hash = suite_hash(table, key);
  return suite_ops->fill(table->local, table->type, key, hash, value, lifetime, gate);
}

static accel_status suite_fill(const suite_table *table, const void *key, const void *value,
                               const accel_gate *gate)
{
  const accel_lifetime lifetime = suite_lifetime(ACCEL_FOREVER);
  return suite_fill_lifetime(table, key, value, &lifetime, gate);
}

static accel_status suite_set_lifetime(const suite_table *table, const void *key, const void *value,
                                       const accel_lifetime *lifetime,
                                       const accel_gate *gate_or_null)
{
  const uint64_t hash = suite_hash(table, key);
  return suite_ops->set(table->local, table->type, key, hash, value, lifetime, gate_or_null);
}

static accel_status suite_set(const suite_table *table, const void *key, const void *value)
{
  const accel_lifetime lifetime = suite_lifetime(ACCEL_FOREVER);
  return suite_set_lifetime(table, key, value, &lifetime, NULL);
}

static void suite_del(const suite_table *table, const void *key)
{
  suite_ops->del(table->local, table->type, key, suite_hash(table, key));
}

static accel_status suite_pin(const suite_table *table, const void *key, accel_local_pin *pin)
{
  return suite_ops->pin(table->local, table->type, key, suite_hash(table, key), pin);
}

static accel_local_stats suite_stats(const suite_table *table)
{
  accel_local_stats stats;
  suite_ops->stats(table->local, &stats);
  return stats;
}

static accel_local_counts suite_counts(const suite_table *table)
{
  accel_local_counts counts;
  suite_ops->counts(table->local, &counts);
  return counts;
}

/* ---- integer keys with plain values ---- */

static void suite_set_plain(const suite_table *table, uint64_t key, uint64_t version)
{
  const suite_plain value = suite_make_plain(key, version);
  assert_int_equal(suite_set(table, &key, &value), ACCEL_OK);
}

/* The version under the key, or `otherwise` if a get does not find it. */
static uint64_t suite_version(const suite_table *table, uint64_t key, uint64_t otherwise)
{
  suite_plain value;
  if (suite_get(table, &key, &value) != ACCEL_OK) return otherwise;
  assert_true(suite_is_whole_plain(&value));
  assert_int_equal(value.owner, key);
  return value.version;
}

static bool suite_has(const suite_table *table, uint64_t key)
{
  accel_local_found found;
  return suite_peek(table, &key, NULL, &found) != ACCEL_MISS;
}

static size_t suite_count_present(const suite_table *table, uint64_t first, uint64_t count)
{
  size_t present = 0;
  for (uint64_t key = first; key < first + count; key++) present += suite_has(table, key);
  return present;
}

/* ---- integer keys with owning values ---- */

static accel_status suite_set_note(const suite_table *table, uint64_t key, const char *text)
{
  char copy[64];
  const suite_note note = {strcpy(copy, text)};
  return suite_set(table, &key, &note);
}

static void suite_expect_note(const suite_table *table, uint64_t key, const char *text)
{
  suite_note note = {NULL};
  assert_int_equal(suite_get(table, &key, &note), ACCEL_OK);
  assert_string_equal(note.text, text);
  suite_drop_note(&note);
}

#endif

/* failures_world.h: caches on a fake that takes small values only. */
#ifndef FAILURES_WORLD_H
#define FAILURES_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include <stdio.h>
#include <string.h>

typedef struct row {
  uint64_t number;
  char text[40];
} row;

static uint32_t row_weigh(const uint64_t *key, const row *value)
{
  (void)key;
  return (uint32_t)value->number;
}

ACCEL_DEFINE_WITH(row, uint64_t, row, .weigh = row_weigh, .remote = &accel_fake_ops)
ACCEL_DEFINE_STR_WITH(note, row, .remote = &accel_fake_ops)
ACCEL_DEFINE(local, uint64_t, row)

static row row_of(uint64_t number)
{
  row made = {.number = number};
  snprintf(made.text, sizeof made.text, "row %llu", (unsigned long long)number);
  return made;
}

/* ---- surroundings ---- */

typedef struct world {
  accel_fake fake;
  row_cache rows;
  note_cache notes;
} world;

static int setup(void **state)
{
  static world all;
  memset(&all, 0, sizeof all);
  const accel_fake_config limits = {.max_value_bytes = 4096};
  assert_int_equal(accel_fake_open(&all.fake, &limits), ACCEL_OK);
  const accel_config rows = {.area = "row", .remote = &all.fake};
  const accel_config notes = {.area = "note", .remote = &all.fake, .max_key_bytes = 110000};
  assert_int_equal(row_cache_open(&all.rows, &rows), ACCEL_OK);
  assert_int_equal(note_cache_open(&all.notes, &notes), ACCEL_OK);
  *state = &all;
  return 0;
}

static int teardown(void **state)
{
  world *all = (world *)*state;
  row_cache_close(&all->rows);
  note_cache_close(&all->notes);
  accel_fake_close(&all->fake);
  return 0;
}

static void expect(const row_cache *cache, accel_status status, accel_status expected,
                   const char *text)
{
  assert_int_equal(status, expected);
  if (strstr(row_cache_last_error(cache), text) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", row_cache_last_error(cache), text);
}

#define WORLD_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

#endif

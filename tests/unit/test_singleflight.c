/* Which readers may follow a flight, and whether L1 gets what it brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/singleflight.h"

typedef struct row {
  uint64_t number;
} row;

ACCEL_DEFINE(row, uint64_t, row)

static const uint64_t key = 1;
static const accel_join_options with_local = {.share = true, .fills_local = true};
static const accel_join_options without_local = {.share = true};
static accel_singleflight table;

static int open_table(void **state)
{
  (void)state;
  return accel_singleflight_open(&table, &row_cache_type_, 0) ? 0 : 1;
}

static int close_table(void **state)
{
  (void)state;
  accel_singleflight_close(&table);
  return 0;
}

static uint64_t hash_of_key(void)
{
  return row_cache_type_.hash(&key, 17);
}

static accel_flight *join(accel_join_options options, bool leads)
{
  bool is_leader;
  accel_flight *flight = accel_singleflight_join(&table, &key, hash_of_key(), options, &is_leader);
  assert_non_null(flight);
  assert_int_equal(is_leader, leads);
  return flight;
}

static accel_flight *land(accel_join_options options)
{
  accel_flight *flight = join(options, true);
  accel_singleflight_land(&table, flight, ACCEL_NULL, "");
  return flight;
}

static void end(accel_flight *flight, unsigned holders)
{
  accel_singleflight_finish(&table, flight);
  while (holders-- > 0) accel_singleflight_release(&table, flight);
}

static void L1_is_filled_for_joins_before_it_is_closed(void **state)
{
  (void)state;
  accel_flight *flight = land(without_local);
  assert_ptr_equal(join(with_local, false), flight);
  assert_true(accel_singleflight_close_fill(&table, flight));
  assert_ptr_equal(join(with_local, false), flight);
  end(flight, 3);
}

static void no_later_reader_waits_for_it_in_vain(void **state)
{
  (void)state;
  accel_flight *flight = land(without_local);
  assert_false(accel_singleflight_close_fill(&table, flight));
  assert_ptr_equal(join(without_local, false), flight);
  accel_flight *other = land(with_local);
  assert_ptr_not_equal(other, flight);
  assert_false(flight->fills_local);
  end(flight, 2);
  end(other, 1);
}

static void what_was_forgotten_does_not_fill_L1(void **state)
{
  (void)state;
  accel_flight *flight = land(with_local);
  accel_singleflight_forget(&table, &key, hash_of_key());
  assert_false(accel_singleflight_close_fill(&table, flight));
  assert_true(flight->fills_local); /* it is counted as refused */
  end(flight, 1);
}

#define TABLE_TEST(function_) cmocka_unit_test_setup_teardown(function_, open_table, close_table)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TABLE_TEST(L1_is_filled_for_joins_before_it_is_closed),
      TABLE_TEST(no_later_reader_waits_for_it_in_vain),
      TABLE_TEST(what_was_forgotten_does_not_fill_L1),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

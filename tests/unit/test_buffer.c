/* Buffers: they grow by doubling, and a failure leaves them as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/type.h"

#include "failing_alloc.h"

#include <string.h>

static void what_is_appended_is_there(void **state)
{
  (void)state;
  accel_buffer buffer = {NULL, 0, 0};
  for (unsigned i = 0; i < 10000; i++) {
    const unsigned char bytes[3] = {(unsigned char)i, (unsigned char)(i >> 8), 7};
    assert_true(accel_buffer_append(&buffer, bytes, sizeof bytes));
    assert_true(buffer.capacity >= buffer.size);
  }
  assert_int_equal(buffer.size, 30000);
  for (unsigned i = 0; i < 10000; i++) {
    assert_int_equal(buffer.data[3 * i], i & 255);
    assert_int_equal(buffer.data[3 * i + 1], i >> 8);
    assert_int_equal(buffer.data[3 * i + 2], 7);
  }
  accel_buffer_release(&buffer);
  assert_null(buffer.data);
  assert_int_equal(buffer.size, 0);
  assert_int_equal(buffer.capacity, 0);
}

static void growth_is_geometric(void **state)
{
  (void)state;
  accel_buffer buffer = {NULL, 0, 0};
  const uint64_t before = failing_alloc_calls();
  for (unsigned i = 0; i < 1u << 16; i++) assert_true(accel_buffer_append(&buffer, "x", 1));
  assert_in_range(failing_alloc_calls() - before, 1, 20);
  accel_buffer_release(&buffer);
}

static void nothing_needs_no_memory(void **state)
{
  (void)state;
  accel_buffer buffer = {NULL, 0, 0};
  failing_alloc_fail_from(1);
  assert_true(accel_buffer_append(&buffer, NULL, 0));
  assert_true(accel_buffer_append(&buffer, "", 0));
  failing_alloc_fail_from(0);
  assert_null(buffer.data);
  accel_buffer_release(&buffer);
}

static void a_failure_changes_nothing(void **state)
{
  (void)state;
  accel_buffer buffer = {NULL, 0, 0};
  char large[1000];
  memset(large, 'x', sizeof large);
  failing_alloc_fail_nth(1);
  assert_false(accel_buffer_append(&buffer, "abc", 3));
  assert_int_equal(buffer.size, 0);
  assert_true(accel_buffer_append(&buffer, "abc", 3));
  failing_alloc_fail_nth(1);
  assert_false(accel_buffer_append(&buffer, large, sizeof large));
  failing_alloc_fail_nth(0);
  assert_int_equal(buffer.size, 3);
  assert_memory_equal(buffer.data, "abc", 3);
  assert_false(accel_buffer_append(&buffer, large, SIZE_MAX));
  assert_false(accel_buffer_append(&buffer, large, SIZE_MAX - 3));
  assert_int_equal(buffer.size, 3);
  assert_true(accel_buffer_append(&buffer, large, sizeof large));
  assert_memory_equal(buffer.data, "abcx", 4);
  accel_buffer_release(&buffer);
  assert_int_equal(failing_alloc_live_blocks(), 0);
}

static void a_huge_piece_gets_what_it_needs(void **state)
{
  (void)state;
  accel_buffer buffer = {NULL, 0, 0};
  char large[5000];
  memset(large, 'y', sizeof large);
  assert_true(accel_buffer_append(&buffer, "a", 1));
  assert_true(accel_buffer_append(&buffer, large, sizeof large));
  assert_int_equal(buffer.size, 5001);
  assert_true(buffer.capacity >= 5001);
  assert_memory_equal(buffer.data + 1, large, sizeof large);
  accel_buffer_release(&buffer);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_appended_is_there),
      cmocka_unit_test(growth_is_geometric),
      cmocka_unit_test(nothing_needs_no_memory),
      cmocka_unit_test(a_failure_changes_nothing),
      cmocka_unit_test(a_huge_piece_gets_what_it_needs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

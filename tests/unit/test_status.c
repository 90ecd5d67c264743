/* Statuses: the public list, number by number and word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/status.h"

#include <string.h>

static const struct {
  accel_status status;
  int value;
  const char *name;
} expected[] = {
    {ACCEL_OK, 0, "ok"},
    {ACCEL_NULL, 1, "null"},
    {ACCEL_MISS, 2, "miss"},
    {ACCEL_ERR_CONFIG, -1, "config"},
    {ACCEL_ERR_BACKEND, -2, "backend"},
    {ACCEL_ERR_LOADER, -3, "loader"},
    {ACCEL_ERR_TIMEOUT, -4, "timeout"},
    {ACCEL_ERR_CODEC, -5, "codec"},
    {ACCEL_ERR_NOMEM, -6, "nomem"},
    {ACCEL_ERR_CLOSED, -7, "closed"},
};
enum { EXPECTED = sizeof expected / sizeof expected[0] };

static void values_and_names_are_those_of_the_manual(void **state)
{
  (void)state;
  for (size_t i = 0; i < EXPECTED; i++) {
    assert_int_equal(expected[i].status, expected[i].value);
    assert_string_equal(accel_status_name(expected[i].status), expected[i].name);
  }
}

static void negative_ones_are_failures(void **state)
{
  (void)state;
  for (size_t i = 0; i < EXPECTED; i++)
    assert_int_equal(accel_failed(expected[i].status), expected[i].value < 0);
  assert_true(accel_failed((accel_status)-1000));
  assert_true(accel_failed((accel_status)-54321));
}

static void all_others_are_the_users(void **state)
{
  (void)state;
  assert_string_equal(accel_status_name((accel_status)-1000), "user");
  assert_string_equal(accel_status_name((accel_status)-54321), "user");
  assert_string_equal(accel_status_name((accel_status)-8), "user");
  assert_string_equal(accel_status_name((accel_status)3), "user");
}

static void every_status_has_a_text_of_its_own(void **state)
{
  (void)state;
  for (size_t i = 0; i < EXPECTED; i++) {
    const char *text = accel_status_text(expected[i].status);
    assert_true(strlen(text) > 0);
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(text, accel_status_text(expected[j].status));
  }
  assert_true(strlen(accel_status_text((accel_status)-1000)) > 0);
}

static void modes_and_sources_have_names(void **state)
{
  (void)state;
  assert_string_equal(accel_mode_name(ACCEL_AUTO), "auto");
  assert_string_equal(accel_mode_name(ACCEL_LOCAL), "local");
  assert_string_equal(accel_mode_name(ACCEL_REMOTE), "remote");
  assert_string_equal(accel_mode_name(ACCEL_BOTH), "both");
  assert_string_equal(accel_mode_name((accel_mode)4), "undefined");
  assert_string_equal(accel_source_name(ACCEL_FROM_NONE), "none");
  assert_string_equal(accel_source_name(ACCEL_FROM_LOCAL), "local");
  assert_string_equal(accel_source_name(ACCEL_FROM_REMOTE), "remote");
  assert_string_equal(accel_source_name(ACCEL_FROM_LOADER), "loader");
  assert_string_equal(accel_source_name((accel_origin)-1), "undefined");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modes_and_sources_have_names),
      cmocka_unit_test(values_and_names_are_those_of_the_manual),
      cmocka_unit_test(negative_ones_are_failures),
      cmocka_unit_test(all_others_are_the_users),
      cmocka_unit_test(every_status_has_a_text_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

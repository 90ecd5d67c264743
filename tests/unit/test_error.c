/* The last error: per thread, per object, never longer than its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/error.h"

#include <pthread.h>
#include <string.h>

static void it_returns_the_status_and_keeps_the_text(void **state)
{
  (void)state;
  const int owner = 0;
  assert_int_equal(accel_error_set(&owner, ACCEL_ERR_TIMEOUT, "%s took %d ms", "it", 12),
                   ACCEL_ERR_TIMEOUT);
  assert_string_equal(accel_error_text(&owner), "it took 12 ms");
}

static void objects_do_not_answer_for_each_other(void **state)
{
  (void)state;
  const int one = 0, other = 0;
  accel_error_set(&one, ACCEL_ERR_CONFIG, "one");
  assert_string_equal(accel_error_text(&other), "");
  assert_string_equal(accel_error_text(NULL), "");
  accel_error_set(&other, ACCEL_ERR_CONFIG, "other");
  assert_string_equal(accel_error_text(&one), "");
  assert_string_equal(accel_error_text(&other), "other");
}

static void nobody_owns_what_was_set_for_nobody(void **state)
{
  (void)state;
  assert_int_equal(accel_error_set(NULL, ACCEL_ERR_NOMEM, "nobody"), ACCEL_ERR_NOMEM);
  assert_string_equal(accel_error_text(NULL), "");
}

static void long_texts_are_cut(void **state)
{
  (void)state;
  char text[1000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  const int owner = 0;
  accel_error_set(&owner, ACCEL_ERR_CONFIG, "%s", text);
  assert_int_equal(strlen(accel_error_text(&owner)), ACCEL_ERROR_SIZE - 1);
}

static void *set_in_thread(void *owner)
{
  const char *before = accel_error_text(owner);
  const bool was_empty = before[0] == '\0';
  accel_error_set(owner, ACCEL_ERR_CONFIG, "the thread's");
  return was_empty && strcmp(accel_error_text(owner), "the thread's") == 0 ? owner : NULL;
}

static void threads_see_their_own(void **state)
{
  (void)state;
  const int owner = 0;
  void *result;
  accel_error_set(&owner, ACCEL_ERR_CONFIG, "mine");
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, set_in_thread, (void *)(uintptr_t)&owner), 0);
  pthread_join(thread, &result);
  assert_ptr_equal(result, &owner);
  assert_string_equal(accel_error_text(&owner), "mine");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_returns_the_status_and_keeps_the_text),
      cmocka_unit_test(objects_do_not_answer_for_each_other),
      cmocka_unit_test(nobody_owns_what_was_set_for_nobody),
      cmocka_unit_test(long_texts_are_cut),
      cmocka_unit_test(threads_see_their_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

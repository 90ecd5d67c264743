/* test_trace.c: which texts are a trace context, and that each thread has one of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define WHOLE "00-" ID "-" SPAN "-01"

static void expect_set(const char *given, const char *got)
{
  char text[100];
  accel_trace_set(WHOLE, NULL);
  assert_true(accel_trace_set(given, NULL));
  assert_int_equal(accel_trace_get(text, sizeof text), strlen(got));
  assert_string_equal(text, got);
}

static void expect_refused(const char *given)
{
  char text[100] = "x";
  accel_trace_set(WHOLE, "a=b");
  assert_false(accel_trace_set(given, "a=b"));
  assert_int_equal(accel_trace_get(text, sizeof text), 0);
  assert_string_equal(text, "");
  assert_int_equal(accel_trace_get_state(text, sizeof text), 0);
}

static void a_context_is_returned_as_it_came(void **state)
{
  (void)state;
  expect_set(WHOLE, WHOLE);
  expect_set("00-" ID "-" SPAN "-00", "00-" ID "-" SPAN "-00");
  expect_set("00-" ID "-" SPAN "-03", "00-" ID "-" SPAN "-03");
  expect_set(NULL, "");
  expect_set("", "");
}

static void unknown_flags_are_cleared(void **state)
{
  (void)state;
  expect_set("00-" ID "-" SPAN "-ff", "00-" ID "-" SPAN "-03");
  expect_set("00-" ID "-" SPAN "-fc", "00-" ID "-" SPAN "-00");
}

/* As the recommendation asks: what is known of it is taken, whatever follows. */
static void a_later_version_is_read_as_this_one(void **state)
{
  (void)state;
  expect_set("01-" ID "-" SPAN "-01", WHOLE);
  expect_set("cc-" ID "-" SPAN "-01-what the future holds", WHOLE);
  expect_set("fe-" ID "-" SPAN "-01-", WHOLE);
  expect_refused("01-" ID "-" SPAN "-01.");
  expect_refused("01-" ID "-" SPAN "-0");
  expect_refused("ff-" ID "-" SPAN "-01");
}

static void anything_else_is_refused(void **state)
{
  (void)state;
  static const char *const refused[] = {
      "0",
      "00",
      "00-",
      "-",
      " " WHOLE,
      WHOLE " ",
      WHOLE "-",
      WHOLE "-00",
      "00-" ID "-" SPAN,
      "00-" ID "-" SPAN "-",
      "00-" ID "-" SPAN "-1",
      "00-" ID "-" SPAN "-0g",
      "00-" ID "-" SPAN "-0A",
      "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
      "00-" ID "-B7AD6B7169203331-01",
      "00-00000000000000000000000000000000-" SPAN "-01",
      "00-" ID "-0000000000000000-01",
      "00_" ID "-" SPAN "-01",
      "00-" ID SPAN "-01",
      "0-" ID "-" SPAN "-01",
      "000-" ID "-" SPAN "-01",
      "0x-" ID "-" SPAN "-01",
      "00-" ID "0-" SPAN "-01",
      "00-" ID "-" SPAN "0-01",
      "\xC3\xA9",
      "traceparent: " WHOLE,
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) expect_refused(refused[i]);
}

static void a_text_is_cut_as_snprintf_cuts(void **state)
{
  (void)state;
  char text[56] = "x";
  assert_true(accel_trace_set(WHOLE, "a=b"));
  assert_int_equal(accel_trace_get(NULL, 0), 55);
  assert_int_equal(accel_trace_get(text, 0), 55);
  assert_string_equal(text, "x");
  assert_int_equal(accel_trace_get(text, 1), 55);
  assert_string_equal(text, "");
  assert_int_equal(accel_trace_get(text, 4), 55);
  assert_string_equal(text, "00-");
  assert_int_equal(accel_trace_get(text, sizeof text), 55);
  assert_string_equal(text, WHOLE);
  assert_int_equal(accel_trace_get_state(text, 3), 3);
  assert_string_equal(text, "a=");
}

static void expect_state(const char *given, const char *got)
{
  char text[600];
  assert_true(accel_trace_set(WHOLE, given));
  assert_int_equal(accel_trace_get(text, sizeof text), 55);
  assert_int_equal(accel_trace_get_state(text, sizeof text), strlen(got));
  assert_string_equal(text, got);
}

static void a_state_is_kept_member_by_member(void **state)
{
  (void)state;
  expect_state(NULL, "");
  expect_state("", "");
  expect_state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
               "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  expect_state(" a=1 \t,\t,, b@c=x y , 9_-*/=~! ", "a=1,b@c=x y,9_-*/=~!");
}

static void a_malformed_state_is_dropped_alone(void **state)
{
  (void)state;
  static const char *const dropped[] = {"a",     "=1",   "a=",     "A=1",        "a=1=2", "a b=1",
                                        "a=1,b", "-a=1", "a=\x7F", "a=\xC3\xA9", "a=\n1"};
  for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) expect_state(dropped[i], "");
}

static void a_long_state_loses_its_last_members(void **state)
{
  (void)state;
  char given[2000] = "", kept[600] = "";
  for (int i = 0; i < 30; i++) {
    char member[64];
    snprintf(member, sizeof member, "%sm%02d=012345678901234567890123456789", i == 0 ? "" : ",", i);
    strcat(given, member);
    if (strlen(kept) + strlen(member) <= 512) strcat(kept, member);
  }
  assert_true(strlen(given) > 512 && strlen(kept) > 400);
  expect_state(given, kept);
  memset(given, 0, sizeof given);
  for (int i = 0; i < 33; i++) strcat(given, i == 0 ? "a=1" : ",a=1");
  expect_state(given, ""); /* more members than allowed */
}

static void *see_none(void *seen)
{
  const accel_trace trace = accel_trace_current();
  *(bool *)seen = !accel_trace_is_set(&trace);
  accel_trace_set("00-" ID "-1111111111111111-01", NULL);
  return NULL;
}

static void each_thread_has_its_own(void **state)
{
  (void)state;
  pthread_t thread;
  char text[56];
  bool saw_none = false;
  assert_true(accel_trace_set(WHOLE, NULL));
  assert_int_equal(pthread_create(&thread, NULL, see_none, &saw_none), 0);
  pthread_join(thread, NULL);
  assert_true(saw_none);
  accel_trace_get(text, sizeof text);
  assert_string_equal(text, WHOLE);
}

static void a_state_returns_with_its_trace(void **state)
{
  (void)state;
  char text[56];
  assert_true(accel_trace_set(WHOLE, "a=1"));
  const accel_trace saved = accel_trace_current();
  accel_trace child = saved, other = saved;
  child.span_id[0] ^= 1;
  other.trace_id[0] ^= 1;
  accel_trace_enter(&child);
  assert_int_equal(accel_trace_get_state(text, sizeof text), 3);
  accel_trace_enter(&other);
  assert_int_equal(accel_trace_get_state(text, sizeof text), 0);
  accel_trace_enter(NULL);
  assert_int_equal(accel_trace_get(text, sizeof text), 0);
  assert_int_equal(accel_trace_get_state(text, sizeof text), 0);
  accel_trace_enter(&saved);
  accel_trace_get(text, sizeof text);
  assert_string_equal(text, WHOLE);
  assert_int_equal(accel_trace_get_state(text, sizeof text), 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_context_is_returned_as_it_came),
      cmocka_unit_test(unknown_flags_are_cleared),
      cmocka_unit_test(a_later_version_is_read_as_this_one),
      cmocka_unit_test(anything_else_is_refused),
      cmocka_unit_test(a_text_is_cut_as_snprintf_cuts),
      cmocka_unit_test(a_state_is_kept_member_by_member),
      cmocka_unit_test(a_malformed_state_is_dropped_alone),
      cmocka_unit_test(a_long_state_loses_its_last_members),
      cmocka_unit_test(each_thread_has_its_own),
      cmocka_unit_test(a_state_returns_with_its_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

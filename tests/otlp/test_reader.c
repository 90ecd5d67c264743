/* test_reader.c: answers of receivers: what they say, and that no bytes make reading them fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "accel_backends/otlp/reader.h"

/* The bytes lie at the end of an allocation, so that a sanitizer sees a read behind them. */
static bool read_partial(otlp_form form, const void *data, size_t size, otlp_details *out)
{
  unsigned char *copy = malloc(size == 0 ? 1 : size);
  memcpy(copy, data, size);
  const bool is_read = accel_otlp_read_partial(form, copy, size, out);
  otlp_details refusal;
  accel_otlp_read_refusal(form, copy, size, &refusal);
  assert_true(memchr(refusal.message, '\0', sizeof refusal.message) != NULL);
  assert_true(memchr(out->message, '\0', sizeof out->message) != NULL);
  for (const char *at = out->message; *at != '\0'; at++) assert_in_range(*at, 0x20, 0x7E);
  free(copy);
  return is_read;
}

static bool read_json(const char *text, otlp_details *out)
{
  return read_partial(OTLP_JSON, text, strlen(text), out);
}

/* partial_success = {rejected = 300, error_message = "two \xC3"} */
static const unsigned char partial[] = {0x0A, 0x0B, 0x08, 0xAC, 0x02, 0x12, 0x06,
                                        't',  'w',  'o',  ' ',  0xC3, '\n'};

static void an_empty_answer_is_one(void **state)
{
  (void)state;
  otlp_details details;
  assert_true(read_partial(OTLP_PROTOBUF, "", 0, &details));
  assert_true(read_partial(OTLP_JSON, "", 0, &details));
  assert_true(read_json("{}", &details));
  assert_true(read_json(" {\n} ", &details));
  assert_int_equal(details.rejected, 0);
  assert_string_equal(details.message, "");
}

static void a_partial_success_says_how_many_and_why(void **state)
{
  (void)state;
  otlp_details details;
  assert_true(read_partial(OTLP_PROTOBUF, partial, sizeof partial, &details));
  assert_int_equal(details.rejected, 300);
  assert_string_equal(details.message, "two ??");
  assert_true(read_json("{\"partialSuccess\": {\"rejectedSpans\": \"7\", "
                        "\"errorMessage\": \"a \\\"b\\\" \\u00e9\\n\", \"more\": [1, {}]}}",
                        &details));
  assert_int_equal(details.rejected, 7);
  assert_string_equal(details.message, "a \"b\" ? ");
  assert_true(read_json("{\"partial_success\":{\"rejected_log_records\":8}}", &details));
  assert_int_equal(details.rejected, 8);
  assert_true(read_json("{\"else\":{\"rejectedSpans\":9,\"errorMessage\":\"no\"}}", &details));
  assert_int_equal(details.rejected, 0);
  assert_string_equal(details.message, "");
}

static void a_number_that_makes_no_sense_is_none(void **state)
{
  (void)state;
  otlp_details details;
  static const unsigned char negative[] = {0x0A, 0x0B, 0x08, 0xFF, 0xFF, 0xFF, 0xFF,
                                           0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
  assert_true(read_partial(OTLP_PROTOBUF, negative, sizeof negative, &details));
  assert_int_equal(details.rejected, 0);
  assert_true(read_json("{\"partialSuccess\":{\"rejectedSpans\":-5}}", &details));
  assert_int_equal(details.rejected, 0);
  assert_true(read_json("{\"partialSuccess\":{\"rejectedSpans\":99999999999999999999}}", &details));
  assert_int_equal(details.rejected, INT64_MAX);
}

static void a_refusal_says_why(void **state)
{
  (void)state;
  otlp_details details;
  static const unsigned char status[] = {0x08, 0x03, 0x12, 0x02, 'n', 'o', 0x1A, 0x00};
  assert_true(accel_otlp_read_refusal(OTLP_PROTOBUF, status, sizeof status, &details));
  assert_string_equal(details.message, "no");
  static const char json[] = "{\"code\":3,\"message\":\"no\",\"details\":[]}";
  assert_true(accel_otlp_read_refusal(OTLP_JSON, json, sizeof json - 1, &details));
  assert_string_equal(details.message, "no");
}

static void what_is_no_answer_is_refused(void **state)
{
  (void)state;
  otlp_details details;
  static const char *const texts[] = {"<html>",
                                      "null",
                                      "[]",
                                      "{",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12\"}",
                                      "{}{}",
                                      "{\"a\":1}x",
                                      "{\"a\":\"b",
                                      "{\"a\":[1}",
                                      "{\"\x01\":1}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (read_json(texts[i], &details)) fail_msg("%s", texts[i]);
  static const char html[] = "<html><body>It works!</body></html>";
  assert_false(read_partial(OTLP_PROTOBUF, html, sizeof html - 1, &details));
  for (size_t size = 1; size < sizeof partial; size++)
    assert_false(read_partial(OTLP_PROTOBUF, partial, size, &details));
  assert_int_equal(details.rejected, 0);
  char deep[20000];
  memset(deep, '[', sizeof deep);
  memcpy(deep, "{\"a\":", 5);
  assert_false(read_partial(OTLP_JSON, deep, sizeof deep, &details));
}

static uint32_t draw(uint64_t *random, uint32_t bound)
{
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*random >> 33) % bound;
}

/* Half a million answers, made of right ones by small changes. */
static void any_bytes_are_read_safely(void **state)
{
  (void)state;
  static const char json[] = "{\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"a\\n"
                             "\\u00e9\"},\"x\":[1,{\"y\":null}]}";
  static const char likely[] = "{}[]\",:\\u0\x08\x0A\x12\x80\xFF\x00";
  uint64_t random = 7;
  size_t accepted = 0;
  for (size_t i = 0; i < 250000; i++) {
    for (int form = OTLP_PROTOBUF; form <= OTLP_JSON; form++) {
      unsigned char bytes[sizeof json];
      otlp_details details;
      size_t size = form == OTLP_JSON ? sizeof json - 1 : sizeof partial;
      memcpy(bytes, form == OTLP_JSON ? (const void *)json : (const void *)partial, size);
      for (uint32_t changes = draw(&random, 4); changes > 0; changes--)
        bytes[draw(&random, (uint32_t)size)] = (unsigned char)likely[draw(&random, sizeof likely)];
      if (draw(&random, 4) == 0) size = draw(&random, (uint32_t)size);
      accepted += read_partial((otlp_form)form, bytes, size, &details);
    }
  }
  assert_in_range(accepted, 50000, 450000); /* both kinds were there */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_answer_is_one),
      cmocka_unit_test(a_partial_success_says_how_many_and_why),
      cmocka_unit_test(a_number_that_makes_no_sense_is_none),
      cmocka_unit_test(a_refusal_says_why),
      cmocka_unit_test(what_is_no_answer_is_refused),
      cmocka_unit_test(any_bytes_are_read_safely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

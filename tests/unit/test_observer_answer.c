/* test_observer_answer.c: requests to an observer, and how texts of others appear in its outputs.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/cache_core.h"
#include "accel/observer_state.h"
#include "accel/observer_text.h"
#include "accel/platform/thread.h"
#include "accel_backends/fake.h"

#include "failing_alloc.h"

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

/* An observer of one cache without L2. */
static void open_rows(accel_observer *observer, row_cache *rows)
{
  assert_int_equal(accel_observer_open(observer, NULL), ACCEL_OK);
  const accel_config config = {.area = "rows", .observer = observer};
  assert_int_equal(row_cache_open(rows, &config), ACCEL_OK);
}

static accel_answer ask(accel_observer *observer, const char *method, const char *target)
{
  accel_answer answer;
  assert_true(accel_observer_answer(observer, method, target, &answer));
  return answer;
}

static void expect_body(accel_answer *answer, const char *part)
{
  assert_true(accel_buffer_append(&answer->body, "", 1));
  if (strstr((const char *)answer->body.data, part) == NULL)
    fail_msg("not in the answer: %s\n%s", part, (const char *)answer->body.data);
}

static void targets_have_their_content(void **state)
{
  (void)state;
  accel_observer observer;
  row_cache rows;
  open_rows(&observer, &rows);
  const struct {
    const char *target, *type, *part;
  } expected[] = {
      {"/", "text/html; charset=utf-8", "<!doctype html>"},
      {"/?theme=dark", "text/html; charset=utf-8", "<!doctype html>"},
      {"/metrics", "text/plain; version=0.0.4; charset=utf-8",
       "_local_hit_total{area=\"rows\"} 0\n"},
      {"/metrics?a=b?c", "text/plain; version=0.0.4; charset=utf-8", "# TYPE "},
      {"/state.json", "application/json", "\"area\":\"rows\""},
      {"/health", "application/json", "{\"health\":\"ok\",\"caches\":[{\"area\":\"rows\""},
  };
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    accel_answer answer = ask(&observer, "GET", expected[i].target);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, expected[i].type);
    expect_body(&answer, expected[i].part);
    accel_answer_release(&answer);
    answer = ask(&observer, "HEAD", expected[i].target);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, expected[i].type);
    assert_int_equal(answer.body.size, 0);
    accel_answer_release(&answer);
    answer = ask(&observer, "POST", expected[i].target);
    assert_int_equal(answer.status, 405);
    expect_body(&answer, "GET and HEAD");
    accel_answer_release(&answer);
  }
  row_cache_close(&rows);
  accel_observer_close(&observer);
}

static void other_targets_are_the_callers(void **state)
{
  (void)state;
  accel_observer observer;
  accel_answer answer;
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  const char *const others[] = {"", "metrics", "/metrics/", "/Metrics", "//", "/state", "?", NULL};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_false(accel_observer_answer(&observer, "GET", others[i], &answer));
    assert_int_equal(answer.status, 0);
    assert_null(answer.body.data);
  }
  assert_false(accel_observer_answer(&observer, NULL, "/metrics", &answer));
  assert_false(accel_observer_answer(&observer, "GET", "/metrics", NULL));
  accel_answer_release(&answer);
  accel_answer_release(NULL);
  accel_buffer out = {0};
  assert_int_equal(accel_observer_prometheus(NULL, &out), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_observer_json(&observer, NULL), ACCEL_ERR_CONFIG);
  accel_observer_close(&observer);
  assert_int_equal(accel_observer_prometheus(&observer, &out), ACCEL_ERR_CLOSED);
  assert_int_equal(accel_observer_json(&observer, &out), ACCEL_ERR_CLOSED);
  answer = ask(&observer, "GET", "/health");
  assert_int_equal(answer.status, 503);
  expect_body(&answer, "the observer is not open");
  accel_answer_release(&answer);
  assert_null(out.data);
}

/* ---- health ---- */

static bool may_end;   /* atomic: the load may return */
static bool has_begun; /* atomic */

static accel_status load_when_told(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  (void)id;
  (void)out;
  accel_store_release(&has_begun, true);
  while (!accel_load_acquire(&may_end)) accel_thread_yield();
  return ACCEL_NULL;
}

static void health_is_503_while_a_cache_closes(void **state)
{
  (void)state;
  accel_observer observer;
  row_cache rows;
  open_rows(&observer, &rows);
  row_cache_set_loader(&rows, load_when_told, NULL);
  assert_int_equal(row_cache_refresh(&rows, 1), ACCEL_OK);
  while (!accel_load_acquire(&has_begun)) accel_thread_yield();
  assert_int_equal(row_cache_close_within(&rows, 1), ACCEL_ERR_TIMEOUT);
  accel_answer answer = ask(&observer, "GET", "/health");
  assert_int_equal(answer.status, 503);
  expect_body(&answer, "\"health\":\"failed\",\"reasons\":[\"the cache is closing\"]");
  accel_answer_release(&answer);
  answer = ask(&observer, "GET", "/metrics"); /* still tells */
  assert_int_equal(answer.status, 200);
  expect_body(&answer, "accelerator_cache_loads_running{area=\"rows\"} 1\n");
  accel_answer_release(&answer);
  accel_store_release(&may_end, true);
  row_cache_close(&rows);
  answer = ask(&observer, "GET", "/health");
  assert_int_equal(answer.status, 200);
  accel_answer_release(&answer);
  accel_observer_close(&observer);
}

/* ---- texts ---- */

static void expect_text(void (*append)(accel_observer_text *, const char *), const char *string,
                        const char *expected)
{
  accel_buffer out = {0};
  accel_observer_text text = {&out, false};
  append(&text, string);
  assert_true(accel_buffer_append(&out, "", 1));
  assert_string_equal((const char *)out.data, expected);
  accel_buffer_release(&out);
}

static void texts_of_others_are_escaped(void **state)
{
  (void)state;
  expect_text(accel_observer_text_json, "a\"b\\c\n\x01\x7F<\xC3\xA4",
              "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\\u003c\xC3\xA4\"");
  expect_text(accel_observer_text_json, "\xFF\xC3", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  expect_text(accel_observer_text_json, "\xE2\x82x\xED\xA0\x80\xF0\x9F\x98\x80",
              "\"\xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80\"");
  expect_text(accel_observer_text_label, "a\"b\\c\n\t\xFFz", "\"a\\\"b\\\\c\\n\t\xEF\xBF\xBDz\"");
  expect_text(accel_observer_text_label, "", "\"\"");
}

static void expect_decimal(uint64_t number, unsigned places, const char *expected)
{
  accel_buffer out = {0};
  accel_observer_text text = {&out, false};
  accel_observer_text_decimal(&text, number, places);
  assert_true(accel_buffer_append(&out, "", 1));
  assert_string_equal((const char *)out.data, expected);
  accel_buffer_release(&out);
}

static void numbers_are_exact(void **state)
{
  (void)state;
  expect_decimal(0, 9, "0");
  expect_decimal(1, 9, "0.000000001");
  expect_decimal(1500000000, 9, "1.5");
  expect_decimal(1000000000, 9, "1");
  expect_decimal(UINT64_MAX, 0, "18446744073709551615");
  expect_decimal(UINT64_MAX, 9, "18446744073.709551615");
  expect_decimal(1790000000040, 3, "1790000000.04");
}

/* ---- the last errors ---- */

static void the_last_ten_errors_are_shown(void **state)
{
  (void)state;
  accel_observer observer;
  row_cache rows;
  open_rows(&observer, &rows);
  const accel_observer_member *member = &rows.base.core->member;
  for (int i = 0; i < 12; i++) {
    char text[40];
    snprintf(text, sizeof text, "failure %d", i);
    accel_observer_note_error(member, "rows", text);
    accel_observer_note_error(member, "rows", text); /* the same again is one */
  }
  accel_observation seen;
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.error_count, 10);
  assert_string_equal(seen.errors[0].text, "failure 11");
  assert_string_equal(seen.errors[9].text, "failure 2");
  assert_string_equal(seen.errors[9].area, "rows");
  accel_observation_release(&seen);
  row_cache_close(&rows);
  accel_observer_close(&observer);
}

static void errors_that_differ_in_a_time_are_one(void **state)
{
  (void)state;
  static const char *const texts[] = {"a:6379: no reply within 51 ms",
                                      "a:6380: no reply within 52 ms",
                                      "took 9 ms, limit 7 ms",
                                      "took 10 ms, limit 7 s",
                                      "status 12",
                                      "status 13",
                                      "a:6379: no reply within 9 ms",
                                      "took 1000 ms, limit 300 ms"};
  accel_observer observer;
  row_cache rows;
  open_rows(&observer, &rows);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    accel_observer_note_error(&rows.base.core->member, "rows", texts[i]);
  accel_observation seen;
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.error_count, 6);
  assert_string_equal(seen.errors[0].text, "took 1000 ms, limit 300 ms"); /* the newest time */
  assert_string_equal(seen.errors[1].text, "a:6379: no reply within 9 ms");
  assert_string_equal(seen.errors[2].text, "status 13");
  assert_string_equal(seen.errors[5].text, "a:6380: no reply within 52 ms");
  accel_observation_release(&seen);
  row_cache_close(&rows);
  accel_observer_close(&observer);
}

static accel_status load_nothing(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  (void)id;
  (void)out;
  return (accel_status)-1234;
}

/* The sentence among the last errors that has this part. */
static void expect_error(accel_observer *observer, const char *area, const char *part)
{
  accel_observation seen;
  bool is_there = false;
  assert_int_equal(accel_observer_observe(observer, &seen), ACCEL_OK);
  for (size_t i = 0; i < seen.error_count; i++)
    is_there |= strcmp(seen.errors[i].area, area) == 0 && strstr(seen.errors[i].text, part) != NULL;
  if (!is_there) fail_msg("no error of \"%s\" says: %s", area, part);
  accel_observation_release(&seen);
}

ACCEL_DEFINE_STR(word, int)

/* Fails with a reason that names a key. */
static accel_status load_with_a_word(void *ctx, uint64_t id, uint64_t *out)
{
  (void)id;
  (void)out;
  int found;
  return word_cache_get((word_cache *)ctx, "the-name-of-a-person", &found);
}

static void reasons_with_keys_are_shown_on_demand(void **state)
{
  (void)state;
  for (int shows_keys = 0; shows_keys < 2; shows_keys++) {
    accel_observer observer;
    word_cache words;
    row_cache rows;
    const accel_observer_config shown = {.shows_keys = shows_keys != 0};
    assert_int_equal(accel_observer_open(&observer, &shown), ACCEL_OK);
    const accel_config inner = {.area = "words", .max_key_bytes = 5};
    const accel_config config = {.area = "rows", .observer = &observer};
    assert_int_equal(word_cache_open(&words, &inner), ACCEL_OK);
    assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
    row_cache_set_loader(&rows, load_with_a_word, &words);
    uint64_t row;
    assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_ERR_CONFIG);
    accel_answer answer = ask(&observer, "GET", "/state.json");
    assert_true(accel_buffer_append(&answer.body, "", 1));
    const bool is_shown = strstr((const char *)answer.body.data, "the-name-of-a-person") != NULL;
    assert_int_equal(is_shown, shows_keys);
    accel_answer_release(&answer);
    row_cache_close(&rows);
    word_cache_close(&words);
    accel_observer_close(&observer);
  }
}

static void failures_are_shown(void **state)
{
  (void)state;
  accel_fake fake;
  accel_observer observer;
  row_cache rows;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  const accel_config config = {.area = "rows", .observer = &observer, .remote = &fake};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  row_cache_set_loader(&rows, load_nothing, NULL);
  uint64_t row = 1;
  accel_fake_fail(&fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_TIMEOUT, 1);
  assert_int_equal(row_cache_get(&rows, 1, &row), -1234);
  expect_error(&observer, "rows", "a get of L2 failed: ");
  expect_error(&observer, "rows", "a load failed: status -1234");
  accel_fake_fail(&fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(row_cache_set(&rows, 1, &row), ACCEL_ERR_BACKEND);
  expect_error(&observer, "rows", "a put of L2 failed: ");
  expect_error(&observer, "rows", "L2 did not confirm a write");
  accel_fake_channel_down(&fake, 0);
  expect_error(&observer, "rows", "changes by other processes may be missed");
  row_cache_close(&rows);
  accel_observer_close(&observer);
  accel_fake_close(&fake);
}

/* ---- no memory ---- */

static void an_answer_without_memory_is_503(void **state)
{
  (void)state;
  accel_observer observer;
  row_cache rows;
  open_rows(&observer, &rows);
  const uint64_t before = failing_alloc_live_blocks();
  const char *const targets[] = {"/", "/metrics", "/state.json", "/health"};
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    int status = 503;
    for (uint64_t n = 1; status == 503; n++) {
      failing_alloc_fail_nth(n);
      accel_answer answer = ask(&observer, "GET", targets[i]);
      failing_alloc_fail_nth(0);
      status = answer.status;
      if (status == 503) expect_body(&answer, "no memory");
      accel_answer_release(&answer);
      assert_int_equal(failing_alloc_live_blocks(), before);
      assert_true(n < 100);
    }
    assert_int_equal(status, 200);
  }
  accel_buffer out = {0};
  assert_true(accel_buffer_append(&out, "kept", 4));
  accel_status status = ACCEL_ERR_NOMEM;
  for (uint64_t n = 1; status == ACCEL_ERR_NOMEM; n++) {
    failing_alloc_fail_nth(n);
    status = accel_observer_prometheus(&observer, &out);
    failing_alloc_fail_nth(0);
    if (status == ACCEL_ERR_NOMEM) assert_int_equal(out.size, 4);
  }
  assert_int_equal(status, ACCEL_OK);
  assert_memory_equal(out.data, "kept#", 5);
  accel_buffer_release(&out);
  row_cache_close(&rows);
  accel_observer_close(&observer);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(targets_have_their_content),
      cmocka_unit_test(other_targets_are_the_callers),
      cmocka_unit_test(health_is_503_while_a_cache_closes),
      cmocka_unit_test(texts_of_others_are_escaped),
      cmocka_unit_test(numbers_are_exact),
      cmocka_unit_test(the_last_ten_errors_are_shown),
      cmocka_unit_test(errors_that_differ_in_a_time_are_one),
      cmocka_unit_test(failures_are_shown),
      cmocka_unit_test(reasons_with_keys_are_shown_on_demand),
      cmocka_unit_test(an_answer_without_memory_is_503),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_observer_page.c: the live page, and the table in it for readers without JavaScript. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/observer_page.h"

#include "failing_alloc.h"

#define HOSTILE "</noscript><script>alert(1)</script>\"&\x1b[31m\xff"
#define HARMLESS "&lt;/noscript>&lt;script>alert(1)&lt;/script>&quot;&amp; [31m\xEF\xBF\xBD"

static accel_observed_cache some_caches[2];
static accel_observed_endpoint some_endpoint;

static void set_gauge(accel_observed_cache *line, accel_gauge gauge, uint64_t value)
{
  line->instances = 1;
  accel_observed_add_gauge(line, gauge, value);
}

/* Two caches, the second one L1 alone, in trouble that others put into words. */
static accel_observation *some_observation(void)
{
  static accel_observation observation;
  memset(&observation, 0, sizeof observation);
  memset(some_caches, 0, sizeof some_caches);
  accel_observed_cache *users = &some_caches[0], *prices = &some_caches[1];
  snprintf(users->area, sizeof users->area, "users");
  users->has_local = users->has_remote = users->has_channel = true;
  users->counters[ACCEL_COUNT_local_hit] = 750;
  users->counters[ACCEL_COUNT_local_miss] = 250;
  users->counters[ACCEL_COUNT_remote_hit] = 125;
  users->counters[ACCEL_COUNT_load_total] = 77;
  users->counters[ACCEL_COUNT_load_error] = 5;
  set_gauge(users, ACCEL_GAUGE_entries, 4321);
  set_gauge(users, ACCEL_GAUGE_capacity, 9876);
  set_gauge(users, ACCEL_GAUGE_channel_up, 0);
  accel_observed_add_reason(users, ACCEL_HEALTH_DEGRADED, "%s", HOSTILE);
  snprintf(prices->area, sizeof prices->area, "prices");
  prices->has_local = true;
  snprintf(some_endpoint.endpoint, sizeof some_endpoint.endpoint, "[::1]:6379");
  some_endpoint.breaker = "open";
  observation.caches = some_caches;
  observation.cache_count = 2;
  observation.endpoints = &some_endpoint;
  observation.endpoint_count = 1;
  observation.error_count = 1;
  snprintf(observation.errors[0].area, sizeof observation.errors[0].area, "users");
  snprintf(observation.errors[0].text, sizeof observation.errors[0].text, "%s", HOSTILE);
  return &observation;
}

/* The page as a string, until the next one. */
static accel_buffer some_page;

static const char *page_of(const accel_observation *observation)
{
  some_page.size = 0;
  accel_observer_text text = {&some_page, false};
  accel_observer_show_page(observation, &text);
  assert_false(text.has_failed);
  assert_true(accel_buffer_append(&some_page, "", 1));
  assert_int_equal(strlen((const char *)some_page.data), some_page.size - 1);
  return (const char *)some_page.data;
}

static size_t count(const char *text, const char *part)
{
  size_t found = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) found++;
  return found;
}

static void the_table_says_what_was_observed(void **state)
{
  (void)state;
  const char *page = page_of(some_observation());
  assert_non_null(strstr(page, "<tr><th scope=\"row\">users<td>degraded: "));
  assert_non_null(strstr(page,
                         "<td class=\"num\">1000<td class=\"num\">75 %<td class=\"num\">12.5 %"
                         "<td class=\"num\">77<td class=\"num\">5<td class=\"num\">4321"
                         "<td class=\"num\">9876"));
  assert_non_null(strstr(page, "<td>down<tr><th scope=\"row\">prices<td>ok<td class=\"num\">0"));
  assert_non_null(strstr(page, "<td>none</table>"));
  assert_non_null(strstr(page, "[::1]:6379<td>open"));
  assert_int_equal(count(page, "<table>"), 3);
  assert_true(strstr(page, "<table>") > strstr(page, "<noscript>"));
}

static void texts_of_others_stay_texts(void **state)
{
  (void)state;
  accel_observation *observation = some_observation();
  const char *page = page_of(observation);
  assert_int_equal(count(page, HARMLESS), 2);
  assert_null(strstr(page, "<script>alert"));
  const size_t ends = count(page, "</noscript>");
  observation->cache_count = observation->endpoint_count = observation->error_count = 0;
  assert_int_equal(count(page_of(observation), "</noscript>"), ends);
}

static void the_page_asks_nobody_else_and_is_small(void **state)
{
  (void)state;
  accel_observation nothing = {0};
  const char *page = page_of(&nothing);
  assert_true(strlen(page) < 40 * 1024);
  assert_int_equal(count(page, "Content-Security-Policy"), 1);
  assert_non_null(strstr(page, "default-src 'none'; script-src 'sha256-"));
  assert_non_null(strstr(page, "connect-src 'self'"));
  assert_null(strstr(page, "unsafe-"));
  assert_null(strstr(page, "https:"));
  assert_int_equal(count(page, "http:"), count(page, "http://www.w3.org/2000/svg")); /* a name */
  assert_null(strstr(page, "innerHTML"));
}

static void no_memory_is_seen(void **state)
{
  (void)state;
  const uint64_t before = failing_alloc_live_blocks();
  bool has_failed = true;
  for (uint64_t n = 1; has_failed; n++) {
    accel_buffer page = {0};
    accel_observer_text text = {&page, false};
    failing_alloc_fail_nth(n);
    accel_observer_show_page(some_observation(), &text);
    failing_alloc_fail_nth(0);
    has_failed = text.has_failed;
    accel_buffer_release(&page);
    assert_int_equal(failing_alloc_live_blocks(), before);
    assert_true(n < 100);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_says_what_was_observed),
      cmocka_unit_test(texts_of_others_stay_texts),
      cmocka_unit_test(the_page_asks_nobody_else_and_is_small),
      cmocka_unit_test(no_memory_is_seen),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  accel_buffer_release(&some_page);
  return failed;
}

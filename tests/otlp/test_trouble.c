/* test_trouble.c: receivers that are down, slow, overloaded or confused, and what is sent again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel_backends/otlp/exporter.h"
#include "log_keeper.h"
#include "otlp_world.h"

static otlp_world world;
static accel_otlp_config config;
static log_keeper keeper;

static int begin(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  log_keeper_open(&keeper);
  config = otlp_world_config(&world);
  config.log = log_keep;
  config.log_ctx = &keeper;
  return 0;
}

static int end(void **state)
{
  (void)state;
  otlp_world_end(&world);
  return 0;
}

static void order(const char *what)
{
  assert_true(receiver_order(&world.receiver, what));
}

static uint64_t count(const char *what, const char *signal)
{
  return otlp_world_count(&world, what, signal);
}

static int64_t at_ms(const json_t *request)
{
  return json_integer_value(json_object_get(request, "at"));
}

/* ---- what is sent again ---- */

static void a_status_that_may_pass_is_tried_again(void **state)
{
  (void)state;
  static const char *const orders[] = {"status 429 once", "status 502 once", "status 503 once",
                                       "status 504 once", "close once"};
  otlp_world_open(&world, &config);
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    order(orders[i]);
    otlp_world_add_span(&world, "cache.get");
    otlp_world_flush(&world);
    receiver_sync(&world.receiver);
    json_t *first = otlp_world_take(&world, "/v1/traces");
    json_t *second = receiver_take(&world.receiver, "/v1/traces", 0);
    /* The order may have met the metrics or a record. */
    if (second != NULL)
      assert_true(
          json_equal(json_object_get(first, "message"), json_object_get(second, "message")));
    json_decref(first);
    json_decref(second);
    assert_int_equal(receiver_drain(&world.receiver, "/v1/traces"), 0);
  }
  assert_int_equal(count("exported", "traces"), 5);
  assert_int_equal(count("dropped", "traces"), 0);
  /* libcurl itself tries again when a connection that it kept turns out to be closed. */
  assert_in_range(
      count("retried", "traces") + count("retried", "metrics") + count("retried", "logs"), 4, 5);
}

/* A second try is not made before the receiver wants it. */
static void retry_after_is_waited_for(const char *what, int64_t least_ms)
{
  config.observer = NULL;
  otlp_world_open(&world, &config);
  order(what);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_flush(&world);
  json_t *first = otlp_world_take(&world, "/v1/traces");
  json_t *second = otlp_world_take(&world, "/v1/traces");
  assert_true(at_ms(second) - at_ms(first) >= least_ms);
  json_decref(first);
  json_decref(second);
}

static void retry_after_in_seconds_is_obeyed(void **state)
{
  (void)state;
  retry_after_is_waited_for("status 503 Retry-After: 2 once", 1990);
}

static void retry_after_as_a_date_is_obeyed(void **state)
{
  (void)state;
  char text[100];
  const time_t then = time(NULL) + 3;
  struct tm utc;
  gmtime_r(&then, &utc);
  strftime(text, sizeof text, "status 429 Retry-After: %a, %d %b %Y %H:%M:%S GMT once", &utc);
  retry_after_is_waited_for(text, 900); /* seconds are cut off, at both ends */
}

/* A flush ends a pause of our own, and not one that the receiver wants. */
static void a_flush_does_not_break_retry_after(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  order("status 503 Retry-After: 100");
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, 300), ACCEL_ERR_TIMEOUT);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "503"));
  assert_int_equal(accel_otlp_flush(&world.otlp, 300), ACCEL_ERR_TIMEOUT);
  json_decref(otlp_world_take(&world, "/v1/traces"));
  assert_int_equal(receiver_drain(&world.receiver, "/v1/traces"), 0);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 0);
}

static void a_silent_receiver_is_left_after_the_timeout(void **state)
{
  (void)state;
  config.timeout_ms = 200;
  otlp_world_open(&world, &config);
  order("silent once");
  otlp_world_flush(&world);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 2);
  assert_int_equal(count("retried", "metrics"), 1);
}

static void pauses_grow_to_half_a_minute(void **state)
{
  (void)state;
  static const uint32_t most_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
  for (uint32_t tries = 1; tries <= 8; tries++) {
    assert_int_equal(accel_otlp_backoff_ms(tries, 0), 1);
    assert_int_equal(accel_otlp_backoff_ms(tries, most_ms[tries - 1] - 1), most_ms[tries - 1]);
    assert_int_equal(accel_otlp_backoff_ms(tries, most_ms[tries - 1]), 1);
  }
  assert_int_equal(accel_otlp_backoff_ms(UINT32_MAX, 29999), 30000);
}

/* ---- what never is ---- */

/* The answer to a batch of two spans: they are lost, and the error says why. */
static void is_dropped(const char *what, const char *why)
{
  const uint64_t dropped = count("dropped", "traces");
  order(what);
  otlp_world_add_span(&world, "cache.get");
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, patience_ms()), ACCEL_ERR_BACKEND);
  if (strstr(accel_otlp_last_error(&world.otlp), why) == NULL)
    fail_msg("%s: %s", what, accel_otlp_last_error(&world.otlp));
  json_decref(otlp_world_take(&world, "/v1/traces"));
  assert_int_equal(receiver_drain(&world.receiver, "/v1/traces"), 0);
  assert_int_equal(count("dropped", "traces"), dropped + 2);
  assert_int_equal(count("retried", "traces"), 0);
}

static void any_other_status_drops(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  is_dropped("status 400", "400");
  is_dropped("status 401", "401");
  is_dropped("status 404", "404");
  is_dropped("status 413", "413");
  is_dropped("status 500", "500");
  is_dropped("status 501", "501");
  is_dropped("status 302 Location: http://127.0.0.1:1/", "302");
  order("ok");
  otlp_world_flush(&world);
}

static void garbage_drops(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  is_dropped("body 200 text/html PGh0bWw+SXQgd29ya3MhPC9odG1sPg==", "no message of OTLP");
  is_dropped("raw R0FSQkFHRQ0KDQo=", "HTTP");         /* GARBAGE */
  is_dropped("raw SFRUUC8xLjEgYWJjIE9LDQoNCg==", ""); /* HTTP/1.1 abc OK */
  is_dropped("endless", "4 MiB");
  order("ok");
  otlp_world_flush(&world);
}

/* message = "bad key", of a google.rpc.Status */
static void what_the_receiver_says_is_told(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  is_dropped("body 400 application/x-protobuf EgdiYWQga2V5", "400: bad key");
}

static void a_text_that_repeats_a_header_is_not_told(void **state)
{
  (void)state;
  config.headers = "authorization=Bearer%20s3cr3t";
  otlp_world_open(&world, &config);
  /* message = "no s3cr3t" */
  is_dropped("body 401 application/x-protobuf EglubyBzM2NyM3Q=", "repeats a header");
  assert_null(strstr(accel_otlp_last_error(&world.otlp), "s3cr3t"));
  log_kept last;
  assert_true(log_keeper_count(&keeper, "traces", "", &last) > 0);
  assert_null(strstr(last.message, "s3cr3t"));
}

static void a_partial_success_is_never_sent_again(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  order("partial 1 one was bad");
  otlp_world_add_span(&world, "cache.get");
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, patience_ms()), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "one was bad"));
  json_decref(otlp_world_take(&world, "/v1/traces"));
  assert_int_equal(receiver_drain(&world.receiver, "/v1/traces"), 0);
  assert_int_equal(count("rejected", "traces"), 1);
  assert_int_equal(count("exported", "traces"), 1);
  order("partial 1000 all were bad");
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, patience_ms()), ACCEL_ERR_BACKEND);
  assert_int_equal(count("rejected", "traces"), 2);
  assert_int_equal(count("dropped", "traces"), 0);
  assert_int_equal(count("retried", "traces"), 0);
}

static void a_partial_success_as_json_is_understood(void **state)
{
  (void)state;
  config.json = true;
  otlp_world_open(&world, &config);
  order("partial 1 one was \"bad\"");
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(accel_otlp_flush(&world.otlp, patience_ms()), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "one was \"bad\""));
  assert_int_equal(count("rejected", "traces"), 1);
}

static void a_warning_is_told_and_all_is_taken(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  order("partial 0 use the other port");
  otlp_world_flush(&world);
  log_kept last;
  assert_int_equal(log_keeper_count(&keeper, "metrics", "warned", &last), 1);
  assert_non_null(strstr(last.message, "use the other port"));
  assert_int_equal(count("rejected", "metrics"), 0);
}

/* ---- a receiver that is down ---- */

static void sums_are_whole_after_an_outage(void **state)
{
  (void)state;
  uint64_t out;
  config.interval_ms = 10;
  config.span_queue = 50;
  config.batch_size = 20;
  config.batch_delay_ms = 10;
  otlp_world_open(&world, &config);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  receiver_kill(&world.receiver);
  while (receiver_drain(&world.receiver, "/v1/traces") > 0) {}
  for (uint64_t key = 1; key <= 200; key++)
    if (key != 13) number_cache_get(&world.cache, key, &out);
  const uint64_t retried = count("retried", "metrics");
  for (int wait = 0; wait < 12000 && count("retried", "metrics") < retried + 20; wait++)
    usleep(5000);
  assert_true(count("retried", "metrics") >= retried + 20);
  /* 50 wait, and one batch is in hand. */
  assert_true(count("dropped", "traces") >= 199 - 70);
  assert_true(receiver_restart(&world.receiver));
  otlp_world_flush(&world);
  receiver_sync(&world.receiver);
  json_t *last = NULL;
  for (json_t *next; (next = receiver_take(&world.receiver, "/v1/metrics", 0)) != NULL;) {
    json_decref(last);
    last = next;
  }
  assert_int_equal(receiver_value(last, "accelerator_cache_load_total", "area", "numbers"), 199);
  json_decref(last);
  size_t spans = 0;
  for (json_t *each; (each = receiver_take(&world.receiver, "/v1/traces", 0)) != NULL;
       json_decref(each))
    spans += json_array_size(receiver_items(each));
  assert_in_range(spans, 50, 70);
  assert_int_equal(count("exported", "traces"), spans);
}

static void the_log_tells_of_an_outage_once(void **state)
{
  (void)state;
  log_kept last;
  config.interval_ms = 10;
  config.headers = "authorization=s3cr3t";
  otlp_world_open(&world, &config);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  receiver_kill(&world.receiver);
  for (int wait = 0; wait < 12000 && count("retried", "metrics") < 10; wait++) usleep(5000);
  assert_int_equal(log_keeper_count(&keeper, "metrics", "down", &last), 1);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_non_null(strstr(last.message, "does not take data points: "));
  assert_true(receiver_restart(&world.receiver));
  for (int wait = 0; wait < 12000 && log_keeper_count(&keeper, "metrics", "up", &last) == 0; wait++)
    usleep(5000);
  assert_int_equal(log_keeper_count(&keeper, "metrics", "up", &last), 1);
  assert_int_equal(last.level, ACCEL_LOG_INFO);
  assert_int_equal(log_keeper_count(&keeper, "metrics", "lost", NULL), 0);
}

/* What the page shows last is why. */
static void the_observer_shows_the_failure(void **state)
{
  (void)state;
  accel_observation observed;
  otlp_world_open(&world, &config);
  order("status 404 once");
  accel_otlp_flush(&world.otlp, patience_ms());
  assert_int_equal(accel_observer_observe(&world.observer, &observed), ACCEL_OK);
  bool is_there = false;
  for (size_t i = 0; i < observed.error_count; i++)
    is_there = is_there || (strcmp(observed.errors[i].area, "otlp") == 0 &&
                            strstr(observed.errors[i].text, "404") != NULL);
  assert_true(is_there);
  accel_observation_release(&observed);
}

static void close_gives_up_after_the_timeout(void **state)
{
  (void)state;
  config.timeout_ms = 300;
  otlp_world_open(&world, &config);
  receiver_kill(&world.receiver);
  otlp_world_add_span(&world, "cache.get");
  number_cache_close(&world.cache);
  const uint64_t start_ms = accel_clock_monotonic_ms();
  accel_otlp_close(&world.otlp);
  const uint64_t took_ms = accel_clock_monotonic_ms() - start_ms;
  assert_true(took_ms < 10000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(a_status_that_may_pass_is_tried_again),
      TEST(retry_after_in_seconds_is_obeyed),
      TEST(retry_after_as_a_date_is_obeyed),
      TEST(a_flush_does_not_break_retry_after),
      TEST(a_silent_receiver_is_left_after_the_timeout),
      TEST(pauses_grow_to_half_a_minute),
      TEST(any_other_status_drops),
      TEST(garbage_drops),
      TEST(what_the_receiver_says_is_told),
      TEST(a_text_that_repeats_a_header_is_not_told),
      TEST(a_partial_success_is_never_sent_again),
      TEST(a_partial_success_as_json_is_understood),
      TEST(a_warning_is_told_and_all_is_taken),
      TEST(sums_are_whole_after_an_outage),
      TEST(the_log_tells_of_an_outage_once),
      TEST(the_observer_shows_the_failure),
      TEST(close_gives_up_after_the_timeout),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

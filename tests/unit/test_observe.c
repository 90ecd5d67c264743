/* test_observe.c: what a cache tells about itself, and what it offers of its L1 beyond reads and
 * writes: logs, spans, points, diagnostics; references, walks, the hottest keys; the late del.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

typedef struct row_t {
  uint64_t id, more[7];
} row_t;

ACCEL_DEFINE_WITH(row, uint64_t, row_t, .remote = &accel_fake_ops)
ACCEL_DEFINE_STR(word, int)

static accel_status load_row(void *ctx, uint64_t id, row_t *out)
{
  (void)ctx;
  if (id == 0) return ACCEL_NULL;
  if (id == 13) return (accel_status)-1013;
  memset(out, 0, sizeof *out);
  out->id = id;
  return ACCEL_OK;
}

/* ---- logs and spans ---- */

typedef struct journal {
  char text[4000];
  int open_spans, begun;
} journal;

static void note(journal *all, const char *text)
{
  const size_t used = strlen(all->text);
  snprintf(all->text + used, sizeof all->text - used, "%s;", text);
}

static void journal_log(void *ctx, const accel_log_record *record)
{
  char line[200];
  assert_true(record->latency_ms >= 0 && record->latency_ms < 60000);
  snprintf(line, sizeof line, "%s %s %s %s%s", record->area, record->op, record->result,
           record->error_kind, record->message[0] == '\0' ? "" : " +message");
  note((journal *)ctx, line);
}

static void *journal_begin(void *ctx, const char *name, const char *area)
{
  journal *all = (journal *)ctx;
  assert_string_equal(area, "rows");
  note(all, name);
  all->open_spans++;
  all->begun++;
  return &all->begun;
}

static void journal_end(void *ctx, void *span, accel_status status)
{
  journal *all = (journal *)ctx;
  (void)status;
  assert_ptr_equal(span, &all->begun);
  all->open_spans--;
}

static void open_journal(row_cache *cache, journal *all, bool has_spans, bool trace_hits)
{
  const accel_span_ops spans = {all, journal_begin, journal_end, NULL};
  memset(all, 0, sizeof *all);
  const accel_config config = {.area = "rows",
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .warmup_enabled = true,
                               .log = has_spans ? NULL : journal_log,
                               .log_ctx = all,
                               .spans = has_spans ? &spans : NULL,
                               .trace_hits = trace_hits};
  assert_int_equal(row_cache_open(cache, &config), ACCEL_OK);
  row_cache_set_loader(cache, load_row, NULL);
}

static void every_operation_but_a_hit_is_logged(void **state)
{
  (void)state;
  journal all;
  row_cache cache;
  row_t row = {.id = 3};
  size_t loaded;
  const uint64_t keys[2] = {4, 5};
  row_t rows[2];
  open_journal(&cache, &all, false, false);
  accel_ignore(row_cache_get(&cache, 1, &row));
  accel_ignore(row_cache_get(&cache, 1, &row)); /* a hit says nothing */
  accel_ignore(row_cache_get(&cache, 0, &row));
  accel_ignore(row_cache_get(&cache, 13, &row));
  accel_ignore(row_cache_set(&cache, 3, &row));
  accel_ignore(row_cache_mget(&cache, keys, 2, NULL, rows, NULL));
  accel_ignore(row_cache_mset(&cache, keys, rows, 2));
  accel_ignore(row_cache_mset(&cache, keys, rows, 0));
  row_cache_del(&cache, 3);
  row_cache_mdel(&cache, keys, 2);
  row_cache_warmup(&cache, keys, 2, &loaded);
  row_cache_warmup(&cache, keys, 2, &loaded);
  assert_string_equal(all.text, "rows load ok ;rows get ok_some ;"
                                "rows load ok ;rows get ok_none ;"
                                "rows load error user;rows get error user +message;"
                                "rows set done ;rows load ok ;rows mget ok ;"
                                "rows mset done ;rows mset ok_empty ;rows del done ;"
                                "rows mdel done ;rows load ok ;rows warmup ok_loaded ;"
                                "rows warmup ok_zero ;");
  row_cache_close(&cache);
}

static void trace_hits_tells_of_hits_too(void **state)
{
  (void)state;
  journal all;
  row_cache cache;
  row_t row;
  open_journal(&cache, &all, false, true);
  accel_ignore(row_cache_get(&cache, 1, &row));
  accel_ignore(row_cache_get(&cache, 1, &row));
  assert_string_equal(all.text, "rows load ok ;rows get ok_some ;rows get ok_some ;");
  accel_metrics metrics;
  row_cache_metrics_snapshot(&cache, &metrics);
  assert_int_equal(metrics.local_hit, 1);
  assert_int_equal(metrics.local_miss, 1);
  row_cache_close(&cache);
}

static void spans_come_in_pairs(void **state)
{
  (void)state;
  journal all;
  row_cache cache;
  row_t row;
  open_journal(&cache, &all, true, false);
  accel_ignore(row_cache_get(&cache, 1, &row));
  accel_ignore(row_cache_get(&cache, 13, &row));
  row_cache_del(&cache, 1);
  assert_string_equal(all.text, "cache.get;cache.load;cache.get;cache.load;cache.del;");
  assert_int_equal(all.open_spans, 0);
  row_cache_close(&cache);
}

/* ---- counters and diagnostics ---- */

static void points_have_the_names_that_dashboards_know(void **state)
{
  (void)state;
  static const char *const first[] = {"local_hit_total",
                                      "local_miss_total",
                                      "remote_hit_total",
                                      "remote_miss_total",
                                      "load_total",
                                      "load_success_total",
                                      "load_timeout_total",
                                      "load_error_total",
                                      "stale_fallback_total",
                                      "refresh_attempts_total",
                                      "refresh_success_total",
                                      "refresh_failures_total",
                                      "invalidation_publish_total",
                                      "invalidation_publish_failures_total",
                                      "invalidation_receive_total",
                                      "invalidation_receive_failures_total"};
  const size_t known = sizeof first / sizeof first[0];
  row_cache cache;
  const accel_config config = {.area = "rows"};
  accel_otel_point points[100];
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  const size_t count = row_cache_otel_metric_points(&cache, points, 100);
  assert_true(count >= known && count < 100);
  assert_int_equal(row_cache_otel_metric_points(&cache, NULL, 0), count);
  for (size_t i = 0; i < known; i++) {
    assert_memory_equal(points[i].name, "accelerator_cache_", 18);
    assert_string_equal(points[i].name + 18, first[i]);
    assert_string_equal(points[i].area, "rows");
  }
  row_t row;
  assert_int_equal(row_cache_get(&cache, 1, &row), ACCEL_MISS);
  row_cache_otel_metric_points(&cache, points, 100);
  assert_int_equal(points[1].value, 1);
  row_cache_close(&cache);
}

static void a_diagnostic_says_what_is_there(void **state)
{
  (void)state;
  accel_fake fake;
  row_cache cache;
  accel_diagnostic seen;
  const row_t row = {.id = 1};
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  const accel_config config = {.area = "rows", .remote = &fake};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  row_cache_diagnostic_snapshot(&cache, &seen);
  assert_int_equal(seen.config.mode, ACCEL_BOTH);
  assert_int_equal(seen.config.capacity, 100000);
  assert_int_equal(seen.config.local_ttl_ms, 60000);
  assert_true(seen.local_ready && seen.remote_ready && seen.listener_started && seen.channel_up);
  assert_false(seen.degraded || seen.loader_configured);
  assert_string_equal(seen.channel, "accel:invalidation:rows");
  assert_in_range(seen.memory_bytes, 1, 1000000); /* what is resident: nearly nothing yet */
  accel_fake_channel_down(&fake, ACCEL_FAKE_EVERY_LINK);
  assert_int_equal(row_cache_set(&cache, 1, &row), ACCEL_OK);
  assert_int_equal(row_cache_resize(&cache, 500), ACCEL_OK);
  row_cache_set_loader(&cache, load_row, NULL);
  row_cache_diagnostic_snapshot(&cache, &seen);
  assert_true(seen.degraded && !seen.channel_up && seen.loader_configured);
  assert_int_equal(seen.entries, 1);
  assert_int_equal(seen.config.capacity, 500);
  row_cache_close(&cache);
  row_cache_diagnostic_snapshot(&cache, &seen);
  assert_int_equal(seen.config.capacity, 0);
  accel_fake_close(&fake);
}

static void *fail_elsewhere(void *cache)
{
  row_t row;
  assert_string_equal(row_cache_last_error((row_cache *)cache), "");
  assert_int_equal(row_cache_get_with((row_cache *)cache, 13, NULL, &row), -1013);
  assert_non_null(strstr(row_cache_last_error((row_cache *)cache), "-1013"));
  return NULL;
}

static void a_thread_hears_of_its_own_failures_only(void **state)
{
  (void)state;
  row_cache cache, other;
  const accel_config config = {.area = "rows"};
  pthread_t thread;
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(row_cache_open(&other, &config), ACCEL_OK);
  row_cache_set_loader(&cache, load_row, NULL);
  assert_int_equal(row_cache_set(&cache, 1, NULL), ACCEL_ERR_CONFIG);
  assert_string_equal(row_cache_last_error(&cache), "value is NULL");
  assert_string_equal(row_cache_last_error(&other), "");
  assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &cache), 0);
  pthread_join(thread, NULL);
  assert_string_equal(row_cache_last_error(&cache), "value is NULL");
  row_cache_close(&cache);
  row_cache_close(&other);
}

/* ---- L1 beyond reads and writes ---- */

static void a_reference_outlives_its_entry(void **state)
{
  (void)state;
  row_cache cache;
  row_cache_ref ref;
  row_t row = {.id = 1};
  const accel_config config = {.area = "rows", .capacity = 8};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(row_cache_get_ref(&cache, 1, &ref), ACCEL_MISS);
  accel_ignore(row_cache_set(&cache, 1, &row));
  assert_int_equal(row_cache_get_ref(&cache, 1, &ref), ACCEL_OK);
  row.id = 2;
  accel_ignore(row_cache_set(&cache, 1, &row));
  row_cache_clear(&cache);
  for (uint64_t i = 10; i < 30; i++) accel_ignore(row_cache_set(&cache, i, &row));
  assert_int_equal(row_cache_ref_value(&ref)->id, 1);
  row_cache_ref_release(&ref);
  row_cache_set_null(&cache, 2);
  assert_int_equal(row_cache_get_ref(&cache, 2, &ref), ACCEL_NULL);
  row_cache_ref_release(&ref);
  row_cache_close(&cache);
}

static bool add_up(void *sum, const char *key, const int *value)
{
  assert_int_equal(strlen(key), 3);
  *(int *)sum += *value;
  return true;
}

static void a_walk_meets_every_value_and_the_hottest_come_first(void **state)
{
  (void)state;
  word_cache cache;
  const char *hottest[2];
  int sum = 0, value;
  const accel_config config = {.area = "words"};
  assert_int_equal(word_cache_open(&cache, &config), ACCEL_OK);
  for (value = 1; value <= 9; value++) {
    const char key[4] = {'k', '-', (char)('0' + value), '\0'};
    assert_int_equal(word_cache_set(&cache, key, &value), ACCEL_OK);
  }
  word_cache_set_null(&cache, "nil");
  word_cache_each(&cache, add_up, &sum);
  assert_int_equal(sum, 45);
  for (int i = 0; i < 50; i++) assert_int_equal(word_cache_get(&cache, "k-7", &value), ACCEL_OK);
  assert_int_equal(word_cache_hottest(&cache, hottest, 2), 2);
  assert_string_equal(hottest[0], "k-7");
  word_cache_close(&cache);
}

static void a_late_del_removes_what_came_in_between(void **state)
{
  (void)state;
  row_cache cache;
  row_t row = {.id = 1};
  const accel_config config = {.area = "rows"};
  const struct timespec tick = {.tv_nsec = 5000000};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  accel_ignore(row_cache_set(&cache, 1, &row));
  assert_int_equal(row_cache_del_after(&cache, 1, 50), ACCEL_OK);
  assert_int_equal(row_cache_get(&cache, 1, &row), ACCEL_MISS);
  accel_ignore(row_cache_set(&cache, 1, &row));
  assert_int_equal(row_cache_get(&cache, 1, &row), ACCEL_OK);
  for (int i = 0; i < 400 && row_cache_get(&cache, 1, &row) == ACCEL_OK; i++)
    nanosleep(&tick, NULL);
  assert_int_equal(row_cache_get(&cache, 1, &row), ACCEL_MISS);
  assert_int_equal(row_cache_del_after(&cache, 1, 3600000), ACCEL_OK);
  row_cache_close(&cache); /* does not wait an hour */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation_but_a_hit_is_logged),
      cmocka_unit_test(trace_hits_tells_of_hits_too),
      cmocka_unit_test(spans_come_in_pairs),
      cmocka_unit_test(points_have_the_names_that_dashboards_know),
      cmocka_unit_test(a_diagnostic_says_what_is_there),
      cmocka_unit_test(a_thread_hears_of_its_own_failures_only),
      cmocka_unit_test(a_reference_outlives_its_entry),
      cmocka_unit_test(a_walk_meets_every_value_and_the_hottest_come_first),
      cmocka_unit_test(a_late_del_removes_what_came_in_between),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_log.c: what the log is told of operations and of changes, and the log that is ready made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"
#include "log_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_fake_ops)
ACCEL_DEFINE_STR_WITH(word, uint64_t, .remote = &accel_fake_ops)

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  if (key == 13) return ACCEL_ERR_LOADER;
  *out = key * 2;
  return key == 0 ? ACCEL_NULL : ACCEL_OK;
}

static ACCEL_CACHEABLE(number, twice, (number_cache * cache, uint64_t id, uint64_t *out),
                       (cache, id, out), .cache = cache, .key = id, .out = out)
{
  (void)cache;
  return load(NULL, id, out);
}

static log_keeper keeper;
static accel_fake fake;
static number_cache cache;

static int open_all(void **state)
{
  (void)state;
  log_keeper_open(&keeper);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  const accel_config config = {.area = "numbers",
                               .remote = &fake,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .warmup_enabled = true,
                               .log = log_keep,
                               .log_ctx = &keeper};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load, NULL);
  return 0;
}

static int close_all(void **state)
{
  (void)state;
  number_cache_close(&cache);
  accel_fake_close(&fake);
  assert_false(keeper.is_odd);
  return 0;
}

/* ---- operations ---- */

static void a_read_whose_l2_failed_says_so(void **state)
{
  (void)state;
  log_kept last;
  uint64_t out[2], keys[2] = {5, 6};
  accel_fake_fail(&fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, ACCEL_FAKE_ALWAYS);
  assert_int_equal(number_cache_get(&cache, 42, &out[0]), ACCEL_OK);
  assert_int_equal(log_keeper_count(&keeper, "get", "", &last), 1);
  assert_string_equal(last.result, "degraded_some");
  assert_string_equal(last.error_kind, "backend");
  assert_string_equal(last.key, "42");
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_true(last.message[0] != '\0');
  assert_int_equal(number_cache_get(&cache, 0, &out[0]), ACCEL_NULL);
  assert_int_equal(log_keeper_count(&keeper, "get", "degraded_none", NULL), 1);
  assert_int_equal(number_cache_mget(&cache, keys, 2, NULL, out, NULL), ACCEL_OK);
  assert_int_equal(log_keeper_count(&keeper, "mget", "degraded", &last), 1);
  assert_false(last.has_key);
  assert_int_equal(twice(&cache, 21, &out[0]), ACCEL_OK);
  assert_int_equal(log_keeper_count(&keeper, "get", "degraded_some", &last), 2);
  assert_string_equal(last.key, "21");
  size_t loaded;
  keys[0] = 50;
  assert_int_equal(number_cache_warmup(&cache, keys, 1, &loaded), ACCEL_OK);
  assert_int_equal(log_keeper_count(&keeper, "warmup", "degraded", NULL), 1);
  /* In L1 now: a hit, which says nothing. */
  const size_t before = keeper.count;
  assert_int_equal(number_cache_get(&cache, 42, &out[0]), ACCEL_OK);
  assert_int_equal(keeper.count, before);
}

static void a_read_that_went_well_says_as_much_as_ever(void **state)
{
  (void)state;
  log_kept last;
  uint64_t out;
  assert_int_equal(number_cache_get(&cache, 42, &out), ACCEL_OK);
  assert_int_equal(log_keeper_count(&keeper, "get", "ok_some", &last), 1);
  assert_int_equal(last.level, ACCEL_LOG_DEBUG);
  assert_string_equal(last.error_kind, "");
  assert_string_equal(last.message, "");
  assert_false(last.has_key);
}

/* One read a second is a warning; the outage itself has records of its own. */
static void an_outage_does_not_flood_with_warnings(void **state)
{
  (void)state;
  uint64_t out;
  unsigned warnings = 0;
  const uint64_t began_ms = accel_clock_monotonic_ms();
  accel_fake_fail(&fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, ACCEL_FAKE_ALWAYS);
  for (uint64_t key = 100; key < 400; key++) accel_ignore(number_cache_get(&cache, key, &out));
  const uint64_t seconds = (accel_clock_monotonic_ms() - began_ms) / 1000;
  assert_int_equal(log_keeper_count(&keeper, "get", "degraded_some", NULL), 300);
  for (size_t i = 0; i < keeper.count; i++)
    warnings += keeper.records[i].level >= ACCEL_LOG_WARNING;
  assert_in_range(warnings, 1, seconds + 1);
}

static void a_failure_names_its_key(void **state)
{
  (void)state;
  log_kept last;
  uint64_t out = 1;
  assert_int_equal(number_cache_get(&cache, 13, &out), ACCEL_ERR_LOADER);
  assert_int_equal(log_keeper_count(&keeper, "get", "error", &last), 1);
  assert_string_equal(last.key, "13");
  assert_int_equal(last.level, ACCEL_LOG_ERROR);
  assert_int_equal(log_keeper_count(&keeper, "load", "error", &last), 1);
  assert_string_equal(last.key, "13");
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  accel_fake_fail(&fake, ACCEL_FAKE_DEL, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  number_cache_del(&cache, 7);
  assert_int_equal(log_keeper_count(&keeper, "del", "error", &last), 1);
  assert_string_equal(last.key, "7");
}

static void a_long_key_is_cut(void **state)
{
  (void)state;
  log_kept last;
  word_cache words;
  char key[5000];
  uint64_t value = 1;
  memset(key, 'k', sizeof key);
  key[sizeof key - 1] = '\0';
  const accel_config config = {
      .area = "words", .remote = &fake, .log = log_keep, .log_ctx = &keeper};
  assert_int_equal(word_cache_open(&words, &config), ACCEL_OK);
  accel_fake_fail(&fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 2);
  accel_ignore(word_cache_set(&words, "short", &value));
  assert_int_equal(log_keeper_count(&keeper, "set", "error", &last), 1);
  assert_string_equal(last.key, "short");
  accel_ignore(word_cache_set(&words, key, &value));
  assert_int_equal(log_keeper_count(&keeper, "set", "error", &last), 2);
  assert_int_equal(strlen(last.key), ACCEL_LOG_KEY_BYTES);
  assert_string_equal(last.key + ACCEL_LOG_KEY_BYTES - 4, "k...");
  word_cache_close(&words);
}

static void *begin_span(void *ctx, const char *name, const char *area)
{
  (void)name, (void)area;
  ++*(int *)ctx;
  return ctx;
}

static void end_span(void *ctx, void *span, accel_status status)
{
  (void)status;
  assert_ptr_equal(ctx, span);
  --*(int *)ctx;
}

static void wrapped_reads_and_warmups_end_their_spans(void **state)
{
  (void)state;
  number_cache own;
  uint64_t out, keys[2] = {3, 4};
  size_t loaded;
  int open_spans = 0;
  const accel_span_ops spans = {&open_spans, begin_span, end_span, NULL};
  const accel_config config = {.area = "spans",
                               .remote = &fake,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .warmup_enabled = true,
                               .spans = &spans};
  assert_int_equal(number_cache_open(&own, &config), ACCEL_OK);
  number_cache_set_loader(&own, load, NULL);
  assert_int_equal(twice(&own, 21, &out), ACCEL_OK);
  assert_int_equal(open_spans, 0);
  number_cache_warmup(&own, keys, 2, &loaded);
  assert_int_equal(open_spans, 0);
  number_cache_close(&own);
}

/* ---- changes ---- */

static void each_change_is_one_record_in_order(void **state)
{
  (void)state;
  char story[64];
  log_kept last;
  const uint64_t value = 1;
  assert_true(log_keeper_comes_to(&keeper, "channel", "up", 1));
  for (unsigned round = 1; round <= 2; round++) {
    accel_fake_stop(&fake, true);
    assert_int_equal(number_cache_set(&cache, 1, &value), ACCEL_ERR_BACKEND);
    assert_true(log_keeper_comes_to(&keeper, "connection", "down", round));
    assert_true(log_keeper_comes_to(&keeper, "channel", "down", round));
    assert_true(log_keeper_comes_to(&keeper, "repair", "begun", round));
    accel_fake_start(&fake);
    assert_true(log_keeper_comes_to(&keeper, "connection", "up", round));
    assert_true(log_keeper_comes_to(&keeper, "channel", "up", round + 1));
    assert_true(log_keeper_comes_to(&keeper, "repair", "done", round));
  }
  log_keeper_story(&keeper, "connection", story, sizeof story);
  assert_string_equal(story, "dudu");
  log_keeper_story(&keeper, "channel", story, sizeof story);
  assert_string_equal(story, "ududu");
  log_keeper_story(&keeper, "repair", story, sizeof story);
  assert_string_equal(story, "bdbd");
  log_keeper_count(&keeper, "connection", "down", &last);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_non_null(strstr(last.message, "the fake"));
  assert_non_null(strstr(last.message, "it was stopped"));
  log_keeper_count(&keeper, "channel", "down", &last);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_non_null(strstr(last.message, "interrupted"));
  log_keeper_count(&keeper, "connection", "up", &last);
  assert_int_equal(last.level, ACCEL_LOG_INFO);
}

static void what_is_left_at_close_is_told(void **state)
{
  log_kept last;
  const uint64_t value = 1;
  accel_fake_stop(&fake, true);
  assert_int_equal(number_cache_set(&cache, 1, &value), ACCEL_ERR_BACKEND);
  close_all(state);
  assert_int_equal(log_keeper_count(&keeper, "repair", "left", &last), 1);
  assert_int_equal(last.level, ACCEL_LOG_ERROR);
  open_all(state);
}

static void an_overflow_is_told_once(void **state)
{
  (void)state;
  enum { KEYS = 140000, BATCH = 20000 };
  log_kept last;
  uint64_t *keys = (uint64_t *)malloc(BATCH * sizeof *keys);
  accel_fake_stop(&fake, true);
  for (uint64_t first = 0; first < KEYS; first += BATCH) {
    for (uint64_t i = 0; i < BATCH; i++) keys[i] = first + i;
    number_cache_mdel(&cache, keys, BATCH);
  }
  assert_true(log_keeper_comes_to(&keeper, "repair", "overflowed", 1));
  log_keeper_count(&keeper, "repair", "overflowed", &last);
  assert_int_equal(last.level, ACCEL_LOG_ERROR);
  accel_fake_start(&fake);
  assert_true(log_keeper_comes_to(&keeper, "repair", "done", 1));
  free(keys);
}

/* What is told and what is left out are all changes; and the last record is how matters stand. */
static void flapping_does_not_flood(void **state)
{
  (void)state;
  enum { TIMES = 1000 };
  char story[LOG_KEEPER_MAX];
  const uint64_t began_ms = accel_clock_monotonic_ms();
  for (unsigned i = 0; i < TIMES; i++) {
    accel_fake_stop(&fake, true);
    accel_fake_start(&fake);
  }
  const uint64_t seconds = (accel_clock_monotonic_ms() - began_ms) / 1000;
  number_cache_close(&cache);
  unsigned told = 0, left_out = 0;
  for (size_t i = 0; i < keeper.count; i++) {
    if (strcmp(keeper.records[i].op, "connection") != 0) continue;
    told++;
    left_out += keeper.records[i].left_out;
  }
  assert_int_equal(told + left_out, 2 * TIMES);
  assert_in_range(told, 2, 32 + seconds + 2);
  log_keeper_story(&keeper, "connection", story, sizeof story);
  assert_int_equal(story[strlen(story) - 1], 'u');
  log_keeper_story(&keeper, "channel", story, sizeof story);
  assert_int_equal(story[strlen(story) - 1], 'u');
}

/* ---- a log that is slow, or asks the cache ---- */

typedef struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool is_open, has_asked;
  unsigned inside;
  number_cache cache;
} gate;

static void wait_at_gate(void *ctx, const accel_log_record *record)
{
  gate *self = (gate *)ctx;
  uint64_t out;
  if (strcmp(record->op, "connection") != 0) return;
  pthread_mutex_lock(&self->mutex);
  self->inside++;
  pthread_cond_broadcast(&self->changed);
  while (!self->is_open) pthread_cond_wait(&self->changed, &self->mutex);
  pthread_mutex_unlock(&self->mutex);
  self->has_asked = number_cache_get(&self->cache, 77, &out) == ACCEL_OK && out == 154 &&
                    number_cache_del(&self->cache, 77) != ACCEL_ERR_CONFIG;
}

static void a_slow_log_keeps_nobody_and_close_waits_for_it(void **state)
{
  (void)state;
  gate self;
  memset(&self, 0, sizeof self);
  pthread_mutex_init(&self.mutex, NULL);
  pthread_cond_init(&self.changed, NULL);
  const accel_config config = {.area = "slow",
                               .remote = &fake,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .log = wait_at_gate,
                               .log_ctx = &self};
  uint64_t out;
  assert_int_equal(number_cache_open(&self.cache, &config), ACCEL_OK);
  number_cache_set_loader(&self.cache, load, NULL);
  accel_fake_stop(&fake, true);
  accel_fake_start(&fake);
  pthread_mutex_lock(&self.mutex);
  while (self.inside == 0) pthread_cond_wait(&self.changed, &self.mutex);
  pthread_mutex_unlock(&self.mutex);
  accel_fake_stop(&fake, true); /* the log is still called: nobody waits for it */
  accel_fake_start(&fake);
  assert_int_equal(number_cache_get(&self.cache, 5, &out), ACCEL_OK);
  pthread_mutex_lock(&self.mutex);
  assert_int_equal(self.inside, 1);
  self.is_open = true;
  pthread_cond_broadcast(&self.changed);
  pthread_mutex_unlock(&self.mutex);
  number_cache_close(&self.cache);
  assert_true(self.has_asked);
  assert_int_equal(self.inside, 4);
}

static void close_within_does_not_wait_for_a_log_for_ever(void **state)
{
  (void)state;
  gate self;
  memset(&self, 0, sizeof self);
  pthread_mutex_init(&self.mutex, NULL);
  pthread_cond_init(&self.changed, NULL);
  const accel_config config = {
      .area = "slow", .remote = &fake, .log = wait_at_gate, .log_ctx = &self};
  assert_int_equal(number_cache_open(&self.cache, &config), ACCEL_OK);
  accel_fake_stop(&fake, true);
  pthread_mutex_lock(&self.mutex);
  while (self.inside == 0) pthread_cond_wait(&self.changed, &self.mutex);
  pthread_mutex_unlock(&self.mutex);
  assert_int_equal(number_cache_close_within(&self.cache, 20), ACCEL_ERR_TIMEOUT);
  pthread_mutex_lock(&self.mutex);
  self.is_open = true;
  pthread_cond_broadcast(&self.changed);
  pthread_mutex_unlock(&self.mutex);
  assert_int_equal(number_cache_close_within(&self.cache, patience_ms()), ACCEL_OK);
  accel_fake_start(&fake);
}

static void leave_the_thread(void *ctx, const accel_log_record *record)
{
  (void)ctx;
  if (strcmp(record->op, "connection") == 0) pthread_exit(NULL);
}

static void a_log_may_end_its_thread(void **state)
{
  (void)state;
  number_cache own;
  const accel_config config = {.area = "left", .remote = &fake, .log = leave_the_thread};
  assert_int_equal(number_cache_open(&own, &config), ACCEL_OK);
  accel_fake_stop(&fake, true);
  accel_fake_start(&fake);
  number_cache_close(&own);
}

static void a_child_closes_what_its_parent_logs(void **state)
{
  (void)state;
  int ended;
  const pid_t child = fork();
  if (child == 0) {
    alarm(patience_ms() / 1000 + 1);
    number_cache_close(&cache);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

/* ---- a log that reads ---- */

static number_cache read_by_its_log;
static unsigned records;

static void log_by_reading(void *ctx, const accel_log_record *record)
{
  uint64_t out;
  (void)ctx, (void)record;
  if (records < 1000) records++;
  if (records < 1000) accel_ignore(number_cache_get(&read_by_its_log, 1000 + records, &out));
}

static unsigned spans_begun, spans_ended;

static void *span_by_reading(void *ctx, const char *name, const char *area)
{
  (void)name, (void)area;
  spans_begun++;
  log_by_reading(ctx, NULL);
  return NULL;
}

static void span_end(void *ctx, void *span, accel_status status)
{
  (void)ctx, (void)span, (void)status;
  spans_ended++;
}

/* Its own reads are not logged, and neither are they spans: there would be no end of it. */
static void a_log_may_read_what_is_missing(void **state)
{
  (void)state;
  uint64_t out;
  const accel_span_ops spans = {.begin = span_by_reading, .end = span_end};
  const accel_config config = {.area = "read", .log = log_by_reading, .spans = &spans};
  records = spans_begun = spans_ended = 0;
  assert_int_equal(number_cache_open(&read_by_its_log, &config), ACCEL_OK);
  assert_int_equal(number_cache_get(&read_by_its_log, 1, &out), ACCEL_MISS);
  assert_int_equal(records, 2); /* one record, and one span that read */
  assert_int_equal(spans_begun, 1);
  assert_int_equal(spans_ended, 1);
  number_cache_set_loader(&read_by_its_log, load, NULL);
  assert_int_equal(number_cache_get(&read_by_its_log, 2, &out), ACCEL_OK);
  assert_true(records < 20); /* those of the loads, on another thread, are among them */
  number_cache_close(&read_by_its_log);
}

#define LOG_TEST(function_) cmocka_unit_test_setup_teardown(function_, open_all, close_all)

int main(void)
{
  const struct CMUnitTest tests[] = {
      LOG_TEST(a_read_whose_l2_failed_says_so),
      LOG_TEST(a_read_that_went_well_says_as_much_as_ever),
      LOG_TEST(an_outage_does_not_flood_with_warnings),
      LOG_TEST(a_failure_names_its_key),
      LOG_TEST(a_long_key_is_cut),
      LOG_TEST(wrapped_reads_and_warmups_end_their_spans),
      LOG_TEST(each_change_is_one_record_in_order),
      LOG_TEST(what_is_left_at_close_is_told),
      LOG_TEST(an_overflow_is_told_once),
      LOG_TEST(flapping_does_not_flood),
      LOG_TEST(a_slow_log_keeps_nobody_and_close_waits_for_it),
      LOG_TEST(close_within_does_not_wait_for_a_log_for_ever),
      LOG_TEST(a_log_may_end_its_thread),
      LOG_TEST(a_child_closes_what_its_parent_logs),
      LOG_TEST(a_log_may_read_what_is_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

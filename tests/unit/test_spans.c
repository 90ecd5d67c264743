/* test_spans.c: which spans a cache makes, under which parents and with which attributes, and how
 * the trace context reaches loaders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"
#include "span_keeper.h"

#define CALLER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_fake fake;
static number_cache cache;
static span_keeper keeper;

/* What the loader saw. */
static struct {
  char traceparent[56], tracestate[64];
  pthread_t thread;
} seen;

static void see(void)
{
  accel_trace_get(seen.traceparent, sizeof seen.traceparent);
  accel_trace_get_state(seen.tracestate, sizeof seen.tracestate);
  seen.thread = pthread_self();
}

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  see();
  if (key == 99) pthread_exit(NULL);
  *out = key;
  return key == 13 ? (accel_status)-1013 : ACCEL_OK;
}

static void open_cache(bool is_in_caller, const accel_span_ops *spans)
{
  accel_config config = {.area = "numbers", .remote = &fake, .spans = spans};
  config.loader_timeout_ms = is_in_caller ? ACCEL_FOREVER : 60000;
  config.warmup_enabled = true;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load, NULL);
  memset(&seen, 0, sizeof seen);
}

static void close_cache(void)
{
  number_cache_close(&cache);
  accel_fake_close(&fake);
  accel_trace_set(NULL, NULL);
}

static int setup(void **state)
{
  (void)state;
  span_keeper_open(&keeper);
  return 0;
}

static void expect_names(const char *names)
{
  char text[400];
  span_keeper_names(&keeper, text, sizeof text);
  assert_string_equal(text, names);
  for (size_t i = 0; i < keeper.count; i++) assert_true(keeper.spans[i].is_ended);
  assert_false(keeper.is_odd);
}

static void expect_context(const char *traceparent)
{
  char text[56];
  accel_trace_get(text, sizeof text);
  assert_string_equal(text, traceparent);
}

static void expect_own(const kept_span *span, const char *traceparent)
{
  char text[56];
  const accel_trace before = accel_trace_current();
  accel_trace_enter(&span->own);
  accel_trace_get(text, sizeof text);
  accel_trace_enter(&before);
  assert_string_equal(traceparent, text);
}

/* On whichever thread a load runs, it is a child of the read that needed it. */
static void check_a_read(bool is_in_caller)
{
  uint64_t out;
  open_cache(is_in_caller, &keeper.ops);
  assert_true(accel_trace_set(CALLER, "rojo=1"));
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  expect_context(CALLER);
  number_cache_close(&cache); /* what the load still writes is done then */
  expect_names("cache.get GET SET cache.load SET ");
  const kept_span *read = span_keeper_find(&keeper, "cache.get", 0);
  const kept_span *loaded = span_keeper_find(&keeper, "cache.load", 0);
  expect_own(read, "00-0af7651916cd43dd8448eb211c80319c-0101010101010101-01");
  const accel_trace caller = accel_trace_current();
  assert_memory_equal(&read->parent, &caller, sizeof caller);
  assert_true(span_keeper_is_child(span_keeper_find(&keeper, "GET", 0), read));
  assert_true(span_keeper_is_child(span_keeper_find(&keeper, "SET", 0), read));
  assert_true(span_keeper_is_child(loaded, read));
  assert_true(span_keeper_is_child(span_keeper_find(&keeper, "SET", 1), read));
  expect_own(loaded, seen.traceparent);
  assert_string_equal(seen.tracestate, "rojo=1");
  assert_int_equal(!pthread_equal(seen.thread, pthread_self()), !is_in_caller);
  close_cache();
}

static void a_load_in_the_caller_is_a_child_of_its_read(void **state)
{
  (void)state;
  check_a_read(true);
}

static void a_load_on_another_thread_is_a_child_of_its_read(void **state)
{
  (void)state;
  check_a_read(false);
}

static void a_load_carries_the_context_where_there_are_no_spans(void **state)
{
  (void)state;
  uint64_t out, keys[2] = {3, 4}, values[2];
  open_cache(false, NULL);
  assert_true(accel_trace_set(CALLER, "rojo=1,congo=2"));
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  assert_string_equal(seen.traceparent, CALLER);
  assert_string_equal(seen.tracestate, "rojo=1,congo=2");
  assert_false(pthread_equal(seen.thread, pthread_self()));
  assert_true(accel_trace_set(NULL, NULL));
  assert_int_equal(number_cache_mget(&cache, keys, 2, NULL, values, NULL), ACCEL_OK);
  assert_string_equal(seen.traceparent, "");
  assert_string_equal(seen.tracestate, "");
  close_cache();
}

/* Without a context every operation is the root of a trace of its own. */
static void without_a_context_an_operation_is_a_root(void **state)
{
  (void)state;
  uint64_t out;
  open_cache(true, &keeper.ops);
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  assert_int_equal(number_cache_get(&cache, 8, &out), ACCEL_OK);
  const kept_span *first = span_keeper_find(&keeper, "cache.get", 0);
  const kept_span *second = span_keeper_find(&keeper, "cache.get", 1);
  assert_false(accel_trace_is_set(&first->parent));
  assert_false(accel_trace_is_set(&second->parent));
  assert_true(span_keeper_is_child(span_keeper_find(&keeper, "cache.load", 1), second));
  expect_context("");
  close_cache();
}

static void spans_that_leave_the_context_alone_still_come_in_pairs(void **state)
{
  (void)state;
  uint64_t out;
  keeper.leaves_context = true;
  open_cache(false, &keeper.ops);
  assert_true(accel_trace_set(CALLER, NULL));
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  assert_string_equal(seen.traceparent, CALLER);
  number_cache_close(&cache);
  expect_names("cache.get GET SET cache.load SET ");
  close_cache();
}

static void *read_to_the_end(void *unused)
{
  uint64_t out;
  accel_ignore(number_cache_get(&cache, 99, &out));
  return unused;
}

/* Spans are ended even if their thread ends within the loader. */
static void check_an_end(bool is_in_caller)
{
  pthread_t thread;
  open_cache(is_in_caller, &keeper.ops);
  assert_int_equal(pthread_create(&thread, NULL, read_to_the_end, NULL), 0);
  pthread_join(thread, NULL);
  number_cache_close(&cache);
  const kept_span *loaded = span_keeper_find(&keeper, "cache.load", 0);
  assert_int_equal(loaded->status, ACCEL_ERR_LOADER);
  assert_int_equal(span_keeper_find(&keeper, "cache.get", 0)->status, ACCEL_ERR_LOADER);
  for (size_t i = 0; i < keeper.count; i++) assert_true(keeper.spans[i].is_ended);
  assert_false(keeper.is_odd);
  close_cache();
}

static void a_thread_that_ends_in_a_loader_ends_its_spans(void **state)
{
  (void)state;
  check_an_end(true);
  span_keeper_clear(&keeper);
  check_an_end(false);
}

/* ---- attributes ---- */

static void expect_read(size_t n, const char *name, const char *notes)
{
  const kept_span *span = span_keeper_find(&keeper, name, n);
  assert_non_null(span);
  assert_string_equal(span->notes, notes);
}

static void a_read_notes_which_level_answered(void **state)
{
  (void)state;
  uint64_t out, keys[3] = {7, 8, 9}, values[3];
  const accel_read past_l1 = {.skip_local = true}, no_load = {.disable_load = true};
  open_cache(true, &keeper.ops);
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  assert_int_equal(number_cache_get_with(&cache, 7, &past_l1, &out), ACCEL_OK);
  assert_int_equal(number_cache_get_with(&cache, 8, &no_load, &out), ACCEL_MISS);
  assert_int_equal(number_cache_get(&cache, 13, &out), -1013);
  assert_int_equal(number_cache_mget(&cache, keys, 3, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(number_cache_mget(&cache, keys, 3, &past_l1, values, NULL), ACCEL_OK);
  expect_read(0, "cache.get", "accel.area=numbers;accel.keys=1;accel.hits=0;accel.source=loader;");
  expect_read(1, "cache.get", "accel.area=numbers;accel.keys=1;accel.hits=1;accel.source=remote;");
  expect_read(2, "cache.get", "accel.area=numbers;accel.keys=1;accel.hits=0;accel.source=none;");
  expect_read(3, "cache.get", "accel.area=numbers;accel.keys=1;accel.hits=0;accel.source=none;");
  assert_int_equal(span_keeper_find(&keeper, "cache.get", 3)->status, -1013);
  expect_read(0, "cache.mget", "accel.area=numbers;accel.keys=3;accel.hits=1;accel.source=loader;");
  expect_read(1, "cache.mget", "accel.area=numbers;accel.keys=3;accel.hits=3;accel.source=remote;");
  close_cache();
}

static void a_hit_is_noted_where_hits_are_traced(void **state)
{
  (void)state;
  uint64_t out;
  open_cache(true, &keeper.ops);
  number_cache_close(&cache);
  const accel_config config = {.area = "numbers", .spans = &keeper.ops, .trace_hits = true};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(number_cache_set(&cache, 7, &(uint64_t){1}), ACCEL_OK);
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  expect_read(0, "cache.get", "accel.area=numbers;accel.keys=1;accel.hits=1;accel.source=local;");
  close_cache();
}

static void writes_note_their_keys(void **state)
{
  (void)state;
  uint64_t keys[3] = {7, 8, 9};
  size_t loaded = 0;
  open_cache(true, &keeper.ops);
  assert_int_equal(number_cache_set(&cache, 7, &keys[0]), ACCEL_OK);
  assert_int_equal(number_cache_del(&cache, 7), ACCEL_OK);
  assert_int_equal(number_cache_mset(&cache, keys, keys, 3), ACCEL_OK);
  assert_int_equal(number_cache_mdel(&cache, keys, 3), ACCEL_OK);
  assert_int_equal(number_cache_clear(&cache), ACCEL_OK);
  expect_names("cache.set SET cache.del DEL cache.mset MSET cache.mdel MDEL cache.clear CLEAR ");
  expect_read(0, "cache.set", "accel.area=numbers;accel.keys=1;");
  expect_read(0, "cache.mdel", "accel.area=numbers;accel.keys=3;");
  expect_read(0, "cache.clear", "accel.area=numbers;");
  expect_read(0, "SET", "accel.area=numbers;db.system.name=fake;db.operation.name=SET;");
  for (size_t i = 0; i < keeper.count; i += 2) /* each operation, then its call to L2 */
    assert_true(span_keeper_is_child(&keeper.spans[i + 1], &keeper.spans[i]));
  assert_int_equal(number_cache_warmup(&cache, keys, 3, &loaded), ACCEL_OK);
  assert_int_equal(loaded, 3);
  expect_read(0, "cache.warmup", "accel.area=numbers;accel.keys=3;");
  close_cache();
}

static void a_failed_call_says_so(void **state)
{
  (void)state;
  uint64_t out, keys[2] = {1, 2};
  open_cache(true, &keeper.ops);
  accel_fake_fail(&fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_TIMEOUT, 1);
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  assert_int_equal(span_keeper_find(&keeper, "GET", 0)->status, ACCEL_ERR_TIMEOUT);
  assert_true(span_keeper_has(span_keeper_find(&keeper, "GET", 0), ";error.type=timeout;"));
  assert_int_equal(span_keeper_find(&keeper, "cache.get", 0)->status, ACCEL_OK);
  span_keeper_clear(&keeper);
  assert_true(accel_fake_fail_key(&fake, ACCEL_FAKE_PUT, "numbers:2", ACCEL_ERR_BACKEND, 1));
  assert_int_equal(number_cache_mset(&cache, keys, keys, 2), ACCEL_ERR_BACKEND);
  assert_int_equal(span_keeper_find(&keeper, "MSET", 0)->status, ACCEL_ERR_BACKEND);
  assert_true(span_keeper_has(span_keeper_find(&keeper, "MSET", 0), ";error.type=backend;"));
  close_cache();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_load_in_the_caller_is_a_child_of_its_read, setup),
      cmocka_unit_test_setup(a_load_on_another_thread_is_a_child_of_its_read, setup),
      cmocka_unit_test_setup(a_load_carries_the_context_where_there_are_no_spans, setup),
      cmocka_unit_test_setup(without_a_context_an_operation_is_a_root, setup),
      cmocka_unit_test_setup(spans_that_leave_the_context_alone_still_come_in_pairs, setup),
      cmocka_unit_test_setup(a_thread_that_ends_in_a_loader_ends_its_spans, setup),
      cmocka_unit_test_setup(a_read_notes_which_level_answered, setup),
      cmocka_unit_test_setup(a_hit_is_noted_where_hits_are_traced, setup),
      cmocka_unit_test_setup(writes_note_their_keys, setup),
      cmocka_unit_test_setup(a_failed_call_says_so, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

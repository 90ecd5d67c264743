/* test_spans.c: the spans of calls to a real Redis: which command, which server, which failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "one_server.h"
#include "patience.h"
#include "span_keeper.h"

#include <unistd.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

static accel_redis redis;
static number_cache cache;
static span_keeper keeper;

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key * 2;
  return ACCEL_OK;
}

static void await_ready(void)
{
  const uint64_t until_ms = accel_clock_deadline(patience_ms());
  accel_diagnostic seen = {.remote_ready = false};
  while (!seen.remote_ready && accel_clock_monotonic_ms() < until_ms) {
    number_cache_diagnostic_snapshot(&cache, &seen);
    usleep(1000);
  }
  assert_true(seen.remote_ready);
}

static void open_cache(const char *url, bool no_broadcast)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = patience_ms()};
  span_keeper_open(&keeper);
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "numbers",
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .no_broadcast = no_broadcast,
                               .remote = &redis,
                               .spans = &keeper.ops};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load, NULL);
}

static void close_cache(void)
{
  number_cache_close(&cache);
  accel_redis_close(&redis);
  assert_false(keeper.is_odd);
}

static void expect_names(const char *names)
{
  char text[400];
  span_keeper_names(&keeper, text, sizeof text);
  assert_string_equal(text, names);
  span_keeper_clear(&keeper);
}

static void calls_are_named_by_their_commands(void **state)
{
  (void)state;
  uint64_t out, keys[3] = {1, 2, 3}, values[3] = {2, 4, 6};
  open_cache(server.url, false);
  await_ready();
  assert_int_equal(number_cache_get(&cache, 9, &out), ACCEL_OK);
  expect_names("cache.get GET SET cache.load EVALSHA ");
  assert_int_equal(number_cache_mget(&cache, keys, 3, NULL, values, NULL), ACCEL_OK);
  expect_names("cache.mget MGET PIPELINE SET cache.load PIPELINE EVALSHA ");
  assert_int_equal(number_cache_set(&cache, 1, values), ACCEL_OK);
  assert_int_equal(number_cache_del(&cache, 1), ACCEL_OK);
  expect_names("cache.set MULTI cache.del MULTI ");
  assert_int_equal(number_cache_mset(&cache, keys, values, 3), ACCEL_OK);
  assert_true(
      span_keeper_has(span_keeper_find(&keeper, "MULTI", 0), ";db.operation.batch.size=3;"));
  assert_int_equal(number_cache_clear(&cache), ACCEL_OK);
  expect_names("cache.mset MULTI cache.clear SCAN ");
  close_cache();
}

static void without_messages_a_write_is_its_own_command(void **state)
{
  (void)state;
  uint64_t keys[3] = {1, 2, 3};
  open_cache(server.url, true);
  await_ready();
  assert_int_equal(number_cache_set(&cache, 1, keys), ACCEL_OK);
  assert_int_equal(number_cache_mset(&cache, keys, keys, 3), ACCEL_OK);
  assert_int_equal(number_cache_del(&cache, 1), ACCEL_OK);
  assert_int_equal(number_cache_mdel(&cache, keys, 3), ACCEL_OK);
  expect_names(
      "cache.set SET cache.mset PIPELINE SET cache.del UNLINK cache.mdel PIPELINE UNLINK ");
  close_cache();
}

static void a_call_notes_its_server(void **state)
{
  (void)state;
  uint64_t out, keys[2] = {1, 2}, values[2];
  char where[300];
  open_cache(server.url, false);
  await_ready();
  assert_int_equal(number_cache_get(&cache, 5, &out), ACCEL_OK);
  assert_int_equal(number_cache_mget(&cache, keys, 2, NULL, values, NULL), ACCEL_OK);
  snprintf(where, sizeof where,
           "accel.area=numbers;db.system.name=redis;db.operation.name=GET;"
           "server.address=127.0.0.1;server.port=%d;",
           server.port);
  assert_string_equal(span_keeper_find(&keeper, "GET", 0)->notes, where);
  snprintf(where, sizeof where,
           "accel.area=numbers;db.system.name=redis;db.operation.name=MGET;"
           "server.address=127.0.0.1;server.port=%d;",
           server.port);
  assert_string_equal(span_keeper_find(&keeper, "MGET", 0)->notes, where);
  close_cache();
}

/* The key holds a list: a miss for the cache, an error for whoever looks at the server. */
static void an_error_reply_is_noted_by_its_first_word(void **state)
{
  (void)state;
  uint64_t out;
  char reply[64];
  assert_true(redis_server_ask(&server, "RPUSH numbers:7 x", reply, sizeof reply));
  open_cache(server.url, false);
  await_ready();
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  const kept_span *call = span_keeper_find(&keeper, "GET", 0);
  assert_int_equal(call->status, ACCEL_ERR_BACKEND);
  assert_true(span_keeper_has(call, ";db.response.status_code=WRONGTYPE;error.type=WRONGTYPE;"));
  assert_int_equal(span_keeper_find(&keeper, "cache.get", 0)->status, ACCEL_OK);
  close_cache();
}

static void a_server_that_is_gone_is_noted_all_the_same(void **state)
{
  (void)state;
  uint64_t out;
  open_cache("redis://127.0.0.1:1", false);
  assert_int_equal(number_cache_get(&cache, 7, &out), ACCEL_OK);
  const kept_span *call = span_keeper_find(&keeper, "GET", 0);
  assert_true(accel_failed(call->status));
  assert_true(span_keeper_has(call, ";server.address=127.0.0.1;server.port=1;error.type="));
  assert_false(span_keeper_has(call, "status_code"));
  close_cache();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_are_named_by_their_commands),
      cmocka_unit_test(without_messages_a_write_is_its_own_command),
      cmocka_unit_test(a_call_notes_its_server),
      cmocka_unit_test(an_error_reply_is_noted_by_its_first_word),
      cmocka_unit_test(a_server_that_is_gone_is_noted_all_the_same),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

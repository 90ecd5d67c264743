/* test_log.c: what a program's log says when a real server dies, stands still, returns, or drops
 * the channel. Records are counted; nothing here depends on how fast they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "log_keeper.h"
#include "redis_server.h"

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

static redis_server server;
static accel_redis redis;
static number_cache cache;
static log_keeper keeper;
static char address[64];

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key * 2;
  return ACCEL_OK;
}

static void open_cache(const char *url)
{
  log_keeper_open(&keeper);
  const accel_redis_config where = {.url = url, .command_timeout_ms = 20};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "numbers",
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .remote = &redis,
                               .log = log_keep,
                               .log_ctx = &keeper};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load, NULL);
}

static void close_cache(void)
{
  number_cache_close(&cache);
  accel_redis_close(&redis);
  assert_false(keeper.is_odd);
}

static int start_server(void **state)
{
  (void)state;
  if (!redis_server_start(&server, NULL)) return -1;
  snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
  return 0;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

/* Until the channel has come up so often, which is the last that follows a connection. */
static void await_up(unsigned times)
{
  const uint64_t until_ms = accel_clock_deadline(patience_ms());
  accel_diagnostic seen = {.remote_ready = false};
  assert_true(log_keeper_comes_to(&keeper, "channel", "up", times));
  while (!seen.remote_ready && accel_clock_monotonic_ms() < until_ms) {
    number_cache_diagnostic_snapshot(&cache, &seen);
    usleep(1000);
  }
  assert_true(seen.remote_ready);
}

static void read_past_l1(uint64_t key)
{
  const accel_read read = {.skip_local = true};
  uint64_t out = 0;
  assert_int_equal(number_cache_get_with(&cache, key, &read, &out), ACCEL_OK);
  assert_int_equal(out, key * 2);
}

/* ---- a server that dies and returns ---- */

static void a_death_and_a_return_are_one_record_each(void **state)
{
  (void)state;
  char story[64];
  log_kept last;
  open_cache(server.url);
  await_up(1);
  for (unsigned round = 1; round <= 2; round++) {
    redis_server_kill(&server);
    assert_true(log_keeper_comes_to(&keeper, "connection", "down", round));
    assert_true(log_keeper_comes_to(&keeper, "channel", "down", round));
    log_keeper_count(&keeper, "connection", "down", &last);
    assert_int_equal(last.level, ACCEL_LOG_WARNING);
    assert_non_null(strstr(last.message, address));
    log_keeper_count(&keeper, "channel", "down", &last);
    assert_true(strlen(last.message) > strlen("changes by other processes may not be heard of: "));
    read_past_l1(round);
    assert_int_equal(log_keeper_count(&keeper, "get", "degraded_some", &last), round);
    assert_true(last.message[0] != '\0');
    assert_true(redis_server_restart(&server));
    await_up(round + 1);
  }
  close_cache();
  /* Whether the first connection was there before the cache was is chance. */
  log_keeper_story(&keeper, "connection", story, sizeof story);
  assert_string_equal(story[0] == 'u' ? story + 1 : story, "dudu");
  log_keeper_story(&keeper, "channel", story, sizeof story);
  assert_string_equal(story, "ududu");
}

static void a_server_that_is_absent_is_told_to_later_caches(void **state)
{
  (void)state;
  char url[96];
  log_kept last;
  snprintf(url, sizeof url, "redis://127.0.0.1:%d", redis_server_free_port());
  const accel_redis_config where = {.url = url};
  number_cache early, late;
  log_keeper other;
  log_keeper_open(&keeper);
  log_keeper_open(&other);
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  accel_config config = {.area = "early", .remote = &redis, .log = log_keep, .log_ctx = &keeper};
  assert_int_equal(number_cache_open(&early, &config), ACCEL_OK);
  assert_true(log_keeper_comes_to(&keeper, "connection", "down", 1));
  config.area = "late";
  config.log_ctx = &other;
  assert_int_equal(number_cache_open(&late, &config), ACCEL_OK);
  assert_true(log_keeper_comes_to(&other, "connection", "down", 1));
  assert_true(log_keeper_comes_to(&other, "channel", "down", 1));
  log_keeper_count(&other, "connection", "down", &last);
  assert_non_null(strstr(last.message, url + strlen("redis://")));
  number_cache_close(&early);
  number_cache_close(&late);
  accel_redis_close(&redis);
  assert_int_equal(log_keeper_count(&keeper, "connection", "", NULL), 1);
  assert_int_equal(log_keeper_count(&keeper, "channel", "", NULL), 1);
}

/* ---- a server that stands still ---- */

/* A breaker opens; it may be tried and open again; in the end it is closed. */
static void expect_story_of_breaker(const char *story)
{
  assert_int_equal(story[0], 'o');
  assert_int_equal(story[strlen(story) - 1], 'c');
  for (const char *at = story; at[1] != '\0'; at++) {
    if (*at == 'o') assert_int_equal(at[1], 'h');
    if (*at == 'h') assert_true(at[1] == 'c' || at[1] == 'o');
    if (*at == 'c') assert_int_equal(at[1], 'o');
  }
}

static void a_server_that_stands_still_opens_the_breaker(void **state)
{
  (void)state;
  char story[256];
  log_kept last;
  unsigned freezes = 0;
  open_cache(server.url);
  const uint64_t until_ms = accel_clock_deadline(patience_ms());
  /* On a busy machine its silence may break the connection before five calls have failed. */
  while (log_keeper_count(&keeper, "breaker", "open", NULL) == 0) {
    await_up(freezes + 1);
    const unsigned downs = log_keeper_count(&keeper, "connection", "down", NULL);
    redis_server_freeze(&server);
    freezes++;
    for (uint64_t key = 0; log_keeper_count(&keeper, "breaker", "open", NULL) == 0 &&
                           log_keeper_count(&keeper, "connection", "down", NULL) == downs;
         key++) {
      assert_true(accel_clock_monotonic_ms() < until_ms);
      read_past_l1(key % 16);
    }
    assert_true(log_keeper_comes_to(&keeper, "channel", "down", freezes));
    redis_server_thaw(&server);
  }
  log_keeper_count(&keeper, "breaker", "open", &last);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_non_null(strstr(last.message, address));
  for (uint64_t key = 0; log_keeper_count(&keeper, "breaker", "closed", NULL) == 0; key++) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    read_past_l1(key % 16);
    usleep(1000);
  }
  await_up(freezes + 1);
  close_cache();
  log_keeper_story(&keeper, "breaker", story, sizeof story);
  expect_story_of_breaker(story);
  assert_int_equal(log_keeper_count(&keeper, "channel", "down", NULL), freezes);
}

/* ---- the channel alone ---- */

static void a_channel_that_is_killed_is_told_with_its_reason(void **state)
{
  (void)state;
  char reply[256];
  log_kept last;
  open_cache(server.url);
  await_up(1);
  const unsigned connections = log_keeper_count(&keeper, "connection", "", NULL);
  assert_true(redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply));
  assert_true(log_keeper_comes_to(&keeper, "channel", "down", 1));
  log_keeper_count(&keeper, "channel", "down", &last);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  assert_non_null(strstr(last.message, "connection lost"));
  await_up(2);
  close_cache();
  assert_int_equal(log_keeper_count(&keeper, "channel", "", NULL), 3);
  assert_int_equal(log_keeper_count(&keeper, "connection", "", NULL), connections);
}

static void a_channel_that_is_refused_says_why(void **state)
{
  (void)state;
  char url[128], reply[256];
  log_kept last;
  assert_true(redis_server_ask(&server, "ACL SETUSER deaf on >hush ~* +@all -subscribe allchannels",
                               reply, sizeof reply));
  assert_int_equal(reply[0], '+');
  snprintf(url, sizeof url, "redis://deaf:hush@%s", address);
  open_cache(url);
  assert_true(log_keeper_comes_to(&keeper, "channel", "down", 1));
  log_keeper_count(&keeper, "channel", "down", &last);
  assert_non_null(strstr(last.message, "NOPERM"));
  assert_null(strstr(last.message, "hush"));
  close_cache();
  assert_int_equal(log_keeper_count(&keeper, "channel", "", NULL), 1);
}

/* ---- what is not told ---- */

static void no_record_holds_a_password(void **state)
{
  (void)state;
  char url[128];
  snprintf(url, sizeof url, "redis://nobody:s3cret-w0rd@%s", address);
  open_cache(url);
  assert_true(log_keeper_comes_to(&keeper, "connection", "down", 1));
  read_past_l1(1);
  close_cache();
  assert_true(keeper.count >= 3);
  for (size_t i = 0; i < keeper.count; i++)
    assert_null(strstr(keeper.records[i].message, "s3cret-w0rd"));
}

static void an_unused_server_tells_nothing_at_close(void **state)
{
  (void)state;
  open_cache(server.url);
  await_up(1);
  close_cache();
  assert_int_equal(log_keeper_count(&keeper, "channel", "", NULL), 1);
  assert_true(log_keeper_count(&keeper, "connection", "", NULL) <= 1);
  assert_int_equal(log_keeper_count(&keeper, "breaker", "", NULL), 0);
}

static void nobody_knows_the_servers(void **state)
{
  (void)state;
  char url[128];
  log_kept last;
  snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/master", redis_server_free_port());
  open_cache(url);
  assert_true(log_keeper_comes_to(&keeper, "servers", "lost", 1));
  log_keeper_count(&keeper, "servers", "lost", &last);
  assert_int_equal(last.level, ACCEL_LOG_WARNING);
  close_cache();
  assert_int_equal(log_keeper_count(&keeper, "servers", "", NULL), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_death_and_a_return_are_one_record_each),
      cmocka_unit_test(a_server_that_is_absent_is_told_to_later_caches),
      cmocka_unit_test(a_server_that_stands_still_opens_the_breaker),
      cmocka_unit_test(a_channel_that_is_killed_is_told_with_its_reason),
      cmocka_unit_test(a_channel_that_is_refused_says_why),
      cmocka_unit_test(no_record_holds_a_password),
      cmocka_unit_test(an_unused_server_tells_nothing_at_close),
      cmocka_unit_test(nobody_knows_the_servers),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

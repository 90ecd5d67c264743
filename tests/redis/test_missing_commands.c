/* Servers that lack commands, or forbid them: nothing breaks, what is lost is said by name, and
 * what can be done without is done. Real servers: commands renamed away, and users who may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "redis_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(entry, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { WAIT_MS = 20000, KEYS = 20 };

static redis_server server;
static unsigned loads;

/* Two processes, as far as L2 knows, and what each holds. */
typedef struct pair {
  accel_redis redis;
  entry_cache one, other;
} pair;

static accel_status load_entry(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  loads++;
  *out = key + 1;
  return ACCEL_OK;
}

static void open_cache(entry_cache *cache, accel_redis *redis)
{
  const accel_config config = {.area = "lacks", .loader_timeout_ms = 5000, .remote = redis};
  assert_int_equal(entry_cache_open(cache, &config), ACCEL_OK);
  entry_cache_set_loader(cache, load_entry, NULL);
}

/* A server without these commands: renamed away, or forbidden to its user. */
static void open_without(pair *self, const char *const *names, bool is_forbidden, bool is_tracking)
{
  char options[400] = "", url[96];
  size_t size = 0;
  if (is_forbidden)
    size = (size_t)snprintf(options, sizeof options, "user anna on >pw ~* &* +@all");
  for (; *names != NULL; names++)
    size += (size_t)snprintf(options + size, sizeof options - size,
                             is_forbidden ? " -%s" : "rename-command %s \"\"\n", *names);
  assert_true(redis_server_start(&server, options));
  snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", is_forbidden ? "anna:pw@" : "", server.port);
  const accel_redis_config where = {.url = url,
                                    .command_timeout_ms = 5000,
                                    .coherence = is_tracking ? ACCEL_TRACKING : ACCEL_PUBSUB};
  assert_int_equal(accel_redis_open(&self->redis, &where), ACCEL_OK);
  open_cache(&self->one, &self->redis);
  open_cache(&self->other, &self->redis);
  loads = 0;
}

static void close_pair(pair *self)
{
  entry_cache_close(&self->one);
  entry_cache_close(&self->other);
  accel_redis_close(&self->redis);
  redis_server_stop(&server);
}

static bool is_up(entry_cache *cache)
{
  accel_diagnostic seen;
  entry_cache_diagnostic_snapshot(cache, &seen);
  return seen.channel_up;
}

static void await_up(pair *self)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (!is_up(&self->one) || !is_up(&self->other)) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
}

static void says(const char *text, const char *words)
{
  if (strstr(text, words) == NULL) fail_msg("\"%s\" without \"%s\"", text, words);
}

/* Both ping and the cache. */
static void is_told(pair *self, const char *words)
{
  accel_diagnostic seen;
  const accel_status status = accel_redis_ping(&self->redis);
  if (words == NULL && status != ACCEL_OK) fail_msg("%s", accel_redis_last_error(&self->redis));
  assert_int_equal(status, words == NULL ? ACCEL_OK : ACCEL_ERR_BACKEND);
  entry_cache_diagnostic_snapshot(&self->one, &seen);
  if (words == NULL) assert_string_equal(seen.channel_error, "");
  if (words == NULL) return;
  says(accel_redis_last_error(&self->redis), words);
  says(seen.channel_error, words);
}

static unsigned loads_of(entry_cache *cache, uint64_t from)
{
  const unsigned before = loads;
  for (uint64_t key = from; key < from + KEYS; key++) {
    uint64_t value = 0;
    assert_int_equal(entry_cache_get(cache, key, &value), ACCEL_OK);
    assert_int_equal(value, key + 1);
  }
  return loads - before;
}

static bool is_in_remote(uint64_t key)
{
  char command[64], reply[64];
  snprintf(command, sizeof command, "EXISTS lacks:%u", (unsigned)key);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  return strncmp(reply, ":1", 2) == 0;
}

static void await_out_of_local(entry_cache *cache, uint64_t key)
{
  const accel_read read = {.skip_remote = true, .disable_load = true};
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  uint64_t value;
  while (entry_cache_get_with(cache, key, &read, &value) == ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
}

/* ---- what another command does as well ---- */

static void all_works_without(const char *name, bool is_forbidden)
{
  pair self;
  uint64_t keys[KEYS], values[KEYS];
  open_without(&self, (const char *const[]){name, NULL}, is_forbidden, false);
  await_up(&self);
  is_told(&self, NULL);
  assert_int_equal(loads_of(&self.one, 0), KEYS);
  assert_int_equal(loads_of(&self.other, 0), 0);
  for (uint64_t i = 0; i < KEYS; i++) values[i] = (keys[i] = 100 + i) + 1;
  assert_int_equal(entry_cache_mset(&self.one, keys, values, KEYS), ACCEL_OK);
  assert_int_equal(entry_cache_mget(&self.other, keys, KEYS, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(loads, KEYS);
  assert_int_equal(entry_cache_del(&self.one, 3), ACCEL_OK);
  assert_false(is_in_remote(3));
  await_out_of_local(&self.other, 3);
  assert_int_equal(entry_cache_clear(&self.one), ACCEL_OK);
  assert_false(is_in_remote(100));
  is_told(&self, NULL);
  close_pair(&self);
}

static void what_others_do_is_not_missed(void **state)
{
  static const char *const names[] = {"UNLINK", "MGET", "EVALSHA", "TIME", "CLIENT", "SELECT"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) all_works_without(names[i], false);
  all_works_without("unlink", true);
  all_works_without("evalsha", true);
  all_works_without("mget", true);
}

/* ---- without MULTI ---- */

/* A del works, a set only removes the key, other processes receive a message for each, and no
 * connection is lost. */
static void writes_without(const char *const *names, const char *words, bool is_forbidden,
                           bool pings)
{
  pair self;
  const uint64_t value = 9;
  open_without(&self, names, is_forbidden, false);
  await_up(&self);
  assert_int_equal(loads_of(&self.one, 0), KEYS);
  assert_int_equal(loads_of(&self.other, 0), 0);
  const long before = redis_server_connections(&server);
  if (pings) is_told(&self, words);
  for (uint64_t key = 0; key < KEYS / 2; key++) {
    assert_int_equal(entry_cache_del(&self.one, key), ACCEL_OK);
    assert_false(is_in_remote(key));
    await_out_of_local(&self.other, key);
  }
  for (uint64_t key = KEYS / 2; key < KEYS; key++) {
    assert_int_equal(entry_cache_set(&self.one, key, &value), ACCEL_ERR_BACKEND);
    says(entry_cache_last_error(&self.one), words);
    assert_false(is_in_remote(key));
    await_out_of_local(&self.other, key);
  }
  assert_int_equal(entry_cache_clear(&self.one), ACCEL_OK);
  is_told(&self, words);
  accel_diagnostic seen;
  entry_cache_diagnostic_snapshot(&self.one, &seen);
  assert_int_equal(seen.repairs, 0);
  assert_int_equal(seen.metrics.remote_hit + seen.metrics.remote_miss, KEYS);
  /* What asked the server here had one each; INFO the second, EXISTS the others. */
  assert_int_equal(redis_server_connections(&server) - before, 1 + KEYS);
  close_pair(&self);
}

static void without_transactions_writes_break_nothing(void **state)
{
  static const char *const both[] = {"MULTI", "EXEC", NULL}, *const multi[] = {"MULTI", NULL};
  (void)state;
  writes_without(both, "(sets only remove)", false, false);
  writes_without(both, "MULTI (sets only remove), EXEC (sets only remove)", false, true);
  writes_without(multi, "(sets only remove)", false, false);
  writes_without(multi, "(sets only remove)", true, false);
  writes_without((const char *const[]){"EXEC", NULL}, "EXEC (sets only remove)", false, true);
  writes_without((const char *const[]){"EXEC", NULL}, "EXEC (sets only remove)", true, true);
}

/* What MULTI began nothing ends: the first write costs the connection, the others do not. */
static void without_exec_one_write_is_lost(void **state)
{
  pair self;
  (void)state;
  open_without(&self, (const char *const[]){"EXEC", NULL}, false, false);
  await_up(&self);
  unsigned failed = 0;
  for (uint64_t key = 0; key < KEYS; key++) {
    failed += entry_cache_del(&self.one, key) != ACCEL_OK;
    const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
    accel_diagnostic seen;
    do {
      entry_cache_diagnostic_snapshot(&self.one, &seen);
      assert_true(accel_clock_monotonic_ms() < until_ms);
    } while (!seen.remote_ready);
  }
  assert_int_equal(failed, 1);
  close_pair(&self);
}

/* The process that would be told is not, and the write says so; yet nobody reads the old value in
 * L2. */
static void without_publish_nobody_is_told(bool is_forbidden)
{
  pair self;
  open_without(&self, (const char *const[]){"PUBLISH", NULL}, is_forbidden, false);
  assert_int_equal(loads_of(&self.one, 0), KEYS);
  is_told(&self, "PUBLISH (changes are told to nobody)");
  assert_int_equal(entry_cache_del(&self.one, 1), ACCEL_ERR_BACKEND);
  assert_false(is_in_remote(1));
  close_pair(&self);
}

static void without_publish_writes_remove(void **state)
{
  (void)state;
  without_publish_nobody_is_told(false);
  without_publish_nobody_is_told(true);
}

/* ---- without scripts ---- */

static void loads_without(const char *const *names, const char *words, bool is_forbidden)
{
  pair self;
  accel_diagnostic seen;
  open_without(&self, names, is_forbidden, false);
  await_up(&self);
  /* The first load shows it. */
  uint64_t value = 0;
  assert_int_equal(entry_cache_get(&self.one, 1000, &value), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  do {
    entry_cache_diagnostic_snapshot(&self.one, &seen);
    assert_true(accel_clock_monotonic_ms() < until_ms);
  } while (seen.metrics.remote_errors == 0);
  if (strstr(words, "GETRANGE") == NULL) says(seen.channel_error, words);
  is_told(&self, words);
  /* No lease is left for others to wait for. */
  assert_int_equal(loads_of(&self.one, 0), KEYS);
  assert_int_equal(loads_of(&self.other, 0), KEYS);
  for (uint64_t key = 0; key < KEYS; key++) assert_false(is_in_remote(key));
  /* Sets are stored all the same. */
  value = 5;
  assert_int_equal(entry_cache_set(&self.one, 1, &value), ACCEL_OK);
  assert_true(is_in_remote(1));
  close_pair(&self);
}

static void without_scripts_loads_are_not_stored(void **state)
{
  static const char *const both[] = {"EVAL", "EVALSHA", NULL}, *const eval[] = {"EVAL", NULL},
                           *const range[] = {"GETRANGE", NULL};
  (void)state;
  loads_without(both, "EVAL (loads are not stored)", false);
  loads_without(both, "EVAL (loads are not stored)", true);
  loads_without(eval, "EVAL (loads are not stored)", false);
  loads_without(range, "GETRANGE (loads are not stored)", false);
}

/* ---- the others ---- */

static void ping_names_what_is_missing(void **state)
{
  static const struct {
    const char *name, *words;
  } cases[] = {
      {"GET", "GET (nothing is read)"},
      {"SET", "SET (nothing is stored)"},
      {"SCAN", "SCAN (clears fail)"},
      {"SUBSCRIBE", "subscribe"},
  };
  (void)state;
  for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
    pair self;
    open_without(&self, (const char *const[]){cases[i / 2].name, NULL}, i % 2 == 1, false);
    const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
    while (accel_redis_ping(&self.redis) == ACCEL_OK) {
      assert_true(accel_clock_monotonic_ms() < until_ms);
      usleep(1000);
    }
    const bool is_of_listener = strcmp(cases[i / 2].name, "SUBSCRIBE") == 0;
    is_told(&self, is_of_listener && i % 2 == 0 ? "SUBSCRIBE" : cases[i / 2].words);
    close_pair(&self);
  }
}

/* What is granted again is used again, as soon as somebody asks. */
static void what_is_granted_is_not_held_against_it(void **state)
{
  pair self;
  char reply[64];
  (void)state;
  open_without(&self, (const char *const[]){"MULTI", "EVAL", NULL}, true, false);
  await_up(&self);
  is_told(&self, "the server refuses MULTI (sets only remove), EVAL (loads are not stored)");
  assert_true(redis_server_ask(&server, "ACL SETUSER anna +@all", reply, sizeof reply));
  is_told(&self, NULL);
  const uint64_t value = 2;
  assert_int_equal(entry_cache_set(&self.one, 1, &value), ACCEL_OK);
  assert_true(is_in_remote(1));
  assert_int_equal(loads_of(&self.one, 100), KEYS);
  assert_int_equal(loads_of(&self.other, 100), 0);
  close_pair(&self);
}

static void tracking_works_without_blocks(void **state)
{
  static const char *const names[] = {"MULTI", "RENAME"};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    pair self;
    open_without(&self, (const char *const[]){names[i], NULL}, false, true);
    await_up(&self);
    is_told(&self, names[i]);
    assert_int_equal(loads_of(&self.one, 0), KEYS);
    for (uint64_t key = 0; key < KEYS; key++) assert_true(is_in_remote(key));
    close_pair(&self);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_others_do_is_not_missed),
      cmocka_unit_test(without_transactions_writes_break_nothing),
      cmocka_unit_test(without_exec_one_write_is_lost),
      cmocka_unit_test(without_publish_writes_remove),
      cmocka_unit_test(without_scripts_loads_are_not_stored),
      cmocka_unit_test(ping_names_what_is_missing),
      cmocka_unit_test(what_is_granted_is_not_held_against_it),
      cmocka_unit_test(tracking_works_without_blocks),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

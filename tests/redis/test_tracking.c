/* coherence = ACCEL_TRACKING on a real server: changes that no cache made reach L1, own ones do not
 * come back, and what the server refuses is said by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/codec.h"
#include "accel_backends/redis.h"
#include "one_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(entry, uint64_t, uint64_t, .remote = &accel_redis_ops)
ACCEL_DEFINE_STR_WITH(page, uint64_t, .remote = &accel_redis_ops)

enum { WAIT_MS = 5000, KEYS = 200 };

typedef struct process {
  accel_redis redis;
  entry_cache cache;
} process;

static accel_status load_entry(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key + 1;
  return ACCEL_OK;
}

static bool is_up(process *self)
{
  accel_diagnostic seen;
  entry_cache_diagnostic_snapshot(&self->cache, &seen);
  return seen.channel_up;
}

static void await_up(process *self)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (!is_up(self)) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(500);
  }
}

static void open_as(process *self, const char *url, const char *area,
                    accel_redis_coherence coherence)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000, .coherence = coherence};
  const accel_config config = {.area = area,
                               .local_ttl_ms = ACCEL_FOREVER,
                               .degraded_ttl_ms = ACCEL_FOREVER,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .remote = &self->redis};
  assert_int_equal(accel_redis_open(&self->redis, &where), ACCEL_OK);
  assert_int_equal(entry_cache_open(&self->cache, &config), ACCEL_OK);
  entry_cache_set_loader(&self->cache, load_entry, NULL);
}

static void open_at(process *self, const char *url, const char *area)
{
  open_as(self, url, area, ACCEL_TRACKING);
}

static void open_up(process *self, const char *area)
{
  open_at(self, server.url, area);
  await_up(self);
}

static void close_all(process *self)
{
  entry_cache_close(&self->cache);
  accel_redis_close(&self->redis);
}

static void ask_server(const char *format, unsigned number)
{
  char command[128], reply[128];
  snprintf(command, sizeof command, format, number);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  if (reply[0] == '-') fail_msg("%s: %s", command, reply);
}

static bool is_in_local(process *self, uint64_t key)
{
  uint64_t value;
  const accel_read read = {.skip_remote = true, .disable_load = true};
  return entry_cache_get_with(&self->cache, key, &read, &value) == ACCEL_OK;
}

static bool all_in_local(process *self)
{
  for (uint64_t key = 0; key < KEYS; key++)
    if (!is_in_local(self, key)) return false;
  return true;
}

/* Until all of them stay in L1. */
static void load_all(process *self)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  do {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    for (uint64_t key = 0; key < KEYS; key++) {
      uint64_t value = 0;
      assert_int_equal(entry_cache_get(&self->cache, key, &value), ACCEL_OK);
      assert_int_equal(value, key + 1);
    }
    usleep(50000);
  } while (!all_in_local(self));
}

static void await_out_of_local(process *self, uint64_t key)
{
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (is_in_local(self, key)) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(200);
  }
}

static uint64_t heard(const process *self)
{
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self->cache, &metrics);
  return metrics.invalidation_receive;
}

/* What a set or a load stored stays in L1, and nothing is heard of it. */
static void own_changes_do_not_come_back(void **state)
{
  (void)state;
  process self;
  open_up(&self, "own");
  uint64_t keys[KEYS], values[KEYS];
  for (uint64_t i = 0; i < KEYS; i++) values[i] = (keys[i] = i) + 1;
  assert_int_equal(entry_cache_mset(&self.cache, keys, values, KEYS), ACCEL_OK);
  assert_int_equal(entry_cache_set(&self.cache, 3, &values[3]), ACCEL_OK);
  assert_int_equal(entry_cache_del(&self.cache, 4), ACCEL_OK);
  usleep(100000);
  assert_int_equal(heard(&self), 0);
  for (uint64_t key = 0; key < KEYS; key++) assert_int_equal(is_in_local(&self, key), key != 4);

  assert_int_equal(entry_cache_mdel(&self.cache, keys, KEYS), ACCEL_OK);
  load_all(&self);
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self.cache, &metrics);
  assert_int_equal(metrics.load_total, KEYS);
  usleep(100000);
  assert_int_equal(heard(&self), 0);
  assert_true(all_in_local(&self));
  close_all(&self);
}

/* How many of so many keys L2 and the loader were asked for by one read of each. */
typedef struct round_cost {
  uint64_t remote, loads;
} round_cost;

static round_cost read_round(process *self, uint64_t first, uint64_t count)
{
  accel_metrics before, after;
  entry_cache_metrics_snapshot(&self->cache, &before);
  for (uint64_t key = first; key < first + count; key++) {
    uint64_t value = 0;
    assert_int_equal(entry_cache_get(&self->cache, key, &value), ACCEL_OK);
    assert_int_equal(value, key + 1);
  }
  entry_cache_metrics_snapshot(&self->cache, &after);
  usleep(100000); /* what comes back has come */
  return (round_cost){after.remote_hit - before.remote_hit, after.load_total - before.load_total};
}

/* Neither a load nor a set costs this process a second read of L2. */
static void what_was_loaded_or_set_stays_in_local(void **state)
{
  enum { LOADS = 1000 };
  process self;
  (void)state;
  open_up(&self, "costs");
  const round_cost first = read_round(&self, 0, LOADS);
  const round_cost second = read_round(&self, 0, LOADS);
  print_message("%d loads: %u loads and %u reads of L2 the second time\n", LOADS,
                (unsigned)second.loads, (unsigned)second.remote);
  assert_int_equal(first.loads, LOADS);
  assert_int_equal(second.loads + second.remote, 0);
  for (uint64_t key = LOADS; key < 2 * LOADS; key++) {
    const uint64_t value = key + 1;
    assert_int_equal(entry_cache_set(&self.cache, key, &value), ACCEL_OK);
  }
  usleep(100000);
  const round_cost set = read_round(&self, LOADS, LOADS);
  assert_int_equal(set.loads + set.remote, 0);
  close_all(&self);
}

static void changes_by_others_are_heard(void **state)
{
  (void)state;
  process self, other;
  open_up(&self, "by.others");
  open_up(&other, "by.others");
  load_all(&self);
  ask_server("SET by.others:%u foreign", 1);
  await_out_of_local(&self, 1);
  ask_server("DEL by.others:%u", 2);
  await_out_of_local(&self, 2);
  ask_server("PEXPIRE by.others:%u 20", 3);
  await_out_of_local(&self, 3);
  const uint64_t value = 9;
  assert_int_equal(entry_cache_set(&other.cache, 4, &value), ACCEL_OK);
  await_out_of_local(&self, 4);
  assert_true(is_in_local(&self, 5));
  ask_server("SET by.others.too:%u other", 5); /* another area's */
  ask_server("SET by.others:%u foreign", 6);
  await_out_of_local(&self, 6);
  assert_true(is_in_local(&self, 5));
  ask_server("FLUSHALL", 0);
  await_out_of_local(&self, 5);
  for (uint64_t key = 0; key < KEYS; key++) assert_false(is_in_local(&self, key));
  close_all(&other);
  close_all(&self);
}

/* ---- a foreign change and a fill in one instant ---- */

/* Writes wait at the server until the pause is over, and then happen at once, in their order. */
enum { PAUSE_MS = 400, FIRST_US = 50000, SECOND_US = 150000 };

typedef struct instant {
  unsigned foreign_us, load_us; /* when each is sent, from the beginning of the pause */
  pthread_t thread;
} instant;

static void *change_as_a_stranger(void *instant_pointer)
{
  const instant *self = (const instant *)instant_pointer;
  usleep(self->foreign_us);
  ask_server("SET instant:%u foreign", 1);
  return NULL;
}

static accel_status load_in_a_pause(void *instant_pointer, uint64_t key, uint64_t *out)
{
  instant *self = (instant *)instant_pointer;
  *out = key + 1;
  ask_server("CLIENT PAUSE %u WRITE", PAUSE_MS);
  if (pthread_create(&self->thread, NULL, change_as_a_stranger, self) != 0) return ACCEL_ERR_LOADER;
  usleep(self->load_us);
  return ACCEL_OK;
}

static void a_foreign_change_in_the_instant_of_a_fill_is_heard(void **state)
{
  instant orders[] = {{.foreign_us = FIRST_US, .load_us = SECOND_US},
                      {.foreign_us = SECOND_US, .load_us = FIRST_US}};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    process self;
    uint64_t value = 0;
    char reply[64];
    open_up(&self, "instant");
    entry_cache_set_loader(&self.cache, load_in_a_pause, &orders[i]);
    assert_int_equal(entry_cache_get(&self.cache, 1, &value), ACCEL_OK);
    pthread_join(orders[i].thread, NULL);
    await_out_of_local(&self, 1);
    assert_true(redis_server_ask(&server, "GET instant:1", reply, sizeof reply));
    assert_non_null(strstr(reply, "foreign"));
    usleep(50000);
    assert_false(is_in_local(&self, 1));
    accel_metrics metrics;
    entry_cache_metrics_snapshot(&self.cache, &metrics);
    assert_int_equal(metrics.remote_refused, 0); /* a fill that came too late is no refusal */
    ask_server("DEL instant:%u", 1);
    close_all(&self);
  }
}

static void areas_may_come_and_go(void **state)
{
  (void)state;
  process self;
  open_up(&self, "first");
  load_all(&self);
  entry_cache later = {.base = {.core = NULL}};
  for (int round = 0; round < 3; round++) {
    uint64_t value;
    const accel_config config = {.area = "second",
                                 .degraded_ttl_ms = ACCEL_FOREVER,
                                 .loader_timeout_ms = ACCEL_FOREVER,
                                 .remote = &self.redis};
    assert_int_equal(entry_cache_open(&later, &config), ACCEL_OK);
    entry_cache_set_loader(&later, load_entry, NULL);
    process view = {.cache = later};
    await_up(&view);
    assert_int_equal(entry_cache_get(&later, 1, &value), ACCEL_OK);
    ask_server("SET second:%u foreign", 1);
    await_out_of_local(&view, 1);
    entry_cache_close(&later);
  }
  assert_true(is_in_local(&self, 1)); /* nothing was lost for it */
  ask_server("SET first:%u foreign", 1);
  await_out_of_local(&self, 1);
  close_all(&self);
}

static void a_lost_data_connection_is_a_gap(void **state)
{
  (void)state;
  process self;
  open_up(&self, "gap");
  load_all(&self);
  accel_metrics before, after;
  entry_cache_metrics_snapshot(&self.cache, &before);
  ask_server("CLIENT KILL TYPE normal", 0);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  do {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
    entry_cache_metrics_snapshot(&self.cache, &after);
  } while (after.epoch_raised < before.epoch_raised + 2);
  await_up(&self);
  load_all(&self);
  ask_server("SET gap:%u foreign", 1);
  await_out_of_local(&self, 1);
  close_all(&self);
}

static void long_names_expire_the_area(void **state)
{
  (void)state;
  process self;
  char name[300];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  open_up(&self, "page");
  page_cache pages;
  const accel_config config = {
      .area = "page", .degraded_ttl_ms = ACCEL_FOREVER, .remote = &self.redis};
  assert_int_equal(page_cache_open(&pages, &config), ACCEL_OK);
  const uint64_t value = 5;
  assert_int_equal(page_cache_set(&pages, name, &value), ACCEL_OK);
  load_all(&self);
  accel_buffer key = {.data = NULL};
  char command[128];
  assert_true(accel_key_append_remote("page", name, sizeof name - 1, &key));
  snprintf(command, sizeof command, "DEL %.*s", (int)key.size, (const char *)key.data);
  ask_server(command, 0);
  accel_buffer_release(&key);
  await_out_of_local(&self, 1);
  page_cache_close(&pages);
  close_all(&self);
}

/* ---- permissions ---- */

static void await_refusal(const char *options, const char *user, const char *says,
                          accel_redis_coherence coherence)
{
  redis_server strict;
  char url[128];
  process self;
  assert_true(redis_server_start(&strict, options));
  snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", user, strict.port);
  open_as(&self, url, "strict", coherence);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (accel_redis_ping(&self.redis) == ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
  if (strstr(accel_redis_last_error(&self.redis), says) == NULL)
    fail_msg("%s", accel_redis_last_error(&self.redis));
  accel_diagnostic seen;
  entry_cache_diagnostic_snapshot(&self.cache, &seen);
  assert_false(seen.channel_up);
  assert_non_null(strstr(seen.channel_error, says));
  assert_null(strstr(seen.channel_error, "s3cret"));
  assert_true(seen.metrics.remote_no_permission >= 1);
  uint64_t value = 0;
  assert_int_equal(entry_cache_get(&self.cache, 1, &value), ACCEL_OK); /* it serves all the same */
  close_all(&self);
  redis_server_stop(&strict);
}

static void what_the_server_refuses_is_said(void **state)
{
  (void)state;
  await_refusal("user anna on >s3cret ~* &accel:* +@all", "anna:s3cret@", "NOPERM", ACCEL_TRACKING);
  await_refusal("user anna on >s3cret ~* &* +@all -client|tracking", "anna:s3cret@", "NOPERM",
                ACCEL_TRACKING);
  await_refusal("user anna on >s3cret ~* resetchannels +@all", "anna:s3cret@", "NOPERM",
                ACCEL_PUBSUB);
}

/* The line of docs/coherence.md. */
static void the_least_permissions_suffice(void **state)
{
  (void)state;
  redis_server strict;
  char url[128];
  process self;
  char reply[128];
  assert_true(redis_server_start(&strict, NULL));
  assert_true(redis_server_ask(
      &strict,
      "ACL SETUSER anna on >pw resetkeys ~least:* resetchannels &accel:invalidation:* "
      "&__redis__:invalidate -@all +get +mget +set +unlink +del +scan +eval +evalsha +getrange "
      "+multi +exec +publish +subscribe +unsubscribe +ping +time +select +client|setname "
      "+client|id +client|tracking +client|getredir +rename",
      reply, sizeof reply));
  assert_memory_equal(reply, "+OK", 3);
  snprintf(url, sizeof url, "redis://anna:pw@127.0.0.1:%d", strict.port);
  open_at(&self, url, "least");
  await_up(&self);
  load_all(&self);
  uint64_t keys[KEYS], values[KEYS];
  for (uint64_t i = 0; i < KEYS; i++) values[i] = keys[i] = i;
  assert_int_equal(entry_cache_mset(&self.cache, keys, values, KEYS), ACCEL_OK);
  assert_int_equal(entry_cache_mget(&self.cache, keys, KEYS, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(entry_cache_mdel(&self.cache, keys, KEYS), ACCEL_OK);
  load_all(&self);
  assert_int_equal(entry_cache_clear(&self.cache), ACCEL_OK);
  assert_int_equal(accel_redis_ping(&self.redis), ACCEL_OK);
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self.cache, &metrics);
  assert_int_equal(metrics.remote_errors, 0);
  close_all(&self);
  redis_server_stop(&strict);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(own_changes_do_not_come_back),
      cmocka_unit_test(what_was_loaded_or_set_stays_in_local),
      cmocka_unit_test(changes_by_others_are_heard),
      cmocka_unit_test(a_foreign_change_in_the_instant_of_a_fill_is_heard),
      cmocka_unit_test(areas_may_come_and_go),
      cmocka_unit_test(a_lost_data_connection_is_a_gap),
      cmocka_unit_test(long_names_expire_the_area),
      cmocka_unit_test(what_the_server_refuses_is_said),
      cmocka_unit_test(the_least_permissions_suffice),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* Processes that die, stand still, or take long while they hold leases, on a real server. What is
 * asserted is which process loads and what lies in L2, not how long it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"

#include "one_server.h"
#include "process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEYS 150 /* more than one block of renewals */
#define LEASE_MS 200

ACCEL_DEFINE_WITH(entry, uint64_t, uint64_t, .remote = &accel_redis_ops)

/* What all processes see. */
typedef struct shared {
  atomic_uint holders, loads; /* loaders that were entered in a holder, and elsewhere */
  atomic_bool may_end, has_ended;
  atomic_ullong lost;
  atomic_int status;
} shared;

static shared *common;

typedef struct process {
  accel_redis redis;
  entry_cache cache;
} process;

static bool process_open(process *self, uint32_t loader_timeout_ms)
{
  const accel_redis_config where = {
      .url = server.url, .connect_timeout_ms = 10000, .command_timeout_ms = 5000};
  const accel_config config = {.area = "lease",
                               .loader_timeout_ms = loader_timeout_ms,
                               .lease_ms = LEASE_MS,
                               .remote = &self->redis};
  return accel_redis_open(&self->redis, &where) == ACCEL_OK &&
         accel_redis_ping(&self->redis) == ACCEL_OK &&
         entry_cache_open(&self->cache, &config) == ACCEL_OK;
}

static void process_close(process *self)
{
  entry_cache_close(&self->cache);
  accel_redis_close(&self->redis);
}

/* ---- holders ---- */

static accel_status hold(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  atomic_fetch_add(&common->holders, 1);
  while (!atomic_load(&common->may_end)) process_nap_ms(1);
  *out = key + 1000; /* what a load says that began before others changed the source */
  return ACCEL_OK;
}

static accel_status hold_many(void *ctx, const uint64_t *keys, size_t count, uint64_t *values,
                              accel_status *statuses)
{
  for (size_t i = 0; i < count; i++)
    statuses[i] = i == 0 ? hold(ctx, keys[i], &values[i]) : ACCEL_OK;
  for (size_t i = 0; i < count; i++) values[i] = keys[i] + 1000;
  return ACCEL_OK;
}

static accel_status hold_alone(void *ctx, uint64_t key, uint64_t *out)
{
  return hold(ctx, key, out);
}

ACCEL_CACHEABLE(entry, hold_in_body, (entry_cache * cache, uint64_t key, uint64_t *out),
                (cache, key, out), .cache = cache, .key = key, .out = out)
{
  (void)cache;
  return hold(NULL, key, out);
}

typedef enum holding { HOLD_ONE, HOLD_MANY, HOLD_IN_BODY, HOLD_ON_EXECUTOR } holding;

static void hold_keys(holding how)
{
  static process self;
  static uint64_t keys[KEYS], values[KEYS];
  if (!process_open(&self, how == HOLD_ON_EXECUTOR ? 60000 : ACCEL_FOREVER)) process_end_child(1);
  entry_cache_set_loader(&self.cache, hold_alone, NULL);
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = i;
  accel_status status;
  if (how == HOLD_MANY) entry_cache_set_mloader(&self.cache, hold_many, NULL);
  if (how == HOLD_MANY)
    status = entry_cache_mget(&self.cache, keys, KEYS, NULL, values, NULL);
  else if (how == HOLD_IN_BODY)
    status = hold_in_body(&self.cache, 0, values);
  else
    status = entry_cache_get(&self.cache, 0, values);
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self.cache, &metrics);
  atomic_store(&common->lost, metrics.lease_lost);
  atomic_store(&common->status, status);
  process_close(&self);
}

/* Returns once the child is in its loader. */
static pid_t start_holder(holding how)
{
  memset(common, 0, sizeof *common);
  const pid_t child = process_fork();
  assert_true(child >= 0);
  if (child == 0) {
    hold_keys(how);
    atomic_store(&common->has_ended, true);
    process_end_child(0);
  }
  while (atomic_load(&common->holders) == 0) process_nap_ms(1);
  return child;
}

/* ---- the other process ---- */

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  atomic_fetch_add(&common->loads, 1);
  *out = key + 1;
  return ACCEL_OK;
}

static accel_status load_many(void *ctx, const uint64_t *keys, size_t count, uint64_t *values,
                              accel_status *statuses)
{
  for (size_t i = 0; i < count; i++) statuses[i] = load(ctx, keys[i], &values[i]);
  return ACCEL_OK;
}

static void open_other(process *other)
{
  assert_true(process_open(other, ACCEL_FOREVER));
  entry_cache_set_loader(&other->cache, load, NULL);
  entry_cache_set_mloader(&other->cache, load_many, NULL);
}

static uint64_t in_l2(process *other, uint64_t key)
{
  const accel_read remote_only = {.skip_local = true, .disable_load = true};
  uint64_t value = 0;
  const accel_status status = entry_cache_get_with(&other->cache, key, &remote_only, &value);
  return status == ACCEL_OK ? value : 0;
}

/* It got the leases, by waiting for their end rather than by giving up, and so wrote to L2. */
static void expect_taken_over(process *other, uint64_t keys)
{
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&other->cache, &metrics);
  assert_int_equal(metrics.lease_timeout, 0);
  assert_int_equal(metrics.lease_granted, keys);
  assert_int_equal(atomic_load(&common->loads), keys);
  for (uint64_t key = 0; key < keys; key++) assert_int_equal(in_l2(other, key), key + 1);
}

static void empty_server(void)
{
  char reply[64];
  assert_true(redis_server_ask(&server, "FLUSHALL", reply, sizeof reply));
}

/* ---- the tests ---- */

static long lease_left_ms(uint64_t key)
{
  char command[64], reply[64];
  snprintf(command, sizeof command, "PTTL lease:%u", (unsigned)key);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  return reply[0] == ':' ? strtol(reply + 1, NULL, 10) : -1;
}

static void expect_no_long_wait_after_death(holding how)
{
  process other;
  uint64_t value = 0;
  empty_server();
  const pid_t holder = start_holder(how);
  assert_int_equal(kill(holder, SIGKILL), 0);
  assert_int_equal(waitpid(holder, NULL, 0), holder);
  assert_true(lease_left_ms(0) <= LEASE_MS);
  open_other(&other);
  assert_int_equal(entry_cache_get(&other.cache, 0, &value), ACCEL_OK);
  assert_int_equal(value, 1);
  expect_taken_over(&other, 1);
  process_close(&other);
}

static void a_dead_process_lease_ends(void **state)
{
  (void)state;
  expect_no_long_wait_after_death(HOLD_ONE);
}

static void a_dead_process_lease_ends_though_its_load_had_long(void **state)
{
  (void)state;
  expect_no_long_wait_after_death(HOLD_ON_EXECUTOR);
}

static void a_dead_batch_leases_end(void **state)
{
  (void)state;
  process other;
  static uint64_t keys[KEYS], values[KEYS];
  static accel_status statuses[KEYS];
  empty_server();
  const pid_t holder = start_holder(HOLD_MANY);
  assert_int_equal(kill(holder, SIGKILL), 0);
  assert_int_equal(waitpid(holder, NULL, 0), holder);
  assert_true(lease_left_ms(0) <= LEASE_MS);
  open_other(&other);
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = i;
  assert_int_equal(entry_cache_mget(&other.cache, keys, KEYS, NULL, values, statuses), ACCEL_OK);
  for (uint64_t i = 0; i < KEYS; i++) assert_int_equal(values[i], i + 1);
  expect_taken_over(&other, KEYS);
  process_close(&other);
}

/* Waits until the life of the key's lease has been begun anew so often. A process that was kept
 * from running may lose it: false. */
static bool is_renewed(uint64_t key, int times)
{
  long before_ms = lease_left_ms(key);
  for (int polls = 0; times > 0 && polls < 100 * PROCESS_PATIENCE_S; polls++) {
    const long left_ms = lease_left_ms(key);
    if (left_ms < 0) return false;
    times -= left_ms > before_ms;
    before_ms = left_ms;
    process_nap_ms(10);
  }
  return times == 0;
}

static void expect_renewed(holding how, uint64_t last_key)
{
  bool renewed = false;
  for (int attempt = 0; attempt < 5 && !renewed; attempt++) {
    empty_server();
    const pid_t holder = start_holder(how);
    renewed = is_renewed(0, 3) && is_renewed(last_key, 1);
    atomic_store(&common->may_end, true);
    process_expect_zero(holder);
    assert_int_equal(atomic_load(&common->status), ACCEL_OK);
  }
  assert_true(renewed);
}

static void a_long_load_keeps_its_lease(void **state)
{
  (void)state;
  expect_renewed(HOLD_ONE, 0);
  expect_renewed(HOLD_ON_EXECUTOR, 0);
}

static void a_long_body_keeps_its_lease(void **state)
{
  (void)state;
  expect_renewed(HOLD_IN_BODY, 0);
}

static void a_long_batch_keeps_its_leases(void **state)
{
  (void)state;
  expect_renewed(HOLD_MANY, KEYS - 1);
}

/* What it loaded before it was stopped does not come after what was loaded meanwhile. */
static void a_frozen_process_lease_ends_and_it_overwrites_nothing(void **state)
{
  (void)state;
  process other;
  uint64_t value = 0;
  empty_server();
  const pid_t holder = start_holder(HOLD_ONE);
  assert_int_equal(kill(holder, SIGSTOP), 0);
  assert_true(lease_left_ms(0) <= LEASE_MS);
  open_other(&other);
  assert_int_equal(entry_cache_get(&other.cache, 0, &value), ACCEL_OK);
  assert_int_equal(value, 1);
  expect_taken_over(&other, 1);
  assert_int_equal(kill(holder, SIGCONT), 0);
  process_nap_ms(2 * LEASE_MS); /* it tries to renew what is not its own any more */
  assert_int_equal(in_l2(&other, 0), 1);
  atomic_store(&common->may_end, true);
  process_expect_zero(holder);
  assert_int_equal(atomic_load(&common->status), ACCEL_OK); /* its own reader has its answer */
  assert_int_equal(atomic_load(&common->lost), 1);
  assert_int_equal(in_l2(&other, 0), 1);
  process_close(&other);
}

/* A del of another process voids the lease: it is not brought back by renewing it. */
static void a_void_lease_is_not_renewed(void **state)
{
  (void)state;
  process other;
  empty_server();
  const pid_t holder = start_holder(HOLD_ONE);
  open_other(&other);
  assert_int_equal(entry_cache_del(&other.cache, 0), ACCEL_OK);
  process_nap_ms(2 * LEASE_MS);
  assert_int_equal(lease_left_ms(0), -2); /* there is none */
  atomic_store(&common->may_end, true);
  process_expect_zero(holder);
  assert_int_equal(in_l2(&other, 0), 0);
  process_close(&other);
}

/* The server stands still: nothing is renewed, and nobody hangs. */
static void renewals_that_fail_cost_the_lease_alone(void **state)
{
  (void)state;
  process other;
  uint64_t value = 0;
  empty_server();
  const pid_t holder = start_holder(HOLD_ON_EXECUTOR);
  redis_server_freeze(&server);
  process_nap_ms(2 * LEASE_MS);
  redis_server_thaw(&server);
  open_other(&other);
  assert_int_equal(entry_cache_get(&other.cache, 0, &value), ACCEL_OK);
  assert_int_equal(value, 1);
  atomic_store(&common->may_end, true);
  process_expect_zero(holder);
  assert_int_equal(atomic_load(&common->status), ACCEL_OK);
  process_close(&other);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_dead_process_lease_ends),
      cmocka_unit_test(a_dead_process_lease_ends_though_its_load_had_long),
      cmocka_unit_test(a_dead_batch_leases_end),
      cmocka_unit_test(a_long_load_keeps_its_lease),
      cmocka_unit_test(a_long_body_keeps_its_lease),
      cmocka_unit_test(a_long_batch_keeps_its_leases),
      cmocka_unit_test(a_frozen_process_lease_ends_and_it_overwrites_nothing),
      cmocka_unit_test(a_void_lease_is_not_renewed),
      cmocka_unit_test(renewals_that_fail_cost_the_lease_alone),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  common = (shared *)mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          -1, 0);
  if (common == MAP_FAILED) return 1;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

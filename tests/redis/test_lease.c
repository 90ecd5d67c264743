/* Loads that processes share, on a real server: one load per key, whatever lies in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "redis_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(entry, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { PROCESSES = 4, KEYS = 40, LOAD_US = 20000 };

/* What all processes see. */
typedef struct shared {
  pthread_barrier_t barrier;
  unsigned loads[KEYS], wrong, opened;
  char url[128];
} shared;

static shared *common;
static redis_server server;

static accel_status load_slowly(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  __atomic_fetch_add(&common->loads[key % KEYS], 1, __ATOMIC_RELAXED);
  usleep(LOAD_US);
  *out = key + 1;
  return ACCEL_OK;
}

static accel_status load_at_once(void *ctx, uint64_t key, uint64_t *out)
{
  ++*(unsigned *)ctx;
  *out = key + 1;
  return ACCEL_OK;
}

typedef struct process {
  accel_redis redis;
  entry_cache cache;
} process;

static bool process_open(process *self, accel_mode mode)
{
  const accel_redis_config where = {.url = common->url, .command_timeout_ms = 2000};
  const accel_config config = {
      .area = "lease", .mode = mode, .loader_timeout_ms = 4000, .remote = &self->redis};
  return accel_redis_open(&self->redis, &where) == ACCEL_OK &&
         accel_redis_ping(&self->redis) == ACCEL_OK &&
         entry_cache_open(&self->cache, &config) == ACCEL_OK;
}

static void process_close(process *self)
{
  entry_cache_close(&self->cache);
  accel_redis_close(&self->redis);
}

/* One of the processes: asks for every key at the same moment as the others. */
static void ask_for_all_keys(void)
{
  static process self;
  if (process_open(&self, ACCEL_BOTH)) __atomic_fetch_add(&common->opened, 1, __ATOMIC_RELAXED);
  entry_cache_set_loader(&self.cache, load_slowly, NULL);
  for (uint64_t key = 0; key < KEYS; key++) {
    uint64_t value = 0;
    pthread_barrier_wait(&common->barrier);
    if (entry_cache_get(&self.cache, key, &value) != ACCEL_OK || value != key + 1)
      __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
  }
  process_close(&self);
}

static void four_processes_load_each_key_once(void **state)
{
  (void)state;
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] != 0) continue;
    ask_for_all_keys();
    _exit(0);
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = -1;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_int_equal(status, 0);
  }
  assert_int_equal(common->opened, PROCESSES);
  assert_int_equal(common->wrong, 0);
  unsigned loads = 0;
  for (int i = 0; i < KEYS; i++) loads += common->loads[i];
  printf("%d processes asked for %d cold keys: %u loads\n", PROCESSES, KEYS, loads);
  for (int i = 0; i < KEYS; i++) assert_int_equal(common->loads[i], 1);
}

/* ---- one process, and what lies in its way ---- */

static void ask_server(const char *command)
{
  char reply[128];
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  assert_int_not_equal(reply[0], '-');
}

static void assert_loads(process *self, uint64_t key, unsigned *loads, unsigned expected)
{
  uint64_t value = 0;
  *loads = 0;
  assert_int_equal(entry_cache_get_or_load(&self->cache, key, NULL, load_at_once, loads, &value),
                   ACCEL_OK);
  assert_int_equal(value, key + 1);
  assert_int_equal(*loads, expected);
}

static void a_server_that_forgot_the_script_gets_it_again(void **state)
{
  (void)state;
  process self = {.redis = {NULL}};
  unsigned loads;
  assert_true(process_open(&self, ACCEL_REMOTE));
  for (uint64_t key = 1000; key < 1003; key++) {
    ask_server("SCRIPT FLUSH");
    assert_loads(&self, key, &loads, 1);
    assert_loads(&self, key, &loads, 0);
  }
  process_close(&self);
}

static void what_is_not_ours_is_replaced(void **state)
{
  (void)state;
  process self = {.redis = {NULL}};
  unsigned loads;
  assert_true(process_open(&self, ACCEL_REMOTE));
  ask_server("SET lease:2000 short");
  ask_server("SET lease:2001 a-foreign-text-that-is-longer-than-any-token");
  ask_server("RPUSH lease:2002 element");
  for (uint64_t key = 2000; key < 2003; key++) {
    assert_loads(&self, key, &loads, 1);
    assert_loads(&self, key, &loads, 0);
  }
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self.cache, &metrics);
  assert_int_equal(metrics.remote_decode_errors, 3);
  assert_int_equal(metrics.remote_wrong_type, 1);
  process_close(&self);
}

static void a_batch_is_leased_and_filled_as_one(void **state)
{
  enum { MANY = 300 };
  (void)state;
  process self = {.redis = {NULL}};
  unsigned loads = 0;
  assert_true(process_open(&self, ACCEL_REMOTE));
  static uint64_t keys[MANY], values[MANY];
  for (uint64_t i = 0; i < MANY; i++) keys[i] = 3000 + i;
  entry_cache_set_loader(&self.cache, load_at_once, &loads);
  assert_int_equal(entry_cache_mget(&self.cache, keys, MANY, NULL, values, NULL), ACCEL_OK);
  assert_int_equal(loads, MANY);
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&self.cache, &metrics);
  assert_int_equal(metrics.lease_granted, MANY);
  assert_int_equal(metrics.remote_errors + metrics.lease_lost, 0);
  process_close(&self); /* which waits until it is written back */
  assert_true(process_open(&self, ACCEL_REMOTE));
  assert_int_equal(entry_cache_mget(&self.cache, keys, MANY, NULL, values, NULL), ACCEL_OK);
  for (uint64_t i = 0; i < MANY; i++) assert_int_equal(values[i], keys[i] + 1);
  process_close(&self);
}

static int start(void **state)
{
  (void)state;
  if (!redis_server_start(&server, NULL)) return -1;
  snprintf(common->url, sizeof common->url, "%s", server.url);
  return 0;
}

static int stop(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(four_processes_load_each_key_once),
      cmocka_unit_test(a_server_that_forgot_the_script_gets_it_again),
      cmocka_unit_test(what_is_not_ours_is_replaced),
      cmocka_unit_test(a_batch_is_leased_and_filled_as_one),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  common = (shared *)mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          -1, 0);
  if (common == MAP_FAILED) return 1;
  pthread_barrierattr_t everywhere;
  pthread_barrierattr_init(&everywhere);
  pthread_barrierattr_setpshared(&everywhere, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&common->barrier, &everywhere, PROCESSES);
  pthread_barrierattr_destroy(&everywhere);
  return cmocka_run_group_tests(tests, start, stop);
}

/* Every operation with an L2 fits the smallest stack that a thread may have, PTHREAD_STACK_MIN,
 * which is 16 KiB: counted on a larger one that was painted before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "redis_server.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_SIZE (256u << 10)
#define SMALLEST 16384u
#define PAINT 0x5A
#define COUNT 8

typedef struct block {
  char bytes[1024];
} block;

ACCEL_DEFINE_WITH(blocks, uint64_t, block, .remote = &accel_redis_ops)

static redis_server server;
static accel_redis redis;
static blocks_cache cache;
static uint64_t keys[COUNT];
static block values[COUNT];
static accel_status statuses[COUNT];
static unsigned char *stack;

static accel_status load_block(void *ctx, uint64_t key, block *out)
{
  (void)ctx;
  memset(out, (int)key, sizeof *out);
  return ACCEL_OK;
}

static const accel_read from_remote = {.skip_local = true};

static accel_status run_get(void)
{
  return blocks_cache_get(&cache, 3, &values[0]);
}

static accel_status run_get_of_remote(void)
{
  return blocks_cache_get_with(&cache, 9, &from_remote, &values[0]);
}

static accel_status run_get_or_load(void)
{
  return blocks_cache_get_or_load(&cache, 77, NULL, load_block, NULL, &values[0]);
}

static accel_status run_set(void)
{
  return blocks_cache_set(&cache, 7, &values[0]);
}

static accel_status run_del(void)
{
  return blocks_cache_del(&cache, 7);
}

static accel_status run_mget(void)
{
  return blocks_cache_mget(&cache, keys, COUNT, &from_remote, values, statuses);
}

static accel_status run_mset(void)
{
  return blocks_cache_mset(&cache, keys, values, COUNT);
}

static accel_status run_mdel(void)
{
  return blocks_cache_mdel(&cache, keys, COUNT);
}

static accel_status run_clear(void)
{
  return blocks_cache_clear(&cache);
}

typedef struct operation {
  const char *name;
  accel_status (*run)(void);
  accel_status status;
} operation;

static operation operations[] = {
    {"get", run_get, ACCEL_OK},
    {"get of L2", run_get_of_remote, ACCEL_OK},
    {"get_or_load", run_get_or_load, ACCEL_OK},
    {"set", run_set, ACCEL_OK},
    {"del", run_del, ACCEL_OK},
    {"mget", run_mget, ACCEL_OK},
    {"mset", run_mset, ACCEL_OK},
    {"mdel", run_mdel, ACCEL_OK},
    {"clear", run_clear, ACCEL_OK},
};

static void *run(void *operation_pointer)
{
  operation *self = (operation *)operation_pointer;
  self->status = self->run();
  return NULL;
}

static size_t stack_used(operation *each)
{
  pthread_attr_t attributes;
  pthread_t thread;
  memset(stack, PAINT, STACK_SIZE);
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_SIZE), 0);
  assert_int_equal(pthread_create(&thread, &attributes, run, each), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  size_t untouched = 0;
  while (untouched < STACK_SIZE && stack[untouched] == PAINT) untouched++;
  return STACK_SIZE - untouched;
}

static void operations_fit_the_smallest_stack(void **state)
{
  (void)state;
#if !defined(__OPTIMIZE__)
  skip(); /* every variable has a place of its own */
#endif
  if (ACCEL_IS_SANITIZED) skip(); /* redzones */
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    const size_t used = stack_used(&operations[i]);
    assert_int_equal(operations[i].status, ACCEL_OK);
    if (used > SMALLEST) fail_msg("%s takes %zu bytes of stack", operations[i].name, used);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(operations_fit_the_smallest_stack)};
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  if (!redis_server_start(&server, NULL)) return 1;
  const accel_redis_config where = {
      .url = server.url, .connect_timeout_ms = 10000, .command_timeout_ms = 10000};
  const accel_config config = {
      .area = "block", .capacity = 100, .loader_timeout_ms = ACCEL_FOREVER, .remote = &redis};
  stack = (unsigned char *)mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED || accel_redis_open(&redis, &where) != ACCEL_OK ||
      accel_redis_ping(&redis) != ACCEL_OK || blocks_cache_open(&cache, &config) != ACCEL_OK)
    return 1;
  blocks_cache_set_loader(&cache, load_block, NULL);
  for (uint64_t i = 0; i < COUNT; i++) keys[i] = i;
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  blocks_cache_close(&cache);
  accel_redis_close(&redis);
  redis_server_stop(&server);
  return failed;
}

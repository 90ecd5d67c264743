/* A shared object with an accel of its own, for test_plugin.c, which loads and unloads it. What the
 * library allocates is counted by the host, which outlives it. */
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long *plugin_live_blocks;

static void *plugin_counted(void *block)
{
  if (block != NULL) atomic_fetch_add(plugin_live_blocks, 1);
  return block;
}

static void *plugin_malloc(size_t size)
{
  return plugin_counted(malloc(size));
}

static void *plugin_realloc(void *block, size_t size)
{
  return block == NULL ? plugin_malloc(size) : realloc(block, size);
}

static void plugin_free(void *block)
{
  if (block != NULL) atomic_fetch_sub(plugin_live_blocks, 1);
  free(block);
}

#define ACCEL_MALLOC plugin_malloc
#define ACCEL_REALLOC plugin_realloc
#define ACCEL_FREE plugin_free
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#ifdef ACCEL_TEST_REDIS
#include "accel_backends/redis.h"
#endif

#include "plugin.h"

#include <stdio.h>

ACCEL_DEFINE(number, uint64_t, uint64_t)
ACCEL_DEFINE_STR(page, uint64_t)
#ifdef ACCEL_TEST_REDIS
ACCEL_DEFINE_WITH(common, uint64_t, uint64_t, .remote = &accel_redis_ops)
static accel_redis redis;
static common_cache commons;
#endif
static number_cache numbers;
static page_cache pages;

static accel_status load_number(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key * 2;
  return ACCEL_OK;
}

#ifdef ACCEL_TEST_REDIS
static bool open_redis(const char *url)
{
  const accel_redis_config where = {
      .url = url, .connect_timeout_ms = 10000, .command_timeout_ms = 10000};
  const accel_config config = {
      .area = "common", .capacity = 100, .loader_timeout_ms = 60000, .remote = &redis};
  if (accel_redis_open(&redis, &where) != ACCEL_OK) return false;
  if (common_cache_open(&commons, &config) != ACCEL_OK) return false;
  common_cache_set_loader(&commons, load_number, NULL);
  return true;
}
#endif

static bool plugin_open(atomic_long *live_blocks, const char *url_or_null)
{
  plugin_live_blocks = live_blocks;
  const accel_config config = {.area = "plugin", .capacity = 100, .loader_timeout_ms = 60000};
  if (number_cache_open(&numbers, &config) != ACCEL_OK) return false;
  number_cache_set_loader(&numbers, load_number, NULL);
  if (page_cache_open(&pages, &config) != ACCEL_OK) return false;
#ifdef ACCEL_TEST_REDIS
  if (url_or_null != NULL) return open_redis(url_or_null);
#endif
  return url_or_null == NULL;
}

/* A load on the executor, a hit, and keys that lie in memory of the thread's own. */
static bool plugin_use(uint64_t key)
{
  uint64_t value = 0;
  const char *hottest[4];
  char name[120];
  snprintf(name, sizeof name, "%0100llu", (unsigned long long)key);
  bool is_right = true;
  for (int i = 0; i < 2; i++)
    is_right &= number_cache_get(&numbers, key, &value) == ACCEL_OK && value == key * 2;
  is_right &= page_cache_set(&pages, name, &value) == ACCEL_OK;
  is_right &= page_cache_hottest(&pages, hottest, 4) > 0 && hottest[0][0] == '0';
#ifdef ACCEL_TEST_REDIS
  if (commons.base.core != NULL)
    is_right &= common_cache_get(&commons, key, &value) == ACCEL_OK && value == key * 2;
#endif
  return is_right;
}

static void plugin_close(void)
{
  number_cache_close(&numbers);
  page_cache_close(&pages);
#ifdef ACCEL_TEST_REDIS
  common_cache_close(&commons);
  accel_redis_close(&redis);
#endif
}

__attribute__((visibility("default")))
const plugin_functions plugin = {plugin_open, plugin_use, plugin_close};

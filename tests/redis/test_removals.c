/* Removals without memory, over a real Redis (removals.h): its threads' allocations fail too. */
#include "accel.h"
#include "accel_backends/redis.h"

#include "redis_server.h"

#define removals_ops accel_redis_ops

static redis_server server;
static accel_redis redis;

static void *removals_open(void)
{
  if (!redis_server_start(&server, NULL)) return NULL;
  const accel_redis_config config = {
      .url = server.url, .connect_timeout_ms = 10000, .command_timeout_ms = 10000};
  return accel_redis_open(&redis, &config) == ACCEL_OK ? &redis : NULL;
}

static void removals_close(void)
{
  accel_redis_close(&redis);
  redis_server_stop(&server);
}

#include "removals.h"

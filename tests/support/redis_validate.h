/* redis_validate.h: the invariants of all connections of an accel_redis, for tests: once, or by a
 * thread again and again while others use them. */
#ifndef REDIS_VALIDATE_H
#define REDIS_VALIDATE_H

#include "accel/platform/atomic.h"
#include "accel_backends/redis/state.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* NULL: all hold, or this is a forked child, where a mutex may be held for ever; else the first one
 * that does not. */
static ACCEL_UNUSED const char *redis_validate(const accel_redis *redis)
{
  redis_route *route = &redis->state->route;
  const size_t count = accel_load_acquire(&route->count);
  const char *why = NULL;
  if (redis->state->settings.fork_generation != accel_fork_generation()) return NULL;
  for (size_t i = 0; i < count && why == NULL; i++) {
    redis_endpoint *endpoint = accel_redis_route_number(route, i);
    for (size_t k = 0; k < REDIS_LANES && why == NULL; k++)
      why = accel_redis_connection_validate(&endpoint->lanes[k].connection);
  }
  if (why != NULL) fprintf(stderr, "ERROR: a connection: %s\n", why);
  return why;
}

/* Zeroed: does not run. */
typedef struct redis_watch {
  const accel_redis *redis;
  pthread_t thread;
  bool is_stopped; /* atomic */
  unsigned looks;
  const char *why; /* what did not hold */
} redis_watch;

static void *redis_watch_run(void *watch_pointer)
{
  redis_watch *watch = (redis_watch *)watch_pointer;
  do {
    watch->looks++;
    watch->why = redis_validate(watch->redis);
    usleep(500);
  } while (watch->why == NULL && !accel_load_acquire(&watch->is_stopped));
  return NULL;
}

/* False: no thread. */
static ACCEL_UNUSED bool redis_watch_start(redis_watch *watch, const accel_redis *redis)
{
  *watch = (redis_watch){.redis = redis};
  return pthread_create(&watch->thread, NULL, redis_watch_run, watch) == 0;
}

/* True: all invariants held, each time. Before the accel_redis is closed. */
static ACCEL_UNUSED bool redis_watch_stop(redis_watch *watch)
{
  accel_store_release(&watch->is_stopped, true);
  return pthread_join(watch->thread, NULL) == 0 && watch->looks > 0 && watch->why == NULL;
}

#endif

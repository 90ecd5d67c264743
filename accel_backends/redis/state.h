/* state.h: everything an opened accel_redis holds (backend redis). */
#ifndef ACCEL_BACKENDS_REDIS_STATE_H
#define ACCEL_BACKENDS_REDIS_STATE_H

#include "../../accel/observer_state.h"
#include "../../accel/platform/fork.h"
#include "../redis.h"
#include "channel/channel.h"
#include "routing/routing.h"

ACCEL_EXTERN_C_BEGIN

typedef struct accel_redis_state {
  accel_opened opened;
  uint32_t users; /* atomic: the open accel_redis, and each attached cache */
  redis_credentials credentials, sentinel_credentials;
  redis_settings settings; /* constant once it is open */
  redis_news news;
  redis_context context;
  redis_route route;
  redis_discovery discovery; /* zeroed for a single server */
  redis_listener listener;
  accel_observer_member member;
} accel_redis_state;

/* Drops one user; the last one stops the threads and frees everything. */
ACCEL_COLD void accel_redis_state_release(accel_redis_state *state);

ACCEL_EXTERN_C_END

#endif

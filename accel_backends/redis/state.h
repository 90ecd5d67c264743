/* state.h: everything an opened accel_redis holds (backend redis). */
#ifndef ACCEL_BACKENDS_REDIS_STATE_H
#define ACCEL_BACKENDS_REDIS_STATE_H

#include "../redis.h"
#include "listener.h"
#include "route.h"
#include "url.h"

typedef struct accel_redis_state {
  uint64_t fork_generation; /* of the process that opened it */
  redis_url url;
  char prefix[66]; /* with its colon; "" without */
  uint32_t connect_timeout_ms, command_timeout_ms;
  uint32_t spin_us; /* 0: none */
  size_t max_value_bytes;
  redis_tls_context *tls; /* NULL: not encrypted */
  bool is_tracking;       /* coherence ACCEL_TRACKING */
  redis_route route;
  redis_listener listener;
} accel_redis_state;

#endif

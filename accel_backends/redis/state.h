/* state.h: everything an opened accel_redis holds (backend redis). */
#ifndef ACCEL_BACKENDS_REDIS_STATE_H
#define ACCEL_BACKENDS_REDIS_STATE_H

#include "../../accel/platform/fork.h"
#include "../redis.h"
#include "channel/listener.h"
#include "routing/route.h"
#include "server/news.h"
#include "wire/credentials.h"
#include "wire/url.h"

ACCEL_EXTERN_C_BEGIN

typedef struct accel_redis_state {
  uint64_t fork_generation; /* of the process that opened it */
  accel_opened opened;
  uint32_t users; /* atomic: the open accel_redis, and each cache that is attached */
  redis_url url;  /* without user and password */
  redis_credentials credentials, sentinel_credentials;
  char prefix[66]; /* with its colon; "" without */
  uint32_t connect_timeout_ms, command_timeout_ms;
  uint32_t spin_us; /* 0: none */
  size_t max_value_bytes;
  redis_tls_context *tls; /* NULL: not encrypted */
  bool is_tracking;       /* coherence ACCEL_TRACKING */
  redis_news news;
  redis_route route;
  redis_listener listener;
} accel_redis_state;

/* One user less; the last one ends the threads and frees everything. */
void accel_redis_state_release(accel_redis_state *state);

ACCEL_EXTERN_C_END

#endif

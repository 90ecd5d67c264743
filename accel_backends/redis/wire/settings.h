/* settings.h: the configuration of accel_redis_open, with the defaults applied (backend redis).
 *
 * open.c writes it before the first thread starts; from then on it is constant. Only what the
 * credentials hold may change.
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SETTINGS_H
#define ACCEL_BACKENDS_REDIS_SETTINGS_H

#include "credentials.h"
#include "socket.h"
#include "tls.h"
#include "url.h"

#define REDIS_SETTINGS_PREFIX_SIZE 66 /* 64 bytes, a colon and a 0 */

typedef struct redis_settings {
  uint64_t fork_generation; /* of the process that opened it */
  redis_url url;            /* without user and password */
  redis_credentials *credentials, *sentinel_credentials;
  redis_tls_context *tls;                  /* NULL: not encrypted */
  char prefix[REDIS_SETTINGS_PREFIX_SIZE]; /* with its colon; "" without */
  uint32_t connect_timeout_ms, command_timeout_ms;
  uint32_t spin_us; /* 0: none */
  size_t max_value_bytes;
  bool is_tracking; /* coherence ACCEL_TRACKING */
} redis_settings;

ACCEL_EXTERN_C_BEGIN

/* An attempt to reach a server that begins now, as the servers' own user; address and stop_fd are
 * the caller's. */
redis_dial accel_redis_settings_dial(const redis_settings *settings, redis_address *address_or_null,
                                     int stop_fd);

ACCEL_EXTERN_C_END
#endif

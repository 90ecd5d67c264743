/* error_reply.h: what follows from an error reply (backend redis).
 *
 * An error reply concerns its own command, not the calls beside it, and is no failure of the
 * connection. What follows for the endpoint depends on its first word; the table in error_reply.c
 * is the only place that knows these words.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ERROR_REPLY_H
#define ACCEL_BACKENDS_REDIS_ERROR_REPLY_H

#include "../../../accel/backend.h"
#include "../wire/wire.h"

#define REDIS_ERROR_PAUSE_MS 1000u /* no write is sent for so long; reads and removals go on */

typedef enum redis_error_action {
  REDIS_ERROR_EXPECTED,     /* no failure: a command found nothing to work on; not counted */
  REDIS_ERROR_COUNT,        /* it concerns the key or the user: only counted */
  REDIS_ERROR_PAUSE_WRITES, /* the server has no room, or cannot save */
  REDIS_ERROR_UNAVAILABLE,  /* the server serves nobody for now: a failure for the breaker */
  REDIS_ERROR_RECONNECT     /* it is not the right server any more, or wants AUTH */
} redis_error_action;

ACCEL_EXTERN_C_BEGIN

/* What to do about the error reply, and what it counts as. */
redis_error_action accel_redis_error_reply_action(const redis_replies *replies,
                                                  const redis_reply *error,
                                                  accel_remote_event *event_out);
/* The first word of an error reply that pauses writes or reconnects, as a constant. */
const char *accel_redis_error_reply_word(const redis_replies *replies, const redis_reply *error);

ACCEL_EXTERN_C_END
#endif

/* reaction.h: what follows from a server's refusal (backend redis).
 *
 * A refusal is an error reply. It never harms the calls beside it, and is never mistaken for a
 * failure of the connection: the server speaks. What follows for the endpoint depends on its first
 * word, and the table in reaction.c is the only place that knows these words.
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ERROR_REPLY_H
#define ACCEL_BACKENDS_REDIS_ERROR_REPLY_H

#include "../../../accel/backend.h"
#include "../wire/wire.h"

#define REDIS_ERROR_PAUSE_MS 1000u /* nothing is stored for so long; reads and removals go on */

typedef enum redis_error_action {
  REDIS_ERROR_EXPECTED,     /* no refusal: a command found nothing to work on; not counted */
  REDIS_ERROR_COUNT,        /* it concerns the key or the user, and is counted */
  REDIS_ERROR_PAUSE_WRITES, /* it has no room, or cannot save */
  REDIS_ERROR_UNAVAILABLE,  /* it can serve nobody for a while: a failure for the breaker */
  REDIS_ERROR_RECONNECT     /* it is not the right server any more, or has forgotten us */
} redis_error_action;

ACCEL_EXTERN_C_BEGIN

/* What the error reply asks for, and as what it counts. */
redis_error_action accel_redis_error_reply_action(const redis_replies *replies,
                                                  const redis_reply *error,
                                                  accel_remote_event *event_out);
/* The first word of an error after which writes pause, or a new connection is made: a constant. */
const char *accel_redis_error_reply_word(const redis_replies *replies, const redis_reply *error);

ACCEL_EXTERN_C_END
#endif

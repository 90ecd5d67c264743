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

#define REDIS_REACTION_WRITES_MS 1000u /* nothing is stored for so long; reads and removals go on */

typedef enum redis_reaction {
  REDIS_REACTION_EXPECTED,     /* no refusal: a command found nothing to work on; not counted */
  REDIS_REACTION_NONE,         /* it concerns the key or the user, and is counted */
  REDIS_REACTION_PAUSE_WRITES, /* it has no room, or cannot save */
  REDIS_REACTION_LEAVE_ALONE,  /* it can serve nobody for a while: a failure for the breaker */
  REDIS_REACTION_CONNECT_ANEW  /* it is not the right server any more, or has forgotten us */
} redis_reaction;

ACCEL_EXTERN_C_BEGIN

/* What the error reply asks for, and as what it counts. */
redis_reaction accel_redis_reaction_to(const redis_replies *replies, const redis_reply *error,
                                       accel_remote_event *event_out);
/* The first word of an error after which writes pause, or a new connection is made: a constant. */
const char *accel_redis_reaction_word(const redis_replies *replies, const redis_reply *error);

ACCEL_EXTERN_C_END
#endif

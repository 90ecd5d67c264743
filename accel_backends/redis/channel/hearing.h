/* hearing.h: what the listener's connection says, and who is told of it (backend redis).
 *
 * The sinks of the links are called here and nowhere else: never with the listener's mutex held,
 * and a link that is being called stays until its sink returns. Threads: the listener's own.
 */
#ifndef ACCEL_BACKENDS_REDIS_HEARING_H
#define ACCEL_BACKENDS_REDIS_HEARING_H

#include "listener.h"

typedef void redis_hearing_visit(redis_listener *listener, redis_link *link, void *ctx);

ACCEL_EXTERN_C_BEGIN

/* Calls `visit` for every link that does not leave. */
void accel_redis_hearing_each(redis_listener *listener, redis_hearing_visit *visit, void *ctx);
/* Why no channel is up, or none will be in a moment. */
void accel_redis_hearing_tell_why(redis_listener *listener, const char *why);
/* The connection is lost, `why`. */
void accel_redis_hearing_tell_down(redis_listener *listener, const char *why);
/* It does not let the listener in: keeps the text as the reason, and counts it for every link. */
void accel_redis_hearing_note_stranger(redis_listener *listener, const char *text);
/* Takes what has arrived. False: the connection cannot be trusted any more. */
bool accel_redis_hearing_take_replies(redis_listener *listener);

ACCEL_EXTERN_C_END
#endif

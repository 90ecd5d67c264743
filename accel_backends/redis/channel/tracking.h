/* tracking.h: changes that the server itself tells (backend redis).
 *
 * With coherence ACCEL_TRACKING the server is asked to tell of every change of a key that begins
 * with prefix:area: - also of changes by programs that know nothing of this library, of expiry,
 * eviction and FLUSHALL. It tells the listener's connection, in the name of the data connection,
 * and leaves out what the data connection itself did: so what this process stores does not come
 * back to it, and whoever changed a key last in one instant decides what is told. Messages between
 * caches are exchanged all the same; they name keys that are too long to be told by the server.
 *
 * The asking is a state of the data connection and ends with it. Once a second the listener has
 * the server confirm that it still holds; if not, messages may be missing, and the channel counts
 * as broken.
 *
 * Threads: the listener's own.
 */
#ifndef ACCEL_BACKENDS_REDIS_TRACKING_H
#define ACCEL_BACKENDS_REDIS_TRACKING_H

#include "../operations/operations.h"

#define REDIS_TRACKING_CHANNEL "__redis__:invalidate"
#define REDIS_TRACKING_PROOF_MS 3000u /* since the data connection last said that it holds */

typedef struct redis_tracking {
  redis_route *route;                          /* constant, as the next */
  uint32_t timeout_ms;                         /* of a question to the data connection */
  int64_t client_id;                           /* of the listener's connection; 0: not known yet */
  bool was_asked;                              /* for it */
  uint64_t request;                            /* the number of its SUBSCRIBE; 0: not sent */
  char (*prefixes)[REDIS_LINK_KEY_START_SIZE]; /* that the server was asked for */
  size_t count, capacity;
  uint64_t held_ms; /* when the data connection last said that it asks for it */
} redis_tracking;

/* What the data connection answered that was not asked for: the caller releases the replies. */
typedef struct redis_tracking_refusal {
  const char *command; /* NULL: it refused nothing */
  redis_replies replies;
} redis_tracking_refusal;

ACCEL_EXTERN_C_BEGIN

void accel_redis_tracking_open(redis_tracking *tracking, redis_route *route, uint32_t timeout_ms);
/* The connection is another one, or none. */
void accel_redis_tracking_reset(redis_tracking *tracking);
void accel_redis_tracking_close(redis_tracking *tracking);

/* Appends what the listener's connection has to say next. False: no memory. */
bool accel_redis_tracking_append(redis_tracking *tracking, uint64_t *requests, accel_buffer *out);
/* Whether the server was asked for the prefix. */
bool accel_redis_tracking_covers(const redis_tracking *tracking, const char *prefix);
/* Asks for one more prefix, until latest_ms. False: it was refused, or could not be asked. */
bool accel_redis_tracking_cover(redis_tracking *tracking, const char *prefix, uint64_t latest_ms,
                                redis_tracking_refusal *refusal);
/* Whether the data connection still asks for it, as far as it has answered within three seconds. */
bool accel_redis_tracking_holds(redis_tracking *tracking, uint64_t latest_ms,
                                redis_tracking_refusal *refusal);
/* Tells a link what a message of REDIS_TRACKING_CHANNEL is to it; the keys begin at `first`, and
 * nil is everything. */
void accel_redis_tracking_tell(const redis_link *link, const redis_replies *replies, size_t first);

ACCEL_EXTERN_C_END
#endif

/* tracking.h: changes that the server itself reports (backend redis).
 *
 * With coherence ACCEL_TRACKING the server reports every change of a key that begins with
 * prefix:area: also changes by programs that do not use this library, by expiry, eviction and
 * FLUSHALL. The data connection asks for it (CLIENT TRACKING), and the server sends the messages
 * to the listener's connection. It leaves out what the data connection itself changed, so that
 * what this process stores does not come back to it. Messages between caches are exchanged all the
 * same: they name keys that are too long for the server's reports.
 *
 * Tracking is a state of the data connection and ends with it. Once a second the server confirms
 * that it still holds (CLIENT GETREDIR). If not, messages may be missing, and the channel counts
 * as broken.
 *
 * Threads: the listener's own.
 */
#ifndef ACCEL_BACKENDS_REDIS_TRACKING_H
#define ACCEL_BACKENDS_REDIS_TRACKING_H

#include "../operations/operations.h"

#define REDIS_TRACKING_CHANNEL "__redis__:invalidate"
#define REDIS_TRACKING_PROOF_MS 3000u /* since the server last confirmed it */

typedef struct redis_tracking {
  redis_route *route;  /* constant, as the next */
  uint32_t timeout_ms; /* of a question to the data connection */
  int64_t client_id;   /* CLIENT ID of the listener's connection; 0: not known yet */
  bool was_asked;      /* CLIENT ID was sent */
  uint64_t request;    /* the number of its SUBSCRIBE; 0: not sent */
  char (*prefixes)[REDIS_LINK_KEY_START_SIZE]; /* that the server was asked to track */
  size_t count, capacity;
  uint64_t held_ms; /* when the server last confirmed it */
} redis_tracking;

/* A reply that was not the expected one. The caller releases it. */
typedef struct redis_tracking_refusal {
  const char *command; /* NULL: it refused nothing */
  redis_replies replies;
} redis_tracking_refusal;

ACCEL_EXTERN_C_BEGIN

void accel_redis_tracking_open(redis_tracking *tracking, redis_route *route, uint32_t timeout_ms);
/* For another connection of the listener, or none. */
void accel_redis_tracking_reset(redis_tracking *tracking);
void accel_redis_tracking_close(redis_tracking *tracking);

/* Appends the next command of the listener's connection, if any. False: no memory. */
bool accel_redis_tracking_append(redis_tracking *tracking, uint64_t *requests, accel_buffer *out);
/* Whether the server was asked for the prefix. */
bool accel_redis_tracking_covers(const redis_tracking *tracking, const char *prefix);
/* Asks the server to track one more prefix, until latest_ms. False: it refused, or could not be
 * asked. */
bool accel_redis_tracking_cover(redis_tracking *tracking, const char *prefix, uint64_t latest_ms,
                                redis_tracking_refusal *refusal);
/* Whether tracking still holds, as far as the server has answered within three seconds. */
bool accel_redis_tracking_holds(redis_tracking *tracking, uint64_t latest_ms,
                                redis_tracking_refusal *refusal);
/* Tells a link which of its keys a message of REDIS_TRACKING_CHANNEL names; they begin at `first`,
 * and nil means all keys. */
void accel_redis_tracking_tell(const redis_link *link, const redis_replies *replies, size_t first);

ACCEL_EXTERN_C_END
#endif

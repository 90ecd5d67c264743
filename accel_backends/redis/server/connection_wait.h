/* connection_wait.h: waiting for replies on a connection (backend redis).
 *
 * A thread that waits takes a role that is free, tries spin.h, and sleeps otherwise. When it
 * leaves, it wakes another thread to take over what it did.
 *
 * For connection.c.
 * Threads: any, with the mutex held.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_WAIT_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_WAIT_H

#include "connection_io.h"

ACCEL_EXTERN_C_BEGIN

/* Takes each role that is free, until the socket is ready or the deadline has passed. Releases the
 * mutex meanwhile. */
void accel_redis_wait_for_socket(redis_connection *connection, uint64_t deadline_ms);

/* Reads, writes and sleeps until the caller's replies are there. Called with the mutex, returns
 * without it. False: the deadline passed, and the caller is not in the ring any more. */
bool accel_redis_wait_for_replies(redis_connection *connection, redis_caller *caller,
                                  uint64_t deadline_ms);

/* Wakes a waiting thread to take a role that nobody holds. True: one was woken, or nothing is left
 * to do. */
bool accel_redis_wait_wake_next(redis_connection *connection);
/* For a thread that leaves: another caller, or else the keeper, continues what it did. */
void accel_redis_wait_hand_over(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

/* connection_wait.h: waiting for replies on a connection (backend redis).
 *
 * A thread that waits takes the roles that are free, tries spin.h, and sleeps otherwise; when it
 * leaves it calls another one to what it did.
 * For connection.c. Threads: any, with the mutex held.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_WAIT_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_WAIT_H

#include "connection_io.h"

ACCEL_EXTERN_C_BEGIN

/* Takes the roles that are free until the socket is ready or the deadline has passed. Lets the
 * mutex go meanwhile. */
void accel_redis_wait_for_socket(redis_connection *connection, uint64_t deadline_ms);

/* Does what there is to do until the caller is done. Called with the mutex, returns without it.
 * False: the deadline passed before, and the caller is in the ring no more. */
bool accel_redis_wait_for_replies(redis_connection *connection, redis_caller *caller,
                                  uint64_t deadline_ms);

/* Calls a waiting thread to roles that nobody holds. True: it was, or nothing is left to do. */
bool accel_redis_wait_wake_next(redis_connection *connection);
/* A thread leaves. What it leaves behind another caller goes on with, or the keeper. */
void accel_redis_wait_hand_over(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

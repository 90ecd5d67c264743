/* roles.h: writing, reading and waiting on a connection (backend redis).
 *
 * Whoever holds the writer's role has `writing`, `written` and the sending half of the stream;
 * whoever holds the reader's has the receiving half and the replies in the ring. Roles are taken
 * and left with the mutex held, and held without it.
 * Threads: any, with the mutex held.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_IO_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_IO_H

#include "connection.h"

ACCEL_EXTERN_C_BEGIN

bool accel_redis_roles_has_unsent(const redis_connection *connection);
size_t accel_redis_roles_pending(const redis_connection *connection);

/* All that wait fail now; the slots stay, because the reader may be filling one of them. */
void accel_redis_roles_break(redis_connection *connection, const char *why);

/* The server hung up. It may have said why: what it said is read first, by the reader, which breaks
 * the connection then, or here. Lets the mutex go meanwhile. */
void accel_redis_roles_hang_up(redis_connection *connection, const char *why);

/* Writes what is queued, or as much of it as the socket takes. Lets the mutex go meanwhile.
 * `gathers`: other threads may add to it first. */
void accel_redis_roles_write(redis_connection *connection, bool gathers);

/* Takes the roles that are free until the socket is ready or the deadline has passed. Lets the
 * mutex go meanwhile. */
void accel_redis_roles_wait(redis_connection *connection, uint64_t deadline_ms);

/* Does what there is to do until the waiter is done. Called with the mutex, returns without it.
 * False: the deadline passed before, and the waiter is in the ring no more. */
bool accel_redis_roles_await(redis_connection *connection, redis_waiter *waiter,
                             uint64_t deadline_ms);

/* Calls a waiting thread to roles that nobody holds. True: it was, or nothing is left to do. */
bool accel_redis_roles_wake_next(redis_connection *connection);
/* A thread leaves. What it leaves behind another caller goes on with, or the keeper. */
void accel_redis_roles_hand_over(redis_connection *connection);
void accel_redis_roles_ring(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

/* listener.h: the thread that receives changes by other processes (backend redis).
 *
 * One thread holds one connection, on which it subscribes to the channel of every attached area
 * and sends PING once a second. The answer to a PING proves that nothing which the server sent
 * before it is still under way. Bytes that arrive prove nothing, since they may be late: the
 * channel counts as down when the last answered PING is three seconds old. A lost connection is
 * made again, with growing pauses of random length. The route decides which endpoint it listens
 * to. A heartbeat leaves on the connection of the lane that it repeats; a connection that is not
 * up, or was never used, gets none.
 *
 * Confirmations and refusals come in the order of the requests: a subscription is up when as many
 * came as requests were sent up to its own. So neither an area that is attached twice, nor one
 * that left and returned, is up before its own subscription is; and a refused channel does not
 * take the others down.
 *
 * Threads: open, start, stop, close and abandon exclusive; all else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_LISTENER_H
#define ACCEL_BACKENDS_REDIS_LISTENER_H

#include "hearing.h"

ACCEL_EXTERN_C_BEGIN

/* False: no memory, descriptors or thread; nothing is held then. */
bool accel_redis_listener_open(redis_listener *listener, const redis_settings *settings,
                               redis_route *route);
bool accel_redis_listener_start(redis_listener *listener);
/* Stops the thread; waits for what it is doing. */
void accel_redis_listener_stop(redis_listener *listener);
void accel_redis_listener_close(redis_listener *listener);
/* The same in a forked child, without the thread: what it was changing at the fork is left. */
void accel_redis_listener_abandon(redis_listener *listener);

/* Connects now if it has no connection. Threads: any. */
void accel_redis_listener_reconnect_now(redis_listener *listener);
/* Leaves the connection to the former main endpoint. Threads: any. */
void accel_redis_listener_move(redis_listener *listener);

/* The link's sink is called from now on, until remove returns. The subscription is the listener's
 * then, which frees it when its channel is left. */
void accel_redis_listener_add(redis_listener *listener, redis_subscription *subscription);
void accel_redis_listener_remove(redis_listener *listener, redis_subscription *subscription);

ACCEL_EXTERN_C_END
#endif

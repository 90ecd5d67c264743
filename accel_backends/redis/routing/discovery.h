/* discovery.h: finds out where the servers are (backend redis).
 *
 * It asks a cluster for CLUSTER SLOTS every 30 seconds, and also when a server replied MOVED or
 * could not be reached, once a second at most. It asks Sentinels for the address of their master
 * every two seconds, and when the master could not be reached. It believes the first Sentinel that
 * knows one; a thread that connects to it checks by ROLE that it is a master. Each question opens a
 * connection and closes it: questions are rare, and a connection that is kept can break unseen.
 *
 * It has a thread of its own, so that a server that does not answer delays nobody. A standalone
 * server needs none.
 *
 * Source: Redis documentation, "Guidelines for Redis clients with support for Redis Sentinel", and
 * "Redis Cluster specification". Threads: open, start, stop, close and abandon exclusive; wake
 * any.
 */
#ifndef ACCEL_BACKENDS_REDIS_DISCOVERY_H
#define ACCEL_BACKENDS_REDIS_DISCOVERY_H

#include "../server/server.h"
#include "../wire/wire.h"
#include "route.h"

#define REDIS_DISCOVERY_CLUSTER_MS 30000u
#define REDIS_DISCOVERY_SENTINEL_MS 2000u
#define REDIS_DISCOVERY_PAUSE_MS 1000u /* the least time between two questions */

typedef struct redis_discovery {
  redis_route *route;
  accel_thread thread;
  redis_signals signals;
  redis_address *hosts; /* of the URL */
  size_t host_count;
  size_t last_good;    /* the index of the host that answered last, which is asked first */
  redis_backoff pause; /* after failures */
} redis_discovery;

ACCEL_EXTERN_C_BEGIN

/* Zeroed where there is nobody to ask: wake, stop, close and abandon do nothing. */

/* False: no memory or descriptors; nothing is held then. */
ACCEL_COLD bool accel_redis_discovery_open(redis_discovery *discovery, redis_route *route);
/* False: no thread. */
bool accel_redis_discovery_start(redis_discovery *discovery);
void accel_redis_discovery_stop(redis_discovery *discovery);
ACCEL_COLD void accel_redis_discovery_close(redis_discovery *discovery);
void accel_redis_discovery_abandon(redis_discovery *discovery);
void accel_redis_discovery_wake(redis_discovery *discovery);

ACCEL_EXTERN_C_END
#endif

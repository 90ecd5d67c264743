/* discovery.h: finds out where the servers are (backend redis).
 *
 * A cluster is asked by CLUSTER SLOTS: when a server said MOVED or could not be reached, but once a
 * second at most, and every 30 seconds. Sentinels are asked for their master's address every two
 * seconds, and when the master could not be reached; the first Sentinel that knows one is believed,
 * and whoever connects checks that the server itself says so (ROLE). Asking opens a connection and
 * closes it: it is rare, and a connection that is kept can break unseen.
 *
 * It is a thread of its own, so that a server that does not answer delays nobody. A standalone
 * server has none.
 *
 * Source: Redis documentation, "Guidelines for Redis clients with support for Redis Sentinel", and
 * "Redis Cluster specification".
 * Threads: open, start, stop, close and abandon exclusive; wake any.
 */
#ifndef ACCEL_BACKENDS_REDIS_DISCOVERY_H
#define ACCEL_BACKENDS_REDIS_DISCOVERY_H

#include "../server/server.h"
#include "../wire/wire.h"
#include "route.h"

#define REDIS_DISCOVERY_CLUSTER_MS 30000u
#define REDIS_DISCOVERY_SENTINEL_MS 2000u
#define REDIS_DISCOVERY_PAUSE_MS 1000u /* between two looks, whoever asks for them */

typedef struct redis_discovery {
  redis_route *route;
  accel_thread thread;
  redis_signals signals;
  redis_address *hosts; /* of the URL */
  size_t host_count;
  size_t last_good;    /* of the hosts: asked first */
  redis_backoff pause; /* after failures */
} redis_discovery;

ACCEL_EXTERN_C_BEGIN

/* Zeroed, where nobody has to be asked: wake, stop, close and abandon do nothing. */

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

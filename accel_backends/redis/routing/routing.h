/* routing.h: which servers there are, and which of them serves a key (backend redis).
 *
 * The route leads from a key to its endpoint; discovery asks Sentinels or a cluster where the
 * servers are, and updates the route.
 *
 * May include wire/ and server/. May be called by operations/ and channel/.
 */
#ifndef ACCEL_BACKENDS_REDIS_ROUTING_H
#define ACCEL_BACKENDS_REDIS_ROUTING_H

#include "discovery.h"
#include "route.h"

#endif

/* channel.h: receives changes by other processes (backend redis).
 *
 * One connection subscribes to the channels of all areas; with ACCEL_TRACKING the server also
 * reports changes by itself. hearing.c hands everything to the sinks of the caches.
 *
 * May include wire/, server/, routing/ and operations/. May be called by the files beside these
 * directories: open.c and attach.c.
 */
#ifndef ACCEL_BACKENDS_REDIS_CHANNEL_H
#define ACCEL_BACKENDS_REDIS_CHANNEL_H

#include "listener.h"

#endif

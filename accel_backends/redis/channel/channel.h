/* channel.h: hears what others changed (backend redis).
 *
 * One connection listens to the channels of all areas; with ACCEL_TRACKING the server also tells of
 * changes by itself. What is heard goes to the sinks of the caches.
 *
 * May include wire/, server/, routing/ and operations/. May be called by the files beside these
 * directories: open.c and attach.c.
 */
#ifndef ACCEL_BACKENDS_REDIS_CHANNEL_H
#define ACCEL_BACKENDS_REDIS_CHANNEL_H

#include "listener.h"

#endif

/* cache_events.h: messages and changes that L2 delivers to a cache (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_EVENTS_H
#define ACCEL_CACHE_EVENTS_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Describes the cache to the L2 that it attaches to, with the callbacks for changes. */
accel_remote_area accel_core_remote_area(accel_core *core);

ACCEL_EXTERN_C_END
#endif

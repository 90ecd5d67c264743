/* cache_events.h: what L2 tells a cache (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_EVENTS_H
#define ACCEL_CACHE_EVENTS_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* What an L2 is told of the cache that attaches, and where it reports changes. */
accel_remote_area accel_core_remote_area(accel_core *core);

ACCEL_EXTERN_C_END
#endif

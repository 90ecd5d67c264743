/* cache_loader.h: loaders, and whether a cache is open to be given one (layer 4, private). */
#ifndef ACCEL_CACHE_LOADER_H
#define ACCEL_CACHE_LOADER_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Zeroes a cache that is to be opened. CONFIG: it is open and stays so, or was given a loader while
 * it was not open. Reads no byte of it. */
accel_status accel_core_begin_open(accel_cache *cache);
void accel_core_note_opened(accel_core *core);

ACCEL_EXTERN_C_END
#endif

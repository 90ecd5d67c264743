/* cache_write.h: sets and dels of one key (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_WRITE_H
#define ACCEL_CACHE_WRITE_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* A del as users call it, also while the cache closes. */
accel_status accel_core_del(accel_core *core, const void *key);

ACCEL_EXTERN_C_END
#endif

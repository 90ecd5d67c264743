/* cache_lease.h: one load per key in all processes (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_LEASE_H
#define ACCEL_CACHE_LEASE_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Asks for the leases of flights that L2 does not have, in one round trip. Those that may be
 * loaded come first; returns how many; the others are being loaded elsewhere. */
size_t accel_core_lease(accel_core *core, accel_flight **flights, size_t count);
/* Waits for flights that are being loaded elsewhere. What L2 then has is landed and finished;
 * what has to be loaded after all comes first; returns how many. */
size_t accel_core_lease_wait(accel_core *core, accel_flight **flights, size_t count,
                             accel_error_policy errors);

ACCEL_EXTERN_C_END
#endif

/* removal.h: removes what a full server refuses to store (backend redis).
 * Threads: one per redis_write.
 */
#ifndef ACCEL_BACKENDS_REDIS_REMOVAL_H
#define ACCEL_BACKENDS_REDIS_REMOVAL_H

#include "transaction.h"

ACCEL_EXTERN_C_BEGIN

/* Removes the items whose status is REDIS_WRITE_TO_REMOVE and publishes that, within the call's
 * time. Gives each its status: OK to a del, BACKEND to a put. Returns OK, or the failure of all. */
accel_status accel_redis_removal_run(redis_write *write);

ACCEL_EXTERN_C_END
#endif

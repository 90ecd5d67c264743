/* cache_call.h: one call to L2, whatever it is for (layer 4, private). Only for .c files.
 *
 * All operations of accel_remote_ops on data are called here. So one place makes the span of a
 * call, times it, counts its bytes, and notes its failure for observers. Threads: any.
 */
#ifndef ACCEL_CACHE_CALL_H
#define ACCEL_CACHE_CALL_H

#include "cache_batch.h"

ACCEL_EXTERN_C_BEGIN

/* Each calls the operation of its name (backend.h) with the items and the call of the batch, and
 * returns its status. */
accel_status accel_core_call_get(accel_core *core, core_batch *batch);
accel_status accel_core_call_lease(accel_core *core, core_batch *batch, uint32_t lease_ms);
accel_status accel_core_call_fill(accel_core *core, core_batch *batch);
typedef accel_status accel_core_call_fn(accel_core *core, core_batch *batch,
                                        const accel_remote_publisher *publisher_or_null);
accel_core_call_fn accel_core_call_put, accel_core_call_del;
accel_status accel_core_call_clear(accel_core *core,
                                   const accel_remote_publisher *publisher_or_null,
                                   accel_remote_call *call);

ACCEL_EXTERN_C_END
#endif

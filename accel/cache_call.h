/* cache_call.h: a call to L2, whatever it is for (layer 4, private). Only for .c files.
 *
 * Every call of an operation of accel_remote_ops on data passes here, so that there is one place
 * where a call is seen as a whole: its span, which server it went to, how long it took, and how
 * many bytes it moved.
 */
#ifndef ACCEL_CACHE_CALL_H
#define ACCEL_CACHE_CALL_H

#include "cache_batch.h"

ACCEL_EXTERN_C_BEGIN

/* Each is the operation of that name (backend.h), with the items and the call of the batch. */
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

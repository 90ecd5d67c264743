/* cache_await.h: the end of a read: it waits for its flights (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_AWAIT_H
#define ACCEL_CACHE_AWAIT_H

#include "cache_read_plan.h"

ACCEL_EXTERN_C_BEGIN

/* Waits for the others' flights, writes values and statuses, releases everything. OK, or the first
 * failure in key order. */
accel_status accel_core_plan_end(core_read_plan *plan);
/* After end: logs the read, once, and ends the span. Returns `status`. */
accel_status accel_core_plan_report(core_read_plan *plan, accel_status status, core_result result);
/* For accel_thread_guard: the thread ends between begin and end, and releases everything. */
void accel_core_plan_leave(void *plan);

ACCEL_EXTERN_C_END
#endif

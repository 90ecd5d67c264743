/* executor_share.h: what a cache has of an executor (layer 2). Only for .c files.
 *
 * executor.h has the rules. Threads: any, all functions.
 */
#ifndef ACCEL_EXECUTOR_SHARE_H
#define ACCEL_EXECUTOR_SHARE_H

#include "executor.h"

ACCEL_EXTERN_C_BEGIN

/* The executor of all caches of this process that name none. It is opened with the first and
 * closed with the last. NULL: no memory. */
accel_executor *accel_executor_common_acquire(void);
void accel_executor_common_release(accel_executor *executor);

/* A share for one cache. NULL: no memory. It is closed when it has no jobs. */
struct accel_executor_share *accel_executor_share_new(void);
void accel_executor_share_close(accel_executor *executor,
                                struct accel_executor_share *share_or_null);

/* How many jobs of a share wait for a thread. Does not count those that are not due yet. */
size_t accel_executor_share_length(accel_executor *executor,
                                   const struct accel_executor_share *share);

/* How many loads of one share may be queued; 0: it is not open. */
uint32_t accel_executor_queue_size(const accel_executor *executor);
/* Takes a job back that is not yet run. False: it is not in a queue. */
bool accel_executor_withdraw(accel_executor *executor, accel_job *job);
/* Somebody asks for a queued load once more: it is no background any longer, and the last that was
 * asked for. */
void accel_executor_prefer(accel_executor *executor, accel_job *job);
/* Nobody waits for a queued load any longer, but it shall be run. False: the background has no
 * room, and the job was withdrawn. */
bool accel_executor_defer(accel_executor *executor, accel_job *job);
/* Takes the next job of a share, for the calling thread to run: due now or later, loads,
 * background. NULL: there is none. */
accel_job *accel_executor_take(accel_executor *executor, struct accel_executor_share *share);
/* Makes all jobs of a share that wait for their time due now. */
void accel_executor_hasten_share(accel_executor *executor, struct accel_executor_share *share);

ACCEL_EXTERN_C_END
#endif

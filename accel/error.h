/* error.h: the last failure of each thread (layer 1).
 *
 * A failure is a status and one sentence. Each thread keeps the sentence of its last failure with
 * the address of the object that failed, so that the errors of two objects are not confused.
 * Threads: each sees its own.
 */
#ifndef ACCEL_ERROR_H
#define ACCEL_ERROR_H

#include "status.h"

#define ACCEL_ERROR_SIZE 224

ACCEL_EXTERN_C_BEGIN

/* Keeps the sentence for `owner` and returns `status`: `return accel_error_set(...)`. */
accel_status accel_error_set(const void *owner, accel_status status, const char *format, ...)
    ACCEL_PRINTF(3, 4);
/* The sentence if this thread's last failure was on `owner`, else "". Valid until the thread's
 * next failure. */
const char *accel_error_text(const void *owner);
/* mark: the number of this thread's failures so far. since: the sentence of its last failure, of
 * any owner, if it came after `mark` and has this status; else "". */
uint64_t accel_error_mark(void);
const char *accel_error_since(uint64_t mark, accel_status status);

ACCEL_EXTERN_C_END
#endif

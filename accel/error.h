/* error.h: what a thread's last failure was (layer 1).
 *
 * A failure is a status and one sentence. The sentence is kept per thread, beside the address of
 * the object it happened on, so that two objects do not answer for each other.
 * Threads: each sees its own.
 */
#ifndef ACCEL_ERROR_H
#define ACCEL_ERROR_H

#include "status.h"

#define ACCEL_ERROR_SIZE 224

ACCEL_EXTERN_C_BEGIN

/* Keeps the sentence for `owner` and returns `status`, so that a caller can end with it. */
accel_status accel_error_set(const void *owner, accel_status status, const char *format, ...)
    ACCEL_PRINTF(3, 4);
/* The sentence if this thread's last failure was on `owner`, else "". Valid until the thread's
 * next failure. */
const char *accel_error_text(const void *owner);
/* How many failures this thread has kept so far, and the sentence of its last one, whoever's, if
 * that came after `mark` and with this status; else "". */
uint64_t accel_error_mark(void);
const char *accel_error_since(uint64_t mark, accel_status status);

ACCEL_EXTERN_C_END
#endif

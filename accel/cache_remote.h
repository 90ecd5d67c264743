/* cache_remote.h: one call to L2 (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_REMOTE_H
#define ACCEL_CACHE_REMOTE_H

#include "cache_call.h"

ACCEL_EXTERN_C_BEGIN

/* How to read L2. */
typedef struct core_remote_read {
  bool is_retry;   /* this read has asked before: misses are not counted once more */
  bool probe_only; /* a value found is not taken, but may be replaced */
  accel_error_policy errors;
} core_remote_read;

#define REMOTE_KEYS_PER_LIMIT 8u

/* Until when L2 may be asked for so many keys, at least one: as long as a load may take, for every
 * REMOTE_KEYS_PER_LIMIT begun. */
uint64_t accel_core_remote_deadline(const accel_core *core, size_t count);
/* Looks flights up in L2, in one round trip: lands and finishes those that it finds (L1
 * filled where a flight's fills_local says so), notes of the others what lies there. Under
 * ACCEL_PROPAGATE a failure lands too. */
void accel_core_remote_get(accel_core *core, accel_flight **flights, size_t count,
                           const core_remote_read *read);
/* Counts the items of a call that failed. */
void accel_core_remote_count_failures(accel_core *core, const core_batch *batch);
/* Sends a put or del with its messages, counts, and reports the whole call's failure as text. */
accel_status accel_core_remote_write(accel_core *core, core_batch *batch, accel_core_call_fn *write,
                                     const char *what);
accel_status accel_core_remote_clear(accel_core *core);

/* Counts the messages of a call. */
void accel_core_remote_count_messages(accel_core *core, const accel_remote_call *call);

ACCEL_EXTERN_C_END
#endif

/* cache_leave.h: threads that end where the user's code runs (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_LEAVE_H
#define ACCEL_CACHE_LEAVE_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Called where the calling thread ends: the followers of flights that it runs get
 * ACCEL_ERR_LOADER, and what bodies held is released. */
void accel_core_leave(void);
/* The thread stops waiting for the flight. `stays`: the flight is loaded all the same. */
void accel_core_stop_waiting(accel_core *core, accel_flight *flight, bool stays);
/* The same for a thread that ends: also releases the flight. */
void accel_core_leave_flight(accel_core *core, accel_flight *flight);

/* What the body of a wrapper holds while it runs, but for the flights that it leads. */
typedef struct core_body {
  struct core_body *outer;
  accel_core *core;
  void *memory, *plan_memory, *own_statuses;
  size_t count;
  accel_flight *followed[];
} core_body;
/* From now on the body is the calling thread's innermost. */
void accel_core_leave_note_body(core_body *body);
void accel_core_leave_forget_body(core_body *body);

ACCEL_EXTERN_C_END
#endif

/* renewal.h: one thread of the process that comes again and again, for leases that must not end
 * while their loads run (layer 2).
 *
 * A thread of its own, because loads may keep every thread of an executor busy for as long as they
 * take, and a lease that is not renewed in time is lost. The thread runs while any cache has
 * joined.
 *
 * Only for .c files: it needs threads. Threads: any, all functions.
 */
#ifndef ACCEL_RENEWAL_H
#define ACCEL_RENEWAL_H

#include "platform/clock.h"
#include "platform/thread.h"

/* A cache that has joined. Zeroed but for `run` and `ctx`; not moved until it has left. */
typedef struct accel_renewal {
  /* Called on the thread. Returns when it is to be called again, on accel_clock_monotonic_ms;
   * ACCEL_NO_DEADLINE: when it is asked for. It may wait for L2, but not for long: the others wait
   * for it. */
  uint64_t (*run)(void *ctx);
  void *ctx;
  uint64_t due_ms;
  bool is_running, has_joined;
  struct accel_renewal *next;
} accel_renewal;

ACCEL_EXTERN_C_BEGIN

/* False: no thread could be started, and nothing will run. */
bool accel_renewal_join(accel_renewal *renewal);
/* Waits for a run under way. After it none begins. In a forked child it does nothing. */
void accel_renewal_leave(accel_renewal *renewal);
/* `run` is called at this time or before, if it has joined. */
void accel_renewal_ask(accel_renewal *renewal, uint64_t due_ms);

ACCEL_EXTERN_C_END
#endif

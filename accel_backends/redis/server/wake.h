/* wake.h: puts one thread to sleep and wakes it (backend redis).
 *
 * One word per sleeper, on Linux' futex: setting it costs no system call unless a thread sleeps on
 * it, and the sleeper needs no lock to see that it was set. A wake-up may come late, at a word
 * whose owner has left: every thread of the process that sleeps must bear a wake-up without a
 * reason, as with pthread.h.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_WAKE_H
#define ACCEL_BACKENDS_REDIS_WAKE_H

#include "../../../accel/platform/clock.h"

typedef enum redis_wake_state {
  REDIS_WAKE_NOTHING = 0, /* awake, and nothing has happened */
  REDIS_WAKE_ASLEEP,
  REDIS_WAKE_CALLED, /* there is something to look at */
  REDIS_WAKE_DONE
} redis_wake_state;

typedef struct redis_wake {
  uint32_t word; /* atomic: a redis_wake_state */
} redis_wake;

ACCEL_EXTERN_C_BEGIN

redis_wake_state accel_redis_wake_state(const redis_wake *wake);
/* Resets it to NOTHING, unless it is done. */
void accel_redis_wake_clear(redis_wake *wake);
/* Sets CALLED, which never undoes DONE, or DONE, and wakes the sleeper. */
void accel_redis_wake_set(redis_wake *wake, redis_wake_state state);
/* Sleeps until it is set, or the deadline (accel_clock_monotonic_ms) has passed. */
void accel_redis_wake_sleep(redis_wake *wake, uint64_t deadline_ms);
/* Lets threads run first that are ready to on this processor, of the same control group and not of
 * lower priority. */
void accel_redis_wake_yield(void);

ACCEL_EXTERN_C_END
#endif

/* backoff.h: pauses between attempts to connect (backend redis).
 *
 * They grow, and their length is random, so that a thousand clients do not return in one instant.
 * It has no clock of its own: `now_ms` is accel_clock_monotonic_ms.
 * Threads: one at a time; random any.
 */
#ifndef ACCEL_BACKENDS_REDIS_BACKOFF_H
#define ACCEL_BACKENDS_REDIS_BACKOFF_H

#include "../../../accel/base.h"

#define REDIS_BACKOFF_FIRST_MS 10u
#define REDIS_BACKOFF_MAX_MS 2000u

/* Zeroed: no attempt failed. */
typedef struct redis_backoff {
  uint64_t next_ms;  /* not before; 0: now */
  uint32_t pause_ms; /* the last one's upper bound; 0: none */
} redis_backoff;

ACCEL_EXTERN_C_BEGIN

void accel_redis_backoff_failed(redis_backoff *backoff, uint64_t now_ms);
void accel_redis_backoff_reset(redis_backoff *backoff);

/* A random number below `bound`, which is not 0. */
uint32_t accel_redis_backoff_random(uint32_t bound);

ACCEL_EXTERN_C_END
#endif

/* spin.h: what a thread tries before it sleeps until a reply comes (backend redis).
 *
 * Where replies come at once, falling asleep and being woken takes longer than the server does;
 * where they do not, looking for them costs time that other threads need. Three things are tried:
 *
 *   look     the reader looks for a reply again and again, for spin_us
 *   yield    the others let threads run while one reads
 *   let run  both, and a writer that gathers commands, let any ready thread run; it may use
 *            another connection, or none
 *
 * Each is tried as long as it helps. Lost time adds up; from a limit on there is a pause 64 times
 * as long, 10 s at most, so that the loss stays a small share.
 *
 * A value without clock, socket or lock: the caller measures, and reports. Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SPIN_H
#define ACCEL_BACKENDS_REDIS_SPIN_H

#include "../../../accel/base.h"

/* Of one of the three. Atomic. */
typedef struct redis_spin_backoff {
  uint64_t lost_ns; /* lost since it last helped */
  uint64_t pause_until_ns;
} redis_spin_backoff;

/* Zeroed but for spin_us: nothing was lost. */
typedef struct redis_spin {
  uint32_t spin_us;                   /* constant; 0: threads that wait only sleep */
  redis_spin_backoff look_backoff;    /* of looks */
  redis_spin_backoff yield_backoff;   /* of yields */
  redis_spin_backoff let_run_backoff; /* of letting run */
} redis_spin;

ACCEL_EXTERN_C_BEGIN

bool accel_redis_spin_may_look(const redis_spin *spin, uint64_t now_ns);
/* The most that a look may take, with so much time left. */
uint64_t accel_redis_spin_look_ns(const redis_spin *spin, uint64_t left_ms);
/* A look ended; meanwhile `came` requests were added. Each excuses spin_us more; a reply that
 * comes later still counts as lost time. */
void accel_redis_spin_note_look(redis_spin *spin, uint64_t now_ns, uint64_t took_ns, uint64_t came,
                                bool is_found);

bool accel_redis_spin_may_yield(const redis_spin *spin, uint64_t now_ns);
/* `is_called`: there was something to do, or the replies are there. */
void accel_redis_spin_note_yield(redis_spin *spin, uint64_t now_ns, uint64_t took_ns,
                                 bool is_called);

bool accel_redis_spin_may_let_run(const redis_spin *spin, uint64_t now_ns);
/* Others were let run, and `came` requests were added. True: there were others. */
bool accel_redis_spin_note_others(redis_spin *spin, uint64_t now_ns, uint64_t took_ns,
                                  uint64_t came);

ACCEL_EXTERN_C_END
#endif

/* breaker.h: stops calls to a server that fails (backend redis).
 *
 * It opens after 5 failures in a row, or when half of at least 20 calls within a second failed.
 * While it is open, calls fail at once, without the server: for 250 ms, then twice as long each
 * time, 10 s at most, a tenth more or less at random. Then a PING in the background asks whether
 * the server is there again. If it answers, the breaker is half open: one call passes as a probe,
 * and the others only once it has succeeded.
 *
 * It has no clock of its own: `now_ms` is accel_clock_monotonic_ms. Threads: any, all functions
 * but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_BREAKER_H
#define ACCEL_BACKENDS_REDIS_BREAKER_H

#include "../../../accel/platform/thread.h"

#define REDIS_BREAKER_STREAK 5u /* failures in a row */
#define REDIS_BREAKER_CALLS_MIN 20u
#define REDIS_BREAKER_WINDOW_MS 1000u
#define REDIS_BREAKER_FIRST_MS 250u
#define REDIS_BREAKER_MAX_MS 10000u

typedef enum redis_breaker_state {
  REDIS_BREAKER_CLOSED,    /* calls pass */
  REDIS_BREAKER_OPEN,      /* none does */
  REDIS_BREAKER_HALF_OPEN, /* the server answers PING: the next call is the probe */
  REDIS_BREAKER_PROBING    /* the probe is under way; no other call passes */
} redis_breaker_state;

typedef struct redis_breaker {
  /* Called at each change, with the mutex held: OPEN, then HALF_OPEN, then CLOSED;
   * PROBING is not reported. NULL: no call. Set before the first call. */
  void (*changed)(void *ctx, redis_breaker_state state);
  void *ctx;
  redis_breaker_state state; /* atomic; changed with the mutex held */
  uint32_t failure_streak;   /* atomic: failures since the last success */
  uint64_t passed;           /* atomic: calls that were let through */
  accel_mutex mutex;         /* guards what follows */
  uint64_t window_ms, window_passed;
  uint32_t window_failures;
  uint64_t until_ms; /* while open: no PING before this time */
  uint32_t pause_ms;
} redis_breaker;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. */
bool accel_redis_breaker_open(redis_breaker *breaker);
void accel_redis_breaker_close(redis_breaker *breaker);
/* Forgets all failures: it is another server now. */
void accel_redis_breaker_forget(redis_breaker *breaker);
/* True: the call may be sent, and ends with succeeded, failed or withdrawn. */
bool accel_redis_breaker_admits(redis_breaker *breaker, bool *is_probe_out);
void accel_redis_breaker_succeeded(redis_breaker *breaker, bool is_probe);
void accel_redis_breaker_failed(redis_breaker *breaker, bool is_probe, uint64_t now_ms);
/* The call ended without telling anything about the server. */
void accel_redis_breaker_withdrawn(redis_breaker *breaker, bool is_probe);
/* When PING is due; ACCEL_NO_DEADLINE: it is not. */
uint64_t accel_redis_breaker_ping_ms(redis_breaker *breaker);
void accel_redis_breaker_pinged(redis_breaker *breaker, bool is_alive, uint64_t now_ms);

ACCEL_EXTERN_C_END
#endif

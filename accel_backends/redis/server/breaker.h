/* breaker.h: stops calls to a server that fails (backend redis).
 *
 * After 5 failures in a row, or when half of at least 20 calls within a second failed, calls are
 * answered at once, without the server: for 250 ms, then twice as long each time, 10 s at most, a
 * tenth more or less at random. Then a PING in the background asks whether the server is there
 * again; if it answers, one call goes, and the others only once that one has succeeded.
 *
 * It has no clock of its own: `now_ms` is accel_clock_monotonic_ms.
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_BREAKER_H
#define ACCEL_BACKENDS_REDIS_BREAKER_H

#include "../../../accel/platform/thread.h"

#define REDIS_BREAKER_IN_A_ROW 5u
#define REDIS_BREAKER_CALLS_MIN 20u
#define REDIS_BREAKER_WINDOW_MS 1000u
#define REDIS_BREAKER_FIRST_MS 250u
#define REDIS_BREAKER_MAX_MS 10000u

typedef enum redis_breaker_state {
  REDIS_BREAKER_CLOSED,    /* calls pass */
  REDIS_BREAKER_OPEN,      /* none does */
  REDIS_BREAKER_HALF_OPEN, /* the server answers: the next call is the canary */
  REDIS_BREAKER_PROBING    /* it is on its way; the others do not pass */
} redis_breaker_state;

typedef struct redis_breaker {
  /* Told of each change, with the mutex held: OPEN, PROBED after that, CLOSED. NULL: nobody is.
   * Set before the first call. */
  void (*changed)(void *ctx, redis_breaker_state state);
  void *ctx;
  redis_breaker_state state; /* atomic; changed with the mutex held */
  uint32_t in_a_row;         /* atomic: failures since the last success */
  uint64_t passed;           /* atomic: calls that were let through */
  accel_mutex mutex;         /* guards what follows */
  uint64_t window_ms, window_passed;
  uint32_t window_failures;
  uint64_t until_ms; /* open: no PING before */
  uint32_t pause_ms;
} redis_breaker;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. */
bool accel_redis_breaker_open(redis_breaker *breaker);
void accel_redis_breaker_close(redis_breaker *breaker);
/* It is another server: nothing is held against it. */
void accel_redis_breaker_forget(redis_breaker *breaker);
/* True: the call may go, and ends with succeeded, failed or withdrawn. */
bool accel_redis_breaker_admits(redis_breaker *breaker, bool *is_probe_out);
void accel_redis_breaker_succeeded(redis_breaker *breaker, bool is_probe);
void accel_redis_breaker_failed(redis_breaker *breaker, bool is_probe, uint64_t now_ms);
/* It ended without saying anything about the server. */
void accel_redis_breaker_withdrawn(redis_breaker *breaker, bool is_probe);
/* When the server is to be asked for a sign of life; ACCEL_NO_DEADLINE: it is not. */
uint64_t accel_redis_breaker_ping_ms(redis_breaker *breaker);
void accel_redis_breaker_pinged(redis_breaker *breaker, bool is_alive, uint64_t now_ms);

ACCEL_EXTERN_C_END
#endif

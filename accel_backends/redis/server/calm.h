/* calm.h: when to leave a server in peace (backend redis).
 *
 * Three small machines without a clock of their own: `now_ms` is accel_clock_monotonic_ms.
 *
 * Back-off: pauses between attempts to connect, growing and of random length, so that a thousand
 * clients do not return in one instant.
 *
 * Breaker: after 5 failures in a row, or when half of at least 20 calls within a second failed,
 * calls are answered at once, without the server: for 250 ms, then twice as long each time, 10 s at
 * most, a tenth more or less at random. Then a PING in the background asks whether it is there
 * again; if it answers, one call goes, and the others only once that one has succeeded.
 *
 * Budget: at most one retry per ten calls.
 *
 * Threads: back-off one at a time; breaker and budget any.
 */
#ifndef ACCEL_BACKENDS_REDIS_CALM_H
#define ACCEL_BACKENDS_REDIS_CALM_H

#include "../../../accel/platform/thread.h"

#define REDIS_BACKOFF_FIRST_MS 10u
#define REDIS_BACKOFF_MAX_MS 2000u
#define REDIS_BREAKER_IN_A_ROW 5u
#define REDIS_BREAKER_CALLS_MIN 20u
#define REDIS_BREAKER_WINDOW_MS 1000u
#define REDIS_BREAKER_FIRST_MS 250u
#define REDIS_BREAKER_MAX_MS 10000u
#define REDIS_BUDGET_PART 10u  /* one retry per so many calls */
#define REDIS_BUDGET_SAVED 10u /* retries that may be saved up */

typedef struct redis_backoff {
  uint64_t next_ms;  /* not before; 0: now */
  uint32_t pause_ms; /* the last one's upper bound; 0: none */
} redis_backoff;

typedef enum redis_breaker_state {
  REDIS_BREAKER_CLOSED, /* calls pass */
  REDIS_BREAKER_OPEN,   /* none does */
  REDIS_BREAKER_PROBED, /* the server answers: the next call is the canary */
  REDIS_BREAKER_CANARY  /* it is on its way; the others do not pass */
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

typedef struct redis_budget {
  uint32_t tenths; /* atomic */
} redis_budget;

ACCEL_EXTERN_C_BEGIN

void accel_redis_backoff_failed(redis_backoff *backoff, uint64_t now_ms);
void accel_redis_backoff_reset(redis_backoff *backoff);

/* False: no memory. */
bool accel_redis_breaker_open(redis_breaker *breaker);
void accel_redis_breaker_close(redis_breaker *breaker);
/* It is another server: nothing is held against it. */
void accel_redis_breaker_forget(redis_breaker *breaker);
/* True: the call may go, and ends with succeeded, failed or withdrawn. */
bool accel_redis_breaker_admits(redis_breaker *breaker, bool *is_canary_out);
void accel_redis_breaker_succeeded(redis_breaker *breaker, bool is_canary);
void accel_redis_breaker_failed(redis_breaker *breaker, bool is_canary, uint64_t now_ms);
/* It ended without saying anything about the server. */
void accel_redis_breaker_withdrawn(redis_breaker *breaker, bool is_canary);
/* When the server is to be asked for a sign of life; ACCEL_NO_DEADLINE: it is not. */
uint64_t accel_redis_breaker_probe_ms(redis_breaker *breaker);
void accel_redis_breaker_probed(redis_breaker *breaker, bool is_alive, uint64_t now_ms);

/* A call that was not retried earns a tenth of a retry. */
void accel_redis_budget_earn(redis_budget *budget);
bool accel_redis_budget_spend(redis_budget *budget);

ACCEL_EXTERN_C_END
#endif

/* clock.h: the system's clocks (layer 0). Threads: any, all functions. */
#ifndef ACCEL_PLATFORM_CLOCK_H
#define ACCEL_PLATFORM_CLOCK_H

#include "../base.h"

/* A clock of the user's. `now_ms` may be called by any thread, must not go backwards and must not
 * call the cache. It decides expiry, stale windows, refresh and throttling; waiting always uses
 * the system's clock. It may begin anywhere, but once it is 2^38 ms, eight years, ahead of what it
 * said when a cache was opened, whatever has an end has expired there: so a clock that says 0 until
 * it is set must be set before. */
typedef struct accel_clock {
  uint64_t (*now_ms)(void *ctx);
  void *ctx;
} accel_clock;

/* An absolute time on accel_clock_monotonic_ms that never comes. */
#define ACCEL_NO_DEADLINE UINT64_MAX

ACCEL_EXTERN_C_BEGIN

/* Monotonic milliseconds, exact. For deadlines. */
uint64_t accel_clock_monotonic_ms(void);
/* Monotonic nanoseconds, exact. For latencies. */
uint64_t accel_clock_monotonic_ns(void);
/* Milliseconds since 1970. For times that leave the process; may jump. */
uint64_t accel_clock_wall_ms(void);
#define ACCEL_CLOCK_UTC_BYTES 40
/* Writes (ACCEL_CLOCK_UTC_BYTES) such a time as in 2026-12-01T10:58:33.123Z. */
void accel_clock_utc_text(uint64_t wall_ms, char *text);
/* What a cache calls now: the user's clock, or with NULL the system's coarse monotonic one, which
 * lags by one tick (10 ms) at most and costs no system call. The only call a hit may make. */
uint64_t accel_clock_read(const accel_clock *clock_or_null);
/* The absolute deadline `ms` from now; ACCEL_NO_DEADLINE for ACCEL_FOREVER. */
uint64_t accel_clock_deadline(uint32_t ms);

ACCEL_EXTERN_C_END
#endif

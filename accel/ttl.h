/* ttl.h: arithmetic of lifetimes (layer 1). Pure functions that cannot fail. Threads: any.
 *
 * Times are milliseconds on the cache's clock, as uint64_t; ACCEL_NEVER is later than all others.
 * Durations are milliseconds as uint32_t, as in the configuration; ACCEL_FOREVER has no end.
 */
#ifndef ACCEL_TTL_H
#define ACCEL_TTL_H

#include "base.h"

#define ACCEL_NEVER UINT64_MAX

/* When an entry was created, when it is due for a refresh, and when it expires. */
typedef struct accel_lifetime {
  uint64_t born_ms;
  uint64_t refresh_ms; /* <= expires_ms; equal to it without refresh-ahead */
  uint64_t expires_ms; /* ACCEL_NEVER: it does not */
} accel_lifetime;

/* start + duration; ACCEL_NEVER for ACCEL_FOREVER and on overflow. */
ACCEL_INLINE uint64_t accel_ttl_after(uint64_t start_ms_, uint32_t duration_ms_)
{
  if (duration_ms_ == ACCEL_FOREVER || start_ms_ > ACCEL_NEVER - duration_ms_) return ACCEL_NEVER;
  return start_ms_ + duration_ms_;
}

/* A ratio in [0, 1] as accel_ttl_jitter takes it: in units of 2^-32. */
ACCEL_INLINE uint32_t accel_ttl_ratio(double ratio_)
{
  return (uint32_t)(ratio_ * UINT32_MAX);
}

/* ttl x [1 - ratio, 1], at least 1 ms; `random` is 32 uniform bits. ACCEL_FOREVER stays. */
ACCEL_INLINE uint32_t accel_ttl_jitter(uint32_t ttl_ms_, uint32_t ratio_, uint32_t random_)
{
  if (ttl_ms_ == ACCEL_FOREVER) return ttl_ms_;
  const uint64_t share_ = (uint64_t)ratio_ * random_ >> 32; /* less than the ratio, or 0 */
  const uint32_t kept_ms_ = ttl_ms_ - (uint32_t)(ttl_ms_ * share_ >> 32);
  return kept_ms_ == 0 ? 1 : kept_ms_;
}

/* The lifetime of an entry created now. Window 0: no refresh-ahead; else a refresh is due when less
 * than min(window, half the TTL) is left. */
ACCEL_INLINE accel_lifetime accel_ttl_lifetime(uint64_t now_ms_, uint32_t ttl_ms_,
                                               uint32_t refresh_window_ms_)
{
  accel_lifetime lifetime_;
  lifetime_.born_ms = now_ms_;
  lifetime_.expires_ms = accel_ttl_after(now_ms_, ttl_ms_);
  lifetime_.refresh_ms = lifetime_.expires_ms;
  if (lifetime_.expires_ms == ACCEL_NEVER) return lifetime_;
  const uint32_t half_ms_ = ttl_ms_ / 2;
  lifetime_.refresh_ms -= refresh_window_ms_ < half_ms_ ? refresh_window_ms_ : half_ms_;
  return lifetime_;
}

/* Whether an entry that expired at `expires_ms` may still be a stale fallback. */
ACCEL_INLINE bool accel_ttl_is_stale_usable(uint64_t now_ms_, uint64_t expires_ms_,
                                            uint32_t stale_max_ms_)
{
  return now_ms_ < accel_ttl_after(expires_ms_, stale_max_ms_);
}

/* The remaining TTL: 0 after expiry, ACCEL_FOREVER for ACCEL_NEVER. */
ACCEL_INLINE uint32_t accel_ttl_left(uint64_t now_ms_, uint64_t expires_ms_)
{
  if (expires_ms_ == ACCEL_NEVER) return ACCEL_FOREVER;
  if (expires_ms_ <= now_ms_) return 0;
  const uint64_t left_ms_ = expires_ms_ - now_ms_;
  return left_ms_ < ACCEL_FOREVER ? (uint32_t)left_ms_ : ACCEL_FOREVER - 1;
}

#endif

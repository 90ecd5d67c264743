#include "breaker.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "backoff.h"

#include <string.h>

bool accel_redis_breaker_open(redis_breaker *breaker)
{
  memset(breaker, 0, sizeof *breaker);
  return accel_mutex_open(&breaker->mutex);
}

void accel_redis_breaker_close(redis_breaker *breaker)
{
  accel_mutex_close(&breaker->mutex);
}

/* With the mutex held. A probe that begins or is withdrawn is no change. */
static void redis_breaker_become(redis_breaker *breaker, redis_breaker_state state)
{
  const redis_breaker_state former = breaker->state;
  accel_store_release(&breaker->state, state);
  if (breaker->changed != NULL && former != state) breaker->changed(breaker->ctx, state);
}

void accel_redis_breaker_forget(redis_breaker *breaker)
{
  accel_mutex_lock(&breaker->mutex);
  breaker->pause_ms = 0;
  breaker->window_ms = 0;
  accel_store_relaxed(&breaker->failure_streak, 0);
  redis_breaker_become(breaker, REDIS_BREAKER_CLOSED);
  accel_mutex_unlock(&breaker->mutex);
}

bool accel_redis_breaker_admits(redis_breaker *breaker, bool *is_probe_out)
{
  *is_probe_out = false;
  const redis_breaker_state state = accel_load_acquire(&breaker->state);
  if (state == REDIS_BREAKER_CLOSED) {
    accel_add_relaxed(&breaker->passed, 1);
    return true;
  }
  if (state != REDIS_BREAKER_HALF_OPEN) return false;
  accel_mutex_lock(&breaker->mutex);
  *is_probe_out = breaker->state == REDIS_BREAKER_HALF_OPEN;
  if (*is_probe_out) accel_store_release(&breaker->state, REDIS_BREAKER_PROBING);
  accel_mutex_unlock(&breaker->mutex);
  return *is_probe_out;
}

void accel_redis_breaker_succeeded(redis_breaker *breaker, bool is_probe)
{
  if (accel_load_relaxed(&breaker->failure_streak) != 0)
    accel_store_relaxed(&breaker->failure_streak, 0);
  if (!is_probe) return;
  accel_mutex_lock(&breaker->mutex);
  if (breaker->state == REDIS_BREAKER_PROBING) {
    breaker->pause_ms = 0;
    breaker->window_ms = 0;
    redis_breaker_become(breaker, REDIS_BREAKER_CLOSED);
  }
  accel_mutex_unlock(&breaker->mutex);
}

void accel_redis_breaker_withdrawn(redis_breaker *breaker, bool is_probe)
{
  if (!is_probe) return;
  accel_mutex_lock(&breaker->mutex);
  if (breaker->state == REDIS_BREAKER_PROBING)
    accel_store_release(&breaker->state, REDIS_BREAKER_HALF_OPEN);
  accel_mutex_unlock(&breaker->mutex);
}

/* With the mutex held. */
static void redis_breaker_trip(redis_breaker *breaker, uint64_t now_ms)
{
  uint32_t pause_ms = breaker->pause_ms * 2;
  if (pause_ms < REDIS_BREAKER_FIRST_MS) pause_ms = REDIS_BREAKER_FIRST_MS;
  if (pause_ms > REDIS_BREAKER_MAX_MS) pause_ms = REDIS_BREAKER_MAX_MS;
  breaker->pause_ms = pause_ms;
  breaker->until_ms = now_ms + pause_ms - pause_ms / 10 + accel_redis_backoff_random(pause_ms / 5);
  accel_store_relaxed(&breaker->failure_streak, 0);
  redis_breaker_become(breaker, REDIS_BREAKER_OPEN);
}

/* With the mutex held. True: half of the calls of the last second failed, and they were enough. */
static bool redis_breaker_is_half_lost(redis_breaker *breaker, uint64_t now_ms)
{
  const uint64_t passed = accel_load_relaxed(&breaker->passed);
  if (breaker->window_ms == 0 || now_ms - breaker->window_ms >= REDIS_BREAKER_WINDOW_MS) {
    breaker->window_ms = now_ms;
    breaker->window_passed = passed;
    breaker->window_failures = 0;
  }
  breaker->window_failures++;
  /* The first failure's own call is in `passed` already, from before the window. */
  const uint64_t calls = passed - breaker->window_passed + 1;
  return calls >= REDIS_BREAKER_CALLS_MIN && breaker->window_failures * UINT64_C(2) >= calls;
}

void accel_redis_breaker_failed(redis_breaker *breaker, bool is_probe, uint64_t now_ms)
{
  accel_mutex_lock(&breaker->mutex);
  const uint32_t streak = accel_add_relaxed(&breaker->failure_streak, 1) + 1;
  const bool is_half_lost = redis_breaker_is_half_lost(breaker, now_ms);
  if (is_probe ? breaker->state == REDIS_BREAKER_PROBING
               : breaker->state == REDIS_BREAKER_CLOSED &&
                     (streak >= REDIS_BREAKER_STREAK || is_half_lost))
    redis_breaker_trip(breaker, now_ms);
  accel_mutex_unlock(&breaker->mutex);
}

uint64_t accel_redis_breaker_ping_ms(redis_breaker *breaker)
{
  if (accel_load_acquire(&breaker->state) != REDIS_BREAKER_OPEN) return ACCEL_NO_DEADLINE;
  accel_mutex_lock(&breaker->mutex);
  const uint64_t until_ms = breaker->until_ms;
  accel_mutex_unlock(&breaker->mutex);
  return until_ms;
}

void accel_redis_breaker_pinged(redis_breaker *breaker, bool is_alive, uint64_t now_ms)
{
  accel_mutex_lock(&breaker->mutex);
  if (breaker->state == REDIS_BREAKER_OPEN) {
    if (is_alive)
      redis_breaker_become(breaker, REDIS_BREAKER_HALF_OPEN);
    else
      redis_breaker_trip(breaker, now_ms);
  }
  accel_mutex_unlock(&breaker->mutex);
}

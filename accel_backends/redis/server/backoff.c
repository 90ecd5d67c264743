#include "backoff.h"

#include "../../../accel/platform/system.h"

uint32_t accel_redis_backoff_random(uint32_t bound)
{
  uint32_t random = 0;
  (void)accel_random_bytes(&random, sizeof random);
  return random % bound;
}

void accel_redis_backoff_failed(redis_backoff *backoff, uint64_t now_ms)
{
  uint32_t pause_ms = backoff->pause_ms * 2;
  if (pause_ms < REDIS_BACKOFF_FIRST_MS) pause_ms = REDIS_BACKOFF_FIRST_MS;
  if (pause_ms > REDIS_BACKOFF_MAX_MS) pause_ms = REDIS_BACKOFF_MAX_MS;
  backoff->pause_ms = pause_ms;
  backoff->next_ms = now_ms + 1 + accel_redis_backoff_random(pause_ms);
}

void accel_redis_backoff_reset(redis_backoff *backoff)
{
  backoff->pause_ms = 0;
}

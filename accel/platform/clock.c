#include "clock.h"

#include "clock_page.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
  struct timespec now;
  clock_gettime(id, &now); /* cannot fail for the clocks used here */
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t accel_clock_monotonic_ns(void)
{
  return clock_ns(CLOCK_MONOTONIC);
}

uint64_t accel_clock_monotonic_ms(void)
{
  return clock_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t accel_clock_wall_ms(void)
{
  return clock_ns(CLOCK_REALTIME) / 1000000u;
}

void accel_clock_utc_text(uint64_t wall_ms, char *text)
{
  const time_t seconds = (time_t)(wall_ms / 1000u);
  struct tm day;
  char date[ACCEL_CLOCK_UTC_BYTES - 8] = "";
  if (gmtime_r(&seconds, &day) != NULL) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &day);
  snprintf(text, ACCEL_CLOCK_UTC_BYTES, "%s.%03uZ", date, (unsigned)(wall_ms % 1000u));
}

uint64_t accel_clock_read(const accel_clock *clock_or_null)
{
  if (clock_or_null != NULL) return clock_or_null->now_ms(clock_or_null->ctx);
#ifdef CLOCK_MONOTONIC_COARSE
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  accel_clock_page_check((uint64_t)now.tv_sec);
  return (uint64_t)now.tv_sec * 1000u + (uint32_t)now.tv_nsec / 1000000u;
#else
  return accel_clock_monotonic_ms();
#endif
}

uint64_t accel_clock_deadline(uint32_t ms)
{
  return ms == ACCEL_FOREVER ? ACCEL_NO_DEADLINE : accel_clock_monotonic_ms() + ms;
}

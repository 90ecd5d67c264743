/* counter.h: the processor's own count of time (layer 0).
 *
 * Reading it is one instruction, where there is one. It counts on while the process stands still,
 * which is what it is for; tick.c finds out how fast, and whether it can be relied on.
 * Threads: any, all functions.
 */
#ifndef ACCEL_PLATFORM_COUNTER_H
#define ACCEL_PLATFORM_COUNTER_H

#include "../base.h"

/* A period is 2 to the power of ACCEL_COUNTER_SHIFT counts: about a second and a half on x86-64,
 * and two hundredths of a second to two thirds on ARM. */
#if defined(__x86_64__)
#define ACCEL_HAS_COUNTER 1
#define ACCEL_COUNTER_SHIFT 32u
ACCEL_INLINE uint64_t accel_counter_period(void)
{
  uint64_t low_, high_;
  __asm__ volatile("rdtsc" : "=a"(low_), "=d"(high_) : : "memory");
  (void)low_;
  return high_;
}
ACCEL_INLINE uint64_t accel_counter_read(void)
{
  uint64_t low_, high_;
  __asm__ volatile("rdtsc" : "=a"(low_), "=d"(high_) : : "memory");
  return high_ << 32 | low_;
}
#elif defined(__aarch64__)
#define ACCEL_HAS_COUNTER 1
#define ACCEL_COUNTER_SHIFT 24u
ACCEL_INLINE uint64_t accel_counter_read(void)
{
  uint64_t count_;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count_) : : "memory");
  return count_;
}
ACCEL_INLINE uint64_t accel_counter_period(void)
{
  return accel_counter_read() >> ACCEL_COUNTER_SHIFT;
}
#else
#define ACCEL_HAS_COUNTER 0
#define ACCEL_COUNTER_SHIFT 32u
ACCEL_INLINE uint64_t accel_counter_read(void)
{
  return 0;
}
ACCEL_INLINE uint64_t accel_counter_period(void)
{
  return 0;
}
#endif

ACCEL_EXTERN_C_BEGIN

/* Whether it counts evenly, on all processors alike, and faster than any that would be too coarse:
 * says the processor, and the system does not say otherwise. */
bool accel_counter_is_steady(void);

ACCEL_EXTERN_C_END
#endif

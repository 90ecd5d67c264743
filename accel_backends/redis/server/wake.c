#include "wake.h"

#include "../../../accel/platform/atomic.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel takes it, on its monotonic clock: the C library's may have other sizes. */
typedef struct redis_wake_time {
  long seconds, nanoseconds;
} redis_wake_time;

redis_wake_state accel_redis_wake_state(const redis_wake *wake)
{
  return (redis_wake_state)accel_load_acquire(&wake->word);
}

void accel_redis_wake_clear(redis_wake *wake)
{
  uint32_t word = accel_load_relaxed(&wake->word);
  while (word != REDIS_WAKE_DONE)
    if (accel_compare_exchange(&wake->word, &word, (uint32_t)REDIS_WAKE_NOTHING)) return;
}

void accel_redis_wake_set(redis_wake *wake, redis_wake_state state)
{
  uint32_t word = accel_load_relaxed(&wake->word);
  do {
    if (word == REDIS_WAKE_DONE) return;
  } while (!accel_compare_exchange(&wake->word, &word, (uint32_t)state));
  if (word == REDIS_WAKE_ASLEEP)
    syscall(SYS_futex, &wake->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void accel_redis_wake_sleep(redis_wake *wake, uint64_t deadline_ms)
{
  uint32_t word = REDIS_WAKE_NOTHING;
  if (!accel_compare_exchange(&wake->word, &word, (uint32_t)REDIS_WAKE_ASLEEP)) return;
  while (accel_load_acquire(&wake->word) == REDIS_WAKE_ASLEEP) {
    const redis_wake_time until = {(long)(deadline_ms / 1000),
                                   (long)(deadline_ms % 1000) * 1000000};
    const bool is_endless = deadline_ms == ACCEL_NO_DEADLINE;
    if (!is_endless && accel_clock_monotonic_ms() >= deadline_ms) break;
    syscall(SYS_futex, &wake->word, FUTEX_WAIT_BITSET_PRIVATE, REDIS_WAKE_ASLEEP,
            is_endless ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
  }
  word = REDIS_WAKE_ASLEEP; /* nobody set it: awake again */
  (void)accel_compare_exchange(&wake->word, &word, (uint32_t)REDIS_WAKE_NOTHING);
}

void accel_redis_wake_yield(void)
{
  syscall(SYS_sched_yield);
}

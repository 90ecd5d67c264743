/* tick.h: what time it is at most, for those who may not even read the clock (layer 0).
 *
 * Asking the system's coarse clock is a call, for which a hit would need a stack, and half as many
 * instructions again. A hit reads the processor's counter instead, which is one instruction, and
 * turns its period into a moment that has not come yet: what ends later is fresh. The clock is
 * asked only for what ends before that, in a second or two.
 *
 * The moment is a line, accel_tick_word + period * accel_tick_unit. Let the clock have said t a
 * moment after the counter said c, and let unit be no less than the time that a period takes. When
 * a reader's counter says c' >= c in period p, then at most (c' - c) counts have passed, each no
 * longer than unit / 2^SHIFT, and c' is below (p + 1) * 2^SHIFT. So it is at most
 *
 *   t + ((p + 1) * 2^SHIFT - c) * unit / 2^SHIFT = word + p * unit
 *
 * where word depends on t and c alone. That holds however long ago t was: whether the process was
 * stopped, frozen or debugged, the machine suspended, or the library's thread that draws a new line
 * four times a second did not get to run. The reader loads the word before it reads the counter, so
 * that c' >= c. unit is measured against the clock, from below, and checked with every new line: a
 * counter that turns out to be slower, or goes back, is not used again. Where there is none to be
 * relied on, and where no thread could be had, the word is NONE and the clock is asked always.
 *
 * On some machines it takes longer to read the counter than all the rest of a hit. Two ways are
 * quicker and do not hold. A word that says what time it was is old, when the process goes on after
 * a stop, until the thread that writes it has run. And Linux's restartable sequences, whose pointer
 * the kernel clears when it preempts a thread, say nothing if the thread stood still within a
 * system call (since Linux 6.19), nor if the whole machine stood still.
 *
 * Threads: any, all functions.
 */
#ifndef ACCEL_PLATFORM_TICK_H
#define ACCEL_PLATFORM_TICK_H

#include "atomic.h"
#include "counter.h"

#define ACCEL_TICK_MS 250u
/* A moment's lowest bits are no part of the milliseconds, so that it compares with words that
 * hold a time and something below. */
#define ACCEL_TICK_SHIFT 24u
/* What the word says while nobody ticks: with whatever period, and half the range of moments added
 * or not, later than any. */
#define ACCEL_TICK_NONE ((uint64_t)3 << 61)

ACCEL_EXTERN_C_BEGIN

extern uint64_t accel_tick_word; /* atomic */
extern uint64_t accel_tick_unit; /* atomic; written once */

/* A moment on the system's clock that is not past, shifted. */
ACCEL_INLINE uint64_t accel_tick_latest(void)
{
  const uint64_t word_ = accel_load_acquire(&accel_tick_word);
  return word_ + accel_times_relaxed(&accel_tick_unit, accel_counter_period());
}

/* Every hold takes one release. Where no thread can be had, and in a forked child until its first
 * hold, the word stays NONE. */
void accel_tick_hold(void);
void accel_tick_release(void);

ACCEL_EXTERN_C_END
#endif

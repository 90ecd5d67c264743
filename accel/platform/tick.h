/* tick.h: what time it is at least, for those who may not even read the clock (layer 0).
 *
 * Reading the system's coarse clock takes about as long as the rest of a hit. So while anybody
 * holds the ticks, a thread of the library's own copies that clock into one word, again and again.
 * What is not due ACCEL_TICK_MARGIN_MS after the word is not due now; for the rest the clock is
 * asked. Nothing is seen too late unless the ticks are late by margin less period: for that the
 * whole process must have been stopped, and then it is over as soon as its threads run again.
 *
 * Threads: any, all functions.
 */
#ifndef ACCEL_PLATFORM_TICK_H
#define ACCEL_PLATFORM_TICK_H

#include "../base.h"

#define ACCEL_TICK_MS 250u
#define ACCEL_TICK_MARGIN_MS 2000u
/* The word's lowest bits are no part of the time, so that it can be compared with words that hold a
 * time and something below. */
#define ACCEL_TICK_SHIFT 24u
/* Later than any time: what the word says while nobody ticks, so that the clock is asked. */
#define ACCEL_TICK_NONE (((uint64_t)1 << 63) - 1)

ACCEL_EXTERN_C_BEGIN

extern uint64_t accel_tick_word; /* atomic; accel_clock_read(NULL) as of the last tick, shifted */

/* Every hold takes one release. Where no thread can be had, and in a forked child until its first
 * hold, the word stays NONE. */
void accel_tick_hold(void);
void accel_tick_release(void);

ACCEL_EXTERN_C_END
#endif

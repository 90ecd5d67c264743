/* clock_page.h: the second that the system's coarse clock shows, without a call (layer 0).
 *
 * A hit has to know whether an entry has expired, and may take a few nanoseconds. A call that
 * reads the clock takes as long as all the rest of a hit, and an instruction that reads the
 * processor's counter takes longer. But the kernel keeps the coarse clock as two words, seconds
 * and nanoseconds, in a page that every process sees ([vvar], from which clock_gettime itself
 * reads). So a hit loads one word: the second.
 *
 * Why that is right:
 *
 * - The kernel writes the word, not a thread of ours. However long the process stood still
 *   (SIGSTOP, a debugger, a frozen control group, a suspended machine) and whichever thread runs
 *   first afterwards, it finds what clock_gettime(CLOCK_MONOTONIC_COARSE) would say.
 * - The word is at most one second behind that clock's: the kernel may store it before it adds the
 *   carry of the nanoseconds. With the part of a second that is not looked at, the clock is less
 *   than ACCEL_CLOCK_PAGE_BEHIND_MS ahead of the word. What ends later than that is fresh; for all
 *   else the clock itself is asked.
 * - Where the word lies is no promise of the kernel's, so it is searched for: the page is the one
 *   that the kernel calls [vvar], and the place is where both words are what clock_gettime says,
 *   to the nanosecond. A running kernel does not move it. A child may get another page (a new time
 *   namespace), so it searches anew.
 * - Each thread that reads the clock compares (accel_clock_page_check): a word that fell behind is
 *   not used again by this process. That is for a process that is restored on another kernel.
 *
 * Where the word is not found, the pointer leads to one that is later than any moment, and the
 * clock is always asked: on systems other than Linux, before the first search, in a child before
 * its own, in a time namespace with an offset, on machines of less than 64 bits.
 *
 * A background thread that publishes the time would not work: after a stop, other threads may run
 * first. Neither would restartable sequences, whose mark the kernel clears when it takes the
 * processor from a thread: since Linux 6.19 the mark survives a sleep within a system call.
 *
 * Threads: any, all functions.
 */
#ifndef ACCEL_PLATFORM_CLOCK_PAGE_H
#define ACCEL_PLATFORM_CLOCK_PAGE_H

#include "atomic.h"

/* A moment is milliseconds << 24, so that it can be compared with words that hold other things in
 * the low bits, such as an entry's head. */
#define ACCEL_CLOCK_PAGE_SHIFT 24u
/* The clock is less than this ahead of accel_clock_page_shown. */
#define ACCEL_CLOCK_PAGE_BEHIND_MS 2000u
#define ACCEL_CLOCK_PAGE_SECOND ((uint64_t)1000 << ACCEL_CLOCK_PAGE_SHIFT) /* as a moment */
/* The second of a word that is not the kernel's. As a moment it is 3 * 2^61, later than 13 years of
 * uptime; with 2^62 added it is above 2^63, which is later than anything a head can hold. */
#define ACCEL_CLOCK_PAGE_NONE (((uint64_t)3 << 61) / ACCEL_CLOCK_PAGE_SECOND + 1)

ACCEL_EXTERN_C_BEGIN

extern const uint64_t *accel_clock_page_second; /* atomic; never NULL */

/* Finds the word, if that was not done. If it cannot be found, the next call tries again. */
void accel_clock_page_open(void);

/* A moment on the coarse clock, shifted: now, or up to ACCEL_CLOCK_PAGE_BEHIND_MS ago. */
ACCEL_INLINE uint64_t accel_clock_page_shown(void)
{
  const uint64_t *const second_ = accel_load_relaxed(&accel_clock_page_second);
  return accel_times_relaxed(second_, ACCEL_CLOCK_PAGE_SECOND);
}

/* The word fell behind: it is not used again. */
ACCEL_COLD void accel_clock_page_refuse(void);

/* Refuses the word if it fell behind: `seconds_` is what the coarse clock has just said. */
ACCEL_INLINE void accel_clock_page_check(uint64_t seconds_)
{
  const uint64_t *const second_ = accel_load_relaxed(&accel_clock_page_second);
  if (ACCEL_UNLIKELY(accel_load_relaxed(second_) + 1 < seconds_)) accel_clock_page_refuse();
}

ACCEL_EXTERN_C_END
#endif

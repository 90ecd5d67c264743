/* slot.h: the number of a thread, by which it finds its own line of counters (layer 0). Users see
 * this header; thread.c gives the numbers out. Threads: any.
 */
#ifndef ACCEL_PLATFORM_SLOT_H
#define ACCEL_PLATFORM_SLOT_H

#include "atomic.h"

/* Threads beyond this many at one time share number 0. */
#define ACCEL_THREAD_SLOTS 128

ACCEL_EXTERN_C_BEGIN

/* The calling thread's number in [1, ACCEL_THREAD_SLOTS), or 0: none yet, or none left. Numbers
 * of ended threads are given out again, after everything the thread did. */
extern ACCEL_THREAD_LOCAL uint32_t accel_thread_slot;
/* The number times ACCEL_CACHE_LINE: where the thread's line is in an array of them. */
extern ACCEL_THREAD_LOCAL uint32_t accel_thread_offset;
/* Gives the calling thread its number, once; returns it, 0 when all are taken. */
ACCEL_COLD uint32_t accel_thread_slot_acquire(void);

ACCEL_EXTERN_C_END
#endif

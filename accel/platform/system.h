/* system.h: pages, randomness, and the standard error (layer 0). Threads: any. */
#ifndef ACCEL_PLATFORM_SYSTEM_H
#define ACCEL_PLATFORM_SYSTEM_H

#include "../base.h"

ACCEL_EXTERN_C_BEGIN

/* The default page hooks: zeroed memory, aligned to the system's page; NULL: none. */
void *accel_pages_alloc(size_t size);
void accel_pages_free(void *pages, size_t size);
/* The next four are for pages of accel_pages_alloc's.
 * Gives the memory of whole pages within [start, start + size) back to the system, where it can,
 * and keeps their addresses: they read as zeros from then on. */
void accel_pages_empty(void *start, size_t size);
/* Makes the whole range zeros, and gives back what it can. */
void accel_pages_clear(void *start, size_t size);
/* Large allocations begin on a multiple of this, where the system has pages of that size. It is
 * asked not to use them unless told otherwise: one is resident as a whole. */
#define ACCEL_HUGE_PAGE ((size_t)2 << 20)
void accel_pages_advise_huge(void *start, size_t size);
/* Makes huge pages of what lies there, at once. False: the system cannot; it may do so later. */
bool accel_pages_collapse(void *start, size_t size);
/* How many bytes of the range have memory behind them; of any range that begins on a page. All, if
 * the system does not say. */
size_t accel_pages_resident(const void *start, size_t size);

/* `size` bytes, rounded up to whole pages; 0 if that is too many. */
size_t accel_pages_round(size_t size);
/* Keeps the whole pages within [start, start + size) out of core dumps, where the system can, or
 * no longer. */
void accel_pages_conceal(void *start, size_t size, bool conceals);

/* The number by which the system knows this process. */
uint64_t accel_process_id(void);

/* Unpredictable bytes from the system. False: it has none, which no supported system says. */
bool accel_random_bytes(void *out, size_t size);

/* One write to the standard error; what it does not take is lost. errno stays as it was. */
void accel_stderr_write(const char *text, size_t size);

ACCEL_EXTERN_C_END
#endif

/* system.h: pages, randomness, forks, and the number of a thread (layer 0). Threads: any. */
#ifndef ACCEL_PLATFORM_SYSTEM_H
#define ACCEL_PLATFORM_SYSTEM_H

#include "atomic.h"

/* Threads beyond this many at one time share number 0. */
#define ACCEL_THREAD_SLOTS 128

ACCEL_EXTERN_C_BEGIN

/* The calling thread's number in [1, ACCEL_THREAD_SLOTS), or 0: none yet, or none left. Numbers
 * of ended threads are given out again, after everything the thread did. */
extern ACCEL_THREAD_LOCAL uint32_t accel_thread_slot;
/* The number times ACCEL_CACHE_LINE: where the thread's line is in an array of them. */
extern ACCEL_THREAD_LOCAL uint32_t accel_thread_offset;
ACCEL_INLINE bool accel_thread_has_slot(void)
{
  return !accel_is_zero(&accel_thread_offset);
}
/* Gives the calling thread its number, once; returns it, 0 when all are taken. */
ACCEL_COLD uint32_t accel_thread_slot_acquire(void);
/* Gives the number back: when the thread ends. */
void accel_thread_slot_release(void);

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

/* Unpredictable bytes from the system. False: it has none, which no supported system says. */
bool accel_random_bytes(void *out, size_t size);

/* One write to the standard error; what it does not take is lost. errno stays as it was. */
void accel_stderr_write(const char *text, size_t size);

/* Counts the forks between this process and the one that loaded the library: an object that
 * remembers another number was made by a parent. */
uint64_t accel_fork_generation(void);

/* Calls `child(ctx)` in the child of every fork until unregistered; it may only touch memory. To
 * register it again changes nothing, so a room registers the handler of its static variables
 * whenever it is opened. False: no memory. */
typedef struct accel_fork_handler {
  void (*child)(void *ctx);
  void *ctx;
  struct accel_fork_handler *next, *previous;
  bool is_registered;
} accel_fork_handler;
bool accel_fork_register(accel_fork_handler *handler);
void accel_fork_unregister(accel_fork_handler *handler);

/* The objects that this process has opened and not closed, by address: whatever bytes lie there, it
 * can be told whether a cache, an executor or an L2 is open. `kind` is an address that stands for
 * what the object is. */
typedef struct accel_opened {
  const void *object, *kind;
  uint64_t fork_generation;
  struct accel_opened *next, *previous;
} accel_opened;
/* Notes an object as open. `entry` is kept until removed. */
void accel_opened_add(accel_opened *entry, const void *object, const void *kind);
/* Does nothing to an entry that is zeroed or was removed. */
void accel_opened_remove(accel_opened *entry);
typedef enum accel_opened_by {
  ACCEL_OPENED_BY_NOBODY = 0, /* or it is closed again */
  ACCEL_OPENED_BY_US,
  ACCEL_OPENED_BY_PARENT /* before a fork */
} accel_opened_by;
accel_opened_by accel_opened_find(const void *object, const void *kind);

ACCEL_EXTERN_C_END
#endif

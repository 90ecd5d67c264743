#include "system.h"

#include "atomic.h"
#include "thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- thread numbers ---- */

ACCEL_THREAD_LOCAL uint32_t accel_thread_slot;
ACCEL_THREAD_LOCAL uint32_t accel_thread_offset;

static uint8_t system_slot_taken[ACCEL_THREAD_SLOTS];

/* The release hands the thread's counters to the number's next owner. */
void accel_thread_slot_release(void)
{
  const uint32_t slot = accel_thread_slot;
  accel_thread_slot = accel_thread_offset = 0;
  if (slot != 0) accel_store_release(&system_slot_taken[slot], (uint8_t)0);
}

uint32_t accel_thread_slot_acquire(void)
{
  if (accel_thread_slot != 0) return accel_thread_slot;
  if (!accel_thread_note_end()) return 0;
  for (uint32_t slot = 1; slot < ACCEL_THREAD_SLOTS; slot++) {
    if (accel_load_relaxed(&system_slot_taken[slot]) != 0) continue;
    if (accel_exchange_acquire(&system_slot_taken[slot], (uint8_t)1) != 0) continue;
    accel_thread_slot = slot;
    accel_thread_offset = slot * ACCEL_CACHE_LINE;
    return slot;
  }
  return 0;
}

/* ---- pages and randomness ---- */

static void *system_map(size_t size)
{
  void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}

/* Where the system offers huge pages a large table begins on one, so that it can have them later;
 * nothing is rounded up, and the addresses that are too many go back. Until then it has small ones,
 * even where huge ones are the rule: an entry here and there would have 2 MiB resident. */
#ifdef MADV_HUGEPAGE
static void *system_map_aligned(size_t size)
{
  if (size > SIZE_MAX - ACCEL_HUGE_PAGE) return NULL;
  char *start = (char *)system_map(size + ACCEL_HUGE_PAGE);
  if (start == NULL) return NULL;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t before = (size_t)(-(uintptr_t)start & (ACCEL_HUGE_PAGE - 1));
  const size_t used = (size + page - 1) & ~(page - 1);
  if (before > 0) munmap(start, before);
  if (used < size + ACCEL_HUGE_PAGE - before)
    munmap(start + before + used, ACCEL_HUGE_PAGE - before - (used - size));
  madvise(start + before, used, MADV_NOHUGEPAGE);
  return start + before;
}
#endif

void *accel_pages_alloc(size_t size)
{
#ifdef MADV_HUGEPAGE
  if (size >= ACCEL_HUGE_PAGE) {
    void *pages = system_map_aligned(size);
    if (pages != NULL) return pages;
  }
#endif
  return system_map(size);
}

void accel_pages_free(void *pages, size_t size)
{
  if (pages != NULL) munmap(pages, size);
}

/* An advice is about whole pages within the range. */
static ACCEL_UNUSED void system_advise(void *start, size_t size, int advice)
{
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t skipped = (size_t)(-(uintptr_t)start & (page - 1));
  if (size <= skipped) return;
  const size_t whole = (size - skipped) & ~(page - 1);
  if (whole > 0) madvise((char *)start + skipped, whole, advice);
}

void accel_pages_empty(void *start, size_t size)
{
#ifdef MADV_DONTNEED
  system_advise(start, size, MADV_DONTNEED);
#endif
#ifdef MADV_NOHUGEPAGE
  system_advise(start, size, MADV_NOHUGEPAGE);
#endif
  (void)start, (void)size;
}

void accel_pages_clear(void *start, size_t size)
{
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t before = (size_t)(-(uintptr_t)start & (page - 1));
  char *const first = (char *)start;
  if (size <= before + page) {
    memset(first, 0, size);
    return;
  }
  const size_t after = (size - before) & (page - 1);
  memset(first, 0, before);
  memset(first + size - after, 0, after);
#ifdef MADV_DONTNEED
  if (madvise(first + before, size - before - after, MADV_DONTNEED) == 0) return;
#endif
  memset(first + before, 0, size - before - after);
}

void accel_pages_advise_huge(void *start, size_t size)
{
#ifdef MADV_HUGEPAGE
  madvise(start, size, MADV_HUGEPAGE);
#else
  (void)start, (void)size;
#endif
}

#define SYSTEM_MADV_COLLAPSE \
  25 /* since Linux 6.1; older headers lack it, older systems refuse it */

bool accel_pages_collapse(void *start, size_t size)
{
  return madvise(start, size, SYSTEM_MADV_COLLAPSE) == 0;
}

#define SYSTEM_PAGES_AT_ONCE 4096u

size_t accel_pages_resident(const void *start, size_t size)
{
  unsigned char is_resident[SYSTEM_PAGES_AT_ONCE];
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t pages = size / page + (size % page != 0);
  char *const first = (char *)(uintptr_t)start;
  size_t count = 0;
  for (size_t done = 0; done < pages; done += SYSTEM_PAGES_AT_ONCE) {
    const size_t left = pages - done;
    const size_t some = left < SYSTEM_PAGES_AT_ONCE ? left : SYSTEM_PAGES_AT_ONCE;
    if (mincore(first + done * page, some * page, is_resident) != 0) return size;
    for (size_t i = 0; i < some; i++) count += is_resident[i] & 1u;
  }
  return count * page < size ? count * page : size;
}

size_t accel_pages_round(size_t size)
{
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return size > SIZE_MAX - page ? 0 : (size + page - 1) & ~(page - 1);
}

void accel_pages_conceal(void *start, size_t size, bool conceals)
{
#ifdef MADV_DONTDUMP
  system_advise(start, size, conceals ? MADV_DONTDUMP : MADV_DODUMP);
#else
  (void)start, (void)size, (void)conceals;
#endif
}

void accel_stderr_write(const char *text, size_t size)
{
  const int before = errno;
  accel_cancel_hold(); /* write would be a place where the program's thread is cancelled */
  const ssize_t written = write(STDERR_FILENO, text, size);
  (void)written;
  accel_cancel_release();
  errno = before;
}

bool accel_random_bytes(void *out, size_t size)
{
  char *next = (char *)out;
  while (size > 0) {
    const ssize_t got = getrandom(next, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got;
    size -= (size_t)got;
  }
  return true;
}

/* ---- forks ---- */

static pthread_mutex_t system_fork_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static pthread_once_t system_fork_once = PTHREAD_ONCE_INIT;
static bool system_fork_ready;
static accel_fork_handler *system_fork_handlers;
static uint64_t system_fork_count;

static void system_fork_prepare(void)
{
  pthread_mutex_lock(&system_fork_mutex);
}

static void system_fork_parent(void)
{
  pthread_mutex_unlock(&system_fork_mutex);
}

static void system_fork_child(void)
{
  accel_add_relaxed(&system_fork_count, 1u);
  for (uint32_t slot = 1; slot < ACCEL_THREAD_SLOTS; slot++) /* the other threads are not here */
    if (slot != accel_thread_slot) accel_store_relaxed(&system_slot_taken[slot], (uint8_t)0);
  for (accel_fork_handler *each = system_fork_handlers; each != NULL; each = each->next)
    each->child(each->ctx);
  pthread_mutex_unlock(&system_fork_mutex);
}

static void system_fork_install(void)
{
  const int failed = pthread_atfork(system_fork_prepare, system_fork_parent, system_fork_child);
  accel_store_release(&system_fork_ready, failed == 0);
}

uint64_t accel_fork_generation(void)
{
  if (!accel_load_acquire(&system_fork_ready)) /* who asks wants later forks counted */
    pthread_once(&system_fork_once, system_fork_install);
  return accel_load_relaxed(&system_fork_count);
}

bool accel_fork_register(accel_fork_handler *handler)
{
  pthread_once(&system_fork_once, system_fork_install);
  if (!system_fork_ready) return false;
  pthread_mutex_lock(&system_fork_mutex);
  if (!handler->is_registered) {
    handler->is_registered = true;
    handler->previous = NULL;
    handler->next = system_fork_handlers;
    if (handler->next != NULL) handler->next->previous = handler;
    system_fork_handlers = handler;
  }
  pthread_mutex_unlock(&system_fork_mutex);
  return true;
}

void accel_fork_unregister(accel_fork_handler *handler)
{
  pthread_mutex_lock(&system_fork_mutex);
  if (handler->next != NULL) handler->next->previous = handler->previous;
  if (handler->previous != NULL) handler->previous->next = handler->next;
  if (system_fork_handlers == handler) system_fork_handlers = handler->next;
  handler->is_registered = false;
  pthread_mutex_unlock(&system_fork_mutex);
}

/* ---- open objects ---- */

static accel_opened *system_opened; /* under the mutex of the forks */

static uint64_t system_opened_lock(void)
{
  const uint64_t generation = accel_fork_generation(); /* installs the handlers of a fork */
  pthread_mutex_lock(&system_fork_mutex);
  return generation;
}

void accel_opened_add(accel_opened *entry, const void *object, const void *kind)
{
  entry->fork_generation = system_opened_lock();
  entry->object = object;
  entry->kind = kind;
  entry->previous = NULL;
  entry->next = system_opened;
  if (entry->next != NULL) entry->next->previous = entry;
  system_opened = entry;
  pthread_mutex_unlock(&system_fork_mutex);
}

void accel_opened_remove(accel_opened *entry)
{
  if (entry->object == NULL) return;
  system_opened_lock();
  if (entry->next != NULL) entry->next->previous = entry->previous;
  if (entry->previous != NULL) entry->previous->next = entry->next;
  if (system_opened == entry) system_opened = entry->next;
  entry->object = NULL;
  pthread_mutex_unlock(&system_fork_mutex);
}

accel_opened_by accel_opened_find(const void *object, const void *kind)
{
  const uint64_t generation = system_opened_lock();
  const accel_opened *entry = system_opened; /* the newest is the first */
  while (entry != NULL && (entry->object != object || entry->kind != kind)) entry = entry->next;
  accel_opened_by by = ACCEL_OPENED_BY_NOBODY;
  if (entry != NULL)
    by = entry->fork_generation == generation ? ACCEL_OPENED_BY_US : ACCEL_OPENED_BY_PARENT;
  pthread_mutex_unlock(&system_fork_mutex);
  return by;
}

#include "system.h"

#include "atomic.h"
#include "thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

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

uint64_t accel_process_id(void)
{
  return (uint64_t)getpid();
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

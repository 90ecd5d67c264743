#include "clock_page.h"

#include "fork.h"
#include "thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint64_t clock_page_none = ACCEL_CLOCK_PAGE_NONE;
const uint64_t *accel_clock_page_second = &clock_page_none;

static accel_mutex clock_page_mutex = ACCEL_MUTEX_INITIALIZER; /* guards the next one */
static bool clock_page_is_found;
static bool clock_page_is_refused; /* atomic */

#if defined(__linux__) && defined(CLOCK_MONOTONIC_COARSE) && UINTPTR_MAX == UINT64_MAX
#define CLOCK_PAGE_BYTES 4096u /* the first of the kernel's pages is the one with the time */
#define CLOCK_PAGE_WORDS (CLOCK_PAGE_BYTES / sizeof(uint64_t))
#define CLOCK_PAGE_ATTEMPTS 16u

/* Where the kernel says that its page is. NULL: nowhere. */
static const uint64_t *clock_page_map(void)
{
  char line[512];
  uintptr_t start = 0;
  FILE *file = fopen("/proc/self/maps", "re");
  if (file == NULL) return NULL;
  while (start == 0 && fgets(line, (int)sizeof line, file) != NULL) {
    const char *name = strchr(line, '[');
    if (name == NULL || strchr(line, '/') != NULL || strcmp(name, "[vvar]\n") != 0) continue;
    if (sscanf(line, "%" SCNxPTR, &start) != 1) start = 0;
  }
  fclose(file);
  return (const uint64_t *)start; /* NOLINT(performance-no-int-to-ptr) */
}

/* Tells memcheck, which does not know of the page, that it may be read: a request in the form of
 * instructions that do nothing, which only valgrind notices. */
static void clock_page_tell_memcheck(const uint64_t *page)
{
#if defined(__x86_64__) && !ACCEL_IS_SANITIZED
  const uint64_t make_defined = 0x4D430002u; /* MC, 2 */
  const uint64_t request[6] = {make_defined, (uintptr_t)page, CLOCK_PAGE_BYTES, 0, 0, 0};
  uint64_t result = 0;
  __asm__ volatile("rol{q $3, %%rdi| rdi, 3}\n\trol{q $13, %%rdi| rdi, 13}\n\t"
                   "rol{q $61, %%rdi| rdi, 61}\n\trol{q $51, %%rdi| rdi, 51}\n\t"
                   "xchg{q %%rbx, %%rbx| rbx, rbx}"
                   : "+d"(result)
                   : "a"(request)
                   : "cc", "memory");
#else
  (void)page;
#endif
}

/* A call that reads there fails where an instruction that does would be a bus error. */
static bool clock_page_is_readable(const uint64_t *page)
{
  return access((const char *)page, F_OK) == 0 || errno != EFAULT;
}

/* The place of two words that say what the clock says. NULL: none, or the clock ticked. */
static const uint64_t *clock_page_match(const uint64_t *page)
{
  struct timespec now, after;
  const uint64_t *found = NULL;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  for (size_t i = 0; i + 1 < CLOCK_PAGE_WORDS && found == NULL; i++) {
    if (accel_load_relaxed(&page[i]) == (uint64_t)now.tv_sec &&
        accel_load_relaxed(&page[i + 1]) == (uint64_t)now.tv_nsec)
      found = &page[i];
  }
  clock_gettime(CLOCK_MONOTONIC_COARSE, &after);
  return now.tv_sec == after.tv_sec && now.tv_nsec == after.tv_nsec ? found : NULL;
}

static const uint64_t *clock_page_find(void)
{
  const uint64_t *const page = clock_page_map();
  if (page == NULL) return NULL;
  clock_page_tell_memcheck(page);
  if (!clock_page_is_readable(page)) return NULL;
  const uint64_t *found = NULL;
  for (unsigned i = 0; i < CLOCK_PAGE_ATTEMPTS && found == NULL; i++)
    found = clock_page_match(page);
  return found;
}
#else
static const uint64_t *clock_page_find(void)
{
  return NULL;
}
#endif

/* The child may have another page there, and another thread of the parent's may have held the
 * mutex. */
static void clock_page_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  clock_page_mutex = fresh;
  clock_page_is_found = false;
  accel_store_relaxed(&accel_clock_page_second, &clock_page_none);
}

static accel_fork_handler clock_page_handler = {.child = clock_page_fork_child};

void accel_clock_page_open(void)
{
  accel_mutex_lock(&clock_page_mutex);
  if (!clock_page_is_found && accel_fork_register(&clock_page_handler)) {
    const uint64_t *const found = clock_page_find();
    clock_page_is_found = found != NULL;
    if (found != NULL && !accel_load_relaxed(&clock_page_is_refused))
      accel_store_relaxed(&accel_clock_page_second, found);
  }
  accel_mutex_unlock(&clock_page_mutex);
}

void accel_clock_page_refuse(void)
{
  accel_store_relaxed(&clock_page_is_refused, true);
  accel_store_relaxed(&accel_clock_page_second, &clock_page_none);
}

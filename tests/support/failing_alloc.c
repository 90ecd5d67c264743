/* failing_alloc.c: malloc with a header that remembers the size.
 *
 * Blocks come from malloc, pages too (page-aligned, zeroed), so that the sanitizers see every byte.
 * Counters are atomic; an order ("fail the n-th") names the number of the call that is to fail.
 */
#include "failing_alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 16 /* keeps the alignment of malloc */
#define PAGE_SIZE 4096

static _Atomic uint64_t calls, failures, live_blocks, live_bytes, peak_bytes;
static _Atomic uint64_t first_failing; /* the number of a call; 0: none */
static _Atomic bool all_from_there;

static bool must_fail(void)
{
  const uint64_t number = atomic_fetch_add(&calls, 1) + 1;
  const uint64_t first = atomic_load(&first_failing);
  const bool fails =
      first != 0 && (atomic_load(&all_from_there) ? number >= first : number == first);
  if (fails) atomic_fetch_add(&failures, 1);
  return fails;
}

static void note_live(size_t size)
{
  atomic_fetch_add(&live_blocks, 1);
  const uint64_t live = atomic_fetch_add(&live_bytes, size) + size;
  uint64_t peak = atomic_load(&peak_bytes);
  while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) {}
}

static void note_freed(size_t size)
{
  atomic_fetch_sub(&live_blocks, 1);
  atomic_fetch_sub(&live_bytes, size);
}

void *failing_alloc_malloc(size_t size)
{
  if (must_fail() || size > SIZE_MAX - HEADER_SIZE) return NULL;
  char *block = malloc(HEADER_SIZE + size);
  if (block == NULL) return NULL;
  memcpy(block, &size, sizeof size);
  note_live(size);
  return block + HEADER_SIZE;
}

/* Always moves, so that code that keeps the old pointer is found out. */
void *failing_alloc_realloc(void *block, size_t size)
{
  void *moved = failing_alloc_malloc(size);
  if (moved == NULL || block == NULL) return moved;
  size_t old_size;
  memcpy(&old_size, (char *)block - HEADER_SIZE, sizeof old_size);
  memcpy(moved, block, old_size < size ? old_size : size);
  failing_alloc_free(block);
  return moved;
}

void failing_alloc_free(void *block)
{
  if (block == NULL) return;
  char *start = (char *)block - HEADER_SIZE;
  size_t size;
  memcpy(&size, start, sizeof size);
  note_freed(size);
  free(start);
}

void *failing_alloc_pages(size_t size)
{
  if (must_fail() || size == 0 || size > SIZE_MAX - PAGE_SIZE) return NULL;
  const size_t whole = (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
  void *pages = aligned_alloc(PAGE_SIZE, whole);
  if (pages == NULL) return NULL;
  memset(pages, 0, whole);
  note_live(size);
  return pages;
}

void failing_alloc_pages_free(void *pages, size_t size)
{
  if (pages == NULL) return;
  note_freed(size);
  free(pages);
}

static void order(uint64_t n, bool is_lasting)
{
  atomic_store(&first_failing, 0);
  atomic_store(&failures, 0);
  atomic_store(&all_from_there, is_lasting);
  if (n != 0) atomic_store(&first_failing, atomic_load(&calls) + n);
}

void failing_alloc_fail_nth(uint64_t n)
{
  order(n, false);
}

void failing_alloc_fail_from(uint64_t n)
{
  order(n, true);
}

uint64_t failing_alloc_failures(void)
{
  return atomic_load(&failures);
}

uint64_t failing_alloc_calls(void)
{
  return atomic_load(&calls);
}

uint64_t failing_alloc_live_blocks(void)
{
  return atomic_load(&live_blocks);
}

uint64_t failing_alloc_live_bytes(void)
{
  return atomic_load(&live_bytes);
}

uint64_t failing_alloc_peak_bytes(void)
{
  return atomic_exchange(&peak_bytes, atomic_load(&live_bytes));
}

/* The library's allocation hooks: they count calls and the bytes asked for. Each block has a header
 * that remembers its size, so that what is freed can be subtracted. Threads: any. */
#include "measure.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* As large as malloc's alignment, so that blocks keep theirs. */
typedef union block_header {
  size_t size;
  max_align_t alignment;
} block_header;

/* Counting costs a few nanoseconds per allocation, so it is off while time is taken. */
static atomic_bool is_counting;
static atomic_uint_fast64_t calls, allocated_bytes;
static atomic_int_fast64_t live_bytes, peak_bytes;

static void count(int64_t bytes)
{
  if (!atomic_load_explicit(&is_counting, memory_order_relaxed)) return;
  if (bytes > 0) {
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocated_bytes, (uint64_t)bytes, memory_order_relaxed);
  }
  const int64_t live = atomic_fetch_add_explicit(&live_bytes, bytes, memory_order_relaxed) + bytes;
  int_fast64_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);
  while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) {}
}

void *bench_malloc(size_t size)
{
  if (size > SIZE_MAX - sizeof(block_header)) return NULL;
  block_header *const header = (block_header *)malloc(sizeof *header + size);
  if (header == NULL) return NULL;
  header->size = size;
  count((int64_t)size);
  return header + 1;
}

void bench_free(void *block)
{
  if (block == NULL) return;
  block_header *const header = (block_header *)block - 1;
  count(-(int64_t)header->size);
  free(header);
}

void *bench_realloc(void *block, size_t size)
{
  if (block == NULL) return bench_malloc(size);
  if (size > SIZE_MAX - sizeof(block_header)) return NULL;
  block_header *const header = (block_header *)block - 1;
  const size_t old_size = header->size;
  block_header *const moved = (block_header *)realloc(header, sizeof *header + size);
  if (moved == NULL) return NULL;
  moved->size = size;
  count((int64_t)size);
  count(-(int64_t)old_size);
  return moved + 1;
}

/* The library's own pages, if the program has them: what users get, huge pages included. */
void *accel_pages_alloc(size_t size) __attribute__((weak));
void accel_pages_free(void *pages, size_t size) __attribute__((weak));

void *bench_pages_alloc(size_t size)
{
  void *const pages = accel_pages_alloc != NULL ? accel_pages_alloc(size)
                                                : mmap(NULL, size, PROT_READ | PROT_WRITE,
                                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == NULL || pages == MAP_FAILED) return NULL;
  count((int64_t)size);
  return pages;
}

void bench_pages_free(void *pages, size_t size)
{
  if (pages == NULL) return;
  count(-(int64_t)size);
  if (accel_pages_free != NULL)
    accel_pages_free(pages, size);
  else
    munmap(pages, size);
}

void measure_count_memory(bool on)
{
  if (on) {
    atomic_store(&live_bytes, 0);
    atomic_store(&peak_bytes, 0);
  }
  atomic_store(&is_counting, on);
}

void measure_allocated(uint64_t *calls_out, uint64_t *bytes_out)
{
  *calls_out = atomic_load_explicit(&calls, memory_order_relaxed);
  *bytes_out = atomic_load_explicit(&allocated_bytes, memory_order_relaxed);
}

uint64_t measure_peak_bytes(void)
{
  const int64_t peak = atomic_load(&peak_bytes);
  return peak > 0 ? (uint64_t)peak : 0;
}

/* failing_alloc.h: allocation hooks that count, and fail when they are told to.
 *
 * Tests with 'failing_alloc': true are compiled with this file before their first line, as the
 * library that they link is. Threads: any.
 */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#define ACCEL_MALLOC failing_alloc_malloc
#define ACCEL_REALLOC failing_alloc_realloc
#define ACCEL_FREE failing_alloc_free
#define ACCEL_PAGES_ALLOC failing_alloc_pages
#define ACCEL_PAGES_FREE failing_alloc_pages_free

void *failing_alloc_malloc(size_t size);
void *failing_alloc_realloc(void *block, size_t size);
void failing_alloc_free(void *block);
void *failing_alloc_pages(size_t size);
void failing_alloc_pages_free(void *pages, size_t size);

/* The n-th allocation from now on fails, once; 0: none does. */
void failing_alloc_fail_nth(uint64_t n);
/* Every allocation fails from the n-th from now on; 0: none does. */
void failing_alloc_fail_from(uint64_t n);
/* How many allocations have failed since the last order. */
uint64_t failing_alloc_failures(void);

/* Allocations since the start of the program, failed ones included. */
uint64_t failing_alloc_calls(void);
/* Blocks and pages that are not freed yet, and their bytes. */
uint64_t failing_alloc_live_blocks(void);
uint64_t failing_alloc_live_bytes(void);
/* The most bytes that ever lived at once since this was last called. */
uint64_t failing_alloc_peak_bytes(void);

#endif

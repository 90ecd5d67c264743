/* arena.h: the memory of the program, which is given back all at once, so that nothing in it needs
 * an owner.
 *
 * When the system has none left the program says so and ends with 3: half of a result would be
 * worse. Threads: one. */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#define ARENA_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))

/* Says that memory is out, and ends with 3. */
void arena_exhausted(void) __attribute__((noreturn));
/* Zeroed, aligned for every type, never NULL. */
void *arena_take(size_t count, size_t size);
/* NULL of NULL. */
char *arena_copy(const char *text);
/* With a NUL behind them. */
char *arena_copy_bytes(const void *bytes, size_t length);
char *arena_format(const char *format, ...) ARENA_PRINTF(1, 2);
char *arena_format_list(const char *format, va_list list);
/* Room for one more item behind `items`, which holds `count` of `*capacity`; returns the array,
 * which may have moved. */
void *arena_grow(void *items, size_t count, size_t *capacity, size_t size);
/* Gives back all. */
void arena_end(void);

#endif

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arena_block {
  struct arena_block *next;
  max_align_t bytes[];
} arena_block;

static arena_block *newest;

void arena_exhausted(void)
{
  fputs("error: out of memory\n", stderr);
  exit(3);
}

void *arena_take(size_t count, size_t size)
{
  const bool fits = size == 0 || count <= SIZE_MAX / 4 / size;
  arena_block *block = fits ? calloc(1, sizeof *block + count * size) : NULL;
  if (!block) arena_exhausted();
  block->next = newest;
  newest = block;
  return block->bytes;
}

char *arena_copy_bytes(const void *bytes, size_t length)
{
  char *copy = arena_take(length + 1, 1);
  if (length > 0) memcpy(copy, bytes, length);
  return copy;
}

char *arena_copy(const char *text)
{
  return text ? arena_copy_bytes(text, strlen(text)) : NULL;
}

char *arena_format_list(const char *format, va_list list)
{
  va_list again;
  va_copy(again, list);
  const int length = vsnprintf(NULL, 0, format, list);
  char *text = arena_take(length < 0 ? 1 : (size_t)length + 1, 1);
  if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

char *arena_format(const char *format, ...)
{
  va_list list;
  va_start(list, format);
  char *text = arena_format_list(format, list);
  va_end(list);
  return text;
}

void *arena_grow(void *items, size_t count, size_t *capacity, size_t size)
{
  if (count < *capacity) return items;
  *capacity = *capacity == 0 ? 8 : *capacity * 2;
  void *moved = arena_take(*capacity, size);
  if (count > 0) memcpy(moved, items, count * size);
  return moved;
}

void arena_end(void)
{
  while (newest) {
    arena_block *block = newest;
    newest = block->next;
    free(block);
  }
}

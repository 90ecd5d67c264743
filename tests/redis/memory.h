/* memory.h: a password that a program does not know, and a search for it in the program's memory.
 *
 * The password lies in the program with its bits changed, and is put together only in a page that
 * is wiped at once. So whatever the search finds was left there by somebody else. The search reads
 * every page that was ever writable - heaps, what was freed in them, stacks of threads that ended,
 * globals - except those of sanitizers' shadows.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY_PIECE = 12, MEMORY_CHUNK = 1 << 16, MEMORY_PASSWORD_SIZE = 40 };

typedef struct memory_found {
  unsigned copies;  /* of any piece of the password */
  unsigned in_core; /* of those, in pages that a core dump would show */
  char first[128];  /* where the first one lies */
} memory_found;

static volatile unsigned char memory_mask = 0xA5;

/* Two pieces, with something between them that a URL has to encode. */
static const volatile unsigned char memory_pieces[2][MEMORY_PIECE] = {
    {0xEE, 0xD4, 0x92, 0xD3, 0xF1, 0x97, 0xC8, 0xFD, 0xD2, 0x9C, 0xFF, 0xC1},
    {0xCD, 0xF7, 0x91, 0xCB, 0xE7, 0x9D, 0xDC, 0xE9, 0xC6, 0x96, 0xEF, 0xC3},
};

static unsigned char memory_byte(int piece, int i)
{
  return memory_pieces[piece][i] ^ memory_mask;
}

/* Appends the password, with so many characters of `between` in the middle. */
static char *memory_add_password(char *to, const char *between)
{
  for (int i = 0; i < MEMORY_PIECE; i++) *to++ = (char)memory_byte(0, i);
  while (*between != '\0') *to++ = *between++;
  for (int i = 0; i < MEMORY_PIECE; i++) *to++ = (char)memory_byte(1, i);
  *to = '\0';
  return to;
}

static bool memory_is_piece(const unsigned char *bytes, int piece)
{
  int i = 0;
  while (i < MEMORY_PIECE && bytes[i] == memory_byte(piece, i)) i++;
  return i == MEMORY_PIECE;
}

static unsigned memory_search_chunk(const unsigned char *bytes, size_t size)
{
  const unsigned char starts[2] = {memory_byte(0, 0), memory_byte(1, 0)};
  unsigned found[2] = {0, 0};
  for (size_t i = 0; i + MEMORY_PIECE <= size; i++)
    for (int piece = 0; piece < 2; piece++)
      if (bytes[i] == starts[piece] && memory_is_piece(bytes + i, piece)) found[piece]++;
  return found[0] > found[1] ? found[0] : found[1];
}

/* Whether any of these pages was ever written; sanitizers reserve many that were not. */
static bool memory_is_used(int pagemap, uintptr_t from, size_t size)
{
  enum { PAGES_MAX = 2 + MEMORY_CHUNK / 1024 };
  uint64_t entries[PAGES_MAX];
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = from / page;
  const size_t count = (from + size - 1) / page - first + 1;
  if (pagemap < 0 || count > PAGES_MAX) return true;
  const size_t bytes = count * sizeof *entries;
  if (pread(pagemap, entries, bytes, (off_t)(first * sizeof *entries)) != (ssize_t)bytes)
    return true;
  for (size_t i = 0; i < count; i++)
    if (entries[i] >> 62 != 0) return true; /* present, or swapped out */
  return false;
}

/* Reads through the kernel, so that a page that a thread gives back meanwhile is no crash. */
static unsigned memory_search_range(int fd, int pagemap, uintptr_t from, uintptr_t to)
{
  static unsigned char chunk[MEMORY_CHUNK + MEMORY_PIECE - 1];
  const uintptr_t own = (uintptr_t)chunk;
  unsigned copies = 0;
  while (from < to) {
    size_t size = to - from < sizeof chunk ? to - from : sizeof chunk;
    if (from < own && own - from < size) size = own - from;
    if (from >= own && from < own + sizeof chunk) {
      from = own + sizeof chunk;
      continue;
    }
    if (memory_is_used(pagemap, from, size)) {
      const ssize_t got = pread(fd, chunk, size, (off_t)from);
      if (got > 0) copies += memory_search_chunk(chunk, (size_t)got);
      explicit_bzero(chunk, sizeof chunk);
    }
    /* What lies across the border is seen with the next chunk. */
    from += size > MEMORY_CHUNK ? MEMORY_CHUNK : size;
  }
  return copies;
}

/* The whole of this process. False: the system does not show it. */
static bool memory_search(memory_found *found)
{
  enum { LINE = 512 };
  char line[LINE], where[LINE] = "";
  uintptr_t from = 0, to = 0;
  FILE *maps = fopen("/proc/self/smaps", "re");
  const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC); /* -1: all is read */
  memset(found, 0, sizeof *found);
  while (maps != NULL && fd >= 0 && fgets(line, LINE, maps) != NULL) {
    char permissions[8];
    uintptr_t start, end;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &start, &end, permissions) == 3) {
      const bool is_shadow = end - start > (uintptr_t)1 << 32;
      from = to = 0;
      if (permissions[1] != 'w' || is_shadow) continue;
      from = start;
      to = end;
      memcpy(where, line, sizeof where);
    } else if (strncmp(line, "VmFlags:", 8) == 0 && from < to) { /* the last line of each */
      const unsigned copies = memory_search_range(fd, pagemap, from, to);
      found->copies += copies;
      if (strstr(line, " dd") == NULL) found->in_core += copies;
      if (copies > 0 && found->first[0] == '\0')
        snprintf(found->first, sizeof found->first, "%.100s", where);
    }
  }
  if (maps != NULL) fclose(maps);
  if (fd >= 0) close(fd);
  if (pagemap >= 0) close(pagemap);
  return maps != NULL && fd >= 0;
}

#endif

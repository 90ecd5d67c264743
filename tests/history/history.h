/* history.h: what several processes did to a few keys, and whether what they read allows it.
 *
 * The source of truth is an array of versions that all processes share. A writer raises a key's
 * version and then removes the key from the caches; when that was acknowledged, it notes the time.
 * A read that began later than the bound after that time must not return an older version. The
 * bound grows with how late the machine runs its threads (support/lateness.h).
 *
 * Threads and processes: any, all functions but open and close.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_KEYS = 32, HISTORY_PROCESSES = 4, HISTORY_VERSIONS = 1 << 17 };

#define HISTORY_BOUND_MS 4200.0 /* silence is noticed within 3.2 s, and what is left lives 1 s */

typedef struct history {
  atomic_uint_least64_t truth[HISTORY_KEYS];
  /* When the removal of a version's predecessors was acknowledged, ns; 0: it was not. */
  atomic_uint_least64_t acknowledged[HISTORY_KEYS][HISTORY_VERSIONS];
  /* What the processes counted. */
  atomic_uint_least64_t reads, stale_reads, backward_reads, writes, unacknowledged;
  atomic_uint_least64_t longest_stale_ns, longest_read_ns;
  /* What must not be. */
  atomic_uint too_stale, backward, wrong, failed;
  char first[256]; /* one of those, described */
  atomic_flag is_described;
} history;

/* Of one thread: what it saw last of each key. */
typedef struct history_reader {
  history *shared;
  uint64_t seen[HISTORY_KEYS], seen_began_ns[HISTORY_KEYS];
} history_reader;

/* In memory that forked processes share; NULL: none. */
history *history_open(void);
/* Each process calls it before it reads: the bound allows for a machine that is late. */
bool history_begin(void);
void history_close(history *shared);

/* The new version of a key in the source of truth; 0: its history is full. */
uint64_t history_write(history *shared, uint64_t key);
void history_acknowledge(history *shared, uint64_t key, uint64_t version);

/* A read that began at `began_ns` and returned `version`. Those that ask all levels are ordered:
 * of one thread none goes back behind what was acknowledged. One that skips L1 may be ahead. */
void history_read(history_reader *reader, uint64_t key, uint64_t version, uint64_t began_ns,
                  bool is_ordered);
/* Something that must not be: counted, and the first described. */
void history_complain(history *shared, atomic_uint *count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

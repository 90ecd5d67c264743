/* hot.h: which keys are read most (layer 2). Only for .c files.
 *
 * The counts of a sample of reads, by the algorithm Space-Saving: a key that has no place takes
 * that of the least counted one, and inherits its count as an error. So a key's count is at most
 * that error too high, and no frequent key is missing. The places are in sets of 16, by the key's
 * hash, so that a sample looks at one set. Keys are ranked by count less error: else a newcomer
 * would stand before keys that were really read.
 *
 * Reads are counted in windows, one after the other. What is reported is the last complete window;
 * before there is one, the first as far as it has come.
 *
 * A string key of more than 24 bytes is kept as its hash.
 *
 * Threads: any, all functions but open and close. A sample never waits: while another thread counts
 * one, it is dropped.
 */
#ifndef ACCEL_HOT_H
#define ACCEL_HOT_H

#include "type.h"

#define ACCEL_HOT_GAP 1024u /* one read in so many is a sample */

typedef struct accel_hot accel_hot;

typedef struct accel_hot_seen {
  const void *key; /* a K; NULL: only the hash is kept */
  uint64_t hash;
  uint64_t samples; /* at least so many were of this key */
} accel_hot_seen;

typedef struct accel_hot_report {
  accel_hot_seen *seen; /* hottest first */
  size_t count;
  uint64_t window_ms; /* at least 1 */
  void *memory;
} accel_hot_report;

ACCEL_EXTERN_C_BEGIN

/* Counts at most `slots` keys, rounded up to a multiple of 16; `window_ms` is at least 1. `now_ms`,
 * here and below, is of the cache's clock. NULL: no memory. */
accel_hot *accel_hot_open(const accel_type *type, uint32_t slots, uint32_t window_ms,
                          uint64_t now_ms);
/* In a forked child it only frees memory. */
void accel_hot_close(accel_hot *hot_or_null, bool is_child);
/* Counts a sample: a read of this key. */
void accel_hot_add(accel_hot *hot, const void *key, uint64_t hash, uint64_t now_ms);
/* Lists the keys that were seen. False: no memory, and nothing to close. */
bool accel_hot_report_open(accel_hot *hot, uint64_t now_ms, accel_hot_report *report);
void accel_hot_report_close(accel_hot_report *report);

ACCEL_EXTERN_C_END
#endif

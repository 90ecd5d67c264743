/* log.h: what a cache tells a program's log, and a log that is ready made (layer 1).
 *
 * Two kinds of records. An operation that was not answered by L1 alone tells how it ended, on the
 * thread that ran it. A change of state - of a server's connection or breaker, of the channel, of
 * what is still to be repaired in L2 - is told once, by a thread of the cache's own, so that a log
 * may be slow or ask the cache. docs/logging.md lists them.
 */
#ifndef ACCEL_LOG_H
#define ACCEL_LOG_H

#include "base.h"

typedef enum accel_log_level {
  ACCEL_LOG_DEBUG = 0, /* operations that went well */
  ACCEL_LOG_INFO,      /* what is well again */
  ACCEL_LOG_WARNING,   /* the cache helps itself, with less than it should have; of degraded reads
                        * one a second is one, the others are DEBUG */
  ACCEL_LOG_ERROR      /* somebody did not get what was asked for */
} accel_log_level;

#define ACCEL_LOG_KEY_BYTES 200 /* of a record's key at most; what is longer ends in "..." */

/* Strings live for the call. `message` may hold bytes that a server or a loader said, and `key`
 * those of the program's own users: whoever writes them into lines escapes what is not printable.
 */
typedef struct accel_log_record {
  /* op: of an operation get, mget, set, ..., load; of a change connection, breaker, channel,
   * servers, repair. result: of an operation one of ok_some ok_none ok ok_empty done ok_zero
   * ok_loaded error, or, of a read that did without an L2 that failed, degraded_some degraded_none
   * degraded; of a change see docs/logging.md. */
  const char *area, *op, *result;
  double latency_ms; /* of an operation; 0 for a change */
  /* Of an operation that ended in error, and of a degraded read: the status' name, and a sentence.
   * Of a change: "", and a sentence. Else both "". */
  const char *error_kind, *message;
  accel_log_level level;
  uint32_t left_out;     /* changes like this one that were not told since they came too often */
  uint64_t wall_time_ms; /* since 1970: when the operation ended, or when the change was noticed */
  /* Text of the key, where an operation for one key failed or was degraded; else NULL. It may name
   * a person: a log that must not hold such names leaves it out. */
  const char *key;
} accel_log_record;

ACCEL_EXTERN_C_BEGIN

/* "debug", "info", "warning", "error"; "unknown" for any other number. Threads: any. */
const char *accel_log_level_name(accel_log_level level);

/* A log ready made: `.log = accel_log_stderr`. Writes a record as one line of logfmt to the
 * standard error, in one write: time (UTC), level, area, op, result, and what else is known, texts
 * quoted, everything that is not printable ASCII as \xNN. A line that cannot be written is lost.
 * `ctx`, which is log_ctx, points to the accel_log_level from which on records are written; NULL:
 * ACCEL_LOG_INFO. errno stays as it was. Threads: any. */
void accel_log_stderr(void *ctx, const accel_log_record *record);

ACCEL_EXTERN_C_END
#endif

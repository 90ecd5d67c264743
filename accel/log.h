/* log.h: log records, and a ready-made log (layer 1).
 *
 * There are two kinds of records. An operation that L1 alone did not answer logs its result, on the
 * thread that ran it. A change of state (of a server's connection or breaker, of the channel, of
 * repairs) is logged once, by a thread of the cache, so a log may be slow or call the cache.
 * docs/logging.md lists all records.
 */
#ifndef ACCEL_LOG_H
#define ACCEL_LOG_H

#include "base.h"

typedef enum accel_log_level {
  ACCEL_LOG_DEBUG = 0, /* successful operations */
  ACCEL_LOG_INFO,      /* recovered */
  ACCEL_LOG_WARNING,   /* degraded, but working; of degraded reads one per second has this level,
                        * the others are DEBUG */
  ACCEL_LOG_ERROR      /* a caller got a failure */
} accel_log_level;

#define ACCEL_LOG_KEY_BYTES 200 /* maximum length of a record's key; longer ones end in "..." */

/* Strings are valid during the call. `message` may quote a server or a loader, and `key` the
 * program's users: a log that writes lines must escape what is not printable. */
typedef struct accel_log_record {
  /* op: of an operation get, mget, set, ..., load; of a change connection, breaker, channel,
   * servers, repair. result: of an operation one of ok_some ok_none ok ok_empty done ok_zero
   * ok_loaded error, or, if L2 failed and the read continued without it, degraded_some
   * degraded_none degraded; of a change see docs/logging.md. */
  const char *area, *op, *result;
  double latency_ms; /* of an operation; 0 for a change */
  /* The name of the status, and a sentence, if the operation failed or the read was degraded. Of a
   * change: "", and a sentence. Otherwise both "". */
  const char *error_kind, *message;
  accel_log_level level;
  uint32_t left_out;     /* changes of this subject that were omitted because of the rate limit */
  uint64_t wall_time_ms; /* since 1970: end of the operation, or when the change was noticed */
  /* Text of the key, if an operation on one key failed or was degraded; else NULL. It may identify
   * a person: a log that must not contain personal data omits it. */
  const char *key;
} accel_log_record;

ACCEL_EXTERN_C_BEGIN

/* "debug", "info", "warning", "error"; "unknown" for any other number. Threads: any. */
const char *accel_log_level_name(accel_log_level level);

/* A ready-made log: `.log = accel_log_stderr`. Writes each record as one line of logfmt to standard
 * error, in one write: time (UTC), level, area, op, result and the other fields, with quoted texts
 * and everything that is not printable ASCII as \xNN. A line that cannot be written is lost. `ctx`,
 * the log_ctx, points to the lowest accel_log_level to write; NULL: ACCEL_LOG_INFO. Does not change
 * errno. Threads: any. */
void accel_log_stderr(void *ctx, const accel_log_record *record);

ACCEL_EXTERN_C_END
#endif

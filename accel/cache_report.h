/* cache_report.h: an operation as a log record and a span (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_REPORT_H
#define ACCEL_CACHE_REPORT_H

#include "cache_core.h"
#include "trace.h"

ACCEL_EXTERN_C_BEGIN

/* A span that the user's code has begun. */
typedef struct core_span {
  void *handle;
  accel_trace outer; /* the thread's context before it */
} core_span;

/* Only with config.spans. */
void accel_core_span_begin(const accel_core *core, const char *name, core_span *span);
void accel_core_span_note(const accel_core *core, const core_span *span, const char *key,
                          const char *text_or_null, uint64_t number);
void accel_core_span_end(const accel_core *core, const core_span *span, accel_status status);

typedef struct core_report {
  uint64_t started_ns;
  core_span span;
  const char *name; /* "cache.get"; the operation is what follows the dot */
  const void *key;  /* of an operation for one; else NULL */
  /* NULL, or a flight of a read that did without L2, which had failed. Held. */
  accel_flight *degraded;
  /* For the span's attributes. */
  size_t keys;         /* 0: of the area */
  bool is_read;        /* false: the next two are not noted */
  accel_origin source; /* the furthest level that answered */
  uint64_t hits;       /* keys that L1 or L2 answered */
} core_report;

void accel_core_report_start(const accel_core *core, core_report *report);
accel_status accel_core_report_write(accel_core *core, const core_report *report,
                                     accel_status status, const char *result);

/* Of an operation on `keys` keys; 0: on the area. */
static inline core_report accel_core_report_begin(const accel_core *core, const char *name,
                                                  size_t keys)
{
  core_report report = {.name = name, .keys = keys};
  if (core->has_report) accel_core_report_start(core, &report);
  return report;
}

/* Ends the span, logs the record, and returns `status`. `result` is for an operation that did not
 * fail; of a read it begins with "ok", in whose place "degraded" is put if it was that. */
static inline accel_status accel_core_report_end(accel_core *core, const core_report *report,
                                                 accel_status status, const char *result)
{
  return core->has_report ? accel_core_report_write(core, report, status, result) : status;
}

/* Whether the calling thread is in the log or the spans of this cache. */
bool accel_core_report_is_used_here(const accel_core *core);
/* Notes that a flight which is done, and of which the caller was told, did without L2. */
void accel_core_report_note_degraded(accel_core *core, core_report *report, accel_flight *flight);
/* Releases what the report holds. */
void accel_core_report_close(accel_core *core, core_report *report);

/* "ok_some" or "ok_none", for single reads. */
const char *accel_core_read_result_name(accel_status status);

ACCEL_EXTERN_C_END
#endif

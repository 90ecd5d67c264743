/* cache_report.h: an operation as a log record and a span (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_REPORT_H
#define ACCEL_CACHE_REPORT_H

#include "cache_core.h"
#include "trace.h"

ACCEL_EXTERN_C_BEGIN

/* A span between its begin and its end. */
typedef struct core_span {
  void *handle;      /* what the user's begin returned */
  accel_trace outer; /* the thread's context before it */
} core_span;

/* Only with config.spans. */
void accel_core_span_begin(const accel_core *core, const char *name, core_span *span);
void accel_core_span_note(const accel_core *core, const core_span *span, const char *key,
                          const char *text_or_null, uint64_t number);
void accel_core_span_end(const accel_core *core, const core_span *span, accel_status status);

typedef enum core_operation {
  CORE_OPERATION_GET,
  CORE_OPERATION_MGET,
  CORE_OPERATION_SET,
  CORE_OPERATION_MSET,
  CORE_OPERATION_DEL,
  CORE_OPERATION_MDEL,
  CORE_OPERATION_CLEAR,
  CORE_OPERATION_WARMUP,
  CORE_OPERATION_LOAD,
  CORE_OPERATION_CLOSE
} core_operation;

/* The results of operations that did not fail (docs/logging.md). */
typedef enum core_result {
  CORE_RESULT_OK,
  CORE_RESULT_OK_SOME,
  CORE_RESULT_OK_NONE,
  CORE_RESULT_OK_EMPTY,
  CORE_RESULT_OK_ZERO,
  CORE_RESULT_OK_LOADED,
  CORE_RESULT_DONE
} core_result;

typedef struct core_report {
  uint64_t started_ns;
  core_span span;
  core_operation operation;
  const void *key; /* of an operation for one; else NULL */
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
                                     accel_status status, core_result result);

/* Begins the report of an operation on `keys` keys; 0: on the area. */
static inline core_report accel_core_report_begin(const accel_core *core, core_operation operation,
                                                  size_t keys)
{
  core_report report = {.operation = operation, .keys = keys};
  if (core->has_report) accel_core_report_start(core, &report);
  return report;
}

/* Ends the span, logs the record, and returns `status`. `result` is for an operation that did not
 * fail; of a read without L2, which had failed, the log gets "degraded" instead of "ok". */
static inline accel_status accel_core_report_end(accel_core *core, const core_report *report,
                                                 accel_status status, core_result result)
{
  return core->has_report ? accel_core_report_write(core, report, status, result) : status;
}

/* Whether the calling thread is in the log or the spans of this cache. */
bool accel_core_report_is_used_here(const accel_core *core);
/* Ends the span of an operation whose thread ends within it, after its begin. */
void accel_core_report_leave(const accel_core *core, const core_report *report);
/* Notes that a flight which is done, and answered the caller, did without L2. */
void accel_core_report_note_degraded(accel_core *core, core_report *report, accel_flight *flight);
/* Releases what the report holds. */
void accel_core_report_close(accel_core *core, core_report *report);

/* OK_SOME or OK_NONE, for single reads. */
core_result accel_core_read_result(accel_status status);

ACCEL_EXTERN_C_END
#endif

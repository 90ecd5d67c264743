/* cache_report.h: an operation as a log record and a span (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_REPORT_H
#define ACCEL_CACHE_REPORT_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

typedef struct core_report {
  uint64_t started_ns;
  void *span;
  const char *name; /* "cache.get"; the operation is what follows the dot */
  const void *key;  /* of an operation for one; else NULL */
  /* NULL, or a flight of a read that did without L2, which had failed. Held. */
  accel_flight *degraded;
} core_report;

void accel_core_report_start(const accel_core *core, core_report *report);
accel_status accel_core_report_tell(accel_core *core, const core_report *report,
                                    accel_status status, const char *result);

static inline core_report accel_core_report_begin(const accel_core *core, const char *name)
{
  core_report report = {0, NULL, name, NULL, NULL};
  if (core->has_report) accel_core_report_start(core, &report);
  return report;
}

/* Ends the span, logs the record, and returns `status`. `result` is for an operation that did not
 * fail; of a read it begins with "ok", in whose place "degraded" is put if it was that. */
static inline accel_status accel_core_report_end(accel_core *core, const core_report *report,
                                                 accel_status status, const char *result)
{
  return core->has_report ? accel_core_report_tell(core, report, status, result) : status;
}

/* Notes that a flight which is done, and of which the caller was told, did without L2. */
void accel_core_report_note_degraded(accel_core *core, core_report *report, accel_flight *flight);
/* Releases what the report holds. */
void accel_core_report_close(accel_core *core, core_report *report);

/* "ok_some" or "ok_none", for single reads. */
const char *accel_core_read_result_name(accel_status status);

ACCEL_EXTERN_C_END
#endif

/* messages.h: the requests of OTLP (backend otlp).
 *
 * Each function writes a whole request: the resource, the scope, and what is sent. The numbers and
 * names of the fields are those of opentelemetry-proto 1. Threads: one at a time per writer.
 */
#ifndef ACCEL_BACKENDS_OTLP_MESSAGES_H
#define ACCEL_BACKENDS_OTLP_MESSAGES_H

#include "../../accel/log.h"
#include "../../accel/observation.h"
#include "../../accel/trace.h"
#include "pairs.h"
#include "queue.h"
#include "writer.h"

#define OTLP_SPAN_NAME 48u
#define OTLP_SPAN_NOTES 640u /* bytes of a span's attributes; more are left out, and counted */

/* A span that has ended, or is under way. */
typedef struct otlp_span {
  otlp_item item;
  accel_trace own;
  uint8_t parent_id[8]; /* all zero: a root */
  uint64_t begun_ns;    /* on the monotonic clock */
  uint64_t taken_ns;
  int64_t wall_offset_ns; /* from the monotonic clock to the time since 1970 */
  accel_status status;
  char name[OTLP_SPAN_NAME];
  uint32_t left_out; /* attributes for which there was no room */
  uint32_t notes_size;
  char notes[OTLP_SPAN_NOTES]; /* by accel_otlp_span_note */
  char state[];                /* the tracestate */
} otlp_span;

/* A copy of a record; the strings follow it. */
typedef struct otlp_record {
  otlp_item item;
  accel_trace trace;
  accel_log_record fields; /* without its key */
} otlp_record;

ACCEL_EXTERN_C_BEGIN

/* Writes all metrics of the observation. Returns how many data points; 0 after a failure. */
size_t accel_otlp_write_metrics(otlp_writer *writer, const otlp_pairs *resource,
                                const accel_observation *observation);
void accel_otlp_write_spans(otlp_writer *writer, const otlp_pairs *resource,
                            const otlp_queue *spans);
void accel_otlp_write_logs(otlp_writer *writer, const otlp_pairs *resource,
                           const otlp_queue *records);

/* Adds an attribute of a span: a text, or without one a number. */
void accel_otlp_span_note(otlp_span *span, const char *key, const char *text_or_null,
                          uint64_t number);
/* Copies a record, without its key. NULL: no memory. */
otlp_record *accel_otlp_record_copy(const accel_log_record *record, const accel_trace *trace);

/* The parts that all requests have: up to the list of what is sent, and from there. */
void accel_otlp_write_head(otlp_writer *writer, const otlp_pairs *resource, const char *resources,
                           const char *scopes, const char *list);
void accel_otlp_write_tail(otlp_writer *writer);

ACCEL_EXTERN_C_END

#endif

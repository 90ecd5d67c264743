/* messages_logs.c: log records, as one request. */
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_NS_PER_MS 1000000u
#define LOGS_BODY 160u

/* ---- a copy ---- */

/* The texts of a record that are sent, in the order in which they are copied. */
#define LOGS_TEXTS 5u
static void logs_texts(accel_log_record *record, const char **texts[LOGS_TEXTS])
{
  texts[0] = &record->area;
  texts[1] = &record->op;
  texts[2] = &record->result;
  texts[3] = &record->error_kind;
  texts[4] = &record->message;
}

otlp_record *accel_otlp_record_copy(const accel_log_record *record, const accel_trace *trace)
{
  accel_log_record fields = *record;
  const char **texts[LOGS_TEXTS];
  size_t size = sizeof(otlp_record);
  logs_texts(&fields, texts);
  for (size_t i = 0; i < LOGS_TEXTS; i++) {
    if (*texts[i] == NULL) *texts[i] = "";
    size += strlen(*texts[i]) + 1;
  }
  otlp_record *copy = (otlp_record *)ACCEL_MALLOC(size);
  if (copy == NULL) return NULL;
  char *to = (char *)(copy + 1);
  for (size_t i = 0; i < LOGS_TEXTS; i++) {
    const size_t length = strlen(*texts[i]) + 1;
    memcpy(to, *texts[i], length);
    *texts[i] = to;
    to += length;
  }
  fields.key = NULL;
  copy->item.next = NULL;
  copy->trace = *trace;
  copy->fields = fields;
  return copy;
}

/* ---- a record ---- */

static void logs_write_severity(otlp_writer *writer, accel_log_level level)
{
  static const struct {
    uint32_t number;
    const char *text;
  } severities[] = {{5, "DEBUG"}, {9, "INFO"}, {13, "WARN"}, {17, "ERROR"}};
  const size_t known = sizeof severities / sizeof *severities;
  const size_t i = (size_t)level < known ? (size_t)level : known - 1;
  accel_otlp_write_uint32(writer, 2, "severityNumber", severities[i].number);
  accel_otlp_write_text(writer, 3, "severityText", severities[i].text);
}

static void logs_write_text(otlp_writer *writer, const char *key, const char *text)
{
  if (text[0] != '\0') accel_otlp_write_text_attribute(writer, 6, key, text);
}

static void logs_write_attributes(otlp_writer *writer, const accel_log_record *fields)
{
  accel_otlp_write_list_begin(writer, "attributes");
  logs_write_text(writer, "area", fields->area);
  logs_write_text(writer, "op", fields->op);
  logs_write_text(writer, "result", fields->result);
  logs_write_text(writer, "error_kind", fields->error_kind);
  logs_write_text(writer, "message", fields->message);
  if (fields->latency_ms > 0)
    accel_otlp_write_double_attribute(writer, 6, "latency_ms", fields->latency_ms);
  if (fields->left_out > 0) accel_otlp_write_int_attribute(writer, 6, "left_out", fields->left_out);
  accel_otlp_write_list_end(writer);
}

static void logs_write(otlp_writer *writer, const otlp_record *record)
{
  const accel_log_record *fields = &record->fields;
  char body[LOGS_BODY];
  snprintf(body, sizeof body, "cache.%.60s %.40s%s%.40s", fields->op, fields->result,
           fields->error_kind[0] == '\0' ? "" : " ", fields->error_kind);
  accel_otlp_write_begin(writer, 2, NULL);
  accel_otlp_write_fixed64(writer, 1, "timeUnixNano", fields->wall_time_ms * LOGS_NS_PER_MS);
  logs_write_severity(writer, fields->level);
  accel_otlp_write_begin(writer, 5, "body");
  accel_otlp_write_text(writer, 1, "stringValue", body);
  accel_otlp_write_end(writer);
  logs_write_attributes(writer, fields);
  if (accel_trace_is_set(&record->trace)) {
    accel_otlp_write_fixed32(writer, 8, "flags", record->trace.flags);
    accel_otlp_write_bytes(writer, 9, "traceId", record->trace.trace_id,
                           sizeof record->trace.trace_id);
    accel_otlp_write_bytes(writer, 10, "spanId", record->trace.span_id,
                           sizeof record->trace.span_id);
  }
  accel_otlp_write_fixed64(writer, 11, "observedTimeUnixNano",
                           fields->wall_time_ms * LOGS_NS_PER_MS);
  accel_otlp_write_end(writer);
}

void accel_otlp_write_logs(otlp_writer *writer, const otlp_pairs *resource,
                           const otlp_queue *records)
{
  accel_otlp_write_head(writer, resource, "resourceLogs", "scopeLogs", "logRecords");
  for (const otlp_item *item = records->first; item != NULL; item = item->next)
    logs_write(writer, (const otlp_record *)(const void *)item);
  accel_otlp_write_tail(writer);
}

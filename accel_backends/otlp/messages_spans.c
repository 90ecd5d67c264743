/* messages_spans.c: spans, as one request. */
#include "messages.h"

#include <string.h>

#define SPANS_INTERNAL 1u
#define SPANS_CLIENT 3u
#define SPANS_ERROR 2u

/* ---- attributes, kept as key, kind, value ---- */

enum { SPANS_TEXT = 't', SPANS_NUMBER = 'n' };

void accel_otlp_span_note(otlp_span *span, const char *key, const char *text_or_null,
                          uint64_t number)
{
  const size_t key_size = strlen(key) + 1;
  const void *value = text_or_null == NULL ? (const void *)&number : text_or_null;
  const size_t value_size = text_or_null == NULL ? sizeof number : strlen(text_or_null) + 1;
  const size_t room = OTLP_SPAN_NOTES - span->notes_size;
  if (key_size >= room || value_size > room - key_size - 1) {
    span->left_out++;
    return;
  }
  char *to = span->notes + span->notes_size;
  memcpy(to, key, key_size);
  to[key_size] = text_or_null == NULL ? SPANS_NUMBER : SPANS_TEXT;
  memcpy(to + key_size + 1, value, value_size);
  span->notes_size += (uint32_t)(key_size + 1 + value_size);
}

static void spans_write_notes(otlp_writer *writer, const otlp_span *span)
{
  const char *at = span->notes, *end = at + span->notes_size;
  if (at == end) return;
  accel_otlp_write_list_begin(writer, "attributes");
  while (at < end) {
    const char *key = at, *kind = key + strlen(key) + 1, *value = kind + 1;
    uint64_t number;
    if (*kind == SPANS_TEXT) {
      accel_otlp_write_text_attribute(writer, 9, key, value);
      at = value + strlen(value) + 1;
      continue;
    }
    memcpy(&number, value, sizeof number);
    accel_otlp_write_int_attribute(writer, 9, key,
                                   number > INT64_MAX ? INT64_MAX : (int64_t)number);
    at = value + sizeof number;
  }
  accel_otlp_write_list_end(writer);
}

/* ---- a span ---- */

static void spans_write_status(otlp_writer *writer, accel_status status)
{
  if (!accel_failed(status)) return;
  accel_otlp_write_begin(writer, 15, "status");
  accel_otlp_write_text(writer, 2, "message", accel_status_name(status));
  accel_otlp_write_uint32(writer, 3, "code", SPANS_ERROR);
  accel_otlp_write_end(writer);
}

static bool spans_has_parent(const otlp_span *span)
{
  static const uint8_t none[sizeof span->parent_id];
  return memcmp(span->parent_id, none, sizeof none) != 0;
}

static void spans_write(otlp_writer *writer, const otlp_span *span)
{
  const bool is_operation = strncmp(span->name, "cache.", 6) == 0;
  const uint64_t begun_ns = span->begun_ns + (uint64_t)span->wall_offset_ns;
  accel_otlp_write_begin(writer, 2, NULL);
  accel_otlp_write_bytes(writer, 1, "traceId", span->own.trace_id, sizeof span->own.trace_id);
  accel_otlp_write_bytes(writer, 2, "spanId", span->own.span_id, sizeof span->own.span_id);
  if (span->state[0] != '\0') accel_otlp_write_text(writer, 3, "traceState", span->state);
  if (spans_has_parent(span))
    accel_otlp_write_bytes(writer, 4, "parentSpanId", span->parent_id, sizeof span->parent_id);
  accel_otlp_write_text(writer, 5, "name", span->name);
  accel_otlp_write_uint32(writer, 6, "kind", is_operation ? SPANS_INTERNAL : SPANS_CLIENT);
  accel_otlp_write_fixed64(writer, 7, "startTimeUnixNano", begun_ns);
  accel_otlp_write_fixed64(writer, 8, "endTimeUnixNano", begun_ns + span->taken_ns);
  spans_write_notes(writer, span);
  if (span->left_out > 0)
    accel_otlp_write_uint32(writer, 10, "droppedAttributesCount", span->left_out);
  spans_write_status(writer, span->status);
  accel_otlp_write_fixed32(writer, 16, "flags", span->own.flags);
  accel_otlp_write_end(writer);
}

void accel_otlp_write_spans(otlp_writer *writer, const otlp_pairs *resource,
                            const otlp_queue *spans)
{
  accel_otlp_write_head(writer, resource, "resourceSpans", "scopeSpans", "spans");
  for (const otlp_item *item = spans->first; item != NULL; item = item->next)
    spans_write(writer, (const otlp_span *)(const void *)item);
  accel_otlp_write_tail(writer);
}

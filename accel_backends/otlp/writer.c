#include "writer.h"

#include "../../accel/observer_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WRITER_VARINT_MAX 10u
#define WRITER_SHORT 100u /* an attribute's key and text */
#define WRITER_WIRE_VARINT 0u
#define WRITER_WIRE_FIXED64 1u
#define WRITER_WIRE_LENGTH 2u
#define WRITER_WIRE_FIXED32 5u

/* ---- bytes ---- */

static void writer_add(otlp_writer *writer, const void *data, size_t size)
{
  accel_buffer *out = &writer->out;
  if (writer->has_failed) return;
  if (size > out->capacity - out->size) {
    writer->has_failed = !accel_buffer_append(out, data, size);
    return;
  }
  memcpy(out->data + out->size, data, size);
  out->size += size;
}

static void writer_add_text(otlp_writer *writer, const char *text)
{
  writer_add(writer, text, strlen(text));
}

static size_t writer_varint(unsigned char *to, uint64_t value)
{
  size_t size = 0;
  for (; value > 127; value >>= 7) to[size++] = (unsigned char)(value | 128u);
  to[size++] = (unsigned char)value;
  return size;
}

static size_t writer_tag(unsigned char *to, uint32_t number, uint32_t wire)
{
  return writer_varint(to, (uint64_t)number << 3 | wire);
}

static void writer_add_varint(otlp_writer *writer, uint32_t number, uint64_t value)
{
  unsigned char bytes[2 * WRITER_VARINT_MAX];
  size_t size = writer_tag(bytes, number, WRITER_WIRE_VARINT);
  size += writer_varint(bytes + size, value);
  writer_add(writer, bytes, size);
}

static void writer_add_fixed(otlp_writer *writer, uint32_t number, uint32_t wire, uint64_t value)
{
  unsigned char bytes[WRITER_VARINT_MAX + sizeof value];
  const size_t width = wire == WRITER_WIRE_FIXED32 ? 4 : 8;
  const size_t size = writer_tag(bytes, number, wire);
  for (size_t i = 0; i < width; i++) bytes[size + i] = (unsigned char)(value >> (8 * i));
  writer_add(writer, bytes, size + width);
}

/* ---- lengths, which are known at the end ---- */

/* Leaves one byte for the length. The few contents whose length needs more are moved at the end. */
static void writer_length_begin(otlp_writer *writer, uint32_t number)
{
  unsigned char bytes[WRITER_VARINT_MAX + 1];
  const size_t size = writer_tag(bytes, number, WRITER_WIRE_LENGTH);
  bytes[size] = 0;
  writer_add(writer, bytes, size + 1);
  ACCEL_ASSERT(writer->depth < OTLP_WRITER_DEPTH);
  writer->starts[writer->depth++] = writer->out.size;
}

static void writer_length_end(otlp_writer *writer)
{
  static const unsigned char room[WRITER_VARINT_MAX] = {0};
  unsigned char length[WRITER_VARINT_MAX];
  ACCEL_ASSERT(writer->depth > 0);
  const size_t start = writer->starts[--writer->depth];
  if (writer->has_failed) return;
  const size_t size = writer->out.size - start;
  const size_t length_size = writer_varint(length, size);
  writer_add(writer, room, length_size - 1);
  if (writer->has_failed) return;
  unsigned char *content = writer->out.data + start;
  if (length_size > 1) memmove(content + length_size - 1, content, size);
  memcpy(content - 1, length, length_size);
}

/* ---- JSON ---- */

/* The comma before a member, if there is one before it, and its name. */
static void writer_json_name(otlp_writer *writer, const char *name_or_null)
{
  const accel_buffer *out = &writer->out;
  const unsigned char last = out->size == 0 ? '{' : out->data[out->size - 1];
  if (last != '{' && last != '[') writer_add(writer, ",", 1);
  if (name_or_null == NULL) return;
  writer_add(writer, "\"", 1);
  writer_add_text(writer, name_or_null);
  writer_add(writer, "\":", 2);
}

static void writer_json_printed(otlp_writer *writer, const char *name, const char *printed)
{
  writer_json_name(writer, name);
  writer_add_text(writer, printed);
}

/* 64-bit integers are texts in JSON. */
static void writer_json_uint64(otlp_writer *writer, const char *name_or_null, uint64_t value)
{
  char text[24];
  snprintf(text, sizeof text, "\"%" PRIu64 "\"", value);
  writer_json_name(writer, name_or_null);
  writer_add_text(writer, text);
}

/* ---- texts ---- */

static void writer_add_escaped(otlp_writer *writer, unsigned char character)
{
  char text[8];
  snprintf(text, sizeof text, "\\u%04x", character);
  writer_add_text(writer, text);
}

/* What is the same in all forms. */
static bool writer_is_plain(char byte)
{
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* How much of the text, from its start, is the same in all forms. */
static size_t writer_plain_size(const char *text)
{
  size_t size = 0;
  while (writer_is_plain(text[size])) size++;
  return size;
}

static bool writer_is_escaped(char byte)
{
  return (unsigned char)byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F;
}

/* Runs of what needs no change are added as a whole. */
static void writer_add_clean(otlp_writer *writer, const char *text, bool escapes)
{
  const char *run = text;
  for (;;) {
    text += writer_plain_size(text);
    const size_t size = accel_observer_utf8_length(text);
    if (size > 1 || (size == 1 && !(escapes && writer_is_escaped(*text)))) {
      text += size;
      continue;
    }
    writer_add(writer, run, (size_t)(text - run));
    if (*text == '\0') return;
    if (size == 0)
      writer_add(writer, "\xEF\xBF\xBD", 3);
    else
      writer_add_escaped(writer, (unsigned char)*text);
    run = ++text;
  }
}

/* ---- messages ---- */

void accel_otlp_writer_reset(otlp_writer *writer, otlp_form form)
{
  writer->out.size = 0;
  writer->form = form;
  writer->has_failed = false;
  writer->depth = 0;
}

void accel_otlp_writer_release(otlp_writer *writer)
{
  accel_buffer_release(&writer->out);
}

void accel_otlp_write_root_begin(otlp_writer *writer)
{
  if (writer->form == OTLP_JSON) writer_add(writer, "{", 1);
}

void accel_otlp_write_root_end(otlp_writer *writer)
{
  if (writer->form == OTLP_JSON) writer_add(writer, "}", 1);
}

void accel_otlp_write_begin(otlp_writer *writer, uint32_t number, const char *name_or_null)
{
  if (writer->form == OTLP_PROTOBUF) {
    writer_length_begin(writer, number);
    return;
  }
  writer_json_name(writer, name_or_null);
  writer_add(writer, "{", 1);
}

void accel_otlp_write_end(otlp_writer *writer)
{
  if (writer->form == OTLP_PROTOBUF)
    writer_length_end(writer);
  else
    writer_add(writer, "}", 1);
}

void accel_otlp_write_list_begin(otlp_writer *writer, const char *name)
{
  if (writer->form == OTLP_JSON) writer_json_printed(writer, name, "[");
}

void accel_otlp_write_list_end(otlp_writer *writer)
{
  if (writer->form == OTLP_JSON) writer_add(writer, "]", 1);
}

/* ---- fields ---- */

void accel_otlp_write_text(otlp_writer *writer, uint32_t number, const char *name, const char *text)
{
  if (writer->form == OTLP_PROTOBUF) {
    writer_length_begin(writer, number);
    writer_add_clean(writer, text, false);
    writer_length_end(writer);
    return;
  }
  writer_json_printed(writer, name, "\"");
  writer_add_clean(writer, text, true);
  writer_add(writer, "\"", 1);
}

void accel_otlp_write_bytes(otlp_writer *writer, uint32_t number, const char *name,
                            const void *data, size_t size)
{
  static const char digits[] = "0123456789abcdef";
  const unsigned char *bytes = (const unsigned char *)data;
  if (writer->form == OTLP_PROTOBUF) {
    writer_length_begin(writer, number);
    writer_add(writer, data, size);
    writer_length_end(writer);
    return;
  }
  writer_json_printed(writer, name, "\"");
  for (size_t i = 0; i < size; i++) {
    const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    writer_add(writer, pair, sizeof pair);
  }
  writer_add(writer, "\"", 1);
}

void accel_otlp_write_uint32(otlp_writer *writer, uint32_t number, const char *name, uint32_t value)
{
  char text[16];
  if (writer->form == OTLP_PROTOBUF) {
    writer_add_varint(writer, number, value);
    return;
  }
  snprintf(text, sizeof text, "%" PRIu32, value);
  writer_json_printed(writer, name, text);
}

void accel_otlp_write_bool(otlp_writer *writer, uint32_t number, const char *name, bool value)
{
  if (writer->form == OTLP_PROTOBUF)
    writer_add_varint(writer, number, value);
  else
    writer_json_printed(writer, name, value ? "true" : "false");
}

void accel_otlp_write_int64(otlp_writer *writer, uint32_t number, const char *name, int64_t value)
{
  char text[24];
  if (writer->form == OTLP_PROTOBUF) {
    writer_add_varint(writer, number, (uint64_t)value);
    return;
  }
  snprintf(text, sizeof text, "\"%" PRId64 "\"", value);
  writer_json_printed(writer, name, text);
}

void accel_otlp_write_sint32(otlp_writer *writer, uint32_t number, const char *name, int32_t value)
{
  char text[16];
  if (writer->form == OTLP_PROTOBUF) {
    const uint32_t doubled = (uint32_t)value << 1;
    writer_add_varint(writer, number, value < 0 ? ~doubled : doubled); /* the sign comes last */
    return;
  }
  snprintf(text, sizeof text, "%" PRId32, value);
  writer_json_printed(writer, name, text);
}

void accel_otlp_write_fixed32(otlp_writer *writer, uint32_t number, const char *name,
                              uint32_t value)
{
  if (writer->form == OTLP_PROTOBUF)
    writer_add_fixed(writer, number, WRITER_WIRE_FIXED32, value);
  else
    accel_otlp_write_uint32(writer, number, name, value);
}

void accel_otlp_write_fixed64(otlp_writer *writer, uint32_t number, const char *name,
                              uint64_t value)
{
  if (writer->form == OTLP_PROTOBUF)
    writer_add_fixed(writer, number, WRITER_WIRE_FIXED64, value);
  else
    writer_json_uint64(writer, name, value);
}

void accel_otlp_write_sfixed64(otlp_writer *writer, uint32_t number, const char *name,
                               uint64_t value)
{
  const uint64_t most = INT64_MAX;
  accel_otlp_write_fixed64(writer, number, name, value < most ? value : most);
}

void accel_otlp_write_double(otlp_writer *writer, uint32_t number, const char *name, double value)
{
  uint64_t bits;
  char text[32];
  if (writer->form == OTLP_PROTOBUF) {
    memcpy(&bits, &value, sizeof bits);
    writer_add_fixed(writer, number, WRITER_WIRE_FIXED64, bits);
    return;
  }
  snprintf(text, sizeof text, "%.17g", value);
  for (char *at = text; *at != '\0'; at++)
    if (*at == ',') *at = '.'; /* of a locale */
  writer_json_printed(writer, name, text);
}

void accel_otlp_write_packed(otlp_writer *writer, uint32_t number, const char *name,
                             const uint64_t *values, size_t count)
{
  unsigned char bytes[WRITER_VARINT_MAX];
  if (writer->form == OTLP_PROTOBUF) {
    if (count == 0) return;
    writer_length_begin(writer, number);
    for (size_t i = 0; i < count; i++) writer_add(writer, bytes, writer_varint(bytes, values[i]));
    writer_length_end(writer);
    return;
  }
  writer_json_printed(writer, name, "[");
  for (size_t i = 0; i < count; i++) writer_json_uint64(writer, NULL, values[i]);
  writer_add(writer, "]", 1);
}

/* ---- attributes ---- */

static void writer_attribute_begin(otlp_writer *writer, uint32_t number, const char *key)
{
  accel_otlp_write_begin(writer, number, NULL);
  accel_otlp_write_text(writer, 1, "key", key);
  accel_otlp_write_begin(writer, 2, "value");
}

static void writer_attribute_end(otlp_writer *writer)
{
  accel_otlp_write_end(writer);
  accel_otlp_write_end(writer);
}

/* Most attributes are short: all lengths in them have one byte, and are known at once. False: this
 * one has to be written part by part. */
static bool writer_add_short_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                       const char *text)
{
  unsigned char bytes[WRITER_SHORT + 16];
  const size_t key_size = writer_plain_size(key), text_size = writer_plain_size(text);
  if (writer->form != OTLP_PROTOBUF || key[key_size] != '\0' || text[text_size] != '\0' ||
      key_size + text_size > WRITER_SHORT)
    return false;
  unsigned char *at = bytes + writer_tag(bytes, number, WRITER_WIRE_LENGTH);
  *at++ = (unsigned char)(key_size + text_size + 6);
  at += writer_tag(at, 1, WRITER_WIRE_LENGTH);
  *at++ = (unsigned char)key_size;
  memcpy(at, key, key_size);
  at += key_size;
  at += writer_tag(at, 2, WRITER_WIRE_LENGTH);
  *at++ = (unsigned char)(text_size + 2);
  at += writer_tag(at, 1, WRITER_WIRE_LENGTH);
  *at++ = (unsigned char)text_size;
  memcpy(at, text, text_size);
  writer_add(writer, bytes, (size_t)(at - bytes) + text_size);
  return true;
}

void accel_otlp_write_text_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                     const char *text)
{
  if (writer_add_short_attribute(writer, number, key, text)) return;
  writer_attribute_begin(writer, number, key);
  accel_otlp_write_text(writer, 1, "stringValue", text);
  writer_attribute_end(writer);
}

void accel_otlp_write_int_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                    int64_t value)
{
  writer_attribute_begin(writer, number, key);
  accel_otlp_write_int64(writer, 3, "intValue", value);
  writer_attribute_end(writer);
}

void accel_otlp_write_double_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                       double value)
{
  writer_attribute_begin(writer, number, key);
  accel_otlp_write_double(writer, 4, "doubleValue", value);
  writer_attribute_end(writer);
}

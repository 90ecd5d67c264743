#include "reader.h"

#include <string.h>

#define READER_DEPTH 32 /* objects and lists within each other; deeper ones are no answer */

static const unsigned char reader_nothing[1] = {0};

typedef struct reader_bytes {
  const unsigned char *at, *end;
} reader_bytes;

/* ---- texts ---- */

/* A part of a message: what is not printable becomes '?'. */
static void reader_keep(char *text, size_t *size, const unsigned char *from, size_t count)
{
  for (size_t i = 0; i < count && *size + 1 < OTLP_READER_TEXT; i++)
    text[(*size)++] = (char)(from[i] >= 0x20 && from[i] < 0x7F ? from[i] : '?');
  text[*size] = '\0';
}

/* ---- protobuf ---- */

typedef struct reader_field {
  uint64_t number, value; /* value: of a varint */
  bool is_varint, is_bytes;
  reader_bytes bytes;
} reader_field;

static bool reader_varint(reader_bytes *in, uint64_t *out)
{
  *out = 0;
  for (uint32_t shift = 0; shift < 64 && in->at < in->end; shift += 7) {
    const unsigned char byte = *in->at++;
    if (shift == 63 && byte > 1) return false;
    *out |= (uint64_t)(byte & 127u) << shift;
    if (byte < 128) return true;
  }
  return false;
}

static bool reader_skip(reader_bytes *in, uint64_t size)
{
  if (size > (uint64_t)(in->end - in->at)) return false;
  in->at += size;
  return true;
}

/* The next field. False: the bytes are no message. */
static bool reader_field_next(reader_bytes *in, reader_field *out)
{
  uint64_t tag, size;
  memset(out, 0, sizeof *out);
  if (!reader_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911) return false;
  out->number = tag >> 3;
  switch (tag & 7) {
    case 0: out->is_varint = true; return reader_varint(in, &out->value);
    case 1: return reader_skip(in, 8);
    case 5: return reader_skip(in, 4);
    case 2:
      if (!reader_varint(in, &size)) return false;
      out->is_bytes = true;
      out->bytes.at = in->at;
      out->bytes.end = in->at + (size <= (uint64_t)(in->end - in->at) ? size : 0);
      return reader_skip(in, size);
    default: return false;
  }
}

/* A partial success and a Status have a number in field 1 and a message in field 2. */
static bool reader_pair(reader_bytes in, otlp_details *out)
{
  reader_field field;
  while (in.at < in.end) {
    if (!reader_field_next(&in, &field)) return false;
    if (field.number == 1 && field.is_varint)
      out->rejected = field.value <= INT64_MAX ? field.value : 0;
    if (field.number == 2 && field.is_bytes) {
      size_t size = 0;
      reader_keep(out->message, &size, field.bytes.at, (size_t)(field.bytes.end - field.bytes.at));
    }
  }
  return true;
}

static bool reader_protobuf_partial(reader_bytes in, otlp_details *out)
{
  reader_field field;
  while (in.at < in.end) {
    if (!reader_field_next(&in, &field)) return false;
    if (field.number == 1 && !(field.is_bytes && reader_pair(field.bytes, out))) return false;
  }
  return true;
}

/* ---- JSON ---- */

static unsigned char reader_peek(reader_bytes *in)
{
  static const char blanks[] = " \t\r\n";
  while (in->at < in->end && memchr(blanks, *in->at, sizeof blanks - 1) != NULL) in->at++;
  return in->at < in->end ? *in->at : '\0';
}

static bool reader_take(reader_bytes *in, char wanted)
{
  if (reader_peek(in) != (unsigned char)wanted) return false;
  in->at++;
  return true;
}

/* A character after a backslash. \u0041 is kept as '?': the texts are for people. */
static bool reader_json_escape(reader_bytes *in, char *text, size_t *size)
{
  static const char digits[] = "0123456789abcdefABCDEF";
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/     ";
  if (in->at == in->end) return false;
  const unsigned char escaped = *in->at++;
  const char *found = (const char *)memchr(from, escaped, sizeof from - 1);
  if (found != NULL) {
    reader_keep(text, size, (const unsigned char *)to + (found - from), 1);
    return true;
  }
  if (escaped != 'u' || in->end - in->at < 4) return false;
  for (int i = 0; i < 4; i++)
    if (memchr(digits, in->at[i], sizeof digits - 1) == NULL) return false;
  in->at += 4;
  reader_keep(text, size, (const unsigned char *)"?", 1);
  return true;
}

static bool reader_json_text(reader_bytes *in, char *text)
{
  size_t size = 0;
  text[0] = '\0';
  if (!reader_take(in, '"')) return false;
  while (in->at < in->end) {
    const unsigned char byte = *in->at++;
    if (byte == '"') return true;
    if (byte < 0x20 || (byte == '\\' && !reader_json_escape(in, text, &size))) return false;
    if (byte != '\\') reader_keep(text, &size, &byte, 1);
  }
  return false;
}

/* A number, true, false or null: what it is made of is enough here. */
static bool reader_json_word(reader_bytes *in, char *text)
{
  static const char letters[] = "+-.0123456789Eaeflnrstu";
  size_t size = 0;
  text[0] = '\0';
  while (in->at < in->end && memchr(letters, *in->at, sizeof letters - 1) != NULL)
    reader_keep(text, &size, in->at++, 1);
  return size > 0;
}

static uint64_t reader_json_count(const char *text)
{
  uint64_t count = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    count = count > INT64_MAX / 16 ? INT64_MAX : count * 10 + (uint64_t)(*text - '0');
  return count;
}

static void reader_json_member(const char *name, const char *text, otlp_details *out)
{
  if (strncmp(name, "rejected", 8) == 0) out->rejected = reader_json_count(text);
  if (strcmp(name, "errorMessage") == 0 || strcmp(name, "error_message") == 0 ||
      strcmp(name, "message") == 0)
    memcpy(out->message, text, sizeof out->message);
}

static bool reader_json_value(reader_bytes *in, const char *name, uint32_t depth, bool is_wanted,
                              otlp_details *out);

/* Behind '{' or '['. The members that are wanted lie in the object, or one below it, in
 * partialSuccess. */
static bool reader_json_inside(reader_bytes *in, bool is_object, uint32_t depth, bool is_wanted,
                               otlp_details *out)
{
  const char closing = is_object ? '}' : ']';
  char name[OTLP_READER_TEXT] = "";
  if (reader_take(in, closing)) return true;
  do {
    if (is_object && !(reader_json_text(in, name) && reader_take(in, ':'))) return false;
    const bool is_partial =
        strcmp(name, "partialSuccess") == 0 || strcmp(name, "partial_success") == 0;
    if (!reader_json_value(in, name, depth + 1, is_wanted || (is_partial && depth == 1), out))
      return false;
  } while (reader_take(in, ','));
  return reader_take(in, closing);
}

static bool reader_json_value(reader_bytes *in, const char *name, uint32_t depth, bool is_wanted,
                              otlp_details *out)
{
  char text[OTLP_READER_TEXT] = "";
  const unsigned char first = reader_peek(in);
  if (depth > READER_DEPTH) return false;
  if (first == '{' || first == '[') {
    in->at++;
    return reader_json_inside(in, first == '{', depth, is_wanted, out);
  }
  if (!(first == '"' ? reader_json_text(in, text) : reader_json_word(in, text))) return false;
  if (is_wanted) reader_json_member(name, text, out);
  return true;
}

static bool reader_json(reader_bytes in, bool is_wanted, otlp_details *out)
{
  if (reader_peek(&in) != '{') return false;
  return reader_json_value(&in, "", 1, is_wanted, out) && reader_peek(&in) == '\0' &&
         in.at == in.end;
}

/* ---- both ---- */

static reader_bytes reader_begin(const void *data, size_t size, otlp_details *out)
{
  const unsigned char *start = size == 0 ? reader_nothing : (const unsigned char *)data;
  memset(out, 0, sizeof *out);
  return (reader_bytes){start, start + size};
}

bool accel_otlp_read_partial(otlp_form form, const void *data, size_t size, otlp_details *out)
{
  const reader_bytes in = reader_begin(data, size, out);
  const bool is_read = size == 0 || (form == OTLP_JSON ? reader_json(in, false, out)
                                                       : reader_protobuf_partial(in, out));
  if (!is_read) memset(out, 0, sizeof *out);
  return is_read;
}

bool accel_otlp_read_refusal(otlp_form form, const void *data, size_t size, otlp_details *out)
{
  const reader_bytes in = reader_begin(data, size, out);
  const bool is_read = form == OTLP_JSON ? reader_json(in, true, out) : reader_pair(in, out);
  if (!is_read) memset(out, 0, sizeof *out);
  return is_read;
}

#include "observer_text.h"

#include <string.h>

#define OBSERVER_TEXT_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

size_t accel_observer_utf8_length(const char *text)
{
  const unsigned char *bytes = (const unsigned char *)text;
  const unsigned char first = bytes[0];
  size_t length = 0;
  uint32_t point = 0, least = 0;
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if ((first & 0xE0) == 0xC0) length = 2, point = first & 0x1Fu, least = 0x80;
  if ((first & 0xF0) == 0xE0) length = 3, point = first & 0x0Fu, least = 0x800;
  if ((first & 0xF8) == 0xF0) length = 4, point = first & 0x07u, least = 0x10000;
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return 0; /* the final zero too */
    point = point << 6 | (bytes[i] & 0x3Fu);
  }
  const bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < least || point > 0x10FFFF || is_surrogate ? 0 : length;
}

void accel_observer_text_bytes(accel_observer_text *text, const void *data, size_t size)
{
  if (!text->has_failed) text->has_failed = !accel_buffer_append(text->out, data, size);
}

void accel_observer_text_string(accel_observer_text *text, const char *string)
{
  accel_observer_text_bytes(text, string, strlen(string));
}

/* Writes the digits before `end`, at least `digits` of them; returns where they begin. */
static char *observer_text_digits(char *end, uint64_t number, unsigned digits)
{
  char *start = end;
  for (unsigned written = 0; number > 0 || written < digits; written++) {
    *--start = (char)('0' + number % 10);
    number /= 10;
  }
  return start;
}

void accel_observer_text_number(accel_observer_text *text, uint64_t number)
{
  char digits[24], *end = digits + sizeof digits;
  const char *start = observer_text_digits(end, number, 1);
  accel_observer_text_bytes(text, start, (size_t)(end - start));
}

void accel_observer_text_decimal(accel_observer_text *text, uint64_t number, unsigned places)
{
  uint64_t one = 1;
  for (unsigned i = 0; i < places; i++) one *= 10;
  accel_observer_text_number(text, number / one);
  uint64_t part = number % one;
  if (part == 0) return;
  for (; part % 10 == 0; places--) part /= 10;
  char digits[24], *end = digits + sizeof digits;
  char *start = observer_text_digits(end, part, places);
  *--start = '.';
  accel_observer_text_bytes(text, start, (size_t)(end - start));
}

void accel_observer_text_double(accel_observer_text *text, double number)
{
  const bool is_shown = number > 0 && number < 1e12; /* false for NaN */
  accel_observer_text_decimal(text, is_shown ? (uint64_t)(number * 1e6 + 0.5) : 0, 6);
}

/* Appends the string with every character replaced for which `escape` does not return NULL. */
static void observer_text_escaped(accel_observer_text *text, const char *string,
                                  const char *(*escape)(unsigned char byte, char room[8]))
{
  const char *start = string; /* of what is not yet appended */
  while (*string != '\0') {
    char room[8];
    const size_t length = accel_observer_utf8_length(string);
    const char *instead =
        length == 0 ? OBSERVER_TEXT_REPLACEMENT : escape((unsigned char)*string, room);
    const char *next = string + (length == 0 ? 1 : length);
    if (instead != NULL) {
      accel_observer_text_bytes(text, start, (size_t)(string - start));
      accel_observer_text_string(text, instead);
      start = next;
    }
    string = next;
  }
  accel_observer_text_bytes(text, start, (size_t)(string - start));
}

static const char *observer_text_escape_json(unsigned char byte, char room[8])
{
  static const char hex[] = "0123456789abcdef";
  if (byte == '"') return "\\\"";
  if (byte == '\\') return "\\\\";
  if (byte >= 0x20 && byte != 0x7F && byte != '<') return NULL; /* '<': it may stand in a page */
  memcpy(room, "\\u00", 4);
  room[4] = hex[byte >> 4];
  room[5] = hex[byte & 15];
  room[6] = '\0';
  return room;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): one of several functions of this type */
static const char *observer_text_escape_label(unsigned char byte, char room[8])
{
  (void)room;
  if (byte == '"') return "\\\"";
  if (byte == '\\') return "\\\\";
  return byte == '\n' ? "\\n" : NULL;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the same */
static const char *observer_text_escape_html(unsigned char byte, char room[8])
{
  (void)room;
  if (byte == '<') return "&lt;";
  if (byte == '&') return "&amp;";
  if (byte == '"') return "&quot;";
  return byte >= 0x20 && byte != 0x7F ? NULL : " ";
}

void accel_observer_text_json(accel_observer_text *text, const char *string)
{
  accel_observer_text_bytes(text, "\"", 1);
  observer_text_escaped(text, string, observer_text_escape_json);
  accel_observer_text_bytes(text, "\"", 1);
}

void accel_observer_text_label(accel_observer_text *text, const char *string)
{
  accel_observer_text_bytes(text, "\"", 1);
  observer_text_escaped(text, string, observer_text_escape_label);
  accel_observer_text_bytes(text, "\"", 1);
}

void accel_observer_text_html(accel_observer_text *text, const char *string)
{
  observer_text_escaped(text, string, observer_text_escape_html);
}

#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void json_format(double number, char text[static 32])
{
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, number);
    if (strtod(text, NULL) == number) break;
  }
  if (strpbrk(text, ".en") == NULL) strcat(text, ".0");
}

bool json_open(json *to, bool is_pretty)
{
  *to = (json){.is_pretty = is_pretty};
  to->file = open_memstream(&to->text, &to->size);
  return to->file != NULL;
}

/* Length of the UTF-8 sequence at `text`; 0: there is none. */
static size_t sequence_length(const unsigned char *text)
{
  const size_t length = text[0] < 0x80                       ? 1
                        : text[0] >= 0xC2 && text[0] <= 0xDF ? 2
                        : text[0] >= 0xE0 && text[0] <= 0xEF ? 3
                        : text[0] >= 0xF0 && text[0] <= 0xF4 ? 4
                                                             : 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xC0) != 0x80) return 0;
  if (length == 3 && text[0] == 0xE0 && text[1] < 0xA0) return 0;
  if (length == 3 && text[0] == 0xED && text[1] > 0x9F) return 0;
  if (length == 4 && text[0] == 0xF0 && text[1] < 0x90) return 0;
  if (length == 4 && text[0] == 0xF4 && text[1] > 0x8F) return 0;
  return length;
}

static void write_string(FILE *file, const char *string)
{
  const unsigned char *text = (const unsigned char *)string;
  fputc('"', file);
  while (*text != '\0') {
    const size_t length = sequence_length(text);
    if (length == 0) {
      fputc('?', file);
      text++;
      continue;
    }
    if (*text == '"' || *text == '\\')
      fprintf(file, "\\%c", *text);
    else if (*text < 0x20)
      fprintf(file, "\\u%04x", *text);
    else
      fwrite(text, 1, length, file);
    text += length;
  }
  fputc('"', file);
}

static void indent(json *to)
{
  if (!to->is_pretty) return;
  fputc('\n', to->file);
  for (unsigned i = 0; i < to->depth; i++) fputs("  ", to->file);
}

static void begin_member(json *to, const char *key)
{
  if (to->depth > 0) {
    if (to->has_members[to->depth - 1]) fputc(',', to->file);
    to->has_members[to->depth - 1] = true;
    indent(to);
  }
  if (key == NULL) return;
  write_string(to->file, key);
  fputs(to->is_pretty ? ": " : ":", to->file);
}

static void begin(json *to, const char *key, char opening, char closing)
{
  begin_member(to, key);
  fputc(opening, to->file);
  if (to->depth == JSON_DEPTH) abort();
  to->has_members[to->depth] = false;
  to->closing[to->depth++] = closing;
}

void json_object(json *to, const char *key)
{
  begin(to, key, '{', '}');
}

void json_array(json *to, const char *key)
{
  begin(to, key, '[', ']');
}

void json_end(json *to)
{
  to->depth--;
  if (to->has_members[to->depth]) indent(to);
  fputc(to->closing[to->depth], to->file);
}

void json_number(json *to, const char *key, double number)
{
  char text[32];
  begin_member(to, key);
  if (isfinite(number))
    json_format(number, text);
  else
    strcpy(text, "null");
  fputs(text, to->file);
}

void json_integer(json *to, const char *key, uint64_t number)
{
  begin_member(to, key);
  fprintf(to->file, "%" PRIu64, number);
}

void json_string(json *to, const char *key, const char *text_or_null)
{
  begin_member(to, key);
  if (text_or_null != NULL)
    write_string(to->file, text_or_null);
  else
    fputs("null", to->file);
}

void json_bool(json *to, const char *key, bool is_true)
{
  begin_member(to, key);
  fputs(is_true ? "true" : "false", to->file);
}

void json_null(json *to, const char *key)
{
  json_string(to, key, NULL);
}

char *json_finish(json *to)
{
  const bool is_whole = ferror(to->file) == 0;
  if (fclose(to->file) == 0 && is_whole) return to->text;
  free(to->text);
  return NULL;
}

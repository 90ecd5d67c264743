#include "base.h"

#include "harness/file.h"
#include "harness/json.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- text ---- */

void gate_text_add_bytes(gate_text *text, const char *more, size_t length)
{
  while (text->length + length + 1 > text->capacity)
    text->bytes = arena_grow(text->bytes, text->capacity, &text->capacity, 1);
  if (length > 0) memcpy(text->bytes + text->length, more, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void gate_text_add(gate_text *text, const char *more)
{
  gate_text_add_bytes(text, more, strlen(more));
}

void gate_text_printf(gate_text *text, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  gate_text_add(text, arena_format_list(format, list));
  va_end(list);
}

const char *gate_text_c(const gate_text *text)
{
  return text->bytes ? text->bytes : "";
}

/* ---- markup ---- */

static void add_escaped(gate_text *out, const char *text)
{
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '&': gate_text_add(out, "&amp;"); break;
      case '<': gate_text_add(out, "&lt;"); break;
      case '>': gate_text_add(out, "&gt;"); break;
      case '"': gate_text_add(out, "&quot;"); break;
      case '\'': gate_text_add(out, "&#39;"); break;
      default:
        if ((unsigned char)*text < 0x20 && !strchr("\t\n\r", *text))
          gate_text_add(out, "\xEF\xBF\xBD");
        else
          gate_text_add_bytes(out, text, 1);
    }
  }
}

void gate_add_markup(gate_text *out, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  for (const char *at = format; *at != '\0';) {
    const size_t plain = strcspn(at, "%");
    gate_text_add_bytes(out, at, plain);
    at += plain;
    if (*at == '\0') break;
    if (at[1] == 's')
      add_escaped(out, va_arg(arguments, const char *));
    else
      gate_text_add(out, "%");
    at += 2;
  }
  va_end(arguments);
}

/* ---- numbers ---- */

void gate_numbers_add(gate_numbers *numbers, double value)
{
  numbers->values =
      arena_grow(numbers->values, numbers->count, &numbers->capacity, sizeof *numbers->values);
  numbers->values[numbers->count++] = value;
}

bool gate_number_parse(const char *text, double *out)
{
  static const char *const words[] = {"inf", "infinity", "nan"};
  const char *digits = text + (*text == '+' || *text == '-');
  bool may_be_one = digits[strspn(digits, "0123456789.eE+-")] == '\0';
  for (size_t i = 0; i < 3; i++) may_be_one = may_be_one || strcasecmp(digits, words[i]) == 0;
  char *end;
  *out = strtod(text, &end);
  return may_be_one && end > text && *end == '\0';
}

const char *gate_number_plain(double value)
{
  if (isnan(value)) return "NaN";
  const char *text = arena_format("%.15g", value);
  return strtod(text, NULL) == value ? text : arena_format("%.17g", value);
}

const char *gate_some(size_t count, const char *one, const char *many)
{
  return arena_format("%zu %s", count, count == 1 ? one : many);
}

const char *gate_percent(double ratio)
{
  if (isnan(ratio)) return "-";
  if (isinf(ratio)) return "from 0";
  if (fabs(ratio) < 0.0005) return "0.0 %";
  return arena_format("%+.1f %%", ratio * 100);
}

/* ---- letters ---- */

size_t gate_letters(const char *text)
{
  size_t count = 0;
  for (; *text != '\0'; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

bool gate_is_utf8(const char *text, size_t length)
{
  json_t *string = json_stringn(text, length);
  json_decref(string);
  return string != NULL;
}

bool gate_matches(const char *pattern, const char *text)
{
  return strcmp(pattern, text) == 0 || fnmatch(pattern, text, 0) == 0;
}

/* ---- what is wrong ---- */

bool gate_wrong(gate_problems *problems, const char *format, ...)
{
  va_list list;
  problems->texts =
      arena_grow(problems->texts, problems->count, &problems->capacity, sizeof *problems->texts);
  va_start(list, format);
  problems->texts[problems->count++] = arena_format_list(format, list);
  va_end(list);
  return false;
}

/* ---- files ---- */

bool gate_is_folder(const char *path)
{
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool gate_exists(const char *path)
{
  struct stat status;
  return strcmp(path, "-") == 0 || stat(path, &status) == 0;
}

static bool cannot(gate_problems *problems, const char *verb, const char *path, const char *why)
{
  return gate_wrong(problems, "failed to %s %s: %s", verb, path, why);
}

/* To the end, however long the file says that it is. */
bool gate_file_read(const char *path, char **text_out, size_t *length_out, gate_problems *problems)
{
  char bytes[32 * 1024];
  gate_text text = {0};
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (!file) return cannot(problems, "read", path, strerror(errno));
  for (size_t count;
       text.length <= GATE_FILE_BYTES_MAX && (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
    gate_text_add_bytes(&text, bytes, count);
  const char *why = ferror(file) ? strerror(errno) : NULL;
  if (text.length > GATE_FILE_BYTES_MAX) why = "larger than 64 MiB";
  if (file != stdin) fclose(file);
  if (why) return cannot(problems, "read", path, why);
  if (!text.bytes) text.bytes = arena_take(1, 1);
  const bool has_mark = text.length >= 3 && memcmp(text.bytes, "\xEF\xBB\xBF", 3) == 0;
  *text_out = text.bytes + (has_mark ? 3 : 0);
  *length_out = text.length - (has_mark ? 3 : 0);
  return true;
}

bool gate_file_write(const char *path, const gate_text *text, gate_problems *problems)
{
  /* What is open already, such as /dev/stdout, is not to be replaced. */
  if (strncmp(path, "/dev/", 5) == 0) return gate_file_append(path, text, problems);
  const char *why = file_write(path, gate_text_c(text), text->length);
  return !why || cannot(problems, "write", path, why);
}

bool gate_file_append(const char *path, const gate_text *text, gate_problems *problems)
{
  const int file =
      file_make_folders(path) ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  const off_t before = lseek(file, 0, SEEK_END);
  const bool is_written = file_write_all(file, gate_text_c(text), text->length) &&
                          (fsync(file) == 0 || errno == EINVAL);
  const int error = errno;
  /* Half a line would spoil the file for every later reader. */
  if (!is_written && before >= 0 && ftruncate(file, before) != 0) errno = error;
  close(file);
  return is_written || cannot(problems, "write", path, strerror(error));
}

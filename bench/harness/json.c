#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

/* Lays out `digits` x 10^(point - number of digits). */
static void lay_out(const char *sign, const char *digits, int point, char text[static JSON_DIGITS])
{
  const int count = (int)strlen(digits);
  if (point >= count && point <= 16)
    snprintf(text, JSON_DIGITS, "%s%s%.*s.0", sign, digits, point - count, "0000000000000000");
  else if (point > 0 && point <= 16)
    snprintf(text, JSON_DIGITS, "%s%.*s.%s", sign, point, digits, digits + point);
  else if (point > -5 && point <= 0)
    snprintf(text, JSON_DIGITS, "%s0.%.*s%s", sign, -point, "00000", digits);
  else
    snprintf(text, JSON_DIGITS, "%s%c%s%se%d", sign, digits[0], count > 1 ? "." : "", digits + 1,
             point - 1);
}

void json_format(double number, char text[static JSON_DIGITS])
{
  char scientific[40], digits[20];
  int precision = 0;
  size_t count = 0;
  do {
    snprintf(scientific, sizeof scientific, "%.*e", precision, fabs(number));
  } while (strtod(scientific, NULL) != fabs(number) && precision++ < 17);
  const char *from = scientific;
  for (; *from != 'e'; from++)
    if (*from != '.' && count + 1 < sizeof digits) digits[count++] = *from;
  while (count > 1 && digits[count - 1] == '0') count--;
  digits[count] = '\0';
  const int exponent = digits[0] == '0' ? 0 : (int)strtol(from + 1, NULL, 10);
  lay_out(signbit(number) ? "-" : "", digits, exponent + 1, text);
}

void json_thousands(double number, int decimals, char text[static JSON_THOUSANDS])
{
  char plain[400];
  int tried = decimals < 0 ? 0 : decimals;
  do {
    snprintf(plain, sizeof plain, "%.*f", tried, number);
  } while (decimals < 0 && strtod(plain, NULL) != number && tried++ < 60);
  const size_t whole = strcspn(plain, ".");
  size_t to = 0;
  for (size_t i = 0; plain[i] != '\0'; i++) {
    if (i > 0 && i < whole && (whole - i) % 3 == 0) text[to++] = ',';
    text[to++] = plain[i];
  }
  text[to] = '\0';
}

json_t *json_figure(double number)
{
  return isfinite(number) ? json_real(number) : json_null();
}

json_t *json_figure_or_none(double number)
{
  return isfinite(number) ? json_real(number) : NULL;
}

json_t *json_figures(const double *numbers, size_t count)
{
  json_t *const list = json_array();
  for (size_t i = 0; i < count; i++)
    if (json_array_append_new(list, json_figure(numbers[i])) != 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

json_t *json_words(const char *text)
{
  json_t *string = json_string(text);
  char *const copy = string == NULL ? strdup(text) : NULL;
  if (copy == NULL) return string;
  for (char *at = copy; *at != '\0'; at++)
    if ((unsigned char)*at >= 0x80) *at = '?';
  string = json_string(copy);
  free(copy);
  return string;
}

/* ---- text ---- */

static void add_value(FILE *to, json_t *value, bool is_pretty, int depth);

static void new_line(FILE *to, bool is_pretty, int depth)
{
  if (is_pretty) fprintf(to, "\n%*s", 2 * depth, "");
}

static void add_object(FILE *to, json_t *object, bool is_pretty, int depth)
{
  const char *key;
  json_t *member;
  bool is_first = true;
  fputc('{', to);
  json_object_foreach(object, key, member)
  {
    if (!is_first) fputc(',', to);
    new_line(to, is_pretty, depth + 1);
    json_t *const name = json_string(key);
    json_dumpf(name, to, JSON_ENCODE_ANY);
    json_decref(name);
    fputs(is_pretty ? ": " : ":", to);
    add_value(to, member, is_pretty, depth + 1);
    is_first = false;
  }
  if (!is_first) new_line(to, is_pretty, depth);
  fputc('}', to);
}

static void add_array(FILE *to, json_t *array, bool is_pretty, int depth)
{
  size_t index;
  json_t *item;
  const bool has_lines = is_pretty && json_is_object(json_array_get(array, 0));
  fputc('[', to);
  json_array_foreach(array, index, item)
  {
    if (index > 0) fputs(is_pretty && !has_lines ? ", " : ",", to);
    new_line(to, has_lines, depth + 1);
    add_value(to, item, is_pretty, depth + 1);
  }
  if (json_array_size(array) > 0) new_line(to, has_lines, depth);
  fputc(']', to);
}

static void add_value(FILE *to, json_t *value, bool is_pretty, int depth)
{
  char text[JSON_DIGITS];
  if (json_is_object(value)) {
    add_object(to, value, is_pretty, depth);
  } else if (json_is_array(value)) {
    add_array(to, value, is_pretty, depth);
  } else if (json_is_real(value)) {
    json_format(json_real_value(value), text);
    fputs(text, to);
  } else {
    json_dumpf(value, to, JSON_ENCODE_ANY);
  }
}

char *json_text(json_t *value, bool is_pretty)
{
  char *text = NULL;
  size_t size = 0;
  FILE *const file = value != NULL ? open_memstream(&text, &size) : NULL;
  if (file == NULL) {
    json_decref(value);
    return NULL;
  }
  add_value(file, value, is_pretty, 0);
  if (is_pretty) fputc('\n', file);
  json_decref(value);
  const bool is_whole = ferror(file) == 0;
  if (fclose(file) == 0 && is_whole) return text;
  free(text);
  return NULL;
}

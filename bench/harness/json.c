#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

/* With the fewest decimals that read back the same; without an exponent where Rust writes none. */
void json_format(double number, char text[static JSON_DIGITS])
{
  const double size = fabs(number);
  const bool is_plain = size == 0 || (size >= 1e-5 && size < 1e16);
  int decimals = is_plain ? 1 : 0;
  do {
    snprintf(text, JSON_DIGITS, is_plain ? "%.*f" : "%.*e", decimals, number);
  } while (strtod(text, NULL) != number && decimals++ < 24);
  char *const exponent = strchr(text, 'e');
  if (exponent != NULL) snprintf(exponent, 8, "e%d", atoi(exponent + 1));
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

/* Copies jansson's text, in which numbers have more digits than they need and each number of a list
 * a line of its own. Returns what follows what was copied. */
static const char *add_token(FILE *to, const char *at, bool *is_in_numbers)
{
  char *end, text[JSON_DIGITS];
  if (*at == '"') {
    const char *close = at + 1;
    while (*close != '"') close += *close == '\\' ? 2 : 1;
    fwrite(at, 1, (size_t)(close + 1 - at), to);
    return close + 1;
  }
  if (*at == '-' || (*at >= '0' && *at <= '9')) {
    const double number = strtod(at, &end);
    const size_t length = (size_t)(end - at);
    if (strcspn(at, ".eE") < length)
      json_format(number, text);
    else
      snprintf(text, sizeof text, "%.*s", (int)length, at);
    fputs(text, to);
    return end;
  }
  if (*at == '[')
    *is_in_numbers = at[1] == '\n' && strchr("-0123456789n", at[1 + strspn(at + 1, " \n")]);
  if (*at == ']') *is_in_numbers = false;
  fputc(*at++, to);
  if (*is_in_numbers && at[-1] == ',') fputc(' ', to);
  return *is_in_numbers ? at + strspn(at, " \n") : at;
}

char *json_text(json_t *value, bool is_pretty)
{
  char *text = NULL;
  size_t size = 0;
  const size_t flags = JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY;
  char *const plain = json_dumps(value, flags | (is_pretty ? JSON_INDENT(2) : JSON_COMPACT));
  FILE *const file = plain != NULL ? open_memstream(&text, &size) : NULL;
  json_decref(value);
  if (file == NULL) {
    free(plain);
    return NULL;
  }
  bool is_in_numbers = false;
  for (const char *at = plain; *at != '\0';) at = add_token(file, at, &is_in_numbers);
  if (is_pretty) fputc('\n', file);
  free(plain);
  const bool is_whole = ferror(file) == 0;
  if (fclose(file) == 0 && is_whole) return text;
  free(text);
  return NULL;
}

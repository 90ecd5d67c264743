#include "arguments.h"

#include "arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MEANING_COLUMN = 29 };

/* ---- fields ---- */

const char *arguments_text(const argument *self, void *field, const char *value)
{
  (void)self;
  *(const char **)field = value;
  return NULL;
}

const char *arguments_flag(const argument *self, void *field, const char *value)
{
  (void)self;
  (void)value;
  *(bool *)field = true;
  return NULL;
}

/* What is expected where `what` was not found. */
static const char *expected(const argument *self, const char *what)
{
  return arena_format("expected a %s from %.15g to %.15g", what, self->least, self->most);
}

const char *arguments_whole(const argument *self, void *field, const char *value)
{
  errno = 0;
  const bool is_number = value[0] != '\0' && value[strspn(value, "0123456789")] == '\0';
  const unsigned long long number = is_number ? strtoull(value, NULL, 10) : 0;
  if (!is_number || errno != 0 || (double)number < self->least || (double)number > self->most)
    return expected(self, "whole number");
  *(size_t *)field = (size_t)number;
  return NULL;
}

/* Decimal notation only: strtod also reads blanks, "inf" and hexadecimal numbers. */
const char *arguments_number(const argument *self, void *field, const char *value)
{
  char *end;
  const bool is_decimal = value[0] != '\0' && value[strspn(value, "0123456789.eE+-")] == '\0';
  const double number = strtod(value, &end);
  if (!is_decimal || *end != '\0' || !(number >= self->least && number <= self->most))
    return expected(self, "number");
  *(double *)field = number;
  return NULL;
}

const char *arguments_choice(const argument *self, void *field, const char *value)
{
  const size_t wanted = strlen(value);
  int index = 0;
  for (const char *at = self->value; *at != '\0'; index++) {
    const size_t length = strcspn(at, "|");
    if (length == wanted && strncmp(at, value, length) == 0) {
      *(int *)field = index;
      return NULL;
    }
    at += length + (at[length] == '|');
  }
  return arena_format("expected %s", self->value);
}

/* ---- parsing ---- */

static const argument *find_option(const argument_group *groups, const char *name, size_t length,
                                   void **field_out)
{
  for (; groups->items != NULL; groups++) {
    for (const argument *item = groups->items; item->name != NULL; item++) {
      if (strlen(item->name) != length || strncmp(item->name, name, length) != 0) continue;
      *field_out = (char *)groups->to + item->offset;
      return item;
    }
  }
  return NULL;
}

/* One option at words[*at]. */
static arguments_outcome take_option(const argument_group *groups, int count, char **words, int *at,
                                     const char **wrong_out)
{
  void *field = NULL;
  const char *const word = words[*at];
  const char *const name = word + (word[1] == '-' ? 2 : 1);
  const size_t length = strcspn(name, "=");
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return ARGUMENTS_HELP;
  const argument *const item = find_option(groups, name, length, &field);
  const bool has_dashes = word[1] == '-' || length == 1;
  if (item == NULL || !has_dashes || (item->value == NULL && value != NULL)) {
    *wrong_out = arena_format("unknown argument: %s", word);
    return ARGUMENTS_WRONG;
  }
  if (item->value != NULL && value == NULL) {
    if (*at + 1 >= count) {
      *wrong_out = arena_format("missing value for --%s", item->name);
      return ARGUMENTS_WRONG;
    }
    value = words[++*at];
  }
  const char *const why = item->take(item, field, value);
  if (why == NULL) return ARGUMENTS_TAKEN;
  if (strncmp(why, "invalid ", 8) == 0 || strstr(why, "out of range") != NULL)
    *wrong_out = why;
  else
    *wrong_out = arena_format("invalid --%s value: %s (%s)", item->name, value ? value : "", why);
  return ARGUMENTS_WRONG;
}

arguments_outcome arguments_parse(const argument_group *groups, int count, char **words,
                                  int *operands_out, const char **wrong_out)
{
  bool are_operands = false;
  *operands_out = 0;
  for (int at = 1; at < count; at++) {
    char *const word = words[at];
    if (!are_operands && strcmp(word, "--") == 0) {
      are_operands = true;
    } else if (are_operands || word[0] != '-' || word[1] == '\0') {
      words[++*operands_out] = word;
    } else {
      const arguments_outcome outcome = take_option(groups, count, words, &at, wrong_out);
      if (outcome != ARGUMENTS_TAKEN) return outcome;
    }
  }
  return ARGUMENTS_TAKEN;
}

/* ---- help ---- */

static void print_option(FILE *to, const argument *item)
{
  char form[128];
  snprintf(form, sizeof form, "   %s%s%s%s", item->name[1] == '\0' ? "-" : "--", item->name,
           item->value != NULL ? " " : "", item->value != NULL ? item->value : "");
  fprintf(to, "%-*s", MEANING_COLUMN, form);
  if (strlen(form) >= MEANING_COLUMN) fprintf(to, "\n%*s", MEANING_COLUMN, "");
  for (const char *line = item->meaning; *line != '\0';) {
    const size_t length = strcspn(line, "\n");
    fprintf(to, "%.*s\n", (int)length, line);
    line += length + (line[length] == '\n');
    if (*line != '\0') fprintf(to, "%*s", MEANING_COLUMN, "");
  }
}

void arguments_help(FILE *to, const argument_group *groups)
{
  for (; groups->items != NULL; groups++)
    for (const argument *item = groups->items; item->name != NULL; item++)
      if (item->meaning != NULL) print_option(to, item);
}

#include "arguments.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MEANING_COLUMN = 29 };

/* ---- fields ---- */

const char *arguments_text(void *field, const char *value)
{
  *(const char **)field = value;
  return NULL;
}

const char *arguments_flag(void *field, const char *value)
{
  (void)value;
  *(bool *)field = true;
  return NULL;
}

const char *arguments_count(void *field, const char *value)
{
  char *end;
  if (value[strspn(value, "0123456789")] != '\0') return "expected a whole number above 0";
  errno = 0;
  const unsigned long long number = strtoull(value, &end, 10);
  if (errno != 0 || number == 0 || number > UINT32_MAX) return "expected a whole number above 0";
  *(size_t *)field = (size_t)number;
  return NULL;
}

/* ---- parsing ---- */

static const argument *find_option(const argument_group *groups, const char *name, size_t length,
                                   char letter, void **field_out)
{
  for (; groups->items != NULL; groups++) {
    for (const argument *item = groups->items; item->name != NULL; item++) {
      const bool is_named = strlen(item->name) == length && strncmp(item->name, name, length) == 0;
      if (letter != '\0' ? item->letter != letter : !is_named) continue;
      *field_out = (char *)groups->to + item->offset;
      return item;
    }
  }
  return NULL;
}

/* One option at words[*at]. */
static arguments_outcome take_option(const argument_group *groups, int count, char **words, int *at,
                                     char wrong[static 512])
{
  void *field = NULL;
  const char *const word = words[*at];
  const bool is_long = word[1] == '-';
  const char *const name = word + (is_long ? 2 : 1);
  const size_t length = strcspn(name, "=");
  const char *value = is_long && name[length] == '=' ? name + length + 1 : NULL;
  if ((is_long && strcmp(name, "help") == 0) || strcmp(word, "-h") == 0) return ARGUMENTS_HELP;
  const argument *const item =
      find_option(groups, name, length, is_long || name[1] != '\0' ? '\0' : name[0], &field);
  if (item == NULL || (!is_long && name[1] != '\0') || (item->value == NULL && value != NULL)) {
    snprintf(wrong, 512, "unknown argument: %s", word);
    return ARGUMENTS_WRONG;
  }
  if (item->value != NULL && value == NULL) {
    if (*at + 1 >= count) {
      snprintf(wrong, 512, "missing value for --%s", item->name);
      return ARGUMENTS_WRONG;
    }
    value = words[++*at];
  }
  const char *const why = item->take(field, value);
  if (why == NULL) return ARGUMENTS_TAKEN;
  if (strncmp(why, "invalid ", 8) == 0 || strstr(why, "out of range") != NULL)
    snprintf(wrong, 512, "%s", why);
  else
    snprintf(wrong, 512, "invalid --%s value: %s (%s)", item->name, value ? value : "", why);
  return ARGUMENTS_WRONG;
}

arguments_outcome arguments_parse(const argument_group *groups, int count, char **words,
                                  int *operands_out, char wrong[static 512])
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
      const arguments_outcome outcome = take_option(groups, count, words, &at, wrong);
      if (outcome != ARGUMENTS_TAKEN) return outcome;
    }
  }
  return ARGUMENTS_TAKEN;
}

/* ---- help ---- */

static void print_option(FILE *to, const argument *item)
{
  char form[128];
  snprintf(form, sizeof form, "  %s%c%s--%s%s%s", item->letter != '\0' ? "-" : "",
           item->letter != '\0' ? item->letter : ' ', item->letter != '\0' ? ", " : "", item->name,
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

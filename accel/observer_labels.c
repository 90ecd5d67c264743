#include "observer_labels.h"

#include "error.h"
#include "observer_text.h"

#include <stdlib.h>
#include <string.h>

/* Where the text is read, and where what was read goes to. */
typedef struct labels_reader {
  const void *owner;
  const char *text, *at;
  char *to; /* in the labels' memory, as long as the text */
} labels_reader;

static accel_status labels_fail(const labels_reader *reader, const char *why)
{
  return accel_error_set(reader->owner, ACCEL_ERR_CONFIG,
                         "extra_labels is %.80s: %s, at character %zu", reader->text, why,
                         (size_t)(reader->at - reader->text) + 1);
}

/* Labels that metrics have of their own. */
static bool labels_is_taken(const char *name)
{
  static const char *const taken[] = {"area", "endpoint", "engine",   "for",    "le",    "mode",
                                      "op",   "policy",   "quantile", "signal", "state", "version"};
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    if (strcmp(name, taken[i]) == 0) return true;
  return false;
}

static accel_status labels_read_name(labels_reader *reader, const accel_observer_labels *labels,
                                     const char **name_out)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  const size_t size = strspn(reader->at, allowed);
  if (size == 0 || strchr(letters, *reader->at) == NULL)
    return labels_fail(reader, "a label's name begins with a letter or _, and goes on with these "
                               "and digits");
  if (strncmp(reader->at, "__", 2) == 0)
    return labels_fail(reader, "names that begin with __ belong to Prometheus");
  char *name = reader->to;
  memcpy(name, reader->at, size);
  name[size] = '\0';
  if (labels_is_taken(name)) return labels_fail(reader, "metrics have a label of this name");
  for (size_t i = 0; i < labels->count; i++)
    if (strcmp(labels->labels[i].name, name) == 0)
      return labels_fail(reader, "this label is there twice");
  *name_out = name;
  reader->to += size + 1;
  reader->at += size;
  return ACCEL_OK;
}

/* The character that stands for what follows a backslash; 0: none does. */
static char labels_unescaped(char escaped)
{
  if (escaped == 'n') return '\n';
  if (escaped == '\\' || escaped == '"') return escaped;
  return '\0';
}

static accel_status labels_read_value(labels_reader *reader, const char **value_out)
{
  if (reader->at[0] != '=' || reader->at[1] != '"')
    return labels_fail(reader, "=\" must follow a label's name");
  *value_out = reader->to;
  for (reader->at += 2; *reader->at != '"';) {
    const size_t length = accel_observer_utf8_length(reader->at);
    if (*reader->at == '\0') return labels_fail(reader, "the value has no closing quote");
    if (length == 0) return labels_fail(reader, "the value is not valid UTF-8");
    if (*reader->at != '\\') {
      memcpy(reader->to, reader->at, length);
      reader->to += length;
      reader->at += length;
      continue;
    }
    const char character = labels_unescaped(reader->at[1]);
    if (character == '\0')
      return labels_fail(reader, "a backslash is followed by a backslash, a quote or n");
    *reader->to++ = character;
    reader->at += 2;
  }
  *reader->to++ = '\0';
  reader->at++;
  return ACCEL_OK;
}

static accel_status labels_read(labels_reader *reader, accel_observer_labels *labels)
{
  for (;;) {
    accel_label label;
    if (labels->count == ACCEL_OBSERVED_LABELS)
      return labels_fail(reader, "there are more than 8 labels");
    accel_status status = labels_read_name(reader, labels, &label.name);
    if (status == ACCEL_OK) status = labels_read_value(reader, &label.value);
    if (status != ACCEL_OK) return status;
    labels->labels[labels->count++] = label;
    reader->at += strspn(reader->at, " ");
    if (*reader->at == '\0') return ACCEL_OK;
    if (*reader->at != ',') return labels_fail(reader, "a comma must follow a label");
    reader->at++;
    reader->at += strspn(reader->at, " ");
  }
}

accel_status accel_observer_labels_open(accel_observer_labels *labels, const char *text_or_null,
                                        const void *owner)
{
  memset(labels, 0, sizeof *labels);
  if (text_or_null == NULL || text_or_null[0] == '\0') return ACCEL_OK;
  labels->memory = (char *)ACCEL_MALLOC(strlen(text_or_null) + 1);
  if (labels->memory == NULL)
    return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory for extra_labels");
  labels_reader reader = {owner, text_or_null, text_or_null, labels->memory};
  const accel_status status = labels_read(&reader, labels);
  if (status != ACCEL_OK) accel_observer_labels_close(labels);
  return status;
}

void accel_observer_labels_close(accel_observer_labels *labels)
{
  ACCEL_FREE(labels->memory);
  memset(labels, 0, sizeof *labels);
}

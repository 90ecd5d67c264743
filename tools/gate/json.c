#include "json.h"

#include <math.h>
#include <string.h>

/* Records one behind the other as an array; NULL if anything else is there. */
static json_t *load_records(const char *text, size_t length, size_t flags)
{
  json_t *records = json_array();
  for (size_t at = 0; at < length; at += strspn(text + at, " \t\r\n")) {
    json_error_t error;
    json_t *record = json_loadb(text + at, length - at, flags | JSON_DISABLE_EOF_CHECK, &error);
    const bool is_record = json_object_get(record, "bench_id") != NULL;
    if (json_array_append_new(records, record) != 0 || !is_record) {
      json_decref(records);
      return NULL;
    }
    at += (size_t)error.position;
  }
  return records;
}

bool gate_json_open(gate_json *json, const char *path, const char *text, size_t length,
                    gate_problems *problems)
{
  *json = (gate_json){.path = path, .text = text, .problems = problems};
  json_error_t error;
  const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL;
  json->root = json_loadb(text, length, flags, &error);
  if (!json->root) json->root = load_records(text, length, flags);
  return json->root || gate_wrong(problems, "failed to parse %s: %s at line %d column %d", path,
                                  error.text, error.line, error.column);
}

void gate_json_release(gate_json *json)
{
  json_decref(json->root);
  json->root = NULL;
}

/* The line of the first "key" that is followed by a colon, or of a value that is `key`; 0 if
 * there is none, as when it was written with escapes. */
static size_t line_of(const char *text, const char *key)
{
  const size_t length = strlen(key);
  size_t line = 1;
  for (; *text != '\0'; text++) {
    if (*text == '\n') line++;
    if (*text == '"' && strncmp(text + 1, key, length) == 0 && text[length + 1] == '"') return line;
  }
  return 0;
}

bool gate_json_wrong(gate_json *json, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  const char *what = arena_format_list(format, list);
  va_end(list);
  json->is_wrong = true;
  const size_t line = json->where ? line_of(json->text, json->where) : 0;
  const char *place = line > 0 ? arena_format(" (line %zu)", line) : "";
  return gate_wrong(json->problems, "failed to parse %s: %s%s%s%s", json->path,
                    json->where ? json->where : "", json->where ? ": " : "", what, place);
}

/* NULL also for null. */
static json_t *member(json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

static double check_number(gate_json *json, json_t *value, const char *key, gate_range range)
{
  const double number = json_number_value(value);
  if (!json_is_number(value))
    gate_json_wrong(json, "%s is not a number", key);
  else if (!isfinite(number))
    gate_json_wrong(json, "%s is not finite", key);
  else if ((range == GATE_POSITIVE && number <= 0) || (range == GATE_NOT_NEGATIVE && number < 0))
    gate_json_wrong(json, "%s is %g, expected %s", key, number,
                    range == GATE_POSITIVE ? "above 0" : "0 or more");
  else
    return number;
  return NAN;
}

double gate_json_number(gate_json *json, json_t *object, const char *key, gate_range range)
{
  json_t *value = member(object, key);
  return value ? check_number(json, value, key, range) : NAN;
}

double gate_json_wanted_number(gate_json *json, json_t *object, const char *key, gate_range range)
{
  if (!member(object, key)) gate_json_wrong(json, "missing field `%s`", key);
  return gate_json_number(json, object, key, range);
}

/* NULL with a problem of another type. */
static json_t *member_of(gate_json *json, json_t *object, const char *key, json_type type,
                         const char *what)
{
  json_t *value = member(object, key);
  if (!value || json_typeof(value) == type) return value;
  gate_json_wrong(json, "%s is not %s", key, what);
  return NULL;
}

const char *gate_json_text(gate_json *json, json_t *object, const char *key)
{
  return json_string_value(member_of(json, object, key, JSON_STRING, "a text"));
}

json_t *gate_json_object(gate_json *json, json_t *object, const char *key)
{
  return member_of(json, object, key, JSON_OBJECT, "an object");
}

json_t *gate_json_array(gate_json *json, json_t *object, const char *key)
{
  return member_of(json, object, key, JSON_ARRAY, "an array");
}

gate_numbers gate_json_numbers(gate_json *json, json_t *object, const char *key, gate_range range)
{
  gate_numbers numbers = {0};
  json_t *array = gate_json_array(json, object, key);
  size_t index;
  json_t *value;
  json_array_foreach(array, index, value)
  {
    const double number = check_number(json, value, key, range);
    if (isnan(number)) break;
    gate_numbers_add(&numbers, number);
  }
  return numbers;
}

/* Reads JSON strictly: no NaN, no duplicate key, nothing behind the end. Hides how jansson reports;
 * every fault becomes a problem that names file, line and field. What writes JSON is
 * bench/harness/json.h. */
#ifndef ACCEL_GATE_JSON_H
#define ACCEL_GATE_JSON_H

#include "base.h"

#include <jansson.h>

typedef enum gate_range { GATE_ANY, GATE_POSITIVE, GATE_NOT_NEGATIVE } gate_range;

/* A document that is being read. */
typedef struct gate_json {
  json_t *root;
  const char *path;
  const char *text;
  gate_problems *problems;
  const char *where; /* what is being read, for messages: an id, or NULL */
  bool is_wrong;     /* a fault was found since this was last set to false */
} gate_json;

/* False, with a problem "failed to parse PATH: why at line L column C", if it is not JSON. On
 * success the caller ends with gate_json_release. Records that stand one behind the other become
 * one array. */
bool gate_json_open(gate_json *json, const char *path, const char *text, size_t length,
                    gate_problems *problems);
void gate_json_release(gate_json *json);

/* Says "failed to parse PATH: ID: what (line L)"; returns false. */
bool gate_json_wrong(gate_json *json, const char *format, ...) ARENA_PRINTF(2, 3);

/* The member `key`, checked. Not there, or null: NAN and NULL. Another type or out of range: the
 * same, with a problem. `object` may be NULL. */
double gate_json_number(gate_json *json, json_t *object, const char *key, gate_range range);
const char *gate_json_text(gate_json *json, json_t *object, const char *key);
json_t *gate_json_object(gate_json *json, json_t *object, const char *key);
json_t *gate_json_array(gate_json *json, json_t *object, const char *key);
/* The same of what has to be there. */
double gate_json_wanted_number(gate_json *json, json_t *object, const char *key, gate_range range);
/* Every number of the array `key`; none if it is not there. */
gate_numbers gate_json_numbers(gate_json *json, json_t *object, const char *key, gate_range range);

#endif

/* json.h: writes JSON into memory: strict, with the shortest numbers that read back the same.
 *
 * Keys and strings are UTF-8; what is not is replaced by "?". A number that is not finite is
 * written as null, because JSON has none. A NULL key is for the elements of an array. Failures are
 * remembered and reported by json_finish.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

typedef struct json {
  FILE *file;
  char *text;
  size_t size;
  bool is_pretty, has_members[JSON_DEPTH];
  char closing[JSON_DEPTH];
  unsigned depth;
} json;

/* False: no memory; json_finish is not called then. */
bool json_open(json *to, bool is_pretty);
void json_object(json *to, const char *key);
void json_array(json *to, const char *key);
void json_end(json *to);
void json_number(json *to, const char *key, double number); /* 18.0 */
void json_integer(json *to, const char *key, uint64_t number);
void json_string(json *to, const char *key, const char *text_or_null);
void json_bool(json *to, const char *key, bool is_true);
void json_null(json *to, const char *key);
/* The text, to be freed by the caller; NULL: no memory. */
char *json_finish(json *to);

/* "18.0", "1e300": `text` has room for 32. */
void json_format(double number, char text[static 32]);

#endif

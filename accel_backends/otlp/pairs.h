/* pairs.h: names with values, as in "name=value,name=value" (backend otlp).
 *
 * Values may be keys to a receiver: they never appear in an error, and are wiped on release. Nor
 * does a text that could be one because its "=" is missing or at the wrong place.
 * Threads: one at a time.
 */
#ifndef ACCEL_BACKENDS_OTLP_PAIRS_H
#define ACCEL_BACKENDS_OTLP_PAIRS_H

#include "../../accel/status.h"

#define OTLP_PAIRS_MAX 128u /* of one list */

/* Both texts lie in one allocation, whose start is the name. */
typedef struct otlp_pair {
  char *name, *value;
} otlp_pair;

/* Zeroed: empty. */
typedef struct otlp_pairs {
  otlp_pair *items;
  size_t count, capacity;
  bool ignores_case; /* headers do */
} otlp_pairs;

typedef enum otlp_pairs_kind {
  OTLP_PAIRS_ATTRIBUTES = 0, /* of a resource */
  OTLP_PAIRS_HEADERS         /* of HTTP; those that the exporter sets itself are refused */
} otlp_pairs_kind;

ACCEL_EXTERN_C_BEGIN

/* Adds the pairs of `text`, percent-decoded; a name that is there already keeps its value. OK;
 * CONFIG, with an error on `owner` that begins with `source`; NOMEM. */
accel_status accel_otlp_pairs_parse(otlp_pairs *pairs, otlp_pairs_kind kind, const void *owner,
                                    const char *source, const char *text);
/* Adds one, unless the name is there already. False: no memory, or too many. */
bool accel_otlp_pairs_add(otlp_pairs *pairs, const char *name, const char *value);
/* The value of this name. NULL: there is none. */
const char *accel_otlp_pairs_find(const otlp_pairs *pairs, const char *name);
/* Adds all pairs of `from`. False: as add. */
bool accel_otlp_pairs_copy(const otlp_pairs *from, otlp_pairs *to);
/* Wipes and frees all of it. */
void accel_otlp_pairs_release(otlp_pairs *pairs);

ACCEL_EXTERN_C_END

#endif

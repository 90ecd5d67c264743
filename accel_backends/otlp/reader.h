/* reader.h: what a receiver answers (backend otlp).
 *
 * A receiver that took only a part of a request answers 200 with a partial success; one that
 * refuses it answers with a Status. Both are hostile input: whatever the bytes are, reading them
 * ends, stays inside them, and says whether they are such a message. Threads: any.
 */
#ifndef ACCEL_BACKENDS_OTLP_READER_H
#define ACCEL_BACKENDS_OTLP_READER_H

#include "writer.h"

#define OTLP_READER_TEXT 120 /* of a message; what is longer is cut off */

/* What an answer says besides its status. */
typedef struct otlp_details {
  uint64_t rejected;              /* of a partial success: how many items were not taken */
  char message[OTLP_READER_TEXT]; /* "": none; printable ASCII */
} otlp_details;

ACCEL_EXTERN_C_BEGIN

/* Reads an Export...ServiceResponse. An empty answer is one, too: all was taken. False: it is none,
 * and *out is zero. */
bool accel_otlp_read_partial(otlp_form form, const void *data, size_t size, otlp_details *out);
/* Reads a google.rpc.Status. False: it is none, and *out is zero. */
bool accel_otlp_read_refusal(otlp_form form, const void *data, size_t size, otlp_details *out);

ACCEL_EXTERN_C_END

#endif

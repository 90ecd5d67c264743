/* gzip.h: compressed requests (backend otlp).
 *
 * The compressor's memory, a quarter of a MiB, is kept from one request to the next. Threads: one
 * at a time per object.
 */
#ifndef ACCEL_BACKENDS_OTLP_GZIP_H
#define ACCEL_BACKENDS_OTLP_GZIP_H

#include "../../accel/type.h"

/* Zeroed: it has no memory yet. */
typedef struct otlp_gzip {
  void *stream;
} otlp_gzip;

ACCEL_EXTERN_C_BEGIN

/* Replaces *out by `in` as one gzip member. False: no memory, or more than zlib takes at once. */
bool accel_otlp_gzip(otlp_gzip *gzip, const accel_buffer *in, accel_buffer *out);
void accel_otlp_gzip_release(otlp_gzip *gzip);

ACCEL_EXTERN_C_END

#endif

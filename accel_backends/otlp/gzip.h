/* gzip.h: compressed requests (backend otlp). Threads: one at a time per object. */
#ifndef ACCEL_BACKENDS_OTLP_GZIP_H
#define ACCEL_BACKENDS_OTLP_GZIP_H

#include "../../accel/type.h"

ACCEL_EXTERN_C_BEGIN

/* Replaces *out by `in` as one gzip member. False: no memory, or more than zlib takes at once. */
bool accel_otlp_gzip(const accel_buffer *in, accel_buffer *out);

ACCEL_EXTERN_C_END

#endif

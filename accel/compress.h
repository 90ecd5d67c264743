/* compress.h: smaller values in L2 (layer 1).
 *
 * A compressor is given by accel_config.compressor. Payloads from min_bytes on are compressed if
 * that saves a sixteenth at least; the envelope names the method, so that processes with and
 * without one may share an area: a cache that cannot read a value counts it as a miss.
 *
 * What comes from L2 is hostile: before memory is allocated for it, the length that the envelope
 * announces must be at most ACCEL_COMPRESS_RATIO_MAX times what is there, and at most
 * ACCEL_COMPRESS_RAW_MAX; a decompressor must stay within both buffers whatever it reads.
 */
#ifndef ACCEL_COMPRESS_H
#define ACCEL_COMPRESS_H

#include "status.h"

#define ACCEL_COMPRESS_RATIO_MAX 1024u
#define ACCEL_COMPRESS_RAW_MAX ((512u << 20) - 64)
#define ACCEL_COMPRESS_BYTES_MIN 1024u /* where min_bytes is 0 */

/* Any thread may call the functions, several at once. */
typedef struct accel_compressor {
  uint32_t method;  /* 1 to 7, in the envelope: 1 is LZ4, 2 to 4 are kept for others of ours */
  size_t min_bytes; /* smaller payloads stay as they are; 0: ACCEL_COMPRESS_BYTES_MIN */
  void *ctx;
  /* Writes at most `room` bytes; returns how many, 0: it does not fit, or failed. */
  size_t (*compress)(void *ctx, const void *data, size_t size, void *out, size_t room);
  /* True: the `size` untrusted bytes gave exactly `raw_size`. */
  bool (*decompress)(void *ctx, const void *data, size_t size, void *out, size_t raw_size);
} accel_compressor;

#endif

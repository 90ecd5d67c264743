/* compress.h: compression of values in L2 (layer 1).
 *
 * Set accel_config.compressor. Payloads of at least min_bytes are compressed if that saves at least
 * a sixteenth. The envelope names the method, so processes with and without a compressor may share
 * an area: a value that a process cannot decompress is a miss.
 *
 * Bytes from L2 are hostile. Before memory is allocated, the length in the envelope must be at most
 * ACCEL_COMPRESS_RATIO_MAX times the length of the payload, and at most ACCEL_COMPRESS_RAW_MAX. A
 * decompressor must stay within both buffers, whatever it reads.
 */
#ifndef ACCEL_COMPRESS_H
#define ACCEL_COMPRESS_H

#include "status.h"

#define ACCEL_COMPRESS_RATIO_MAX 1024u
#define ACCEL_COMPRESS_RAW_MAX ((512u << 20) - 64)
#define ACCEL_COMPRESS_BYTES_MIN 1024u /* if min_bytes is 0 */

/* Threads: any thread may call the functions, several at the same time. */
typedef struct accel_compressor {
  uint32_t method;  /* 1 to 7, in the envelope: 1 is LZ4, 2 to 4 are reserved for accel */
  size_t min_bytes; /* smaller payloads are not compressed; 0: ACCEL_COMPRESS_BYTES_MIN */
  void *ctx;
  /* Writes at most `room` bytes and returns how many; 0: it does not fit, or failed. */
  size_t (*compress)(void *ctx, const void *data, size_t size, void *out, size_t room);
  /* True: the `size` untrusted bytes decompressed to exactly `raw_size` bytes. */
  bool (*decompress)(void *ctx, const void *data, size_t size, void *out, size_t raw_size);
} accel_compressor;

#endif

/* lz4.h: LZ4 as the compressor of values in L2; needs liblz4 in the implementing file.
 *
 *   user_cache_open(&users, &(accel_config){.area = "user", .remote = &redis,
 *                                           .compressor = &accel_lz4});
 *
 * Include it after accel.h. With ACCEL_IMPLEMENTATION it contains its implementation.
 */
#ifndef ACCEL_BACKENDS_LZ4_H
#define ACCEL_BACKENDS_LZ4_H

#include "../accel/compress.h"

ACCEL_EXTERN_C_BEGIN

/* For payloads of 1024 bytes and more. For another threshold, copy it and set min_bytes. */
extern const accel_compressor accel_lz4;

ACCEL_EXTERN_C_END

#endif

#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_BACKENDS_LZ4_IMPLEMENTED)
#define ACCEL_BACKENDS_LZ4_IMPLEMENTED

#include <lz4.h>

#include <limits.h>

static size_t lz4_compress(void *ctx, const void *data, size_t size, void *out, size_t room)
{
  (void)ctx;
  if (size > (size_t)LZ4_MAX_INPUT_SIZE || room > (size_t)INT_MAX) return 0;
  const int written = LZ4_compress_default((const char *)data, (char *)out, (int)size, (int)room);
  return written > 0 ? (size_t)written : 0;
}

static bool lz4_decompress(void *ctx, const void *data, size_t size, void *out, size_t raw_size)
{
  (void)ctx;
  if (size > (size_t)INT_MAX || raw_size > (size_t)INT_MAX) return false;
  const int written =
      LZ4_decompress_safe((const char *)data, (char *)out, (int)size, (int)raw_size);
  return written >= 0 && (size_t)written == raw_size;
}

const accel_compressor accel_lz4 = {
    .method = 1,
    .compress = lz4_compress,
    .decompress = lz4_decompress,
};
#endif

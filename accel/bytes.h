/* bytes.h: numbers as little-endian bytes (layer 1). Threads: any. */
#ifndef ACCEL_BYTES_H
#define ACCEL_BYTES_H

#include "base.h"

ACCEL_EXTERN_C_BEGIN

/* Writes the low `size` bytes of the word. */
ACCEL_INLINE void accel_bytes_put(unsigned char *to_, uint64_t word_, size_t size_)
{
  for (size_t i_ = 0; i_ < size_; i_++) to_[i_] = (unsigned char)(word_ >> (8 * i_));
}

/* Reads `size` bytes, at most 8. */
ACCEL_INLINE uint64_t accel_bytes_take(const unsigned char *from_, size_t size_)
{
  uint64_t word_ = 0;
  for (size_t i_ = 0; i_ < size_; i_++) word_ |= (uint64_t)from_[i_] << (8 * i_);
  return word_;
}

ACCEL_EXTERN_C_END
#endif

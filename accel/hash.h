/* hash.h: seeded hashes and equalities (layer 1).
 *
 * Tables use accel_hash_integer and accel_hash_bytes with a seed from the system, so that nobody
 * outside can choose keys that meet in one place. What leaves the process is guarded by SipHash
 * (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012). Threads: any, all functions.
 *
 * Inline functions in headers name their parameters with a trailing underscore, as macros do: a
 * user's globals come first, and -Wshadow is theirs to set.
 */
#ifndef ACCEL_HASH_H
#define ACCEL_HASH_H

#include "base.h"

#include <string.h>

ACCEL_EXTERN_C_BEGIN

/* Both halves of the 128-bit product, folded. */
ACCEL_INLINE uint64_t accel_hash_fold(uint64_t a_, uint64_t b_)
{
  __extension__ typedef unsigned __int128 accel_uint128_;
  const accel_uint128_ product_ = (accel_uint128_)a_ * b_;
  return (uint64_t)product_ ^ (uint64_t)(product_ >> 64);
}

/* The multiplier is the seed too: differences between keys do not cancel it. One in a hundred such
 * multipliers spreads successive keys badly; the second fold mends that. */
ACCEL_INLINE uint64_t accel_hash_integer(uint64_t key_, uint64_t seed_)
{
  return accel_hash_fold(accel_hash_fold(key_ ^ seed_, seed_ | 1u), 0x9E3779B97F4A7C15u);
}

/* A hash for tables that look at some of its bits alone: a user's need not be mixed. */
ACCEL_INLINE uint64_t accel_hash_mixed(uint64_t hash_)
{
  return accel_hash_fold(hash_, 0x9E3779B97F4A7C15u);
}

/* `size` bytes; fast, keyed by the seed, not for use outside the process. */
uint64_t accel_hash_bytes(const void *data, size_t size, uint64_t seed);
/* A string; NULL hashes as a value of its own, so that the caller may check for it later. */
uint64_t accel_hash_string(const char *text_or_null, uint64_t seed);

/* FNV-1a (Fowler, Noll, Vo) of a string, not seeded: where colliding on purpose gains nothing.
 * Further strings continue with the hash of those before. */
#define ACCEL_HASH_FNV_START UINT64_C(14695981039346656037)
ACCEL_INLINE uint64_t accel_hash_fnv(uint64_t hash_, const char *text_)
{
  for (; *text_ != '\0'; text_++) hash_ = (hash_ ^ (unsigned char)*text_) * UINT64_C(1099511628211);
  return hash_;
}

/* SipHash-2-4 over several pieces as if they were one. */
typedef struct accel_siphash {
  uint64_t v[4];
  uint64_t tail; /* bytes not yet taken in, little endian */
  uint64_t size; /* bytes seen */
} accel_siphash;

void accel_siphash_begin(accel_siphash *hash, const uint64_t secret[2]);
void accel_siphash_add(accel_siphash *hash, const void *data, size_t size);
uint64_t accel_siphash_end(accel_siphash *hash);

ACCEL_EXTERN_C_END
#endif

#include "hash.h"

static uint64_t hash_read(const unsigned char *data, size_t size)
{
  uint64_t word = 0;
  memcpy(&word, data, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

uint64_t accel_hash_bytes(const void *data, size_t size, uint64_t seed)
{
  const unsigned char *next = (const unsigned char *)data;
  uint64_t state = seed ^ accel_hash_fold(size ^ 0xA0761D6478BD642Fu, seed | 1u);
  for (; size >= 16; size -= 16, next += 16)
    state = accel_hash_fold(hash_read(next, 8) ^ seed, hash_read(next + 8, 8) ^ state);
  const size_t head = size < 8 ? size : 8;
  const uint64_t first = hash_read(next, head);
  const uint64_t second = hash_read(next + head, size - head);
  state = accel_hash_fold(first ^ 0xE7037ED1A0B428DBu ^ seed, second ^ state);
  return accel_hash_fold(state ^ 0x8EBC6AF09C88C6E3u, seed ^ 0x589965CC75374CC3u);
}

uint64_t accel_hash_string(const char *text_or_null, uint64_t seed)
{
  if (text_or_null == NULL) return seed;
  return accel_hash_bytes(text_or_null, strlen(text_or_null), seed);
}

/* ---- SipHash-2-4 ---- */

static uint64_t siphash_rotate(uint64_t word, unsigned bits)
{
  return word << bits | word >> (64 - bits);
}

/* Inlined by command: as a call it would keep the four words in memory. */
ACCEL_INLINE void siphash_round(uint64_t v[4])
{
  v[0] += v[1];
  v[2] += v[3];
  v[1] = siphash_rotate(v[1], 13) ^ v[0];
  v[3] = siphash_rotate(v[3], 16) ^ v[2];
  v[0] = siphash_rotate(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = siphash_rotate(v[1], 17) ^ v[2];
  v[3] = siphash_rotate(v[3], 21) ^ v[0];
  v[2] = siphash_rotate(v[2], 32);
}

ACCEL_INLINE void siphash_word(uint64_t v[4], uint64_t word)
{
  v[3] ^= word;
  siphash_round(v);
  siphash_round(v);
  v[0] ^= word;
}

void accel_siphash_begin(accel_siphash *hash, const uint64_t secret[2])
{
  hash->v[0] = secret[0] ^ 0x736F6D6570736575u;
  hash->v[1] = secret[1] ^ 0x646F72616E646F6Du;
  hash->v[2] = secret[0] ^ 0x6C7967656E657261u;
  hash->v[3] = secret[1] ^ 0x7465646279746573u;
  hash->tail = 0;
  hash->size = 0;
}

void accel_siphash_add(accel_siphash *hash, const void *data, size_t size)
{
  const unsigned char *next = (const unsigned char *)data;
  size_t held = hash->size % 8;
  hash->size += size;
  if (held > 0) {
    for (; held < 8 && size > 0; size--, held++) hash->tail |= (uint64_t)*next++ << (8 * held);
    if (held < 8) return;
    siphash_word(hash->v, hash->tail);
  }
  uint64_t v[4];
  memcpy(v, hash->v, sizeof v);
  for (; size >= 8; size -= 8, next += 8) siphash_word(v, hash_read(next, 8));
  memcpy(hash->v, v, sizeof v);
  hash->tail = size == 0 ? 0 : hash_read(next, size);
}

uint64_t accel_siphash_end(accel_siphash *hash)
{
  siphash_word(hash->v, hash->tail | hash->size << 56);
  hash->v[2] ^= 0xFF;
  for (int round = 0; round < 4; round++) siphash_round(hash->v);
  return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}

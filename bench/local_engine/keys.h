/* keys.h: which keys there are, and in which order they are asked for. All from fixed seeds: every
 * run and every subject sees the same. */
#ifndef BENCH_LOCAL_ENGINE_KEYS_H
#define BENCH_LOCAL_ENGINE_KEYS_H

#include "accel/hash.h"

#define BENCH_PLACE_SEED 0x5EED5EED5EED5EEDu

typedef struct bench_random {
  uint64_t state;
} bench_random;

uint64_t bench_random_next(bench_random *random);

/* Where the bare array keeps a key. */
ACCEL_INLINE size_t bench_keys_place(uint64_t key, size_t count)
{
  __extension__ typedef unsigned __int128 uint128;
  return (size_t)(((uint128)accel_hash_integer(key, BENCH_PLACE_SEED) * count) >> 64);
}

/* A number that looks random and no other n has. */
uint64_t bench_keys_scatter(uint64_t n);

/* `count` keys with a place of their own each in an array of `count`, in random order. NULL: no
 * memory. The caller frees. */
uint64_t *bench_keys_make(size_t count);

/* Fills `draws` with keys, each as likely as another. */
void bench_keys_uniform(uint64_t *draws, size_t count, const uint64_t *keys, size_t key_count);
/* The key of rank r is drawn with a probability in proportion to r^-0.99. */
void bench_keys_zipf(uint64_t *draws, size_t count, const uint64_t *keys, size_t key_count);
/* The same over key_count keys that are not in any array. */
void bench_keys_zipf_scattered(uint64_t *draws, size_t count, size_t key_count);

#endif

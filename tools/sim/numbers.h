/* numbers.h: a map from 64-bit keys to consecutive numbers. */
#ifndef SIM_NUMBERS_H
#define SIM_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_numbers {
  struct sim_number *places;
  size_t space; /* a power of two */
  uint32_t count;
} sim_numbers;

/* The number of a key, a new one if it was not there. False: no memory, or 2^32 keys. */
bool sim_numbers_find(sim_numbers *numbers, uint64_t key, uint32_t *number);
void sim_numbers_release(sim_numbers *numbers);

/* A well mixed hash of bytes and of a word, the same in every run. */
uint64_t sim_hash_bytes(const void *bytes, size_t size);
uint64_t sim_hash_word(uint64_t word);

#endif

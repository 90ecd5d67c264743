#include "numbers.h"

#include <stdlib.h>
#include <string.h>

typedef struct sim_number {
  uint64_t key;
  uint32_t number; /* plus 1; 0: empty */
} sim_number;

uint64_t sim_hash_word(uint64_t word)
{
  word = (word ^ word >> 32) * 0xD6E8FEB86659FD93u;
  word = (word ^ word >> 32) * 0xD6E8FEB86659FD93u;
  return word ^ word >> 32;
}

uint64_t sim_hash_bytes(const void *bytes, size_t size)
{
  const unsigned char *from = (const unsigned char *)bytes;
  uint64_t hash = sim_hash_word(size + 1);
  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = 0;
    memcpy(&word, from + at, size - at < 8 ? size - at : 8);
    hash = sim_hash_word(hash ^ word) + 0x9E3779B97F4A7C15u;
  }
  return hash;
}

static sim_number *numbers_place(sim_number *places, size_t space, uint64_t key)
{
  size_t at = (size_t)sim_hash_word(key) & (space - 1);
  while (places[at].number != 0 && places[at].key != key) at = (at + 1) & (space - 1);
  return &places[at];
}

static bool numbers_grow(sim_numbers *numbers)
{
  const size_t space = numbers->space == 0 ? 1024 : numbers->space * 2;
  sim_number *places = (sim_number *)calloc(space, sizeof *places);
  if (places == NULL) return false;
  for (size_t i = 0; i < numbers->space; i++) {
    const sim_number *old = &numbers->places[i];
    if (old->number != 0) *numbers_place(places, space, old->key) = *old;
  }
  free(numbers->places);
  numbers->places = places;
  numbers->space = space;
  return true;
}

bool sim_numbers_find(sim_numbers *numbers, uint64_t key, uint32_t *number)
{
  if ((size_t)numbers->count * 2 >= numbers->space && !numbers_grow(numbers)) return false;
  sim_number *place = numbers_place(numbers->places, numbers->space, key);
  if (place->number == 0) {
    if (numbers->count == UINT32_MAX - 1) return false;
    place->key = key;
    place->number = ++numbers->count;
  }
  *number = place->number - 1;
  return true;
}

void sim_numbers_release(sim_numbers *numbers)
{
  free(numbers->places);
  memset(numbers, 0, sizeof *numbers);
}

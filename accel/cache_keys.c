#include "cache_keys.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

static const core_key *keys_at(const core_key_set *set, size_t i)
{
  return (const core_key *)(const void *)((const char *)set->array + i * set->stride);
}

bool accel_core_key_set_open(core_key_set *set, const accel_type *type, const void *array,
                             size_t stride, size_t count)
{
  size_t size = 4;
  while (size / 2 < count) size *= 2;
  set->places = (size_t *)ACCEL_MALLOC(size * sizeof *set->places);
  if (set->places == NULL) return false;
  memset(set->places, 0xFF, size * sizeof *set->places);
  set->type = type;
  set->array = array;
  set->stride = stride;
  set->mask = size - 1;
  return true;
}

size_t accel_core_key_set_add(core_key_set *set, size_t i)
{
  const core_key *key = keys_at(set, i);
  for (size_t place = accel_hash_mixed(key->hash) & set->mask;; place = (place + 1) & set->mask) {
    const size_t found = set->places[place];
    if (found == SIZE_MAX) {
      set->places[place] = i;
      return i;
    }
    const core_key *other = keys_at(set, found);
    if (other->hash == key->hash && set->type->equal(other->key, key->key)) return found;
  }
}

void accel_core_key_set_close(core_key_set *set)
{
  ACCEL_FREE(set->places);
}

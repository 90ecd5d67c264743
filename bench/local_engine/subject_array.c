/* The lower floor: an array of {key, value}, read through a hash: hash, index, compare, copy.
 *
 * bench_keys_make chose keys that this hash sends to places of their own, so every get of a
 * resident key is one access and no key was left out: no cache can do with less. */
#include "accel/platform/system.h"
#include "keys.h"
#include "subject.h"

#include <stdlib.h>

typedef struct array_entry {
  uint64_t key;
  bench_value value;
} array_entry;

typedef struct array {
  array_entry *entries;
  size_t count;
} array;

ACCEL_INLINE bool array_get(void *state, uint64_t key, bench_value *out)
{
  const array *all = (const array *)state;
  const array_entry *entry = &all->entries[bench_keys_place(key, all->count)];
  if (entry->key != key) return false;
  *out = entry->value;
  return true;
}

ACCEL_INLINE void array_set(void *state, uint64_t key, const bench_value *value)
{
  const array *all = (const array *)state;
  array_entry *entry = &all->entries[bench_keys_place(key, all->count)];
  entry->key = key;
  entry->value = *value;
}

BENCH_LOOPS(array)

static void *array_open(size_t capacity)
{
  array *all = (array *)malloc(sizeof *all);
  if (all == NULL) return NULL;
  all->count = capacity;
  all->entries = (array_entry *)accel_pages_alloc(capacity * sizeof *all->entries);
  if (all->entries != NULL) return all;
  free(all);
  return NULL;
}

static void array_close(void *state)
{
  array *all = (array *)state;
  accel_pages_free(all->entries, all->count * sizeof *all->entries);
  free(all);
}

static size_t array_memory_bytes(void *state)
{
  return ((const array *)state)->count * sizeof(array_entry);
}

const bench_subject bench_array = {
    .name = "bare array (floor)",
    .role = BENCH_FLOOR_ARRAY,
    .open = array_open,
    .close = array_close,
    .get = array_get_many,
    .set = array_set_many,
    .mixed = array_mixed,
    .get_or_set = NULL,
    .memory_bytes = array_memory_bytes,
};

/* The upper floor: a hash map that does nothing but find: no policy, no time, no other threads.
 *
 * Open addressing in groups of 16: a byte per place holds seven bits of the hash, or says that the
 * place is free; the bytes of a group are compared at once. Keys lie beside their values. At most
 * 7 of 8 places are taken, mostly fewer, since their number is a power of two. It is the layout
 * of the fastest maps known for this kind of key, without what makes them general: no deletion,
 * no growth, sizes known when it is compiled. */
#include "accel/hash.h"
#include "accel/platform/system.h"
#include "subject.h"

#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MAP_GROUP 16u
#define MAP_SEED 0x243F6A8885A308D3u /* not the array's: there no two keys would ever meet */
#define MAP_FREE 0u
#define MAP_TAKEN 0x80u

typedef struct map_entry {
  uint64_t key;
  bench_value value;
} map_entry;

typedef struct map {
  uint8_t *tags;
  map_entry *entries;
  size_t group_mask;
  size_t count, capacity;
} map;

/* A bit per place of the group whose tag is this. */
ACCEL_INLINE unsigned map_match(const uint8_t *tags, uint8_t tag)
{
#ifdef __SSE2__
  const __m128i group = _mm_load_si128((const __m128i *)(const void *)tags);
  return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi8((char)tag)));
#else
  unsigned matches = 0;
  for (unsigned i = 0; i < MAP_GROUP; i++) matches |= (unsigned)(tags[i] == tag) << i;
  return matches;
#endif
}

/* The key's entry, or NULL with the free place where it would go. */
ACCEL_INLINE map_entry *map_find(const map *all, uint64_t key, uint64_t hash, size_t *place_out)
{
  const uint8_t tag = (uint8_t)(hash | MAP_TAKEN);
  size_t group = (hash >> 8) & all->group_mask;
  for (size_t step = 1;; step++) {
    const uint8_t *tags = all->tags + group * MAP_GROUP;
    map_entry *entries = all->entries + group * MAP_GROUP;
    for (unsigned left = map_match(tags, tag); left != 0; left &= left - 1) {
      map_entry *entry = entries + (unsigned)__builtin_ctz(left);
      if (ACCEL_LIKELY(entry->key == key)) return entry;
    }
    const unsigned gaps = map_match(tags, MAP_FREE);
    if (ACCEL_LIKELY(gaps != 0)) {
      *place_out = group * MAP_GROUP + (unsigned)__builtin_ctz(gaps);
      return NULL;
    }
    group = (group + step) & all->group_mask;
  }
}

ACCEL_INLINE bool map_get(void *state, uint64_t key, bench_value *out)
{
  size_t place;
  const map_entry *entry =
      map_find((const map *)state, key, accel_hash_integer(key, MAP_SEED), &place);
  if (entry == NULL) return false;
  *out = entry->value;
  return true;
}

ACCEL_INLINE void map_set(void *state, uint64_t key, const bench_value *value)
{
  map *all = (map *)state;
  size_t place;
  const uint64_t hash = accel_hash_integer(key, MAP_SEED);
  map_entry *entry = map_find(all, key, hash, &place);
  if (entry != NULL) {
    entry->value = *value;
    return;
  }
  if (all->count == all->capacity) return;
  all->count++;
  all->tags[place] = (uint8_t)(hash | MAP_TAKEN);
  all->entries[place].key = key;
  all->entries[place].value = *value;
}

BENCH_LOOPS(map)

static size_t map_places(const map *all)
{
  return (all->group_mask + 1) * MAP_GROUP;
}

static void map_close(void *state)
{
  map *all = (map *)state;
  if (all->tags != NULL) accel_pages_free(all->tags, map_places(all));
  if (all->entries != NULL) accel_pages_free(all->entries, map_places(all) * sizeof(map_entry));
  free(all);
}

static void *map_open(size_t capacity)
{
  map *all = (map *)calloc(1, sizeof *all);
  if (all == NULL) return NULL;
  size_t places = MAP_GROUP;
  while (places / 8 * 7 < capacity) places *= 2;
  all->capacity = capacity;
  all->group_mask = places / MAP_GROUP - 1;
  all->tags = (uint8_t *)accel_pages_alloc(places);
  all->entries = (map_entry *)accel_pages_alloc(places * sizeof(map_entry));
  if (all->tags != NULL && all->entries != NULL) return all;
  map_close(all);
  return NULL;
}

static size_t map_memory_bytes(void *state)
{
  return map_places((const map *)state) * (1 + sizeof(map_entry));
}

const bench_subject bench_map = {
    .name = "raw map (floor)",
    .role = BENCH_FLOOR_MAP,
    .open = map_open,
    .close = map_close,
    .get = map_get_many,
    .set = map_set_many,
    .mixed = map_mixed,
    .get_or_set = NULL, /* it would not evict */
    .memory_bytes = map_memory_bytes,
};

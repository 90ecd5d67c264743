/* The floor of what several threads write: an array whose entries have a sequence lock each.
 *
 * Two cache lines per key: one for the key and its sequence, one for the value. A writer takes the
 * entry by one compare-and-swap, a reader compares the sequence before and after its copy. No cache
 * whose readers see whole values can move fewer lines between processors, so what is lost here with
 * a second thread is lost by everyone: it is the price of coherence, not of a cache. */
#include "accel/platform/atomic.h"
#include "accel/platform/system.h"
#include "keys.h"
#include "subject.h"

#include <sched.h>
#include <stdlib.h>

#define SHARED_WORDS (sizeof(bench_value) / sizeof(uint64_t))
#define SHARED_SPINS 64u

typedef struct shared_entry {
  uint64_t sequence __attribute__((aligned(64))); /* odd: being written */
  uint64_t key;
  uint64_t words[SHARED_WORDS] __attribute__((aligned(64)));
} shared_entry;

typedef struct shared {
  shared_entry *entries;
  size_t count;
} shared;

/* Its holder may have been taken from its processor. */
static __attribute__((noinline, cold)) void shared_wait(unsigned *turn)
{
  if (++*turn % SHARED_SPINS == 0) sched_yield();
}

ACCEL_INLINE bool shared_get(void *state, uint64_t key, bench_value *out)
{
  const shared *all = (const shared *)state;
  shared_entry *entry = &all->entries[bench_keys_place(key, all->count)];
  if (accel_load_relaxed(&entry->key) != key) return false;
  for (unsigned turn = 0;;) {
    const uint64_t before = accel_load_acquire(&entry->sequence);
    for (size_t i = 0; i < SHARED_WORDS; i++) out->words[i] = accel_load_acquire(&entry->words[i]);
    if (before % 2 == 0 && accel_load_relaxed(&entry->sequence) == before) return true;
    shared_wait(&turn);
  }
}

ACCEL_INLINE void shared_set(void *state, uint64_t key, const bench_value *value)
{
  const shared *all = (const shared *)state;
  shared_entry *entry = &all->entries[bench_keys_place(key, all->count)];
  unsigned turn = 0;
  uint64_t seen = accel_load_relaxed(&entry->sequence);
  while (seen % 2 == 1 || !accel_compare_exchange(&entry->sequence, &seen, seen + 1)) {
    shared_wait(&turn);
    seen = accel_load_relaxed(&entry->sequence);
  }
  accel_store_release(&entry->key, key);
  for (size_t i = 0; i < SHARED_WORDS; i++) accel_store_release(&entry->words[i], value->words[i]);
  accel_store_release(&entry->sequence, seen + 2);
}

BENCH_LOOPS(shared)

static void *shared_open(size_t capacity)
{
  shared *all = (shared *)malloc(sizeof *all);
  if (all == NULL) return NULL;
  all->count = capacity;
  all->entries = (shared_entry *)accel_pages_alloc(capacity * sizeof *all->entries);
  if (all->entries != NULL) return all;
  free(all);
  return NULL;
}

static void shared_close(void *state)
{
  shared *all = (shared *)state;
  accel_pages_free(all->entries, all->count * sizeof *all->entries);
  free(all);
}

static size_t shared_memory_bytes(void *state)
{
  return ((const shared *)state)->count * sizeof(shared_entry);
}

const bench_subject bench_shared = {
    .name = "shared array (floor)",
    .role = BENCH_FLOOR_SHARED,
    .open = shared_open,
    .close = shared_close,
    .get = shared_get_many,
    .set = shared_set_many,
    .mixed = shared_mixed,
    .memory_bytes = shared_memory_bytes,
};

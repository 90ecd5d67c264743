/* uthash_table.h: what the engine's .c files share: its entries and shards.
 *
 * An entry is one allocation: key, value, and a string key's text. It lies in one shard's table and
 * in its list from the newest to the oldest use. A removed entry stays in memory while it is pinned
 * and counts against the quota until then. The function that removes an unpinned entry owns it and
 * frees it after it has released the mutex, because drop is the user's code.
 *
 * uthash_table.c is the only file that uses uthash's macros.
 */
#ifndef ACCEL_BACKENDS_UTHASH_UTHASH_TABLE_H
#define ACCEL_BACKENDS_UTHASH_UTHASH_TABLE_H

#include "../../accel/hash.h"
#include "../../accel/platform/thread.h"
#include "../local_quota.h"
#include "uthash_lru.h"

#if defined(UTHASH_H) && !(defined(HASH_NONFATAL_OOM) && HASH_NONFATAL_OOM)
#error "include accel.h before <uthash.h> in the file that defines ACCEL_IMPLEMENTATION"
#endif
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

#define UTHASH_SHARDS 16u
#define UTHASH_SHARDED_CAPACITY 1024u /* from here on there is more than one shard */
#define UTHASH_GENERATIONS 1024u      /* each is of one shard */

typedef struct uthash_entry {
  UT_hash_handle hh; /* uthash's own order is that of insertion */
  struct uthash_entry *newer, *older;
  struct uthash_shard *shard;
  uint64_t number; /* counts the insertions of its shard */
  uint64_t used;   /* counts the uses of all shards */
  accel_lifetime lifetime;
  uint64_t epoch;
  size_t weight;
  size_t size; /* of this allocation */
  void *key;   /* in this allocation, aligned, as is all that follows */
  void *value;
  uint32_t pins; /* a removed entry stays and counts until they are gone */
  bool is_negative, is_linked;
  /* then the key, the value, a string key's text */
} uthash_entry;

/* Everything in it is guarded by the mutex, but counts may be read at any time. */
typedef struct uthash_shard {
  accel_mutex mutex;
  uthash_entry *table;
  uthash_entry *newest, *oldest;
  uint64_t insertions;
  accel_local_counts counts; /* atomic */
} uthash_shard;

typedef struct uthash_state {
  accel_local local;
  accel_quota quota;
  size_t entry_bytes;                       /* atomic */
  uint64_t uses;                            /* atomic */
  uint64_t sweep;                           /* atomic: the shard to look for a victim in */
  uint64_t shard_mask;                      /* shards less one, a power of two */
  uint64_t generations[UTHASH_GENERATIONS]; /* written under their shard's mutex */
  uthash_shard shards[UTHASH_SHARDS];
} uthash_state;

static inline uthash_state *uthash_state_of(accel_local *local)
{
  return (uthash_state *)(void *)local;
}

static inline uint64_t uthash_mix(uint64_t hash)
{
  return accel_hash_fold(hash, 0x9FB21C651E98DF25u);
}

static inline uint64_t *uthash_generation_of(uthash_state *state, uint64_t hash)
{
  return &state->generations[uthash_mix(hash) % UTHASH_GENERATIONS];
}

/* The user's equality runs with the mutex held: no thread is to be cancelled there. */
static inline void uthash_lock_shard(uthash_shard *shard)
{
  accel_cancel_hold();
  accel_mutex_lock(&shard->mutex);
}

static inline uthash_shard *uthash_lock(uthash_state *state, uint64_t hash)
{
  uthash_shard *shard = &state->shards[uthash_mix(hash) & state->shard_mask];
  uthash_lock_shard(shard);
  return shard;
}

static inline void uthash_unlock(uthash_shard *shard)
{
  accel_mutex_unlock(&shard->mutex);
  accel_cancel_release();
}

static inline bool uthash_is_current(const uthash_state *state, const uthash_entry *entry)
{
  return entry->epoch == accel_load_acquire(&state->local.epoch);
}

static inline bool uthash_is_over(const uthash_state *state, uint64_t moment_ms)
{
  return moment_ms != ACCEL_NEVER && accel_clock_read(state->local.clock) >= moment_ms;
}

ACCEL_EXTERN_C_BEGIN

/* An entry that is in no shard yet. OK, CONFIG: too heavy, NOMEM. */
accel_status accel_uthash_entry_open(uthash_state *state, const accel_type *type, const void *key,
                                     const void *value_or_null, const accel_lifetime *lifetime,
                                     uthash_entry **entry_out);
void accel_uthash_entry_close(uthash_state *state, const accel_type *type, uthash_entry *entry);
/* The last unpin of a removed entry closes it. Without the mutex. */
void accel_uthash_entry_unpin(uthash_state *state, const accel_type *type, uthash_entry *entry);

/* Under the shard's mutex: */
uthash_entry *accel_uthash_find(const accel_type *type, uthash_shard *shard, const void *key,
                                uint64_t hash);
/* False: uthash had no memory, and nothing changed. */
bool accel_uthash_link(uthash_state *state, const accel_type *type, uthash_shard *shard,
                       uthash_entry *entry, uint64_t hash);
void accel_uthash_unlink(uthash_shard *shard, uthash_entry *entry);
/* Unlinks; returns the entry if the caller has to close it after unlocking, else NULL. */
uthash_entry *accel_uthash_remove(uthash_state *state, uthash_shard *shard, uthash_entry *entry);
/* Makes the entry its shard's newest. */
void accel_uthash_use(uthash_state *state, uthash_shard *shard, uthash_entry *entry);
size_t accel_uthash_table_bytes(const uthash_shard *shard);

ACCEL_EXTERN_C_END
#endif

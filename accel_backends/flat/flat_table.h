/* flat_table.h: what the engine's .c files share: its state, entries, and the steps of a write.
 *
 * An entry's life, every step under its stripe's mutex: written into an empty slot; published by
 * its tag; unlinked (replaced, removed, chosen as a victim). From then on nobody finds it. What
 * owns nothing leaves an empty slot at once. What is pinned stays a removed slot until its last
 * unpin. What owns memory and is not pinned is doomed: it belongs to whoever unlinked it, who
 * discards it once the mutex is released, because drop is the user's code.
 *
 * An entry counts against the budget until it is unlinked or, if pinned then, until unpinned.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_TABLE_H
#define ACCEL_BACKENDS_FLAT_FLAT_TABLE_H

#include "../../accel/platform/thread.h"
#include "../local_budget.h"
#include "flat.h"

#define FLAT_ALL_WAYS 0xFFFFu

typedef struct accel_flat_stripe {
  accel_mutex mutex;
  bool is_closed; /* under the mutex: a resize takes this table out of use */
} __attribute__((aligned(ACCEL_CACHE_LINE))) flat_stripe;

ACCEL_STATIC_ASSERT(sizeof(accel_flat_set) == ACCEL_CACHE_LINE, "a set is one cache line");
ACCEL_STATIC_ASSERT(sizeof(flat_stripe) == ACCEL_CACHE_LINE, "a stripe is one cache line");

typedef struct flat_state {
  accel_flat front;
  accel_budget budget;
  size_t string_bytes; /* atomic: long keys */
  size_t pages_bytes;  /* atomic: all tables, retired ones included */
  uint64_t seed;
  uint64_t sweep;                               /* atomic: where a search over all sets goes on */
  bool mixes;                                   /* the hash is the user's */
  accel_mutex resizing;                         /* held by a resize; taken before a stripe's */
  uint64_t generations[ACCEL_FLAT_STRIPES_MAX]; /* written under their stripe's mutex */
} flat_state;

/* A slot and where it lies. slot NULL: none. */
typedef struct flat_entry {
  accel_flat_table *table;
  accel_flat_slot *slot;
  uint64_t set;
  unsigned way;
} flat_entry;

/* Where a key may lie in a table. If it is what accel_flat_lock returned, its stripe is locked and
 * its table in use. */
typedef struct flat_view {
  accel_flat_table *table;
  uint64_t first, second, tag; /* the two sets may be one */
} flat_view;

/* What a write brings, made before the mutex is taken. */
typedef struct flat_content {
  const void *key;
  const void *value; /* NULL: a negative entry */
  char *text;        /* a long string key's own memory, else NULL */
  const accel_lifetime *life;
  size_t weight;
} flat_content;

static inline flat_state *flat_state_of(accel_local *local)
{
  return (flat_state *)(void *)local;
}

static inline flat_view flat_view_of(accel_flat_table *table, uint64_t mixed)
{
  flat_view view;
  view.table = table;
  view.first = accel_flat_first_set(table, mixed);
  view.second = accel_flat_second_set(table, mixed, view.first);
  view.tag = accel_flat_tag(mixed);
  return view;
}

static inline flat_entry flat_entry_at(accel_flat_table *table, uint64_t set, unsigned way)
{
  const size_t index = (size_t)set * ACCEL_FLAT_WAYS + way;
  unsigned char *slot = table->slots + index * table->slot_size;
  const flat_entry entry = {table, (accel_flat_slot *)(void *)slot, set, way};
  return entry;
}

/* The first of the ways in a mask that is not 0. */
static inline flat_entry flat_entry_first(accel_flat_table *table, uint64_t set, unsigned ways)
{
  return flat_entry_at(table, set, (unsigned)__builtin_ctz(ways));
}

static inline accel_flat_set *flat_set_of(const flat_entry *entry)
{
  return &entry->table->sets[entry->set];
}

static inline uint64_t flat_count_sets(const accel_flat_table *table)
{
  return (table->stripe_mask + 1) * table->stripe_sets;
}

static inline flat_stripe *flat_stripe_of(const accel_flat_table *table, uint64_t set)
{
  return &table->stripes[set / table->stripe_sets];
}

static inline uint64_t *flat_generation_of(flat_state *state, uint64_t hash)
{
  const uint64_t mixed = accel_flat_mix(state->mixes, hash);
  return &state->generations[mixed % ACCEL_FLAT_STRIPES_MAX];
}

static inline uint64_t flat_tag_of(const accel_flat_set *set, unsigned way)
{
  return set->tags[way / 8] >> (way % 8 * 8) & 0xFF;
}

static inline void flat_set_tag(accel_flat_set *set, unsigned way, uint64_t tag)
{
  const unsigned shift = way % 8 * 8;
  const uint64_t others = set->tags[way / 8] & ~((uint64_t)0xFF << shift);
  accel_store_release(&set->tags[way / 8], others | tag << shift);
  const unsigned bit = 1u << way;
  const unsigned taken = tag == ACCEL_FLAT_EMPTY ? set->taken & ~bit : set->taken | bit;
  const unsigned live = tag < ACCEL_FLAT_TAG_MIN ? set->live & ~bit : set->live | bit;
  set->taken_count = (uint8_t)(set->taken_count + (taken > set->taken) - (taken < set->taken));
  set->taken = (uint16_t)taken;
  accel_store_relaxed(&set->live, (uint16_t)live);
}

/* The ways that hold an entry that can be found. Without the mutex: a guess. */
static inline unsigned flat_live_ways(const accel_flat_set *set)
{
  return accel_load_relaxed(&set->live);
}

static inline uint32_t flat_pins(const accel_flat_slot *slot)
{
  return slot->state & ~ACCEL_FLAT_NEGATIVE;
}

static inline bool flat_is_negative(const accel_flat_slot *slot)
{
  return (slot->state & ACCEL_FLAT_NEGATIVE) != 0;
}

static inline void *flat_value_of(const flat_entry *entry)
{
  return (unsigned char *)entry->slot + entry->table->value_offset;
}

static inline size_t flat_weight_of(const flat_entry *entry)
{
  if (!entry->table->weighs) return flat_is_negative(entry->slot) ? 0 : 1;
  return (size_t) * (const uint64_t *)(const void *)(entry->slot + 1);
}

static inline uint64_t flat_expires_ms(const accel_flat_slot *slot)
{
  const uint64_t after = slot->after >> 32;
  return after == ACCEL_FOREVER ? ACCEL_NEVER : slot->born_ms + after;
}

/* Of this epoch and not expired. */
static inline bool flat_is_fresh(flat_state *state, const flat_entry *entry)
{
  const accel_local *local = &state->front.local;
  const uint64_t epoch = accel_load_acquire(&local->epoch);
  return accel_flat_is_current(flat_set_of(entry), entry->way, epoch) &&
         !accel_flat_is_over(local, entry->slot->born_ms, entry->slot->after >> 32);
}

ACCEL_EXTERN_C_BEGIN

/* ---- flat_table.c ---- */

/* A table for `capacity` entries. NULL: no memory, or none of that size can exist. */
accel_flat_table *accel_flat_table_open(flat_state *state, const accel_type *type, size_t capacity);
/* Drops every value that is left; takes no mutex. */
void accel_flat_table_close(flat_state *state, const accel_type *type, accel_flat_table *table);
/* Releases what a closed table still holds, and gives back the memory it can spare. */
void accel_flat_table_retire(flat_state *state, const accel_type *type, accel_flat_table *table);

flat_view accel_flat_lock(flat_state *state, uint64_t hash);
void accel_flat_unlock(const flat_view *view);
/* The stripe of one set. False: a resize took the table out of use, and nothing is locked. */
bool accel_flat_lock_set(accel_flat_table *table, uint64_t set);
void accel_flat_unlock_set(accel_flat_table *table, uint64_t set);
/* Returns once no resize is under way that began before. */
void accel_flat_wait_resized(flat_state *state);

/* The slot's key as the user's functions expect it; `text` holds a string's pointer meanwhile. */
const void *accel_flat_key(const accel_type *type, const flat_entry *entry, const char **text);
/* True: the entry holds memory that is not the table's. */
bool accel_flat_owns(const accel_type *type, const flat_entry *entry);

/* Under the stripe's mutex: */
flat_entry accel_flat_find(const accel_type *type, const flat_view *view, const void *key);
/* An empty slot for the key, in the emptier of its sets. */
flat_entry accel_flat_find_empty(const flat_view *view);
void accel_flat_write(const accel_type *type, const flat_entry *entry, const flat_content *content);
void accel_flat_publish(const flat_entry *entry, uint64_t tag, uint64_t epoch, uint8_t used);
/* Returns true when the caller has to discard the entry after releasing the mutex. */
bool accel_flat_unlink(const accel_type *type, const flat_entry *entry);
/* The same, and gives its budget back. */
bool accel_flat_remove(flat_state *state, const accel_type *type, const flat_entry *entry);

/* Without the mutex: */
void accel_flat_discard(flat_state *state, const accel_type *type, const flat_entry *doomed);
void accel_flat_unpin_entry(flat_state *state, const accel_type *type, const flat_entry *entry);

/* ---- flat_victim.c ---- */

/* Which entry of a key's two sets should go. slot NULL: all are pinned. Under the mutex. */
flat_entry accel_flat_victim(flat_state *state, const flat_view *view);
/* Removes one entry, wherever one can be found. False: all are pinned. Without a mutex. */
bool accel_flat_evict_any(flat_state *state, const accel_type *type);

ACCEL_EXTERN_C_END
#endif

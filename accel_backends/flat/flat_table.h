/* flat_table.h: what the engine's .c files share: its state, entries, and the steps of a write.
 *
 * What becomes of an entry, every step under its stripe's mutex: it is written into an empty slot;
 * published by its tag; perhaps moved to its other set; unlinked (replaced, removed, evicted,
 * cleared). From then on it is not found. An entry that owns nothing leaves an empty slot at once.
 * A pinned one leaves a removed slot until its last unpin. One that owns memory and is not pinned
 * is a pending free: the thread that unlinked it frees it after it has released the mutex, because
 * drop is the user's code.
 *
 * An entry counts against the quota until it is unlinked or, if pinned then, until unpinned.
 *
 * clear raises the era and touches nothing. A write to a set of an older era unlinks first what the
 * set holds. Each write does the same for a few more sets of its stripe.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_TABLE_H
#define ACCEL_BACKENDS_FLAT_FLAT_TABLE_H

#include "../../accel/platform/thread.h"
#include "../local_quota.h"
#include "flat_hit.h"

#define FLAT_ALL_WAYS 0xFFFFu
#define FLAT_PINS_INSIDE 3u
#define FLAT_STRIPE_SETS_MAX ((uint64_t)1 << 28) /* a place in a stripe has 32 bits */

/* How often an entry is pinned. */
typedef struct flat_pin {
  uint32_t place; /* in the stripe: set * ACCEL_FLAT_WAYS + way */
  uint32_t count;
  uint32_t era; /* the low half of the stripe's, when it was pinned: in a later one it is cleared */
} flat_pin;

/* Everything under the mutex, but entries, weight, era, swept and counts may be read at any time.
 * It keeps its place as long as the region exists, and serves one table after another. */
typedef struct accel_flat_stripe {
  accel_mutex mutex;
  size_t entries, weight; /* of this era: what the quota counts */
  uint64_t era;
  uint32_t swept;          /* atomic: how many of its sets were emptied in this era */
  uint32_t pin_count;      /* distinct pinned entries */
  uint32_t pin_space;      /* of `pins`; 0: `inside` is in use */
  bool is_counted;         /* the region waits for each of its removed slots */
  uint64_t version;        /* the last that a set got; never goes back */
  accel_flat_table *table; /* in use; NULL: a resize takes it out of use, or fills it */
  flat_pin *pins;
  flat_pin inside[FLAT_PINS_INSIDE];
  accel_local_counts counts; /* atomic; of all tables */
} __attribute__((aligned(ACCEL_CACHE_LINE))) flat_stripe;

ACCEL_STATIC_ASSERT(sizeof(accel_flat_set) == ACCEL_CACHE_LINE, "a set is one cache line");
ACCEL_STATIC_ASSERT(ACCEL_FLAT_STRIPES_MAX <= ACCEL_LOCAL_STRIPES_MAX, "a gate names each");
ACCEL_STATIC_ASSERT(sizeof(accel_flat) <= ACCEL_CACHE_LINE, "a hit reads one line of the state");

/* Pages that hold one table after another: see flat_region.c. */
typedef struct accel_flat_region {
  struct accel_flat_region *next; /* atomic: the list only grows */
  unsigned char *pages;
  size_t pages_size;
  /* The parts of the pages, and how much fits into each. */
  flat_stripe *stripes;
  accel_flat_set *sets;
  void *side;
  unsigned char *slots;
  size_t stripe_space, set_space, side_space;
  accel_flat_table *tables; /* that were ever in use here */
  uint64_t version;         /* no set of an earlier table had a higher one */
  size_t held;        /* atomic: removed slots still pinned or being dropped; 0 while in use */
  size_t promoted;    /* atomic: how many huge pages it has from its start on */
  size_t promote_at;  /* atomic: entries from which on another one costs little */
  bool is_free;       /* atomic: it may hold the next table */
  bool is_filling;    /* atomic: its table is not in use yet */
  bool is_used_again; /* it has had a table before */
} flat_region;

typedef struct accel_flat_state {
  accel_flat front;
  unsigned char unused[ACCEL_CACHE_LINE]; /* writers must not disturb readers of the front */
  void *memory;                           /* what to free: the state is aligned inside */
  accel_quota quota;
  size_t string_bytes;  /* atomic: long keys */
  size_t table_bytes;   /* atomic: what describes tables and regions */
  flat_region *regions; /* atomic */
  uint64_t seed;
  const char *area; /* for tracers */
  uint64_t sweep;   /* atomic: where a search over all sets goes on */
  bool is_plain, is_lock_free, weighs;
  bool mixes;                                   /* the hash is the user's */
  accel_mutex resizing;                         /* held by a resize; taken before a stripe's */
  uint64_t generations[ACCEL_FLAT_STRIPES_MAX]; /* written under their stripe's mutex */
} flat_state;

/* A slot and where it lies. slot NULL: none. */
typedef struct flat_entry {
  accel_flat_table *table;
  accel_flat_set *set;
  unsigned char *slot;
  unsigned way;
} flat_entry;

/* What a write brings, made before the mutex is taken, and leaves when it is released. */
typedef struct flat_content {
  const void *key;
  const void *value; /* NULL: a negative entry */
  const accel_lifetime *lifetime;
  size_t weight;
  /* To be released unless the entry takes it over: */
  char *text;  /* a long string key's own memory, else NULL */
  void *owned; /* an owning value: first the copy, then perhaps what the entry had; else NULL */
  void *spare; /* where an owning value can be moved to, if the content has none; else NULL */
} flat_content;

/* Entries that were unlinked under the mutex, and whose content is freed without it. */
#define FLAT_PENDING_SETS 4u /* a key's two, and those that are swept */
typedef struct flat_pending_frees {
  accel_flat_table *table;
  unsigned count;
  unsigned ways[FLAT_PENDING_SETS];
  uint64_t indices[FLAT_PENDING_SETS];
} flat_pending_frees;

/* Adds one, under the stripe's mutex. */
static inline void flat_count(uint64_t *count)
{
  accel_store_relaxed(count, *count + 1);
}

static inline flat_state *flat_state_of(accel_local *local)
{
  return (flat_state *)(void *)local;
}

static inline flat_entry flat_entry_at(accel_flat_table *table, uint64_t index, unsigned way)
{
  const size_t place = way * (size_t)table->set_count + (size_t)index;
  const flat_entry entry = {table, &table->sets[index], table->slots + place * table->slot_size,
                            way};
  return entry;
}

/* The first of the ways in a mask that is not 0. */
static inline flat_entry flat_entry_first(accel_flat_table *table, uint64_t index, unsigned ways)
{
  return flat_entry_at(table, index, (unsigned)__builtin_ctz(ways));
}

/* An entry of a view's two sets by its number: the way, of the second set ACCEL_FLAT_WAYS more. */
static inline flat_entry flat_entry_numbered(const accel_flat_view *view, unsigned number)
{
  const unsigned which = number / ACCEL_FLAT_WAYS, way = number % ACCEL_FLAT_WAYS;
  const size_t place = way * (size_t)view->table->set_count + (size_t)view->indices[which];
  const flat_entry entry = {view->table, view->sets[which],
                            view->table->slots + place * view->table->slot_size, way};
  return entry;
}

/* The first of the ways in a mask that is not 0, of one of a view's two sets. */
static inline flat_entry flat_entry_in(const accel_flat_view *view, unsigned which, unsigned ways)
{
  return flat_entry_numbered(view, which * ACCEL_FLAT_WAYS + (unsigned)__builtin_ctz(ways));
}

static inline uint64_t flat_index_of(const flat_entry *entry)
{
  return (uint64_t)(entry->set - entry->table->sets);
}

static inline flat_stripe *flat_stripe_of(const accel_flat_table *table, uint64_t index)
{
  return &table->stripes[index / table->stripe_sets];
}

static inline uint64_t flat_start_of(const accel_flat_table *table, uint64_t index)
{
  return index / table->stripe_sets * table->stripe_sets;
}

/* The top of the bits that choose the set: keys of one generation share a stripe in any table. */
static inline uint32_t flat_generation_index(const flat_state *state, uint64_t hash)
{
  const uint64_t mixed = accel_flat_mix(state->mixes, hash);
  return (uint32_t)accel_flat_scale(mixed, ACCEL_FLAT_STRIPES_MAX);
}

static inline uint64_t flat_tag_of(const accel_flat_set *set, unsigned way)
{
  return set->tags[way / 8] >> (way % 8 * 8) & 0xFF;
}

static inline void flat_set_tag(accel_flat_set *set, unsigned way, uint64_t tag)
{
  ACCEL_ASSERT(way < ACCEL_FLAT_WAYS);
  ACCEL_ASSERT(tag <= 0xFF);
  const unsigned shift = way % 8 * 8;
  const uint64_t others = set->tags[way / 8] & ~((uint64_t)0xFF << shift);
  accel_store_release(&set->tags[way / 8], others | tag << shift);
}

/* See flat_hit.h for when. A version is used once in the life of a region, whatever its pages
 * hold. */
static inline void flat_set_version(flat_stripe *stripe, accel_flat_set *set, uint64_t bits)
{
  ACCEL_ASSERT(bits < ACCEL_FLAT_VERSION_ONE);
  stripe->version += ACCEL_FLAT_VERSION_ONE;
  ACCEL_ASSERT(stripe->version > set->version); /* it never comes again */
  accel_store_release(&set->version, stripe->version | bits);
}

static inline void flat_raise_version(flat_stripe *stripe, accel_flat_set *set)
{
  const uint64_t replacing = set->version & ACCEL_FLAT_REPLACING;
  flat_set_version(stripe, set, replacing | ACCEL_FLAT_WRITTEN);
}

/* A key of the set is without its tag for a moment; no reader may think that it is not there. */
static inline void flat_begin_replacing(flat_stripe *stripe, accel_flat_set *set)
{
  ACCEL_ASSERT((set->version & ACCEL_FLAT_REPLACING) == 0);
  ACCEL_ASSERT((set->version & ACCEL_FLAT_WRITTEN) != 0);
  flat_set_version(stripe, set, ACCEL_FLAT_REPLACING | ACCEL_FLAT_WRITTEN);
}

static inline void flat_end_replacing(flat_stripe *stripe, accel_flat_set *set)
{
  ACCEL_ASSERT((set->version & ACCEL_FLAT_REPLACING) != 0);
  flat_set_version(stripe, set, ACCEL_FLAT_WRITTEN);
}

/* What is not pinned expires no earlier, in units of 256 ms. */
static inline uint32_t flat_soonest(const accel_flat_set *set)
{
  return UINT32_MAX - set->expiry_left;
}

static inline void flat_set_soonest(accel_flat_set *set, uint32_t soonest)
{
  set->expiry_left = UINT32_MAX - soonest;
}

/* Under the mutex, where they do not change. */
static inline accel_flat_pair flat_tags(const accel_flat_set *set)
{
  accel_flat_pair tags;
  memcpy(&tags, set->tags, sizeof tags);
  return tags;
}

static inline unsigned flat_empty_ways(const accel_flat_set *set)
{
  return accel_flat_match(flat_tags(set), ACCEL_FLAT_EMPTY);
}

static inline unsigned flat_removed_ways(const accel_flat_set *set)
{
  return accel_flat_match(flat_tags(set), ACCEL_FLAT_REMOVED);
}

/* The ways with the tag of a key. */
static inline unsigned flat_live_ways(const accel_flat_set *set)
{
  return accel_flat_match_from(flat_tags(set), ACCEL_FLAT_TAG_MIN);
}

static inline uint64_t flat_era_of(uint64_t epoch)
{
  return epoch >> ACCEL_FLAT_ERA_SHIFT;
}

/* Whether a clear has removed all that the set holds. */
static inline bool flat_is_cleared(const accel_flat_set *set, uint64_t epoch)
{
  const uint64_t current = accel_load_relaxed(&set->current);
  return flat_era_of(accel_flat_epoch_of(current)) < flat_era_of(epoch);
}

static inline bool flat_is_pinned(const flat_entry *entry)
{
  return (entry->set->pinned >> entry->way & 1) != 0;
}

static inline uint64_t flat_head_of(const flat_entry *entry)
{
  ACCEL_ASSERT(entry->slot != NULL);
  return *(const uint64_t *)(const void *)entry->slot;
}

static inline bool flat_is_negative(const flat_entry *entry)
{
  return (flat_head_of(entry) & ACCEL_FLAT_NEGATIVE) != 0;
}

static inline void *flat_value_of(const flat_entry *entry)
{
  return entry->slot + entry->table->value_offset;
}

static inline bool flat_is_live(const flat_entry *entry)
{
  return flat_tag_of(entry->set, entry->way) >= ACCEL_FLAT_TAG_MIN;
}

static inline size_t flat_weight_of(const flat_entry *entry)
{
  if (!entry->table->weighs) return flat_is_negative(entry) ? 0 : 1;
  return (size_t) * (const uint64_t *)(const void *)(entry->slot + sizeof(uint64_t));
}

static inline accel_lifetime flat_lifetime_of(const flat_state *state, const flat_entry *entry)
{
  return accel_flat_unpack(state->front.base_ms, state->front.window_ms, flat_head_of(entry));
}

static inline bool flat_has_expired(const flat_entry *entry, uint64_t since_base_ms)
{
  const uint64_t head = flat_head_of(entry);
  return accel_flat_expires(head) && since_base_ms >= head >> ACCEL_FLAT_TIME_SHIFT;
}

static inline bool flat_is_untold(const accel_flat_view *view)
{
  return view->newcomer != NULL && !view->newcomer->is_told;
}

/* Tells the policy of a newcomer of which it has not heard. */
static inline void flat_tell(const accel_flat_view *view)
{
  if (!flat_is_untold(view)) return;
  view->newcomer->is_told = true;
  if (view->table->policy->missed != NULL) view->table->policy->missed(view);
}

/* Now, as heads count. */
static inline uint64_t flat_since_base(const flat_state *state)
{
  return accel_clock_read(state->front.local.clock) - state->front.base_ms;
}

/* Of this epoch and not expired. */
static inline bool flat_is_fresh(flat_state *state, const flat_entry *entry)
{
  const uint64_t epoch = accel_load_acquire(&state->front.local.epoch);
  if (!accel_flat_is_current(entry->set, entry->way, epoch)) return false;
  return !accel_flat_expires(flat_head_of(entry)) ||
         !flat_has_expired(entry, flat_since_base(state));
}

ACCEL_EXTERN_C_BEGIN

/* ---- flat_region.c: memory ---- */

/* An empty table for `capacity` entries, not in use yet. NULL: no memory, or none of that size can
 * exist. Opens and resizes only, one at a time. */
accel_flat_table *accel_flat_table_open(flat_state *state, const accel_type *type, size_t capacity);
/* The bytes that it takes; SIZE_MAX: more than there can be. */
size_t accel_flat_table_bytes(const accel_type *type, size_t capacity);
/* Before readers find a table that was filled: one that knew an earlier table there, and did not
 * find a key that was not there yet, sees that something came. */
void accel_flat_table_finish(accel_flat_table *table);
/* Lets writers in. */
void accel_flat_table_use(accel_flat_table *table);
/* Releases what a closed table still holds. Its memory goes back to the system now, or once nobody
 * has a removed slot any more. */
void accel_flat_table_retire(flat_state *state, const accel_type *type, accel_flat_table *table);
/* `count` removed slots of a retired table were given up. Without a mutex. */
void accel_flat_region_release(flat_region *region, size_t count);
/* Makes one more huge page of small ones that are mostly in use. Without a mutex. */
ACCEL_COLD void accel_flat_promote(accel_flat_table *table, size_t entries);
/* Asks for all that so many entries deserve, before they come. */
void accel_flat_promote_all(accel_flat_table *table, size_t entries);
/* Bytes of memory that are behind the pages of all tables, as far as is known. */
size_t accel_flat_resident(const flat_state *state);
/* Drops every value that is left and frees all tables; takes no mutex. */
void accel_flat_regions_close(flat_state *state, const accel_type *type);

/* ---- flat_table.c: locks, finding ---- */

/* Locks the stripe of a key. */
void accel_flat_lock(flat_state *state, const accel_type *type, uint64_t hash,
                     accel_flat_view *view);
/* Locks the stripe of a set; the view is of that set alone. False: a resize took the table out of
 * use, and nothing is locked. */
bool accel_flat_lock_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                         uint64_t index, accel_flat_view *view);
void accel_flat_unlock(const accel_flat_view *view);
/* Returns once no resize is under way that began before. */
ACCEL_COLD void accel_flat_wait_resized(flat_state *state);

/* Where a key of this hash may lie in a table; nothing is locked. */
accel_flat_view accel_flat_view_of(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, uint64_t mixed);
/* The slot's key as the user's functions expect it; `text` holds a string's pointer meanwhile. */
const void *accel_flat_key(const accel_type *type, const flat_entry *entry, const char **text);
/* Its mixed hash. */
uint64_t accel_flat_hash_of(const flat_state *state, const accel_type *type,
                            const flat_entry *entry);
/* Drops a value, which is the user's code. */
void accel_flat_drop(const accel_type *type, void *value);
/* Whether the calling thread is in such a drop. */
bool accel_flat_is_dropping(void);
/* True: the entry holds memory that is not the table's. */
bool accel_flat_owns(const accel_type *type, const flat_entry *entry);
/* Under the stripe's mutex. */
flat_entry accel_flat_find(const accel_flat_view *view, const void *key);

/* ---- flat_entry.c: the steps of a write, under the stripe's mutex ---- */

/* An empty slot for the key, in its first set if that has one: it is found sooner there. */
flat_entry accel_flat_find_empty(const accel_flat_view *view);
/* Makes an empty slot by moving an entry to its other set. */
ACCEL_COLD flat_entry accel_flat_make_empty(const accel_flat_view *view);
/* Moves an entry that is not pinned into an empty slot of its other set. */
void accel_flat_move(const accel_flat_view *view, const flat_entry *from, const flat_entry *to);
/* Copies all of a slot into an empty one of the view's table. */
void accel_flat_copy_slot(const accel_flat_view *view, const flat_entry *from,
                          const flat_entry *to);
void accel_flat_write(const accel_flat_view *view, const flat_entry *entry,
                      const flat_content *content);
/* Gives an entry whose content readers see under the mutex only a new one, in place. What it owned
 * is left in the content. False: it cannot, and nothing happened. */
bool accel_flat_swap(const accel_flat_view *view, const flat_entry *entry, flat_content *content);
/* Makes a written entry findable. `used` is the policy's byte. */
void accel_flat_publish(const flat_entry *entry, uint64_t tag, uint64_t epoch, uint8_t used);
/* Takes an entry out; its quota stays taken. */
void accel_flat_unlink(const accel_type *type, const flat_entry *entry,
                       flat_pending_frees *pending);
/* The same, and gives its quota back, unless it is pinned: then the last unpin does. */
void accel_flat_remove(const accel_flat_view *view, const flat_entry *entry,
                       flat_pending_frees *pending);
/* Unlinks what a clear has removed from the set. Returns how many entries of the quota that gives
 * back. */
ACCEL_COLD unsigned accel_flat_unlink_cleared(const accel_flat_view *view, uint64_t index,
                                              flat_pending_frees *pending);
/* The same for some more sets of the stripe, if any need it. */
ACCEL_COLD unsigned accel_flat_sweep(const accel_flat_view *view, flat_pending_frees *pending);
/* Takes from the quota for the view's stripe. False: it has not as much left. */
bool accel_flat_afford(const accel_flat_view *view, ptrdiff_t entries, ptrdiff_t weight);
void accel_flat_refund(flat_state *state, flat_stripe *stripe, size_t weight);

/* The record of a pinned entry. NULL: there is none. */
const flat_pin *accel_flat_find_pin(const flat_entry *entry);
/* Pins an entry. False: no memory. */
bool accel_flat_pin_entry(const accel_flat_view *view, const flat_entry *entry);

/* Without the mutex: */
ACCEL_COLD void accel_flat_free_pending(flat_state *state, const accel_type *type,
                                        const flat_pending_frees *pending);
void accel_flat_unpin_entry(flat_state *state, const accel_type *type, const flat_entry *entry);
/* Frees what an entry owns that is not found any more. */
void accel_flat_release(flat_state *state, const accel_type *type, const flat_entry *entry);

/* ---- flat_victim.c ---- */

/* Removes one entry of the view's sets, and hands its quota to the caller: *entry_weight. Returns
 * where it was, a slot that is empty now unless something was pending; none: all are pinned. Under
 * the mutex; since_base_ms tells what has expired. */
flat_entry accel_flat_evict(const accel_flat_view *view, uint64_t since_base_ms,
                            size_t *entry_weight, flat_pending_frees *pending);
/* Removes an entry, wherever one can be found. False: all are pinned. Without a mutex. */
bool accel_flat_evict_any(flat_state *state, const accel_type *type);

ACCEL_EXTERN_C_END
#endif

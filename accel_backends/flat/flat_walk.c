/* flat_walk.c: operations on all entries: resize, each, hottest.
 *
 * None holds more than one stripe's mutex, none holds one while it calls visit or drop, and none
 * minds what others do meanwhile. References name entries that were seen and are no longer held:
 * the key's hash says whether it is still the same one. */
#include "flat_table.h"

#include <stdlib.h>

/* ---- resize ----
 *
 * First every stripe of the old table is closed: a thread that wants one waits for the resize to
 * end. Readers without the mutex go on in the old table, whose plain entries stay where they are
 * until the new one is published. Entries move in the order of their value. */

typedef struct flat_move {
  flat_state *state;
  const accel_type *type;
  const accel_policy *policy;
  accel_flat_table *from, *to;
  uint16_t *handled; /* per set of `from`: the ways that have been dealt with */
  uint64_t epoch, since_base_ms;
  size_t room; /* entries that may still be carried over */
} flat_move;

/* 0: stale; else one more than the policy's. */
static unsigned flat_walk_rank(const flat_move *move, const flat_entry *entry)
{
  const accel_flat_set *set = entry->set;
  if (!accel_flat_is_current(set, entry->way, move->epoch)) return 0;
  if (flat_has_expired(entry, move->since_base_ms)) return 0;
  return move->policy->rank(set, entry->way) + 1;
}

/* Copies the entry into the new table. Only readers that saw an earlier table there can look at it
 * yet; to them it is as if it were in use. False: there is no room. */
static bool flat_walk_copy(const flat_move *move, const flat_entry *entry)
{
  const uint64_t mixed = accel_flat_hash_of(move->state, move->type, entry);
  const accel_flat_view view = accel_flat_view_of(move->state, move->type, move->to, mixed);
  flat_entry empty = accel_flat_find_empty(&view);
  if (empty.slot == NULL) empty = accel_flat_make_empty(&view);
  if (empty.slot == NULL) return false;
  accel_flat_copy_slot(&view, entry, &empty);
  accel_flat_set *set = empty.set;
  const uint8_t used = accel_load_relaxed(&entry->set->used[entry->way]);
  accel_flat_publish(&empty, view.tag, move->epoch, used);
  if (!accel_flat_is_current(entry->set, entry->way, move->epoch))
    accel_store_release(&set->current, set->current | (uint64_t)1 << empty.way);
  flat_stripe *stripe = view.stripe;
  accel_store_relaxed(&stripe->entries, stripe->entries + 1);
  accel_store_relaxed(&stripe->weight, stripe->weight + flat_weight_of(entry));
  return true;
}

/* A pinned entry stays in the old table until its last unpin; a plain one leaves a copy in the
 * new table, an owning one would need the user's copy and does not. */
static bool flat_walk_carry_pinned(flat_move *move, const flat_entry *entry)
{
  accel_quota *quota = &move->state->quota;
  const size_t weight = flat_weight_of(entry);
  if (accel_flat_owns(move->type, entry)) return false;
  if (!accel_quota_take(quota, 1, (ptrdiff_t)weight)) return false;
  if (flat_walk_copy(move, entry)) return true;
  accel_quota_give(quota, 1, weight);
  return false;
}

/* Moves one entry, or leaves it in the old table for retire to release. What a clear has removed
 * is not carried, nor counted in its stripe. */
static void flat_walk_move_entry(flat_move *move, const flat_entry *entry)
{
  accel_flat_set *set = entry->set;
  const uint64_t index = flat_index_of(entry);
  flat_stripe *stripe = flat_stripe_of(move->from, index);
  const bool is_pinned = flat_is_pinned(entry);
  const bool is_counted = !flat_is_cleared(set, move->epoch);
  bool is_carried = false;
  if (move->room > 0 && is_counted)
    is_carried = is_pinned ? flat_walk_carry_pinned(move, entry) : flat_walk_copy(move, entry);
  if (is_carried) move->room--;
  move->handled[index] = (uint16_t)(move->handled[index] | 1u << entry->way);
  if (is_pinned) {
    flat_set_tag(set, entry->way, ACCEL_FLAT_REMOVED);
    return;
  }
  if (is_counted) {
    accel_store_relaxed(&stripe->entries, stripe->entries - 1);
    accel_store_relaxed(&stripe->weight, stripe->weight - flat_weight_of(entry));
  }
  if (!is_carried)
    accel_quota_give(&move->state->quota, 1, flat_weight_of(entry));
  else if (accel_flat_owns(move->type, entry))
    flat_set_tag(set, entry->way, ACCEL_FLAT_EMPTY);
}

static void flat_walk_move_rank(flat_move *move, unsigned rank)
{
  for (uint64_t index = 0; index < move->from->set_count; index++) {
    const accel_flat_set *set = &move->from->sets[index];
    accel_mutex *mutex = &flat_stripe_of(move->from, index)->mutex;
    accel_mutex_lock(mutex);
    const unsigned handled = move->handled[index];
    for (unsigned ways = flat_live_ways(set) & ~handled; ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(move->from, index, ways);
      if (flat_walk_rank(move, &entry) >= rank) flat_walk_move_entry(move, &entry);
    }
    accel_mutex_unlock(mutex);
  }
}

/* Closes every stripe; returns how many places the unpinned entries of the table occupy. */
static size_t flat_walk_close_stripes(const flat_move *move)
{
  const accel_flat_table *table = move->from;
  size_t unpinned = 0;
  for (uint64_t start = 0; start < table->set_count; start += table->stripe_sets) {
    accel_flat_view view;
    if (!accel_flat_lock_set(move->state, move->type, move->from, start, &view))
      continue; /* never: we close them */
    view.stripe->table = NULL;
    for (uint64_t index = start; index < start + table->stripe_sets; index++) {
      const accel_flat_set *set = &table->sets[index];
      const unsigned ways = flat_live_ways(set) & ~(unsigned)set->pinned;
      unpinned += (size_t)__builtin_popcount(ways);
    }
    accel_flat_unlock(&view);
  }
  return unpinned;
}

/* Carries over what fits; the new table's stripes count in the era of what they get. */
static void flat_walk_carry(flat_move *move, size_t capacity)
{
  flat_state *state = move->state;
  const size_t unpinned = flat_walk_close_stripes(move);
  const size_t fixed = accel_load_acquire(&state->quota.entries) - unpinned;
  move->room = capacity > fixed ? capacity - fixed : 0;
  move->epoch = accel_load_acquire(&state->front.local.epoch);
  move->since_base_ms = flat_since_base(state);
  for (uint64_t i = 0; i < move->to->stripe_count; i++)
    accel_store_relaxed(&move->to->stripes[i].era, flat_era_of(move->epoch));
  accel_store_relaxed(&state->quota.capacity, capacity);
  accel_flat_promote_all(move->to, unpinned < capacity ? unpinned : capacity);
  for (unsigned rank = ACCEL_POLICY_RANKS + 1; rank-- > 0;) flat_walk_move_rank(move, rank);
}

accel_status accel_flat_resize(accel_local *local, const accel_type *type, size_t capacity)
{
  flat_state *state = flat_state_of(local);
  accel_mutex_lock(&state->resizing);
  accel_flat_table *old = state->front.table;
  flat_move move = {.state = state, .type = type, .policy = accel_policy_of(type), .from = old};
  move.handled = (uint16_t *)ACCEL_MALLOC((size_t)old->set_count * sizeof *move.handled);
  if (move.handled != NULL) move.to = accel_flat_table_open(state, type, capacity);
  if (move.to == NULL) {
    ACCEL_FREE(move.handled);
    accel_mutex_unlock(&state->resizing);
    return ACCEL_ERR_NOMEM;
  }
  memset(move.handled, 0, (size_t)old->set_count * sizeof *move.handled);
  flat_walk_carry(&move, capacity);
  ACCEL_FREE(move.handled);
  accel_flat_table_finish(move.to);
  accel_store_release(&state->front.table, move.to);
  accel_flat_table_use(move.to);
  accel_mutex_unlock(&state->resizing);
  accel_flat_table_retire(state, type, old);
  return ACCEL_OK;
}

/* ---- each ---- */

typedef struct flat_reference {
  uint64_t index, mixed;
  size_t text_size; /* of a string key, with its final 0; else 1 */
  uint8_t way, rank;
} flat_reference;

static bool flat_walk_is_wanted(flat_state *state, const flat_entry *entry)
{
  return !flat_is_negative(entry) && flat_is_fresh(state, entry);
}

static flat_reference flat_walk_refer(const flat_state *state, const accel_type *type,
                                      const flat_entry *entry)
{
  const char *text = "";
  accel_flat_key(type, entry, &text);
  flat_reference reference = {.index = flat_index_of(entry), .way = (uint8_t)entry->way};
  reference.mixed = accel_flat_hash_of(state, type, entry);
  reference.text_size = strlen(text) + 1;
  reference.rank = (uint8_t)accel_policy_of(type)->rank(entry->set, entry->way);
  return reference;
}

static bool flat_walk_is_same(flat_state *state, const accel_type *type, const flat_entry *entry,
                              const flat_reference *reference)
{
  if (!flat_is_live(entry) || !flat_walk_is_wanted(state, entry)) return false;
  return accel_flat_hash_of(state, type, entry) == reference->mixed;
}

/* The entry where it was seen, or where it was moved to. A user's hash may be the same for several
 * keys: then one that was moved is not looked for, lest another be met twice. */
static flat_entry flat_walk_find(flat_state *state, const accel_type *type, accel_flat_table *table,
                                 const flat_reference *reference)
{
  flat_entry entry = flat_entry_at(table, reference->index, reference->way);
  if (flat_walk_is_same(state, type, &entry, reference)) return entry;
  const accel_flat_view view = accel_flat_view_of(state, type, table, reference->mixed);
  for (unsigned i = 0; i < 2 && !state->mixes; i++) {
    unsigned ways = accel_flat_match(flat_tags(view.sets[i]), view.tag);
    for (; ways != 0; ways &= ways - 1) {
      entry = flat_entry_in(&view, i, ways);
      if (flat_walk_is_same(state, type, &entry, reference)) return entry;
    }
  }
  const flat_entry none = {0};
  return none;
}

/* Pins the entry if it is still there and still fresh. */
static bool flat_walk_hold(flat_state *state, const accel_type *type, accel_flat_table *table,
                           const flat_reference *reference, flat_entry *entry)
{
  accel_flat_view view;
  if (!accel_flat_lock_set(state, type, table, reference->index, &view)) return false;
  *entry = flat_walk_find(state, type, table, reference);
  const bool holds = entry->slot != NULL && accel_flat_pin_entry(&view, entry);
  accel_flat_unlock(&view);
  return holds;
}

/* What the sets [first, first + count) of one stripe hold at one moment: a key that is written
 * meanwhile moves within its stripe and must not be met twice. */
static size_t flat_walk_collect(flat_state *state, const accel_type *type, accel_flat_table *table,
                                uint64_t first, flat_reference *references)
{
  size_t count = 0;
  accel_flat_view view;
  if (!accel_flat_lock_set(state, type, table, first, &view)) return 0;
  for (uint64_t index = first; index < first + table->stripe_sets; index++) {
    for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      if (flat_walk_is_wanted(state, &entry))
        references[count++] = flat_walk_refer(state, type, &entry);
    }
  }
  accel_flat_unlock(&view);
  return count;
}

static bool flat_walk_visit(flat_state *state, const accel_type *type, accel_flat_table *table,
                            const flat_reference *reference,
                            bool (*visit)(void *ctx, const void *key, const void *value), void *ctx)
{
  flat_entry entry;
  if (!flat_walk_hold(state, type, table, reference, &entry)) return true;
  const char *text;
  const void *key = accel_flat_key(type, &entry, &text);
  const bool goes_on = visit(ctx, key, flat_value_of(&entry));
  accel_flat_unpin_entry(state, type, &entry);
  return goes_on;
}

/* Visits nothing if there is no memory for one stripe's references; ends at a resize. */
void accel_flat_each(accel_local *local, const accel_type *type,
                     bool (*visit)(void *ctx, const void *key, const void *value), void *ctx)
{
  flat_state *state = flat_state_of(local);
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  const size_t most = (size_t)table->stripe_sets * ACCEL_FLAT_WAYS;
  flat_reference *references = (flat_reference *)ACCEL_MALLOC(most * sizeof *references);
  if (references == NULL) return;
  bool goes_on = true;
  const uint64_t all_sets = table->set_count;
  for (uint64_t first = 0; goes_on && first < all_sets; first += table->stripe_sets) {
    const size_t count = flat_walk_collect(state, type, table, first, references);
    for (size_t i = 0; goes_on && i < count; i++)
      goes_on = flat_walk_visit(state, type, table, &references[i], visit, ctx);
  }
  ACCEL_FREE(references);
}

/* ---- hottest ---- */

/* The most used so far, in descending order. */
typedef struct flat_ranking {
  flat_reference *items;
  size_t limit;
  size_t ends[ACCEL_POLICY_RANKS]; /* how many are of that rank or above; [0]: all */
} flat_ranking;

static void flat_walk_drop_last(flat_ranking *ranking)
{
  const uint8_t rank = ranking->items[ranking->ends[0] - 1].rank;
  for (unsigned r = 0; r <= rank; r++) ranking->ends[r]--;
}

/* Each lower group makes room by moving its first item behind its last. */
static void flat_walk_insert(flat_ranking *ranking, const flat_reference *reference)
{
  if (ranking->ends[0] == ranking->limit) {
    if (ranking->items[ranking->limit - 1].rank >= reference->rank) return;
    flat_walk_drop_last(ranking);
  }
  for (unsigned r = 0; r < reference->rank; r++)
    ranking->items[ranking->ends[r]++] = ranking->items[ranking->ends[r + 1]];
  ranking->items[ranking->ends[reference->rank]++] = *reference;
}

static void flat_walk_rank_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                               uint64_t index, flat_ranking *ranking)
{
  accel_flat_view view;
  if (!accel_flat_lock_set(state, type, table, index, &view)) return;
  for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(table, index, ways);
    if (!flat_walk_is_wanted(state, &entry)) continue;
    const flat_reference reference = flat_walk_refer(state, type, &entry);
    flat_walk_insert(ranking, &reference);
  }
  accel_flat_unlock(&view);
}

/* Writes the ranked keys that are still there; strings go behind each other into `texts`. */
static size_t flat_walk_write_keys(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, const flat_ranking *ranking,
                                   char *texts, void *keys_out)
{
  size_t written = 0;
  for (size_t i = 0; i < ranking->ends[0]; i++) {
    const flat_reference *reference = &ranking->items[i];
    flat_entry entry;
    if (!flat_walk_hold(state, type, table, reference, &entry)) continue;
    const char *text;
    const void *key = accel_flat_key(type, &entry, &text);
    const bool fits = type->key_kind != ACCEL_KEY_STRING || strlen(text) < reference->text_size;
    if (type->key_kind == ACCEL_KEY_STRING && fits) {
      memcpy(texts, text, strlen(text) + 1);
      text = texts;
      texts += reference->text_size;
    }
    if (fits) memcpy((char *)keys_out + written++ * type->key_size, key, type->key_size);
    accel_flat_unpin_entry(state, type, &entry);
  }
  return written;
}

size_t accel_flat_hottest(accel_local *local, const accel_type *type, void *keys_out, size_t count)
{
  flat_state *state = flat_state_of(local);
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  const size_t capacity = accel_load_relaxed(&state->quota.capacity);
  flat_ranking ranking = {.limit = count < capacity ? count : capacity};
  if (ranking.limit == 0 || ranking.limit > SIZE_MAX / sizeof *ranking.items) return 0;
  ranking.items = (flat_reference *)ACCEL_MALLOC(ranking.limit * sizeof *ranking.items);
  if (ranking.items == NULL) return 0;
  const uint64_t all_sets = table->set_count;
  for (uint64_t index = 0; index < all_sets; index++)
    flat_walk_rank_set(state, type, table, index, &ranking);
  size_t texts_size = 0;
  for (size_t i = 0; i < ranking.ends[0]; i++) texts_size += ranking.items[i].text_size;
  char *texts = (char *)accel_thread_scratch(texts_size);
  size_t written = 0;
  if (texts != NULL) written = flat_walk_write_keys(state, type, table, &ranking, texts, keys_out);
  ACCEL_FREE(ranking.items);
  return written;
}

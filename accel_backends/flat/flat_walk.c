/* Operations on all entries: clear, resize, each, hottest.
 *
 * None holds more than one stripe's mutex, none holds one while it calls visit or drop, and none
 * minds what others do meanwhile. References name entries that were seen and are no longer held:
 * a slot's sequence number says whether it still holds the same one. */
#include "flat_table.h"

#include <stdlib.h>

/* ---- clear ---- */

/* Removes the set's entries of older epochs, up to one that is doomed; true: there is one. */
static bool flat_walk_clear_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                                uint64_t index, flat_entry *doomed)
{
  const uint64_t epoch = accel_load_acquire(&state->front.local.epoch);
  const accel_flat_set *set = &table->sets[index];
  for (unsigned ways = flat_live_ways(set); ways != 0; ways &= ways - 1) {
    *doomed = flat_entry_first(table, index, ways);
    if (accel_flat_is_current(set, doomed->way, epoch)) continue;
    if (accel_flat_remove(state, type, doomed)) return true;
  }
  return false;
}

void accel_flat_clear(accel_local *local, const accel_type *type)
{
  flat_state *state = flat_state_of(local);
  accel_flat_expire_all(local);
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  for (uint64_t index = 0; index < flat_count_sets(table);) {
    if (!accel_flat_lock_set(table, index)) {
      accel_flat_wait_resized(state);
      table = accel_load_acquire(&state->front.table);
      index = 0;
      continue;
    }
    flat_entry doomed;
    const bool is_doomed = flat_walk_clear_set(state, type, table, index, &doomed);
    accel_flat_unlock_set(table, index);
    if (is_doomed)
      accel_flat_discard(state, type, &doomed);
    else
      index++;
  }
}

/* ---- resize ----
 *
 * First every stripe of the old table is closed: whoever wants one waits for the resize to end.
 * Readers without the mutex go on in the old table, whose plain entries stay where they are until
 * the new one is published. Entries move in the order of their value. */

typedef struct flat_move {
  flat_state *state;
  const accel_type *type;
  accel_flat_table *from, *to;
  uint64_t epoch, now_ms;
  size_t room; /* entries that may still be carried over */
} flat_move;

/* 0: stale; else one more than its uses. */
static unsigned flat_walk_rank(const flat_move *move, const flat_entry *entry)
{
  const accel_flat_set *set = flat_set_of(entry);
  if (!accel_flat_is_current(set, entry->way, move->epoch)) return 0;
  if (flat_expires_ms(entry->slot) <= move->now_ms) return 0;
  return accel_load_relaxed(&set->used[entry->way]) + 1u;
}

/* Copies the entry into the new table, which nobody sees yet. False: there is no room. */
static bool flat_walk_copy(const flat_move *move, const flat_entry *entry)
{
  const accel_type *type = move->type;
  const char *text;
  const uint64_t hash = type->hash(accel_flat_key(type, entry, &text), move->state->seed);
  const flat_view view = flat_view_of(move->to, accel_flat_mix(move->state->mixes, hash));
  const flat_entry empty = accel_flat_find_empty(&view);
  if (empty.slot == NULL) return false;
  memcpy(empty.slot, entry->slot, move->to->slot_size);
  empty.slot->sequence = 2;
  empty.slot->state &= ACCEL_FLAT_NEGATIVE;
  accel_flat_set *set = flat_set_of(&empty);
  const uint8_t used = accel_load_relaxed(&flat_set_of(entry)->used[entry->way]);
  accel_flat_publish(&empty, view.tag, move->epoch, used);
  if (!accel_flat_is_current(flat_set_of(entry), entry->way, move->epoch))
    set->current &= ~((uint64_t)1 << empty.way);
  return true;
}

/* A pinned entry stays in the old table until its last unpin; a plain one leaves a copy in the
 * new table, an owning one would need the user's copy and does not. */
static bool flat_walk_carry_pinned(flat_move *move, const flat_entry *entry)
{
  accel_budget *budget = &move->state->budget;
  const size_t weight = flat_weight_of(entry);
  if (accel_flat_owns(move->type, entry)) return false;
  if (!accel_budget_take(budget, 1, (ptrdiff_t)weight)) return false;
  if (flat_walk_copy(move, entry)) return true;
  accel_budget_give(budget, 1, weight);
  return false;
}

/* Moves one entry, or leaves it in the old table for retire to release. */
static void flat_walk_settle(flat_move *move, const flat_entry *entry)
{
  accel_flat_set *set = flat_set_of(entry);
  const bool is_pinned = flat_pins(entry->slot) > 0;
  bool is_carried = false;
  if (move->room > 0)
    is_carried = is_pinned ? flat_walk_carry_pinned(move, entry) : flat_walk_copy(move, entry);
  if (is_carried) move->room--;
  set->settled = (uint16_t)(set->settled | 1u << entry->way);
  if (is_pinned) {
    flat_set_tag(set, entry->way, ACCEL_FLAT_REMOVED);
  } else if (!is_carried) {
    accel_budget_give(&move->state->budget, 1, flat_weight_of(entry));
  } else if (accel_flat_owns(move->type, entry)) {
    flat_set_tag(set, entry->way, ACCEL_FLAT_EMPTY);
  }
}

static void flat_walk_move_rank(flat_move *move, unsigned rank)
{
  for (uint64_t index = 0; index < flat_count_sets(move->from); index++) {
    const accel_flat_set *set = &move->from->sets[index];
    accel_mutex *mutex = &flat_stripe_of(move->from, index)->mutex;
    accel_mutex_lock(mutex);
    for (unsigned ways = flat_live_ways(set) & ~set->settled; ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(move->from, index, ways);
      if (flat_walk_rank(move, &entry) >= rank) flat_walk_settle(move, &entry);
    }
    accel_mutex_unlock(mutex);
  }
}

/* Closes every stripe; returns how many places the unpinned entries of the table occupy. */
static size_t flat_walk_close_stripes(accel_flat_table *table)
{
  size_t unpinned = 0;
  for (uint64_t index = 0; index < flat_count_sets(table); index++) {
    flat_stripe *stripe = flat_stripe_of(table, index);
    accel_mutex_lock(&stripe->mutex);
    stripe->is_closed = true;
    for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      unpinned += flat_pins(entry.slot) == 0;
    }
    accel_mutex_unlock(&stripe->mutex);
  }
  return unpinned;
}

accel_status accel_flat_resize(accel_local *local, const accel_type *type, size_t capacity)
{
  flat_state *state = flat_state_of(local);
  accel_mutex_lock(&state->resizing);
  accel_flat_table *old = state->front.table;
  accel_flat_table *table = accel_flat_table_open(state, type, capacity);
  if (table == NULL) {
    accel_mutex_unlock(&state->resizing);
    return ACCEL_ERR_NOMEM;
  }
  flat_move move = {.state = state, .type = type, .from = old, .to = table};
  move.epoch = accel_load_acquire(&local->epoch);
  move.now_ms = accel_clock_read(local->clock);
  const size_t unpinned = flat_walk_close_stripes(old);
  const size_t fixed = accel_load_acquire(&state->budget.entries) - unpinned;
  move.room = capacity > fixed ? capacity - fixed : 0;
  accel_store_relaxed(&state->budget.capacity, capacity);
  for (unsigned rank = ACCEL_FLAT_USED_MAX + 2; rank-- > 0;) flat_walk_move_rank(&move, rank);
  table->retired = old;
  accel_store_release(&state->front.table, table);
  accel_mutex_unlock(&state->resizing);
  accel_flat_table_retire(state, type, old);
  return ACCEL_OK;
}

/* ---- each ---- */

typedef struct flat_reference {
  uint64_t set;
  size_t text_size; /* of a string key, with its final 0; else 1 */
  uint32_t sequence;
  uint8_t way, used;
} flat_reference;

static bool flat_walk_is_wanted(flat_state *state, const flat_entry *entry)
{
  return !flat_is_negative(entry->slot) && flat_is_fresh(state, entry);
}

static flat_reference flat_walk_refer(const accel_type *type, const flat_entry *entry)
{
  const char *text = "";
  accel_flat_key(type, entry, &text);
  flat_reference reference = {.set = entry->set, .sequence = entry->slot->sequence};
  reference.text_size = strlen(text) + 1;
  reference.way = (uint8_t)entry->way;
  reference.used = accel_load_relaxed(&flat_set_of(entry)->used[entry->way]);
  return reference;
}

/* Pins the entry if it is still the same and still fresh. */
static bool flat_walk_hold(flat_state *state, accel_flat_table *table,
                           const flat_reference *reference, flat_entry *entry)
{
  if (!accel_flat_lock_set(table, reference->set)) return false;
  *entry = flat_entry_at(table, reference->set, reference->way);
  const bool holds = (flat_live_ways(flat_set_of(entry)) >> entry->way & 1) != 0 &&
                     entry->slot->sequence == reference->sequence &&
                     flat_walk_is_wanted(state, entry);
  if (holds) accel_store_relaxed(&entry->slot->state, entry->slot->state + 1);
  accel_flat_unlock_set(table, reference->set);
  return holds;
}

/* What the sets [first, first + count) of one stripe hold at one moment: a key that is written
 * meanwhile moves within its stripe and must not be met twice. */
static size_t flat_walk_collect(flat_state *state, const accel_type *type, accel_flat_table *table,
                                uint64_t first, flat_reference *references)
{
  size_t count = 0;
  if (!accel_flat_lock_set(table, first)) return 0;
  for (uint64_t index = first; index < first + table->stripe_sets; index++) {
    for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      if (flat_walk_is_wanted(state, &entry)) references[count++] = flat_walk_refer(type, &entry);
    }
  }
  accel_flat_unlock_set(table, first);
  return count;
}

static bool flat_walk_visit(flat_state *state, const accel_type *type, accel_flat_table *table,
                            const flat_reference *reference,
                            bool (*visit)(void *ctx, const void *key, const void *value), void *ctx)
{
  flat_entry entry;
  if (!flat_walk_hold(state, table, reference, &entry)) return true;
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
  const uint64_t all_sets = flat_count_sets(table);
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
  size_t ends[ACCEL_FLAT_USED_MAX + 1]; /* how many are used that often or more; [0]: all */
} flat_ranking;

static void flat_walk_drop_last(flat_ranking *ranking)
{
  const uint8_t used = ranking->items[ranking->ends[0] - 1].used;
  for (unsigned u = 0; u <= used; u++) ranking->ends[u]--;
}

/* Each lower group makes room by moving its first item behind its last. */
static void flat_walk_insert(flat_ranking *ranking, const flat_reference *reference)
{
  if (ranking->ends[0] == ranking->limit) {
    if (ranking->items[ranking->limit - 1].used >= reference->used) return;
    flat_walk_drop_last(ranking);
  }
  for (unsigned u = 0; u < reference->used; u++)
    ranking->items[ranking->ends[u]++] = ranking->items[ranking->ends[u + 1]];
  ranking->items[ranking->ends[reference->used]++] = *reference;
}

static void flat_walk_rank_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                               uint64_t index, flat_ranking *ranking)
{
  if (!accel_flat_lock_set(table, index)) return;
  for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(table, index, ways);
    if (!flat_walk_is_wanted(state, &entry)) continue;
    const flat_reference reference = flat_walk_refer(type, &entry);
    flat_walk_insert(ranking, &reference);
  }
  accel_flat_unlock_set(table, index);
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
    if (!flat_walk_hold(state, table, reference, &entry)) continue;
    const char *text;
    const void *key = accel_flat_key(type, &entry, &text);
    if (type->key_kind == ACCEL_KEY_STRING) {
      memcpy(texts, text, reference->text_size);
      text = texts;
      texts += reference->text_size;
    }
    memcpy((char *)keys_out + written++ * type->key_size, key, type->key_size);
    accel_flat_unpin_entry(state, type, &entry);
  }
  return written;
}

size_t accel_flat_hottest(accel_local *local, const accel_type *type, void *keys_out, size_t count)
{
  flat_state *state = flat_state_of(local);
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  const size_t capacity = accel_load_relaxed(&state->budget.capacity);
  flat_ranking ranking = {.limit = count < capacity ? count : capacity};
  if (ranking.limit == 0 || ranking.limit > SIZE_MAX / sizeof *ranking.items) return 0;
  ranking.items = (flat_reference *)ACCEL_MALLOC(ranking.limit * sizeof *ranking.items);
  if (ranking.items == NULL) return 0;
  const uint64_t all_sets = flat_count_sets(table);
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

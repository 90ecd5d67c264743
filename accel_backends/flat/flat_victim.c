/* Which entry goes: first one that no reader may have any more, else the least used.
 *
 * The least used is found by a hand per set that goes round, takes one use from each entry it
 * passes and stops at the first that has none left: new entries stay for one round, hit ones for
 * up to four. Everything but expiry is decided within the set's cache line. */
#include "flat_table.h"

static bool flat_victim_may_go(const flat_entry *entry)
{
  return flat_pins(entry->slot) == 0;
}

/* An entry of an older epoch, or an expired one. */
static flat_entry flat_victim_spent(flat_state *state, accel_flat_table *table, uint64_t index)
{
  accel_flat_set *set = &table->sets[index];
  const flat_entry none = {0};
  const uint64_t epoch = accel_load_acquire(&state->front.local.epoch);
  const bool is_of_epoch = set->current >> 16 == (epoch & (UINT64_MAX >> 16));
  const unsigned live = flat_live_ways(set);
  const unsigned current = is_of_epoch ? live & (unsigned)(set->current & FLAT_ALL_WAYS) : 0;
  for (unsigned ways = live & ~current; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(table, index, ways);
    if (flat_victim_may_go(&entry)) return entry;
  }
  if (set->soonest_ms == ACCEL_NEVER) return none;
  const uint64_t now_ms = accel_clock_read(state->front.local.clock);
  if (now_ms < set->soonest_ms) return none;
  uint64_t soonest_ms = ACCEL_NEVER;
  for (unsigned ways = live; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(table, index, ways);
    const uint64_t expires_ms = flat_expires_ms(entry.slot);
    if (expires_ms <= now_ms && flat_victim_may_go(&entry)) return entry;
    if (expires_ms < soonest_ms) soonest_ms = expires_ms;
  }
  set->soonest_ms = soonest_ms;
  return none;
}

static flat_entry flat_victim_coldest(accel_flat_table *table, uint64_t index)
{
  accel_flat_set *set = &table->sets[index];
  const unsigned live = flat_live_ways(set);
  for (unsigned step = 0; step < ACCEL_FLAT_WAYS * (ACCEL_FLAT_USED_MAX + 1); step++) {
    const unsigned way = set->hand;
    set->hand = (uint8_t)((way + 1) % ACCEL_FLAT_WAYS);
    if ((live >> way & 1) == 0) continue;
    const flat_entry entry = flat_entry_at(table, index, way);
    const uint8_t used = accel_load_relaxed(&set->used[way]);
    if (used > 0) {
      accel_store_relaxed(&set->used[way], (uint8_t)(used - 1));
    } else if (flat_victim_may_go(&entry)) {
      return entry;
    }
  }
  const flat_entry none = {0};
  return none;
}

static flat_entry flat_victim_of_set(flat_state *state, accel_flat_table *table, uint64_t index)
{
  const flat_entry spent = flat_victim_spent(state, table, index);
  return spent.slot != NULL ? spent : flat_victim_coldest(table, index);
}

/* Rather of the fuller set, so that both stay equally full. */
flat_entry accel_flat_victim(flat_state *state, const flat_view *view)
{
  const accel_flat_set *sets = view->table->sets;
  const bool is_first = sets[view->first].taken_count >= sets[view->second].taken_count;
  const uint64_t fuller = is_first ? view->first : view->second;
  const uint64_t other = is_first ? view->second : view->first;
  flat_entry victim = flat_victim_spent(state, view->table, fuller);
  if (victim.slot == NULL) victim = flat_victim_spent(state, view->table, other);
  if (victim.slot == NULL) victim = flat_victim_coldest(view->table, fuller);
  if (victim.slot == NULL) victim = flat_victim_coldest(view->table, other);
  return victim;
}

/* True: an entry of the set was removed, or there is a new table, which is worth another try. */
static bool flat_victim_evict_from(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, uint64_t index)
{
  if (!accel_flat_lock_set(table, index)) {
    accel_flat_wait_resized(state);
    return true;
  }
  const flat_entry victim = flat_victim_of_set(state, table, index);
  const bool is_doomed = victim.slot != NULL && accel_flat_remove(state, type, &victim);
  accel_flat_unlock_set(table, index);
  if (is_doomed) accel_flat_discard(state, type, &victim);
  return victim.slot != NULL;
}

bool accel_flat_evict_any(flat_state *state, const accel_type *type)
{
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  const uint64_t all_sets = flat_count_sets(table);
  for (uint64_t step = 0; step < all_sets; step++) {
    const uint64_t index = accel_add_relaxed(&state->sweep, 1u) % all_sets;
    if (flat_live_ways(&table->sets[index]) == 0) continue;
    if (flat_victim_evict_from(state, type, table, index)) return true;
  }
  return false;
}

/* flat_victim.c: which entry is evicted: one that no reader may have any more, else the one that
 * the policy picks. */
#include "../../accel/platform/probe.h"
#include "flat_table.h"

#define FLAT_VICTIM_PROBED 64u /* of so many evictions one passes a probe */

uint64_t accel_flat_hash_at(const accel_flat_view *view, unsigned number)
{
  const flat_entry entry = flat_entry_numbered(view, number);
  return accel_flat_hash_of(view->state, view->type, &entry);
}

static unsigned flat_victim_ways(const accel_flat_set *set)
{
  return flat_live_ways(set) & ~(unsigned)set->pinned;
}

/* An entry of an older epoch, or an expired one, among these. */
static flat_entry flat_victim_spent(const accel_flat_view *view, unsigned which, unsigned may_go,
                                    uint64_t since_base_ms)
{
  accel_flat_set *set = view->sets[which];
  const flat_entry none = {0};
  const bool is_of_epoch = accel_flat_epoch_of(set->current) == view->epoch;
  const unsigned older = is_of_epoch ? (unsigned)(set->current & may_go) : may_go;
  if (older != 0) return flat_entry_in(view, which, older);
  if (since_base_ms >> ACCEL_FLAT_COARSE_SHIFT < flat_soonest(set)) return none;
  uint32_t soonest = UINT32_MAX;
  for (unsigned ways = may_go; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_in(view, which, ways);
    const uint64_t head = flat_head_of(&entry);
    const uint32_t coarse = (uint32_t)(head >> (ACCEL_FLAT_TIME_SHIFT + ACCEL_FLAT_COARSE_SHIFT));
    if (flat_has_expired(&entry, since_base_ms)) return entry;
    if (accel_flat_expires(head) && coarse < soonest) soonest = coarse;
  }
  flat_set_soonest(set, soonest);
  return none;
}

/* The number of the entry that the policy picks. The policy is told of a new key first. */
static unsigned flat_victim_choose(const accel_flat_view *view, unsigned first_ways,
                                   unsigned second_ways)
{
  const accel_policy *policy = view->table->policy;
  if (flat_is_untold(view) && policy->replace != NULL) {
    view->newcomer->is_told = true;
    return policy->replace(view, first_ways, second_ways);
  }
  flat_tell(view);
  return policy->choose(view, first_ways, second_ways);
}

static flat_entry flat_victim_pick(const accel_flat_view *view, unsigned first_ways,
                                   unsigned second_ways)
{
  const flat_entry victim =
      flat_entry_numbered(view, flat_victim_choose(view, first_ways, second_ways));
  ACCEL_ASSERT(flat_is_live(&victim) && !flat_is_pinned(&victim));
  return victim;
}

/* One in FLAT_VICTIM_PROBED of each kind. */
static void flat_victim_probe(const accel_flat_view *view, const flat_entry *victim, uint64_t count,
                              const char *cause)
{
  if (!ACCEL_HAS_PROBES || count % FLAT_VICTIM_PROBED != 0) return;
  const char *text;
  const void *key = accel_flat_key(view->type, victim, &text);
  accel_probe_evict(view->state->area, view->type->hash(key, view->state->seed), cause);
}

flat_entry accel_flat_evict(const accel_flat_view *view, uint64_t since_base_ms,
                            size_t *entry_weight, flat_pending_frees *pending)
{
  const bool is_one = view->sets[0] == view->sets[1];
  const unsigned first = flat_victim_ways(view->sets[0]);
  const unsigned second = is_one ? 0 : flat_victim_ways(view->sets[1]);
  const flat_entry none = {0};
  if ((first | second) == 0) return none;
  flat_entry victim = flat_victim_spent(view, 0, first, since_base_ms);
  if (victim.slot == NULL && !is_one) victim = flat_victim_spent(view, 1, second, since_base_ms);
  const bool has_expired = victim.slot != NULL;
  if (!has_expired) victim = flat_victim_pick(view, first, second);
  accel_local_counts *counts = &view->stripe->counts;
  uint64_t *count = has_expired ? &counts->expirations : &counts->evictions;
  flat_count(count);
  flat_victim_probe(view, &victim, *count, has_expired ? "expired" : "room");
  *entry_weight = flat_weight_of(&victim);
  accel_flat_unlink(view->type, &victim, pending);
  return victim;
}

/* ---- anywhere ---- */

/* Removes an entry of the set. True: that, or there is a new table to try. */
static bool flat_victim_evict_from(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, uint64_t index)
{
  accel_flat_view view;
  if (!accel_flat_lock_set(state, type, table, index, &view)) {
    accel_flat_wait_resized(state);
    return true;
  }
  size_t weight;
  flat_pending_frees pending = {0};
  bool has_evicted = accel_flat_unlink_cleared(&view, index, &pending) > 0;
  if (!has_evicted) {
    has_evicted = accel_flat_evict(&view, flat_since_base(state), &weight, &pending).slot != NULL;
    if (has_evicted) accel_flat_refund(state, view.stripe, weight);
  }
  accel_flat_unlock(&view);
  accel_flat_free_pending(state, type, &pending);
  return has_evicted;
}

static bool flat_victim_may_sweep(const flat_state *state, const accel_flat_table *table,
                                  uint64_t stripe_index)
{
  const flat_stripe *stripe = &table->stripes[stripe_index];
  const uint64_t era = flat_era_of(accel_load_relaxed(&state->front.local.epoch));
  return accel_load_relaxed(&stripe->era) != era ||
         accel_load_relaxed(&stripe->swept) < table->stripe_sets;
}

/* What a clear has removed still counts against the quota: frees some of it. */
static bool flat_victim_sweep_any(flat_state *state, const accel_type *type,
                                  accel_flat_table *table)
{
  bool has_freed = false;
  for (uint64_t i = 0; i < table->stripe_count && !has_freed;) {
    accel_flat_view view;
    flat_pending_frees pending = {0};
    if (!flat_victim_may_sweep(state, table, i)) {
      i++;
      continue;
    }
    if (!accel_flat_lock_set(state, type, table, i * table->stripe_sets, &view)) return false;
    has_freed = accel_flat_sweep(&view, &pending) > 0;
    accel_flat_unlock(&view);
    accel_flat_free_pending(state, type, &pending);
  }
  return has_freed;
}

/* Without the mutex: a guess. */
static bool flat_victim_seems_empty(const accel_flat_set *set)
{
  return accel_flat_match_from(accel_flat_load_pair(set->tags), ACCEL_FLAT_TAG_MIN) == 0;
}

bool accel_flat_evict_any(flat_state *state, const accel_type *type)
{
  accel_flat_table *table = accel_load_acquire(&state->front.table);
  if (flat_victim_sweep_any(state, type, table)) return true;
  for (uint64_t step = 0; step < table->set_count; step++) {
    const uint64_t index = accel_add_relaxed(&state->sweep, 1u) % table->set_count;
    if (flat_victim_seems_empty(&table->sets[index])) continue;
    if (flat_victim_evict_from(state, type, table, index)) return true;
  }
  return false;
}

/* flat_write.c: a write: what it brings is copied, paid for and put in its place. */
#include "flat_table.h"

#include <stdlib.h>

/* ---- generations ---- */

accel_gate accel_flat_gate(accel_local *local, uint64_t hash)
{
  accel_gate gate;
  flat_state *state = flat_state_of(local);
  gate.stripe = flat_generation_index(state, hash);
  gate.generation = accel_load_acquire(&state->generations[gate.stripe]);
  gate.epoch = accel_load_acquire(&local->epoch);
  return gate;
}

/* Under the stripe's mutex. */
static void flat_raise(flat_state *state, uint64_t hash)
{
  uint64_t *generation = &state->generations[flat_generation_index(state, hash)];
  accel_store_release(generation, *generation + 1);
}

static bool flat_stands(const accel_flat_view *view, uint64_t hash, const accel_gate *gate)
{
  const flat_state *state = view->state;
  return gate->generation == state->generations[flat_generation_index(state, hash)] &&
         gate->epoch == view->epoch;
}

/* Where a value is copied to before its slot is known. */
typedef struct flat_stage {
  flat_content content;
  void *allocation; /* instead of `space`, where that is too small */
  uint64_t space[32] __attribute__((aligned(ACCEL_CACHE_LINE)));
} flat_stage;

/* Where a value can lie. NULL: no memory. */
static void *flat_stage_place(const accel_type *type, flat_stage *stage)
{
  if (type->value_size <= sizeof stage->space) return stage->space;
  stage->allocation = ACCEL_MALLOC(type->value_size + type->value_align);
  if (stage->allocation == NULL) return NULL;
  return accel_align_pointer(stage->allocation, type->value_align);
}

static accel_status flat_stage_value(const accel_type *type, flat_stage *stage)
{
  void *place = flat_stage_place(type, stage);
  if (stage->content.value == NULL) {
    stage->content.spare = place; /* without one the old value goes before the new one comes */
    return ACCEL_OK;
  }
  if (place == NULL || !type->copy(place, stage->content.value)) return ACCEL_ERR_NOMEM;
  stage->content.owned = place;
  stage->content.value = place;
  return ACCEL_OK;
}

static accel_status flat_stage_text(const accel_type *type, flat_stage *stage)
{
  if (type->key_kind != ACCEL_KEY_STRING) return ACCEL_OK;
  const char *text = *(const char *const *)stage->content.key;
  const size_t size = strlen(text) + 1;
  if (size <= ACCEL_FLAT_STRING_SIZE) return ACCEL_OK;
  stage->content.text = (char *)ACCEL_MALLOC(size);
  if (stage->content.text == NULL) return ACCEL_ERR_NOMEM;
  memcpy(stage->content.text, text, size);
  return ACCEL_OK;
}

/* Releases what no entry has taken over, and what one has left. */
static void flat_stage_close(const accel_type *type, flat_stage *stage)
{
  if (stage->content.owned != NULL) accel_flat_drop(type, stage->content.owned);
  ACCEL_FREE(stage->content.text);
  if (stage->allocation != NULL) ACCEL_FREE(stage->allocation);
}

/* What one attempt under the mutex came to. */
typedef enum flat_attempt {
  FLAT_DONE,
  FLAT_MOVED,    /* the gate */
  FLAT_EVICTED,  /* the next attempt may find room */
  FLAT_NO_QUOTA, /* and nothing nearby may go */
  FLAT_NO_SLOT,  /* both sets are full of what is pinned */
  FLAT_BUSY,     /* or of values that others are just dropping */
} flat_attempt;

typedef struct flat_write {
  uint64_t hash;
  const accel_gate *gate; /* NULL: unconditional */
  bool raises;
  accel_flat_newcomer newcomer; /* if the key is new: what several attempts know of it */
} flat_write;

static uint64_t flat_born(const accel_flat_view *view, const flat_content *content)
{
  return content->lifetime->born_ms - view->state->front.base_ms;
}

/* Pays for the entry, with the quota of `old` if that is possible, else with a victim's, whose
 * slot is *freed then. */
static flat_attempt flat_pay(const accel_flat_view *view, const flat_content *content,
                             const flat_entry *old, flat_entry *freed, flat_pending_frees *pending)
{
  const bool replaces = old->slot != NULL && !flat_is_pinned(old);
  const size_t had = replaces ? flat_weight_of(old) : 0;
  const ptrdiff_t more = (ptrdiff_t)(content->weight - had);
  if (accel_flat_afford(view, replaces ? 0 : 1, more)) return FLAT_DONE;
  size_t gone;
  *freed = accel_flat_evict(view, flat_born(view, content), &gone, pending);
  if (freed->slot == NULL) return pending->count > 0 ? FLAT_EVICTED : FLAT_NO_QUOTA;
  if (!replaces && pending->count == 0 &&
      accel_flat_afford(view, 0, (ptrdiff_t)(content->weight - gone)))
    return FLAT_DONE;
  accel_flat_refund(view->state, view->stripe, gone);
  return FLAT_EVICTED;
}

/* Whether a slot of the two sets becomes empty once its value is dropped, here or elsewhere. */
static bool flat_is_being_freed(const accel_flat_view *view)
{
  const accel_flat_set *first = view->sets[0], *second = view->sets[1];
  return ((flat_removed_ways(first) & ~(unsigned)first->pinned) |
          (flat_removed_ways(second) & ~(unsigned)second->pinned)) != 0;
}

static flat_attempt flat_no_slot(const accel_flat_view *view, const flat_pending_frees *pending)
{
  if (pending->count > 0) return FLAT_EVICTED;
  return flat_is_being_freed(view) ? FLAT_BUSY : FLAT_NO_SLOT;
}

/* An empty slot for an entry that is paid for: the one that was freed for it, unless the first set
 * has a better one. Where there is none, an old entry of the key goes, for to move another costs a
 * look at all its neighbours' partners: readers are told to ask under the mutex meanwhile. */
static flat_attempt flat_place(const accel_flat_view *view, const flat_content *content,
                               flat_entry *old, flat_entry *empty, flat_pending_frees *pending)
{
  const bool is_freed = empty->slot != NULL;
  if (is_freed && (empty->set == view->sets[0] || !flat_empty_ways(view->sets[0])))
    return FLAT_DONE;
  *empty = accel_flat_find_empty(view);
  const bool replaces = old->slot != NULL && !flat_is_pinned(old);
  if (empty->slot == NULL && !replaces) *empty = accel_flat_make_empty(view);
  if (empty->slot != NULL) return FLAT_DONE;
  if (replaces && !accel_flat_owns(view->type, old)) {
    flat_begin_replacing(view->stripe, old->set);
    accel_flat_unlink(view->type, old, pending);
    *empty = *old;
    old->slot = NULL;
    return FLAT_DONE;
  }
  if (replaces) {
    accel_flat_unlink(view->type, old, pending);
    old->slot = NULL;
  } else {
    size_t gone;
    if (accel_flat_evict(view, flat_born(view, content), &gone, pending).slot == NULL)
      return flat_no_slot(view, pending);
    accel_flat_refund(view->state, view->stripe, gone);
  }
  *empty = accel_flat_find_empty(view);
  return empty->slot != NULL ? FLAT_DONE : FLAT_EVICTED;
}

/* Whether readers see the entry's content under the mutex only, so that it may change in place. */
static bool flat_is_locked(const accel_flat_view *view, const flat_entry *entry)
{
  if (entry->slot == NULL || flat_is_pinned(entry)) return false;
  return !view->state->is_lock_free || accel_flat_owns(view->type, entry);
}

/* Puts the content into the empty slot, then takes an old entry of its key out. */
static void flat_exchange(const accel_flat_view *view, flat_content *content,
                          const flat_entry *empty, const flat_entry *old, uint8_t used,
                          flat_pending_frees *pending)
{
  accel_flat_write(view, empty, content);
  accel_flat_publish(empty, view->tag, view->epoch, used);
  if (content->text != NULL)
    accel_add_relaxed(&view->state->string_bytes, strlen(content->text) + 1);
  content->text = NULL;
  content->owned = NULL;
  if ((empty->set->version & ACCEL_FLAT_REPLACING) != 0)
    flat_end_replacing(view->stripe, empty->set);
  if (old->slot == NULL) return;
  flat_raise_version(view->stripe, empty->set);
  accel_flat_unlink(view->type, old, pending);
}

/* Gives a paid entry its place. */
static flat_attempt flat_take_place(accel_flat_view *view, flat_write *write, flat_content *content,
                                    flat_entry *old, flat_entry *empty, flat_pending_frees *pending)
{
  const bool is_new = old->slot == NULL;
  const uint8_t used = is_new ? 0 : accel_load_relaxed(&old->set->used[old->way]);
  if (empty->slot == NULL && flat_is_locked(view, old) && accel_flat_swap(view, old, content)) {
    if (write->raises) flat_raise(view->state, write->hash);
    accel_flat_publish(old, view->tag, view->epoch, used);
    flat_count(&view->stripe->counts.overwrites);
    return FLAT_DONE;
  }
  const flat_attempt attempt = flat_place(view, content, old, empty, pending);
  if (attempt != FLAT_DONE) return attempt;
  flat_tell(view);
  if (write->raises) flat_raise(view->state, write->hash);
  flat_exchange(view, content, empty, old, used, pending);
  if (!is_new) {
    flat_count(&view->stripe->counts.overwrites);
    return FLAT_DONE;
  }
  flat_count(&view->stripe->counts.inserts);
  view->table->policy->inserted(view, empty->set, empty->way);
  return FLAT_DONE;
}

/* One attempt under the mutex. */
static flat_attempt flat_try_write(accel_flat_view *view, flat_write *write, flat_content *content,
                                   flat_pending_frees *pending)
{
  if (write->gate != NULL && !flat_stands(view, write->hash, write->gate)) return FLAT_MOVED;
  for (unsigned i = 0; i < 2; i++)
    if (flat_is_cleared(view->sets[i], view->epoch))
      accel_flat_unlink_cleared(view, view->indices[i], pending);
  flat_entry old = accel_flat_find(view, content->key);
  view->newcomer = old.slot == NULL ? &write->newcomer : NULL;
  flat_entry empty = {0};
  flat_attempt attempt = flat_pay(view, content, &old, &empty, pending);
  const bool is_paid = attempt == FLAT_DONE;
  if (is_paid) attempt = flat_take_place(view, write, content, &old, &empty, pending);
  flat_tell(view);
  if (attempt != FLAT_DONE && is_paid)
    accel_flat_refund(view->state, view->stripe, content->weight);
  return attempt;
}

/* Attempts until there is a result, or something to be done without the mutex. */
static ACCEL_FLATTEN flat_attempt flat_write_locked(flat_state *state, const accel_type *type,
                                                    flat_write *write, flat_content *content)
{
  flat_attempt attempt;
  flat_pending_frees pending;
  pending.count = 0;
  accel_flat_view view;
  accel_flat_lock(state, type, write->hash, &view);
  do {
    attempt = flat_try_write(&view, write, content, &pending);
  } while (attempt == FLAT_EVICTED && pending.count == 0);
  if (view.stripe->swept < view.table->stripe_sets && accel_flat_sweep(&view, &pending) > 0 &&
      attempt == FLAT_NO_QUOTA)
    attempt = FLAT_EVICTED; /* of what a clear removed: there may be enough now */
  accel_flat_unlock(&view);
  if (pending.count > 0) accel_flat_free_pending(state, type, &pending);
  const size_t entries = accel_load_relaxed(&state->quota.entries);
  if (ACCEL_UNLIKELY(entries >= accel_load_relaxed(&view.table->region->promote_at)))
    accel_flat_promote(view.table, entries);
  return attempt;
}

#define FLAT_YIELDS 100u
#define FLAT_WAIT_US 200u
#define FLAT_WAITS_IN_DROP 1000u

/* Others are dropping what was in all slots that the key may have. True: ask again. False: this
 * thread is in the user's drop itself, and it may be its own value that it waits for. */
static bool flat_wait(unsigned waits)
{
  if (accel_flat_is_dropping() && waits > FLAT_WAITS_IN_DROP) return false;
  if (waits < FLAT_YIELDS)
    accel_thread_yield();
  else
    accel_thread_sleep(FLAT_WAIT_US);
  return true;
}

static accel_status flat_put(flat_state *state, const accel_type *type, flat_write *write,
                             flat_content *content)
{
  for (unsigned waits = 0;;) {
    switch (flat_write_locked(state, type, write, content)) {
      case FLAT_DONE: return ACCEL_OK;
      case FLAT_MOVED: return ACCEL_MISS;
      case FLAT_EVICTED: break;
      case FLAT_NO_SLOT: return ACCEL_ERR_NOMEM;
      case FLAT_BUSY:
        if (!flat_wait(waits++)) return ACCEL_ERR_NOMEM;
        break;
      case FLAT_NO_QUOTA:
        if (!accel_flat_evict_any(state, type)) return ACCEL_ERR_NOMEM;
    }
  }
}

/* Copies what the entry will own, then writes it. */
static ACCEL_NOINLINE accel_status flat_store_owned(flat_state *state, const accel_type *type,
                                                    flat_write *write, flat_content *content)
{
  flat_stage stage;
  stage.allocation = NULL;
  stage.content = *content;
  accel_status status = ACCEL_OK;
  if (!state->is_plain) status = flat_stage_value(type, &stage);
  if (status == ACCEL_OK) status = flat_stage_text(type, &stage);
  if (status == ACCEL_OK) status = flat_put(state, type, write, &stage.content);
  flat_stage_close(type, &stage);
  return status;
}

static ACCEL_FLATTEN accel_status flat_store(flat_state *state, const accel_type *type,
                                             flat_write *write, const void *key,
                                             const void *value_or_null,
                                             const accel_lifetime *lifetime)
{
  flat_content content = {.key = key, .value = value_or_null, .lifetime = lifetime};
  content.weight = value_or_null != NULL;
  if (state->weighs && value_or_null != NULL) content.weight = type->weigh(key, value_or_null);
  const size_t heaviest = state->quota.max_weight;
  if (heaviest != 0 && content.weight > heaviest) return ACCEL_ERR_CONFIG;
  const bool owns = !state->is_plain || type->key_kind == ACCEL_KEY_STRING;
  return owns ? flat_store_owned(state, type, write, &content)
              : flat_put(state, type, write, &content);
}

accel_status accel_flat_fill(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, const void *value_or_null,
                             const accel_lifetime *lifetime, const accel_gate *gate)
{
  flat_write write = {.hash = hash, .gate = gate, .raises = false};
  return flat_store(flat_state_of(local), type, &write, key, value_or_null, lifetime);
}

accel_status accel_flat_set_entry(accel_local *local, const accel_type *type, const void *key,
                                  uint64_t hash, const void *value_or_null,
                                  const accel_lifetime *lifetime, const accel_gate *gate_or_null)
{
  flat_write write = {.hash = hash, .gate = gate_or_null, .raises = true};
  const accel_status status =
      flat_store(flat_state_of(local), type, &write, key, value_or_null, lifetime);
  if (status != ACCEL_OK) accel_flat_del(local, type, key, hash);
  return status;
}

void accel_flat_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  flat_state *state = flat_state_of(local);
  flat_pending_frees pending;
  pending.count = 0;
  accel_flat_view view;
  accel_flat_lock(state, type, hash, &view);
  flat_raise(state, hash);
  const flat_entry entry = accel_flat_find(&view, key);
  if (entry.slot != NULL) accel_flat_remove(&view, &entry, &pending);
  accel_flat_unlock(&view);
  if (pending.count > 0) accel_flat_free_pending(state, type, &pending);
}

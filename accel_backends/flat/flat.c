#include "flat.h"

#include "flat_table.h"

#include "../../accel/error.h"

#include <stdlib.h>

/* ---- life ---- */

static flat_state *flat_state_open(void)
{
  void *memory = ACCEL_MALLOC(sizeof(flat_state) + ACCEL_CACHE_LINE);
  if (memory == NULL) return NULL;
  memset(memory, 0, sizeof(flat_state) + ACCEL_CACHE_LINE);
  const uintptr_t misplaced = (uintptr_t)memory & (ACCEL_CACHE_LINE - 1);
  flat_state *state = (flat_state *)(void *)((char *)memory + (ACCEL_CACHE_LINE - misplaced));
  state->memory = memory;
  return state;
}

/* With a clock that does not tick, all that expires is below. */
static uint64_t flat_lead(const flat_state *state)
{
  const accel_flat *front = &state->front;
  if (front->local.clock != NULL) return ACCEL_FLAT_NO_EXPIRY;
  return (front->window_ms + ACCEL_TICK_MARGIN_MS - front->base_ms) << ACCEL_FLAT_TIME_SHIFT;
}

accel_status accel_flat_open(const accel_local_config *config, accel_local **local_out)
{
  const accel_type *type = config->type;
  if (type->value_align > ACCEL_CACHE_LINE)
    return accel_error_set(config->owner, ACCEL_ERR_CONFIG,
                           "the flat L1 engine aligns values to %d bytes at most, not %zu",
                           ACCEL_CACHE_LINE, type->value_align);
  flat_state *state = flat_state_open();
  if (state == NULL) goto fail;
  state->front.local.clock = config->clock;
  state->front.base_ms = accel_clock_read(config->clock) - (ACCEL_FLAT_TIME_MAX + 1) / 2;
  state->front.window_ms = config->refresh_window_ms;
  state->front.lead = flat_lead(state);
  state->budget.capacity = config->capacity;
  state->budget.max_weight = config->max_weight;
  state->seed = config->seed;
  state->mixes = accel_type_has_hash(type);
  state->is_plain = accel_type_is_plain(type);
  state->weighs = accel_type_has_weigh(type);
  if (!accel_mutex_open(&state->resizing)) goto fail_state;
  state->front.table = accel_flat_table_open(state, type, config->capacity);
  if (state->front.table == NULL) goto fail_mutex;
  if (config->clock == NULL) accel_tick_hold();
  *local_out = &state->front.local;
  return ACCEL_OK;

fail_mutex:
  accel_mutex_close(&state->resizing);
fail_state:
  ACCEL_FREE(state->memory);
fail:
  return accel_error_set(config->owner, ACCEL_ERR_NOMEM, "no memory for an L1 of %zu entries",
                         config->capacity);
}

void accel_flat_close(accel_local *local, const accel_type *type)
{
  flat_state *state = flat_state_of(local);
  for (accel_flat_table *table = state->front.table; table != NULL;) {
    accel_flat_table *next = table->retired;
    accel_flat_table_close(state, type, table);
    table = next;
  }
  accel_mutex_close(&state->resizing);
  if (local->clock == NULL) accel_tick_release();
  ACCEL_FREE(state->memory);
}

/* ---- reading ---- */

bool accel_flat_is_due(const accel_flat *flat, uint64_t head)
{
  if (!accel_flat_expires(head)) return false;
  const uint64_t since_ms = accel_clock_read(flat->local.clock) - flat->base_ms;
  return since_ms >= accel_flat_unpack(0, flat->window_ms, head).refresh_ms;
}

/* Copies the value and releases the mutex. An owning value is pinned meanwhile, so that the
 * user's copy runs without it. */
static accel_status flat_take(const accel_flat_view *view, const flat_entry *entry,
                              void *out_or_null)
{
  const accel_type *type = view->type;
  if (flat_is_negative(entry) || out_or_null == NULL) {
    const accel_status status = flat_is_negative(entry) ? ACCEL_NULL : ACCEL_OK;
    accel_flat_unlock(view);
    return status;
  }
  if (entry->table->is_plain) {
    memcpy(out_or_null, flat_value_of(entry), type->value_size);
    accel_flat_unlock(view);
    return ACCEL_OK;
  }
  const bool is_pinned = accel_flat_pin_entry(view, entry);
  if (is_pinned) accel_cancel_hold(); /* beyond the mutex */
  accel_flat_unlock(view);
  if (!is_pinned) return ACCEL_ERR_NOMEM;
  const bool copied = type->copy(out_or_null, flat_value_of(entry));
  accel_flat_unpin_entry(view->state, type, entry);
  accel_cancel_release();
  return copied ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* Whether a hit may serve the entry; then it is marked as used. */
static bool flat_is_hit(const accel_flat_view *view, const flat_entry *entry)
{
  const uint64_t head = flat_head_of(entry);
  const accel_flat *front = &view->state->front;
  if (!accel_flat_is_current(entry->set, entry->way, view->epoch)) return false;
  if (!accel_flat_is_young(front, head) && accel_flat_is_due(front, head)) return false;
  accel_policy_hit(view->type, entry->set, entry->way);
  return true;
}

accel_status accel_flat_get_locked(accel_local *local, const accel_type *type, const void *key,
                                   uint64_t hash, void *out)
{
  accel_flat_view view;
  accel_flat_lock(flat_state_of(local), type, hash, &view);
  const flat_entry entry = accel_flat_find(&view, key);
  if (entry.slot != NULL && flat_is_hit(&view, &entry)) return flat_take(&view, &entry, out);
  accel_flat_unlock(&view);
  return entry.slot == NULL ? ACCEL_MISS : ACCEL_ATTENTION;
}

#define FLAT_LOOKS 8u

accel_status accel_flat_get(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, void *out)
{
  const bool is_string = type->key_kind == ACCEL_KEY_STRING;
  for (unsigned look = 0; look < FLAT_LOOKS; look++) {
    const accel_status status = accel_flat_look(local, type, key, hash, out);
    if (status != ACCEL_FLAT_SPOILT) return status;
    if (is_string) return accel_flat_get_locked(local, type, key, hash, out);
  }
  return ACCEL_ATTENTION;
}

accel_status accel_flat_peek(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, void *out_or_null, accel_local_found *found)
{
  flat_state *state = flat_state_of(local);
  accel_flat_view view;
  accel_flat_lock(state, type, hash, &view);
  const flat_entry entry = accel_flat_find(&view, key);
  if (entry.slot == NULL) {
    accel_flat_unlock(&view);
    return ACCEL_MISS;
  }
  found->life = flat_life_of(state, &entry);
  found->is_current = accel_flat_is_current(entry.set, entry.way, view.epoch);
  return flat_take(&view, &entry, out_or_null);
}

static accel_status flat_pin_hit(const accel_flat_view *view, const flat_entry *entry,
                                 accel_local_pin *pin)
{
  if (entry->slot == NULL || !flat_is_hit(view, entry)) return ACCEL_MISS;
  if (flat_is_negative(entry)) return ACCEL_NULL;
  if (!accel_flat_pin_entry(view, entry)) return ACCEL_ERR_NOMEM;
  pin->local = &view->state->front.local;
  pin->value = flat_value_of(entry);
  pin->handle = entry->table;
  return ACCEL_OK;
}

accel_status accel_flat_pin(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, accel_local_pin *pin)
{
  accel_flat_view view;
  accel_flat_lock(flat_state_of(local), type, hash, &view);
  const flat_entry entry = accel_flat_find(&view, key);
  const accel_status status = flat_pin_hit(&view, &entry, pin);
  accel_flat_unlock(&view);
  return status;
}

void accel_flat_unpin(const accel_type *type, accel_local_pin *pin)
{
  accel_flat_table *table = (accel_flat_table *)pin->handle;
  const unsigned char *value = (const unsigned char *)pin->value;
  const size_t index = (size_t)(value - table->slots) / table->slot_size;
  const flat_entry entry =
      flat_entry_at(table, index / ACCEL_FLAT_WAYS, (unsigned)(index % ACCEL_FLAT_WAYS));
  accel_flat_unpin_entry(flat_state_of(pin->local), type, &entry);
  memset(pin, 0, sizeof *pin);
}

/* ---- writing ---- */

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
  uint32_t *generation = &state->generations[flat_generation_index(state, hash)];
  accel_store_release(generation, *generation + 1);
}

static bool flat_stands(const accel_flat_view *view, uint64_t hash, const accel_gate *gate)
{
  const flat_state *state = view->state;
  return (uint32_t)gate->generation == state->generations[flat_generation_index(state, hash)] &&
         gate->epoch == view->epoch;
}

/* Where a value is copied to before its slot is known. */
typedef struct flat_stage {
  flat_content content;
  void *copy;       /* the owning value's, if one was made */
  void *allocation; /* what holds it, if it does not fit `space` */
  uint64_t space[32] __attribute__((aligned(ACCEL_CACHE_LINE)));
} flat_stage;

static accel_status flat_stage_value(const accel_type *type, flat_stage *stage)
{
  void *to = stage->space;
  if (type->value_size > sizeof stage->space) {
    stage->allocation = ACCEL_MALLOC(type->value_size + type->value_align);
    if (stage->allocation == NULL) return ACCEL_ERR_NOMEM;
    to = (char *)stage->allocation + (-(uintptr_t)stage->allocation & (type->value_align - 1));
  }
  if (!type->copy(to, stage->content.value)) return ACCEL_ERR_NOMEM;
  stage->copy = to;
  stage->content.value = to;
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

/* Releases what no entry has taken over. */
static void flat_stage_close(const accel_type *type, flat_stage *stage, bool is_taken)
{
  if (!is_taken) {
    if (stage->copy != NULL) type->drop(stage->copy);
    ACCEL_FREE(stage->content.text);
  }
  if (stage->allocation != NULL) ACCEL_FREE(stage->allocation);
}

/* What one attempt under the mutex came to. */
typedef enum flat_attempt {
  FLAT_DONE,
  FLAT_MOVED,     /* the gate */
  FLAT_EVICTED,   /* the next attempt may find room */
  FLAT_NO_BUDGET, /* and nothing nearby may go */
  FLAT_NO_SLOT,   /* both sets are full of what is pinned */
  FLAT_BUSY,      /* or of values that others are just dropping */
} flat_attempt;

typedef struct flat_write {
  uint64_t hash;
  const accel_gate *gate; /* NULL: unconditional */
  bool raises;
  accel_flat_newcomer newcomer; /* if the key is new: what several attempts know of it */
} flat_write;

static uint64_t flat_born(const accel_flat_view *view, const flat_content *content)
{
  return content->life->born_ms - view->state->front.base_ms;
}

/* Pays for the entry, with the budget of `old` if that can be had, else with a victim's, whose slot
 * is *freed then. */
static flat_attempt flat_pay(const accel_flat_view *view, const flat_content *content,
                             const flat_entry *old, flat_entry *freed, flat_doomed *doomed)
{
  const bool replaces = old->slot != NULL && !flat_is_pinned(old);
  const size_t had = replaces ? flat_weight_of(old) : 0;
  const ptrdiff_t more = (ptrdiff_t)(content->weight - had);
  if (accel_flat_afford(view, replaces ? 0 : 1, more)) return FLAT_DONE;
  size_t gone;
  *freed = accel_flat_evict(view, flat_born(view, content), &gone, doomed);
  if (freed->slot == NULL) return doomed->count > 0 ? FLAT_EVICTED : FLAT_NO_BUDGET;
  if (!replaces && doomed->count == 0 &&
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

static flat_attempt flat_no_slot(const accel_flat_view *view, const flat_doomed *doomed)
{
  if (doomed->count > 0) return FLAT_EVICTED;
  return flat_is_being_freed(view) ? FLAT_BUSY : FLAT_NO_SLOT;
}

/* An empty slot for an entry that is paid for: the one that was freed for it, unless the first set
 * has a better one. Where there is none, an old entry of the key goes, for to move another costs a
 * look at all its neighbours' partners: readers are a moment without the key, and ask under the
 * mutex. */
static flat_attempt flat_place(const accel_flat_view *view, const flat_content *content,
                               flat_entry *old, flat_entry *empty, flat_doomed *doomed)
{
  const bool is_freed = empty->slot != NULL;
  if (is_freed && (empty->set == view->sets[0] || !flat_empty_ways(view->sets[0])))
    return FLAT_DONE;
  *empty = accel_flat_find_empty(view);
  const bool replaces = old->slot != NULL && !flat_is_pinned(old);
  const bool may_move = !replaces || accel_flat_owns(view->type, old);
  if (empty->slot == NULL && may_move) *empty = accel_flat_make_empty(view);
  if (empty->slot != NULL) return FLAT_DONE;
  if (replaces) {
    accel_flat_unlink(view->type, old, doomed);
    old->slot = NULL;
  } else {
    size_t gone;
    if (accel_flat_evict(view, flat_born(view, content), &gone, doomed).slot == NULL)
      return flat_no_slot(view, doomed);
    accel_flat_refund(view->state, view->stripe, gone);
  }
  *empty = accel_flat_find_empty(view);
  return empty->slot != NULL ? FLAT_DONE : FLAT_EVICTED;
}

/* Puts the content into the empty slot, then takes an old entry of its key out. */
static void flat_exchange(const accel_flat_view *view, const flat_content *content,
                          const flat_entry *empty, const flat_entry *old, uint8_t used,
                          flat_doomed *doomed)
{
  accel_flat_write(view, empty, content);
  accel_flat_publish(empty, view->tag, view->epoch, used);
  if (content->text != NULL)
    accel_add_relaxed(&view->state->string_bytes, strlen(content->text) + 1);
  if (old->slot == NULL) return;
  flat_raise_version(empty->set);
  accel_flat_unlink(view->type, old, doomed);
}

/* One attempt under the mutex. */
static flat_attempt flat_try_write(accel_flat_view *view, flat_write *write,
                                   const flat_content *content, flat_doomed *doomed)
{
  if (write->gate != NULL && !flat_stands(view, write->hash, write->gate)) return FLAT_MOVED;
  for (unsigned i = 0; i < 2; i++)
    if (flat_is_cleared(view->sets[i], view->epoch))
      accel_flat_settle(view, view->indices[i], doomed);
  flat_entry old = accel_flat_find(view, content->key);
  const bool is_new = old.slot == NULL;
  const uint8_t used = is_new ? 0 : accel_load_relaxed(&old.set->used[old.way]);
  view->newcomer = is_new ? &write->newcomer : NULL;
  flat_entry empty = {0};
  flat_attempt attempt = flat_pay(view, content, &old, &empty, doomed);
  const bool is_paid = attempt == FLAT_DONE;
  if (is_paid) attempt = flat_place(view, content, &old, &empty, doomed);
  flat_tell(view);
  if (attempt != FLAT_DONE) {
    if (is_paid) accel_flat_refund(view->state, view->stripe, content->weight);
    return attempt;
  }
  if (write->raises) flat_raise(view->state, write->hash);
  flat_exchange(view, content, &empty, &old, used, doomed);
  if (is_new) view->table->policy->inserted(view, empty.set, empty.way);
  return FLAT_DONE;
}

/* Attempts until there is a result, or something to be done without the mutex. */
static ACCEL_FLATTEN flat_attempt flat_write_locked(flat_state *state, const accel_type *type,
                                                    flat_write *write, const flat_content *content)
{
  flat_attempt attempt;
  flat_doomed doomed;
  doomed.count = 0;
  accel_flat_view view;
  accel_flat_lock(state, type, write->hash, &view);
  do {
    attempt = flat_try_write(&view, write, content, &doomed);
  } while (attempt == FLAT_EVICTED && doomed.count == 0);
  if (view.stripe->swept < view.table->stripe_sets && accel_flat_sweep(&view, &doomed) > 0 &&
      attempt == FLAT_NO_BUDGET)
    attempt = FLAT_EVICTED; /* of what a clear removed: there may be enough now */
  accel_flat_unlock(&view);
  if (doomed.count > 0) accel_flat_discard(state, type, &doomed);
  return attempt;
}

#define FLAT_WAITS 1000u

static accel_status flat_put(flat_state *state, const accel_type *type, flat_write *write,
                             const flat_content *content)
{
  for (unsigned waits = 0;;) {
    switch (flat_write_locked(state, type, write, content)) {
      case FLAT_DONE: return ACCEL_OK;
      case FLAT_MOVED: return ACCEL_MISS;
      case FLAT_EVICTED: break;
      case FLAT_NO_SLOT: return ACCEL_ERR_NOMEM;
      case FLAT_BUSY: /* perhaps by this very thread, whose drop has called us: not for ever */
        if (++waits > FLAT_WAITS) return ACCEL_ERR_NOMEM;
        break;
      case FLAT_NO_BUDGET:
        if (!accel_flat_evict_any(state, type)) return ACCEL_ERR_NOMEM;
    }
  }
}

/* Copies what the entry will own, then writes it. */
static ACCEL_NOINLINE accel_status flat_store_owned(flat_state *state, const accel_type *type,
                                                    flat_write *write, const flat_content *content)
{
  flat_stage stage;
  stage.copy = NULL;
  stage.allocation = NULL;
  stage.content = *content;
  accel_status status = ACCEL_OK;
  if (content->value != NULL && !state->is_plain) status = flat_stage_value(type, &stage);
  if (status == ACCEL_OK) status = flat_stage_text(type, &stage);
  if (status == ACCEL_OK) status = flat_put(state, type, write, &stage.content);
  flat_stage_close(type, &stage, status == ACCEL_OK);
  return status;
}

static ACCEL_FLATTEN accel_status flat_store(flat_state *state, const accel_type *type,
                                             flat_write *write, const void *key,
                                             const void *value_or_null, const accel_lifetime *life)
{
  flat_content content = {.key = key, .value = value_or_null, .life = life};
  content.weight = value_or_null != NULL;
  if (state->weighs && value_or_null != NULL) content.weight = type->weigh(key, value_or_null);
  const size_t heaviest = state->budget.max_weight;
  if (heaviest != 0 && content.weight > heaviest) return ACCEL_ERR_CONFIG;
  const bool owns = !state->is_plain || type->key_kind == ACCEL_KEY_STRING;
  return owns ? flat_store_owned(state, type, write, &content)
              : flat_put(state, type, write, &content);
}

accel_status accel_flat_fill(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, const void *value_or_null, const accel_lifetime *life,
                             const accel_gate *gate)
{
  flat_write write = {.hash = hash, .gate = gate, .raises = false};
  return flat_store(flat_state_of(local), type, &write, key, value_or_null, life);
}

accel_status accel_flat_set_entry(accel_local *local, const accel_type *type, const void *key,
                                  uint64_t hash, const void *value_or_null,
                                  const accel_lifetime *life, const accel_gate *gate_or_null)
{
  flat_write write = {.hash = hash, .gate = gate_or_null, .raises = true};
  const accel_status status =
      flat_store(flat_state_of(local), type, &write, key, value_or_null, life);
  if (status != ACCEL_OK) accel_flat_del(local, type, key, hash);
  return status;
}

void accel_flat_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  flat_state *state = flat_state_of(local);
  flat_doomed doomed;
  doomed.count = 0;
  accel_flat_view view;
  accel_flat_lock(state, type, hash, &view);
  flat_raise(state, hash);
  const flat_entry entry = accel_flat_find(&view, key);
  if (entry.slot != NULL) accel_flat_remove(&view, &entry, &doomed);
  accel_flat_unlock(&view);
  if (doomed.count > 0) accel_flat_discard(state, type, &doomed);
}

/* ---- the whole table ---- */

void accel_flat_expire_all(accel_local *local)
{
  accel_add_acq_rel(&local->epoch, ACCEL_FLAT_EPOCH_ONE);
}

/* The next era: what is of older ones is gone. Later writes take it out. */
void accel_flat_clear(accel_local *local, const accel_type *type)
{
  (void)type;
  uint64_t epoch = accel_load_acquire(&local->epoch);
  uint64_t next;
  do {
    next = (flat_era_of(epoch) + 1) << ACCEL_FLAT_ERA_SHIFT;
  } while (!accel_compare_exchange(&local->epoch, &epoch, next));
}

/* Retired tables count while they hold something that is pinned. */
void accel_flat_stats(accel_local *local, accel_local_stats *out)
{
  flat_state *state = flat_state_of(local);
  const uint64_t era = flat_era_of(accel_load_acquire(&local->epoch));
  memset(out, 0, sizeof *out);
  out->memory_bytes = sizeof *state + ACCEL_CACHE_LINE + accel_load_relaxed(&state->pages_bytes) +
                      accel_load_relaxed(&state->string_bytes);
  const accel_flat_table *table = accel_load_acquire(&state->front.table);
  for (; table != NULL; table = table->retired) {
    out->memory_bytes += sizeof *table;
    for (uint64_t i = 0; i < table->stripe_count; i++) {
      const flat_stripe *stripe = &table->stripes[i];
      if (accel_load_acquire(&stripe->era) != era) continue;
      out->entries += accel_load_relaxed(&stripe->entries);
      out->weight += accel_load_relaxed(&stripe->weight);
    }
  }
}

#include "flat.h"

#include "flat_table.h"

#include "../../accel/error.h"

#include <stdlib.h>

/* ---- life ---- */

accel_status accel_flat_open(const accel_local_config *config, accel_local **local_out)
{
  const accel_type *type = config->type;
  if (type->value_align > ACCEL_CACHE_LINE)
    return accel_error_set(config->owner, ACCEL_ERR_CONFIG,
                           "the flat L1 engine aligns values to %d bytes at most, not %zu",
                           ACCEL_CACHE_LINE, type->value_align);
  flat_state *state = (flat_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) goto fail;
  memset(state, 0, sizeof *state);
  state->front.local.clock = config->clock;
  state->budget.capacity = config->capacity;
  state->budget.max_weight = config->max_weight;
  state->seed = config->seed;
  state->mixes = type->traits().has_hash;
  if (!accel_mutex_open(&state->resizing)) goto fail_state;
  state->front.table = accel_flat_table_open(state, type, config->capacity);
  if (state->front.table == NULL) goto fail_mutex;
  *local_out = &state->front.local;
  return ACCEL_OK;

fail_mutex:
  accel_mutex_close(&state->resizing);
fail_state:
  ACCEL_FREE(state);
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
  ACCEL_FREE(state);
}

/* ---- reading ---- */

static void flat_pin_slot(accel_flat_slot *slot)
{
  accel_store_relaxed(&slot->state, slot->state + 1);
}

/* Copies the value and releases the mutex. An owning value is pinned meanwhile, so that the
 * user's copy runs without it. */
static accel_status flat_take(flat_state *state, const accel_type *type, const flat_view *view,
                              const flat_entry *entry, void *out_or_null)
{
  if (flat_is_negative(entry->slot) || out_or_null == NULL) {
    const accel_status status = flat_is_negative(entry->slot) ? ACCEL_NULL : ACCEL_OK;
    accel_flat_unlock(view);
    return status;
  }
  if (entry->table->is_plain) {
    memcpy(out_or_null, flat_value_of(entry), type->value_size);
    accel_flat_unlock(view);
    return ACCEL_OK;
  }
  flat_pin_slot(entry->slot);
  accel_flat_unlock(view);
  const bool copied = type->copy(out_or_null, flat_value_of(entry));
  accel_flat_unpin_entry(state, type, entry);
  return copied ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* The entry if a hit may serve it. */
static flat_entry flat_find_fresh(flat_state *state, const accel_type *type, const flat_view *view,
                                  const void *key)
{
  const flat_entry none = {0};
  const flat_entry entry = accel_flat_find(type, view, key);
  if (entry.slot == NULL || !flat_is_fresh(state, &entry)) return none;
  const accel_flat_slot *slot = entry.slot;
  if (accel_flat_is_over(&state->front.local, slot->born_ms, slot->after & UINT32_MAX)) return none;
  accel_flat_mark_used(flat_set_of(&entry), entry.way);
  return entry;
}

accel_status accel_flat_get_locked(accel_local *local, const accel_type *type, const void *key,
                                   uint64_t hash, void *out)
{
  flat_state *state = flat_state_of(local);
  const flat_view view = accel_flat_lock(state, hash);
  const flat_entry entry = flat_find_fresh(state, type, &view, key);
  if (entry.slot != NULL) return flat_take(state, type, &view, &entry, out);
  accel_flat_unlock(&view);
  return ACCEL_MISS;
}

accel_status accel_flat_peek(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, void *out_or_null, accel_local_found *found)
{
  flat_state *state = flat_state_of(local);
  const flat_view view = accel_flat_lock(state, hash);
  const flat_entry entry = accel_flat_find(type, &view, key);
  if (entry.slot == NULL) {
    accel_flat_unlock(&view);
    return ACCEL_MISS;
  }
  const uint64_t refresh = entry.slot->after & UINT32_MAX;
  const uint64_t epoch = accel_load_acquire(&local->epoch);
  found->life.born_ms = entry.slot->born_ms;
  found->life.expires_ms = flat_expires_ms(entry.slot);
  found->life.refresh_ms = refresh == ACCEL_FOREVER ? ACCEL_NEVER : entry.slot->born_ms + refresh;
  found->is_current = accel_flat_is_current(flat_set_of(&entry), entry.way, epoch);
  return flat_take(state, type, &view, &entry, out_or_null);
}

accel_status accel_flat_pin(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, accel_local_pin *pin)
{
  flat_state *state = flat_state_of(local);
  const flat_view view = accel_flat_lock(state, hash);
  const flat_entry entry = flat_find_fresh(state, type, &view, key);
  accel_status status = ACCEL_MISS;
  if (entry.slot != NULL) status = flat_is_negative(entry.slot) ? ACCEL_NULL : ACCEL_OK;
  if (status == ACCEL_OK) {
    flat_pin_slot(entry.slot);
    pin->local = local;
    pin->value = flat_value_of(&entry);
    pin->handle = entry.table;
  }
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
  const uint64_t *generation = flat_generation_of(state, hash);
  gate.stripe = (uint32_t)(generation - state->generations);
  gate.generation = accel_load_acquire(generation);
  gate.epoch = accel_load_acquire(&local->epoch);
  return gate;
}

/* Under the stripe's mutex. */
static void flat_raise(flat_state *state, uint64_t hash)
{
  uint64_t *generation = flat_generation_of(state, hash);
  accel_store_release(generation, *generation + 1);
}

static bool flat_stands(flat_state *state, uint64_t hash, const accel_gate *gate)
{
  return gate->generation == *flat_generation_of(state, hash) &&
         gate->epoch == accel_load_acquire(&state->front.local.epoch);
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
  if (stage->content.value == NULL || accel_type_is_plain(type)) return ACCEL_OK;
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
  ACCEL_FREE(stage->allocation);
}

/* What one attempt under the mutex came to. */
typedef enum flat_attempt {
  FLAT_DONE,
  FLAT_MOVED,     /* the gate */
  FLAT_EVICTED,   /* the next attempt may find room */
  FLAT_NO_BUDGET, /* and nothing nearby may go */
  FLAT_NO_SLOT,   /* both sets are full of what is pinned */
} flat_attempt;

typedef struct flat_write {
  uint64_t hash;
  const accel_gate *gate; /* NULL: unconditional */
  bool raises;
} flat_write;

/* Puts the entry into the empty slot and takes an old one of its key out, which hands its budget
 * over unless it is pinned. False: the budget does not allow it. */
static bool flat_exchange(flat_state *state, const accel_type *type, const flat_view *view,
                          const flat_write *write, const flat_content *content,
                          const flat_entry *empty, const flat_entry *old, bool *is_doomed)
{
  const bool frees_old = old->slot != NULL && flat_pins(old->slot) == 0;
  const size_t freed = frees_old ? flat_weight_of(old) : 0;
  const ptrdiff_t change = (ptrdiff_t)(content->weight - freed);
  if (!accel_budget_take(&state->budget, frees_old ? 0 : 1, change)) return false;
  if (write->raises) flat_raise(state, write->hash);
  const uint64_t epoch =
      write->gate != NULL ? write->gate->epoch : accel_load_acquire(&state->front.local.epoch);
  const uint8_t used =
      old->slot == NULL ? 0 : accel_load_relaxed(&flat_set_of(old)->used[old->way]);
  accel_flat_write(type, empty, content);
  accel_flat_publish(empty, view->tag, epoch, used);
  if (content->text != NULL) accel_add_relaxed(&state->string_bytes, strlen(content->text) + 1);
  if (old->slot != NULL) *is_doomed = accel_flat_unlink(type, old);
  return true;
}

/* One attempt under the mutex. Where both sets are full, an old entry of the key is the one to
 * go. `gone` is the entry to discard if *is_doomed. */
static flat_attempt flat_try_write(flat_state *state, const accel_type *type, const flat_view *view,
                                   const flat_write *write, const flat_content *content,
                                   flat_entry *gone, bool *is_doomed)
{
  *is_doomed = false;
  if (write->gate != NULL && !flat_stands(state, write->hash, write->gate)) return FLAT_MOVED;
  const flat_entry empty = accel_flat_find_empty(view);
  *gone = accel_flat_find(type, view, content->key);
  if (empty.slot != NULL &&
      flat_exchange(state, type, view, write, content, &empty, gone, is_doomed))
    return FLAT_DONE;
  const bool may_reuse = empty.slot == NULL && gone->slot != NULL && flat_pins(gone->slot) == 0;
  if (!may_reuse) *gone = accel_flat_victim(state, view);
  if (gone->slot == NULL) return empty.slot == NULL ? FLAT_NO_SLOT : FLAT_NO_BUDGET;
  *is_doomed = accel_flat_remove(state, type, gone);
  return FLAT_EVICTED;
}

/* Attempts until there is a result, or something to be done without the mutex. */
static flat_attempt flat_write_locked(flat_state *state, const accel_type *type,
                                      const flat_write *write, const flat_content *content)
{
  const flat_view view = accel_flat_lock(state, write->hash);
  flat_entry gone;
  bool is_doomed;
  flat_attempt attempt;
  do {
    attempt = flat_try_write(state, type, &view, write, content, &gone, &is_doomed);
  } while (attempt == FLAT_EVICTED && !is_doomed);
  accel_flat_unlock(&view);
  if (is_doomed) accel_flat_discard(state, type, &gone);
  return attempt;
}

static accel_status flat_put(flat_state *state, const accel_type *type, const flat_write *write,
                             const flat_content *content)
{
  for (;;) {
    switch (flat_write_locked(state, type, write, content)) {
      case FLAT_DONE: return ACCEL_OK;
      case FLAT_MOVED: return ACCEL_MISS;
      case FLAT_EVICTED: break;
      case FLAT_NO_SLOT: return ACCEL_ERR_NOMEM;
      case FLAT_NO_BUDGET:
        if (!accel_flat_evict_any(state, type)) return ACCEL_ERR_NOMEM;
    }
  }
}

/* Copies what the entry will own, then writes it. */
static accel_status flat_store(flat_state *state, const accel_type *type, const flat_write *write,
                               const void *key, const void *value_or_null,
                               const accel_lifetime *life)
{
  flat_stage stage;
  stage.copy = NULL;
  stage.allocation = NULL;
  stage.content = (flat_content){.key = key, .value = value_or_null, .life = life};
  stage.content.weight = value_or_null == NULL ? 0 : type->weigh(key, value_or_null);
  const size_t heaviest = state->budget.max_weight;
  if (heaviest != 0 && stage.content.weight > heaviest) return ACCEL_ERR_CONFIG;
  accel_status status = flat_stage_value(type, &stage);
  if (status == ACCEL_OK) status = flat_stage_text(type, &stage);
  if (status == ACCEL_OK) status = flat_put(state, type, write, &stage.content);
  flat_stage_close(type, &stage, status == ACCEL_OK);
  return status;
}

accel_status accel_flat_fill(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, const void *value_or_null, const accel_lifetime *life,
                             const accel_gate *gate)
{
  const flat_write write = {.hash = hash, .gate = gate, .raises = false};
  return flat_store(flat_state_of(local), type, &write, key, value_or_null, life);
}

accel_status accel_flat_set_entry(accel_local *local, const accel_type *type, const void *key,
                                  uint64_t hash, const void *value_or_null,
                                  const accel_lifetime *life, const accel_gate *gate_or_null)
{
  const flat_write write = {.hash = hash, .gate = gate_or_null, .raises = true};
  const accel_status status =
      flat_store(flat_state_of(local), type, &write, key, value_or_null, life);
  if (status != ACCEL_OK) accel_flat_del(local, type, key, hash);
  return status;
}

void accel_flat_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  flat_state *state = flat_state_of(local);
  const flat_view view = accel_flat_lock(state, hash);
  flat_raise(state, hash);
  const flat_entry entry = accel_flat_find(type, &view, key);
  const bool is_doomed = entry.slot != NULL && accel_flat_remove(state, type, &entry);
  accel_flat_unlock(&view);
  if (is_doomed) accel_flat_discard(state, type, &entry);
}

/* ---- the whole table ---- */

void accel_flat_expire_all(accel_local *local)
{
  accel_add_acq_rel(&local->epoch, 1u);
}

void accel_flat_stats(accel_local *local, accel_local_stats *out)
{
  flat_state *state = flat_state_of(local);
  out->entries = accel_load_relaxed(&state->budget.entries);
  out->weight = accel_load_relaxed(&state->budget.weight);
  out->memory_bytes = sizeof *state + sizeof(accel_flat_table) +
                      accel_load_relaxed(&state->pages_bytes) +
                      accel_load_relaxed(&state->string_bytes);
}

#include "flat_table.h"

#include <stdlib.h>

/* ---- keys ---- */

/* A string's place: its bytes with the final 0, or a pointer to them and a mark in the last. */
static bool flat_table_is_long(const char *place)
{
  return place[ACCEL_FLAT_STRING_SIZE - 1] != 0;
}

static char *flat_table_long_text(const char *place)
{
  char *text;
  memcpy(&text, place, sizeof text);
  return text;
}

static const char *flat_table_key_place(const flat_entry *entry)
{
  return (const char *)entry->slot + entry->table->key_offset;
}

const void *accel_flat_key(const accel_type *type, const flat_entry *entry, const char **text)
{
  const char *place = flat_table_key_place(entry);
  if (type->key_kind != ACCEL_KEY_STRING) return place;
  *text = flat_table_is_long(place) ? flat_table_long_text(place) : place;
  return text;
}

uint64_t accel_flat_hash_of(const flat_state *state, const accel_type *type,
                            const flat_entry *entry)
{
  const char *text;
  const uint64_t hash = type->hash(accel_flat_key(type, entry, &text), state->seed);
  return accel_flat_mix(state->mixes, hash);
}

/* What has to be released by other code than ours. */
bool accel_flat_owns(const accel_type *type, const flat_entry *entry)
{
  if (!entry->table->is_plain && !flat_is_negative(entry)) return true;
  return type->key_kind == ACCEL_KEY_STRING && flat_table_is_long(flat_table_key_place(entry));
}

static ACCEL_THREAD_LOCAL unsigned flat_table_drops; /* that this thread is in */

void accel_flat_drop(const accel_type *type, void *value)
{
  flat_table_drops++;
  type->drop(value);
  ACCEL_ASSERT(flat_table_drops > 0);
  flat_table_drops--;
}

bool accel_flat_is_dropping(void)
{
  return flat_table_drops > 0;
}

void accel_flat_release(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  if (!entry->table->is_plain && !flat_is_negative(entry))
    accel_flat_drop(type, flat_value_of(entry));
  const char *place = flat_table_key_place(entry);
  if (type->key_kind != ACCEL_KEY_STRING || !flat_table_is_long(place)) return;
  char *text = flat_table_long_text(place);
  ACCEL_ASSERT(strlen(text) + 1 > ACCEL_FLAT_STRING_SIZE); /* else it would lie in the slot */
  ACCEL_ASSERT(accel_load_relaxed(&state->string_bytes) > strlen(text));
  accel_sub_acq_rel(&state->string_bytes, strlen(text) + 1);
  ACCEL_FREE(text);
}

/* ---- locking and finding ---- */

accel_flat_view accel_flat_view_of(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, uint64_t mixed)
{
  accel_flat_view view;
  view.table = table;
  view.stripe_index = accel_flat_scale(mixed, table->stripe_count);
  view.stripe = &table->stripes[view.stripe_index];
  view.start = view.stripe_index * table->stripe_sets;
  view.mixed = mixed;
  view.tag = accel_flat_tag(mixed);
  view.indices[0] = accel_flat_first_set(table, mixed);
  view.indices[1] = accel_flat_partner(table, view.start, view.indices[0], view.tag);
  view.sets[0] = &table->sets[view.indices[0]];
  view.sets[1] = &table->sets[view.indices[1]];
  view.epoch = 0;
  view.newcomer = NULL;
  view.state = state;
  view.type = type;
  return view;
}

/* What the stripe counts is of this era. No thread is to be cancelled in the user's equality. */
static bool flat_table_lock(accel_flat_view *view)
{
  flat_stripe *stripe = view->stripe;
  if (view->state->mixes) accel_cancel_hold();
  accel_mutex_lock(&stripe->mutex);
  if (stripe->table != view->table) {
    accel_flat_unlock(view);
    return false;
  }
  view->epoch = accel_load_acquire(&view->state->front.local.epoch);
  if (stripe->era == flat_era_of(view->epoch)) return true;
  ACCEL_ASSERT(stripe->era < flat_era_of(view->epoch));
  ACCEL_ASSERT(view->table->stripe_sets > 0);
  accel_store_relaxed(&stripe->entries, (size_t)0);
  accel_store_relaxed(&stripe->weight, (size_t)0);
  accel_store_relaxed(&stripe->era, flat_era_of(view->epoch));
  accel_store_relaxed(&stripe->swept, 0u);
  return true;
}

bool accel_flat_lock_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                         uint64_t index, accel_flat_view *view)
{
  ACCEL_ASSERT(index < table->set_count);
  memset(view, 0, sizeof *view);
  view->table = table;
  view->stripe_index = index / table->stripe_sets;
  view->stripe = &table->stripes[view->stripe_index];
  view->start = view->stripe_index * table->stripe_sets;
  view->indices[0] = view->indices[1] = index;
  view->sets[0] = view->sets[1] = &table->sets[index];
  view->state = state;
  view->type = type;
  return flat_table_lock(view);
}

void accel_flat_wait_resized(flat_state *state)
{
  accel_mutex_lock(&state->resizing);
  accel_mutex_unlock(&state->resizing);
}

void accel_flat_lock(flat_state *state, const accel_type *type, uint64_t hash,
                     accel_flat_view *view)
{
  const uint64_t mixed = accel_flat_mix(state->mixes, hash);
  for (;;) {
    *view = accel_flat_view_of(state, type, accel_load_acquire(&state->front.table), mixed);
    __builtin_prefetch(view->sets[0], 1); /* while the mutex is being had */
    __builtin_prefetch(view->sets[1], 1);
    if (flat_table_lock(view)) return;
    accel_flat_wait_resized(state);
  }
}

void accel_flat_unlock(const accel_flat_view *view)
{
  accel_mutex_unlock(&view->stripe->mutex);
  if (view->state->mixes) accel_cancel_release();
}

static flat_entry flat_table_find_in(const accel_flat_view *view, unsigned which, const void *key)
{
  const flat_entry none = {0};
  const accel_flat_set *set = view->sets[which];
  if (flat_is_cleared(set, view->epoch)) return none;
  for (unsigned left = accel_flat_match(flat_tags(set), view->tag); left != 0; left &= left - 1) {
    const flat_entry entry = flat_entry_in(view, which, left);
    const char *text;
    if (view->type->equal(key, accel_flat_key(view->type, &entry, &text))) return entry;
  }
  return none;
}

flat_entry accel_flat_find(const accel_flat_view *view, const void *key)
{
  const flat_entry entry = flat_table_find_in(view, 0, key);
  return entry.slot != NULL ? entry : flat_table_find_in(view, 1, key);
}

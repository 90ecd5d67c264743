/* flat_hit.c: what a hit calls: whether an entry is due, and reading under the mutex, which also
 * pins. */
#include "flat_hit.h"

#include "flat_table.h"

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
  found->life = flat_lifetime_of(state, &entry);
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
  const unsigned char *slot = (const unsigned char *)pin->value - table->value_offset;
  const size_t place = (size_t)(slot - table->slots) / table->slot_size;
  const size_t sets = (size_t)table->set_count;
  const flat_entry entry = flat_entry_at(table, place % sets, (unsigned)(place / sets));
  accel_flat_unpin_entry(flat_state_of(pin->local), type, &entry);
  memset(pin, 0, sizeof *pin);
}

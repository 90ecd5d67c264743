/* flat_entry.c: the steps of a write: a slot, its content, its tag; removal, quota and pins. */
#include "flat_table.h"

#include <stdlib.h>

/* ---- the quota ---- */

bool accel_flat_afford(const accel_flat_view *view, ptrdiff_t entries, ptrdiff_t weight)
{
  flat_stripe *stripe = view->stripe;
  if ((entries != 0 || weight != 0) && !accel_quota_take(&view->state->quota, entries, weight))
    return false;
  ACCEL_ASSERT(entries >= 0 || stripe->entries >= (size_t)-entries);
  ACCEL_ASSERT(weight >= 0 || stripe->weight >= (size_t)-weight);
  accel_store_relaxed(&stripe->entries, stripe->entries + (size_t)entries);
  accel_store_relaxed(&stripe->weight, stripe->weight + (size_t)weight);
  return true;
}

void accel_flat_refund(flat_state *state, flat_stripe *stripe, size_t weight)
{
  ACCEL_ASSERT(stripe->entries > 0);
  ACCEL_ASSERT(stripe->weight >= weight);
  accel_quota_give(&state->quota, 1, weight);
  accel_store_relaxed(&stripe->entries, stripe->entries - 1);
  accel_store_relaxed(&stripe->weight, stripe->weight - weight);
}

/* ---- an empty slot ---- */

flat_entry accel_flat_find_empty(const accel_flat_view *view)
{
  const unsigned first = flat_empty_ways(view->sets[0]);
  if (first != 0) return flat_entry_in(view, 0, first);
  const flat_entry none = {0};
  const unsigned second = flat_empty_ways(view->sets[1]);
  return second != 0 ? flat_entry_in(view, 1, second) : none;
}

void accel_flat_copy_slot(const accel_flat_view *view, const flat_entry *from, const flat_entry *to)
{
  ACCEL_ASSERT(flat_tag_of(to->set, to->way) == ACCEL_FLAT_EMPTY);
  ACCEL_ASSERT(flat_is_live(from));
  flat_raise_version(view->stripe, to->set);
  const uint64_t *words = (const uint64_t *)(const void *)from->slot;
  for (size_t i = 0; i * sizeof *words < view->table->slot_size; i++)
    accel_store_release(accel_flat_words(to->slot, 0) + i, words[i]);
}

/* An entry that may have its birth and end in any epoch keeps what it is: see publish. */
void accel_flat_move(const accel_flat_view *view, const flat_entry *from, const flat_entry *to)
{
  const accel_flat_set *old = from->set;
  ACCEL_ASSERT(!flat_is_pinned(from));
  ACCEL_ASSERT(to->set != old && to->table == from->table);
  const uint64_t epoch = accel_flat_epoch_of(old->current);
  const bool is_current = accel_flat_is_current(old, from->way, epoch);
  accel_flat_copy_slot(view, from, to);
  const uint8_t used = accel_load_relaxed(&old->used[from->way]);
  accel_flat_publish(to, flat_tag_of(old, from->way), is_current ? epoch : 0, used);
  flat_raise_version(view->stripe, to->set);
  flat_set_tag(from->set, from->way, ACCEL_FLAT_EMPTY);
}

/* An entry of the set that has room in its other set, and where: the coldest, and of several the
 * last, the youngest in a set that was never full. Readers find it a little later where it goes. */
static bool flat_entry_find_movable(const accel_flat_view *view, unsigned which, flat_entry *from,
                                    flat_entry *to)
{
  accel_flat_table *table = view->table;
  const accel_flat_set *set = view->sets[which];
  unsigned coldest = ACCEL_POLICY_RANKS;
  for (unsigned ways = flat_live_ways(set) & ~(unsigned)set->pinned; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_in(view, which, ways);
    const uint64_t tag = flat_tag_of(set, entry.way);
    const uint64_t other = accel_flat_partner(table, view->start, view->indices[which], tag);
    const unsigned room = flat_empty_ways(&table->sets[other]);
    if (room == 0 || flat_is_cleared(&table->sets[other], view->epoch)) continue;
    const unsigned rank = table->policy->rank(set, entry.way);
    if (rank > coldest) continue;
    coldest = rank;
    *from = entry;
    *to = flat_entry_first(table, other, room);
  }
  return coldest < ACCEL_POLICY_RANKS;
}

static bool flat_entry_make_room(const accel_flat_view *view, unsigned which, flat_entry *empty)
{
  flat_entry to;
  if (!flat_entry_find_movable(view, which, empty, &to)) return false;
  accel_flat_move(view, empty, &to);
  return true;
}

flat_entry accel_flat_make_empty(const accel_flat_view *view)
{
  flat_entry empty;
  const flat_entry none = {0};
  if (flat_entry_make_room(view, 0, &empty)) return empty;
  return flat_entry_make_room(view, 1, &empty) ? empty : none;
}

/* ---- content ---- */

static void flat_entry_write_bytes(accel_flat_word *to, const void *from, size_t size)
{
  const char *bytes = (const char *)from;
  const char *const pairs_end = bytes + (size & ~(size_t)15);
  for (; bytes != pairs_end; bytes += 16, to += 2) {
    accel_flat_pair pair;
    memcpy(&pair, bytes, sizeof pair);
    accel_flat_store_pair(to, pair);
  }
  uint64_t word;
  if ((size & 8) != 0) {
    memcpy(&word, bytes, sizeof word);
    accel_store_release(to++, word);
    bytes += sizeof word;
  }
  if ((size & 7) == 0) return;
  word = 0;
  memcpy(&word, bytes, size & 7);
  accel_store_release(to, word);
}

static void flat_entry_write_key(const accel_type *type, const flat_entry *entry,
                                 const flat_content *content)
{
  accel_flat_word *to = accel_flat_words(entry->slot, entry->table->key_offset);
  if (type->key_kind != ACCEL_KEY_STRING) {
    flat_entry_write_bytes(to, content->key, type->key_size);
    return;
  }
  char place[ACCEL_FLAT_STRING_SIZE] = {0};
  if (content->text != NULL) {
    memcpy(place, &content->text, sizeof content->text);
    place[ACCEL_FLAT_STRING_SIZE - 1] = 1;
  } else {
    const char *text = *(const char *const *)content->key;
    memcpy(place, text, strlen(text) + 1);
  }
  flat_entry_write_bytes(to, place, sizeof place);
}

void accel_flat_write(const accel_flat_view *view, const flat_entry *entry,
                      const flat_content *content)
{
  const uint64_t head =
      accel_flat_pack(view->state->front.base_ms, content->lifetime, content->value == NULL);
  ACCEL_ASSERT(flat_tag_of(entry->set, entry->way) == ACCEL_FLAT_EMPTY);
  ACCEL_ASSERT(!flat_is_pinned(entry));
  flat_raise_version(view->stripe, entry->set);
  accel_store_release(accel_flat_words(entry->slot, 0), head);
  if (entry->table->weighs)
    accel_store_release(accel_flat_words(entry->slot, sizeof head), (uint64_t)content->weight);
  flat_entry_write_key(view->type, entry, content);
  accel_flat_word *to = accel_flat_words(entry->slot, entry->table->value_offset);
  if (content->value != NULL) flat_entry_write_bytes(to, content->value, view->type->value_size);
}

/* Readers that do take the mutex see one or the other; those that do not see nothing of either. */
bool accel_flat_swap(const accel_flat_view *view, const flat_entry *entry, flat_content *content)
{
  ACCEL_ASSERT(flat_is_live(entry));
  ACCEL_ASSERT(!flat_is_pinned(entry));
  const bool has_value = !entry->table->is_plain && !flat_is_negative(entry);
  void *spare = content->owned != NULL ? content->owned : content->spare;
  if (has_value && spare == NULL) return false;
  const size_t size = view->type->value_size;
  unsigned char *old = (unsigned char *)flat_value_of(entry);
  const uint64_t head =
      accel_flat_pack(view->state->front.base_ms, content->lifetime, content->value == NULL);
  flat_raise_version(view->stripe, entry->set);
  accel_store_release(accel_flat_words(entry->slot, 0), head);
  if (entry->table->weighs)
    accel_store_release(accel_flat_words(entry->slot, sizeof head), (uint64_t)content->weight);
  if (!has_value || content->value == NULL) {
    if (has_value) memcpy(spare, old, size);
    if (content->value != NULL)
      flat_entry_write_bytes(accel_flat_words(old, 0), content->value, size);
  } else {
    for (size_t i = 0; i < size; i++) {
      const unsigned char byte = old[i];
      old[i] = ((unsigned char *)spare)[i];
      ((unsigned char *)spare)[i] = byte;
    }
  }
  content->owned = has_value ? spare : NULL;
  return true;
}

/* The entry may go once it has expired. */
static void flat_entry_note_expiry(const flat_entry *entry)
{
  accel_flat_set *set = entry->set;
  const uint64_t head = flat_head_of(entry);
  const uint32_t coarse = (uint32_t)(head >> (ACCEL_FLAT_TIME_SHIFT + ACCEL_FLAT_COARSE_SHIFT));
  if (accel_flat_expires(head) && coarse < flat_soonest(set)) flat_set_soonest(set, coarse);
}

/* An entry of an older epoch than the set's is not of the set's. */
void accel_flat_publish(const flat_entry *entry, uint64_t tag, uint64_t epoch, uint8_t used)
{
  ACCEL_ASSERT(tag >= ACCEL_FLAT_TAG_MIN);
  ACCEL_ASSERT(epoch == accel_flat_epoch_of(epoch));
  accel_flat_set *set = entry->set;
  const uint64_t bit = (uint64_t)1 << entry->way;
  const uint64_t set_epoch = accel_flat_epoch_of(set->current);
  uint64_t current = epoch == set_epoch ? set->current & ~bit : set->current | bit;
  if (epoch > set_epoch) current = epoch | (flat_live_ways(set) & ~bit);
  accel_store_release(&set->current, current);
  flat_entry_note_expiry(entry);
  accel_store_relaxed(&set->used[entry->way], used);
  flat_set_tag(set, entry->way, tag);
}

/* ---- taking out ---- */

static void flat_entry_defer_free(flat_pending_frees *pending, const flat_entry *entry)
{
  unsigned i = 0;
  const uint64_t index = flat_index_of(entry);
  while (i < pending->count && pending->indices[i] != index) i++;
  ACCEL_ASSERT(i < FLAT_PENDING_SETS);
  if (i == pending->count) {
    pending->table = entry->table;
    pending->indices[i] = index;
    pending->ways[i] = 0;
    pending->count++;
  }
  pending->ways[i] |= 1u << entry->way;
}

void accel_flat_unlink(const accel_type *type, const flat_entry *entry, flat_pending_frees *pending)
{
  ACCEL_ASSERT(flat_tag_of(entry->set, entry->way) != ACCEL_FLAT_EMPTY);
  ACCEL_ASSERT(pending->count == 0 || pending->table == entry->table);
  const bool is_pinned = flat_is_pinned(entry);
  const bool is_pending = !is_pinned && accel_flat_owns(type, entry);
  const uint64_t tag = is_pinned || is_pending ? ACCEL_FLAT_REMOVED : ACCEL_FLAT_EMPTY;
  flat_set_tag(entry->set, entry->way, tag);
  if (is_pending) flat_entry_defer_free(pending, entry);
}

void accel_flat_remove(const accel_flat_view *view, const flat_entry *entry,
                       flat_pending_frees *pending)
{
  ACCEL_ASSERT(flat_is_live(entry));
  ACCEL_ASSERT(!flat_is_cleared(entry->set, view->epoch));
  if (!flat_is_pinned(entry)) accel_flat_refund(view->state, view->stripe, flat_weight_of(entry));
  accel_flat_unlink(view->type, entry, pending);
}

/* The stripe counts only what is of its era. */
unsigned accel_flat_unlink_cleared(const accel_flat_view *view, uint64_t index,
                                   flat_pending_frees *pending)
{
  unsigned freed = 0;
  accel_flat_set *set = &view->table->sets[index];
  if (!flat_is_cleared(set, view->epoch)) return 0;
  for (unsigned ways = flat_live_ways(set); ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(view->table, index, ways);
    if (!flat_is_pinned(&entry)) {
      accel_quota_give(&view->state->quota, 1, flat_weight_of(&entry));
      freed++;
    }
    accel_flat_unlink(view->type, &entry, pending);
  }
  const uint64_t epoch = flat_era_of(view->epoch) << ACCEL_FLAT_ERA_SHIFT;
  flat_set_soonest(set, UINT32_MAX);
  accel_store_release(&set->current, epoch);
  return freed;
}

#define FLAT_SWEPT_AT_ONCE 2u

unsigned accel_flat_sweep(const accel_flat_view *view, flat_pending_frees *pending)
{
  flat_stripe *stripe = view->stripe;
  unsigned freed = 0;
  ACCEL_ASSERT(stripe->era == flat_era_of(view->epoch));
  ACCEL_ASSERT(stripe->swept <= view->table->stripe_sets);
  for (unsigned i = 0; i < FLAT_SWEPT_AT_ONCE && stripe->swept < view->table->stripe_sets; i++) {
    freed += accel_flat_unlink_cleared(view, view->start + stripe->swept, pending);
    accel_store_relaxed(&stripe->swept, stripe->swept + 1);
  }
  return freed;
}

void accel_flat_free_pending(flat_state *state, const accel_type *type,
                             const flat_pending_frees *pending)
{
  for (unsigned i = 0; i < pending->count; i++) {
    for (unsigned ways = pending->ways[i]; ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(pending->table, pending->indices[i], ways);
      accel_flat_release(state, type, &entry);
    }
    flat_stripe *stripe = flat_stripe_of(pending->table, pending->indices[i]);
    accel_mutex_lock(&stripe->mutex);
    for (unsigned ways = pending->ways[i]; ways != 0; ways &= ways - 1)
      flat_set_tag(&pending->table->sets[pending->indices[i]], (unsigned)__builtin_ctz(ways),
                   ACCEL_FLAT_EMPTY);
    const bool is_counted = stripe->is_counted;
    accel_mutex_unlock(&stripe->mutex);
    if (is_counted)
      accel_flat_region_release(pending->table->region,
                                (size_t)__builtin_popcount(pending->ways[i]));
  }
}

/* ---- pins ---- */

static uint32_t flat_entry_place(const flat_entry *entry)
{
  const uint64_t index = flat_index_of(entry);
  const uint64_t place = index - flat_start_of(entry->table, index);
  return (uint32_t)(place * ACCEL_FLAT_WAYS + entry->way);
}

/* The entry's record, or the one behind the last. */
static flat_pin *flat_entry_find_pin(const flat_stripe *stripe, uint32_t place)
{
  flat_pin *pin = stripe->pins;
  while (pin < stripe->pins + stripe->pin_count && pin->place != place) pin++;
  return pin;
}

const flat_pin *accel_flat_find_pin(const flat_entry *entry)
{
  const flat_stripe *stripe = flat_stripe_of(entry->table, flat_index_of(entry));
  const flat_pin *pin = flat_entry_find_pin(stripe, flat_entry_place(entry));
  return pin == stripe->pins + stripe->pin_count ? NULL : pin;
}

static bool flat_entry_grow_pins(flat_stripe *stripe)
{
  const uint32_t space = stripe->pin_space == 0 ? FLAT_PINS_INSIDE : stripe->pin_space;
  if (stripe->pin_count < space) return true;
  if (space > UINT32_MAX / 2) return false;
  flat_pin *pins = (flat_pin *)ACCEL_MALLOC(2 * (size_t)space * sizeof *pins);
  if (pins == NULL) return false;
  memcpy(pins, stripe->pins, stripe->pin_count * sizeof *pins);
  if (stripe->pin_space > 0) ACCEL_FREE(stripe->pins);
  stripe->pins = pins;
  stripe->pin_space = 2 * space;
  return true;
}

bool accel_flat_pin_entry(const accel_flat_view *view, const flat_entry *entry)
{
  flat_stripe *stripe = view->stripe;
  accel_flat_set *set = entry->set;
  const uint32_t place = flat_entry_place(entry);
  ACCEL_ASSERT(flat_is_live(entry));
  if (flat_is_pinned(entry)) {
    ACCEL_ASSERT(accel_flat_find_pin(entry) != NULL);
    flat_entry_find_pin(stripe, place)->count++;
    return true;
  }
  if (!flat_entry_grow_pins(stripe)) return false;
  stripe->pins[stripe->pin_count++] = (flat_pin){place, 1, (uint32_t)stripe->era};
  set->pinned = (uint16_t)(set->pinned | 1u << entry->way);
  return true;
}

/* True: that was the last pin of an entry that was removed meanwhile. */
static bool flat_entry_drop_pin(const flat_entry *entry, flat_stripe *stripe, flat_pin *pin)
{
  accel_flat_set *set = entry->set;
  ACCEL_ASSERT(pin < stripe->pins + stripe->pin_count);
  ACCEL_ASSERT(pin->count > 0 && flat_is_pinned(entry));
  if (--pin->count > 0) return false;
  *pin = stripe->pins[--stripe->pin_count];
  set->pinned = (uint16_t)(set->pinned & ~(1u << entry->way));
  if (!flat_is_live(entry)) return true;
  flat_entry_note_expiry(entry); /* searches for victims passed it by meanwhile */
  return false;
}

void accel_flat_unpin_entry(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  flat_pending_frees pending = {0};
  flat_stripe *stripe = flat_stripe_of(entry->table, flat_index_of(entry));
  accel_mutex_lock(&stripe->mutex);
  flat_pin *pin = flat_entry_find_pin(stripe, flat_entry_place(entry));
  const bool is_of_era = pin->era == (uint32_t)stripe->era;
  bool is_awaited = false;
  if (flat_entry_drop_pin(entry, stripe, pin)) {
    if (is_of_era)
      accel_flat_refund(state, stripe, flat_weight_of(entry));
    else
      accel_quota_give(&state->quota, 1, flat_weight_of(entry));
    accel_flat_unlink(type, entry, &pending);
    is_awaited = stripe->is_counted && pending.count == 0;
  }
  accel_mutex_unlock(&stripe->mutex);
  accel_flat_free_pending(state, type, &pending);
  if (is_awaited) accel_flat_region_release(entry->table->region, 1);
}

#include "flat_table.h"

#include "../../accel/platform/system.h"

#include <stdlib.h>

#define FLAT_SLACK 32u       /* one more slot for so many */
#define FLAT_STRIPE_SETS 64u /* fewer in a stripe would make some overflow while others have room */

/* ---- memory ---- */

static bool flat_table_add(size_t *sum, size_t count, size_t size)
{
  size_t product;
  return !__builtin_mul_overflow(count, size, &product) &&
         !__builtin_add_overflow(*sum, product, sum);
}

/* The pages hold the stripes, then the sets, then the slots. False: too large to exist. */
static bool flat_table_plan(const accel_type *type, size_t capacity, accel_flat_table *table)
{
  table->key_offset = accel_flat_key_offset(type);
  table->value_offset = accel_flat_value_offset(type);
  table->slot_size = accel_flat_slot_size(type);
  table->is_plain = accel_type_is_plain(type);
  table->weighs = type->traits().has_weigh;
  size_t slots = capacity;
  if (!flat_table_add(&slots, 1, capacity / FLAT_SLACK + 1)) return false;
  const size_t sets = slots / ACCEL_FLAT_WAYS + (slots % ACCEL_FLAT_WAYS != 0);
  size_t stripes = 1;
  while (stripes < ACCEL_FLAT_STRIPES_MAX && sets / (stripes * 2) >= FLAT_STRIPE_SETS) stripes *= 2;
  table->stripe_mask = stripes - 1;
  table->stripe_sets = sets / stripes + (sets % stripes != 0);
  const size_t all_sets = stripes * (size_t)table->stripe_sets;
  table->kept_size = stripes * sizeof(flat_stripe);
  table->pages_size = table->kept_size;
  return table->stripe_sets <= UINT32_MAX &&
         flat_table_add(&table->pages_size, all_sets, sizeof(accel_flat_set)) &&
         flat_table_add(&table->pages_size, all_sets, ACCEL_FLAT_WAYS * table->slot_size);
}

static void flat_table_close_stripes(accel_flat_table *table, uint64_t count)
{
  for (uint64_t i = 0; i < count; i++) accel_mutex_close(&table->stripes[i].mutex);
}

static bool flat_table_open_stripes(accel_flat_table *table)
{
  for (uint64_t i = 0; i <= table->stripe_mask; i++) {
    if (accel_mutex_open(&table->stripes[i].mutex)) continue;
    flat_table_close_stripes(table, i);
    return false;
  }
  return true;
}

accel_flat_table *accel_flat_table_open(flat_state *state, const accel_type *type, size_t capacity)
{
  accel_flat_table *table = (accel_flat_table *)ACCEL_MALLOC(sizeof *table);
  if (table == NULL) return NULL;
  memset(table, 0, sizeof *table);
  if (!flat_table_plan(type, capacity, table)) goto fail;
  table->pages = ACCEL_PAGES_ALLOC(table->pages_size);
  if (table->pages == NULL) goto fail;
  ACCEL_ASSERT((uintptr_t)table->pages % ACCEL_CACHE_LINE == 0);
  const size_t all_sets = (size_t)flat_count_sets(table);
  table->stripes = (flat_stripe *)table->pages;
  table->sets = (accel_flat_set *)(void *)((unsigned char *)table->pages + table->kept_size);
  table->slots = (unsigned char *)(table->sets + all_sets);
  if (!flat_table_open_stripes(table)) goto fail_pages;
  for (size_t i = 0; i < all_sets; i++) table->sets[i].soonest_ms = ACCEL_NEVER;
  accel_add_relaxed(&state->pages_bytes, table->pages_size);
  return table;

fail_pages:
  ACCEL_PAGES_FREE(table->pages, table->pages_size);
fail:
  ACCEL_FREE(table);
  return NULL;
}

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

/* What has to be released by other code than ours. */
bool accel_flat_owns(const accel_type *type, const flat_entry *entry)
{
  if (!entry->table->is_plain && !flat_is_negative(entry->slot)) return true;
  return type->key_kind == ACCEL_KEY_STRING && flat_table_is_long(flat_table_key_place(entry));
}

static void flat_table_release(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  if (!entry->table->is_plain && !flat_is_negative(entry->slot)) type->drop(flat_value_of(entry));
  const char *place = flat_table_key_place(entry);
  if (type->key_kind != ACCEL_KEY_STRING || !flat_table_is_long(place)) return;
  char *text = flat_table_long_text(place);
  accel_sub_acq_rel(&state->string_bytes, strlen(text) + 1);
  ACCEL_FREE(text);
}

void accel_flat_table_close(flat_state *state, const accel_type *type, accel_flat_table *table)
{
  const uint64_t all_sets = flat_count_sets(table);
  for (uint64_t set = 0; set < all_sets; set++) {
    for (unsigned ways = flat_live_ways(&table->sets[set]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, set, ways);
      flat_table_release(state, type, &entry);
    }
  }
  flat_table_close_stripes(table, table->stripe_mask + 1);
  ACCEL_PAGES_FREE(table->pages, table->pages_size);
  ACCEL_FREE(table);
}

/* ---- locking and finding ---- */

bool accel_flat_lock_set(accel_flat_table *table, uint64_t set)
{
  flat_stripe *stripe = flat_stripe_of(table, set);
  accel_mutex_lock(&stripe->mutex);
  if (!stripe->is_closed) return true;
  accel_mutex_unlock(&stripe->mutex);
  return false;
}

void accel_flat_unlock_set(accel_flat_table *table, uint64_t set)
{
  accel_mutex_unlock(&flat_stripe_of(table, set)->mutex);
}

void accel_flat_wait_resized(flat_state *state)
{
  accel_mutex_lock(&state->resizing);
  accel_mutex_unlock(&state->resizing);
}

flat_view accel_flat_lock(flat_state *state, uint64_t hash)
{
  const uint64_t mixed = accel_flat_mix(state->mixes, hash);
  for (;;) {
    const flat_view view = flat_view_of(accel_load_acquire(&state->front.table), mixed);
    if (accel_flat_lock_set(view.table, view.first)) return view;
    accel_flat_wait_resized(state);
  }
}

void accel_flat_unlock(const flat_view *view)
{
  accel_flat_unlock_set(view->table, view->first);
}

static flat_entry flat_table_find_in(const accel_type *type, const flat_view *view, uint64_t set,
                                     const void *key)
{
  uint64_t left = accel_flat_match(&view->table->sets[set], view->tag);
  for (; left != 0; left &= left - 1) {
    const flat_entry entry = flat_entry_at(view->table, set, accel_flat_first_way(left));
    const char *text;
    if (type->equal(key, accel_flat_key(type, &entry, &text))) return entry;
  }
  const flat_entry none = {0};
  return none;
}

flat_entry accel_flat_find(const accel_type *type, const flat_view *view, const void *key)
{
  const flat_entry entry = flat_table_find_in(type, view, view->first, key);
  return entry.slot != NULL ? entry : flat_table_find_in(type, view, view->second, key);
}

flat_entry accel_flat_find_empty(const flat_view *view)
{
  const accel_flat_set *sets = view->table->sets;
  const bool is_first = sets[view->first].taken_count <= sets[view->second].taken_count;
  const uint64_t set = is_first ? view->first : view->second;
  const unsigned ways = FLAT_ALL_WAYS & ~(unsigned)sets[set].taken;
  const flat_entry none = {0};
  return ways == 0 ? none : flat_entry_first(view->table, set, ways);
}

/* ---- writing ---- */

static uint64_t flat_table_after(uint64_t born_ms, uint64_t moment_ms)
{
  if (moment_ms == ACCEL_NEVER) return ACCEL_FOREVER;
  if (moment_ms <= born_ms) return 0;
  const uint64_t after = moment_ms - born_ms;
  return after < ACCEL_FOREVER ? after : ACCEL_FOREVER - 1;
}

static void flat_table_write_bytes(accel_flat_word *to, const void *from, size_t size)
{
  const char *next = (const char *)from;
  for (; size >= 8; size -= 8, next += 8, to++) {
    uint64_t word;
    memcpy(&word, next, 8);
    accel_store_release(to, word);
  }
  if (size == 0) return;
  uint64_t word = 0;
  memcpy(&word, next, size);
  accel_store_release(to, word);
}

static void flat_table_write_key(const accel_type *type, const flat_entry *entry,
                                 const flat_content *content)
{
  accel_flat_word *to = accel_flat_words(entry->slot, entry->table->key_offset);
  if (type->key_kind != ACCEL_KEY_STRING) {
    flat_table_write_bytes(to, content->key, type->key_size);
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
  flat_table_write_bytes(to, place, sizeof place);
}

void accel_flat_write(const accel_type *type, const flat_entry *entry, const flat_content *content)
{
  accel_flat_slot *slot = entry->slot;
  const accel_lifetime *life = content->life;
  const uint64_t expires = flat_table_after(life->born_ms, life->expires_ms);
  uint64_t refresh = flat_table_after(life->born_ms, life->refresh_ms);
  if (refresh > expires) refresh = expires;
  const uint32_t sequence = slot->sequence;
  accel_store_relaxed(&slot->sequence, sequence + 1);
  accel_store_release(&slot->born_ms, life->born_ms);
  accel_store_release(&slot->after, refresh | expires << 32);
  accel_store_release(&slot->state, content->value == NULL ? ACCEL_FLAT_NEGATIVE : 0u);
  if (entry->table->weighs)
    accel_store_release((uint64_t *)(void *)(slot + 1), (uint64_t)content->weight);
  flat_table_write_key(type, entry, content);
  accel_flat_word *to = accel_flat_words(slot, entry->table->value_offset);
  if (content->value != NULL) flat_table_write_bytes(to, content->value, type->value_size);
  accel_store_release(&slot->sequence, sequence + 2);
}

void accel_flat_publish(const flat_entry *entry, uint64_t tag, uint64_t epoch, uint8_t used)
{
  accel_flat_set *set = flat_set_of(entry);
  const uint64_t bit = (uint64_t)1 << entry->way;
  const bool is_newer = set->current >> 16 != (epoch & (UINT64_MAX >> 16));
  const uint64_t current = is_newer ? epoch << 16 | bit : set->current | bit;
  const uint64_t expires_ms = flat_expires_ms(entry->slot);
  accel_store_release(&set->current, current);
  if (expires_ms < set->soonest_ms) set->soonest_ms = expires_ms;
  accel_store_relaxed(&set->used[entry->way], used);
  flat_set_tag(set, entry->way, tag);
}

bool accel_flat_unlink(const accel_type *type, const flat_entry *entry)
{
  const bool is_pinned = flat_pins(entry->slot) > 0;
  const bool is_doomed = !is_pinned && accel_flat_owns(type, entry);
  const uint64_t tag = is_pinned || is_doomed ? ACCEL_FLAT_REMOVED : ACCEL_FLAT_EMPTY;
  flat_set_tag(flat_set_of(entry), entry->way, tag);
  return is_doomed;
}

bool accel_flat_remove(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  if (flat_pins(entry->slot) == 0) accel_budget_give(&state->budget, 1, flat_weight_of(entry));
  return accel_flat_unlink(type, entry);
}

void accel_flat_discard(flat_state *state, const accel_type *type, const flat_entry *doomed)
{
  flat_table_release(state, type, doomed);
  accel_mutex *mutex = &flat_stripe_of(doomed->table, doomed->set)->mutex;
  accel_mutex_lock(mutex);
  flat_set_tag(flat_set_of(doomed), doomed->way, ACCEL_FLAT_EMPTY);
  accel_mutex_unlock(mutex);
}

void accel_flat_unpin_entry(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  accel_mutex *mutex = &flat_stripe_of(entry->table, entry->set)->mutex;
  accel_mutex_lock(mutex);
  ACCEL_ASSERT(flat_pins(entry->slot) > 0);
  accel_store_relaxed(&entry->slot->state, entry->slot->state - 1);
  const bool is_last = flat_pins(entry->slot) == 0 &&
                       flat_tag_of(flat_set_of(entry), entry->way) == ACCEL_FLAT_REMOVED;
  const bool is_doomed = is_last && accel_flat_remove(state, type, entry);
  accel_mutex_unlock(mutex);
  if (is_doomed) accel_flat_discard(state, type, entry);
}

/* ---- retiring ---- */

#define FLAT_TEXT_(name_) #name_
#define FLAT_TEXT(name_) FLAT_TEXT_(name_)

/* Only of the default hook is it known that the pages may be emptied in place. */
static bool flat_table_has_system_pages(void)
{
  return strcmp(FLAT_TEXT(ACCEL_PAGES_ALLOC), "accel_pages_alloc") == 0;
}

/* Readers without the mutex may still be looking: every slot becomes odd for ever before it is
 * emptied, and the addresses stay. */
static void flat_table_empty(accel_flat_table *table, size_t slots)
{
  for (size_t i = 0; i < slots; i++) {
    accel_flat_slot *slot = (accel_flat_slot *)(void *)(table->slots + i * table->slot_size);
    if (slot->sequence != 0) accel_store_relaxed(&slot->sequence, slot->sequence | 1);
  }
  accel_pages_empty((unsigned char *)table->pages + table->kept_size,
                    table->pages_size - table->kept_size);
}

void accel_flat_table_retire(flat_state *state, const accel_type *type, accel_flat_table *table)
{
  const uint64_t all_sets = flat_count_sets(table);
  bool is_in_use = false;
  for (uint64_t index = 0; index < all_sets; index++) {
    accel_flat_set *set = &table->sets[index];
    accel_mutex *mutex = &flat_stripe_of(table, index)->mutex;
    accel_mutex_lock(mutex);
    const unsigned live = flat_live_ways(set);
    is_in_use |= set->taken != set->live;
    for (unsigned ways = live; ways != 0; ways &= ways - 1)
      flat_set_tag(set, (unsigned)__builtin_ctz(ways), ACCEL_FLAT_EMPTY);
    accel_mutex_unlock(mutex);
    for (unsigned ways = live; ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      flat_table_release(state, type, &entry);
    }
  }
  if (is_in_use || !flat_table_has_system_pages()) return;
  flat_table_empty(table, (size_t)all_sets * ACCEL_FLAT_WAYS);
}

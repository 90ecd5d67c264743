#include "flat_table.h"

#include "../../accel/platform/system.h"

#include <stdlib.h>

#define FLAT_SLACK 64u /* one more slot for so many */
#define FLAT_STRIPE_SLOTS \
  2048u /* fewer in a stripe would make some overflow while others have room */

/* ---- memory ---- */

static bool flat_table_add(size_t *sum, size_t count, size_t size)
{
  size_t product;
  return !__builtin_mul_overflow(count, size, &product) &&
         !__builtin_add_overflow(*sum, product, sum);
}

static size_t flat_table_round(size_t size, size_t unit)
{
  return size + (0 - size) % unit;
}

/* How many sets, in how many stripes. False: too many. Each stripe has an even number of sets: the
 * nearest to what was planned that leaves half the slack at least. */
static bool flat_table_plan_sets(size_t capacity, accel_flat_table *table)
{
  size_t slots = capacity, stripes = 1;
  if (!flat_table_add(&slots, 1, capacity / FLAT_SLACK + 1)) return false;
  while (stripes < ACCEL_FLAT_STRIPES_MAX && slots / (stripes * 2) >= FLAT_STRIPE_SLOTS)
    stripes *= 2;
  const size_t pair = (size_t)2 * ACCEL_FLAT_WAYS * stripes; /* slots, of two sets in each */
  const size_t least = slots - capacity / FLAT_SLACK / 2;
  size_t pairs = slots / pair + (slots % pair >= pair / 2);
  pairs += pairs * pair < least;
  table->stripe_count = stripes;
  table->stripe_sets = pairs * 2;
  table->set_count = table->stripe_count * table->stripe_sets;
  return table->stripe_sets <= FLAT_STRIPE_SETS_MAX && table->set_count <= UINT32_MAX;
}

/* The pages hold the stripes, then the sets, the policy's memory, the slots. False: too large to
 * exist. */
static bool flat_table_plan(const accel_type *type, size_t capacity, accel_flat_table *table)
{
  table->key_offset = accel_flat_key_offset(type);
  table->value_offset = accel_flat_value_offset(type);
  table->slot_size = accel_flat_slot_size(type);
  table->is_plain = accel_type_is_plain(type);
  table->weighs = accel_type_has_weigh(type);
  if (!flat_table_plan_sets(capacity, table)) return false;
  const accel_policy *policy = table->policy = accel_policy_of(type);
  const size_t sets = (size_t)table->set_count, stripes = (size_t)table->stripe_count;
  const size_t side = policy->side_size == NULL ? 0 : policy->side_size(capacity, sets, stripes);
  table->side_size = flat_table_round(side, ACCEL_CACHE_LINE);
  table->kept_size = stripes * sizeof(flat_stripe);
  table->pages_size = table->kept_size;
  return table->side_size >= side && flat_table_add(&table->pages_size, 1, table->side_size) &&
         flat_table_add(&table->pages_size, sets, sizeof(accel_flat_set)) &&
         flat_table_add(&table->pages_size, sets, ACCEL_FLAT_WAYS * table->slot_size);
}

static void flat_table_close_stripes(accel_flat_table *table, uint64_t count)
{
  for (uint64_t i = 0; i < count; i++) {
    accel_mutex_close(&table->stripes[i].mutex);
    if (table->stripes[i].pin_space > 0) ACCEL_FREE(table->stripes[i].pins);
  }
}

static bool flat_table_open_stripes(const flat_state *state, accel_flat_table *table)
{
  for (uint64_t i = 0; i < table->stripe_count; i++) {
    flat_stripe *stripe = &table->stripes[i];
    stripe->era = flat_era_of(accel_load_acquire(&state->front.local.epoch));
    stripe->swept = (uint32_t)table->stripe_sets;
    stripe->pins = stripe->inside;
    if (accel_mutex_open(&stripe->mutex)) continue;
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
  const size_t sets = (size_t)table->set_count;
  unsigned char *next = (unsigned char *)table->pages;
  table->stripes = (flat_stripe *)(void *)next;
  next += table->kept_size;
  table->sets = (accel_flat_set *)(void *)next;
  next += sets * sizeof *table->sets;
  table->policy_side = table->side_size == 0 ? NULL : next;
  table->slots = next + table->side_size;
  if (!flat_table_open_stripes(state, table)) goto fail_pages;
  for (size_t i = 0; i < sets; i++) table->sets[i].soonest = UINT32_MAX;
  accel_add_relaxed(&state->pages_bytes, table->pages_size);
  return table;

fail_pages:
  ACCEL_PAGES_FREE(table->pages, table->pages_size);
fail:
  ACCEL_FREE(table);
  return NULL;
}

/* Nobody holds a stripe, unless this is a forked child and a thread of the parent's was changing it
 * just then: what it holds is not looked at, and its values stay where they are. */
static void flat_table_release_stripe(flat_state *state, const accel_type *type,
                                      accel_flat_table *table, uint64_t number)
{
  const uint64_t first = number * table->stripe_sets;
  if (!accel_mutex_try_lock(&table->stripes[number].mutex)) return;
  for (uint64_t set = first; set < first + table->stripe_sets; set++) {
    for (unsigned ways = flat_live_ways(&table->sets[set]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, set, ways);
      accel_flat_release(state, type, &entry);
    }
  }
  accel_mutex_unlock(&table->stripes[number].mutex);
}

void accel_flat_table_close(flat_state *state, const accel_type *type, accel_flat_table *table)
{
  for (uint64_t i = 0; i < table->stripe_count; i++)
    flat_table_release_stripe(state, type, table, i);
  flat_table_close_stripes(table, table->stripe_count);
  ACCEL_PAGES_FREE(table->pages, table->pages_size);
  ACCEL_FREE(table);
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

void accel_flat_release(flat_state *state, const accel_type *type, const flat_entry *entry)
{
  if (!entry->table->is_plain && !flat_is_negative(entry)) type->drop(flat_value_of(entry));
  const char *place = flat_table_key_place(entry);
  if (type->key_kind != ACCEL_KEY_STRING || !flat_table_is_long(place)) return;
  char *text = flat_table_long_text(place);
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

/* What the stripe counts is of this era. */
static bool flat_table_lock(accel_flat_view *view)
{
  flat_stripe *stripe = view->stripe;
  accel_mutex_lock(&stripe->mutex);
  if (stripe->is_closed) {
    accel_mutex_unlock(&stripe->mutex);
    return false;
  }
  view->epoch = accel_load_acquire(&view->state->front.local.epoch);
  if (stripe->era == flat_era_of(view->epoch)) return true;
  accel_store_relaxed(&stripe->entries, (size_t)0);
  accel_store_relaxed(&stripe->weight, (size_t)0);
  accel_store_relaxed(&stripe->era, flat_era_of(view->epoch));
  accel_store_relaxed(&stripe->swept, 0u);
  return true;
}

bool accel_flat_lock_set(flat_state *state, const accel_type *type, accel_flat_table *table,
                         uint64_t index, accel_flat_view *view)
{
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

/* ---- retiring ---- */

#define FLAT_TEXT_(name_) #name_
#define FLAT_TEXT(name_) FLAT_TEXT_(name_)

/* Only of the default hook is it known that the pages may be emptied in place. */
static bool flat_table_has_system_pages(void)
{
  return strcmp(FLAT_TEXT(ACCEL_PAGES_ALLOC), "accel_pages_alloc") == 0;
}

/* Readers without the mutex may still be looking: they find every version raised or gone, and the
 * addresses stay. */
static void flat_table_empty(accel_flat_table *table)
{
  for (uint64_t i = 0; i < table->set_count; i++) flat_raise_version(&table->sets[i]);
  accel_pages_empty((unsigned char *)table->pages + table->kept_size,
                    table->pages_size - table->kept_size);
}

void accel_flat_table_retire(flat_state *state, const accel_type *type, accel_flat_table *table)
{
  bool is_in_use = false;
  for (uint64_t index = 0; index < table->set_count; index++) {
    accel_flat_set *set = &table->sets[index];
    accel_mutex *mutex = &flat_stripe_of(table, index)->mutex;
    accel_mutex_lock(mutex);
    const unsigned live = flat_live_ways(set);
    is_in_use |= flat_removed_ways(set) != 0;
    for (unsigned ways = live; ways != 0; ways &= ways - 1)
      flat_set_tag(set, (unsigned)__builtin_ctz(ways), ACCEL_FLAT_EMPTY);
    accel_mutex_unlock(mutex);
    for (unsigned ways = live; ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      accel_flat_release(state, type, &entry);
    }
  }
  if (!is_in_use && flat_table_has_system_pages()) flat_table_empty(table);
}

/* flat_region.c: where tables lie, and what becomes of their memory.
 *
 * A region is a run of pages that holds one table after another. Readers without the mutex may
 * still look at a table long after it was retired, so a region stays mapped until the engine
 * closes, and its parts keep their places: where there once were sets there are never slots. What
 * a late reader finds there is memory that was given back and reads as zeros, or another table; a
 * version tells it, for 0 is none, and no set of the region ever gets one that was used
 * before. Writers find out under the mutex of a stripe, which keeps its place too and names the
 * table that is in use.
 *
 * Regions are used again, and all but the first are larger than asked for, up to a power of two:
 * however often a table is resized, there are two regions for each power of two at most, and only
 * the one in use, or those with pinned values, have memory behind them.
 *
 * Pages are small until they are mostly in use: a huge one costs 2 MiB for the first byte. */
#include "flat_table.h"

#include "../../accel/platform/system.h"

#include <stdlib.h>

#define FLAT_SLACK 64u /* one more slot for so many */
#define FLAT_STRIPE_SLOTS \
  2048u /* fewer in a stripe would make some overflow while others have room */

/* ---- plans ---- */

static bool flat_region_add(size_t *sum, size_t count, size_t size)
{
  size_t product;
  return !__builtin_mul_overflow(count, size, &product) &&
         !__builtin_add_overflow(*sum, product, sum);
}

static size_t flat_region_round(size_t size, size_t unit)
{
  return size + (0 - size) % unit;
}

/* How many sets, in how many stripes. False: too many. Each stripe has an even number of sets: the
 * nearest to what was planned that leaves half the slack at least. */
static bool flat_region_plan_sets(size_t capacity, accel_flat_table *table)
{
  size_t slots = capacity, stripes = 1;
  if (!flat_region_add(&slots, 1, capacity / FLAT_SLACK + 1)) return false;
  while (stripes < ACCEL_FLAT_STRIPES_MAX && slots / (stripes * 2) >= FLAT_STRIPE_SLOTS)
    stripes *= 2;
  const size_t pair = (size_t)2 * ACCEL_FLAT_WAYS * stripes; /* slots, of two sets in each */
  const size_t least = slots - capacity / FLAT_SLACK / 2;
  size_t pairs = slots / pair + (slots % pair >= pair / 2);
  pairs += pairs * pair < least;
  table->stripe_count = stripes;
  table->stripe_sets = pairs * 2;
  table->half_sets = pairs;
  table->set_count = table->stripe_count * table->stripe_sets;
  return table->stripe_sets <= FLAT_STRIPE_SETS_MAX && table->set_count <= UINT32_MAX;
}

/* False: too large to exist. */
static bool flat_region_plan(const accel_type *type, size_t capacity, accel_flat_table *table)
{
  memset(table, 0, sizeof *table);
  table->key_offset = accel_flat_key_offset(type);
  table->value_offset = accel_flat_value_offset(type);
  table->slot_size = accel_flat_slot_size(type);
  table->is_plain = accel_type_is_plain(type);
  table->weighs = accel_type_has_weigh(type);
  if (!flat_region_plan_sets(capacity, table)) return false;
  const accel_policy *policy = table->policy = accel_policy_of(type);
  const size_t sets = (size_t)table->set_count, stripes = (size_t)table->stripe_count;
  const size_t side = policy->side_size == NULL ? 0 : policy->side_size(capacity, sets, stripes);
  table->side_size = flat_region_round(side, ACCEL_CACHE_LINE);
  return table->side_size >= side;
}

/* The stripes come first, then the sets, the policy's memory, the slots. */
static bool flat_region_size(flat_region *region, size_t slot_size)
{
  region->pages_size = 0;
  return flat_region_add(&region->pages_size, region->stripe_space, sizeof(flat_stripe)) &&
         flat_region_add(&region->pages_size, region->set_space, sizeof(accel_flat_set)) &&
         flat_region_add(&region->pages_size, 1, region->side_space) &&
         flat_region_add(&region->pages_size, region->set_space, ACCEL_FLAT_WAYS * slot_size);
}

static void flat_region_widen(flat_region *region, const accel_flat_table *table)
{
  if (region->stripe_space < table->stripe_count) region->stripe_space = table->stripe_count;
  if (region->set_space < table->set_count) region->set_space = table->set_count;
  if (region->side_space < table->side_size) region->side_space = table->side_size;
}

size_t accel_flat_table_bytes(const accel_type *type, size_t capacity)
{
  accel_flat_table table;
  flat_region region = {0};
  if (!flat_region_plan(type, capacity, &table)) return SIZE_MAX;
  flat_region_widen(&region, &table);
  return flat_region_size(&region, table.slot_size) ? region.pages_size : SIZE_MAX;
}

/* ---- regions ---- */

static void flat_region_close_stripes(flat_region *region, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    accel_mutex_close(&region->stripes[i].mutex);
    if (region->stripes[i].pin_space > 0) ACCEL_FREE(region->stripes[i].pins);
  }
}

static bool flat_region_open_stripes(flat_region *region)
{
  for (size_t i = 0; i < region->stripe_space; i++) {
    region->stripes[i].pins = region->stripes[i].inside;
    if (accel_mutex_open(&region->stripes[i].mutex)) continue;
    flat_region_close_stripes(region, i);
    return false;
  }
  return true;
}

static bool flat_region_map(flat_region *region, size_t slot_size)
{
  if (!flat_region_size(region, slot_size)) return false;
  region->pages = (unsigned char *)ACCEL_PAGES_ALLOC(region->pages_size);
  if (region->pages == NULL) return false;
  ACCEL_ASSERT((uintptr_t)region->pages % ACCEL_CACHE_LINE == 0);
  unsigned char *next = region->pages;
  region->stripes = (flat_stripe *)(void *)next;
  next += region->stripe_space * sizeof *region->stripes;
  region->sets = (accel_flat_set *)(void *)next;
  next += region->set_space * sizeof *region->sets;
  region->side = next;
  region->slots = next + region->side_space;
  if (flat_region_open_stripes(region)) return true;
  ACCEL_PAGES_FREE(region->pages, region->pages_size);
  return false;
}

/* The first is as large as its table. */
static flat_region *flat_region_open(flat_state *state, const accel_type *type, size_t capacity,
                                     const accel_flat_table *plan)
{
  flat_region *region = (flat_region *)ACCEL_MALLOC(sizeof *region);
  if (region == NULL) return NULL;
  memset(region, 0, sizeof *region);
  flat_region_widen(region, plan);
  const flat_region exact = *region;
  accel_flat_table wider;
  const unsigned bits = 64 - (unsigned)__builtin_clzll(capacity);
  const bool is_first = state->regions == NULL;
  if (!is_first && bits < 48 && flat_region_plan(type, (size_t)1 << bits, &wider))
    flat_region_widen(region, &wider);
  if (!flat_region_map(region, plan->slot_size)) {
    *region = exact;
    if (is_first || !flat_region_map(region, plan->slot_size)) {
      ACCEL_FREE(region);
      return NULL;
    }
  }
  region->is_free = true;
  region->next = state->regions;
  accel_store_release(&state->regions, region);
  accel_add_relaxed(&state->table_bytes, sizeof *region);
  return region;
}

/* The smallest that is free and large enough. */
static flat_region *flat_region_find(const flat_state *state, const accel_flat_table *plan)
{
  flat_region *found = NULL;
  for (flat_region *each = state->regions; each != NULL; each = each->next) {
    if (each->stripe_space < plan->stripe_count || each->set_space < plan->set_count) continue;
    if (each->side_space < plan->side_size || !accel_load_acquire(&each->is_free)) continue;
    if (found == NULL || each->pages_size < found->pages_size) found = each;
  }
  return found;
}

/* Only of the default hook is it known that the pages may be emptied in place. */
#define FLAT_TEXT_(name_) #name_
#define FLAT_TEXT(name_) FLAT_TEXT_(name_)
static bool flat_region_has_system_pages(void)
{
  return strcmp(FLAT_TEXT(ACCEL_PAGES_ALLOC), "accel_pages_alloc") == 0;
}

/* No slot is in use any more, but readers without the mutex may still look at them. The sets are
 * given back once only: a reader that finds version 0 in one table, and again in a later one, would
 * not notice what happened in between. */
static void flat_region_empty(flat_region *region)
{
  void *const first = region->is_used_again ? region->side : (void *)region->sets;
  unsigned char *const from = (unsigned char *)first;
  const size_t size = region->pages_size - (size_t)(from - region->pages);
  if (flat_region_has_system_pages()) accel_pages_empty(from, size);
  accel_store_release(&region->is_free, true);
}

void accel_flat_region_release(flat_region *region, size_t count)
{
  if (accel_sub_acq_rel(&region->held, count) == count) flat_region_empty(region);
}

/* The version stays, for it must not come again; all else becomes what an empty page has. */
static void flat_region_clean_set(accel_flat_set *set)
{
  for (unsigned i = 0; i < 2; i++) accel_store_release(&set->tags[i], (uint64_t)0);
  accel_store_release(&set->current, (uint64_t)0);
  for (unsigned i = 0; i < ACCEL_FLAT_WAYS; i++) accel_store_relaxed(&set->used[i], (uint8_t)0);
  memset(set->policy, 0, sizeof set->policy);
  set->pinned = 0;
  set->expiry_left = 0;
}

/* Pages that were given back are clean already: they hold no version. */
static void flat_region_clean(flat_region *region)
{
  for (size_t i = 0; i < region->set_space; i++)
    if (accel_load_relaxed(&region->sets[i].version) != 0) flat_region_clean_set(&region->sets[i]);
  if (flat_region_has_system_pages())
    accel_pages_clear(region->side, region->side_space);
  else
    memset(region->side, 0, region->side_space);
}

/* ---- tables ---- */

/* The region's table of this plan. */
static accel_flat_table *flat_region_describe(flat_state *state, flat_region *region,
                                              const accel_flat_table *plan)
{
  accel_flat_table *table = region->tables;
  while (table != NULL &&
         (table->stripe_count != plan->stripe_count || table->set_count != plan->set_count))
    table = table->next;
  if (table != NULL) return table;
  table = (accel_flat_table *)ACCEL_MALLOC(sizeof *table);
  if (table == NULL) return NULL;
  *table = *plan;
  table->region = region;
  table->stripes = region->stripes;
  table->sets = region->sets;
  table->policy_side = table->side_size == 0 ? NULL : region->side;
  table->slots = region->slots;
  table->next = region->tables;
  region->tables = table;
  accel_add_relaxed(&state->table_bytes, sizeof *table);
  return table;
}

accel_flat_table *accel_flat_table_open(flat_state *state, const accel_type *type, size_t capacity)
{
  accel_flat_table plan;
  if (!flat_region_plan(type, capacity, &plan)) return NULL;
  flat_region *region = flat_region_find(state, &plan);
  if (region == NULL) region = flat_region_open(state, type, capacity, &plan);
  if (region == NULL) return NULL;
  region->is_used_again = region->tables != NULL;
  if (region->is_used_again) flat_region_clean(region);
  accel_flat_table *table = flat_region_describe(state, region, &plan);
  if (table == NULL) return NULL;
  accel_store_relaxed(&region->is_free, false);
  accel_store_relaxed(&region->is_filling, true);
  accel_flat_promote_all(table, 0);
  for (uint64_t i = 0; i < table->stripe_count; i++) {
    flat_stripe *stripe = &table->stripes[i];
    accel_mutex_lock(&stripe->mutex);
    accel_store_relaxed(&stripe->era, flat_era_of(accel_load_acquire(&state->front.local.epoch)));
    accel_store_relaxed(&stripe->swept, (uint32_t)table->stripe_sets);
    stripe->version = region->version;
    stripe->is_counted = false;
    accel_mutex_unlock(&stripe->mutex);
  }
  return table;
}

void accel_flat_table_finish(accel_flat_table *table)
{
  if (!table->region->is_used_again) return;
  for (uint64_t index = 0; index < table->set_count; index++) {
    accel_flat_set *set = &table->sets[index];
    if (set->version != 0) flat_raise_version(flat_stripe_of(table, index), set);
  }
}

void accel_flat_table_use(accel_flat_table *table)
{
  accel_store_relaxed(&table->region->is_filling, false);
  for (uint64_t i = 0; i < table->stripe_count; i++) {
    flat_stripe *stripe = &table->stripes[i];
    accel_mutex_lock(&stripe->mutex);
    stripe->table = table;
    accel_mutex_unlock(&stripe->mutex);
  }
}

/* ---- retiring ---- */

/* Takes out what a set of a closed table still holds, but for removed slots. */
static void flat_region_retire_set(flat_state *state, const accel_type *type,
                                   accel_flat_table *table, uint64_t index)
{
  accel_flat_set *set = &table->sets[index];
  flat_stripe *stripe = flat_stripe_of(table, index);
  accel_mutex_lock(&stripe->mutex);
  const unsigned live = flat_live_ways(set);
  for (unsigned ways = live; ways != 0; ways &= ways - 1)
    flat_set_tag(set, (unsigned)__builtin_ctz(ways), ACCEL_FLAT_EMPTY);
  if (set->version != 0) flat_raise_version(stripe, set); /* a reader that sees it finds no tag */
  accel_mutex_unlock(&stripe->mutex);
  for (unsigned ways = live; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(table, index, ways);
    accel_flat_release(state, type, &entry);
  }
}

/* From now on the region is told of each removed slot of the stripe that is given up. */
static void flat_region_count(accel_flat_table *table, uint64_t start)
{
  flat_region *region = table->region;
  flat_stripe *stripe = flat_stripe_of(table, start);
  accel_mutex_lock(&stripe->mutex);
  size_t removed = 0;
  for (uint64_t index = start; index < start + table->stripe_sets; index++)
    removed += (size_t)__builtin_popcount(flat_removed_ways(&table->sets[index]));
  accel_add_relaxed(&region->held, removed);
  stripe->is_counted = true;
  if (region->version < stripe->version) region->version = stripe->version;
  accel_mutex_unlock(&stripe->mutex);
}

void accel_flat_table_retire(flat_state *state, const accel_type *type, accel_flat_table *table)
{
  ACCEL_ASSERT(table->stripe_sets > 0);
  accel_store_relaxed(&table->region->held, (size_t)1); /* ours */
  for (uint64_t start = 0; start < table->set_count; start += table->stripe_sets) {
    for (uint64_t index = start; index < start + table->stripe_sets; index++)
      flat_region_retire_set(state, type, table, index);
    flat_region_count(table, start);
  }
  accel_flat_region_release(table->region, 1);
}

/* ---- pages ----
 *
 * Entries take the first ways of their sets first, so pages are filled from the front. With a mean
 * of m entries in each set most of the m - 2 first ways of all sets are in use, and what is not
 * costs little; from nine tenths on that holds for all. */

#define FLAT_AHEAD 8u /* an eighth: two of 16 ways */

static size_t flat_region_slots(const accel_flat_table *table)
{
  return (size_t)table->set_count * ACCEL_FLAT_WAYS;
}

/* Whole huge pages that lie within what the table uses. */
static size_t flat_region_huge_pages(const accel_flat_table *table)
{
  const size_t before = (size_t)(table->slots - table->region->pages);
  return (before + flat_region_slots(table) * table->slot_size) / ACCEL_HUGE_PAGE;
}

/* From how many entries on a table deserves more than `pages` huge pages. */
static size_t flat_region_promote_at(const accel_flat_table *table, size_t pages)
{
  const size_t slots = flat_region_slots(table), all = flat_region_huge_pages(table);
  if (pages >= all || !flat_region_has_system_pages()) return SIZE_MAX;
  const size_t nearly_all = slots - slots / 10;
  const size_t share = (size_t)((double)slots / (double)all * (double)(pages + 1));
  return share + slots / FLAT_AHEAD < nearly_all ? share + slots / FLAT_AHEAD : nearly_all;
}

void accel_flat_promote(accel_flat_table *table, size_t entries)
{
  flat_region *region = table->region;
  size_t next = accel_load_relaxed(&region->promoted);
  if (entries < flat_region_promote_at(table, next)) return;
  if (!accel_compare_exchange(&region->promoted, &next, next + 1)) return;
  accel_store_relaxed(&region->promote_at, flat_region_promote_at(table, next + 1));
  unsigned char *const start = region->pages + next * ACCEL_HUGE_PAGE;
  accel_pages_advise_huge(start, ACCEL_HUGE_PAGE);
  accel_pages_collapse(start, ACCEL_HUGE_PAGE); /* or the system does it by and by */
}

void accel_flat_promote_all(accel_flat_table *table, size_t entries)
{
  flat_region *region = table->region;
  size_t pages = 0;
  while (flat_region_promote_at(table, pages) <= entries) pages++;
  if (pages > 0) accel_pages_advise_huge(region->pages, pages * ACCEL_HUGE_PAGE);
  accel_store_relaxed(&region->promoted, pages);
  accel_store_relaxed(&region->promote_at, flat_region_promote_at(table, pages));
}

size_t accel_flat_resident(const flat_state *state)
{
  size_t sum = 0;
  const bool is_known = flat_region_has_system_pages();
  const flat_region *each = accel_load_acquire(&state->regions);
  for (; each != NULL; each = each->next)
    sum += is_known ? accel_pages_resident(each->pages, each->pages_size) : each->pages_size;
  return sum;
}

/* ---- the end ---- */

/* No thread holds a stripe, unless this is a forked child and a thread of the parent's was
 * changing it just then: what it holds is not looked at, and its values stay where they are. */
static void flat_region_release_stripe(flat_state *state, const accel_type *type,
                                       accel_flat_table *table, uint64_t number)
{
  const uint64_t first = number * table->stripe_sets;
  if (!accel_mutex_try_lock(&table->stripes[number].mutex)) return;
  for (uint64_t index = first; index < first + table->stripe_sets; index++) {
    for (unsigned ways = flat_live_ways(&table->sets[index]); ways != 0; ways &= ways - 1) {
      const flat_entry entry = flat_entry_first(table, index, ways);
      accel_flat_release(state, type, &entry);
    }
  }
  accel_mutex_unlock(&table->stripes[number].mutex);
}

void accel_flat_regions_close(flat_state *state, const accel_type *type)
{
  accel_flat_table *used = state->front.table;
  for (uint64_t i = 0; used != NULL && i < used->stripe_count; i++)
    flat_region_release_stripe(state, type, used, i);
  for (flat_region *region = state->regions; region != NULL;) {
    flat_region *next = region->next;
    for (accel_flat_table *table = region->tables; table != NULL;) {
      accel_flat_table *next_table = table->next;
      ACCEL_FREE(table);
      table = next_table;
    }
    flat_region_close_stripes(region, region->stripe_space);
    ACCEL_PAGES_FREE(region->pages, region->pages_size);
    ACCEL_FREE(region);
    region = next;
  }
}

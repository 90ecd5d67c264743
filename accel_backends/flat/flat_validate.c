/* flat_validate.c: whether a table is as flat_layout.h, flat_hit.h and flat_table.h say that it
 * always is: for tests, and for a debugger. */
#include "flat_table.h"

/* What is checked, what was counted, and the first thing that is wrong. */
typedef struct flat_audit {
  flat_state *state;
  const accel_type *type;
  accel_flat_table *table;
  flat_stripe *stripe;
  uint64_t epoch;
  size_t entries, weight;         /* of the stripe, that its counts should have */
  size_t all_entries, all_weight; /* of the table, that the quota should have */
  uint32_t pins, all_pins;        /* of the stripe, of the table */
  const char *fault;
} flat_audit;

static void flat_validate_that(flat_audit *audit, bool holds, const char *fault)
{
  if (!holds && audit->fault == NULL) audit->fault = fault;
}

/* Counts an entry against the quota, and against the stripe unless it is of an earlier era. */
static void flat_validate_count(flat_audit *audit, const flat_entry *entry, bool is_of_era)
{
  const size_t weight = flat_weight_of(entry);
  audit->all_entries++;
  audit->all_weight += weight;
  if (is_of_era) audit->entries++;
  if (is_of_era) audit->weight += weight;
}

/* A live entry lies where its key is looked for, once, and under the key's tag. */
static void flat_validate_place(flat_audit *audit, const flat_entry *entry)
{
  const char *text;
  const uint64_t index = flat_index_of(entry);
  const uint64_t mixed = accel_flat_hash_of(audit->state, audit->type, entry);
  accel_flat_view view = accel_flat_view_of(audit->state, audit->type, audit->table, mixed);
  view.epoch = audit->epoch;
  flat_validate_that(audit, flat_tag_of(entry->set, entry->way) == view.tag,
                     "an entry has the tag of another key");
  flat_validate_that(audit, index == view.indices[0] || index == view.indices[1],
                     "an entry lies in neither of the two sets of its key");
  if (flat_is_cleared(entry->set, audit->epoch)) return;
  const flat_entry found = accel_flat_find(&view, accel_flat_key(audit->type, entry, &text));
  flat_validate_that(audit, found.slot == entry->slot, "a key is not found, or is there twice");
}

static void flat_validate_live(flat_audit *audit, const flat_entry *entry)
{
  const uint64_t head = flat_head_of(entry);
  const uint32_t coarse = (uint32_t)(head >> (ACCEL_FLAT_TIME_SHIFT + ACCEL_FLAT_COARSE_SHIFT));
  const bool is_noted = coarse >= flat_soonest(entry->set) || !accel_flat_expires(head);
  flat_validate_that(audit, is_noted || flat_is_pinned(entry),
                     "an entry expires before its set says that any does");
  flat_validate_that(audit, (entry->set->version & ACCEL_FLAT_WRITTEN) != 0,
                     "an entry is in a set in which nothing was written");
  flat_validate_place(audit, entry);
  flat_validate_count(audit, entry, !flat_is_cleared(entry->set, audit->epoch));
}

/* Every pinned entry has a record. One that is removed counts until its last unpin. */
static void flat_validate_pin(flat_audit *audit, const flat_entry *entry)
{
  const flat_pin *pin = accel_flat_find_pin(entry);
  audit->pins++;
  if (pin == NULL || pin->count == 0) {
    flat_validate_that(audit, false, "a pinned entry has no pin");
    return;
  }
  if (!flat_is_live(entry))
    flat_validate_count(audit, entry, pin->era == (uint32_t)audit->stripe->era);
}

static void flat_validate_set(flat_audit *audit, uint64_t index)
{
  const accel_flat_set *set = &audit->table->sets[index];
  const unsigned live = flat_live_ways(set), removed = flat_removed_ways(set);
  flat_validate_that(audit, (set->version & ACCEL_FLAT_REPLACING) == 0,
                     "a key is being replaced, and nobody does it");
  flat_validate_that(audit, set->version <= (audit->stripe->version | ACCEL_FLAT_WRITTEN),
                     "a set has a version that its stripe has not given");
  flat_validate_that(audit, accel_flat_epoch_of(set->current) <= audit->epoch,
                     "a set is of an epoch that has not come");
  flat_validate_that(audit, (set->pinned & ~(live | removed)) == 0, "an empty slot is pinned");
  for (unsigned ways = live; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(audit->table, index, ways);
    flat_validate_live(audit, &entry);
  }
  for (unsigned ways = set->pinned; ways != 0; ways &= ways - 1) {
    const flat_entry entry = flat_entry_first(audit->table, index, ways);
    flat_validate_pin(audit, &entry);
  }
}

static void flat_validate_stripe(flat_audit *audit, uint64_t start)
{
  accel_flat_view view;
  if (!accel_flat_lock_set(audit->state, audit->type, audit->table, start, &view)) {
    flat_validate_that(audit, false, "a stripe is of another table than its sets");
    return;
  }
  audit->stripe = view.stripe;
  audit->epoch = view.epoch;
  audit->entries = audit->weight = audit->pins = 0;
  for (uint64_t index = start; index < start + audit->table->stripe_sets; index++)
    flat_validate_set(audit, index);
  flat_validate_that(audit, audit->entries == view.stripe->entries,
                     "a stripe counts other entries than it has");
  flat_validate_that(audit, audit->weight == view.stripe->weight,
                     "a stripe counts another weight than it has");
  flat_validate_that(audit, audit->pins == view.stripe->pin_count,
                     "a stripe has pins of entries that are not pinned");
  audit->all_pins += audit->pins;
  accel_flat_unlock(&view);
}

/* Retired tables count while something in them is pinned, or being dropped: then it may be more.
 * Where a table was made smaller than what is pinned, nothing but that is left. */
static void flat_validate_quota(flat_audit *audit)
{
  const accel_quota *quota = &audit->state->quota;
  const size_t entries = accel_load_acquire(&quota->entries);
  const size_t weight = accel_load_acquire(&quota->weight);
  size_t held = 0;
  for (flat_region *each = audit->state->regions; each != NULL; each = each->next)
    held += accel_load_acquire(&each->held);
  flat_validate_that(audit,
                     entries == audit->all_entries || (held > 0 && entries > audit->all_entries),
                     "the quota counts other entries than there are");
  flat_validate_that(audit, weight == audit->all_weight || (held > 0 && weight > audit->all_weight),
                     "the quota counts another weight than there is");
  const bool is_pinned = entries <= held + audit->all_pins;
  flat_validate_that(audit, entries <= quota->capacity || is_pinned,
                     "there are more entries than may be");
  flat_validate_that(audit, quota->max_weight == 0 || weight <= quota->max_weight || is_pinned,
                     "the entries weigh more than they may");
}

const char *accel_flat_validate(accel_local *local, const accel_type *type, bool is_quiet)
{
  flat_audit audit = {.state = flat_state_of(local), .type = type};
  accel_mutex_lock(&audit.state->resizing); /* the table stays */
  audit.table = audit.state->front.table;
  for (uint64_t start = 0; start < audit.table->set_count; start += audit.table->stripe_sets)
    flat_validate_stripe(&audit, start);
  if (is_quiet) flat_validate_quota(&audit);
  accel_mutex_unlock(&audit.state->resizing);
  return audit.fault;
}

#include "flat.h"

#include "flat_table.h"

#include "../../accel/error.h"

#include <stdlib.h>

/* ---- open and close ---- */

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

/* With a clock of the user's all that expires is below. */
static uint64_t flat_lead(const flat_state *state)
{
  const accel_flat *front = &state->front;
  if (front->local.clock != NULL) return ACCEL_FLAT_LEAD_ALL;
  return (front->window_ms + ACCEL_CLOCK_PAGE_BEHIND_MS - front->base_ms) << ACCEL_FLAT_TIME_SHIFT;
}

static accel_status flat_no_memory(const accel_local_config *config)
{
  const size_t bytes = accel_flat_table_bytes(config->type, config->capacity);
  if (bytes == SIZE_MAX)
    return accel_error_set(config->owner, ACCEL_ERR_NOMEM,
                           "an L1 of %zu entries is larger than memory can be", config->capacity);
  return accel_error_set(config->owner, ACCEL_ERR_NOMEM,
                         "no memory for an L1 of %zu entries, which takes %zu MiB",
                         config->capacity, (bytes >> 20) + 1);
}

accel_status accel_flat_open(const accel_local_config *config, accel_local **local_out)
{
  const accel_type *type = config->type;
  if (accel_flat_align(type) > ACCEL_ALIGN_MAX)
    return accel_error_set(config->owner, ACCEL_ERR_CONFIG,
                           "the flat L1 engine aligns keys and values to %d bytes at most, not %zu",
                           ACCEL_ALIGN_MAX, accel_flat_align(type));
  flat_state *state = flat_state_open();
  if (state == NULL) goto fail;
  state->front.local.clock = config->clock;
  state->front.base_ms = accel_clock_read(config->clock) - (ACCEL_FLAT_TIME_MAX + 1) / 2;
  state->front.window_ms = config->refresh_window_ms;
  state->front.lead = flat_lead(state);
  state->quota.capacity = config->capacity;
  state->quota.max_weight = config->max_weight;
  state->seed = config->seed;
  state->area = config->area;
  state->mixes = accel_type_has_hash(type);
  state->is_plain = accel_type_is_plain(type);
  state->is_lock_free = accel_flat_is_lock_free(type);
  state->weighs = accel_type_has_weigh(type);
  if (!accel_mutex_open(&state->resizing)) goto fail_state;
  state->front.table = accel_flat_table_open(state, type, config->capacity);
  if (state->front.table == NULL) goto fail_mutex;
  accel_flat_table_use(state->front.table);
  if (config->clock == NULL) accel_clock_page_open();
  *local_out = &state->front.local;
  return ACCEL_OK;

fail_mutex:
  accel_flat_regions_close(state, type);
  accel_mutex_close(&state->resizing);
fail_state:
  ACCEL_FREE(state->memory);
fail:
  return flat_no_memory(config);
}

void accel_flat_close(accel_local *local, const accel_type *type)
{
  flat_state *state = flat_state_of(local);
  accel_flat_regions_close(state, type);
  accel_mutex_close(&state->resizing);
  ACCEL_FREE(state->memory);
}

/* ---- reading ---- */

#define FLAT_LOOKS 8u

accel_status accel_flat_get(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, void *out)
{
  const bool is_string = type->key_kind == ACCEL_KEY_STRING;
  for (unsigned look = 0; look < FLAT_LOOKS; look++) {
    const accel_status status = accel_flat_look(local, type, key, hash, out);
    if (status != ACCEL_FLAT_TORN) return status;
    if (is_string) return accel_flat_get_locked(local, type, key, hash, out);
  }
  return ACCEL_ATTENTION;
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

void accel_flat_counts(const accel_local *local, accel_local_counts *out)
{
  const flat_state *state = (const flat_state *)(const void *)local;
  memset(out, 0, sizeof *out);
  const flat_region *region = accel_load_acquire(&state->regions);
  for (; region != NULL; region = accel_load_acquire(&region->next)) {
    for (size_t i = 0; i < region->stripe_space; i++) {
      const accel_local_counts *counts = &region->stripes[i].counts;
      out->inserts += accel_load_relaxed(&counts->inserts);
      out->overwrites += accel_load_relaxed(&counts->overwrites);
      out->evictions += accel_load_relaxed(&counts->evictions);
      out->expirations += accel_load_relaxed(&counts->expirations);
    }
  }
}

/* Retired tables count while they hold something that is pinned. */
void accel_flat_stats(accel_local *local, accel_local_stats *out)
{
  flat_state *state = flat_state_of(local);
  const uint64_t era = flat_era_of(accel_load_acquire(&local->epoch));
  memset(out, 0, sizeof *out);
  out->policy = accel_load_acquire(&state->front.table)->policy->name;
  out->memory_bytes = sizeof *state + ACCEL_CACHE_LINE + accel_flat_resident(state) +
                      accel_load_relaxed(&state->table_bytes) +
                      accel_load_relaxed(&state->string_bytes);
  const flat_region *region = accel_load_acquire(&state->regions);
  for (; region != NULL; region = region->next) {
    if (accel_load_relaxed(&region->is_filling)) continue;
    for (size_t i = 0; i < region->stripe_space; i++) {
      const flat_stripe *stripe = &region->stripes[i];
      if (accel_load_acquire(&stripe->era) != era) continue;
      out->entries += accel_load_relaxed(&stripe->entries);
      out->weight += accel_load_relaxed(&stripe->weight);
    }
  }
}

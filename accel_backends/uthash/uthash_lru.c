#include "uthash_lru.h"

#include "uthash_table.h"

#include "../../accel/error.h"

#include <stdlib.h>
#include <string.h>

/* ---- open and close ---- */

accel_status accel_uthash_open(const accel_local_config *config, accel_local **local_out)
{
  uthash_state *state = (uthash_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) goto fail;
  memset(state, 0, sizeof *state);
  state->local.clock = config->clock;
  state->quota.capacity = config->capacity;
  state->quota.max_weight = config->max_weight;
  state->shard_mask = config->capacity < UTHASH_SHARDED_CAPACITY ? 0 : UTHASH_SHARDS - 1;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    if (accel_mutex_open(&state->shards[i].mutex)) continue;
    while (i-- > 0) accel_mutex_close(&state->shards[i].mutex);
    goto fail;
  }
  *local_out = &state->local;
  return ACCEL_OK;

fail:
  ACCEL_FREE(state);
  return accel_error_set(config->owner, ACCEL_ERR_NOMEM, "no memory for an L1 of %zu entries",
                         config->capacity);
}

/* Nobody holds a shard, unless this is a forked child and a thread of the parent's was changing it
 * just then: what it holds is not looked at, and its entries stay where they are. */
void accel_uthash_close(accel_local *local, const accel_type *type)
{
  uthash_state *state = uthash_state_of(local);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    if (!accel_mutex_try_lock(&shard->mutex)) continue;
    accel_mutex_unlock(&shard->mutex);
    while (shard->oldest != NULL) {
      uthash_entry *entry = shard->oldest;
      accel_uthash_unlink(shard, entry);
      accel_uthash_entry_close(state, type, entry);
    }
    accel_mutex_close(&shard->mutex);
  }
  ACCEL_FREE(state);
}

/* ---- reading ---- */

/* Copies the value and unlocks. An owning value is pinned meanwhile: copy is the user's code. */
static accel_status uthash_take(uthash_state *state, const accel_type *type, uthash_shard *shard,
                                uthash_entry *entry, void *out_or_null)
{
  if (entry->is_negative || out_or_null == NULL) {
    const accel_status status = entry->is_negative ? ACCEL_NULL : ACCEL_OK;
    uthash_unlock(shard);
    return status;
  }
  if (accel_type_is_plain(type)) {
    memcpy(out_or_null, entry->value, type->value_size);
    uthash_unlock(shard);
    return ACCEL_OK;
  }
  entry->pins++;
  accel_cancel_hold(); /* beyond the mutex */
  uthash_unlock(shard);
  const bool copied = type->copy(out_or_null, entry->value);
  accel_uthash_entry_unpin(state, type, entry);
  accel_cancel_release();
  return copied ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* The entry if a hit may serve it, marked as used. */
static uthash_entry *uthash_fresh_or_null(uthash_state *state, uthash_shard *shard,
                                          uthash_entry *entry)
{
  if (entry == NULL || !uthash_is_current(state, entry)) return NULL;
  if (uthash_is_over(state, entry->lifetime.refresh_ms)) return NULL;
  if (uthash_is_over(state, entry->lifetime.expires_ms)) return NULL;
  accel_uthash_use(state, shard, entry);
  return entry;
}

accel_status accel_uthash_get(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, void *out)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_entry *entry = accel_uthash_find(type, shard, key, hash);
  const accel_status status = entry == NULL ? ACCEL_MISS : ACCEL_ATTENTION;
  entry = uthash_fresh_or_null(state, shard, entry);
  if (entry != NULL) return uthash_take(state, type, shard, entry, out);
  uthash_unlock(shard);
  return status;
}

accel_status accel_uthash_peek(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, void *out_or_null, accel_local_found *found)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_entry *entry = accel_uthash_find(type, shard, key, hash);
  if (entry == NULL) {
    uthash_unlock(shard);
    return ACCEL_MISS;
  }
  found->life = entry->lifetime;
  found->is_current = uthash_is_current(state, entry);
  return uthash_take(state, type, shard, entry, out_or_null);
}

accel_status accel_uthash_pin(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, accel_local_pin *pin)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_entry *entry =
      uthash_fresh_or_null(state, shard, accel_uthash_find(type, shard, key, hash));
  accel_status status = ACCEL_MISS;
  if (entry != NULL) status = entry->is_negative ? ACCEL_NULL : ACCEL_OK;
  if (status == ACCEL_OK) {
    entry->pins++;
    pin->local = local;
    pin->value = entry->value;
    pin->handle = entry;
  }
  uthash_unlock(shard);
  return status;
}

void accel_uthash_unpin(const accel_type *type, accel_local_pin *pin)
{
  accel_uthash_entry_unpin(uthash_state_of(pin->local), type, (uthash_entry *)pin->handle);
  memset(pin, 0, sizeof *pin);
}

/* ---- writing ---- */

accel_gate accel_uthash_gate(accel_local *local, uint64_t hash)
{
  accel_gate gate;
  uthash_state *state = uthash_state_of(local);
  const uint64_t *generation = uthash_generation_of(state, hash);
  gate.stripe = (uint32_t)(generation - state->generations);
  gate.generation = accel_load_acquire(generation);
  gate.epoch = accel_load_acquire(&local->epoch);
  return gate;
}

/* Under the shard's mutex. */
static void uthash_raise(uthash_state *state, uint64_t hash)
{
  uint64_t *generation = uthash_generation_of(state, hash);
  accel_store_release(generation, *generation + 1);
}

static bool uthash_stands(uthash_state *state, uint64_t hash, const accel_gate *gate)
{
  return gate->generation == *uthash_generation_of(state, hash) &&
         gate->epoch == accel_load_acquire(&state->local.epoch);
}

/* The least recently used entry that nobody has pinned. */
static uthash_entry *uthash_victim(uthash_shard *shard)
{
  uthash_entry *entry = shard->oldest;
  while (entry != NULL && entry->pins > 0) entry = entry->newer;
  return entry;
}

/* Adds one, under the shard's mutex. */
static void uthash_count(uint64_t *count) /* NOLINT(readability-non-const-parameter): stored */
{
  accel_store_relaxed(count, *count + 1);
}

/* Removes a victim for its place. */
static void uthash_evict(uthash_state *state, uthash_shard *shard, uthash_entry *victim)
{
  const bool is_spent =
      !uthash_is_current(state, victim) || uthash_is_over(state, victim->lifetime.expires_ms);
  uthash_count(is_spent ? &shard->counts.expirations : &shard->counts.evictions);
  accel_uthash_remove(state, shard, victim);
}

/* Removes one entry of some shard. False: all are pinned. */
static bool uthash_evict_any(uthash_state *state, const accel_type *type)
{
  const uint64_t first = accel_add_relaxed(&state->sweep, 1u);
  for (uint64_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[(first + i) & state->shard_mask];
    uthash_lock_shard(shard);
    uthash_entry *victim = uthash_victim(shard);
    if (victim != NULL) uthash_evict(state, shard, victim);
    uthash_unlock(shard);
    if (victim == NULL) continue;
    accel_uthash_entry_close(state, type, victim);
    return true;
  }
  return false;
}

typedef struct uthash_write {
  uint64_t hash;
  const accel_gate *gate; /* NULL: unconditional */
  bool raises;
} uthash_write;

/* Links the entry and takes an old one of its key out, which hands its quota over unless it is
 * pinned. OK; BACKEND: the quota does not allow it; NOMEM. */
static accel_status uthash_exchange(uthash_state *state, const accel_type *type,
                                    uthash_shard *shard, const uthash_write *write,
                                    uthash_entry *entry, uthash_entry *old)
{
  const bool frees_old = old != NULL && old->pins == 0;
  const ptrdiff_t entries = frees_old ? 0 : 1;
  const ptrdiff_t weight = (ptrdiff_t)(entry->weight - (frees_old ? old->weight : 0));
  if (!accel_quota_take(&state->quota, entries, weight)) return ACCEL_ERR_BACKEND;
  if (!accel_uthash_link(state, type, shard, entry, write->hash)) {
    accel_quota_give(&state->quota, (size_t)entries, (size_t)weight);
    return ACCEL_ERR_NOMEM;
  }
  if (write->raises) uthash_raise(state, write->hash);
  const uint64_t epoch = accel_load_acquire(&state->local.epoch);
  entry->epoch = write->gate != NULL ? write->gate->epoch : epoch;
  if (old != NULL) accel_uthash_unlink(shard, old);
  uthash_count(old != NULL ? &shard->counts.overwrites : &shard->counts.inserts);
  return ACCEL_OK;
}

/* One attempt: OK, MISS (gate), NOMEM; BACKEND: room has to be made elsewhere, then again. */
static accel_status uthash_try_write(uthash_state *state, const accel_type *type,
                                     const uthash_write *write, uthash_entry *entry)
{
  uthash_shard *shard = uthash_lock(state, write->hash);
  if (write->gate != NULL && !uthash_stands(state, write->hash, write->gate)) {
    uthash_unlock(shard);
    return ACCEL_MISS;
  }
  uthash_entry *old = accel_uthash_find(type, shard, entry->key, write->hash);
  uthash_entry *gone = old != NULL && old->pins == 0 ? old : NULL;
  const accel_status status = uthash_exchange(state, type, shard, write, entry, old);
  if (status == ACCEL_ERR_BACKEND) {
    gone = uthash_victim(shard);
    if (gone != NULL) uthash_evict(state, shard, gone);
  }
  uthash_unlock(shard);
  if (gone != NULL && status != ACCEL_ERR_NOMEM) accel_uthash_entry_close(state, type, gone);
  if (status != ACCEL_ERR_BACKEND || gone != NULL) return status;
  return uthash_evict_any(state, type) ? ACCEL_ERR_BACKEND : ACCEL_ERR_NOMEM;
}

static accel_status uthash_store(uthash_state *state, const accel_type *type,
                                 const uthash_write *write, const void *key,
                                 const void *value_or_null, const accel_lifetime *lifetime)
{
  uthash_entry *entry;
  accel_status status = accel_uthash_entry_open(state, type, key, value_or_null, lifetime, &entry);
  if (status != ACCEL_OK) return status;
  do {
    status = uthash_try_write(state, type, write, entry);
  } while (status == ACCEL_ERR_BACKEND);
  if (status != ACCEL_OK) accel_uthash_entry_close(state, type, entry);
  return status;
}

accel_status accel_uthash_fill(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, const void *value_or_null,
                               const accel_lifetime *lifetime, const accel_gate *gate)
{
  const uthash_write write = {.hash = hash, .gate = gate, .raises = false};
  return uthash_store(uthash_state_of(local), type, &write, key, value_or_null, lifetime);
}

accel_status accel_uthash_set(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, const void *value_or_null,
                              const accel_lifetime *lifetime, const accel_gate *gate_or_null)
{
  const uthash_write write = {.hash = hash, .gate = gate_or_null, .raises = true};
  const accel_status status =
      uthash_store(uthash_state_of(local), type, &write, key, value_or_null, lifetime);
  if (status != ACCEL_OK) accel_uthash_del(local, type, key, hash);
  return status;
}

void accel_uthash_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_raise(state, hash);
  uthash_entry *entry = accel_uthash_find(type, shard, key, hash);
  if (entry != NULL) entry = accel_uthash_remove(state, shard, entry);
  uthash_unlock(shard);
  if (entry != NULL) accel_uthash_entry_close(state, type, entry);
}

/* ---- the whole table ---- */

void accel_uthash_expire_all(accel_local *local)
{
  accel_add_acq_rel(&local->epoch, 1u);
}

/* Removes the shard's entries of older epochs; returns those to free, linked by `older`. */
static uthash_entry *uthash_clear_shard(uthash_state *state, uthash_shard *shard)
{
  uthash_entry *gone = NULL;
  for (uthash_entry *entry = shard->oldest; entry != NULL;) {
    uthash_entry *newer = entry->newer;
    uthash_entry *removed = NULL;
    if (!uthash_is_current(state, entry)) removed = accel_uthash_remove(state, shard, entry);
    if (removed != NULL) {
      removed->older = gone;
      gone = removed;
    }
    entry = newer;
  }
  return gone;
}

void accel_uthash_clear(accel_local *local, const accel_type *type)
{
  uthash_state *state = uthash_state_of(local);
  accel_uthash_expire_all(local);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    uthash_lock_shard(shard);
    uthash_entry *gone = uthash_clear_shard(state, shard);
    uthash_unlock(shard);
    while (gone != NULL) {
      uthash_entry *next = gone->older;
      accel_uthash_entry_close(state, type, gone);
      gone = next;
    }
  }
}

void accel_uthash_counts(const accel_local *local, accel_local_counts *out)
{
  const uthash_state *state = (const uthash_state *)(const void *)local;
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    const accel_local_counts *counts = &state->shards[i].counts;
    out->inserts += accel_load_relaxed(&counts->inserts);
    out->overwrites += accel_load_relaxed(&counts->overwrites);
    out->evictions += accel_load_relaxed(&counts->evictions);
    out->expirations += accel_load_relaxed(&counts->expirations);
  }
}

void accel_uthash_stats(accel_local *local, accel_local_stats *out)
{
  uthash_state *state = uthash_state_of(local);
  out->policy = "lru";
  out->entries = accel_load_relaxed(&state->quota.entries);
  out->weight = accel_load_relaxed(&state->quota.weight);
  out->memory_bytes = sizeof *state + accel_load_relaxed(&state->entry_bytes);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    uthash_lock_shard(shard);
    out->memory_bytes += accel_uthash_table_bytes(shard);
    uthash_unlock(shard);
  }
}

/* The number of shards stays: only the order among them becomes less exact. */
accel_status accel_uthash_resize(accel_local *local, const accel_type *type, size_t capacity)
{
  uthash_state *state = uthash_state_of(local);
  accel_store_relaxed(&state->quota.capacity, capacity);
  while (accel_load_acquire(&state->quota.entries) > capacity)
    if (!uthash_evict_any(state, type)) break;
  return ACCEL_OK;
}

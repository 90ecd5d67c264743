#include "uthash_lru.h"

#include "../../accel/error.h"
#include "../../accel/hash.h"
#include "../../accel/platform/thread.h"
#include "../local_budget.h"

#include <stdlib.h>
#include <string.h>

/* uthash is told to report that it has no memory, to use our hooks, and to compare keys by the
 * type. Its macros take effect where they are used, so they are replaced for this file only. */
#if defined(UTHASH_H) && !(defined(HASH_NONFATAL_OOM) && HASH_NONFATAL_OOM)
#error "include accel.h before <uthash.h> in the file that defines ACCEL_IMPLEMENTATION"
#endif
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

#pragma push_macro("uthash_malloc")
#pragma push_macro("uthash_free")
#pragma push_macro("HASH_KEYCMP")
#undef uthash_malloc
#undef uthash_free
#undef HASH_KEYCMP
#define uthash_malloc(size_) ACCEL_MALLOC(size_)
#define uthash_free(pointer_, size_) ACCEL_FREE(pointer_)
#define HASH_KEYCMP(a_, b_, size_) (type->equal(a_, b_) ? 0 : 1)

#define UTHASH_SHARDS 16u
#define UTHASH_SHARDED_CAPACITY 1024u /* from here on there is more than one shard */
#define UTHASH_GENERATIONS 1024u      /* each is of one shard */

typedef struct uthash_node {
  UT_hash_handle hh; /* uthash's own order is that of insertion */
  struct uthash_node *newer, *older;
  struct uthash_shard *shard;
  uint64_t number; /* counts the insertions of its shard */
  accel_lifetime life;
  uint64_t epoch;
  size_t weight;
  size_t size;   /* of this allocation */
  void *value;   /* in this allocation, aligned */
  uint32_t pins; /* a removed node lives and counts until they are gone */
  bool is_negative, is_linked;
  uint64_t key[]; /* then the value, then a string key's text */
} uthash_node;

/* Everything in it is guarded by the mutex. */
typedef struct uthash_shard {
  accel_mutex mutex;
  uthash_node *table;
  uthash_node *newest, *oldest;
  uint64_t insertions;
} uthash_shard;

typedef struct uthash_state {
  accel_local local;
  accel_budget budget;
  size_t node_bytes;                        /* atomic */
  uint64_t sweep;                           /* atomic: the shard to look for a victim in */
  uint64_t shard_mask;                      /* shards less one, a power of two */
  uint64_t generations[UTHASH_GENERATIONS]; /* written under their shard's mutex */
  uthash_shard shards[UTHASH_SHARDS];
} uthash_state;

static uthash_state *uthash_state_of(accel_local *local)
{
  return (uthash_state *)(void *)local;
}

static uint64_t uthash_mix(uint64_t hash)
{
  return accel_hash_fold(hash, 0x9FB21C651E98DF25u);
}

static uint64_t *uthash_generation_of(uthash_state *state, uint64_t hash)
{
  return &state->generations[uthash_mix(hash) % UTHASH_GENERATIONS];
}

static uthash_shard *uthash_lock(uthash_state *state, uint64_t hash)
{
  uthash_shard *shard = &state->shards[uthash_mix(hash) & state->shard_mask];
  accel_mutex_lock(&shard->mutex);
  return shard;
}

static void uthash_unlock(uthash_shard *shard)
{
  accel_mutex_unlock(&shard->mutex);
}

/* ---- life ---- */

accel_status accel_uthash_open(const accel_local_config *config, accel_local **local_out)
{
  uthash_state *state = (uthash_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) goto fail;
  memset(state, 0, sizeof *state);
  state->local.clock = config->clock;
  state->budget.capacity = config->capacity;
  state->budget.max_weight = config->max_weight;
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

static void uthash_free_node(uthash_state *state, const accel_type *type, uthash_node *node)
{
  if (!node->is_negative) type->drop(node->value);
  accel_sub_acq_rel(&state->node_bytes, node->size);
  ACCEL_FREE(node);
}

/* Takes a node out of its shard. */
static void uthash_unlink(uthash_shard *shard, uthash_node *node)
{
  HASH_DEL(shard->table, node);
  if (node->newer != NULL) node->newer->older = node->older;
  if (node->older != NULL) node->older->newer = node->newer;
  if (shard->newest == node) shard->newest = node->older;
  if (shard->oldest == node) shard->oldest = node->newer;
  node->newer = NULL;
  node->older = NULL;
  node->is_linked = false;
}

void accel_uthash_close(accel_local *local, const accel_type *type)
{
  uthash_state *state = uthash_state_of(local);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    while (shard->oldest != NULL) {
      uthash_node *node = shard->oldest;
      uthash_unlink(shard, node);
      uthash_free_node(state, type, node);
    }
    accel_mutex_close(&shard->mutex);
  }
  ACCEL_FREE(state);
}

/* ---- nodes ---- */

/* Where an allocation's parts begin, as offsets from its start. */
static size_t uthash_round(size_t size, size_t align)
{
  return (size + align - 1) & ~(align - 1);
}

static uthash_node *uthash_new_node(const accel_type *type, const void *key, bool has_value)
{
  const bool is_string = type->key_kind == ACCEL_KEY_STRING;
  const size_t text_size = is_string ? strlen(*(const char *const *)key) + 1 : 0;
  const size_t value_offset = sizeof(uthash_node) + uthash_round(type->key_size, sizeof(uint64_t));
  const size_t value_room = has_value ? type->value_size + type->value_align : 0;
  const size_t size = value_offset + value_room + text_size;
  uthash_node *node = (uthash_node *)ACCEL_MALLOC(size);
  if (node == NULL) return NULL;
  memset(node, 0, sizeof *node);
  const uintptr_t value = (uintptr_t)node + value_offset;
  node->value = (char *)node + value_offset + (-value & (type->value_align - 1));
  node->size = size;
  if (!is_string) {
    memcpy(node->key, key, type->key_size);
    return node;
  }
  char *text = (char *)node + value_offset + value_room;
  memcpy(text, *(const char *const *)key, text_size);
  memcpy(node->key, &text, sizeof text);
  return node;
}

/* A node that is in no shard yet. OK, CONFIG: too heavy, NOMEM. */
static accel_status uthash_make_node(uthash_state *state, const accel_type *type, const void *key,
                                     const void *value_or_null, const accel_lifetime *life,
                                     uthash_node **node_out)
{
  const size_t weight = value_or_null == NULL ? 0 : type->weigh(key, value_or_null);
  const size_t heaviest = state->budget.max_weight;
  if (heaviest != 0 && weight > heaviest) return ACCEL_ERR_CONFIG;
  uthash_node *node = uthash_new_node(type, key, value_or_null != NULL);
  if (node == NULL) return ACCEL_ERR_NOMEM;
  if (value_or_null != NULL && !type->copy(node->value, value_or_null)) {
    ACCEL_FREE(node);
    return ACCEL_ERR_NOMEM;
  }
  node->weight = weight;
  node->life = *life;
  node->is_negative = value_or_null == NULL;
  accel_add_relaxed(&state->node_bytes, node->size);
  *node_out = node;
  return ACCEL_OK;
}

static uthash_node *uthash_find(const accel_type *type, uthash_shard *shard, const void *key,
                                uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  uthash_node *node;
  HASH_FIND_BYHASHVALUE(hh, shard->table, key, type->key_size, bucket, node);
  return node;
}

static void uthash_push_newest(uthash_shard *shard, uthash_node *node)
{
  node->newer = NULL;
  node->older = shard->newest;
  if (shard->newest != NULL) shard->newest->newer = node;
  shard->newest = node;
  if (shard->oldest == NULL) shard->oldest = node;
}

static void uthash_use(uthash_shard *shard, uthash_node *node)
{
  if (shard->newest == node) return;
  node->newer->older = node->older;
  if (node->older != NULL) node->older->newer = node->newer;
  if (shard->oldest == node) shard->oldest = node->newer;
  uthash_push_newest(shard, node);
}

/* False: uthash had no memory, and nothing changed. */
static bool uthash_link(const accel_type *type, uthash_shard *shard, uthash_node *node,
                        uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->table, node->key, type->key_size, bucket, node);
  if (node->hh.tbl == NULL) return false;
  node->shard = shard;
  node->number = ++shard->insertions;
  node->is_linked = true;
  uthash_push_newest(shard, node);
  return true;
}

/* Removes a linked node; returns it if the caller has to free it after unlocking, else NULL. */
static uthash_node *uthash_remove(uthash_state *state, uthash_shard *shard, uthash_node *node)
{
  uthash_unlink(shard, node);
  if (node->pins > 0) return NULL;
  accel_budget_give(&state->budget, 1, node->weight);
  return node;
}

/* The last unpin of a removed node frees it. */
static void uthash_unpin_node(uthash_state *state, const accel_type *type, uthash_node *node)
{
  uthash_shard *shard = node->shard;
  accel_mutex_lock(&shard->mutex);
  node->pins--;
  const bool is_over = node->pins == 0 && !node->is_linked;
  if (is_over) accel_budget_give(&state->budget, 1, node->weight);
  uthash_unlock(shard);
  if (is_over) uthash_free_node(state, type, node);
}

/* ---- reading ---- */

static bool uthash_is_current(const uthash_state *state, const uthash_node *node)
{
  return node->epoch == accel_load_acquire(&state->local.epoch);
}

static bool uthash_is_over(const uthash_state *state, uint64_t moment_ms)
{
  return moment_ms != ACCEL_NEVER && accel_clock_read(state->local.clock) >= moment_ms;
}

/* Copies the value and unlocks. An owning value is pinned meanwhile: copy is the user's code. */
static accel_status uthash_take(uthash_state *state, const accel_type *type, uthash_shard *shard,
                                uthash_node *node, void *out_or_null)
{
  if (node->is_negative || out_or_null == NULL) {
    const accel_status status = node->is_negative ? ACCEL_NULL : ACCEL_OK;
    uthash_unlock(shard);
    return status;
  }
  if (accel_type_is_plain(type)) {
    memcpy(out_or_null, node->value, type->value_size);
    uthash_unlock(shard);
    return ACCEL_OK;
  }
  node->pins++;
  uthash_unlock(shard);
  const bool copied = type->copy(out_or_null, node->value);
  uthash_unpin_node(state, type, node);
  return copied ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* The node if a hit may serve it, marked as used. */
static uthash_node *uthash_find_fresh(uthash_state *state, const accel_type *type,
                                      uthash_shard *shard, const void *key, uint64_t hash)
{
  uthash_node *node = uthash_find(type, shard, key, hash);
  if (node == NULL || !uthash_is_current(state, node)) return NULL;
  if (uthash_is_over(state, node->life.refresh_ms)) return NULL;
  if (uthash_is_over(state, node->life.expires_ms)) return NULL;
  uthash_use(shard, node);
  return node;
}

accel_status accel_uthash_get(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, void *out)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_node *node = uthash_find_fresh(state, type, shard, key, hash);
  if (node != NULL) return uthash_take(state, type, shard, node, out);
  uthash_unlock(shard);
  return ACCEL_MISS;
}

accel_status accel_uthash_peek(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, void *out_or_null, accel_local_found *found)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_node *node = uthash_find(type, shard, key, hash);
  if (node == NULL) {
    uthash_unlock(shard);
    return ACCEL_MISS;
  }
  found->life = node->life;
  found->is_current = uthash_is_current(state, node);
  return uthash_take(state, type, shard, node, out_or_null);
}

accel_status accel_uthash_pin(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, accel_local_pin *pin)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_node *node = uthash_find_fresh(state, type, shard, key, hash);
  accel_status status = ACCEL_MISS;
  if (node != NULL) status = node->is_negative ? ACCEL_NULL : ACCEL_OK;
  if (status == ACCEL_OK) {
    node->pins++;
    pin->local = local;
    pin->value = node->value;
    pin->handle = node;
  }
  uthash_unlock(shard);
  return status;
}

void accel_uthash_unpin(const accel_type *type, accel_local_pin *pin)
{
  uthash_unpin_node(uthash_state_of(pin->local), type, (uthash_node *)pin->handle);
  memset(pin, 0, sizeof *pin);
}

/* ---- writing ---- */

accel_gate accel_uthash_gate(accel_local *local, uint64_t hash)
{
  accel_gate gate;
  gate.generation = accel_load_acquire(uthash_generation_of(uthash_state_of(local), hash));
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
static uthash_node *uthash_victim(uthash_shard *shard)
{
  uthash_node *node = shard->oldest;
  while (node != NULL && node->pins > 0) node = node->newer;
  return node;
}

/* Removes one entry of some shard. False: all are pinned. */
static bool uthash_evict_any(uthash_state *state, const accel_type *type)
{
  const uint64_t first = accel_add_relaxed(&state->sweep, 1u);
  for (uint64_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[(first + i) & state->shard_mask];
    accel_mutex_lock(&shard->mutex);
    uthash_node *victim = uthash_victim(shard);
    if (victim != NULL) uthash_remove(state, shard, victim);
    uthash_unlock(shard);
    if (victim == NULL) continue;
    uthash_free_node(state, type, victim);
    return true;
  }
  return false;
}

typedef struct uthash_write {
  uint64_t hash;
  const accel_gate *gate; /* NULL: unconditional */
  bool raises;
} uthash_write;

/* Links the node and takes an old one of its key out, which hands its budget over unless it is
 * pinned. OK; BACKEND: the budget does not allow it; NOMEM. */
static accel_status uthash_exchange(uthash_state *state, const accel_type *type,
                                    uthash_shard *shard, const uthash_write *write,
                                    uthash_node *node, uthash_node *old)
{
  const bool frees_old = old != NULL && old->pins == 0;
  const ptrdiff_t entries = frees_old ? 0 : 1;
  const ptrdiff_t weight = (ptrdiff_t)(node->weight - (frees_old ? old->weight : 0));
  if (!accel_budget_take(&state->budget, entries, weight)) return ACCEL_ERR_BACKEND;
  if (!uthash_link(type, shard, node, write->hash)) {
    accel_budget_give(&state->budget, (size_t)entries, (size_t)weight);
    return ACCEL_ERR_NOMEM;
  }
  if (write->raises) uthash_raise(state, write->hash);
  const uint64_t epoch = accel_load_acquire(&state->local.epoch);
  node->epoch = write->gate != NULL ? write->gate->epoch : epoch;
  if (old != NULL) uthash_unlink(shard, old);
  return ACCEL_OK;
}

/* One attempt: OK, MISS (gate), NOMEM; BACKEND: room has to be made elsewhere, then again. */
static accel_status uthash_try_write(uthash_state *state, const accel_type *type,
                                     const uthash_write *write, uthash_node *node)
{
  uthash_shard *shard = uthash_lock(state, write->hash);
  if (write->gate != NULL && !uthash_stands(state, write->hash, write->gate)) {
    uthash_unlock(shard);
    return ACCEL_MISS;
  }
  uthash_node *old = uthash_find(type, shard, node->key, write->hash);
  uthash_node *gone = old != NULL && old->pins == 0 ? old : NULL;
  const accel_status status = uthash_exchange(state, type, shard, write, node, old);
  if (status == ACCEL_ERR_BACKEND) {
    gone = uthash_victim(shard);
    if (gone != NULL) uthash_remove(state, shard, gone);
  }
  uthash_unlock(shard);
  if (gone != NULL && status != ACCEL_ERR_NOMEM) uthash_free_node(state, type, gone);
  if (status != ACCEL_ERR_BACKEND || gone != NULL) return status;
  return uthash_evict_any(state, type) ? ACCEL_ERR_BACKEND : ACCEL_ERR_NOMEM;
}

static accel_status uthash_store(uthash_state *state, const accel_type *type,
                                 const uthash_write *write, const void *key,
                                 const void *value_or_null, const accel_lifetime *life)
{
  uthash_node *node;
  accel_status status = uthash_make_node(state, type, key, value_or_null, life, &node);
  if (status != ACCEL_OK) return status;
  do {
    status = uthash_try_write(state, type, write, node);
  } while (status == ACCEL_ERR_BACKEND);
  if (status != ACCEL_OK) uthash_free_node(state, type, node);
  return status;
}

accel_status accel_uthash_fill(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, const void *value_or_null, const accel_lifetime *life,
                               const accel_gate *gate)
{
  const uthash_write write = {.hash = hash, .gate = gate, .raises = false};
  return uthash_store(uthash_state_of(local), type, &write, key, value_or_null, life);
}

accel_status accel_uthash_set(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, const void *value_or_null, const accel_lifetime *life,
                              const accel_gate *gate_or_null)
{
  const uthash_write write = {.hash = hash, .gate = gate_or_null, .raises = true};
  const accel_status status =
      uthash_store(uthash_state_of(local), type, &write, key, value_or_null, life);
  if (status != ACCEL_OK) accel_uthash_del(local, type, key, hash);
  return status;
}

void accel_uthash_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  uthash_state *state = uthash_state_of(local);
  uthash_shard *shard = uthash_lock(state, hash);
  uthash_raise(state, hash);
  uthash_node *node = uthash_find(type, shard, key, hash);
  if (node != NULL) node = uthash_remove(state, shard, node);
  uthash_unlock(shard);
  if (node != NULL) uthash_free_node(state, type, node);
}

/* ---- the whole table ---- */

void accel_uthash_expire_all(accel_local *local)
{
  accel_add_acq_rel(&local->epoch, 1u);
}

/* Removes the shard's entries of older epochs; returns those to free, linked by `older`. */
static uthash_node *uthash_clear_shard(uthash_state *state, uthash_shard *shard)
{
  uthash_node *gone = NULL;
  for (uthash_node *node = shard->oldest; node != NULL;) {
    uthash_node *newer = node->newer;
    uthash_node *removed = NULL;
    if (!uthash_is_current(state, node)) removed = uthash_remove(state, shard, node);
    if (removed != NULL) {
      removed->older = gone;
      gone = removed;
    }
    node = newer;
  }
  return gone;
}

void accel_uthash_clear(accel_local *local, const accel_type *type)
{
  uthash_state *state = uthash_state_of(local);
  accel_uthash_expire_all(local);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    accel_mutex_lock(&shard->mutex);
    uthash_node *gone = uthash_clear_shard(state, shard);
    uthash_unlock(shard);
    while (gone != NULL) {
      uthash_node *next = gone->older;
      uthash_free_node(state, type, gone);
      gone = next;
    }
  }
}

void accel_uthash_stats(accel_local *local, accel_local_stats *out)
{
  uthash_state *state = uthash_state_of(local);
  out->entries = accel_load_relaxed(&state->budget.entries);
  out->weight = accel_load_relaxed(&state->budget.weight);
  out->memory_bytes = sizeof *state + accel_load_relaxed(&state->node_bytes);
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_shard *shard = &state->shards[i];
    accel_mutex_lock(&shard->mutex);
    if (shard->table != NULL) out->memory_bytes += HASH_OVERHEAD(hh, shard->table);
    uthash_unlock(shard);
  }
}

/* The number of shards stays: only the order among them becomes less exact. */
accel_status accel_uthash_resize(accel_local *local, const accel_type *type, size_t capacity)
{
  uthash_state *state = uthash_state_of(local);
  accel_store_relaxed(&state->budget.capacity, capacity);
  while (accel_load_acquire(&state->budget.entries) > capacity)
    if (!uthash_evict_any(state, type)) break;
  return ACCEL_OK;
}

static bool uthash_is_wanted(uthash_state *state, const uthash_node *node)
{
  return !node->is_negative && uthash_is_current(state, node) &&
         !uthash_is_over(state, node->life.expires_ms);
}

/* ---- each ---- */

/* The first node inserted after `number` and not after `last`. Removed nodes have lost their
 * place in the order, so the search begins at the front if `from` is one. */
static uthash_node *uthash_next_node(uthash_state *state, uthash_shard *shard, uthash_node *from,
                                     uint64_t number, uint64_t last)
{
  uthash_node *node = shard->table;
  if (from != NULL && from->is_linked) node = (uthash_node *)from->hh.next;
  while (node != NULL && (node->number <= number || !uthash_is_wanted(state, node)))
    node = (uthash_node *)node->hh.next;
  return node == NULL || node->number > last ? NULL : node;
}

static bool uthash_each_of_shard(uthash_state *state, const accel_type *type, uthash_shard *shard,
                                 bool (*visit)(void *ctx, const void *key, const void *value),
                                 void *ctx)
{
  bool goes_on = true;
  accel_mutex_lock(&shard->mutex);
  const uint64_t last = shard->insertions;
  uthash_node *node = uthash_next_node(state, shard, NULL, 0, last);
  if (node != NULL) node->pins++;
  uthash_unlock(shard);
  while (node != NULL) {
    goes_on = visit(ctx, node->key, node->value);
    uthash_node *visited = node;
    node = NULL;
    if (goes_on) {
      accel_mutex_lock(&shard->mutex);
      node = uthash_next_node(state, shard, visited, visited->number, last);
      if (node != NULL) node->pins++;
      uthash_unlock(shard);
    }
    uthash_unpin_node(state, type, visited);
  }
  return goes_on;
}

void accel_uthash_each(accel_local *local, const accel_type *type,
                       bool (*visit)(void *ctx, const void *key, const void *value), void *ctx)
{
  uthash_state *state = uthash_state_of(local);
  for (size_t i = 0; i <= state->shard_mask; i++)
    if (!uthash_each_of_shard(state, type, &state->shards[i], visit, ctx)) return;
}

/* ---- hottest ---- */

/* Pins the most recently used entries, one of each shard in turn. */
static size_t uthash_pin_newest(uthash_state *state, uthash_node **nodes, size_t limit)
{
  uthash_node *next[UTHASH_SHARDS];
  size_t count = 0;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    accel_mutex_lock(&state->shards[i].mutex);
    next[i] = state->shards[i].newest;
  }
  for (bool goes_on = true; goes_on && count < limit;) {
    goes_on = false;
    for (size_t i = 0; i <= state->shard_mask && count < limit; i++) {
      while (next[i] != NULL && !uthash_is_wanted(state, next[i])) next[i] = next[i]->older;
      if (next[i] == NULL) continue;
      next[i]->pins++;
      nodes[count++] = next[i];
      next[i] = next[i]->older;
      goes_on = true;
    }
  }
  for (size_t i = 0; i <= state->shard_mask; i++) uthash_unlock(&state->shards[i]);
  return count;
}

static size_t uthash_write_keys(const accel_type *type, uthash_node *const *nodes, size_t count,
                                void *keys_out)
{
  char *keys = (char *)keys_out;
  for (size_t i = 0; i < count; i++)
    memcpy(keys + i * type->key_size, nodes[i]->key, type->key_size);
  if (type->key_kind != ACCEL_KEY_STRING) return count;
  size_t size = 0;
  const char *const *texts = (const char *const *)keys_out;
  for (size_t i = 0; i < count; i++) size += strlen(texts[i]) + 1;
  char *copy = (char *)accel_thread_scratch(size);
  if (copy == NULL) return 0;
  for (size_t i = 0; i < count; i++) {
    const size_t text_size = strlen(texts[i]) + 1;
    memcpy(copy, texts[i], text_size);
    memcpy(keys + i * type->key_size, &copy, sizeof copy);
    copy += text_size;
  }
  return count;
}

size_t accel_uthash_hottest(accel_local *local, const accel_type *type, void *keys_out,
                            size_t count)
{
  uthash_state *state = uthash_state_of(local);
  const size_t capacity = accel_load_relaxed(&state->budget.capacity);
  const size_t limit = count < capacity ? count : capacity;
  if (limit == 0 || limit > SIZE_MAX / sizeof(uthash_node *)) return 0;
  uthash_node **nodes = (uthash_node **)ACCEL_MALLOC(limit * sizeof *nodes);
  if (nodes == NULL) return 0;
  const size_t pinned = uthash_pin_newest(state, nodes, limit);
  const size_t written = uthash_write_keys(type, nodes, pinned, keys_out);
  for (size_t i = 0; i < pinned; i++) uthash_unpin_node(state, type, nodes[i]);
  ACCEL_FREE(nodes);
  return written;
}

#pragma pop_macro("HASH_KEYCMP")
#pragma pop_macro("uthash_free")
#pragma pop_macro("uthash_malloc")

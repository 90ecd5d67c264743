#include "uthash_table.h"

#include <stdlib.h>
#include <string.h>

/* uthash is told to use our hooks and to compare keys by the type. Its macros take effect where
 * they are used, so they are replaced for this file only. */
#pragma push_macro("uthash_malloc")
#pragma push_macro("uthash_free")
#pragma push_macro("HASH_KEYCMP")
#undef uthash_malloc
#undef uthash_free
#undef HASH_KEYCMP
#define uthash_malloc(size_) ACCEL_MALLOC(size_)
#define uthash_free(pointer_, size_) ACCEL_FREE(pointer_)
#define HASH_KEYCMP(a_, b_, size_) (type->equal(a_, b_) ? 0 : 1)

/* ---- nodes ---- */

static uthash_node *uthash_new_node(const accel_type *type, const void *key, bool has_value)
{
  const bool is_string = type->key_kind == ACCEL_KEY_STRING;
  const size_t text_size = is_string ? strlen(*(const char *const *)key) + 1 : 0;
  const size_t key_room = type->key_size + accel_type_key_align(type);
  const size_t value_room = has_value ? type->value_size + accel_type_value_align(type) : 0;
  const size_t size = sizeof(uthash_node) + key_room + value_room + text_size;
  uthash_node *node = (uthash_node *)ACCEL_MALLOC(size);
  if (node == NULL) return NULL;
  memset(node, 0, sizeof *node);
  char *const behind_key = (char *)(node + 1) + key_room;
  node->key = accel_align_pointer(node + 1, accel_type_key_align(type));
  node->value = accel_align_pointer(behind_key, accel_type_value_align(type));
  node->size = size;
  if (!is_string) {
    memcpy(node->key, key, type->key_size);
    return node;
  }
  char *text = behind_key + value_room;
  memcpy(text, *(const char *const *)key, text_size);
  memcpy(node->key, &text, sizeof text);
  return node;
}

accel_status accel_uthash_node_open(uthash_state *state, const accel_type *type, const void *key,
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

void accel_uthash_node_close(uthash_state *state, const accel_type *type, uthash_node *node)
{
  if (!node->is_negative) type->drop(node->value);
  accel_sub_acq_rel(&state->node_bytes, node->size);
  ACCEL_FREE(node);
}

void accel_uthash_node_unpin(uthash_state *state, const accel_type *type, uthash_node *node)
{
  uthash_shard *shard = node->shard;
  uthash_lock_shard(shard);
  node->pins--;
  const bool is_over = node->pins == 0 && !node->is_linked;
  if (is_over) accel_budget_give(&state->budget, 1, node->weight);
  uthash_unlock(shard);
  if (is_over) accel_uthash_node_close(state, type, node);
}

/* ---- shards ---- */

uthash_node *accel_uthash_find(const accel_type *type, uthash_shard *shard, const void *key,
                               uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  uthash_node *node;
  HASH_FIND_BYHASHVALUE(hh, shard->table, key, type->key_size, bucket, node);
  return node;
}

static void uthash_push_newest(uthash_state *state, uthash_shard *shard, uthash_node *node)
{
  node->used = accel_add_relaxed(&state->uses, 1u);
  node->newer = NULL;
  node->older = shard->newest;
  if (shard->newest != NULL) shard->newest->newer = node;
  shard->newest = node;
  if (shard->oldest == NULL) shard->oldest = node;
}

void accel_uthash_use(uthash_state *state, uthash_shard *shard, uthash_node *node)
{
  if (shard->newest == node) return;
  node->newer->older = node->older;
  if (node->older != NULL) node->older->newer = node->newer;
  if (shard->oldest == node) shard->oldest = node->newer;
  uthash_push_newest(state, shard, node);
}

bool accel_uthash_link(uthash_state *state, const accel_type *type, uthash_shard *shard,
                       uthash_node *node, uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->table, node->key, type->key_size, bucket, node);
  if (node->hh.tbl == NULL) return false;
  node->shard = shard;
  node->number = ++shard->insertions;
  node->is_linked = true;
  uthash_push_newest(state, shard, node);
  return true;
}

void accel_uthash_unlink(uthash_shard *shard, uthash_node *node)
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

uthash_node *accel_uthash_remove(uthash_state *state, uthash_shard *shard, uthash_node *node)
{
  accel_uthash_unlink(shard, node);
  if (node->pins > 0) return NULL;
  accel_budget_give(&state->budget, 1, node->weight);
  return node;
}

size_t accel_uthash_table_bytes(const uthash_shard *shard)
{
  if (shard->table == NULL) return 0;
  const UT_hash_table *table = shard->table->hh.tbl;
  return sizeof *table + table->num_buckets * sizeof(UT_hash_bucket);
}

#pragma pop_macro("HASH_KEYCMP")
#pragma pop_macro("uthash_free")
#pragma pop_macro("uthash_malloc")

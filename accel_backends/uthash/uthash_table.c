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

/* ---- entries ---- */

static uthash_entry *uthash_new_entry(const accel_type *type, const void *key, bool has_value)
{
  const bool is_string = type->key_kind == ACCEL_KEY_STRING;
  const size_t text_size = is_string ? strlen(*(const char *const *)key) + 1 : 0;
  const size_t key_room = type->key_size + accel_type_key_align(type);
  const size_t value_room = has_value ? type->value_size + accel_type_value_align(type) : 0;
  const size_t size = sizeof(uthash_entry) + key_room + value_room + text_size;
  uthash_entry *entry = (uthash_entry *)ACCEL_MALLOC(size);
  if (entry == NULL) return NULL;
  memset(entry, 0, sizeof *entry);
  char *const behind_key = (char *)(entry + 1) + key_room;
  entry->key = accel_align_pointer(entry + 1, accel_type_key_align(type));
  entry->value = accel_align_pointer(behind_key, accel_type_value_align(type));
  entry->size = size;
  if (!is_string) {
    memcpy(entry->key, key, type->key_size);
    return entry;
  }
  char *text = behind_key + value_room;
  memcpy(text, *(const char *const *)key, text_size);
  memcpy(entry->key, &text, sizeof text);
  return entry;
}

accel_status accel_uthash_entry_open(uthash_state *state, const accel_type *type, const void *key,
                                     const void *value_or_null, const accel_lifetime *lifetime,
                                     uthash_entry **entry_out)
{
  const size_t weight = value_or_null == NULL ? 0 : type->weigh(key, value_or_null);
  const size_t heaviest = state->quota.max_weight;
  if (heaviest != 0 && weight > heaviest) return ACCEL_ERR_CONFIG;
  uthash_entry *entry = uthash_new_entry(type, key, value_or_null != NULL);
  if (entry == NULL) return ACCEL_ERR_NOMEM;
  if (value_or_null != NULL && !type->copy(entry->value, value_or_null)) {
    ACCEL_FREE(entry);
    return ACCEL_ERR_NOMEM;
  }
  entry->weight = weight;
  entry->lifetime = *lifetime;
  entry->is_negative = value_or_null == NULL;
  accel_add_relaxed(&state->entry_bytes, entry->size);
  *entry_out = entry;
  return ACCEL_OK;
}

void accel_uthash_entry_close(uthash_state *state, const accel_type *type, uthash_entry *entry)
{
  if (!entry->is_negative) type->drop(entry->value);
  accel_sub_acq_rel(&state->entry_bytes, entry->size);
  ACCEL_FREE(entry);
}

void accel_uthash_entry_unpin(uthash_state *state, const accel_type *type, uthash_entry *entry)
{
  uthash_shard *shard = entry->shard;
  uthash_lock_shard(shard);
  entry->pins--;
  const bool is_over = entry->pins == 0 && !entry->is_linked;
  if (is_over) accel_quota_give(&state->quota, 1, entry->weight);
  uthash_unlock(shard);
  if (is_over) accel_uthash_entry_close(state, type, entry);
}

/* ---- shards ---- */

uthash_entry *accel_uthash_find(const accel_type *type, uthash_shard *shard, const void *key,
                                uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  uthash_entry *entry;
  HASH_FIND_BYHASHVALUE(hh, shard->table, key, type->key_size, bucket, entry);
  return entry;
}

static void uthash_push_newest(uthash_state *state, uthash_shard *shard, uthash_entry *entry)
{
  entry->used = accel_add_relaxed(&state->uses, 1u);
  entry->newer = NULL;
  entry->older = shard->newest;
  if (shard->newest != NULL) shard->newest->newer = entry;
  shard->newest = entry;
  if (shard->oldest == NULL) shard->oldest = entry;
}

void accel_uthash_use(uthash_state *state, uthash_shard *shard, uthash_entry *entry)
{
  if (shard->newest == entry) return;
  entry->newer->older = entry->older;
  if (entry->older != NULL) entry->older->newer = entry->newer;
  if (shard->oldest == entry) shard->oldest = entry->newer;
  uthash_push_newest(state, shard, entry);
}

bool accel_uthash_link(uthash_state *state, const accel_type *type, uthash_shard *shard,
                       uthash_entry *entry, uint64_t hash)
{
  const unsigned bucket = (unsigned)(uthash_mix(hash) >> 32);
  HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->table, entry->key, type->key_size, bucket, entry);
  if (entry->hh.tbl == NULL) return false;
  entry->shard = shard;
  entry->number = ++shard->insertions;
  entry->is_linked = true;
  uthash_push_newest(state, shard, entry);
  return true;
}

void accel_uthash_unlink(uthash_shard *shard, uthash_entry *entry)
{
  HASH_DEL(shard->table, entry);
  if (entry->newer != NULL) entry->newer->older = entry->older;
  if (entry->older != NULL) entry->older->newer = entry->newer;
  if (shard->newest == entry) shard->newest = entry->older;
  if (shard->oldest == entry) shard->oldest = entry->newer;
  entry->newer = NULL;
  entry->older = NULL;
  entry->is_linked = false;
}

uthash_entry *accel_uthash_remove(uthash_state *state, uthash_shard *shard, uthash_entry *entry)
{
  accel_uthash_unlink(shard, entry);
  if (entry->pins > 0) return NULL;
  accel_quota_give(&state->quota, 1, entry->weight);
  return entry;
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

/* uthash_walk.c: operations on all entries: each, hottest. */
#include "uthash_table.h"

#include <stdlib.h>
#include <string.h>

static bool uthash_is_wanted(const uthash_state *state, const uthash_entry *entry)
{
  return !entry->is_negative && uthash_is_current(state, entry) &&
         !uthash_is_over(state, entry->lifetime.expires_ms);
}

/* ---- each ---- */

/* The first entry inserted after `number` and not after `last`. Removed entries have lost their
 * place in the order, so the search begins at the front if `from` is one. */
static uthash_entry *uthash_next_entry(uthash_state *state, uthash_shard *shard, uthash_entry *from,
                                       uint64_t number, uint64_t last)
{
  uthash_entry *entry = shard->table;
  if (from != NULL && from->is_linked) entry = (uthash_entry *)from->hh.next;
  while (entry != NULL && (entry->number <= number || !uthash_is_wanted(state, entry)))
    entry = (uthash_entry *)entry->hh.next;
  return entry == NULL || entry->number > last ? NULL : entry;
}

static bool uthash_each_of_shard(uthash_state *state, const accel_type *type, uthash_shard *shard,
                                 bool (*visit)(void *ctx, const void *key, const void *value),
                                 void *ctx)
{
  bool goes_on = true;
  uthash_lock_shard(shard);
  const uint64_t last = shard->insertions;
  uthash_entry *entry = uthash_next_entry(state, shard, NULL, 0, last);
  if (entry != NULL) entry->pins++;
  uthash_unlock(shard);
  while (entry != NULL) {
    goes_on = visit(ctx, entry->key, entry->value);
    uthash_entry *visited = entry;
    entry = NULL;
    if (goes_on) {
      uthash_lock_shard(shard);
      entry = uthash_next_entry(state, shard, visited, visited->number, last);
      if (entry != NULL) entry->pins++;
      uthash_unlock(shard);
    }
    accel_uthash_entry_unpin(state, type, visited);
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

/* The shard whose next candidate was used last; NULL: there is none left. */
static uthash_entry *uthash_take_newest(uthash_state *state, uthash_entry *next[UTHASH_SHARDS])
{
  size_t best = 0;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    while (next[i] != NULL && !uthash_is_wanted(state, next[i])) next[i] = next[i]->older;
    if (next[i] == NULL) continue;
    if (next[best] == NULL || next[i]->used > next[best]->used) best = i;
  }
  uthash_entry *newest = next[best];
  if (newest != NULL) next[best] = newest->older;
  return newest;
}

/* Pins the most recently used entries that hold a value, in that order. */
static size_t uthash_pin_newest(uthash_state *state, uthash_entry **entries, size_t limit)
{
  uthash_entry *next[UTHASH_SHARDS] = {NULL};
  size_t count = 0;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_lock_shard(&state->shards[i]);
    next[i] = state->shards[i].newest;
  }
  while (count < limit) {
    uthash_entry *newest = uthash_take_newest(state, next);
    if (newest == NULL) break;
    newest->pins++;
    entries[count++] = newest;
  }
  for (size_t i = 0; i <= state->shard_mask; i++) uthash_unlock(&state->shards[i]);
  return count;
}

static size_t uthash_write_keys(const accel_type *type, uthash_entry *const *entries, size_t count,
                                void *keys_out)
{
  char *keys = (char *)keys_out;
  for (size_t i = 0; i < count; i++)
    memcpy(keys + i * type->key_size, entries[i]->key, type->key_size);
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
  const size_t capacity = accel_load_relaxed(&state->quota.capacity);
  const size_t limit = count < capacity ? count : capacity;
  if (limit == 0 || limit > SIZE_MAX / sizeof(uthash_entry *)) return 0;
  uthash_entry **entries = (uthash_entry **)ACCEL_MALLOC(limit * sizeof *entries);
  if (entries == NULL) return 0;
  const size_t pinned = uthash_pin_newest(state, entries, limit);
  const size_t written = uthash_write_keys(type, entries, pinned, keys_out);
  for (size_t i = 0; i < pinned; i++) accel_uthash_entry_unpin(state, type, entries[i]);
  ACCEL_FREE(entries);
  return written;
}

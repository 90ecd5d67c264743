#include "uthash_table.h"

#include <stdlib.h>
#include <string.h>

static bool uthash_is_wanted(const uthash_state *state, const uthash_node *node)
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
  uthash_lock_shard(shard);
  const uint64_t last = shard->insertions;
  uthash_node *node = uthash_next_node(state, shard, NULL, 0, last);
  if (node != NULL) node->pins++;
  uthash_unlock(shard);
  while (node != NULL) {
    goes_on = visit(ctx, node->key, node->value);
    uthash_node *visited = node;
    node = NULL;
    if (goes_on) {
      uthash_lock_shard(shard);
      node = uthash_next_node(state, shard, visited, visited->number, last);
      if (node != NULL) node->pins++;
      uthash_unlock(shard);
    }
    accel_uthash_node_unpin(state, type, visited);
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
static uthash_node *uthash_take_newest(uthash_state *state, uthash_node *next[UTHASH_SHARDS])
{
  size_t best = 0;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    while (next[i] != NULL && !uthash_is_wanted(state, next[i])) next[i] = next[i]->older;
    if (next[i] == NULL) continue;
    if (next[best] == NULL || next[i]->used > next[best]->used) best = i;
  }
  uthash_node *newest = next[best];
  if (newest != NULL) next[best] = newest->older;
  return newest;
}

/* Pins the most recently used entries that hold a value, in that order. */
static size_t uthash_pin_newest(uthash_state *state, uthash_node **nodes, size_t limit)
{
  uthash_node *next[UTHASH_SHARDS] = {NULL};
  size_t count = 0;
  for (size_t i = 0; i <= state->shard_mask; i++) {
    uthash_lock_shard(&state->shards[i]);
    next[i] = state->shards[i].newest;
  }
  while (count < limit) {
    uthash_node *newest = uthash_take_newest(state, next);
    if (newest == NULL) break;
    newest->pins++;
    nodes[count++] = newest;
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
  for (size_t i = 0; i < pinned; i++) accel_uthash_node_unpin(state, type, nodes[i]);
  ACCEL_FREE(nodes);
  return written;
}

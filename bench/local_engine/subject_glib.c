/* What programs on GLib have: a hash table that finds the links of a queue in the order of last
 * use, and a mutex around both. */
#include "subject.h"

#include <glib.h>

typedef struct node {
  GList link; /* its data is the node */
  gint64 key;
  bench_value value;
} node;

typedef struct lru {
  GMutex mutex;
  GHashTable *nodes;
  GQueue order; /* head: last used */
  size_t capacity;
} lru;

static node *lru_touch(lru *cache, gint64 key)
{
  node *found = (node *)g_hash_table_lookup(cache->nodes, &key);
  if (found == NULL) return NULL;
  g_queue_unlink(&cache->order, &found->link);
  g_queue_push_head_link(&cache->order, &found->link);
  return found;
}

static bool lru_get(void *state, uint64_t key, bench_value *out)
{
  lru *cache = (lru *)state;
  g_mutex_lock(&cache->mutex);
  const node *found = lru_touch(cache, (gint64)key);
  if (found != NULL) *out = found->value;
  g_mutex_unlock(&cache->mutex);
  return found != NULL;
}

static void lru_add(lru *cache, gint64 key, const bench_value *value)
{
  if (cache->order.length >= cache->capacity) {
    node *oldest = (node *)g_queue_pop_tail_link(&cache->order)->data;
    g_hash_table_remove(cache->nodes, &oldest->key);
    g_free(oldest);
  }
  node *added = g_new0(node, 1);
  added->link.data = added;
  added->key = key;
  added->value = *value;
  g_hash_table_insert(cache->nodes, &added->key, added);
  g_queue_push_head_link(&cache->order, &added->link);
}

static void lru_set(void *state, uint64_t key, const bench_value *value)
{
  lru *cache = (lru *)state;
  g_mutex_lock(&cache->mutex);
  node *found = lru_touch(cache, (gint64)key);
  if (found != NULL)
    found->value = *value;
  else
    lru_add(cache, (gint64)key, value);
  g_mutex_unlock(&cache->mutex);
}

BENCH_LOOPS(lru)

static void *lru_open(size_t capacity)
{
  lru *cache = g_new0(lru, 1);
  g_mutex_init(&cache->mutex);
  g_queue_init(&cache->order);
  cache->nodes = g_hash_table_new(g_int64_hash, g_int64_equal);
  cache->capacity = capacity;
  return cache;
}

static void lru_close(void *state)
{
  lru *cache = (lru *)state;
  g_hash_table_destroy(cache->nodes);
  while (cache->order.length > 0) g_free(g_queue_pop_head_link(&cache->order)->data);
  g_mutex_clear(&cache->mutex);
  g_free(cache);
}

const bench_subject bench_glib = {
    .name = "GLib LRU + mutex",
    .role = BENCH_CACHE,
    .open = lru_open,
    .close = lru_close,
    .get = lru_get_many,
    .set = lru_set_many,
    .mixed = lru_mixed,
    .get_or_set = lru_get_or_set,
    .inserts = true,
};

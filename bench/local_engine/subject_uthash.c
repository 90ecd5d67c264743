/* What C programs have without a cache library: uthash under a mutex, in the order of last use:
 * whatever is found is taken out of the table and added again, and the oldest goes first. */
#include "subject.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

typedef struct node {
  uint64_t key;
  bench_value value;
  UT_hash_handle hh;
} node;

typedef struct lru {
  pthread_mutex_t mutex;
  node *nodes;
  size_t capacity;
} lru;

static node *lru_touch(lru *cache, uint64_t key)
{
  node *found;
  HASH_FIND(hh, cache->nodes, &key, sizeof key, found);
  if (found == NULL) return NULL;
  HASH_DELETE(hh, cache->nodes, found);
  HASH_ADD(hh, cache->nodes, key, sizeof found->key, found);
  return found;
}

static bool lru_get(void *state, uint64_t key, bench_value *out)
{
  lru *cache = (lru *)state;
  pthread_mutex_lock(&cache->mutex);
  const node *found = lru_touch(cache, key);
  if (found != NULL) *out = found->value;
  pthread_mutex_unlock(&cache->mutex);
  return found != NULL;
}

static void lru_add(lru *cache, uint64_t key, const bench_value *value)
{
  if (HASH_COUNT(cache->nodes) >= cache->capacity) {
    node *oldest = cache->nodes;
    HASH_DELETE(hh, cache->nodes, oldest);
    free(oldest);
  }
  node *added = (node *)malloc(sizeof *added);
  if (added == NULL) return;
  added->key = key;
  added->value = *value;
  HASH_ADD(hh, cache->nodes, key, sizeof added->key, added);
}

static void lru_set(void *state, uint64_t key, const bench_value *value)
{
  lru *cache = (lru *)state;
  pthread_mutex_lock(&cache->mutex);
  node *found = lru_touch(cache, key);
  if (found != NULL)
    found->value = *value;
  else
    lru_add(cache, key, value);
  pthread_mutex_unlock(&cache->mutex);
}

BENCH_LOOPS(lru)

static void *lru_open(size_t capacity)
{
  lru *cache = (lru *)calloc(1, sizeof *cache);
  if (cache == NULL) return NULL;
  cache->capacity = capacity;
  pthread_mutex_init(&cache->mutex, NULL);
  return cache;
}

static void lru_close(void *state)
{
  lru *cache = (lru *)state;
  node *each, *next;
  HASH_ITER(hh, cache->nodes, each, next)
  {
    HASH_DELETE(hh, cache->nodes, each);
    free(each);
  }
  pthread_mutex_destroy(&cache->mutex);
  free(cache);
}

const bench_subject bench_uthash = {
    .name = "uthash LRU + mutex",
    .role = BENCH_CACHE,
    .open = lru_open,
    .close = lru_close,
    .get = lru_get_many,
    .set = lru_set_many,
    .mixed = lru_mixed,
    .get_or_set = lru_get_or_set,
    .inserts = true,
};

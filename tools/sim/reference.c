#include "reference.h"

#include "queues.h"

#include <stdlib.h>

bool sim_lru(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  sim_links links;
  if (!sim_links_open(&links, trace->distinct)) return false;
  sim_queue entries = sim_queue_named(1);
  *hits = 0;
  for (size_t i = 0; i < trace->length; i++) {
    const uint32_t key = trace->keys[i];
    if (links.where[key] == entries.name) {
      ++*hits;
      sim_queue_take(&links, &entries, key);
    } else if (entries.count == capacity) {
      sim_queue_pop(&links, &entries);
    }
    sim_queue_push(&links, &entries, key);
  }
  sim_links_close(&links);
  return true;
}

/* ---- S3-FIFO ---- */

typedef struct s3fifo {
  sim_links links;
  sim_queue small, main_part, ghosts;
  uint32_t capacity, small_capacity;
} s3fifo;

static void s3fifo_evict_small(s3fifo *cache)
{
  const uint32_t key = sim_queue_pop(&cache->links, &cache->small);
  if (cache->links.uses[key] > 1) {
    cache->links.uses[key] = 0;
    sim_queue_push(&cache->links, &cache->main_part, key);
    return;
  }
  sim_queue_push(&cache->links, &cache->ghosts, key);
  if (cache->ghosts.count > cache->capacity - cache->small_capacity)
    sim_queue_pop(&cache->links, &cache->ghosts);
}

static void s3fifo_evict_main(s3fifo *cache)
{
  const uint32_t key = sim_queue_pop(&cache->links, &cache->main_part);
  if (cache->links.uses[key] == 0) return;
  cache->links.uses[key]--;
  sim_queue_push(&cache->links, &cache->main_part, key);
}

static bool s3fifo_get(s3fifo *cache, uint32_t key)
{
  sim_links *links = &cache->links;
  const uint8_t where = links->where[key];
  if (where == cache->small.name || where == cache->main_part.name) {
    if (links->uses[key] < 3) links->uses[key]++;
    return true;
  }
  if (where == cache->ghosts.name) sim_queue_take(links, &cache->ghosts, key);
  while (cache->small.count + cache->main_part.count >= cache->capacity) {
    if (cache->small.count >= cache->small_capacity) {
      s3fifo_evict_small(cache);
    } else {
      s3fifo_evict_main(cache);
    }
  }
  links->uses[key] = 0;
  sim_queue_push(links, where == cache->ghosts.name ? &cache->main_part : &cache->small, key);
  return false;
}

bool sim_s3fifo(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  s3fifo cache = {.capacity = capacity, .small_capacity = capacity < 10 ? 1 : capacity / 10};
  if (!sim_links_open(&cache.links, trace->distinct)) return false;
  cache.small = sim_queue_named(1);
  cache.main_part = sim_queue_named(2);
  cache.ghosts = sim_queue_named(3);
  *hits = 0;
  for (size_t i = 0; i < trace->length; i++) *hits += s3fifo_get(&cache, trace->keys[i]);
  sim_links_close(&cache.links);
  return true;
}

/* ---- Belady ---- */

#define NEVER UINT64_MAX

typedef struct promise {
  uint64_t when; /* the key's next request */
  uint32_t key;
} promise;

/* A heap of promises, the farthest first. Old promises of a key stay in it and are passed over. */
typedef struct promises {
  promise *items;
  size_t count;
} promises;

static void promises_push(promises *heap, promise item)
{
  size_t at = heap->count++;
  while (at > 0 && heap->items[(at - 1) / 2].when < item.when) {
    heap->items[at] = heap->items[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap->items[at] = item;
}

static promise promises_pop(promises *heap)
{
  const promise first = heap->items[0], last = heap->items[--heap->count];
  size_t at = 0;
  for (;;) {
    size_t child = at * 2 + 1;
    if (child >= heap->count) break;
    if (child + 1 < heap->count && heap->items[child + 1].when > heap->items[child].when) child++;
    if (heap->items[child].when <= last.when) break;
    heap->items[at] = heap->items[child];
    at = child;
  }
  heap->items[at] = last;
  return first;
}

/* next[i]: when the key of request i is asked for again. */
static void optimum_look_ahead(const sim_trace *trace, uint64_t *next, uint64_t *seen)
{
  for (uint32_t key = 0; key < trace->distinct; key++) seen[key] = NEVER;
  for (size_t i = trace->length; i-- > 0;) {
    next[i] = seen[trace->keys[i]];
    seen[trace->keys[i]] = i;
  }
}

static uint64_t optimum_run(const sim_trace *trace, uint32_t capacity, const uint64_t *next,
                            uint64_t *promised, bool *is_resident, promises *heap)
{
  uint64_t hits = 0;
  uint32_t count = 0;
  for (size_t i = 0; i < trace->length; i++) {
    const uint32_t key = trace->keys[i];
    if (is_resident[key]) {
      hits++;
    } else {
      is_resident[key] = true;
      count++;
    }
    promised[key] = next[i];
    const promise item = {next[i], key};
    promises_push(heap, item);
    while (count > capacity) {
      const promise farthest = promises_pop(heap);
      if (!is_resident[farthest.key] || promised[farthest.key] != farthest.when) continue;
      is_resident[farthest.key] = false;
      count--;
    }
  }
  return hits;
}

bool sim_optimum(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  uint64_t *next = (uint64_t *)calloc(trace->length, sizeof *next);
  uint64_t *promised = (uint64_t *)calloc(trace->distinct, sizeof *promised);
  bool *is_resident = (bool *)calloc(trace->distinct, sizeof *is_resident);
  promises heap = {(promise *)calloc(trace->length, sizeof(promise)), 0};
  const bool has_memory =
      next != NULL && promised != NULL && is_resident != NULL && heap.items != NULL;
  if (has_memory) {
    optimum_look_ahead(trace, next, promised);
    *hits = optimum_run(trace, capacity, next, promised, is_resident, &heap);
  }
  free(next);
  free(promised);
  free(is_resident);
  free(heap.items);
  return has_memory;
}

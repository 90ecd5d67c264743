/* W-TinyLFU with one queue per segment. */
#include "numbers.h"
#include "queues.h"
#include "reference.h"

#include <stdlib.h>

#define ROWS 4u
#define COUNT_MAX 15u
#define SAMPLE 10u /* requests per entry until all counters are halved */

typedef struct sketch {
  uint8_t *counters; /* ROWS rows of width */
  uint64_t width;    /* a power of two */
  uint64_t added, limit;
} sketch;

typedef struct tinylfu {
  sim_links links;
  sketch sketch;
  sim_queue window, probation, protected_part;
  uint32_t window_capacity, main_capacity, protected_capacity;
} tinylfu;

static bool sketch_open(sketch *counts, uint32_t capacity)
{
  counts->width = 64;
  while (counts->width < (uint64_t)capacity * 4) counts->width *= 2;
  counts->added = 0;
  counts->limit = (uint64_t)capacity * SAMPLE;
  counts->counters = (uint8_t *)calloc(counts->width, ROWS);
  return counts->counters != NULL;
}

static uint8_t *sketch_counter(const sketch *counts, uint32_t key, unsigned row)
{
  const uint64_t hash = sim_hash_word((uint64_t)key << 2 | row);
  return &counts->counters[row * counts->width + (hash & (counts->width - 1))];
}

static unsigned sketch_count(const sketch *counts, uint32_t key)
{
  unsigned least = COUNT_MAX;
  for (unsigned row = 0; row < ROWS; row++) {
    const unsigned count = *sketch_counter(counts, key, row);
    least = count < least ? count : least;
  }
  return least;
}

static void sketch_add(sketch *counts, uint32_t key)
{
  bool has_changed = false;
  for (unsigned row = 0; row < ROWS; row++) {
    uint8_t *counter = sketch_counter(counts, key, row);
    if (*counter == COUNT_MAX) continue;
    ++*counter;
    has_changed = true;
  }
  if (!has_changed || ++counts->added < counts->limit) return;
  for (uint64_t i = 0; i < counts->width * ROWS; i++) counts->counters[i] >>= 1;
  counts->added /= 2;
}

static void tinylfu_touch(tinylfu *cache, sim_queue *queue, uint32_t key)
{
  sim_queue_take(&cache->links, queue, key);
  sim_queue_push(&cache->links, queue, key);
}

static void tinylfu_protect(tinylfu *cache, uint32_t key)
{
  sim_links *links = &cache->links;
  sim_queue_take(links, &cache->probation, key);
  sim_queue_push(links, &cache->protected_part, key);
  if (cache->protected_part.count > cache->protected_capacity)
    sim_queue_push(links, &cache->probation, sim_queue_pop(links, &cache->protected_part));
}

/* The window's oldest goes to the main part, if it is asked for more often than the one that it
 * would take the place of. */
static void tinylfu_admit(tinylfu *cache)
{
  sim_links *links = &cache->links;
  const uint32_t newcomer = sim_queue_pop(links, &cache->window);
  if (cache->probation.count + cache->protected_part.count < cache->main_capacity) {
    sim_queue_push(links, &cache->probation, newcomer);
    return;
  }
  sim_queue *queue = cache->probation.count > 0 ? &cache->probation : &cache->protected_part;
  if (queue->count == 0) return;
  if (sketch_count(&cache->sketch, newcomer) <= sketch_count(&cache->sketch, queue->oldest)) return;
  sim_queue_pop(links, queue);
  sim_queue_push(links, &cache->probation, newcomer);
}

static bool tinylfu_get(tinylfu *cache, uint32_t key)
{
  const uint8_t where = cache->links.where[key];
  sketch_add(&cache->sketch, key);
  if (where == cache->window.name) {
    tinylfu_touch(cache, &cache->window, key);
  } else if (where == cache->probation.name) {
    tinylfu_protect(cache, key);
  } else if (where == cache->protected_part.name) {
    tinylfu_touch(cache, &cache->protected_part, key);
  } else {
    sim_queue_push(&cache->links, &cache->window, key);
    if (cache->window.count > cache->window_capacity) tinylfu_admit(cache);
  }
  return where != 0;
}

static bool tinylfu_run(const sim_trace *trace, uint32_t capacity, unsigned percent, uint64_t *hits)
{
  tinylfu cache = {.window = sim_queue_named(1)};
  cache.probation = sim_queue_named(2);
  cache.protected_part = sim_queue_named(3);
  cache.window_capacity = (uint32_t)((uint64_t)capacity * percent / 100);
  if (cache.window_capacity == 0) cache.window_capacity = 1;
  cache.main_capacity = capacity - cache.window_capacity;
  cache.protected_capacity = (uint32_t)((uint64_t)cache.main_capacity * 4 / 5);
  if (!sim_links_open(&cache.links, trace->distinct)) return false;
  const bool has_memory = sketch_open(&cache.sketch, capacity);
  *hits = 0;
  for (size_t i = 0; has_memory && i < trace->length; i++)
    *hits += tinylfu_get(&cache, trace->keys[i]);
  free(cache.sketch.counters);
  sim_links_close(&cache.links);
  return has_memory;
}

bool sim_tinylfu_1(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  return tinylfu_run(trace, capacity, 1, hits);
}

bool sim_tinylfu_20(const sim_trace *trace, uint32_t capacity, uint64_t *hits)
{
  return tinylfu_run(trace, capacity, 20, hits);
}

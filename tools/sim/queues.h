/* queues.h: doubly linked queues over keys that are numbers; a key is in one queue at a time. */
#ifndef SIM_QUEUES_H
#define SIM_QUEUES_H

#include "trace.h"

#include <stdlib.h>

#define SIM_NOBODY UINT32_MAX

typedef struct sim_links {
  uint32_t *older, *newer; /* of each key */
  uint8_t *where;          /* which queue a key is in; 0: none */
  uint8_t *uses;
} sim_links;

typedef struct sim_queue {
  uint32_t newest, oldest;
  uint32_t count;
  uint8_t name; /* what `where` says of its keys */
} sim_queue;

static inline void sim_links_close(sim_links *links)
{
  free(links->older);
  free(links->newer);
  free(links->where);
  free(links->uses);
}

static inline bool sim_links_open(sim_links *links, uint32_t distinct)
{
  links->older = (uint32_t *)calloc(distinct, sizeof *links->older);
  links->newer = (uint32_t *)calloc(distinct, sizeof *links->newer);
  links->where = (uint8_t *)calloc(distinct, 1);
  links->uses = (uint8_t *)calloc(distinct, 1);
  if (links->older != NULL && links->newer != NULL && links->where != NULL && links->uses != NULL)
    return true;
  sim_links_close(links);
  return false;
}

static inline sim_queue sim_queue_named(uint8_t name)
{
  const sim_queue queue = {SIM_NOBODY, SIM_NOBODY, 0, name};
  return queue;
}

static inline void sim_queue_push(sim_links *links, sim_queue *queue, uint32_t key)
{
  links->where[key] = queue->name;
  links->older[key] = queue->newest;
  links->newer[key] = SIM_NOBODY;
  if (queue->newest != SIM_NOBODY) links->newer[queue->newest] = key;
  if (queue->oldest == SIM_NOBODY) queue->oldest = key;
  queue->newest = key;
  queue->count++;
}

static inline void sim_queue_take(sim_links *links, sim_queue *queue, uint32_t key)
{
  const uint32_t older = links->older[key], newer = links->newer[key];
  if (newer == SIM_NOBODY) {
    queue->newest = older;
  } else {
    links->older[newer] = older;
  }
  if (older == SIM_NOBODY) {
    queue->oldest = newer;
  } else {
    links->newer[older] = newer;
  }
  links->where[key] = 0;
  queue->count--;
}

static inline uint32_t sim_queue_pop(sim_links *links, sim_queue *queue)
{
  const uint32_t key = queue->oldest;
  sim_queue_take(links, queue, key);
  return key;
}

#endif

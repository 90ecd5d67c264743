/* reference.h: well known policies as their authors describe them, with one queue for the whole
 * cache, and the best that any policy could do. What the engine is compared with. */
#ifndef SIM_REFERENCE_H
#define SIM_REFERENCE_H

#include "trace.h"

/* Each replays the trace through an empty cache of `capacity` entries, at least 1, and counts the
 * hits. False: no memory. */

bool sim_lru(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

/* Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023): a small queue of a
 * tenth, a main one, as many ghosts as the main one has entries. */
bool sim_s3fifo(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

/* Einziger et al., "TinyLFU" (2017): an LRU window of that percentage, a segmented LRU, admission
 * by a sketch of sixteen counters per entry. */
bool sim_tinylfu_1(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
bool sim_tinylfu_20(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

/* Belady's optimum: the entry whose next request is farthest goes, which may be the newcomer. */
bool sim_optimum(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

#endif

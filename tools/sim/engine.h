/* engine.h: a trace through the real L1, once with each of its policies. */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include "trace.h"

/* As in reference.h: an empty cache, get, and on a miss set. False: no memory. */
bool sim_engine_clock(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
bool sim_engine_lru(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
bool sim_engine_s3fifo(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
bool sim_engine_tinylfu(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
bool sim_engine_adaptive(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

#endif

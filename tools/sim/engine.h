/* engine.h: a trace through the real L1. */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include "trace.h"

/* As in reference.h: an empty cache, get, and on a miss set. False: no memory. */
bool sim_engine(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

#endif

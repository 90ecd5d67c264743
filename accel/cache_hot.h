/* cache_hot.h: the keys of a cache that are read most (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_HOT_H
#define ACCEL_CACHE_HOT_H

#include "cache_core.h"
#include "observation.h"

ACCEL_EXTERN_C_BEGIN

/* False: no memory, with a text. True without config.hot_keys: nothing is watched. */
bool accel_core_hot_open(accel_core *core);
/* Counts a read of the key that is a sample. */
void accel_core_hot_sample(accel_core *core, const void *key, uint64_t hash, bool is_hit);
/* Counts a hit or a miss of L1, outside the path of a hit. */
static inline void accel_core_count_local(accel_core *core, const void *key, uint64_t hash,
                                          bool is_hit)
{
  if (accel_stats_local(core->stats, is_hit, !is_hit))
    accel_core_hot_sample(core, key, hash, is_hit);
}
/* Adds the keys that are read most to an observation. False: no memory. */
bool accel_core_hot_observe(accel_core *core, bool shows_keys, accel_observed_cache *line);

ACCEL_EXTERN_C_END
#endif

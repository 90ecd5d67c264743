/* cache_load.h: asks the source of truth (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_LOAD_H
#define ACCEL_CACHE_LOAD_H

#include "cache_store.h"

ACCEL_EXTERN_C_BEGIN

/* The registered loaders under the configuration. */
core_load_options accel_core_load_options(const accel_core *core, const accel_read *read_or_null);
/* Loads the flights, which the calling thread leads, here or on the executor; each is landed and
 * finished in any case, some time. False: that was at once and a failure, for lack of room. The
 * caller holds them until this returns; their order may change. */
bool accel_core_load(accel_core *core, accel_flight **flights, size_t count,
                     const core_load_options *options);
/* The same, here in any case. */
void accel_core_load_here(accel_core *core, accel_flight **flights, size_t count,
                          const core_load_options *options);
/* A load's job that left its queue without having been run: its followers are refused. */
void accel_core_load_discard(accel_job *job_or_null);
/* Starts a reload in the background unless one is under way. OK, NOMEM, LOADER: no room. */
accel_status accel_core_refresh(accel_core *core, const void *key, uint64_t hash);

ACCEL_EXTERN_C_END
#endif

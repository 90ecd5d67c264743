/* cache_store.h: what becomes of a load: its outcome lands, and is written to the levels
 * (layer 4, private). Only for .c files.
 */
#ifndef ACCEL_CACHE_STORE_H
#define ACCEL_CACHE_STORE_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* How to load, and what to do with the outcome. */
typedef struct core_load_options {
  accel_fn *load, *mload; /* NULL both: nothing loads */
  void *load_ctx, *mload_ctx;
  const char *load_name; /* what `load` is, for error texts: "the loader" */
  bool is_in_caller;     /* the load runs in the calling thread */
  bool is_refresh;
  bool skip_remote, no_null_cache;
  bool is_leased;  /* leases were asked for already */
  bool stays;      /* what was begun is loaded, even if no thread waits for it any more */
  uint32_t ttl_ms; /* 0: configured */
  accel_error_policy errors;
  uint64_t error_mark; /* of the thread that loads, before it began */
} core_load_options;

/* Lands what the source said of a flight. With ACCEL_OK the flight owns its value. */
void accel_core_land(accel_core *core, accel_flight *flight, accel_status status,
                     const core_load_options *options);
/* Writes landed flights to the levels and finishes them. */
void accel_core_store(accel_core *core, accel_flight **flights, size_t count,
                      const core_load_options *options);
/* Where a load that failed had a lease: other processes wait a while before they load. */
void accel_core_store_failure(accel_core *core, accel_flight *flight,
                              const core_load_options *options);
/* Drops those that no thread waits for. Returns how many are left, which come first. */
size_t accel_core_drop_unwanted(accel_core *core, accel_flight **flights, size_t count);

ACCEL_EXTERN_C_END
#endif

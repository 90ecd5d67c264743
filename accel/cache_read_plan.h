/* cache_read_plan.h: a read of any number of keys on its way through the levels
 * (layer 4, private). Only for .c files.
 */
#ifndef ACCEL_CACHE_READ_PLAN_H
#define ACCEL_CACHE_READ_PLAN_H

#include "cache_keys.h"
#include "cache_leave.h"
#include "cache_report.h"
#include "cache_store.h"

ACCEL_EXTERN_C_BEGIN

/* One distinct key that L1 did not answer. */
typedef struct core_miss {
  core_key id;
  accel_flight *flight; /* held */
  accel_status status;
  accel_info info;
  bool is_leader, has_stale, is_answered;
} core_miss;

/* One read of any number of keys, on its way through the levels. */
typedef struct core_read_plan {
  accel_core *core;
  const void *keys;
  size_t count;
  accel_read read;
  core_load_options load_options;
  bool is_loaded_by_caller;   /* the maker of the plan loads between begin and end */
  void *values_out;           /* NULL: nobody wants them */
  accel_status *statuses_out; /* count of them */
  accel_status failure;       /* of the whole read: no memory */
  core_operation operation;
  core_report report; /* begun when L1 did not answer everything */
  bool is_part;       /* of an operation that reports itself */
  bool is_reported;
  uint64_t hits;       /* keys that a level of the cache answered */
  accel_origin source; /* the furthest level that answered one */
  core_miss *misses;
  size_t miss_count;
  size_t *miss_of;      /* key index to miss; SIZE_MAX: L1 answered */
  accel_flight **leads; /* flights that this plan must have loaded */
  size_t lead_count;
  void *memory;                   /* of the arrays; a single read needs none */
  void *own_statuses, *own_infos; /* NULL, or what its maker frees behind it */
  core_body *body;                /* of a batch, while its body runs */
  accel_status result;            /* of the whole read */
  core_miss one_miss;
  size_t one_miss_of;
  accel_flight *one_lead;
  accel_status one_status;
} core_read_plan;

/* A plan for `count` keys under the registered loaders; the fields may then be changed. */
void accel_core_plan_init(core_read_plan *plan, accel_core *core, const void *keys, size_t count,
                          const accel_read *read_or_null);
/* Reads L1, joins flights, asks L2. True: plan->leads must be loaded (accel_core_plan_load, or by
 * the caller) before accel_core_plan_end. */
bool accel_core_plan_begin(core_read_plan *plan);
void accel_core_plan_load(core_read_plan *plan);
/* Where the answer for key `i` goes, NULL: nowhere; and its accel_info. */
void *accel_core_plan_value(const core_read_plan *plan, size_t i);
accel_info *accel_core_plan_info(const core_read_plan *plan, size_t i, accel_info *unwanted);
bool accel_core_plan_can_load(const core_read_plan *plan);

ACCEL_EXTERN_C_END
#endif

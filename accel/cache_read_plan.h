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

/* What is read, and where the answers go. */
typedef struct core_read_request {
  core_operation operation;
  bool is_part; /* of an operation that reports itself */
  const void *keys;
  size_t count;
  accel_read options;
  void *values_out;           /* NULL: nobody wants them */
  accel_status *statuses_out; /* count of them */
} core_read_request;

/* The keys that L1 did not answer. A single read needs no memory for them. */
typedef struct core_read_misses {
  core_miss *items;
  size_t count;
  size_t *of_key;       /* key index to miss; SIZE_MAX: L1 answered */
  accel_flight **leads; /* flights that this plan must have loaded */
  size_t lead_count;
  void *memory; /* of the arrays; NULL: they are the three below */
  core_miss one_item;
  size_t one_of_key;
  accel_flight *one_lead;
} core_read_misses;

/* What came of it. */
typedef struct core_read_outcome {
  accel_status failure; /* of the whole read: no memory */
  accel_status status;  /* the first failure of a key */
  accel_status one_status;
  uint64_t hits;       /* keys that a level of the cache answered */
  accel_origin source; /* the furthest level that answered one */
  core_report report;  /* begun when L1 did not answer everything */
  bool is_reported;
} core_read_outcome;

/* One read of any number of keys, on its way through the levels. */
typedef struct core_read_plan {
  accel_core *core;
  core_read_request request;
  core_load_options load_options;
  bool is_loaded_by_caller; /* the maker of the plan loads between begin and end */
  core_read_misses misses;
  core_read_outcome outcome;
  void *own_statuses, *own_infos; /* NULL, or what its maker frees behind it */
  core_body *body;                /* of a batch, while its body runs */
  uint64_t begun_ns;              /* when L1 had been asked; 0: the read is not timed */
  uint64_t body_begun_ns;         /* the same of a body */
} core_read_plan;

/* A plan for `count` keys under the registered loaders; the fields may then be changed. */
void accel_core_plan_init(core_read_plan *plan, accel_core *core, const void *keys, size_t count,
                          const accel_read *read_or_null);
/* Reads L1, joins flights, asks L2. True: plan->misses.leads must be loaded (accel_core_plan_load,
 * or by the caller) before accel_core_plan_end. */
bool accel_core_plan_begin(core_read_plan *plan);
void accel_core_plan_load(core_read_plan *plan);
/* Where the answer for key `i` goes, NULL: nowhere; and its accel_info. */
void *accel_core_plan_value(const core_read_plan *plan, size_t i);
accel_info *accel_core_plan_info(const core_read_plan *plan, size_t i, accel_info *unwanted);
bool accel_core_plan_can_load(const core_read_plan *plan);

ACCEL_EXTERN_C_END
#endif

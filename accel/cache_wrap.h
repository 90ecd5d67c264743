/* cache_wrap.h: the two halves of a wrapped call (layer 4).  * wrap.h generates functions that
 * call the first half, then the user's body if they must, then the second half. Threads: any;
 * one accel_wrap belongs to one call.
 */
#ifndef ACCEL_CACHE_WRAP_H
#define ACCEL_CACHE_WRAP_H

#include "cache.h"

/* The options of one call, without their types. */
typedef struct accel_wrap_options {
  bool allow_stale, no_null_cache;
  accel_error_policy on_cache_error;
  uint32_t ttl_ms;
  bool bypass;
} accel_wrap_options;

#define ACCEL_WRAP_PLAN_WORDS 64u

/* A wrapped call between its two halves. */
typedef struct accel_wrap {
  accel_cache *cache;
  const accel_type *type;
  accel_wrap_options options;
  void *plan; /* of a read that the body must answer; NULL: the body runs without the cache */
  void *out;
  /* What a batch body gets, and what its caller wants. */
  void *keys, *values, *memory;
  size_t count;
  bool is_whole_area; /* of an evict, instead of the keys */
  bool is_uncached;   /* what the body said must not be kept */
  accel_status *statuses;
  void *caller_values;
  accel_status *caller_statuses;
  accel_status status; /* the result where the body must not run; else the failure so far */
  uint64_t plan_words[ACCEL_WRAP_PLAN_WORDS]; /* where the plan is: not to be moved */
} accel_wrap;

ACCEL_EXTERN_C_BEGIN

/* The first half of a read. True: the body must run, then end is called with what it said. False:
 * `wrap->status` is the result. `is_uncached` in end: the value must not be kept. */
bool accel_wrap_read(accel_wrap *wrap, accel_cache *cache, const accel_type *type, const void *key,
                     void *out, const accel_wrap_options *options);
accel_status accel_wrap_read_end(accel_wrap *wrap, accel_status status, bool is_uncached);
/* The same for a batch: the body gets wrap->keys, count, values and statuses. */
bool accel_wrap_read_batch(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                           const void *keys, size_t count, void *values, accel_status *statuses,
                           const accel_wrap_options *options);
accel_status accel_wrap_read_batch_end(accel_wrap *wrap, accel_status status);
/* After a body that succeeded: caches what it saved. */
accel_status accel_wrap_put(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                            const void *key, const void *value, const accel_wrap_options *options);
/* Around a body that removes. `key_or_null` NULL: the whole area. The key must outlive end. */
void accel_wrap_evict(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                      const void *key_or_null, bool before, const accel_wrap_options *options);
void accel_wrap_evict_batch(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                            const void *keys, size_t count, bool before,
                            const accel_wrap_options *options);
accel_status accel_wrap_evict_end(accel_wrap *wrap, accel_status status);

ACCEL_EXTERN_C_END

#endif

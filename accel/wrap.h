#pragma GCC system_header /* the batch bodies' parameters have fixed names, which may shadow */
/* wrap.h: functions of the user's, decorated with a cache (layer 5).
 *
 * Each macro is followed by the body of a function: the source of truth. It generates the function
 * of the given name around it. What happens is decided in cache_wrap.c; here the options get their
 * types, are evaluated once, and are handed on.
 *
 *   ACCEL_CACHEABLE(user, get_user, (service *svc, uint64_t id, user_t *out), (svc, id, out),
 *                   .cache = &svc->users, .key = id, .out = out)
 *   { return find_user(svc->database, id, out); }
 *
 * A leading `static` makes the function static.
 */
#ifndef ACCEL_WRAP_H
#define ACCEL_WRAP_H

#include "define.h"

/* The options of one call, without their types. */
typedef struct accel_wrap_options {
  bool allow_stale, no_null_cache;
  accel_error_policy on_cache_error;
  uint32_t ttl_ms;
  bool bypass;
} accel_wrap_options;

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
  accel_status *statuses;
  void *caller_values;
  accel_status *caller_statuses;
  accel_status status; /* the result where the body must not run; else the failure so far */
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
accel_status accel_wrap_put(accel_cache *cache, const accel_type *type, const void *key,
                            const void *value, const accel_wrap_options *options);
/* Around a body that removes. `key_or_null` NULL: the whole area. The key must outlive end. */
void accel_wrap_evict(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                      const void *key_or_null, bool before, const accel_wrap_options *options);
void accel_wrap_evict_batch(accel_wrap *wrap, accel_cache *cache, const accel_type *type,
                            const void *keys, size_t count, bool before,
                            const accel_wrap_options *options);
accel_status accel_wrap_evict_end(accel_wrap *wrap, accel_status status);

ACCEL_EXTERN_C_END

/* clang-format off: one line per function reads better than what the formatter makes of it */

#define ACCEL_WRAPPED_(function_, parameters_) \
  accel_status function_ parameters_; \
  static accel_status function_##_body_ parameters_; \
  accel_status function_ parameters_

#define ACCEL_CACHEABLE(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) \
  { \
    const struct { \
      n_##_cache *cache; \
      n_##_cache_key key; \
      n_##_cache_value *out; \
      bool allow_stale, no_null_cache; \
      accel_error_policy on_cache_error; \
      uint32_t ttl_ms; \
      bool (*unless)(const n_##_cache_value *); \
      bool bypass; \
    } o_ = {__VA_ARGS__}; \
    accel_cache *const accel_cache_ = (accel_cache *)o_.cache; \
    const accel_wrap_options accel_options_ = {o_.allow_stale, o_.no_null_cache, \
                                               o_.on_cache_error, o_.ttl_ms, o_.bypass}; \
    const accel_status accel_hit_ = \
        o_.bypass ? ACCEL_MISS \
                  : accel_cache_hit(accel_cache_, &n_##_cache_type_, &o_.key, o_.out); \
    accel_wrap accel_wrap_; \
    if (ACCEL_LIKELY(accel_hit_ != ACCEL_MISS)) return accel_hit_; \
    if (!accel_wrap_read(&accel_wrap_, accel_cache_, &n_##_cache_type_, &o_.key, o_.out, \
                         &accel_options_)) \
      return accel_wrap_.status; \
    const accel_status accel_status_ = function_##_body_ arguments_; \
    const bool accel_unless_ = \
        accel_status_ == ACCEL_OK && o_.unless != NULL && o_.unless(o_.out); \
    return accel_wrap_read_end(&accel_wrap_, accel_status_, accel_unless_); \
  } \
  static accel_status function_##_body_ parameters_

#define ACCEL_CACHE_PUT(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) \
  { \
    const accel_status accel_status_ = function_##_body_ arguments_; \
    if (accel_status_ != ACCEL_OK) return accel_status_; \
    const struct { \
      n_##_cache *cache; \
      n_##_cache_key key; \
      const n_##_cache_value *value; \
      accel_error_policy on_cache_error; \
      uint32_t ttl_ms; \
      bool bypass; \
    } o_ = {__VA_ARGS__}; \
    const accel_wrap_options accel_options_ = {false, false, o_.on_cache_error, o_.ttl_ms, \
                                               o_.bypass}; \
    return accel_wrap_put((accel_cache *)o_.cache, &n_##_cache_type_, &o_.key, o_.value, \
                          &accel_options_); \
  } \
  static accel_status function_##_body_ parameters_

#define ACCEL_CACHE_EVICT(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) \
  { \
    const struct { \
      n_##_cache *cache; \
      n_##_cache_key key; \
      bool before, all; \
      accel_error_policy on_cache_error; \
      bool bypass; \
    } o_ = {__VA_ARGS__}; \
    const accel_wrap_options accel_options_ = {false, false, o_.on_cache_error, 0, o_.bypass}; \
    accel_wrap accel_wrap_; \
    accel_wrap_evict(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, \
                     o_.all ? NULL : &o_.key, o_.before, &accel_options_); \
    return accel_wrap_evict_end(&accel_wrap_, function_##_body_ arguments_); \
  } \
  static accel_status function_##_body_ parameters_

#define ACCEL_CACHEABLE_BATCH(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, ACCEL_AND_(arguments_, parameters_, const n_##_cache_key *accel_keys_, \
                                       size_t accel_count_, n_##_cache_value *accel_values_, \
                                       accel_status *accel_statuses_)) \
  { \
    const struct { \
      n_##_cache *cache; \
      bool allow_stale, no_null_cache; \
      accel_error_policy on_cache_error; \
      uint32_t ttl_ms; \
      bool bypass; \
    } o_ = {__VA_ARGS__}; \
    const accel_wrap_options accel_options_ = {o_.allow_stale, o_.no_null_cache, \
                                               o_.on_cache_error, o_.ttl_ms, o_.bypass}; \
    accel_wrap accel_wrap_; \
    if (!accel_wrap_read_batch(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, \
                               accel_keys_, accel_count_, accel_values_, accel_statuses_, \
                               &accel_options_)) \
      return accel_wrap_.status; \
    return accel_wrap_read_batch_end( \
        &accel_wrap_, \
        function_##_body_ ACCEL_AND_( \
            arguments_, arguments_, (const n_##_cache_key *)accel_wrap_.keys, accel_wrap_.count, \
            (n_##_cache_value *)accel_wrap_.values, accel_wrap_.statuses)); \
  } \
  static accel_status function_##_body_ ACCEL_AND_( \
      arguments_, parameters_, const n_##_cache_key *keys, size_t count, n_##_cache_value *values, \
      accel_status *statuses)

#define ACCEL_CACHE_EVICT_BATCH(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, ACCEL_AND_(arguments_, parameters_, const n_##_cache_key *accel_keys_, \
                                       size_t accel_count_)) \
  { \
    const struct { \
      n_##_cache *cache; \
      bool before; \
      accel_error_policy on_cache_error; \
      bool bypass; \
    } o_ = {__VA_ARGS__}; \
    const accel_wrap_options accel_options_ = {false, false, o_.on_cache_error, 0, o_.bypass}; \
    accel_wrap accel_wrap_; \
    accel_wrap_evict_batch(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, accel_keys_, \
                           accel_count_, o_.before, &accel_options_); \
    return accel_wrap_evict_end( \
        &accel_wrap_, \
        function_##_body_ ACCEL_AND_(arguments_, arguments_, accel_keys_, accel_count_)); \
  } \
  static accel_status function_##_body_ ACCEL_AND_(arguments_, parameters_, \
                                                   const n_##_cache_key *keys, size_t count)

/* (a, b) and c, d make (a, b, c, d); () and c, d make (c, d), whatever stands for "none" in the
 * parameters. Whether the arguments are empty is found out as in Jens Gustedt, "Detect empty macro
 * arguments" (2010): nothing but emptiness makes a call of the probe. */
#define ACCEL_AND_(test_, list_, ...) \
  ACCEL_PASTE(ACCEL_AND_IF_, ACCEL_IS_EMPTY_ test_)(list_, __VA_ARGS__)
#define ACCEL_AND_IF_0(list_, ...) (ACCEL_BARE_ list_, __VA_ARGS__)
#define ACCEL_AND_IF_1(list_, ...) (__VA_ARGS__)
#define ACCEL_TENTH_(a_, b_, c_, d_, e_, f_, g_, h_, i_, j_, ...) j_
#define ACCEL_HAS_COMMA_(...) ACCEL_TENTH_(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
#define ACCEL_PROBE_(...) ,
#define ACCEL_IS_EMPTY_(...) \
  ACCEL_EMPTY_OF_(ACCEL_HAS_COMMA_(__VA_ARGS__), ACCEL_HAS_COMMA_(ACCEL_PROBE_ __VA_ARGS__), \
                  ACCEL_HAS_COMMA_(ACCEL_PROBE_ __VA_ARGS__()))
#define ACCEL_EMPTY_OF_(a_, b_, c_) ACCEL_EMPTY_CASE_(a_, b_, c_)
#define ACCEL_EMPTY_CASE_(a_, b_, c_) ACCEL_PASTE_(ACCEL_EMPTY_##a_##b_, c_)
#define ACCEL_EMPTY_000 0
#define ACCEL_EMPTY_001 1
#define ACCEL_EMPTY_011 0
#define ACCEL_EMPTY_101 0
#define ACCEL_EMPTY_110 0
#define ACCEL_EMPTY_111 0

#endif

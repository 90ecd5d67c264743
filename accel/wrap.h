/* wrap.h: wrappers, which put a cache around a function of the user (layer 5).
 *
 * Each macro is followed by the body of a function, which queries the source of truth. It generates
 * a function of the given name around it. The macros give the options their types, evaluate them
 * once and pass them on; cache_wrap.c decides.
 *
 *   ACCEL_CACHEABLE(user, get_user, (service *svc, uint64_t id, user_t *out), (svc, id, out),
 *                   .cache = &svc->users, .key = id, .out = out)
 *   { return find_user(svc->database, id, out); }
 *
 * `static` before the macro makes the function static.
 */
/* The batch bodies' parameters have fixed names, which may shadow the user's globals. */
#pragma GCC system_header

#ifndef ACCEL_WRAP_H
#define ACCEL_WRAP_H

#include "cache_wrap.h"
#include "check.h"
#include "define.h"

/* clang-format off */

#define ACCEL_WRAPPED_(function_, parameters_) \
  accel_status function_ parameters_; \
  static accel_status function_##_body_ parameters_; \
  accel_status function_ parameters_
#define ACCEL_OPTIONS_(stale_, no_null_cache_, ttl_ms_) ACCEL_QUIET_END_ accel_wrap accel_wrap_; \
  const accel_wrap_options accel_options_ = \
      {stale_, no_null_cache_, o_.on_cache_error, ttl_ms_, o_.bypass}

#define ACCEL_CACHEABLE(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) { ACCEL_NEEDS_READ_(function_, __VA_ARGS__) \
    const struct { \
      n_##_cache *cache; n_##_cache_key key; n_##_cache_value *out; \
      bool allow_stale, no_null_cache; accel_error_policy on_cache_error; uint32_t ttl_ms; \
      bool (*unless)(const n_##_cache_value *); bool bypass; } o_ = {__VA_ARGS__}; \
    accel_cache *const accel_cache_ = (accel_cache *)o_.cache; \
    const accel_status accel_hit_ = o_.bypass ? ACCEL_MISS : \
        accel_cache_get_local(accel_cache_, &n_##_cache_type_, &o_.key, o_.out); \
    if (ACCEL_LIKELY(accel_hit_ != ACCEL_MISS)) return accel_hit_; \
    ACCEL_OPTIONS_(o_.allow_stale, o_.no_null_cache, o_.ttl_ms); \
    if (!accel_wrap_read(&accel_wrap_, accel_cache_, &n_##_cache_type_, &o_.key, o_.out, \
                         &accel_options_)) return accel_wrap_.status; \
    const accel_status accel_status_ = function_##_body_ arguments_; \
    const bool accel_unless_ = \
        accel_status_ == ACCEL_OK && o_.unless != NULL && o_.unless(o_.out); \
    return accel_wrap_read_end(&accel_wrap_, accel_status_, accel_unless_); \
  } static accel_status function_##_body_ parameters_

#define ACCEL_CACHE_PUT(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) { ACCEL_NEEDS_PUT_(function_, __VA_ARGS__) \
    const accel_status accel_status_ = function_##_body_ arguments_; \
    if (accel_status_ != ACCEL_OK) return accel_status_checked(accel_status_); \
    const struct { n_##_cache *cache; n_##_cache_key key; const n_##_cache_value *value; \
      accel_error_policy on_cache_error; uint32_t ttl_ms; bool bypass; } o_ = {__VA_ARGS__}; \
    ACCEL_OPTIONS_(false, false, o_.ttl_ms); \
    return accel_wrap_put(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, &o_.key, \
                          o_.value, &accel_options_); \
  } static accel_status function_##_body_ parameters_

#define ACCEL_CACHE_EVICT(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, parameters_) { ACCEL_NEEDS_EVICT_(function_, __VA_ARGS__) \
    const struct { n_##_cache *cache; n_##_cache_key key; bool before, all; \
      accel_error_policy on_cache_error; bool bypass; } o_ = {__VA_ARGS__}; \
    ACCEL_OPTIONS_(false, false, 0); \
    accel_wrap_evict(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, \
                     o_.all ? NULL : &o_.key, o_.before, &accel_options_); \
    return accel_wrap_evict_end(&accel_wrap_, function_##_body_ arguments_); \
  } static accel_status function_##_body_ parameters_

#define ACCEL_CACHEABLE_BATCH(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, ACCEL_AND_(arguments_, parameters_, const n_##_cache_key *accel_keys_, \
      size_t accel_count_, n_##_cache_value *accel_values_, accel_status *accel_statuses_)) { \
    ACCEL_NEEDS_CACHE_(function_, __VA_ARGS__) \
    const struct { n_##_cache *cache; bool allow_stale, no_null_cache; \
      accel_error_policy on_cache_error; uint32_t ttl_ms; bool bypass; } o_ = {__VA_ARGS__}; \
    ACCEL_OPTIONS_(o_.allow_stale, o_.no_null_cache, o_.ttl_ms); \
    if (!accel_wrap_read_batch(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, \
            accel_keys_, accel_count_, accel_values_, accel_statuses_, &accel_options_)) \
      return accel_wrap_.status; \
    return accel_wrap_read_batch_end(&accel_wrap_, function_##_body_ ACCEL_AND_(arguments_, \
        arguments_, (const n_##_cache_key *)accel_wrap_.keys, accel_wrap_.count, \
        (n_##_cache_value *)accel_wrap_.values, accel_wrap_.statuses)); \
  } static accel_status function_##_body_ ACCEL_AND_(arguments_, parameters_, \
      const n_##_cache_key *keys, size_t count, n_##_cache_value *values, accel_status *statuses)

#define ACCEL_CACHE_EVICT_BATCH(n_, function_, parameters_, arguments_, ...) \
  ACCEL_WRAPPED_(function_, ACCEL_AND_(arguments_, parameters_, const n_##_cache_key *accel_keys_, \
                                       size_t accel_count_)) { \
    ACCEL_NEEDS_CACHE_(function_, __VA_ARGS__) const struct { n_##_cache *cache; bool before; \
      accel_error_policy on_cache_error; bool bypass; } o_ = {__VA_ARGS__}; \
    ACCEL_OPTIONS_(false, false, 0); \
    accel_wrap_evict_batch(&accel_wrap_, (accel_cache *)o_.cache, &n_##_cache_type_, accel_keys_, \
                           accel_count_, o_.before, &accel_options_); \
    return accel_wrap_evict_end(&accel_wrap_, function_##_body_ ACCEL_AND_( \
        arguments_, arguments_, accel_keys_, accel_count_)); \
  } static accel_status function_##_body_ ACCEL_AND_(arguments_, parameters_, \
      const n_##_cache_key *keys, size_t count)

/* clang-format on */

#endif

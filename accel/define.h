/* define.h: ACCEL_DEFINE and its family (layer 5).
 *
 * They emit typedefs, one constant descriptor (type.h) and one-line functions that forward to
 * cache.h, where each is documented under the same name. Nothing is decided here.
 *
 *   ACCEL_DEFINE(user, uint64_t, user_t)        private to its file
 *   ACCEL_DEFINE_WITH(user, K, V, .trait = …)   with traits by name, in the order of user_cache_traits
 *   ACCEL_DEFINE_STR(page, page_t)              const char * keys, copied in; _STR_WITH likewise
 *   ACCEL_DECLARE(user, K, V)                   in a header; ACCEL_DECLARE_STR(page, page_t)
 *   ACCEL_IMPLEMENT(user)                       in one .c; _WITH, _STR, _STR_WITH as above
 */
#ifndef ACCEL_DEFINE_H
#define ACCEL_DEFINE_H

#include "cache.h"

/* clang-format off: one line per function reads better than what the formatter makes of it */

/* What a user may have given, seen at compile time: the text of the first traits. */
#define ACCEL_SECOND_(first_, second_, ...) #second_
#define ACCEL_HAS_HASH_AND_EQUAL_(first_, ...) \
  (__builtin_strncmp(#first_, ".hash", 5) == 0 && \
   __builtin_strncmp(ACCEL_SECOND_(first_, __VA_ARGS__, , ), ".equal", 6) == 0)

#define ACCEL_CHECK_(n_, holds_, text_) \
  ACCEL_STATIC_ASSERT(holds_, "ACCEL_DEFINE(" #n_ "): " text_);
#define ACCEL_CHECK_TYPES_(n_) \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(n_##_cache_key), \
               "the key is an array; put it into a struct and give .hash and .equal") \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(n_##_cache_value), \
               "the value is an array; put it into a struct") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(n_##_cache_key) != ACCEL_KIND_FLOATING_, \
               "the key is a floating number, which has no reliable equality; use an integer")
#define ACCEL_CHECK_INTEGER_(n_) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(n_##_cache_key) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR(name, value), which copies it in") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(n_##_cache_key) != 0, \
               "the key is not an integer; use ACCEL_DEFINE_WITH and give .hash and .equal")
#define ACCEL_CHECK_STRUCT_(n_, ...) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(n_##_cache_key) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR_WITH, which copies it in") \
  ACCEL_CHECK_(n_, \
               ACCEL_KIND_OF_(n_##_cache_key) != 0 || ACCEL_HAS_HASH_AND_EQUAL_(__VA_ARGS__, ), \
               "a struct key needs .hash (given first) and .equal")

#define ACCEL_TYPES_(n_, K_, V_) \
  typedef K_ n_##_cache_key; \
  typedef V_ n_##_cache_value; \
  ACCEL_CHECK_TYPES_(n_) \
  typedef struct n_##_cache { \
    accel_cache base; \
  } n_##_cache; \
  typedef struct n_##_cache_ref { \
    accel_local_pin pin; \
  } n_##_cache_ref; \
  typedef accel_status n_##_cache_load_fn(void *, n_##_cache_key, n_##_cache_value *); \
  typedef accel_status n_##_cache_mload_fn(void *, const n_##_cache_key *, size_t, \
                                           n_##_cache_value *, accel_status *); \
  typedef bool n_##_cache_visit_fn(void *, n_##_cache_key, const n_##_cache_value *); \
  typedef struct n_##_cache_traits { \
    uint64_t (*hash)(const n_##_cache_key *, uint64_t); \
    bool (*equal)(const n_##_cache_key *, const n_##_cache_key *); \
    bool (*copy)(n_##_cache_value *, const n_##_cache_value *); \
    void (*drop)(n_##_cache_value *); \
    uint32_t (*weigh)(const n_##_cache_key *, const n_##_cache_value *); \
    size_t (*key_text)(const n_##_cache_key *, char *, size_t); \
    bool (*key_parse)(const char *, size_t, n_##_cache_key *); \
    const accel_local_ops *local; \
    const accel_remote_ops *remote; \
    const accel_codec *codec; \
    uint32_t schema; \
  } n_##_cache_traits;

/* Functions that restore the types and call the user's, and the descriptor that lists them. */
#define ACCEL_TYPE_CONSTANT_(scope_, n_, kind_, ...) \
  static const n_##_cache_traits n_##_cache_traits_ ACCEL_UNUSED = {__VA_ARGS__}; \
  ACCEL_INLINE accel_traits n_##_cache_get_traits_(void) \
  { \
    const n_##_cache_traits *const t_ = &n_##_cache_traits_; \
    const accel_traits traits_ = {t_->hash != NULL, \
                                  t_->equal != NULL, \
                                  t_->copy != NULL, \
                                  t_->drop != NULL, \
                                  t_->weigh != NULL, \
                                  t_->key_text != NULL, \
                                  t_->key_parse != NULL, \
                                  t_->local, \
                                  t_->remote, \
                                  t_->codec, \
                                  t_->schema}; \
    return traits_; \
  } \
  ACCEL_THUNK_(uint64_t, return, n_, hash, (const void *key_, uint64_t seed_), \
               ((const n_##_cache_key *)key_, seed_), \
               accel_type_default_hash(kind_, sizeof(n_##_cache_key), key_, seed_)) \
  ACCEL_THUNK_(bool, return, n_, equal, (const void *a_, const void *b_), \
               ((const n_##_cache_key *)a_, (const n_##_cache_key *)b_), \
               accel_type_default_equal(kind_, sizeof(n_##_cache_key), a_, b_)) \
  ACCEL_THUNK_(bool, return, n_, copy, (void *to_, const void *from_), \
               ((n_##_cache_value *)to_, (const n_##_cache_value *)from_), \
               accel_type_default_copy(sizeof(n_##_cache_value), to_, from_)) \
  ACCEL_THUNK_(void, , n_, drop, (void *value_), ((n_##_cache_value *)value_), (void)value_) \
  ACCEL_THUNK_(uint32_t, return, n_, weigh, (const void *key_, const void *value_), \
               ((const n_##_cache_key *)key_, (const n_##_cache_value *)value_), 1) \
  ACCEL_THUNK_(size_t, return, n_, key_text, (const void *key_, char *text_, size_t size_), \
               ((const n_##_cache_key *)key_, text_, size_), 0) \
  ACCEL_THUNK_(bool, return, n_, key_parse, (const char *text_, size_t size_, void *key_), \
               (text_, size_, (n_##_cache_key *)key_), false) \
  ACCEL_CALL_(accel_status, n_, load, (accel_fn * f_, void *ctx_, const void *key_, void *out_), \
              (ctx_, *(const n_##_cache_key *)key_, (n_##_cache_value *)out_)) \
  ACCEL_CALL_( \
      accel_status, n_, mload, \
      (accel_fn * f_, void *ctx_, const void *keys_, size_t count_, void *values_, \
       accel_status *statuses_), \
      (ctx_, (const n_##_cache_key *)keys_, count_, (n_##_cache_value *)values_, statuses_)) \
  ACCEL_CALL_(bool, n_, visit, (accel_fn * f_, void *ctx_, const void *key_, const void *value_), \
              (ctx_, *(const n_##_cache_key *)key_, (const n_##_cache_value *)value_)) \
  scope_ const accel_type n_##_cache_type_ ACCEL_UNUSED = {#n_, \
                                                           sizeof(n_##_cache_key), \
                                                           sizeof(n_##_cache_value), \
                                                           __alignof__(n_##_cache_value), \
                                                           kind_, \
                                                           n_##_cache_get_traits_, \
                                                           n_##_cache_hash_, \
                                                           n_##_cache_equal_, \
                                                           n_##_cache_copy_, \
                                                           n_##_cache_drop_, \
                                                           n_##_cache_weigh_, \
                                                           n_##_cache_key_text_, \
                                                           n_##_cache_key_parse_, \
                                                           n_##_cache_load_, \
                                                           n_##_cache_mload_, \
                                                           n_##_cache_visit_, \
                                                           &ACCEL_BUILD_SYMBOL_};
#define ACCEL_THUNK_(result_, return_, n_, trait_, parameters_, arguments_, default_) \
  ACCEL_INLINE result_ n_##_cache_##trait_##_ parameters_ \
  { \
    return_(n_##_cache_traits_.trait_ != NULL ? n_##_cache_traits_.trait_ arguments_ \
                                              : (default_)); \
  }
#define ACCEL_CALL_(result_, n_, what_, parameters_, arguments_) \
  ACCEL_INLINE result_ n_##_cache_##what_##_ parameters_ \
  { \
    return ((n_##_cache_##what_##_fn *)f_)arguments_; \
  }

/* Every function of a cache, by the core function it forwards to: X(how, name, result, return, verb,
 * parameters after the cache, arguments after cache and type). */
#define ACCEL_FUNCTIONS_(X, h_, n_) \
  X(h_, n_, accel_status, return, open, (, const accel_config *config_), (, config_)) \
  X(h_, n_, void, , close, (), ()) \
  X(h_, n_, accel_status, return, close_within, (, uint32_t ms_), (, ms_)) \
  X(h_, n_, void, , set_loader, (, n_##_cache_load_fn * l_, void *ctx_), (, (accel_fn *)l_, ctx_)) \
  X(h_, n_, void, , set_mloader, (, n_##_cache_mload_fn * l_, void *ctx_), \
    (, (accel_fn *)l_, ctx_)) \
  X(h_, n_, accel_status, return, get, (, n_##_cache_key key_, n_##_cache_value * out_), \
    (, &key_, out_)) \
  X(h_, n_, accel_status, return, get_with, \
    (, n_##_cache_key key_, const accel_read *read_, n_##_cache_value *out_), \
    (, &key_, read_, out_)) \
  X(h_, n_, accel_status, return, get_or_load, \
    (, n_##_cache_key key_, const accel_read *read_, n_##_cache_load_fn *l_, void *ctx_, \
     n_##_cache_value *out_), \
    (, &key_, read_, (accel_fn *)l_, ctx_, out_)) \
  X(h_, n_, accel_status, return, mget, \
    (, const n_##_cache_key *keys_, size_t count_, const accel_read *read_, \
     n_##_cache_value *values_out_, accel_status *statuses_out_), \
    (, keys_, count_, read_, values_out_, statuses_out_)) \
  X(h_, n_, accel_status, return, set, (, n_##_cache_key key_, const n_##_cache_value *value_), \
    (, &key_, value_)) \
  X(h_, n_, accel_status, return, set_with, \
    (, n_##_cache_key key_, const accel_write *write_, const n_##_cache_value *value_), \
    (, &key_, write_, value_)) \
  X(h_, n_, accel_status, return, set_null, (, n_##_cache_key key_), (, &key_)) \
  X(h_, n_, accel_status, return, mset, \
    (, const n_##_cache_key *keys_, const n_##_cache_value *values_, size_t count_), \
    (, keys_, values_, count_)) \
  X(h_, n_, accel_status, return, del, (, n_##_cache_key key_), (, &key_)) \
  X(h_, n_, accel_status, return, del_after, (, n_##_cache_key key_, uint32_t ms_), \
    (, &key_, ms_)) \
  X(h_, n_, accel_status, return, mdel, (, const n_##_cache_key *keys_, size_t count_), \
    (, keys_, count_)) \
  X(h_, n_, accel_status, return, clear, (), ()) \
  X(h_, n_, accel_status, return, refresh, (, n_##_cache_key key_), (, &key_)) \
  X(h_, n_, accel_status, return, warmup, \
    (, const n_##_cache_key *keys_, size_t count_, size_t *loaded_out_), \
    (, keys_, count_, loaded_out_)) \
  X(h_, n_, accel_status, return, get_ref, (, n_##_cache_key key_, n_##_cache_ref * ref_), \
    (, &key_, (accel_local_pin *)ref_)) \
  X(h_, n_, accel_status, return, resize, (, size_t capacity_), (, capacity_)) \
  X(h_, n_, size_t, return, hottest, (, n_##_cache_key * keys_, size_t count_), (, keys_, count_)) \
  X(h_, n_, void, , each, (, n_##_cache_visit_fn * visit_, void *ctx_), \
    (, (accel_fn *)visit_, ctx_))
/* The same for those that only look: X(how, name, result, return, verb, object, its core type, …). */
#define ACCEL_OBSERVERS_(X, h_, n_) \
  X(h_, n_, void, , metrics_snapshot, const n_##_cache *, const accel_cache *, \
    (, accel_metrics * out_), (, out_)) \
  X(h_, n_, void, , diagnostic_snapshot, const n_##_cache *, const accel_cache *, \
    (, accel_diagnostic * out_), (, out_)) \
  X(h_, n_, size_t, return, otel_metric_points, const n_##_cache *, const accel_cache *, \
    (, accel_otel_point * points_, size_t capacity_), (, points_, capacity_)) \
  X(h_, n_, const char *, return, last_error, const n_##_cache *, const accel_cache *, (), ()) \
  X(h_, n_, const n_##_cache_value *, return (const n_##_cache_value *), ref_value, \
    const n_##_cache_ref *, const accel_local_pin *, (), ()) \
  X(h_, n_, void, , ref_release, n_##_cache_ref *, accel_local_pin *, (), (, &n_##_cache_type_))

#define ACCEL_BARE_(...) __VA_ARGS__
#define ACCEL_PROTOTYPE_(how_, n_, result_, return_, verb_, parameters_, arguments_) \
  how_ result_ n_##_cache_##verb_(n_##_cache *cache_ ACCEL_BARE_ parameters_);
#define ACCEL_DEFINITION_(how_, n_, result_, return_, verb_, parameters_, arguments_) \
  how_ result_ n_##_cache_##verb_(n_##_cache *cache_ ACCEL_BARE_ parameters_) \
  { \
    return_ accel_cache_##verb_((accel_cache *)cache_, &n_##_cache_type_ ACCEL_BARE_ arguments_); \
  }
#define ACCEL_LOOK_PROTOTYPE_(how_, n_, result_, return_, verb_, object_, core_, parameters_, \
                              arguments_) \
  how_ result_ n_##_cache_##verb_(object_ seen_ ACCEL_BARE_ parameters_);
#define ACCEL_LOOK_DEFINITION_(how_, n_, result_, return_, verb_, object_, core_, parameters_, \
                               arguments_) \
  how_ result_ n_##_cache_##verb_(object_ seen_ ACCEL_BARE_ parameters_) \
  { \
    return_ accel_cache_##verb_((core_)seen_ ACCEL_BARE_ arguments_); \
  }

#define ACCEL_EMIT_(scope_, how_, n_, kind_, ...) \
  ACCEL_TYPE_CONSTANT_(scope_, n_, kind_, __VA_ARGS__) \
  ACCEL_FUNCTIONS_(ACCEL_DEFINITION_, how_, n_) \
  ACCEL_OBSERVERS_(ACCEL_LOOK_DEFINITION_, how_, n_)
#define ACCEL_PRIVATE_(n_, kind_, ...) \
  ACCEL_EMIT_(static, ACCEL_UNUSED static inline, n_, kind_, __VA_ARGS__)
#define ACCEL_SHARED_(n_, kind_, ...) ACCEL_EMIT_(, , n_, kind_, __VA_ARGS__)

#define ACCEL_DEFINE(n_, K_, V_) \
  ACCEL_TYPES_(n_, K_, V_) \
  ACCEL_CHECK_INTEGER_(n_) \
  ACCEL_PRIVATE_(n_, ACCEL_KEY_KIND_(n_), .schema = 0)
#define ACCEL_DEFINE_WITH(n_, K_, V_, ...) \
  ACCEL_TYPES_(n_, K_, V_) \
  ACCEL_CHECK_STRUCT_(n_, __VA_ARGS__) \
  ACCEL_PRIVATE_(n_, ACCEL_KEY_KIND_(n_), __VA_ARGS__)
#define ACCEL_DEFINE_STR(n_, V_) \
  ACCEL_TYPES_(n_, const char *, V_) \
  ACCEL_PRIVATE_(n_, ACCEL_KEY_STRING, .schema = 0)
#define ACCEL_DEFINE_STR_WITH(n_, V_, ...) \
  ACCEL_TYPES_(n_, const char *, V_) \
  ACCEL_PRIVATE_(n_, ACCEL_KEY_STRING, __VA_ARGS__)
#define ACCEL_DECLARE(n_, K_, V_) \
  ACCEL_TYPES_(n_, K_, V_) \
  ACCEL_DECLARED_(n_)
#define ACCEL_DECLARE_STR(n_, V_) \
  ACCEL_TYPES_(n_, const char *, V_) \
  ACCEL_DECLARED_(n_)
#define ACCEL_DECLARED_(n_) \
  ACCEL_EXTERN_C_BEGIN \
  extern const accel_type n_##_cache_type_; \
  ACCEL_FUNCTIONS_(ACCEL_PROTOTYPE_, , n_) \
  ACCEL_OBSERVERS_(ACCEL_LOOK_PROTOTYPE_, , n_) \
  ACCEL_EXTERN_C_END
#define ACCEL_IMPLEMENT(n_) \
  ACCEL_CHECK_INTEGER_(n_) \
  ACCEL_SHARED_(n_, ACCEL_KEY_KIND_(n_), .schema = 0)
#define ACCEL_IMPLEMENT_WITH(n_, ...) \
  ACCEL_CHECK_STRUCT_(n_, __VA_ARGS__) \
  ACCEL_SHARED_(n_, ACCEL_KEY_KIND_(n_), __VA_ARGS__)
#define ACCEL_IMPLEMENT_STR(n_) ACCEL_SHARED_(n_, ACCEL_KEY_STRING, .schema = 0)
#define ACCEL_IMPLEMENT_STR_WITH(n_, ...) ACCEL_SHARED_(n_, ACCEL_KEY_STRING, __VA_ARGS__)

#define ACCEL_KEY_KIND_(n_) ((accel_key_kind)ACCEL_KIND_OF_(n_##_cache_key))

#endif

/* define.h: ACCEL_DEFINE and its family (layer 5).
 *
 * They emit typedefs, one constant descriptor (type.h) and one-line functions that forward to
 * cache.h, where each is documented under the same name. They make no decisions.
 *
 *   ACCEL_DEFINE(user, uint64_t, user_t)     private to its file
 *   ACCEL_DEFINE_WITH(user, K, V, .trait=…)  with traits by name, in the order of user_cache_traits
 *   ACCEL_DEFINE_STR(page, page_t)           const char * keys, copied in; _STR_WITH likewise
 *   ACCEL_DECLARE(user, K, V)                in a header; ACCEL_DECLARE_STR(page, page_t)
 *   ACCEL_IMPLEMENT(user)                    in one .c; _WITH, _STR, _STR_WITH as above
 *
 * In the lists below n_ is the cache's name, K_ and V_ its types of keys and values.
 */
#ifndef ACCEL_DEFINE_H
#define ACCEL_DEFINE_H

#include "cache.h"
#include "check.h"

/* One line per function is easier to read than the formatter's output. */
/* clang-format off */

#define ACCEL_TYPES_(n_, K_, V_) \
  ACCEL_CHECK_PLACE_(n_) typedef K_ n_##_cache_key; typedef V_ n_##_cache_value; \
  ACCEL_TYPES_OF_(n_, n_##_cache_key, n_##_cache_value)
#define ACCEL_TYPES_OF_(n_, K_, V_) \
  ACCEL_CHECK_TYPES_(n_, K_, V_) \
  typedef struct n_##_cache { accel_cache base; } n_##_cache; \
  typedef struct n_##_cache_ref { accel_local_pin pin; } n_##_cache_ref; \
  typedef struct n_##_cache_hot_key { K_ key; double reads_per_s; uint64_t at_least; } \
    n_##_cache_hot_key; \
  typedef accel_status n_##_cache_load_fn(void *, K_, V_ *); \
  typedef accel_status n_##_cache_mload_fn(void *, const K_ *, size_t, V_ *, accel_status *); \
  typedef bool n_##_cache_visit_fn(void *, K_, const V_ *); \
  typedef struct n_##_cache_traits { \
    uint64_t (*hash)(const K_ *, uint64_t); bool (*equal)(const K_ *, const K_ *); \
    bool (*copy)(V_ *, const V_ *); void (*drop)(V_ *); \
    uint32_t (*weigh)(const K_ *, const V_ *); size_t (*key_text)(const K_ *, char *, size_t); \
    bool (*key_parse)(const char *, size_t, K_ *); \
    const accel_local_ops *local; const accel_remote_ops *remote; \
    const accel_codec *codec; uint32_t schema; const struct accel_policy *policy; \
  } n_##_cache_traits;

/* Functions that restore the types and call the user's, and the descriptor with these functions. */
#define ACCEL_TYPE_CONSTANT_(scope_, n_, K_, V_, kind_, ...) \
  static const n_##_cache_traits n_##_cache_traits_ ACCEL_UNUSED = {__VA_ARGS__}; \
  ACCEL_SMALL accel_traits n_##_cache_get_traits_(void) \
  { const n_##_cache_traits *const t_ = &n_##_cache_traits_; \
    const accel_traits traits_ = {t_->hash != NULL, t_->equal != NULL, t_->copy != NULL, \
        t_->drop != NULL, t_->weigh != NULL, t_->key_text != NULL, t_->key_parse != NULL, \
        t_->local, t_->remote, t_->codec, t_->schema, t_->policy}; \
    return traits_; } \
  ACCEL_SMALL uint32_t n_##_cache_has_(void) { return ACCEL_GIVEN_BITS_(n_##_cache_traits_); } \
  ACCEL_SMALL const accel_local_ops *n_##_cache_local_(void) { return n_##_cache_traits_.local; } \
  ACCEL_SMALL const accel_policy *n_##_cache_policy_(void) { return n_##_cache_traits_.policy; } \
  ACCEL_SMALL void n_##_cache_pad_(void *v_) { ACCEL_CLEAR_PADDING_(V_, v_); } \
  ACCEL_TRAIT_(uint64_t, return, n_, hash, (const void *k_, uint64_t seed_), \
    ((const K_ *)k_, seed_), accel_type_default_hash(kind_, sizeof(K_), k_, seed_)) \
  ACCEL_TRAIT_(bool, return, n_, equal, (const void *a_, const void *b_), \
    ((const K_ *)a_, (const K_ *)b_), accel_type_default_equal(kind_, sizeof(K_), a_, b_)) \
  ACCEL_TRAIT_(bool, return, n_, copy, (void *to_, const void *from_), \
    ((V_ *)to_, (const V_ *)from_), accel_type_default_copy(sizeof(V_), to_, from_)) \
  ACCEL_TRAIT_(void, , n_, drop, (void *v_), ((V_ *)v_), (void)v_) \
  ACCEL_TRAIT_(uint32_t, return, n_, weigh, (const void *k_, const void *v_), \
    ((const K_ *)k_, (const V_ *)v_), 1) \
  ACCEL_TRAIT_(size_t, return, n_, key_text, (const void *k_, char *text_, size_t size_), \
    ((const K_ *)k_, text_, size_), 0) \
  ACCEL_TRAIT_(bool, return, n_, key_parse, (const char *text_, size_t size_, void *k_), \
    (text_, size_, (K_ *)k_), false) \
  ACCEL_CALL_(accel_status, n_, load, (accel_fn *f_, void *ctx_, const void *k_, void *out_), \
    (ctx_, *(const K_ *)k_, (V_ *)out_)) \
  ACCEL_CALL_(accel_status, n_, mload, \
    (accel_fn *f_, void *ctx_, const void *k_, size_t count_, void *v_, accel_status *s_), \
    (ctx_, (const K_ *)k_, count_, (V_ *)v_, s_)) \
  ACCEL_CALL_(bool, n_, visit, (accel_fn *f_, void *ctx_, const void *k_, const void *v_), \
    (ctx_, *(const K_ *)k_, (const V_ *)v_)) \
  scope_ const accel_type n_##_cache_type_ ACCEL_UNUSED = {#n_, sizeof(K_), sizeof(V_), \
    __alignof__(V_), kind_, n_##_cache_get_traits_, n_##_cache_hash_, n_##_cache_equal_, \
    n_##_cache_copy_, n_##_cache_drop_, n_##_cache_weigh_, n_##_cache_key_text_, \
    n_##_cache_key_parse_, n_##_cache_load_, n_##_cache_mload_, n_##_cache_visit_, \
    &ACCEL_BUILD_SYMBOL_, n_##_cache_has_, n_##_cache_local_, n_##_cache_policy_, n_##_cache_pad_, \
    __alignof__(K_)};
#define ACCEL_TRAIT_(result_, return_, n_, trait_, parameters_, arguments_, default_) \
  ACCEL_SMALL result_ n_##_cache_##trait_##_ parameters_ \
  { return_ (n_##_cache_traits_.trait_ ? n_##_cache_traits_.trait_ arguments_ : (default_)); }
#define ACCEL_CALL_(result_, n_, what_, parameters_, arguments_) \
  ACCEL_SMALL result_ n_##_cache_##what_##_ parameters_ \
  { return ((n_##_cache_##what_##_fn *)f_)arguments_; }

/* Every function of a cache: X(how, name, result, return, verb, parameters after the cache,
 * arguments after cache and type), S(how, name, verb, …) for those whose status is not to be
 * overlooked. */
#define ACCEL_FUNCTIONS_(S, X, h_, n_, K_, V_) \
  S(h_, n_, open, (, const accel_config *config_), (, config_)) \
  X(h_, n_, void, , close, (), ()) \
  X(h_, n_, accel_status, return, close_within, (, uint32_t ms_), (, ms_)) \
  X(h_, n_, void, , set_loader, (, n_##_cache_load_fn *l_, void *c_), (, (accel_fn *)l_, c_)) \
  X(h_, n_, void, , set_mloader, (, n_##_cache_mload_fn *l_, void *c_), (, (accel_fn *)l_, c_)) \
  S(h_, n_, get, (, K_ key_, V_ *out_), (, &key_, out_)) \
  S(h_, n_, get_with, (, K_ key_, const accel_read *read_, V_ *out_), (, &key_, read_, out_)) \
  S(h_, n_, get_or_load, \
    (, K_ key_, const accel_read *read_, n_##_cache_load_fn *l_, void *ctx_, V_ *out_), \
    (, &key_, read_, (accel_fn *)l_, ctx_, out_)) \
  S(h_, n_, mget, \
    (, const K_ *keys_, size_t count_, const accel_read *read_, V_ *out_, accel_status *to_), \
    (, keys_, count_, read_, out_, to_)) \
  S(h_, n_, set, (, K_ key_, const V_ *value_), (, &key_, value_)) \
  S(h_, n_, set_with, (, K_ key_, const accel_write *w_, const V_ *value_), (, &key_, w_, value_)) \
  X(h_, n_, accel_status, return, set_null, (, K_ key_), (, &key_)) \
  S(h_, n_, mset, (, const K_ *keys_, const V_ *values_, size_t many_), (, keys_, values_, many_)) \
  X(h_, n_, accel_status, return, del, (, K_ key_), (, &key_)) \
  X(h_, n_, accel_status, return, del_after, (, K_ key_, uint32_t ms_), (, &key_, ms_)) \
  X(h_, n_, accel_status, return, mdel, (, const K_ *keys_, size_t count_), (, keys_, count_)) \
  X(h_, n_, accel_status, return, clear, (), ()) \
  X(h_, n_, accel_status, return, refresh, (, K_ key_), (, &key_)) \
  X(h_, n_, accel_status, return, warmup, (, const K_ *k_, size_t s_, size_t *o_), (, k_, s_, o_)) \
  S(h_, n_, get_ref, (, K_ key_, n_##_cache_ref *ref_), (, &key_, (accel_local_pin *)ref_)) \
  X(h_, n_, accel_status, return, resize, (, size_t capacity_), (, capacity_)) \
  X(h_, n_, size_t, return, hottest, (, K_ *keys_, size_t count_), (, keys_, count_)) \
  X(h_, n_, size_t, return, hot_keys, (, n_##_cache_hot_key *o_, size_t count_), (, o_, count_)) \
  X(h_, n_, void, , each, (, n_##_cache_visit_fn *visit_, void *ctx_), (, (accel_fn *)visit_, ctx_))
/* Those of any other object: L(how, name, result, return, verb, object, its core type, …). */
#define ACCEL_LOOKS_(L, h_, n_, C_, V_) \
  L(h_, n_, void, , metrics_snapshot, C_, const accel_cache *, (, accel_metrics *out_), (, out_)) \
  L(h_, n_, void, , diagnostic_snapshot, C_, const accel_cache *, (, accel_diagnostic *d_), (, d_))\
  L(h_, n_, size_t, return, otel_metric_points, C_, const accel_cache *, \
    (, accel_otel_point *points_, size_t capacity_), (, points_, capacity_)) \
  L(h_, n_, const char *, return, last_error, C_, const accel_cache *, (), ()) \
  L(h_, n_, const V_ *, return (const V_ *), ref_value, const n_##_cache_ref *, \
    const accel_local_pin *, (), ()) \
  L(h_, n_, void, , ref_release, n_##_cache_ref *, accel_local_pin *, (), (, &n_##_cache_type_))

#define ACCEL_PROTOTYPE_(how_, n_, result_, return_, verb_, parameters_, arguments_) \
  how_ result_ n_##_cache_##verb_(n_##_cache *cache_ ACCEL_BARE_ parameters_);
#define ACCEL_PROTOTYPE_STATUS_(how_, n_, verb_, parameters_, arguments_) \
  ACCEL_PROTOTYPE_(ACCEL_NODISCARD how_, n_, accel_status, return, verb_, parameters_, arguments_)
#define ACCEL_FUNCTION_(how_, n_, result_, return_, verb_, parameters_, arguments_) \
  how_ result_ n_##_cache_##verb_(n_##_cache *cache_ ACCEL_BARE_ parameters_) \
  { return_ accel_cache_##verb_((accel_cache *)cache_, &n_##_cache_type_ ACCEL_BARE_ arguments_); }
#define ACCEL_FUNCTION_STATUS_(how_, n_, verb_, parameters_, arguments_) \
  ACCEL_FUNCTION_(ACCEL_NODISCARD how_, n_, accel_status, return, verb_, parameters_, arguments_)
#define ACCEL_LOOK_PROTOTYPE_(how_, n_, result_, return_, verb_, O_, core_, parameters_, args_) \
  how_ result_ n_##_cache_##verb_(O_ seen_ ACCEL_BARE_ parameters_);
#define ACCEL_LOOK_(how_, n_, result_, return_, verb_, O_, core_, parameters_, arguments_) \
  how_ result_ n_##_cache_##verb_(O_ seen_ ACCEL_BARE_ parameters_) \
  { return_ accel_cache_##verb_((core_)seen_ ACCEL_BARE_ arguments_); }

#define ACCEL_EMIT_(scope_, how_, n_, K_, V_, kind_, ...) \
  ACCEL_CHECK_VALUE_(n_, V_, __VA_ARGS__) ACCEL_QUIET_BEGIN_ \
  ACCEL_TYPE_CONSTANT_(scope_, n_, K_, V_, kind_, __VA_ARGS__) ACCEL_QUIET_END_ \
  ACCEL_FUNCTIONS_(ACCEL_FUNCTION_STATUS_, ACCEL_FUNCTION_, how_, n_, K_, V_) \
  ACCEL_LOOKS_(ACCEL_LOOK_, how_, n_, const n_##_cache *, V_)
#define ACCEL_PRIVATE_(n_, ...) \
  ACCEL_EMIT_(static, ACCEL_UNUSED static inline, n_, n_##_cache_key, n_##_cache_value, __VA_ARGS__)
#define ACCEL_SHARED_(n_, ...) ACCEL_EMIT_(, , n_, n_##_cache_key, n_##_cache_value, __VA_ARGS__)
#define ACCEL_DECLARED_(n_) \
  ACCEL_USERS_BEGIN_ extern const accel_type n_##_cache_type_; \
  ACCEL_FUNCTIONS_(ACCEL_PROTOTYPE_STATUS_, ACCEL_PROTOTYPE_, , n_, \
                   n_##_cache_key, n_##_cache_value) \
  ACCEL_LOOKS_(ACCEL_LOOK_PROTOTYPE_, , n_, const n_##_cache *, n_##_cache_value) \
  ACCEL_USERS_END_

#define ACCEL_DEFINE(n_, K_, V_) \
  ACCEL_TYPES_(n_, K_, V_) ACCEL_CHECK_INTEGER_(n_, n_##_cache_key) \
  ACCEL_PRIVATE_(n_, ACCEL_KIND_(n_), .schema = 0)
#define ACCEL_DEFINE_WITH(n_, K_, V_, ...) \
  ACCEL_TYPES_(n_, K_, V_) ACCEL_CHECK_STRUCT_(n_, n_##_cache_key, __VA_ARGS__) \
  ACCEL_PRIVATE_(n_, ACCEL_KIND_(n_), __VA_ARGS__)
#define ACCEL_DEFINE_STR(n_, V_) ACCEL_DEFINE_STR_WITH(n_, V_, .schema = 0)
#define ACCEL_DEFINE_STR_WITH(n_, V_, ...) \
  ACCEL_TYPES_(n_, const char *, V_) ACCEL_PRIVATE_(n_, ACCEL_KEY_STRING, __VA_ARGS__)
#define ACCEL_DECLARE(n_, K_, V_) ACCEL_TYPES_(n_, K_, V_) ACCEL_DECLARED_(n_)
#define ACCEL_DECLARE_STR(n_, V_) ACCEL_TYPES_(n_, const char *, V_) ACCEL_DECLARED_(n_)
#define ACCEL_IMPLEMENT(n_) \
  ACCEL_CHECK_INTEGER_(n_, n_##_cache_key) ACCEL_SHARED_(n_, ACCEL_KIND_(n_), .schema = 0)
#define ACCEL_IMPLEMENT_WITH(n_, ...) \
  ACCEL_CHECK_STRUCT_(n_, n_##_cache_key, __VA_ARGS__) \
  ACCEL_SHARED_(n_, ACCEL_KIND_(n_), __VA_ARGS__)
#define ACCEL_IMPLEMENT_STR(n_) ACCEL_SHARED_(n_, ACCEL_KEY_STRING, .schema = 0)
#define ACCEL_IMPLEMENT_STR_WITH(n_, ...) ACCEL_SHARED_(n_, ACCEL_KEY_STRING, __VA_ARGS__)

/* clang-format on */

#endif

/* type.h: the descriptor of a cache's types, and what a user may say about them (layer 2).
 *
 * ACCEL_DEFINE emits one constant accel_type per cache. Functions that should fold it away are
 * inlined where the constant is visible; all others take it as an ordinary argument and are
 * compiled once. The technique is jemalloc's (ph.h); the descriptor is the cost: none on a hit.
 *
 * Keys and values travel as pointers to the user's own objects: `const void *key` is a
 * `const K *`, `void *value` a `V *`. For string caches K is `const char *`, so a key is a
 * `const char *const *`. Every callback here is a generated function that restores the types and
 * calls the user's with them.
 */
#ifndef ACCEL_TYPE_H
#define ACCEL_TYPE_H

#include "hash.h"
#include "status.h"

struct accel_local_ops;
struct accel_remote_ops;
struct accel_policy;

typedef enum accel_key_kind {
  ACCEL_KEY_STRUCT = 0,
  ACCEL_KEY_UNSIGNED = 1,
  ACCEL_KEY_SIGNED = 2,
  ACCEL_KEY_STRING = 3
} accel_key_kind;

/* Bytes that a codec appends to. Made and freed by the library; a codec only appends. */
typedef struct accel_buffer {
  unsigned char *data;
  size_t size;
  size_t capacity;
} accel_buffer;

/* Turns values into bytes and back, for L2. Any thread may call it, several at once. */
typedef struct accel_codec {
  void *ctx;
  /* Appends the value's bytes: ACCEL_OK, ACCEL_ERR_CODEC, ACCEL_ERR_NOMEM. */
  accel_status (*encode)(void *ctx, const void *value, accel_buffer *out);
  /* Makes *value_out from exactly `size` untrusted bytes: ACCEL_OK; otherwise it owns nothing. */
  accel_status (*decode)(void *ctx, const void *data, size_t size, void *value_out);
} accel_codec;

/* Which traits the user gave, and those that need no types. */
typedef struct accel_traits {
  bool has_hash, has_equal, has_copy, has_drop, has_weigh, has_key_text, has_key_parse;
  const struct accel_local_ops *local;   /* NULL: &accel_flat_ops */
  const struct accel_remote_ops *remote; /* NULL: no L2 */
  const accel_codec *codec;              /* NULL: the object's bytes */
  uint32_t schema;
  const struct accel_policy *policy; /* of flat; NULL: the default */
} accel_traits;

typedef struct accel_type {
  const char *name;
  size_t key_size, value_size, value_align;
  accel_key_kind key_kind;
  accel_traits (*traits)(void);
  /* Always callable: without the user's trait, the default for the kind of key. */
  uint64_t (*hash)(const void *key, uint64_t seed);
  bool (*equal)(const void *a, const void *b);
  /* Plain bytes without the user's trait; drop does nothing then. */
  bool (*copy)(void *to, const void *from);
  void (*drop)(void *value);
  /* 1 without the user's trait. */
  uint32_t (*weigh)(const void *key, const void *value);
  /* Callable only where the trait is given. */
  size_t (*key_text)(const void *key, char *text, size_t size);
  bool (*key_parse)(const char *text, size_t length, void *key);
  /* Call a user's function, kept as accel_fn, with its own types. */
  accel_status (*load)(accel_fn *function, void *ctx, const void *key, void *out);
  accel_status (*mload)(accel_fn *function, void *ctx, const void *keys, size_t count,
                        void *values_out, accel_status *statuses_out);
  bool (*visit)(accel_fn *function, void *ctx, const void *key, const void *value);
  const char *build; /* does not link with another version or other hooks */
} accel_type;

/* What kind of key a type is, for the checks of define.h. */
/* clang-format off */
#ifdef __cplusplus
template <typename T> struct accel_kind_of_ {
  static constexpr int value = __is_enum(T) ? 1 : 0, is_array = 0;
};
template <typename T, size_t N> struct accel_kind_of_<T[N]> {
  static constexpr int value = 0, is_array = 1;
};
#define ACCEL_KIND_OF_CPP_(T_, kind_) \
  template <> struct accel_kind_of_<T_> { \
    static constexpr int value = kind_, is_array = 0; \
  };
#define ACCEL_KIND_ENTRY_(T_, kind_) ACCEL_KIND_OF_CPP_(T_, kind_)
#else
#define ACCEL_KIND_ENTRY_(T_, kind_) T_ : kind_,
#endif

/* The numbers of accel_key_kind, and two that are refused. */
#define ACCEL_KIND_FLOATING_ 4
#define ACCEL_KIND_TEXT_ 5

/* Every type that is not a struct for accel; enums are what their compiler says. */
#define ACCEL_KIND_LIST_(X) \
  X(bool, 1) X(char, ((char)-1 < 0 ? 2 : 1)) X(signed char, 2) X(unsigned char, 1) \
  X(short, 2) X(unsigned short, 1) X(int, 2) X(unsigned int, 1) \
  X(long, 2) X(unsigned long, 1) X(long long, 2) X(unsigned long long, 1) \
  X(float, 4) X(double, 4) X(long double, 4) X(char *, 5) X(const char *, 5)

#ifdef __cplusplus
ACCEL_KIND_LIST_(ACCEL_KIND_ENTRY_)
#define ACCEL_KIND_OF_(T_) (accel_kind_of_<T_>::value)
#define ACCEL_IS_ARRAY_(T_) (accel_kind_of_<T_>::is_array)
#else
#define ACCEL_KIND_OF_(T_) _Generic(*(T_ *)0, ACCEL_KIND_LIST_(ACCEL_KIND_ENTRY_) default : 0)
/* An array is not what it becomes when it is used. */
#define ACCEL_IS_ARRAY_(T_) (!__builtin_types_compatible_p(T_, __typeof__(((void)0, *(T_ *)0))))
#endif

/* What is refused at compile time, with a sentence that says what to do. Whether .hash and .equal
 * are given shows in the text of the first traits. */
#define ACCEL_SECOND_(first_, second_, ...) #second_
#define ACCEL_HAS_HASH_AND_EQUAL_(first_, ...) \
  (__builtin_strncmp(#first_, ".hash", 5) == 0 && \
   __builtin_strncmp(ACCEL_SECOND_(first_, __VA_ARGS__, , ), ".equal", 6) == 0)

#define ACCEL_CHECK_(n_, holds_, text_) \
  ACCEL_STATIC_ASSERT(holds_, "ACCEL_DEFINE(" #n_ "): " text_);
#define ACCEL_CHECK_TYPES_(n_, K_, V_) \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(K_), "the key is an array; put it into a struct") \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(V_), "the value is an array; put it into a struct") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_FLOATING_, \
               "the key is a floating number, which has no reliable equality; use an integer")
#define ACCEL_CHECK_INTEGER_(n_, K_) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR, which copies it in") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != 0, "use ACCEL_DEFINE_WITH and give .hash and .equal")
#define ACCEL_CHECK_STRUCT_(n_, K_, ...) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR, which copies it in") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != 0 || ACCEL_HAS_HASH_AND_EQUAL_(__VA_ARGS__, ), \
               "a struct key needs .hash, given first, and .equal")
/* clang-format on */

ACCEL_EXTERN_C_BEGIN

/* Hash and equality where the user gave none: `kind` and `size` are constants that fold. */
ACCEL_INLINE uint64_t accel_type_default_hash(accel_key_kind kind_, size_t size_, const void *key_,
                                              uint64_t seed_)
{
  uint64_t word_ = 0;
  if (kind_ == ACCEL_KEY_STRING) return accel_hash_string(*(const char *const *)key_, seed_);
  memcpy(&word_, key_, size_ < sizeof word_ ? size_ : sizeof word_);
  return accel_hash_integer(word_, seed_);
}
ACCEL_INLINE bool accel_type_default_equal(accel_key_kind kind_, size_t size_, const void *a_,
                                           const void *b_)
{
  uint64_t word_a_ = 0, word_b_ = 0;
  if (kind_ != ACCEL_KEY_STRING && size_ <= sizeof word_a_) { /* compilers call memcmp at -O1 */
    memcpy(&word_a_, a_, size_);
    memcpy(&word_b_, b_, size_);
    return word_a_ == word_b_;
  }
  if (kind_ != ACCEL_KEY_STRING) return memcmp(a_, b_, size_) == 0;
  const char *const text_a_ = *(const char *const *)a_, *const text_b_ = *(const char *const *)b_;
  return text_a_ != NULL && text_b_ != NULL && strcmp(text_a_, text_b_) == 0;
}

ACCEL_INLINE bool accel_type_default_copy(size_t size_, void *to_, const void *from_)
{
  memcpy(to_, from_, size_);
  return true;
}

/* Appends `size` bytes. False: no memory, and nothing was appended. Threads: one at a time. */
bool accel_buffer_append(accel_buffer *out, const void *data, size_t size);
/* Frees what the buffer holds and makes it empty. */
void accel_buffer_release(accel_buffer *buffer);

/* True: values are plain bytes that nobody needs to copy or drop with care. */
ACCEL_INLINE bool accel_type_is_plain(const accel_type *type_)
{
  return !type_->traits().has_copy;
}

/* The i-th of an array of keys or values. */
ACCEL_INLINE const void *accel_type_key_at(const accel_type *type_, const void *keys_, size_t i_)
{
  return (const char *)keys_ + i_ * type_->key_size;
}
ACCEL_INLINE void *accel_type_value_at(const accel_type *type_, void *values_, size_t i_)
{
  return (char *)values_ + i_ * type_->value_size;
}

ACCEL_EXTERN_C_END
#endif

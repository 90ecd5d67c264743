/* type.h: the descriptor of a cache's types, and its traits (layer 2).
 *
 * ACCEL_DEFINE emits one constant accel_type per cache. Functions on the path of a hit are inlined
 * where the constant is visible, so that the compiler folds it; all others take it as an ordinary
 * argument and are compiled once. The technique is jemalloc's (ph.h). A hit does not pay for it.
 *
 * Keys and values are passed as pointers to the user's own objects: `const void *key` is a
 * `const K *`, `void *value` a `V *`. For string caches K is `const char *`, so a key is a
 * `const char *const *`. Every callback here is a generated function that restores the types and
 * calls the user's function.
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

/* Bytes that a codec appends to. The library creates and frees it. */
typedef struct accel_buffer {
  unsigned char *data;
  size_t size;
  size_t capacity;
} accel_buffer;

/* Turns values into bytes and back, for L2. Threads: any, several at the same time. */
typedef struct accel_codec {
  void *ctx;
  /* Appends the value's bytes: ACCEL_OK, ACCEL_ERR_CODEC, ACCEL_ERR_NOMEM. */
  accel_status (*encode)(void *ctx, const void *value, accel_buffer *out);
  /* Decodes exactly `size` untrusted bytes to *value_out: ACCEL_OK; otherwise it owns nothing. */
  accel_status (*decode)(void *ctx, const void *data, size_t size, void *value_out);
} accel_codec;

/* Which traits are given, and the traits that do not depend on K and V. */
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
  /* Always callable: the trait, or the default for the kind of key. */
  uint64_t (*hash)(const void *key, uint64_t seed);
  bool (*equal)(const void *a, const void *b);
  /* The traits, or a copy of the bytes and a drop that does nothing. */
  bool (*copy)(void *to, const void *from);
  void (*drop)(void *value);
  /* The trait, or 1. */
  uint32_t (*weigh)(const void *key, const void *value);
  /* Callable only if the trait is given. */
  size_t (*key_text)(const void *key, char *text, size_t size);
  bool (*key_parse)(const char *text, size_t length, void *key);
  /* Call a user's function, stored as accel_fn, with its own types. */
  accel_status (*load)(accel_fn *function, void *ctx, const void *key, void *out);
  accel_status (*mload)(accel_fn *function, void *ctx, const void *keys, size_t count,
                        void *values_out, accel_status *statuses_out);
  bool (*visit)(accel_fn *function, void *ctx, const void *key, const void *value);
  const char *build; /* a symbol that another version, or other hooks, do not have */
  /* The traits that a hit needs, in functions that are small enough to be inlined early. NULL in a
   * descriptor written by hand: call traits(). */
  uint32_t (*given)(void); /* ACCEL_GIVEN_ bits */
  const struct accel_local_ops *(*local)(void);
  const struct accel_policy *(*policy)(void);
  /* Zeroes the padding of a copy of a plain value, at any address. NULL, or without effect, if the
   * compiler cannot tell which bytes are padding. */
  void (*clear_padding)(void *value);
  size_t key_align; /* 0 in a descriptor written by hand: at most that of a word */
} accel_type;

/* The maximum alignment of keys and values: define.h refuses more. */
#define ACCEL_ALIGN_MAX 64

#define ACCEL_GIVEN_HASH 1u
#define ACCEL_GIVEN_COPY 2u
#define ACCEL_GIVEN_WEIGH 4u
#define ACCEL_GIVEN_EQUAL 8u
#define ACCEL_GIVEN_BITS_(traits_) \
  ((traits_.hash != NULL ? ACCEL_GIVEN_HASH : 0u) | \
   (traits_.copy != NULL ? ACCEL_GIVEN_COPY : 0u) | \
   (traits_.weigh != NULL ? ACCEL_GIVEN_WEIGH : 0u) | \
   (traits_.equal != NULL ? ACCEL_GIVEN_EQUAL : 0u))

ACCEL_EXTERN_C_BEGIN

/* Default hash and equality; `kind` and `size` are constants that the compiler folds. */
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
    const size_t read_ = size_ < sizeof word_a_ ? size_ : sizeof word_a_; /* gcc -O0 warns else */
    memcpy(&word_a_, a_, read_);
    memcpy(&word_b_, b_, read_);
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

/* Appends `size` bytes. False: no memory, nothing was appended. Threads: one at a time. */
bool accel_buffer_append(accel_buffer *out, const void *data, size_t size);
/* Frees the buffer's memory and makes it empty. */
void accel_buffer_release(accel_buffer *buffer);

/* The alignment of a key and of a value wherever the library stores them; at least a word. */
ACCEL_INLINE size_t accel_type_key_align(const accel_type *type_)
{
  return type_->key_align > sizeof(uint64_t) ? type_->key_align : sizeof(uint64_t);
}
ACCEL_INLINE size_t accel_type_value_align(const accel_type *type_)
{
  return type_->value_align > sizeof(uint64_t) ? type_->value_align : sizeof(uint64_t);
}
/* Rounds up to a multiple of `align_`, a power of two. */
ACCEL_INLINE size_t accel_align_up(size_t size_, size_t align_)
{
  return (size_ + align_ - 1) & ~(align_ - 1);
}
ACCEL_INLINE char *accel_align_pointer(void *pointer_, size_t align_)
{
  return (char *)pointer_ + (-(uintptr_t)pointer_ & (align_ - 1));
}

/* The traits that a hit needs. */
ACCEL_INLINE bool accel_type_has_hash(const accel_type *type_)
{
  if (type_->given == NULL) return type_->traits().has_hash;
  return (type_->given() & ACCEL_GIVEN_HASH) != 0;
}
ACCEL_INLINE bool accel_type_has_equal(const accel_type *type_)
{
  if (type_->given == NULL) return type_->traits().has_equal;
  return (type_->given() & ACCEL_GIVEN_EQUAL) != 0;
}
ACCEL_INLINE bool accel_type_has_weigh(const accel_type *type_)
{
  if (type_->given == NULL) return type_->traits().has_weigh;
  return (type_->given() & ACCEL_GIVEN_WEIGH) != 0;
}
ACCEL_INLINE const struct accel_local_ops *accel_type_local(const accel_type *type_)
{
  return type_->local == NULL ? type_->traits().local : type_->local();
}
ACCEL_INLINE const struct accel_policy *accel_type_policy(const accel_type *type_)
{
  return type_->policy == NULL ? type_->traits().policy : type_->policy();
}

/* True: values are plain bytes, without the traits .copy and .drop. */
ACCEL_INLINE bool accel_type_is_plain(const accel_type *type_)
{
  if (type_->given == NULL) return !type_->traits().has_copy;
  return (type_->given() & ACCEL_GIVEN_COPY) == 0;
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

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
  /* What a hit asks of the traits, so small that compilers inline it before they optimise. NULL in
   * a descriptor that was written by hand: ask traits(). */
  uint32_t (*given)(void); /* ACCEL_GIVEN_ bits */
  const struct accel_local_ops *(*local)(void);
  const struct accel_policy *(*policy)(void);
  /* Zeroes the bytes of a copy of a plain value that belong to no field, wherever the copy lies.
   * NULL, or nothing happens: the compiler does not know them. */
  void (*clear_padding)(void *value);
  size_t key_align; /* 0 in a descriptor that was written by hand: no more than a word's */
} accel_type;

/* What keys and values may be aligned to at most: define.h refuses more. */
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

/* Appends `size` bytes. False: no memory, and nothing was appended. Threads: one at a time. */
bool accel_buffer_append(accel_buffer *out, const void *data, size_t size);
/* Frees what the buffer holds and makes it empty. */
void accel_buffer_release(accel_buffer *buffer);

/* Where a key and a value may lie: everything that holds them goes by these, or by the maximum. */
ACCEL_INLINE size_t accel_type_key_align(const accel_type *type_)
{
  return type_->key_align > sizeof(uint64_t) ? type_->key_align : sizeof(uint64_t);
}
ACCEL_INLINE size_t accel_type_value_align(const accel_type *type_)
{
  return type_->value_align > sizeof(uint64_t) ? type_->value_align : sizeof(uint64_t);
}
/* The first multiple of a power of two from here on. */
ACCEL_INLINE size_t accel_align_up(size_t size_, size_t align_)
{
  return (size_ + align_ - 1) & ~(align_ - 1);
}
ACCEL_INLINE char *accel_align_pointer(void *pointer_, size_t align_)
{
  return (char *)pointer_ + (-(uintptr_t)pointer_ & (align_ - 1));
}

/* The traits that a hit asks for. */
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

/* True: values are plain bytes that nobody needs to copy or drop with care. */
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

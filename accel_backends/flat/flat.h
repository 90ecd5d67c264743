/* flat.h: the default L1 engine: layout, and the one function that must be fast (layer 2).
 *
 *   stripes   one mutex each; a stripe owns a run of sets
 *   sets      one cache line per 16 entries: 16 tags, 16 use counters, what is current
 *   slots     16 per set: head, key, value; of the type's sizes, in one array
 *
 * A key may lie in either of two sets of its stripe. Whoever inserts takes the emptier one: with
 * a thirtieth more slots than capacity, 99 of 100 of `capacity` distinct keys stay resident,
 * where one set per key would need a third more. All of it comes from ACCEL_PAGES_ALLOC at open.
 *
 * Writers hold the stripe's mutex. A write never touches the slot that readers of the key are
 * looking at: the new version goes to a free slot, its tag is published, then the old tag is
 * withdrawn. So a reader needs a slot's sequence number only against the slot's reuse:
 *
 *   tag matches -> sequence even -> copy key and value -> sequence unchanged -> it was whole
 *
 * All words of a slot are read with acquire and written with release, so that the last check
 * orders itself after the copies and the first odd number before the stores, without fences
 * (Boehm, "Can seqlocks get along with programming language memory models?"). The copy goes
 * through registers or the stack and reaches `out` only once it is known to be whole.
 *
 * Progress: a lock-free get finishes in a bounded number of its own steps, whatever others do. If
 * a slot changed under it, it answers MISS, and the caller's peek finds out under the mutex. String
 * keys, owning values, keys over 64 and values over 1024 bytes are read under the mutex.
 *
 * Owning values are moved bytewise into their slot: they may not point into themselves.
 * equal, hash and the clock may be called with a mutex held; copy, drop and weigh never are.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_H
#define ACCEL_BACKENDS_FLAT_FLAT_H

#include "../../accel/backend.h"
#include "../../accel/hash.h"
#include "../../accel/platform/atomic.h"

#define ACCEL_FLAT_WAYS 16u
#define ACCEL_FLAT_KEY_MAX 64u     /* larger ones are compared under the mutex, */
#define ACCEL_FLAT_VALUE_MAX 1024u /* and copied under it */
#define ACCEL_FLAT_STRING_SIZE 24u /* a string key's place; longer strings have their own memory */
#define ACCEL_FLAT_USED_MAX 3u
#define ACCEL_FLAT_STRIPES_MAX 1024u

/* Tags below the first of a key's say that there is none to be found. */
#define ACCEL_FLAT_EMPTY 0u
#define ACCEL_FLAT_REMOVED 1u /* pinned, or being dropped: not to be reused yet */
#define ACCEL_FLAT_TAG_MIN 2u

#define ACCEL_FLAT_NEGATIVE 0x80000000u /* in state; the other bits count the pins */

/* Bytes of keys and values, moved in words whatever their type. */
typedef uint64_t __attribute__((may_alias)) accel_flat_word;

/* Written under the mutex, but `used`, a hint that readers write too. */
typedef struct accel_flat_set {
  uint64_t tags[2];              /* one byte per way, way 0 lowest */
  uint64_t current;              /* epoch << 16 | the ways that are of it */
  uint64_t soonest_ms;           /* nothing in the set expires before */
  uint8_t used[ACCEL_FLAT_WAYS]; /* how often it was hit, saturating */
  uint16_t live;                 /* the ways whose tag is a key's */
  uint16_t taken;                /* the ways that are not empty */
  uint16_t settled;              /* the ways that a resize has dealt with */
  uint8_t taken_count;
  uint8_t hand; /* where the search for a victim goes on */
  uint8_t unused[8];
} accel_flat_set;

/* The head of a slot; the key follows, then the value. Written while unpublished, but `state`. */
typedef struct accel_flat_slot {
  uint64_t born_ms;
  uint64_t after;    /* until refresh | until expiry << 32, since birth; ACCEL_FOREVER: never */
  uint32_t sequence; /* odd while written */
  uint32_t state;
} accel_flat_slot;

/* Immutable once published; kept until the engine closes. The sizes are the type's, for those who
 * do not see it as a constant. */
typedef struct accel_flat_table {
  accel_flat_set *sets;
  unsigned char *slots;
  uint64_t stripe_sets;
  uint64_t stripe_mask;
  size_t slot_size, key_offset, value_offset;
  bool is_plain, weighs;
  struct accel_flat_stripe *stripes;
  void *pages;
  size_t pages_size;
  size_t kept_size; /* of the pages' front, which a retired table keeps */
  struct accel_flat_table *retired;
} accel_flat_table;

/* The front of the engine's state. */
typedef struct accel_flat {
  accel_local local;
  accel_flat_table *table; /* atomic */
} accel_flat;

ACCEL_EXTERN_C_BEGIN

accel_status accel_flat_open(const accel_local_config *config, accel_local **local_out);
void accel_flat_close(accel_local *local, const accel_type *type);
accel_status accel_flat_get_locked(accel_local *local, const accel_type *type, const void *key,
                                   uint64_t hash, void *out);
accel_status accel_flat_peek(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, void *out_or_null, accel_local_found *found);
accel_gate accel_flat_gate(accel_local *local, uint64_t hash);
accel_status accel_flat_fill(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, const void *value_or_null, const accel_lifetime *life,
                             const accel_gate *gate);
accel_status accel_flat_set_entry(accel_local *local, const accel_type *type, const void *key,
                                  uint64_t hash, const void *value_or_null,
                                  const accel_lifetime *life, const accel_gate *gate_or_null);
void accel_flat_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash);
void accel_flat_expire_all(accel_local *local);
void accel_flat_clear(accel_local *local, const accel_type *type);
void accel_flat_stats(accel_local *local, accel_local_stats *out);
accel_status accel_flat_pin(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, accel_local_pin *pin);
void accel_flat_unpin(const accel_type *type, accel_local_pin *pin);
accel_status accel_flat_resize(accel_local *local, const accel_type *type, size_t capacity);
size_t accel_flat_hottest(accel_local *local, const accel_type *type, void *keys_out, size_t count);
void accel_flat_each(accel_local *local, const accel_type *type,
                     bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);

/* ---- layout: folds where the type is a constant ---- */

ACCEL_INLINE bool accel_flat_is_lock_free(const accel_type *type_)
{
  return type_->key_kind != ACCEL_KEY_STRING && type_->key_size <= ACCEL_FLAT_KEY_MAX &&
         type_->value_size <= ACCEL_FLAT_VALUE_MAX && accel_type_is_plain(type_);
}

/* Types that weigh keep the weight in a word behind the head. */
ACCEL_INLINE size_t accel_flat_key_offset(const accel_type *type_)
{
  return sizeof(accel_flat_slot) + (type_->traits().has_weigh ? sizeof(uint64_t) : 0);
}

ACCEL_INLINE size_t accel_flat_align(const accel_type *type_)
{
  return type_->value_align > sizeof(uint64_t) ? type_->value_align : sizeof(uint64_t);
}

ACCEL_INLINE size_t accel_flat_round(size_t size_, size_t align_)
{
  return (size_ + align_ - 1) & ~(align_ - 1);
}

ACCEL_INLINE size_t accel_flat_value_offset(const accel_type *type_)
{
  const size_t key_size_ =
      type_->key_kind == ACCEL_KEY_STRING ? ACCEL_FLAT_STRING_SIZE : type_->key_size;
  return accel_flat_round(accel_flat_key_offset(type_) + key_size_, accel_flat_align(type_));
}

ACCEL_INLINE size_t accel_flat_slot_size(const accel_type *type_)
{
  return accel_flat_round(accel_flat_value_offset(type_) + type_->value_size,
                          accel_flat_align(type_));
}

ACCEL_INLINE accel_flat_slot *accel_flat_slot_at(const accel_type *type_,
                                                 const accel_flat_table *table_, uint64_t set_,
                                                 unsigned way_)
{
  const size_t index_ = (size_t)set_ * ACCEL_FLAT_WAYS + way_;
  return (accel_flat_slot *)(void *)(table_->slots + index_ * accel_flat_slot_size(type_));
}

ACCEL_INLINE accel_flat_word *accel_flat_words(accel_flat_slot *slot_, size_t offset_)
{
  return (accel_flat_word *)(void *)((unsigned char *)slot_ + offset_);
}

/* ---- finding ---- */

/* A hash that the user wrote may be poor in the bits that are used here. */
ACCEL_INLINE uint64_t accel_flat_mix(bool is_users_, uint64_t hash_)
{
  return is_users_ ? accel_hash_fold(hash_, 0x9FB21C651E98DF25u) : hash_;
}

ACCEL_INLINE uint64_t accel_flat_scale(uint64_t hash_, uint64_t count_)
{
  return ((hash_ & UINT32_MAX) * count_) >> 32;
}

/* Bits 0 to 9 choose the stripe, 10 to 41 the first set, 56 to 63 the tag. */
ACCEL_INLINE uint64_t accel_flat_first_set(const accel_flat_table *table_, uint64_t mixed_)
{
  const uint64_t stripe_ = mixed_ & table_->stripe_mask;
  return stripe_ * table_->stripe_sets + accel_flat_scale(mixed_ >> 10, table_->stripe_sets);
}

/* Another of the same stripe, if it has one. */
ACCEL_INLINE uint64_t accel_flat_second_set(const accel_flat_table *table_, uint64_t mixed_,
                                            uint64_t first_)
{
  const uint64_t count_ = table_->stripe_sets;
  const uint64_t end_ = ((mixed_ & table_->stripe_mask) + 1) * count_;
  const uint64_t other_ = (mixed_ * 0xC2B2AE3D27D4EB4Fu) >> 32;
  const uint64_t second_ = first_ + 1 + accel_flat_scale(other_, count_ - 1);
  return second_ >= end_ ? second_ - count_ : second_;
}

ACCEL_INLINE uint64_t accel_flat_tag(uint64_t mixed_)
{
  const uint64_t tag_ = mixed_ >> 56;
  return tag_ < ACCEL_FLAT_TAG_MIN ? tag_ + ACCEL_FLAT_TAG_MIN : tag_;
}

/* The ways of a set that have this tag: bit 8 i for way i, bit 8 i + 1 for way i + 8. */
ACCEL_INLINE uint64_t accel_flat_match(const accel_flat_set *set_, uint64_t tag_)
{
  const uint64_t low_ = 0x7F7F7F7F7F7F7F7Fu;
  const uint64_t pattern_ = tag_ * 0x0101010101010101u;
  const uint64_t a_ = accel_load_acquire(&set_->tags[0]) ^ pattern_;
  const uint64_t b_ = accel_load_acquire(&set_->tags[1]) ^ pattern_;
  const uint64_t is_a_ = ~(((a_ & low_) + low_) | a_ | low_); /* the top bit of each zero byte */
  const uint64_t is_b_ = ~(((b_ & low_) + low_) | b_ | low_);
  return is_a_ >> 7 | is_b_ >> 6;
}

ACCEL_INLINE unsigned accel_flat_first_way(uint64_t matches_)
{
  const unsigned bit_ = (unsigned)__builtin_ctzll(matches_);
  return bit_ >> 3 | (bit_ & 1) << 3;
}

ACCEL_INLINE bool accel_flat_is_current(const accel_flat_set *set_, unsigned way_, uint64_t epoch_)
{
  const uint64_t current_ = accel_load_acquire(&set_->current);
  return current_ >> 16 == (epoch_ & (UINT64_MAX >> 16)) && (current_ >> way_ & 1) != 0;
}

/* Whether a moment `after` the birth, which may never come, is over. */
ACCEL_INLINE bool accel_flat_is_over(const accel_local *local_, uint64_t born_ms_, uint64_t after_)
{
  return after_ != ACCEL_FOREVER && accel_clock_read(local_->clock) >= born_ms_ + after_;
}

ACCEL_INLINE void accel_flat_mark_used(accel_flat_set *set_, unsigned way_)
{
  const uint8_t used_ = accel_load_relaxed(&set_->used[way_]);
  if (used_ < ACCEL_FLAT_USED_MAX) accel_store_relaxed(&set_->used[way_], (uint8_t)(used_ + 1));
}

/* ---- reading a slot without its mutex ---- */

ACCEL_INLINE bool accel_flat_is_whole(const accel_flat_slot *slot_, uint32_t sequence_)
{
  return accel_load_relaxed(&slot_->sequence) == sequence_;
}

/* Eight words by constant indices: they stay in registers. */
ACCEL_INLINE void accel_flat_load_line(const accel_flat_word *from_, size_t size_,
                                       uint64_t words_[8])
{
  if (size_ > 0) words_[0] = accel_load_acquire(from_);
  if (size_ > 8) words_[1] = accel_load_acquire(from_ + 1);
  if (size_ > 16) words_[2] = accel_load_acquire(from_ + 2);
  if (size_ > 24) words_[3] = accel_load_acquire(from_ + 3);
  if (size_ > 32) words_[4] = accel_load_acquire(from_ + 4);
  if (size_ > 40) words_[5] = accel_load_acquire(from_ + 5);
  if (size_ > 48) words_[6] = accel_load_acquire(from_ + 6);
  if (size_ > 56) words_[7] = accel_load_acquire(from_ + 7);
}

ACCEL_INLINE void accel_flat_put_word(char *out_, size_t size_, size_t at_, uint64_t word_)
{
  if (size_ >= at_ + 8) {
    memcpy(out_ + at_, &word_, 8);
  } else if (size_ > at_) {
    memcpy(out_ + at_, &word_, size_ - at_);
  }
}

ACCEL_INLINE void accel_flat_put_line(void *out_, size_t size_, const uint64_t words_[8])
{
  char *const bytes_ = (char *)out_;
  accel_flat_put_word(bytes_, size_, 0, words_[0]);
  accel_flat_put_word(bytes_, size_, 8, words_[1]);
  accel_flat_put_word(bytes_, size_, 16, words_[2]);
  accel_flat_put_word(bytes_, size_, 24, words_[3]);
  accel_flat_put_word(bytes_, size_, 32, words_[4]);
  accel_flat_put_word(bytes_, size_, 40, words_[5]);
  accel_flat_put_word(bytes_, size_, 48, words_[6]);
  accel_flat_put_word(bytes_, size_, 56, words_[7]);
}

/* True: *out_ holds `size_` bytes of the slot as they were all at one moment. False: untouched. */
ACCEL_INLINE bool accel_flat_copy_small(const accel_flat_slot *slot_, const accel_flat_word *from_,
                                        size_t size_, uint32_t sequence_, void *out_)
{
  uint64_t words_[8] = {0};
  accel_flat_load_line(from_, size_, words_);
  if (ACCEL_UNLIKELY(!accel_flat_is_whole(slot_, sequence_))) return false;
  accel_flat_put_line(out_, size_, words_);
  return true;
}

ACCEL_INLINE bool accel_flat_copy_large(const accel_flat_slot *slot_, const accel_flat_word *from_,
                                        size_t size_, uint32_t sequence_, void *out_)
{
  uint64_t words_[ACCEL_FLAT_VALUE_MAX / 8];
  for (size_t i_ = 0; i_ * 8 < size_; i_++) words_[i_] = accel_load_acquire(from_ + i_);
  if (ACCEL_UNLIKELY(!accel_flat_is_whole(slot_, sequence_))) return false;
  memcpy(out_, words_, size_);
  return true;
}

ACCEL_INLINE bool accel_flat_copy(const accel_flat_slot *slot_, const accel_flat_word *from_,
                                  size_t size_, uint32_t sequence_, void *out_)
{
  return size_ <= 64 ? accel_flat_copy_small(slot_, from_, size_, sequence_, out_)
                     : accel_flat_copy_large(slot_, from_, size_, sequence_, out_);
}

/* The user's equal sees whole keys only; a single word is always whole. */
ACCEL_INLINE bool accel_flat_has_key(const accel_type *type_, accel_flat_slot *slot_,
                                     uint32_t sequence_, const void *key_)
{
  uint64_t copy_[ACCEL_FLAT_KEY_MAX / 8] = {0};
  const accel_flat_word *from_ = accel_flat_words(slot_, accel_flat_key_offset(type_));
  accel_flat_load_line(from_, type_->key_size, copy_);
  if (type_->key_size > 8 && !accel_flat_is_whole(slot_, sequence_)) return false;
  return type_->equal(key_, copy_);
}

/* One way whose tag matched. MISS for another key, for an entry that needs attention, and for a
 * slot that changed meanwhile. */
ACCEL_INLINE accel_status accel_flat_read(accel_local *local_, const accel_type *type_,
                                          accel_flat_set *set_, accel_flat_slot *slot_,
                                          unsigned way_, const void *key_, void *out_)
{
  const uint32_t sequence_ = accel_load_acquire(&slot_->sequence);
  if (ACCEL_UNLIKELY((sequence_ & 1) != 0)) return ACCEL_MISS;
  if (ACCEL_UNLIKELY(!accel_flat_has_key(type_, slot_, sequence_, key_))) return ACCEL_MISS;
  const uint64_t epoch_ = accel_load_relaxed(&local_->epoch);
  if (ACCEL_UNLIKELY(!accel_flat_is_current(set_, way_, epoch_))) return ACCEL_MISS;
  const uint64_t born_ms_ = accel_load_acquire(&slot_->born_ms);
  const uint64_t after_ = accel_load_acquire(&slot_->after);
  if (accel_flat_is_over(local_, born_ms_, after_ & UINT32_MAX)) return ACCEL_MISS;
  accel_flat_mark_used(set_, way_);
  if (ACCEL_UNLIKELY((accel_load_acquire(&slot_->state) & ACCEL_FLAT_NEGATIVE) != 0))
    return accel_flat_is_whole(slot_, sequence_) ? ACCEL_NULL : ACCEL_MISS;
  const accel_flat_word *value_ = accel_flat_words(slot_, accel_flat_value_offset(type_));
  const bool copied_ = accel_flat_copy(slot_, value_, type_->value_size, sequence_, out_);
  return copied_ ? ACCEL_OK : ACCEL_MISS;
}

ACCEL_INLINE accel_status accel_flat_get(accel_local *local_, const accel_type *type_,
                                         const void *key_, uint64_t hash_, void *out_)
{
  if (!accel_flat_is_lock_free(type_))
    return accel_flat_get_locked(local_, type_, key_, hash_, out_);
  const accel_flat *flat_ = (const accel_flat *)(const void *)local_;
  const accel_flat_table *table_ = accel_load_acquire(&flat_->table);
  const uint64_t mixed_ = accel_flat_mix(type_->traits().has_hash, hash_);
  const uint64_t tag_ = accel_flat_tag(mixed_);
  uint64_t index_ = accel_flat_first_set(table_, mixed_);
  for (unsigned attempt_ = 0; attempt_ < 2; attempt_++) {
    accel_flat_set *set_ = &table_->sets[index_];
    for (uint64_t left_ = accel_flat_match(set_, tag_); left_ != 0; left_ &= left_ - 1) {
      const unsigned way_ = accel_flat_first_way(left_);
      accel_flat_slot *slot_ = accel_flat_slot_at(type_, table_, index_, way_);
      const accel_status status_ = accel_flat_read(local_, type_, set_, slot_, way_, key_, out_);
      if (ACCEL_LIKELY(status_ != ACCEL_MISS)) return status_;
    }
    index_ = accel_flat_second_set(table_, mixed_, index_);
  }
  return ACCEL_MISS;
}

static const accel_local_ops accel_flat_ops ACCEL_UNUSED = {
    .name = "flat",
    .open = accel_flat_open,
    .close = accel_flat_close,
    .get = accel_flat_get,
    .peek = accel_flat_peek,
    .gate = accel_flat_gate,
    .fill = accel_flat_fill,
    .set = accel_flat_set_entry,
    .del = accel_flat_del,
    .expire_all = accel_flat_expire_all,
    .clear = accel_flat_clear,
    .stats = accel_flat_stats,
    .pin = accel_flat_pin,
    .unpin = accel_flat_unpin,
    .resize = accel_flat_resize,
    .hottest = accel_flat_hottest,
    .each = accel_flat_each,
};

ACCEL_EXTERN_C_END
#endif

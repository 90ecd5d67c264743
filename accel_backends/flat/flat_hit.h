/* flat_hit.h: reading without the mutex: the one function that must be fast (layer 2).
 *
 * Writers hold the stripe's mutex. A write never touches a slot that its readers can find: the new
 * version goes to a free slot, its tag is published, then the old tag is withdrawn. Should a set's
 * free slot have been used before, a reader may still be copying out of it; so a writer
 *
 *   withdraws the tag (earlier) -> raises the set's version -> writes the slot -> publishes a tag
 *
 * and a reader
 *
 *   reads the version -> finds the tag -> copies key, head and value -> sees the version unchanged
 *
 * Every store of the writer is a release, every load of the reader from a set's version and tags
 * or from a slot is an acquire, except the last. If the copy holds a word of the new content, then
 * that load saw a store that came after the raise, and the last load sees the raised version. If
 * the first load saw the raised version already, the tag that was withdrawn before is not found
 * any more; what is found then was published after it was whole. A writer that stops anywhere
 * holds up no reader of another key, and no fence is needed (Boehm, "Can seqlocks get along with
 * programming language memory models?", 2012).
 *
 * All of that needs versions that do not come again. They are drawn from a counter of the stripe's,
 * which outlives the tables in its pages (flat_region.c). A retired table loses its tags, and
 * then has its versions raised; then its pages may go, and read as zeros. A version of 0 belongs to
 * a set in which nothing was written, or to such a page: no copy is believed that began with it. On
 * ARM a page goes by an invalidation that every processor has completed before the call returns, so
 * a reader that sees a zero in the slot sees the raised version, or a zero, afterwards.
 * tests/model/reads.py tries every execution.
 *
 * A key that goes from one slot to another is published in the new one first, then that set's
 * version is raised once more, then the old tag is withdrawn. A reader that saw neither tag also
 * sees the raised version. So MISS means that there was a moment without the key.
 *
 * A key whose two sets are full is written into its own slot again, and has no tag meanwhile. A bit
 * of the version says so: it is set before the tag goes and cleared after the tag has come back. A
 * reader that sees the bit reads under the mutex. Values that are read under the mutex are changed
 * in place.
 *
 * Progress: a get finishes in a bounded number of its own steps, whatever other threads do. After a
 * few attempts in which a writer changed the same set, it answers ATTENTION, and the caller's peek
 * reads under the mutex; a get of a string key takes the mutex after the first such attempt. Long
 * string keys, owning values, keys over 64 bytes or aligned to more than ACCEL_FLAT_KEY_ALIGN_MAX,
 * and values over 1024 bytes are always read under the mutex. It is never held while user code
 * runs, except equal, hash and the clock.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_HIT_H
#define ACCEL_BACKENDS_FLAT_FLAT_HIT_H

#include "flat.h"
#include "policies.h"

ACCEL_EXTERN_C_BEGIN

/* Whether a hit may not serve an entry of this head any more: the moment of its refresh has come,
 * or of its expiry. Asks the clock, if it expires at all. */
ACCEL_COLD bool accel_flat_is_due(const accel_flat *flat, uint64_t head);

/* What the steps of a read return among themselves. */
#define ACCEL_FLAT_OTHER_KEY ((accel_status)4)
#define ACCEL_FLAT_TORN ((accel_status)5) /* a slot of the set was reused meanwhile */

ACCEL_INLINE bool accel_flat_is_lock_free(const accel_type *type_)
{
  return type_->key_size <= ACCEL_FLAT_KEY_MAX &&
         accel_type_key_align(type_) <= ACCEL_FLAT_KEY_ALIGN_MAX &&
         type_->value_size <= ACCEL_FLAT_VALUE_MAX && accel_type_is_plain(type_);
}

/* A set as a reader first saw it. */
typedef struct accel_flat_seen {
  accel_flat_set *set;
  uint64_t version;
} accel_flat_seen;

/* What was copied out of a slot is whole. Never true of a set in which nothing had been written. */
ACCEL_INLINE bool accel_flat_is_same(const accel_flat_seen *seen_)
{
  const accel_flat_set *set_ = seen_->set;
  ACCEL_FORGET_(set_);
  return accel_equals_relaxed(&set_->version, seen_->version | ACCEL_FLAT_WRITTEN);
}

/* No key has left the set since, for a moment or for good. */
ACCEL_INLINE bool accel_flat_is_unmoved(const accel_flat_seen *seen_)
{
  const uint64_t unmoved_ = seen_->version & ~(uint64_t)ACCEL_FLAT_REPLACING;
  const accel_flat_set *set_ = seen_->set;
  ACCEL_FORGET_(set_);
  return accel_equals_relaxed(&set_->version, unmoved_);
}

/* Up to 64 bytes of a slot, in registers: whole pairs of words, then single words. */
typedef struct accel_flat_line {
  accel_flat_pair pairs[4];
  uint64_t words[2];
} accel_flat_line;

ACCEL_INLINE void accel_flat_load_line(const accel_flat_word *from_, size_t size_,
                                       accel_flat_line *line_)
{
  if (size_ >= 16) line_->pairs[0] = accel_flat_load_pair(from_);
  if (size_ >= 32) line_->pairs[1] = accel_flat_load_pair(from_ + 2);
  if (size_ >= 48) line_->pairs[2] = accel_flat_load_pair(from_ + 4);
  if (size_ >= 64) line_->pairs[3] = accel_flat_load_pair(from_ + 6);
  const size_t rest_ = size_ & 15;
  if (rest_ > 0) line_->words[0] = accel_load_acquire(from_ + size_ / 16 * 2);
  if (rest_ > 8) line_->words[1] = accel_load_acquire(from_ + size_ / 16 * 2 + 1);
}

ACCEL_INLINE void accel_flat_put_line(void *out_, size_t size_, const accel_flat_line *line_)
{
  char *const bytes_ = (char *)out_;
  if (size_ >= 16) memcpy(bytes_, &line_->pairs[0], 16);
  if (size_ >= 32) memcpy(bytes_ + 16, &line_->pairs[1], 16);
  if (size_ >= 48) memcpy(bytes_ + 32, &line_->pairs[2], 16);
  if (size_ >= 64) memcpy(bytes_ + 48, &line_->pairs[3], 16);
  char *const end_ = bytes_ + (size_ & ~(size_t)15);
  const size_t rest_ = size_ & 15;
  if (rest_ > 0) memcpy(end_, &line_->words[0], rest_ < 8 ? rest_ : 8);
  if (rest_ > 8) memcpy(end_ + 8, &line_->words[1], rest_ - 8);
}

/* OK: *out_ holds `size_` bytes of the slot as they were all at one moment. TORN: untouched. */
ACCEL_INLINE accel_status accel_flat_copy_small(const accel_flat_seen *seen_,
                                                const accel_flat_word *from_, size_t size_,
                                                void *out_)
{
  accel_flat_line line_;
  accel_flat_load_line(from_, size_, &line_);
  if (ACCEL_UNLIKELY(!accel_flat_is_same(seen_))) return ACCEL_FLAT_TORN;
  accel_flat_put_line(out_, size_, &line_);
  return ACCEL_OK;
}

ACCEL_INLINE accel_status accel_flat_copy_large(const accel_flat_seen *seen_,
                                                const accel_flat_word *from_, size_t size_,
                                                void *out_)
{
  uint64_t words_[ACCEL_FLAT_VALUE_MAX / 8];
  for (size_t i_ = 0; i_ * 8 < size_; i_++) words_[i_] = accel_load_acquire(from_ + i_);
  if (ACCEL_UNLIKELY(!accel_flat_is_same(seen_))) return ACCEL_FLAT_TORN;
  memcpy(out_, words_, size_);
  return ACCEL_OK;
}

ACCEL_INLINE accel_status accel_flat_copy(const accel_type *type_, const accel_flat_seen *seen_,
                                          const accel_flat_word *from_, void *out_)
{
  return type_->value_size <= 64 ? accel_flat_copy_small(seen_, from_, type_->value_size, out_)
                                 : accel_flat_copy_large(seen_, from_, type_->value_size, out_);
}

/* OK: the slot holds this key. A string with memory of its own, which may go at any time, counts
 * as TORN. The user's equal sees whole keys only; a single word is always whole. */
ACCEL_INLINE accel_status accel_flat_compare(const accel_flat_seen *seen_, const accel_type *type_,
                                             unsigned char *slot_, const void *key_)
{
  const bool is_string_ = type_->key_kind == ACCEL_KEY_STRING;
  const bool is_integer_ = type_->key_kind != ACCEL_KEY_STRUCT && !is_string_;
  if (is_integer_ && type_->key_size == sizeof(uint64_t) && !accel_type_has_equal(type_)) {
    const accel_flat_word *const word_ = accel_flat_words(slot_, accel_flat_key_offset(type_));
    uint64_t wanted_;
    memcpy(&wanted_, key_, sizeof wanted_);
    return accel_equals_acquire((const uint64_t *)word_, wanted_) ? ACCEL_OK : ACCEL_FLAT_OTHER_KEY;
  }
  uint64_t copy_[ACCEL_FLAT_KEY_MAX / 8] __attribute__((aligned(ACCEL_FLAT_KEY_ALIGN_MAX))) = {0};
  const size_t size_ = is_string_ ? ACCEL_FLAT_STRING_SIZE : type_->key_size;
  accel_flat_line line_;
  accel_flat_load_line(accel_flat_words(slot_, accel_flat_key_offset(type_)), size_, &line_);
  accel_flat_put_line(copy_, size_, &line_);
  if (size_ > 8 && ACCEL_UNLIKELY(!accel_flat_is_same(seen_))) return ACCEL_FLAT_TORN;
  const char *const text_ = (const char *)copy_;
  if (is_string_ && text_[ACCEL_FLAT_STRING_SIZE - 1] != 0) return ACCEL_FLAT_TORN;
  const void *const found_ = is_string_ ? (const void *)&text_ : (const void *)copy_;
  return type_->equal(key_, found_) ? ACCEL_OK : ACCEL_FLAT_OTHER_KEY;
}

/* Serves the key's entry, which lies there. */
ACCEL_INLINE accel_status accel_flat_serve(const accel_flat *flat_, const accel_type *type_,
                                           const accel_flat_seen *seen_, size_t way_,
                                           unsigned char *slot_, void *out_)
{
  const uint64_t head_ = accel_load_acquire(accel_flat_words(slot_, 0));
  const uint64_t epoch_ = accel_load_relaxed(&flat_->local.epoch);
  if (ACCEL_UNLIKELY(!accel_flat_is_current(seen_->set, way_, epoch_))) return ACCEL_ATTENTION;
  if (ACCEL_UNLIKELY(!accel_flat_is_young(flat_, head_)) && accel_flat_is_due(flat_, head_))
    return ACCEL_ATTENTION;
  accel_policy_hit(type_, seen_->set, way_);
  if (ACCEL_UNLIKELY((head_ & ACCEL_FLAT_NEGATIVE) != 0))
    return accel_flat_is_same(seen_) ? ACCEL_NULL : ACCEL_FLAT_TORN;
  const accel_flat_word *from_ = accel_flat_words(slot_, accel_flat_value_offset(type_));
  return accel_flat_copy(type_, seen_, from_, out_);
}

/* One set, of which these ways have the key's tag. OTHER_KEY: the key is not there. */
ACCEL_INLINE accel_status accel_flat_look_in(const accel_flat *flat_, const accel_type *type_,
                                             const accel_flat_table *table_,
                                             const accel_flat_seen *seen_, uint64_t index_,
                                             unsigned ways_, const void *key_, void *out_)
{
  for (; ways_ != 0; ways_ &= ways_ - 1) {
    const size_t way_ = accel_flat_first_way(ways_);
    unsigned char *const slot_ = accel_flat_slot_at(type_, table_, index_, way_);
    const accel_status status_ = accel_flat_compare(seen_, type_, slot_, key_);
    if (ACCEL_LIKELY(status_ == ACCEL_OK))
      return accel_flat_serve(flat_, type_, seen_, way_, slot_, out_);
    if (status_ != ACCEL_FLAT_OTHER_KEY) return status_;
  }
  return ACCEL_FLAT_OTHER_KEY;
}

ACCEL_INLINE accel_flat_seen accel_flat_see(const accel_flat_table *table_, uint64_t index_)
{
  accel_flat_seen seen_;
  seen_.set = &table_->sets[index_];
  ACCEL_IN_REGISTER_(seen_.set);
  seen_.version = accel_load_acquire(&seen_.set->version);
  return seen_;
}

/* After neither of a key's two sets had it: whether there was a moment without it. */
ACCEL_INLINE bool accel_flat_is_absent(const accel_flat *flat_, const accel_flat_table *table_,
                                       const accel_flat_seen *first_,
                                       const accel_flat_seen *second_)
{
  const uint64_t *const word_ = (const uint64_t *)(const void *)&flat_->table;
  return ACCEL_LIKELY(accel_equals_acquire(word_, (uint64_t)(uintptr_t)table_) &&
                      accel_flat_is_unmoved(first_) && accel_flat_is_unmoved(second_));
}

/* One attempt of get. OK, NULL, MISS, ATTENTION; TORN: a writer interfered, try again. */
ACCEL_INLINE accel_status accel_flat_look(accel_local *local_, const accel_type *type_,
                                          const void *key_, uint64_t hash_, void *out_)
{
  if (!accel_flat_is_lock_free(type_))
    return accel_flat_get_locked(local_, type_, key_, hash_, out_);
  const accel_flat *flat_ = (const accel_flat *)(const void *)local_;
  const accel_flat_table *table_ = accel_load_acquire(&flat_->table);
  uint64_t mixed_ = accel_flat_mix(accel_type_has_hash(type_), hash_);
  const uint64_t tag_ = accel_flat_tag(mixed_);
  const uint64_t first_ = accel_flat_first_set(table_, mixed_);
  const accel_flat_seen seen_ = accel_flat_see(table_, first_);
  unsigned ways_ = accel_flat_match(accel_flat_load_pair(seen_.set->tags), tag_);
  accel_status status_ =
      accel_flat_look_in(flat_, type_, table_, &seen_, first_, ways_, key_, out_);
  if (ACCEL_LIKELY(status_ != ACCEL_FLAT_OTHER_KEY)) return status_;
  ACCEL_FORGET_(mixed_);
  const uint64_t start_ = accel_flat_stripe_start(table_, mixed_);
  const uint64_t second_ = accel_flat_partner(table_, start_, first_, mixed_ >> 56);
  const accel_flat_seen other_ = accel_flat_see(table_, second_);
  ways_ = accel_flat_match(accel_flat_load_pair(other_.set->tags), tag_);
  status_ = accel_flat_look_in(flat_, type_, table_, &other_, second_, ways_, key_, out_);
  if (status_ != ACCEL_FLAT_OTHER_KEY) return status_;
  return accel_flat_is_absent(flat_, table_, &seen_, &other_) ? ACCEL_MISS : ACCEL_FLAT_TORN;
}

ACCEL_EXTERN_C_END
#endif

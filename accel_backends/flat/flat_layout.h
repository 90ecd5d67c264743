/* flat_layout.h: where the engine keeps what, and the arithmetic that finds it (layer 2).
 *
 *   stripes   one mutex each; a stripe owns a run of sets
 *   sets      one cache line per 16 entries: tags, version, epoch, the policy's bytes
 *   slots     16 per set: head, key, value; of the type's sizes, in one array: first the first way
 *             of all sets, then the second of all, so that few entries use few pages
 *
 * A key may lie in two sets of its stripe. Each follows from the other and the tag alone
 * (accel_flat_partner), so that an entry can be moved to its other set without a look at its key.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_LAYOUT_H
#define ACCEL_BACKENDS_FLAT_FLAT_LAYOUT_H

#include "../../accel/backend.h"
#include "../../accel/hash.h"
#include "../../accel/platform/atomic.h"
#include "../../accel/platform/clock_page.h"

#define ACCEL_FLAT_WAYS 16u
#define ACCEL_FLAT_KEY_MAX 64u       /* larger ones are compared under the mutex, */
#define ACCEL_FLAT_KEY_ALIGN_MAX 16u /* and more aligned ones, which a stack is not made for */
#define ACCEL_FLAT_VALUE_MAX 1024u   /* and copied under it */
#define ACCEL_FLAT_STRING_SIZE 24u /* a string key's place; longer strings have their own memory */
#define ACCEL_FLAT_STRIPES_MAX 512u

/* Tags below the first of a key's say that there is none to be found. */
#define ACCEL_FLAT_EMPTY 0u
#define ACCEL_FLAT_REMOVED 1u /* pinned, or being dropped: not to be reused yet */
#define ACCEL_FLAT_TAG_MIN 2u

/* Bytes of keys and values, moved in words whatever their type. */
typedef uint64_t __attribute__((may_alias)) accel_flat_word;

/* Bits of a set's version that are no part of its number; see flat_hit.h. */
#define ACCEL_FLAT_WRITTEN 1u   /* something was written here since the pages were last empty */
#define ACCEL_FLAT_REPLACING 2u /* a key of the set is being written whose tag is not to be found */
#define ACCEL_FLAT_VERSION_ONE 4u

/* Written under the mutex, but `used`, which readers write too. All zero: an empty set. */
typedef struct accel_flat_set {
  uint64_t tags[2]; /* one byte per way, way 0 lowest */
  uint64_t version; /* raised before a slot of the set is written, and before an entry leaves a slot
                     * for another; see flat_hit.h */
  uint64_t current; /* an epoch, and the ways that are of older ones */
  uint8_t used[ACCEL_FLAT_WAYS]; /* the policy's, one per entry; what a hit may change */
  uint8_t policy[10];            /* the policy's, of the whole set */
  uint16_t pinned;               /* the ways that get_ref holds */
  uint32_t expiry_left;          /* what is not pinned expires no earlier than UINT32_MAX less this,
                                  * in units of 256 ms */
} accel_flat_set;

/* How a region (flat_region.c) is divided. The sizes are the type's, for code that does not see the
 * type as a constant. Immutable once published; kept until the engine closes. */
typedef struct accel_flat_table {
  accel_flat_set *sets;
  unsigned char *slots;
  uint64_t set_count;    /* stripe_count * stripe_sets */
  uint64_t stripe_count; /* a power of two */
  uint64_t stripe_sets;  /* even, so that no set is its own partner */
  uint64_t half_sets;    /* of that */
  size_t slot_size, key_offset, value_offset;
  bool is_plain, weighs;
  const struct accel_policy *policy;
  struct accel_flat_stripe *stripes;
  void *policy_side; /* the policy's memory, if it wants some */
  size_t side_size;  /* of policy_side */
  struct accel_flat_region *region;
  struct accel_flat_table *next; /* of the same region */
} accel_flat_table;

/* A key that is not in the table and is about to be written. */
typedef struct accel_flat_newcomer {
  bool is_told; /* the policy has heard of it */
  uint8_t note; /* the policy's, from then until it is inserted */
} accel_flat_newcomer;

/* Where a key may lie in a table. If accel_flat_lock or _lock_set made it, the stripe is locked and
 * the table in use. */
typedef struct accel_flat_view {
  accel_flat_table *table;
  accel_flat_set *sets[2]; /* the same twice if the view is of one set alone */
  uint64_t indices[2];     /* of these */
  struct accel_flat_stripe *stripe;
  uint64_t stripe_index;
  uint64_t start;                 /* the stripe's first set */
  uint64_t mixed;                 /* the key's hash; 0 if there is none */
  uint64_t tag;                   /* likewise */
  uint64_t epoch;                 /* the table's, as the stripe knows it */
  accel_flat_newcomer *newcomer;  /* NULL: the key is in the table, or there is none */
  struct accel_flat_state *state; /* the engine's own, as is the type */
  const accel_type *type;
} accel_flat_view;

/* The front of the engine's state: all that a hit reads of it. */
typedef struct accel_flat {
  accel_local local;
  accel_flat_table *table; /* atomic */
  uint64_t base_ms;        /* what heads count from: half their range before the engine opened */
  uint64_t window_ms;      /* refresh-ahead's; 0: off */
  uint64_t lead;           /* added to accel_clock_page_shown: heads above that are not due */
} accel_flat;

/* ---- the head of a slot: one word ----
 *
 * bit 63         no expiry
 * bits 24 to 62  the moment of expiry; if there is none, of birth: ms since base_ms
 * bits 1 to 23   the TTL: 4 bits of exponent, 19 of mantissa
 * bit 0          a negative entry
 *
 * Expiry is exact. Birth is expiry less TTL, and a TTL is exact up to 17 minutes and then within
 * a millionth of itself. 39 bits reach 8 years either way; later moments count as that. What does
 * not expire has the later time of any two. */

#define ACCEL_FLAT_TIME_SHIFT ACCEL_CLOCK_PAGE_SHIFT
#define ACCEL_FLAT_TIME_MAX (((uint64_t)1 << 39) - 1)
#define ACCEL_FLAT_NO_EXPIRY ((uint64_t)1 << 63)
#define ACCEL_FLAT_TTL_MASK 0x00FFFFFEu /* in place */
#define ACCEL_FLAT_NEGATIVE 1u
#define ACCEL_FLAT_LEAD_ALL ((uint64_t)1 << 63) /* above all heads, added to whatever moment */
#define ACCEL_FLAT_MANTISSA_BITS 19u
#define ACCEL_FLAT_MANTISSA_LIMIT ((uint64_t)1 << ACCEL_FLAT_MANTISSA_BITS)
#define ACCEL_FLAT_TTL_MAX ((uint64_t)UINT32_MAX)
#define ACCEL_FLAT_COARSE_SHIFT 8u /* the unit of `expiry_left`: 256 ms; all of time in 32 bits */

/* Rounded down. */
ACCEL_INLINE uint64_t accel_flat_pack_ttl(uint64_t ttl_ms_)
{
  if (ttl_ms_ < ACCEL_FLAT_MANTISSA_LIMIT) return ttl_ms_;
  const uint64_t capped_ = ttl_ms_ < ACCEL_FLAT_TTL_MAX ? ttl_ms_ : ACCEL_FLAT_TTL_MAX;
  const unsigned top_ = 63u - (unsigned)__builtin_clzll(capped_);
  const unsigned shift_ = top_ - ACCEL_FLAT_MANTISSA_BITS;
  const uint64_t mantissa_ = (capped_ >> shift_) - ACCEL_FLAT_MANTISSA_LIMIT;
  return (uint64_t)(shift_ + 1) << ACCEL_FLAT_MANTISSA_BITS | mantissa_;
}

ACCEL_INLINE uint64_t accel_flat_unpack_ttl(uint64_t code_)
{
  const unsigned exponent_ = (unsigned)(code_ >> ACCEL_FLAT_MANTISSA_BITS);
  const uint64_t mantissa_ = code_ & (ACCEL_FLAT_MANTISSA_LIMIT - 1);
  return exponent_ == 0 ? mantissa_ : (mantissa_ + ACCEL_FLAT_MANTISSA_LIMIT) << (exponent_ - 1);
}

ACCEL_INLINE bool accel_flat_expires(uint64_t head_)
{
  return (head_ & ACCEL_FLAT_NO_EXPIRY) == 0;
}

/* The lifetime of an entry, as the word in its slot. */
ACCEL_INLINE uint64_t accel_flat_pack(uint64_t base_ms_, const accel_lifetime *lifetime_,
                                      bool is_negative_)
{
  const bool expires_ = lifetime_->expires_ms != ACCEL_NEVER;
  const uint64_t moment_ms_ = expires_ ? lifetime_->expires_ms : lifetime_->born_ms;
  const int64_t since_ms_ = (int64_t)(moment_ms_ - base_ms_);
  uint64_t time_ = since_ms_ < 0 ? 0 : (uint64_t)since_ms_;
  if (time_ > ACCEL_FLAT_TIME_MAX) time_ = ACCEL_FLAT_TIME_MAX;
  const uint64_t ttl_ms_ =
      lifetime_->expires_ms > lifetime_->born_ms ? lifetime_->expires_ms - lifetime_->born_ms : 0;
  const uint64_t code_ = expires_ ? accel_flat_pack_ttl(ttl_ms_) << 1 : ACCEL_FLAT_NO_EXPIRY;
  return time_ << ACCEL_FLAT_TIME_SHIFT | code_ | (is_negative_ ? ACCEL_FLAT_NEGATIVE : 0u);
}

/* And back. A refresh is due a window, but at most half the TTL, before the end. */
ACCEL_INLINE accel_lifetime accel_flat_unpack(uint64_t base_ms_, uint64_t window_ms_,
                                              uint64_t head_)
{
  const uint64_t time_ = head_ >> ACCEL_FLAT_TIME_SHIFT & ACCEL_FLAT_TIME_MAX;
  accel_lifetime lifetime_ = {base_ms_ + time_, ACCEL_NEVER, ACCEL_NEVER};
  if (!accel_flat_expires(head_)) return lifetime_;
  const uint64_t ttl_ms_ = accel_flat_unpack_ttl((head_ & ACCEL_FLAT_TTL_MASK) >> 1);
  const uint64_t half_ms_ = ttl_ms_ / 2;
  lifetime_.expires_ms = lifetime_.born_ms;
  lifetime_.born_ms -= ttl_ms_;
  lifetime_.refresh_ms = lifetime_.expires_ms - (window_ms_ < half_ms_ ? window_ms_ : half_ms_);
  return lifetime_;
}

/* Whether the entry is surely not due. */
ACCEL_INLINE bool accel_flat_is_young(const accel_flat *flat_, uint64_t head_)
{
  return !accel_flat_expires(head_) || accel_clock_page_shown() + flat_->lead < head_;
}

/* ---- layout of a slot: folds where the type is a constant ---- */

/* Types that weigh keep the weight in a word behind the head. */
ACCEL_INLINE size_t accel_flat_key_offset(const accel_type *type_)
{
  const size_t head_ = sizeof(uint64_t) + (accel_type_has_weigh(type_) ? sizeof(uint64_t) : 0);
  return accel_align_up(head_, accel_type_key_align(type_));
}

ACCEL_INLINE size_t accel_flat_align(const accel_type *type_)
{
  const size_t key_ = accel_type_key_align(type_), value_ = accel_type_value_align(type_);
  return key_ > value_ ? key_ : value_;
}

ACCEL_INLINE size_t accel_flat_value_offset(const accel_type *type_)
{
  const size_t key_size_ =
      type_->key_kind == ACCEL_KEY_STRING ? ACCEL_FLAT_STRING_SIZE : type_->key_size;
  return accel_align_up(accel_flat_key_offset(type_) + key_size_, accel_flat_align(type_));
}

ACCEL_INLINE size_t accel_flat_slot_size(const accel_type *type_)
{
  return accel_align_up(accel_flat_value_offset(type_) + type_->value_size,
                        accel_flat_align(type_));
}

ACCEL_INLINE unsigned char *accel_flat_slot_at(const accel_type *type_,
                                               const accel_flat_table *table_, uint64_t set_,
                                               size_t way_)
{
  return table_->slots + (way_ * table_->set_count + set_) * accel_flat_slot_size(type_);
}

ACCEL_INLINE accel_flat_word *accel_flat_words(unsigned char *slot_, size_t offset_)
{
  return (accel_flat_word *)(void *)(slot_ + offset_);
}

/* ---- which sets, which tag ----
 *
 * Bits 0 to 31 of the mixed hash choose the set: their top bits the stripe (and the generation),
 * what is below the set in it. Bits 56 to 63 are the tag. */

/* A hash that the user wrote may be poor in the bits that are used here. */
ACCEL_INLINE uint64_t accel_flat_mix(bool is_users_, uint64_t hash_)
{
  return is_users_ ? accel_hash_fold(hash_, 0x9FB21C651E98DF25u) : hash_;
}

ACCEL_INLINE uint64_t accel_flat_scale(uint64_t mixed_, uint64_t count_)
{
  return ((mixed_ & UINT32_MAX) * count_) >> 32;
}

ACCEL_INLINE uint64_t accel_flat_tag(uint64_t mixed_)
{
  const uint64_t tag_ = mixed_ >> 56;
  return tag_ < ACCEL_FLAT_TAG_MIN ? ACCEL_FLAT_TAG_MIN : tag_;
}

ACCEL_INLINE uint64_t accel_flat_first_set(const accel_flat_table *table_, uint64_t mixed_)
{
  return accel_flat_scale(mixed_, table_->set_count);
}

/* The first set of the stripe. */
ACCEL_INLINE uint64_t accel_flat_stripe_start(const accel_flat_table *table_, uint64_t mixed_)
{
  return accel_flat_scale(mixed_, table_->stripe_count) * table_->stripe_sets;
}

/* The other set of an entry with this tag, or these top bits of a hash; its own inverse. Within
 * the stripe, set and partner add up to an odd number that the tag gives, modulo an even one: they
 * are never the same. Only the tag's upper six bits count, in which it is as in the hash. */
ACCEL_INLINE uint64_t accel_flat_partner(const accel_flat_table *table_, uint64_t start_,
                                         uint64_t set_, uint64_t tag_)
{
  const uint64_t count_ = table_->stripe_sets;
  const uint64_t sum_ = ((tag_ >> 2) * table_->half_sets >> 6) * 2 + 1;
  const int64_t place_ = (int64_t)(sum_ + start_ - set_);
  return start_ + (uint64_t)(place_ < 0 ? place_ + (int64_t)count_ : place_);
}

/* ---- two words at once ----
 *
 * The words of slots and tags are written and read as atomic objects. On x86-64 one instruction
 * reads or writes two of them, neither of them torn: every load is an acquire there and every store
 * a release, and the compiler is told to keep the place. */

#if defined(__x86_64__) && !ACCEL_IS_SANITIZED
#define ACCEL_FLAT_HAS_PAIRS 1
typedef uint64_t accel_flat_pair __attribute__((vector_size(16), may_alias));

ACCEL_INLINE accel_flat_pair accel_flat_load_pair(const accel_flat_word *from_)
{
  accel_flat_pair pair_;
  const accel_flat_pair *const both_ = (const accel_flat_pair *)(const void *)from_;
  __asm__ volatile("movdqu {%1, %0|%0, %1}" : "=x"(pair_) : "m"(*both_) : "memory");
  return pair_;
}

ACCEL_INLINE void accel_flat_store_pair(accel_flat_word *to_, accel_flat_pair pair_)
{
  accel_flat_pair *const both_ = (accel_flat_pair *)(void *)to_;
  __asm__ volatile("movdqu {%1, %0|%0, %1}" : "=m"(*both_) : "x"(pair_) : "memory");
}
#else
#define ACCEL_FLAT_HAS_PAIRS 0
typedef struct accel_flat_pair {
  uint64_t words[2];
} accel_flat_pair;

ACCEL_INLINE accel_flat_pair accel_flat_load_pair(const accel_flat_word *from_)
{
  const accel_flat_pair pair_ = {{accel_load_acquire(from_), accel_load_acquire(from_ + 1)}};
  return pair_;
}

ACCEL_INLINE void accel_flat_store_pair(accel_flat_word *to_, accel_flat_pair pair_)
{
  accel_store_release(to_, pair_.words[0]);
  accel_store_release(to_ + 1, pair_.words[1]);
}
#endif

/* The ways of a set with these tags whose tag is this one, or not below it, a bit each. */
#if ACCEL_FLAT_HAS_PAIRS
typedef unsigned char accel_flat_bytes __attribute__((vector_size(16)));
typedef char accel_flat_signs __attribute__((vector_size(16)));

ACCEL_INLINE unsigned accel_flat_match(accel_flat_pair tags_, uint64_t tag_)
{
  const uint64_t pattern_ = tag_ * 0x0101010101010101u;
  const accel_flat_pair wanted_ = {pattern_, pattern_};
  const accel_flat_signs equal_ =
      (accel_flat_signs)((accel_flat_bytes)tags_ == (accel_flat_bytes)wanted_);
  unsigned ways_ = (unsigned)__builtin_ia32_pmovmskb128(equal_);
  ACCEL_IN_REGISTER_(ways_);
  return ways_;
}

/* The first of the ways, of which there is one. (The builtin's result is widened once more.) */
ACCEL_INLINE size_t accel_flat_first_way(unsigned ways_)
{
  uint64_t way_;
  __asm__("rep bsf{l %1, %k0| %k0, %1}" : "=r"(way_) : "r"(ways_) : "cc");
  return way_;
}

/* Those whose tag is not below this one, a power of two at most 128. */
ACCEL_INLINE unsigned accel_flat_match_from(accel_flat_pair tags_, uint64_t tag_)
{
  const uint64_t pattern_ = tag_ * 0x0101010101010101u;
  const accel_flat_pair least_ = {pattern_, pattern_};
  const accel_flat_signs reached_ =
      (accel_flat_signs)((accel_flat_bytes)tags_ >= (accel_flat_bytes)least_);
  return (unsigned)__builtin_ia32_pmovmskb128(reached_);
}
#else
/* The lowest bit of each byte, gathered. */
ACCEL_INLINE unsigned accel_flat_gather(uint64_t bits_)
{
  return (unsigned)((bits_ * 0x0102040810204080u) >> 56);
}

ACCEL_INLINE uint64_t accel_flat_zero_bytes(uint64_t word_)
{
  const uint64_t low_ = 0x7F7F7F7F7F7F7F7Fu;
  return ~(((word_ & low_) + low_) | word_ | low_) >> 7;
}

ACCEL_INLINE unsigned accel_flat_match(accel_flat_pair tags_, uint64_t tag_)
{
  const uint64_t pattern_ = tag_ * 0x0101010101010101u;
  const uint64_t a_ = accel_flat_zero_bytes(tags_.words[0] ^ pattern_);
  const uint64_t b_ = accel_flat_zero_bytes(tags_.words[1] ^ pattern_);
  return accel_flat_gather(a_) | accel_flat_gather(b_) << 8;
}

ACCEL_INLINE size_t accel_flat_first_way(unsigned ways_)
{
  return (size_t)__builtin_ctz(ways_);
}

ACCEL_INLINE unsigned accel_flat_match_from(accel_flat_pair tags_, uint64_t tag_)
{
  const uint64_t high_ = ~(tag_ - 1) & 0xFF, pattern_ = high_ * 0x0101010101010101u;
  const uint64_t below_a_ = accel_flat_zero_bytes(tags_.words[0] & pattern_);
  const uint64_t below_b_ = accel_flat_zero_bytes(tags_.words[1] & pattern_);
  return 0xFFFFu & ~(accel_flat_gather(below_a_) | accel_flat_gather(below_b_) << 8);
}
#endif

/* ---- epochs ----
 *
 * An epoch's low 16 bits are free for a set's ways. Bits 16 to 31 count the expirations since the
 * last clear, of which the 65536th counts as one; those above count the clears, the era. A set that
 * was last written in an older era holds nothing, whatever its tags say. */

#define ACCEL_FLAT_EPOCH_ONE ((uint64_t)1 << 16)
#define ACCEL_FLAT_ERA_SHIFT 32u

ACCEL_INLINE uint64_t accel_flat_epoch_of(uint64_t current_)
{
  return current_ & ~(ACCEL_FLAT_EPOCH_ONE - 1);
}

/* Whether the way's entry is of this epoch. Mostly all of a set's are. */
ACCEL_INLINE bool accel_flat_is_current(const accel_flat_set *set_, size_t way_, uint64_t epoch_)
{
  if (ACCEL_LIKELY(accel_equals_acquire(&set_->current, epoch_))) return true;
  const uint64_t ways_ = accel_load_acquire(&set_->current) ^ epoch_;
  return ways_ < ACCEL_FLAT_EPOCH_ONE && (ways_ >> way_ & 1) == 0;
}

#endif

/* policy.h: which entry is evicted when there is no room (layer 2).
 *
 * A policy is a module of its own, policy_*.h, and one constant table of functions; a cache names
 * it by the trait `.policy`. The engine takes expired and outdated entries by itself and asks the
 * policy only when it finds none in the two sets of a key. What a policy may keep: a byte per
 * entry, which is all that a hit may change; ten bytes per set, in the same line; and side memory.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_H
#define ACCEL_BACKENDS_FLAT_POLICY_H

#include "flat_layout.h"

/* Everything but `hit` is called under the stripe's mutex. */
struct accel_policy {
  const char *name;
  /* Bytes of side memory for a table, zeroed, aligned to a cache line; optional. A resize makes a
   * new table, with side memory of its own. */
  size_t (*side_size)(size_t capacity, size_t set_count, size_t stripe_count);
  /* Marks an entry as used, without the mutex: looks first, writes used[way] at most, and only
   * until it says all that it can. Inlined into every hit. */
  void (*hit)(accel_flat_set *set, size_t way);
  /* A key that is not in the table is about to be written, unless that fails. Told once per write,
   * before choose if anything has to go; may note something in view->newcomer for `inserted`: other
   * keys of the stripe may come in between. Optional. */
  void (*missed)(const accel_flat_view *view);
  /* Picks one of the ways in the two masks, which are not both empty (with equal sets the second
   * is). It goes, and the policy forgets it. Returns its number: the way, of the second set
   * ACCEL_FLAT_WAYS more. */
  unsigned (*choose)(const accel_flat_view *view, unsigned first_ways, unsigned second_ways);
  /* missed and choose in one step, for which it looks at the sets once; what else has to go is
   * chosen. Optional, beside both. */
  unsigned (*replace)(const accel_flat_view *view, unsigned first_ways, unsigned second_ways);
  /* A new key's entry lies there: writes used[way]. A new value for a key that was there, and an
   * entry that is moved, keep theirs. */
  void (*inserted)(const accel_flat_view *view, accel_flat_set *set, unsigned way);
  /* 0 (the coldest) to 3: what a resize keeps and hottest names first, and what is moved last where
   * room is made. */
  unsigned (*rank)(const accel_flat_set *set, unsigned way);
};
typedef struct accel_policy accel_policy;

#define ACCEL_POLICY_RANKS 4u

ACCEL_EXTERN_C_BEGIN

/* The hash of the key of the entry with that number: reads its slot. For choose and replace. */
uint64_t accel_flat_hash_at(const accel_flat_view *view, unsigned number);

ACCEL_EXTERN_C_END

ACCEL_INLINE void accel_policy_mark_first_hit(accel_flat_set *set_, size_t way_)
{
  ACCEL_FORGET_(set_);
  ACCEL_FORGET_(way_);
  uint8_t *const used_ = &set_->used[way_];
  uint32_t bits_ = accel_load_relaxed(used_);
  ACCEL_FORGET_(bits_); /* lest both become one read-modify-write instruction */
  accel_store_relaxed(used_, (uint8_t)(bits_ | 1u));
}

/* The hit of most policies: one bit, set once. */
ACCEL_INLINE void accel_policy_mark_hit(accel_flat_set *set_, size_t way_)
{
  if (ACCEL_UNLIKELY(!accel_is_odd_relaxed(&set_->used[way_])))
    accel_policy_mark_first_hit(set_, way_);
}

#endif

/* atomic.h: the few atomic operations accel uses (layer 0).
 *
 * Thin names over the compilers' __atomic builtins, because _Atomic is not C++, and a few that are
 * shorter by hand. The suffix is the memory order; what has no name here is not needed anywhere.
 * All are lock-free for the 1, 4 and 8 byte types and pointers they are used with.
 */
#ifndef ACCEL_PLATFORM_ATOMIC_H
#define ACCEL_PLATFORM_ATOMIC_H

#include "../base.h"

#define accel_load_relaxed(object_) __atomic_load_n(object_, __ATOMIC_RELAXED)
#define accel_load_acquire(object_) __atomic_load_n(object_, __ATOMIC_ACQUIRE)
#define accel_store_relaxed(object_, value_) __atomic_store_n(object_, value_, __ATOMIC_RELAXED)
#define accel_store_release(object_, value_) __atomic_store_n(object_, value_, __ATOMIC_RELEASE)
#define accel_add_relaxed(object_, value_) __atomic_fetch_add(object_, value_, __ATOMIC_RELAXED)
#define accel_add_acq_rel(object_, value_) __atomic_fetch_add(object_, value_, __ATOMIC_ACQ_REL)
#define accel_sub_acq_rel(object_, value_) __atomic_fetch_sub(object_, value_, __ATOMIC_ACQ_REL)
#define accel_exchange_acquire(object_, value_) \
  __atomic_exchange_n(object_, value_, __ATOMIC_ACQUIRE)
#define accel_compare_exchange(object_, expected_, desired_) \
  __atomic_compare_exchange_n(object_, expected_, desired_, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* ---- what a hit does with single words and bytes ----
 *
 * One instruction of x86-64 each, where compilers make two or three of an atomic access. That
 * of accel_equals_* is a compiler barrier as well. */

#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && !ACCEL_IS_SANITIZED
/* accel_load_acquire(word_) == value_ */
ACCEL_INLINE bool accel_equals_acquire(const uint64_t *word_, uint64_t value_)
{
  bool is_equal_;
  __asm__ volatile("cmpq %2, %1" : "=@ccz"(is_equal_) : "m"(*word_), "r"(value_) : "memory");
  return is_equal_;
}

/* accel_load_relaxed(word_) == value_ */
ACCEL_INLINE bool accel_equals_relaxed(const uint64_t *word_, uint64_t value_)
{
  return accel_equals_acquire(word_, value_);
}

/* (accel_load_relaxed(byte_) & bits_) != 0, for constant bits. */
ACCEL_INLINE bool accel_has_bits_relaxed(const uint8_t *byte_, uint8_t bits_)
{
  bool has_;
  __asm__ volatile("testb %2, %1" : "=@ccnz"(has_) : "m"(*byte_), "iq"(bits_));
  return has_;
}

/* Adds 1 to a word that only this thread writes; others may read it: relaxed. */
ACCEL_INLINE void accel_count_own(uint64_t *word_)
{
  __asm__ volatile("addq $1, %0" : "+m"(*word_) : : "cc");
}
#else
ACCEL_INLINE bool accel_equals_acquire(const uint64_t *word_, uint64_t value_)
{
  return accel_load_acquire(word_) == value_;
}

ACCEL_INLINE bool accel_equals_relaxed(const uint64_t *word_, uint64_t value_)
{
  return accel_load_relaxed(word_) == value_;
}

ACCEL_INLINE bool accel_has_bits_relaxed(const uint8_t *byte_, uint8_t bits_)
{
  return (accel_load_relaxed(byte_) & bits_) != 0;
}

ACCEL_INLINE void accel_count_own(uint64_t *word_)
{
  accel_store_relaxed(word_, *word_ + 1);
}
#endif

#endif

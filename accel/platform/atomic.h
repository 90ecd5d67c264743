/* atomic.h: the few atomic operations accel uses (layer 0).
 *
 * Thin names over the compilers' __atomic builtins, because _Atomic is not C++, and a few made by
 * hand. The suffix is the memory order; an operation that has none here is not needed anywhere.
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

/* Operations with a word in memory, one instruction of x86-64 where compilers make two of an atomic
 * load. The comparisons are compiler barriers there. */
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

/* value_ * accel_load_relaxed(word_) */
ACCEL_INLINE uint64_t accel_times_relaxed(const uint64_t *word_, uint64_t value_)
{
  __asm__ volatile("imulq %1, %0" : "+r"(value_) : "m"(*word_) : "cc");
  return value_;
}

/* The lowest bit of accel_load_relaxed(byte_) */
ACCEL_INLINE bool accel_is_odd_relaxed(const uint8_t *byte_)
{
  bool is_even_;
  __asm__ volatile("testb $1, %1" : "=@ccz"(is_even_) : "m"(*byte_));
  return !is_even_;
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

ACCEL_INLINE uint64_t accel_times_relaxed(const uint64_t *word_, uint64_t value_)
{
  return value_ * accel_load_relaxed(word_);
}

ACCEL_INLINE bool accel_is_odd_relaxed(const uint8_t *byte_)
{
  return (accel_load_relaxed(byte_) & 1u) != 0;
}
#endif

#endif

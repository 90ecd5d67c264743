/* policy_simd.h: the bytes of two sets, many at a time: for the policies' .c files only.
 *
 * A policy looks at up to 32 entries whenever it has to give one up. So it treats their bytes as
 * lanes of 64-bit words, or of vectors where the processor has them: what is done to one entry is
 * done to all, without a loop. Hits change the bytes meanwhile, without the mutex; one that is
 * overwritten here is lost, which costs a little accuracy and nothing else.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_SIMD_H
#define ACCEL_BACKENDS_FLAT_POLICY_SIMD_H

#include "policy.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The bytes of a set. Vectors of gcc and clang: without such registers it is two words. */
typedef uint64_t policy_word __attribute__((vector_size(16)));
typedef signed char policy_lanes __attribute__((vector_size(16)));

#define POLICY_PAIR_WORDS 2u
#define POLICY_PAIR_WAYS 32u
#define POLICY_NO_LANE 0xFFu

/* The same byte in every lane of a half of a set: of both where a vector meets it. */
#define POLICY_LANES(byte_) ((uint64_t)(byte_)*0x0101010101010101u)

/* The bytes of a view's two sets; way 0 of the second is number 16. */
typedef struct policy_pair {
  policy_word words[POLICY_PAIR_WORDS];
} policy_pair;

/* Lanes count from the low end of a word, as tags do; bytes from the low address. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define POLICY_IN_ORDER(word_) (word_)
#define POLICY_PLACE(number_) (number_)
#else
#define POLICY_IN_ORDER(word_) __builtin_bswap64(word_)
#define POLICY_PLACE(number_) ((number_) ^ 7u)
#endif

/* Hits change the bytes meanwhile: which of them a load sees does not matter, but it is one load,
 * whose result does not change. */
#if ACCEL_FLAT_HAS_PAIRS
static inline policy_word policy_load(const accel_flat_set *set)
{
  policy_word word;
  __asm__ volatile("movdqu {%1, %0|%0, %1}" : "=x"(word) : "m"(set->used));
  return word;
}

static inline void policy_store(accel_flat_set *set, policy_word word)
{
  __asm__("movdqu {%1, %0|%0, %1}" : "=m"(set->used) : "x"(word));
}
#else
static inline policy_word policy_load(const accel_flat_set *set)
{
  const accel_flat_word *halves = (const accel_flat_word *)(const void *)set->used;
  return (policy_word){POLICY_IN_ORDER(accel_load_relaxed(&halves[0])),
                       POLICY_IN_ORDER(accel_load_relaxed(&halves[1]))};
}

static inline void policy_store(accel_flat_set *set, policy_word word)
{
  accel_flat_word *halves = (accel_flat_word *)(void *)set->used;
  accel_store_relaxed(&halves[0], POLICY_IN_ORDER(word[0]));
  accel_store_relaxed(&halves[1], POLICY_IN_ORDER(word[1]));
}
#endif

static inline policy_pair policy_load_pair(const accel_flat_view *view)
{
  const policy_pair pair = {{policy_load(view->sets[0]), policy_load(view->sets[1])}};
  return pair;
}

static inline uint8_t policy_byte(const policy_pair *pair, unsigned number)
{
  return ((const uint8_t *)pair->words)[POLICY_PLACE(number)];
}

static inline void policy_set_byte(policy_pair *pair, unsigned number, uint8_t byte)
{
  ((uint8_t *)pair->words)[POLICY_PLACE(number)] = byte;
}

static inline bool policy_is_any(policy_word word)
{
  return (word[0] | word[1]) != 0;
}

/* The sum of the lanes, if it is below 256. */
static inline unsigned policy_sum(policy_word lanes)
{
  return (unsigned)((lanes[0] + lanes[1]) * 0x0101010101010101u >> 56);
}

/* Multiplies lanes of 0 and 1 by 2^bits - 1: vectors of words cannot be multiplied cheaply. */
static inline policy_word policy_widen(policy_word ones, unsigned bits)
{
  return (ones << bits) - ones;
}

/* Takes `by` away from each lane's field, down to 0. The field has `bits` bits, the lanes hold
 * nothing else, and its next bit is free. */
static inline policy_word policy_age(policy_word lanes, unsigned bits, unsigned by)
{
  const unsigned field = (1u << bits) - 1;
  const policy_word less =
      (lanes | POLICY_LANES(field + 1)) - POLICY_LANES(by < field ? by : field);
  return less & policy_widen(less >> bits & POLICY_LANES(1), bits);
}

/* All bits of the lanes whose top bit is set. */
static inline policy_word policy_spread(policy_word top_bits)
{
  return (policy_word)((policy_lanes)top_bits < 0);
}

/* All bits of the lanes that are not 0. */
static inline policy_word policy_spread_any(policy_word lanes)
{
  return (policy_word)((policy_lanes)lanes != 0);
}

/* All bits of the lanes that a mask of a set's ways names. */
static inline policy_word policy_name(unsigned ways)
{
  const policy_word masks = {POLICY_LANES(ways & 0xFF), POLICY_LANES(ways >> 8 & 0xFF)};
  return policy_spread_any(masks & (uint64_t)0x8040201008040201u);
}

/* The lanes of a view's ways that may go: all bits of theirs. */
static inline policy_pair policy_name_pair(unsigned first_ways, unsigned second_ways)
{
  policy_pair pair = {{{UINT64_MAX, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}}};
  if ((first_ways & second_ways) == 0xFFFFu) return pair;
  pair.words[0] = policy_name(first_ways);
  pair.words[1] = policy_name(second_ways);
  return pair;
}

#ifdef __SSE2__
static inline uint8_t policy_least(const policy_pair *pair)
{
  __m128i least = _mm_min_epu8((__m128i)pair->words[0], (__m128i)pair->words[1]);
  least = _mm_min_epu8(least, _mm_srli_si128(least, 8));
  least = _mm_min_epu8(least, _mm_srli_si128(least, 4));
  least = _mm_min_epu8(least, _mm_srli_si128(least, 2));
  least = _mm_min_epu8(least, _mm_srli_si128(least, 1));
  return (uint8_t)_mm_cvtsi128_si32(least);
}

/* A bit for each lane that is `byte`. */
static inline uint32_t policy_equal(const policy_pair *pair, uint8_t byte)
{
  const __m128i wanted = _mm_set1_epi8((char)byte);
  const int first = _mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)pair->words[0], wanted));
  const int second = _mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)pair->words[1], wanted));
  return (uint32_t)first | (uint32_t)second << 16;
}
#else
static inline uint8_t policy_least(const policy_pair *pair)
{
  uint8_t least = POLICY_NO_LANE;
  for (unsigned i = 0; i < POLICY_PAIR_WAYS; i++) {
    const uint8_t byte = policy_byte(pair, i);
    least = byte < least ? byte : least;
  }
  return least;
}

/* A bit for each lane that is `byte`. */
static inline uint32_t policy_equal(const policy_pair *pair, uint8_t byte)
{
  uint32_t numbers = 0;
  for (unsigned i = 0; i < POLICY_PAIR_WAYS; i++)
    numbers |= (uint32_t)(policy_byte(pair, i) == byte) << i;
  return numbers;
}
#endif

/* One of several numbers, another one each turn. */
static inline unsigned policy_take_turn(uint32_t numbers, unsigned turn)
{
  const unsigned shift = turn % 32;
  const uint32_t turned = numbers >> shift | numbers << (-shift % 32);
  return ((unsigned)__builtin_ctz(turned) + shift) % 32;
}

/* The number of a lane with the least byte, another one each turn. */
static inline unsigned policy_take_least(const policy_pair *pair, unsigned turn)
{
  return policy_take_turn(policy_equal(pair, policy_least(pair)), turn);
}

/* The same, or POLICY_PAIR_WAYS if all of them are POLICY_NO_LANE. */
static inline unsigned policy_find_least(const policy_pair *pair, unsigned turn)
{
  const uint8_t least = policy_least(pair);
  if (least == POLICY_NO_LANE) return POLICY_PAIR_WAYS;
  return policy_take_turn(policy_equal(pair, least), turn);
}

/* Where the entry with that number lies. */
static inline accel_flat_set *policy_set_of(const accel_flat_view *view, unsigned number)
{
  return view->sets[number / ACCEL_FLAT_WAYS];
}

static inline uint8_t policy_tag(const accel_flat_set *set, unsigned way)
{
  return (uint8_t)(set->tags[way / 8] >> (way % 8 * 8));
}

#endif

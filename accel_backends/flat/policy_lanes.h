/* policy_lanes.h: the bytes of two sets, many at a time: for the policies' .c files only.
 *
 * A policy looks at up to 32 entries whenever it has to give one up. So it treats their bytes as
 * lanes of 64-bit words, or of vectors where the processor has them: what is done to one entry is
 * done to all, without a loop. Hits change the bytes meanwhile, without the mutex; one that is
 * overwritten here is lost, which costs a little accuracy and nothing else.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_LANES_H
#define ACCEL_BACKENDS_FLAT_POLICY_LANES_H

#include "policy.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define POLICY_SET_WORDS 2u
#define POLICY_PAIR_WORDS 4u
#define POLICY_PAIR_WAYS 32u
#define POLICY_NO_LANE 0xFFu

/* The same byte in every lane. */
#define POLICY_LANES(byte_) ((uint64_t)(byte_)*0x0101010101010101u)

/* The bytes of a view's two sets; way 0 of the second is number 16. */
typedef struct policy_pair {
  uint64_t words[POLICY_PAIR_WORDS];
} policy_pair;

static inline uint64_t policy_load(const accel_flat_set *set, unsigned word)
{
  return accel_load_relaxed((const accel_flat_word *)(const void *)set->used + word);
}

static inline void policy_store(accel_flat_set *set, unsigned word, uint64_t value)
{
  accel_store_relaxed((accel_flat_word *)(void *)set->used + word, value);
}

static inline policy_pair policy_load_pair(const accel_policy_view *view)
{
  const accel_flat_set *first = accel_policy_set(view, view->first);
  const accel_flat_set *second = accel_policy_set(view, view->second);
  const policy_pair pair = {{policy_load(first, 0), policy_load(first, 1), policy_load(second, 0),
                             policy_load(second, 1)}};
  return pair;
}

static inline uint8_t policy_byte(const policy_pair *pair, unsigned number)
{
  return (uint8_t)(pair->words[number / 8] >> (number % 8 * 8));
}

/* The sum of the lanes, if it is below 256. */
static inline unsigned policy_sum(uint64_t lanes)
{
  return (unsigned)(lanes * 0x0101010101010101u >> 56);
}

/* Takes `by` away from each lane's field, down to 0. The field's bits are `field`, 2^n - 1, the
 * lanes hold nothing else, and its next bit is free. */
static inline uint64_t policy_sink(uint64_t lanes, unsigned field, unsigned by)
{
  const uint64_t guard = POLICY_LANES(field + 1);
  const uint64_t less = (lanes | guard) - POLICY_LANES(by < field ? by : field);
  const uint64_t is_left = (less & guard) / (field + 1);
  return less & is_left * field;
}

/* All bits of the lanes whose top bit is set. */
static inline uint64_t policy_spread(uint64_t top_bits)
{
  return (top_bits >> 7 & POLICY_LANES(1)) * 0xFFu;
}

/* All bits of the lanes that a mask of eight ways names. */
static inline uint64_t policy_name(unsigned ways)
{
  const uint64_t bits = POLICY_LANES(ways & 0xFF) & 0x8040201008040201u;
  return policy_spread((bits & POLICY_LANES(0x7F)) + POLICY_LANES(0x7F)) | policy_spread(bits);
}

/* The lanes of a view's ways that may go: all bits of theirs. */
static inline policy_pair policy_name_pair(unsigned first_ways, unsigned second_ways)
{
  policy_pair pair = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
  if ((first_ways & second_ways) == 0xFFFFu) return pair;
  pair.words[0] = policy_name(first_ways);
  pair.words[1] = policy_name(first_ways >> 8);
  pair.words[2] = policy_name(second_ways);
  pair.words[3] = policy_name(second_ways >> 8);
  return pair;
}

#ifdef __SSE2__
static inline __m128i policy_half(const policy_pair *pair, unsigned half)
{
  return _mm_set_epi64x((int64_t)pair->words[half * 2 + 1], (int64_t)pair->words[half * 2]);
}

static inline uint8_t policy_least(const policy_pair *pair)
{
  __m128i least = _mm_min_epu8(policy_half(pair, 0), policy_half(pair, 1));
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
  const int first = _mm_movemask_epi8(_mm_cmpeq_epi8(policy_half(pair, 0), wanted));
  const int second = _mm_movemask_epi8(_mm_cmpeq_epi8(policy_half(pair, 1), wanted));
  return (uint32_t)first | (uint32_t)second << 16;
}
#else
static inline uint8_t policy_least(const policy_pair *pair)
{
  uint8_t bytes[POLICY_PAIR_WAYS];
  memcpy(bytes, pair->words, sizeof bytes);
  uint8_t least = POLICY_NO_LANE;
  for (unsigned i = 0; i < POLICY_PAIR_WAYS; i++) least = bytes[i] < least ? bytes[i] : least;
  return least;
}

/* A bit for each lane that is `byte`. */
static inline uint32_t policy_equal(const policy_pair *pair, uint8_t byte)
{
  uint32_t numbers = 0;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const uint64_t unlike = pair->words[i] ^ POLICY_LANES(byte);
    const uint64_t low = POLICY_LANES(0x7F);
    const uint64_t is_zero = ~(((unlike & low) + low) | unlike | low) >> 7;
    numbers |= (uint32_t)(is_zero * 0x0102040810204080u >> 56) << i * 8;
  }
  return numbers;
}
#endif

/* One of several numbers, another one each turn. */
static inline unsigned policy_take_turn(uint32_t numbers, unsigned turn)
{
  const unsigned shift = turn % 32;
  const uint32_t turned = shift == 0 ? numbers : numbers >> shift | numbers << (32 - shift);
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

/* The entry with that number is the one to go. */
static inline void policy_choose_number(const accel_policy_view *view, unsigned number,
                                        accel_policy_choice *choice)
{
  choice->set = number < ACCEL_FLAT_WAYS ? view->first : view->second;
  choice->way = number % ACCEL_FLAT_WAYS;
}

static inline accel_flat_set *policy_set_of(const accel_policy_view *view, unsigned number)
{
  return accel_policy_set(view, number < ACCEL_FLAT_WAYS ? view->first : view->second);
}

static inline uint8_t policy_tag(const accel_flat_set *set, unsigned way)
{
  return (uint8_t)(set->tags[way / 8] >> (way % 8 * 8));
}

#endif

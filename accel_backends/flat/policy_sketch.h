/* policy_sketch.h: how often keys were requested, resident or not: for the policies' .c files only.
 *
 * A count-min sketch (Cormode, Muthukrishnan, 2005) of four-bit counters: a key has two of them in
 * one word, and the lesser is what is said of it, perhaps too much, never too little. (Three in a
 * cache line err less by 0.01 points of the mean regret in docs/eviction.md, and made an insert a
 * tenth slower.) All counters are halved from time to time, as in Einziger, Friedman, Manes,
 * "TinyLFU" (2017). Each stripe has a sketch of its own, under its mutex.
 *
 * Hits are not counted here: an entry carries its own count. When the entry is evicted, its count
 * is pending, and the next miss adds it to the sketch.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_SKETCH_H
#define ACCEL_BACKENDS_FLAT_POLICY_SKETCH_H

#include "policy.h"

#define POLICY_SKETCH_MAX 15u
#define POLICY_SKETCH_SET_BYTES 24u   /* 48 counters for 16 entries */
#define POLICY_SKETCH_MIN_BYTES 5120u /* of a table: small ones need more per entry */
#define POLICY_SKETCH_LINE_WORDS (ACCEL_CACHE_LINE / 8u)

typedef struct policy_sketch {
  uint64_t *words;
  uint32_t word_count;
  uint32_t pending_count; /* of an evicted entry, not in the words yet; 0: none */
  uint64_t pending_key;
} policy_sketch;

/* The lines of a stripe's sketch. */
static inline uint64_t policy_sketch_lines(uint64_t stripe_sets, uint64_t stripe_count)
{
  const uint64_t wanted = stripe_sets * POLICY_SKETCH_SET_BYTES;
  const uint64_t least = POLICY_SKETCH_MIN_BYTES / stripe_count;
  return ((wanted > least ? wanted : least) + ACCEL_CACHE_LINE - 1) / ACCEL_CACHE_LINE;
}

/* Where a key is counted: a word, and a counter in either half of it. */
typedef struct policy_sketch_place {
  uint64_t *word;
  unsigned low, high; /* how far the counters are shifted */
} policy_sketch_place;

static inline policy_sketch_place policy_sketch_find(const policy_sketch *sketch, uint64_t mixed)
{
  const uint64_t spread = mixed * 0x9E3779B97F4A7C15u;
  policy_sketch_place place;
  place.word = sketch->words + accel_flat_scale(spread >> 32, sketch->word_count);
  place.low = (unsigned)spread & 28;
  place.high = ((unsigned)(spread >> 5) & 28) + 32;
  return place;
}

static inline void policy_sketch_prefetch(const policy_sketch *sketch, uint64_t mixed)
{
  __builtin_prefetch(policy_sketch_find(sketch, mixed).word, 1);
}

static inline uint64_t policy_sketch_count(uint64_t word, unsigned shift)
{
  return word >> shift & POLICY_SKETCH_MAX;
}

/* From now on the key has at least that count, 15 at most. */
static inline void policy_sketch_raise(const policy_sketch *sketch, uint64_t mixed, unsigned count)
{
  const policy_sketch_place place = policy_sketch_find(sketch, mixed);
  const uint64_t word = *place.word;
  const uint64_t low = policy_sketch_count(word, place.low);
  const uint64_t high = policy_sketch_count(word, place.high);
  const uint64_t wanted = count < POLICY_SKETCH_MAX ? count : POLICY_SKETCH_MAX;
  *place.word = word + ((low < wanted ? wanted - low : 0) << place.low) +
                ((high < wanted ? wanted - high : 0) << place.high);
}

static inline void policy_sketch_apply_pending(policy_sketch *sketch)
{
  if (sketch->pending_count != 0)
    policy_sketch_raise(sketch, sketch->pending_key, sketch->pending_count);
  sketch->pending_count = 0;
}

/* Raises the key's count at the next call, or at apply_pending: its word comes from memory until
 * then. */
static inline void policy_sketch_defer(policy_sketch *sketch, uint64_t mixed, unsigned count)
{
  policy_sketch_apply_pending(sketch);
  sketch->pending_count = count;
  sketch->pending_key = mixed;
  policy_sketch_prefetch(sketch, mixed);
}

/* Counts one more request for the key. Returns its count. */
static inline unsigned policy_sketch_add(const policy_sketch *sketch, uint64_t mixed)
{
  const policy_sketch_place place = policy_sketch_find(sketch, mixed);
  const uint64_t word = *place.word;
  const uint64_t low = policy_sketch_count(word, place.low);
  const uint64_t high = policy_sketch_count(word, place.high);
  const uint64_t least = low < high ? low : high;
  if (least == POLICY_SKETCH_MAX) return POLICY_SKETCH_MAX;
  *place.word =
      word + ((uint64_t)(low == least) << place.low) + ((uint64_t)(high == least) << place.high);
  return (unsigned)least + 1;
}

static inline void policy_sketch_halve(const policy_sketch *sketch)
{
  for (uint64_t i = 0; i < sketch->word_count; i++)
    sketch->words[i] = sketch->words[i] >> 1 & 0x7777777777777777u;
}

#endif

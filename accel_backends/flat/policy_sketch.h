/* policy_sketch.h: how often keys were asked for, those that are not resident included: for the
 * policies' .c files only.
 *
 * A count-min sketch (Cormode, Muthukrishnan, 2005) of four-bit counters: a key has three of them
 * in one cache line, and the least is what is said of it, perhaps too much, never too little. All
 * counters are halved from time to time, as in Einziger, Friedman, Manes, "TinyLFU" (2017). Each
 * stripe has a sketch of its own, under its mutex.
 *
 * Hits are not counted here: an entry carries its own count, which gets back into the sketch when
 * the entry goes.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_SKETCH_H
#define ACCEL_BACKENDS_FLAT_POLICY_SKETCH_H

#include "policy.h"

#define POLICY_SKETCH_MAX 15u
#define POLICY_SKETCH_SET_BYTES 24u   /* three counters per entry */
#define POLICY_SKETCH_MIN_BYTES 8192u /* of a table: small ones need more per entry */
#define POLICY_SKETCH_LINE_WORDS (ACCEL_CACHE_LINE / 8u)

typedef struct policy_sketch {
  uint64_t *words;
  uint64_t line_count;
} policy_sketch;

/* The lines of a stripe's sketch. */
static inline uint64_t policy_sketch_lines(uint64_t stripe_sets, uint64_t stripe_count)
{
  const uint64_t wanted = stripe_sets * POLICY_SKETCH_SET_BYTES;
  const uint64_t least = POLICY_SKETCH_MIN_BYTES / stripe_count;
  return ((wanted > least ? wanted : least) + ACCEL_CACHE_LINE - 1) / ACCEL_CACHE_LINE;
}

/* The line of a key; *places gets seven bits for each of its counters there. */
static inline uint64_t *policy_sketch_find(const policy_sketch *sketch, uint64_t mixed,
                                           uint64_t *places)
{
  const uint64_t spread = mixed * 0x9E3779B97F4A7C15u;
  *places = spread & UINT32_MAX;
  return sketch->words +
         accel_flat_scale(spread >> 32, sketch->line_count) * POLICY_SKETCH_LINE_WORDS;
}

static inline void policy_sketch_prefetch(const policy_sketch *sketch, uint64_t mixed)
{
  uint64_t places;
  __builtin_prefetch(policy_sketch_find(sketch, mixed, &places), 1);
}

/* Raises a counter of the line to `wanted`, if it is below. */
static inline void policy_sketch_lift(uint64_t *line, uint64_t place, uint64_t wanted)
{
  const unsigned shift = (unsigned)place % 16 * 4;
  uint64_t *word = &line[place / 16];
  const uint64_t count = *word >> shift & POLICY_SKETCH_MAX;
  if (count < wanted) *word += (wanted - count) << shift;
}

static inline uint64_t policy_sketch_place(uint64_t places, unsigned row)
{
  return places >> row * 7 & 0x7F;
}

/* From now on the key has at least that count, 15 at most. */
static inline void policy_sketch_raise(const policy_sketch *sketch, uint64_t mixed, unsigned count)
{
  uint64_t places;
  uint64_t *line = policy_sketch_find(sketch, mixed, &places);
  const uint64_t wanted = count < POLICY_SKETCH_MAX ? count : POLICY_SKETCH_MAX;
  policy_sketch_lift(line, policy_sketch_place(places, 0), wanted);
  policy_sketch_lift(line, policy_sketch_place(places, 1), wanted);
  policy_sketch_lift(line, policy_sketch_place(places, 2), wanted);
}

static inline uint64_t policy_sketch_count(const uint64_t *line, uint64_t place)
{
  return line[place / 16] >> place % 16 * 4 & POLICY_SKETCH_MAX;
}

/* Counts one more request for the key. Returns its count. */
static inline unsigned policy_sketch_add(const policy_sketch *sketch, uint64_t mixed)
{
  uint64_t places;
  uint64_t *line = policy_sketch_find(sketch, mixed, &places);
  const uint64_t first = policy_sketch_place(places, 0), second = policy_sketch_place(places, 1);
  const uint64_t third = policy_sketch_place(places, 2);
  uint64_t least = policy_sketch_count(line, first), other = policy_sketch_count(line, second);
  least = other < least ? other : least;
  other = policy_sketch_count(line, third);
  least = other < least ? other : least;
  if (least == POLICY_SKETCH_MAX) return POLICY_SKETCH_MAX;
  policy_sketch_lift(line, first, least + 1);
  policy_sketch_lift(line, second, least + 1);
  policy_sketch_lift(line, third, least + 1);
  return (unsigned)least + 1;
}

static inline void policy_sketch_halve(const policy_sketch *sketch)
{
  for (uint64_t i = 0; i < sketch->line_count * POLICY_SKETCH_LINE_WORDS; i++)
    sketch->words[i] = sketch->words[i] >> 1 & 0x7777777777777777u;
}

#endif

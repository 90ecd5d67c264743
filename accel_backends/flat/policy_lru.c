/* policy_lru.c: an entry's byte: bit 0, used since its set was last looked at; bits 1 to 7, its
 * recency counter, which ages from 127 down to 0. A set's policy[0] is the stripe's time when that
 * was last brought up. */
#include "policy_lru.h"

#include "policy_simd.h"

#define POLICY_LRU_RECENCY 0x7Fu
#define POLICY_LRU_RECENCY_WIDTH 7u
#define POLICY_LRU_TICKS 64u /* of a stripe's time, in a turnover */

typedef struct policy_lru_stripe {
  uint64_t misses;
  uint8_t time;
} __attribute__((aligned(ACCEL_CACHE_LINE))) policy_lru_stripe;

static policy_lru_stripe *policy_lru_stripe_of(const accel_flat_view *view)
{
  return (policy_lru_stripe *)view->table->policy_side + view->stripe_index;
}

size_t accel_policy_lru_side_size(size_t capacity, size_t set_count, size_t stripe_count)
{
  (void)capacity;
  (void)set_count;
  return stripe_count * sizeof(policy_lru_stripe);
}

static void policy_lru_refresh(accel_flat_set *set, uint8_t time)
{
  const uint8_t ticks = (uint8_t)(time - set->policy[0]);
  set->policy[0] = time;
  const policy_word word = policy_load(set);
  const policy_word is_used = word & POLICY_LANES(1);
  if (ticks == 0 && !policy_is_any(is_used)) return;
  const policy_word recencies =
      policy_age(word >> 1 & POLICY_LANES(POLICY_LRU_RECENCY), POLICY_LRU_RECENCY_WIDTH, ticks);
  policy_store(set, (recencies | policy_widen(is_used, POLICY_LRU_RECENCY_WIDTH)) << 1);
}

void accel_policy_lru_missed(const accel_flat_view *view)
{
  policy_lru_stripe *stripe = policy_lru_stripe_of(view);
  const uint64_t slots = view->table->stripe_sets * ACCEL_FLAT_WAYS;
  stripe->misses++;
  stripe->time = (uint8_t)(stripe->misses * POLICY_LRU_TICKS / slots);
  policy_lru_refresh(view->sets[0], stripe->time);
  policy_lru_refresh(view->sets[1], stripe->time);
}

unsigned accel_policy_lru_choose(const accel_flat_view *view, unsigned first_ways,
                                 unsigned second_ways)
{
  policy_pair recencies = policy_load_pair(view);
  const policy_pair may_go = policy_name_pair(first_ways, second_ways);
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    recencies.words[i] = (recencies.words[i] & POLICY_LANES(0xFE)) | ~may_go.words[i];
  const unsigned turn = (unsigned)policy_lru_stripe_of(view)->misses;
  return policy_take_least(&recencies, turn);
}

void accel_policy_lru_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way)
{
  (void)view;
  accel_store_relaxed(&set->used[way], (uint8_t)(POLICY_LRU_RECENCY << 1));
}

unsigned accel_policy_lru_rank(const accel_flat_set *set, unsigned way)
{
  const unsigned used = accel_load_relaxed(&set->used[way]);
  return (used & 1) != 0 ? ACCEL_POLICY_RANKS - 1 : used >> 6;
}

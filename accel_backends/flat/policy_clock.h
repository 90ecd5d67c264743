/* policy_clock.h: the least used goes, as far as a few bits can tell (layer 2).
 *
 * Each set has a hand that goes round, takes one use from each entry that it passes and stops at
 * the first that has none left (the clock algorithm with a counter, as in Corbato, "A paging
 * experiment with the Multics system", 1968). New entries stay for one round, hit ones for up to
 * four. Of the two sets the fuller one gives something up, so that both stay equally full.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_CLOCK_H
#define ACCEL_BACKENDS_FLAT_POLICY_CLOCK_H

#include "policy.h"

#define ACCEL_POLICY_CLOCK_MAX 3u

ACCEL_EXTERN_C_BEGIN

unsigned accel_policy_clock_choose(const accel_flat_view *view, unsigned first_ways,
                                   unsigned second_ways);
void accel_policy_clock_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way);
unsigned accel_policy_clock_rank(const accel_flat_set *set, unsigned way);

ACCEL_INLINE void accel_policy_clock_hit(accel_flat_set *set_, size_t way_)
{
  const uint8_t used_ = accel_load_relaxed(&set_->used[way_]);
  if (used_ < ACCEL_POLICY_CLOCK_MAX) accel_store_relaxed(&set_->used[way_], (uint8_t)(used_ + 1));
}

static const accel_policy accel_policy_clock ACCEL_UNUSED = {
    .name = "clock",
    .hit = accel_policy_clock_hit,
    .choose = accel_policy_clock_choose,
    .inserted = accel_policy_clock_inserted,
    .rank = accel_policy_clock_rank,
};

ACCEL_EXTERN_C_END
#endif

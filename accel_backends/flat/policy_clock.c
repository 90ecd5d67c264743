#include "policy_clock.h"

#include "policy.h"

/* policy[0] is the hand. */
unsigned accel_policy_clock_choose(const accel_flat_view *view, unsigned first_ways,
                                   unsigned second_ways)
{
  const bool is_first = __builtin_popcount(first_ways) >= __builtin_popcount(second_ways);
  const unsigned ways = is_first ? first_ways : second_ways;
  accel_flat_set *set = view->sets[is_first ? 0 : 1];
  for (;;) {
    const unsigned way = set->policy[0];
    set->policy[0] = (uint8_t)((way + 1) % ACCEL_FLAT_WAYS);
    if ((ways >> way & 1) == 0) continue;
    const uint8_t used = accel_load_relaxed(&set->used[way]);
    if (used == 0) return is_first ? way : ACCEL_FLAT_WAYS + way;
    accel_store_relaxed(&set->used[way], (uint8_t)(used - 1));
  }
}

void accel_policy_clock_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way)
{
  (void)view;
  accel_store_relaxed(&set->used[way], (uint8_t)0);
}

unsigned accel_policy_clock_rank(const accel_flat_set *set, unsigned way)
{
  return accel_load_relaxed(&set->used[way]);
}

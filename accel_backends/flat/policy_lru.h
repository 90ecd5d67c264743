/* policy_lru.h: the entry that has not been used for the longest time goes (layer 2).
 *
 * The order is as fine as seven bits allow: an entry's byte tells how many sixty-fourths of a
 * turnover of its stripe ago it was used, up to two turnovers. Good where what was used lately is
 * what will be used next, and helpless against loops and scans.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_LRU_H
#define ACCEL_BACKENDS_FLAT_POLICY_LRU_H

#include "policy.h"

ACCEL_EXTERN_C_BEGIN

size_t accel_policy_lru_side_size(size_t capacity, size_t set_count, size_t stripe_count);
void accel_policy_lru_missed(const accel_flat_view *view);
unsigned accel_policy_lru_choose(const accel_flat_view *view, unsigned first_ways,
                                 unsigned second_ways);
void accel_policy_lru_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way);
unsigned accel_policy_lru_rank(const accel_flat_set *set, unsigned way);

static const accel_policy accel_policy_lru ACCEL_UNUSED = {
    .name = "lru",
    .side_size = accel_policy_lru_side_size,
    .hit = accel_policy_mark_hit,
    .missed = accel_policy_lru_missed,
    .choose = accel_policy_lru_choose,
    .inserted = accel_policy_lru_inserted,
    .rank = accel_policy_lru_rank,
};

ACCEL_EXTERN_C_END
#endif

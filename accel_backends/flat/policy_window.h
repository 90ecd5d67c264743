/* policy_window.h: new entries wait in a window; those requested more often stay (layer 2).
 *
 * What accel_policy_tinylfu and accel_policy_adaptive share; docs/eviction.md tells the whole
 * story with pictures. Every entry is in the window, where new ones start, or in the main part.
 * When there is no room, the window's oldest entry meets the least used one of the main part: if
 * it was requested clearly more often, it takes that one's place, else it is evicted itself. A
 * sketch remembers how often keys were requested that are not resident.
 *
 * The idea is W-TinyLFU's (Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission
 * policy", ACM Transactions on Storage 2017). What differs:
 *  - oldest and least used are looked for among the 32 entries of a key's two sets only (Adas,
 *    Einziger, Friedman, "Limited associativity makes concurrent software caches a breeze");
 *  - a hit sets one bit, once; misses turn the bits of the sets that they visit into counts;
 *  - the window is a share of a stripe, not of a set; and in the adaptive policy it moves.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_WINDOW_H
#define ACCEL_BACKENDS_FLAT_POLICY_WINDOW_H

#include "policy.h"

ACCEL_EXTERN_C_BEGIN

size_t accel_policy_window_side_size(size_t capacity, size_t set_count, size_t stripe_count);
unsigned accel_policy_window_choose(const accel_flat_view *view, unsigned first_ways,
                                    unsigned second_ways);
void accel_policy_window_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way);
unsigned accel_policy_window_rank(const accel_flat_set *set, unsigned way);
void accel_policy_tinylfu_missed(const accel_flat_view *view);
void accel_policy_adaptive_missed(const accel_flat_view *view);
unsigned accel_policy_adaptive_replace(const accel_flat_view *view, unsigned first_ways,
                                       unsigned second_ways);

ACCEL_EXTERN_C_END
#endif

/* policy_adaptive.h: admission by frequency, with a window that finds its size (layer 2).
 *
 * The default. policy_window.h says how it works, policy_window.c and docs/eviction.md what moves
 * the window. */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_ADAPTIVE_H
#define ACCEL_BACKENDS_FLAT_POLICY_ADAPTIVE_H

#include "policy_window.h"

ACCEL_EXTERN_C_BEGIN

static const accel_policy accel_policy_adaptive ACCEL_UNUSED = {
    .name = "adaptive",
    .side_size = accel_policy_window_side_size,
    .hit = accel_policy_mark_hit,
    .missed = accel_policy_adaptive_missed,
    .choose = accel_policy_window_choose,
    .replace = accel_policy_adaptive_replace,
    .inserted = accel_policy_window_inserted,
    .rank = accel_policy_window_rank,
};

ACCEL_EXTERN_C_END

#endif

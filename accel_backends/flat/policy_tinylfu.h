/* policy_tinylfu.h: admission by frequency, with a window of a tenth (layer 2).
 *
 * policy_window.h says how it works. Good against loops and scans; where recency is all that counts
 * it loses. */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_TINYLFU_H
#define ACCEL_BACKENDS_FLAT_POLICY_TINYLFU_H

#include "policy_window.h"

ACCEL_EXTERN_C_BEGIN

static const accel_policy accel_policy_tinylfu ACCEL_UNUSED = {
    .name = "tinylfu",
    .side_size = accel_policy_window_side_size,
    .hit = accel_policy_mark_hit,
    .missed = accel_policy_tinylfu_missed,
    .choose = accel_policy_window_choose,
    .inserted = accel_policy_window_inserted,
    .rank = accel_policy_window_rank,
};

ACCEL_EXTERN_C_END

#endif

/* overlap.h: whether writes to L2 overlapped (layer 3).
 *
 * Counts, per stripe of keys, the writes that are on their way to L2: a set may fill L1 only if it
 * was alone from its first step to its last. Threads: any, all functions.
 */
#ifndef ACCEL_OVERLAP_H
#define ACCEL_OVERLAP_H

#include "base.h"

#define ACCEL_OVERLAP_STRIPES 1024

/* All zero: no write is on its way. */
typedef struct accel_overlap {
  uint32_t writes[ACCEL_OVERLAP_STRIPES]; /* atomic */
} accel_overlap;

ACCEL_EXTERN_C_BEGIN

/* A write of this hash begins: true if no other is on its way in its stripe. It must end in any
 * case. The keys of one batch do not disturb each other: `own_or_null` counts them by stripe, all
 * zero before the first. */
bool accel_overlap_begin(accel_overlap *overlap, uint64_t hash, uint32_t *own_or_null);
void accel_overlap_end(accel_overlap *overlap, uint64_t hash);

ACCEL_EXTERN_C_END
#endif

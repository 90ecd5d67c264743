#include "overlap.h"

#include "hash.h"
#include "platform/atomic.h"

static size_t overlap_stripe(uint64_t hash)
{
  return accel_hash_mixed(hash) & (ACCEL_OVERLAP_STRIPES - 1);
}

bool accel_overlap_begin(accel_overlap *overlap, uint64_t hash, uint32_t *own_or_null)
{
  const size_t stripe = overlap_stripe(hash);
  const uint32_t own = own_or_null == NULL ? 0 : own_or_null[stripe]++;
  return accel_add_acq_rel(&overlap->writes[stripe], 1u) == own;
}

void accel_overlap_end(accel_overlap *overlap, uint64_t hash)
{
  accel_sub_acq_rel(&overlap->writes[overlap_stripe(hash)], 1u);
}

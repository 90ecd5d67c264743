/* policies.h: the policies there are, and which of them a cache has (layer 2). */
#ifndef ACCEL_BACKENDS_FLAT_POLICIES_H
#define ACCEL_BACKENDS_FLAT_POLICIES_H

#include "policy_adaptive.h"
#include "policy_clock.h"
#include "policy_lru.h"
#include "policy_s3fifo.h"
#include "policy_tinylfu.h"

#define ACCEL_POLICY_DEFAULT accel_policy_adaptive
#define ACCEL_POLICY_DEFAULT_HIT accel_policy_mark_hit

/* The one that a trait names, or the default. */
ACCEL_INLINE const accel_policy *accel_policy_of(const accel_type *type_)
{
  const accel_policy *policy_ = accel_type_policy(type_);
  return policy_ == NULL ? &ACCEL_POLICY_DEFAULT : policy_;
}

/* Marks an entry as used. The default's function is named, so that it is inlined early. */
ACCEL_INLINE void accel_policy_hit(const accel_type *type_, accel_flat_set *set_, size_t way_)
{
  const accel_policy *policy_ = accel_type_policy(type_);
  if (policy_ == NULL || policy_ == &ACCEL_POLICY_DEFAULT)
    ACCEL_POLICY_DEFAULT_HIT(set_, way_);
  else
    policy_->hit(set_, way_);
}

#endif

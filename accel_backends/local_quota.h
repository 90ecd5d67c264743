/* local_quota.h: the capacity and weight that an L1 engine uses (layer 2, for .c files).
 *
 * Two counters. An engine takes from them before an entry becomes visible, and gives back after it
 * is gone, so that neither limit is ever exceeded. Both are sums over all stripes: a quota per
 * stripe would refuse entries while other stripes have space. Threads: any.
 */
#ifndef ACCEL_BACKENDS_LOCAL_QUOTA_H
#define ACCEL_BACKENDS_LOCAL_QUOTA_H

#include "../accel/platform/atomic.h"

typedef struct accel_quota {
  size_t entries, weight;      /* atomic; in use */
  size_t capacity, max_weight; /* atomic; the limits, max_weight 0: none */
} accel_quota;

/* Changes one counter unless that would exceed `limit`. A negative change always fits. */
static inline bool accel_quota_add_(size_t *used_, ptrdiff_t change_, size_t limit_)
{
  size_t before_ = accel_load_relaxed(used_);
  size_t after_;
  do {
    after_ = before_ + (size_t)change_;
    if (change_ > 0 && (after_ > limit_ || after_ < before_)) return false;
  } while (!accel_compare_exchange(used_, &before_, after_));
  return true;
}

/* Takes both or neither. */
static inline bool accel_quota_take(accel_quota *quota_, ptrdiff_t entries_, ptrdiff_t weight_)
{
  const size_t capacity_ = accel_load_relaxed(&quota_->capacity);
  const size_t heaviest_ = quota_->max_weight == 0 ? SIZE_MAX : quota_->max_weight;
  if (entries_ != 0 && !accel_quota_add_(&quota_->entries, entries_, capacity_)) return false;
  if (weight_ == 0 || accel_quota_add_(&quota_->weight, weight_, heaviest_)) return true;
  if (entries_ != 0) accel_quota_add_(&quota_->entries, -entries_, capacity_);
  return false;
}

static inline void accel_quota_give(accel_quota *quota_, size_t entries_, size_t weight_)
{
  if (entries_ != 0) accel_sub_acq_rel(&quota_->entries, entries_);
  if (weight_ != 0) accel_sub_acq_rel(&quota_->weight, weight_);
}

#endif

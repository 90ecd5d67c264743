/* policy_s3fifo.h: three queues: a small one, the main one, and one of ghosts (layer 2).
 *
 * After Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction" (SOSP
 * 2023), among the 32 entries of a key's two sets. New entries start in the small queue, a tenth
 * of the stripe; an entry that was hit twice there moves on to the main one, which gives it one
 * more round for each of up to three hits. An entry that is evicted from the small queue leaves
 * its tag, a ghost; a key that comes back while its ghost is there goes to the main queue at once.
 */
#ifndef ACCEL_BACKENDS_FLAT_POLICY_S3FIFO_H
#define ACCEL_BACKENDS_FLAT_POLICY_S3FIFO_H

#include "policy.h"

#define ACCEL_POLICY_S3FIFO_HITS 3u

ACCEL_EXTERN_C_BEGIN

size_t accel_policy_s3fifo_side_size(size_t capacity, size_t set_count, size_t stripe_count);
void accel_policy_s3fifo_missed(const accel_flat_view *view);
unsigned accel_policy_s3fifo_choose(const accel_flat_view *view, unsigned first_ways,
                                    unsigned second_ways);
void accel_policy_s3fifo_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way);
unsigned accel_policy_s3fifo_rank(const accel_flat_set *set, unsigned way);

ACCEL_INLINE void accel_policy_s3fifo_hit(accel_flat_set *set_, size_t way_)
{
  const uint8_t used_ = accel_load_relaxed(&set_->used[way_]);
  if ((used_ & ACCEL_POLICY_S3FIFO_HITS) == ACCEL_POLICY_S3FIFO_HITS) return;
  accel_store_relaxed(&set_->used[way_], (uint8_t)(used_ + 1));
}

static const accel_policy accel_policy_s3fifo ACCEL_UNUSED = {
    .name = "s3fifo",
    .side_size = accel_policy_s3fifo_side_size,
    .hit = accel_policy_s3fifo_hit,
    .missed = accel_policy_s3fifo_missed,
    .choose = accel_policy_s3fifo_choose,
    .inserted = accel_policy_s3fifo_inserted,
    .rank = accel_policy_s3fifo_rank,
};

ACCEL_EXTERN_C_END
#endif

#include "spin.h"

#include "../../../accel/platform/atomic.h"

#define REDIS_TRIAL_PAUSE 64u
#define REDIS_TRIAL_PAUSE_MAX_NS UINT64_C(10000000000)

bool accel_redis_trial_pauses(const redis_trial *trial, uint64_t now_ns)
{
  return now_ns < accel_load_relaxed(&trial->pause_until_ns);
}

void accel_redis_trial_note_success(redis_trial *trial)
{
  if (accel_load_relaxed(&trial->vain_ns) != 0) accel_store_relaxed(&trial->vain_ns, UINT64_C(0));
}

void accel_redis_trial_note_vain(redis_trial *trial, uint64_t now_ns, uint64_t took_ns,
                                 uint64_t limit_ns)
{
  const uint64_t vain_ns = accel_load_relaxed(&trial->vain_ns) + took_ns;
  const bool pauses = vain_ns >= limit_ns;
  accel_store_relaxed(&trial->vain_ns, pauses ? UINT64_C(0) : vain_ns);
  if (!pauses) return;
  const bool is_long = vain_ns > REDIS_TRIAL_PAUSE_MAX_NS / REDIS_TRIAL_PAUSE;
  const uint64_t until_ns =
      now_ns + (is_long ? REDIS_TRIAL_PAUSE_MAX_NS : vain_ns * REDIS_TRIAL_PAUSE);
  if (until_ns > accel_load_relaxed(&trial->pause_until_ns))
    accel_store_relaxed(&trial->pause_until_ns, until_ns);
}

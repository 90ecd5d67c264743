/* trial.h: of something that may be in vain, whether to go on with it (backend redis).
 *
 * What it costs is lost time, and after some of that there is a pause many times as long, so that
 * it stays a small share. Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SPIN_H
#define ACCEL_BACKENDS_REDIS_SPIN_H

#include "../../../accel/base.h"

/* Atomic. */
typedef struct redis_trial {
  uint64_t vain_ns; /* lost since it was last of use */
  uint64_t pause_until_ns;
} redis_trial;

ACCEL_EXTERN_C_BEGIN

bool accel_redis_trial_pauses(const redis_trial *trial, uint64_t now_ns);
void accel_redis_trial_note_success(redis_trial *trial);
/* It took so long for nothing. From `limit_ns` in all on there is a pause, so many times as long.
 * */
void accel_redis_trial_note_vain(redis_trial *trial, uint64_t now_ns, uint64_t took_ns,
                                 uint64_t limit_ns);

ACCEL_EXTERN_C_END
#endif

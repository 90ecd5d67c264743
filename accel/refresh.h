/* refresh.h: refresh-ahead, soft limits and the stale throttle (layer 3).
 *
 * Decisions only: what to do for a read, given the times of what it found. After a failed load
 * the key is throttled: for a while its stale value is served without asking the loader, and no
 * refresh is tried. The throttle is a small table, allocated at open, in which a later key may
 * displace an earlier one: that costs one load too many, never a wrong answer.
 *
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_REFRESH_H
#define ACCEL_REFRESH_H

#include "config.h"
#include "ttl.h"

typedef struct accel_throttle_entry {
  uint64_t hash;     /* atomic */
  uint64_t until_ms; /* atomic; on the cache's clock */
} accel_throttle_entry;

typedef struct accel_throttle {
  accel_throttle_entry *entries; /* ACCEL_THROTTLE_ENTRIES of them */
} accel_throttle;

#define ACCEL_THROTTLE_ENTRIES 1024

ACCEL_EXTERN_C_BEGIN

bool accel_throttle_open(accel_throttle *throttle);
void accel_throttle_close(accel_throttle *throttle);

/* The window to give to accel_ttl_lifetime: 0 when refresh-ahead is off. */
uint32_t accel_refresh_window(const accel_config *config);
/* Whether an entry is due for a refresh in the background: still fresh, but near its end. */
bool accel_refresh_is_due(const accel_lifetime *lifetime, uint64_t now_ms);

/* A load or refresh of this hash failed at `now_ms`. */
void accel_throttle_begin(accel_throttle *throttle, uint64_t hash, uint64_t now_ms,
                          uint32_t throttle_ms);
bool accel_throttle_holds(const accel_throttle *throttle, uint64_t hash, uint64_t now_ms);

/* How long a read waits for its load (accel_clock_monotonic_ms): the hard limit, or the soft one
 * if it has a stale value to go back to. */
uint64_t accel_refresh_wait_deadline(const accel_config *config, bool has_stale);

ACCEL_EXTERN_C_END
#endif

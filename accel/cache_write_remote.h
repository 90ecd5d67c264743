/* cache_write_remote.h: writes that go to L2, then to L1 (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_WRITE_REMOTE_H
#define ACCEL_CACHE_WRITE_REMOTE_H

#include "cache_keys.h"
#include "cache_write_local.h"

ACCEL_EXTERN_C_BEGIN

/* One key of a write that goes to L2. */
typedef struct core_write_key {
  core_key id;
  const void *value; /* NULL: a negative entry, or a del */
  accel_gate gate;
  uint32_t remote_ttl_ms;
  size_t item;         /* of the call; SIZE_MAX: nothing was sent for it */
  bool is_overwritten; /* by a later duplicate */
  bool was_alone;      /* no other write of its stripe was under way when this one began */
  accel_status status;
} core_write_key;

/* How many writes of one batch are under way, and how many are through, for each stripe. */
typedef struct core_write_stripes {
  uint32_t own[ACCEL_OVERLAP_STRIPES];
  uint32_t raised[ACCEL_LOCAL_STRIPES_MAX];
} core_write_stripes;

/* Writes `count` keys, whose ids and values are set. `stripes` is zeroed; NULL: there is one key.
 * OK, or the first failure in the order of the keys. */
accel_status accel_core_write_remote(accel_core *core, core_write_key *keys, size_t count,
                                     core_write_stripes *stripes, core_write_kind kind,
                                     const accel_write *write);

ACCEL_EXTERN_C_END
#endif

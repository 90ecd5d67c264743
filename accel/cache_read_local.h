/* cache_read_local.h: what a read finds in L1, fresh or stale (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_READ_LOCAL_H
#define ACCEL_CACHE_READ_LOCAL_H

#include "cache_core.h"
#include "cache_keys.h"

ACCEL_EXTERN_C_BEGIN

/* Fills the accel_info of an answer. */
void accel_core_fill_info(accel_info *info, accel_origin source, const accel_lifetime *lifetime,
                          uint64_t now_ms);
/* Copies an expired value, if L1 still has one. */
bool accel_core_read_stale(accel_core *core, const core_key *id, void *out, accel_info *info);
/* What L1 has: OK, NULL, NOMEM, or MISS; then *has_stale says whether an expired value could still
 * help. Nothing expired is copied out. */
accel_status accel_core_read_local(accel_core *core, const core_key *id, void *out,
                                   accel_info *info, bool *has_stale);

ACCEL_EXTERN_C_END
#endif

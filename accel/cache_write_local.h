/* cache_write_local.h: TTLs of writes, and writes of L1 alone (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_WRITE_LOCAL_H
#define ACCEL_CACHE_WRITE_LOCAL_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* What a write does to every key. */
typedef enum core_write_kind { CORE_WRITE_VALUE, CORE_WRITE_NULL, CORE_WRITE_DEL } core_write_kind;

/* The configured TTL of a value, or of a negative entry, with jitter. */
uint32_t accel_core_write_ttl(accel_core *core, core_write_kind kind, uint32_t value_ttl_ms);
/* The TTL of an entry in L2: what the call asks for, else the configured one. */
uint32_t accel_core_write_remote_ttl(accel_core *core, core_write_kind kind,
                                     const accel_write *write);
/* The TTL of an entry in L1: at most that in L2; without L2 what the call asks for, exactly. */
uint32_t accel_core_write_local_ttl(accel_core *core, core_write_kind kind,
                                    const accel_write *write, uint32_t remote_ttl_ms);
/* Writes L1 without L2: OK, CONFIG, NOMEM. */
accel_status accel_core_write_local(accel_core *core, const void *key, const void *value,
                                    const accel_write *write, core_write_kind kind);
/* Gives a failure of L1 its text, and returns it. */
accel_status accel_core_write_explain(const accel_core *core, accel_status status);

ACCEL_EXTERN_C_END
#endif

/* operations.h: what a cache asks of Redis: get, lease, fill, put, del, clear (backend redis).
 *
 * Each operation is split by server and connection (scatter.h), cut into blocks that fit its time
 * limit (blocks.h), and sent and judged by call.h. A file per operation decides which commands it
 * sends and what each reply means.
 *
 * May include wire/, server/ and routing/. May be called by channel/, which publishes heartbeats,
 * and by the files beside these directories.
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_OPERATIONS_H
#define ACCEL_BACKENDS_REDIS_OPERATIONS_H

#include "call.h"

ACCEL_EXTERN_C_BEGIN

/* backend.h has their contracts. */
accel_status accel_redis_get(void *link, accel_remote_item *items, size_t count,
                             accel_remote_call *call);
void accel_redis_release(void *link, accel_remote_call *call);
accel_status accel_redis_lease(void *link, accel_remote_item *items, size_t count,
                               uint32_t lease_ms, accel_remote_call *call);
accel_status accel_redis_fill(void *link, accel_remote_item *items, size_t count,
                              accel_remote_call *call);
accel_status accel_redis_put(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call);
accel_status accel_redis_del(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call);
ACCEL_COLD accel_status accel_redis_clear(void *link,
                                          const accel_remote_publisher *publisher_or_null,
                                          accel_remote_call *call);
/* The command that such a call usually sends, as backend.h says. */
const char *accel_redis_operation_command(void *link, accel_remote_operation operation,
                                          const accel_remote_item *items, size_t count,
                                          bool is_published);

ACCEL_EXTERN_C_END
#endif

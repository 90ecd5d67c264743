/* blocks.h: an operation on many items, a block at a time (backend redis).
 *
 * The time limit of a call is that of one round trip. A batch that cannot be sent, executed and
 * answered within it would fail as a whole, and delay everybody else on the connection. So a batch
 * is cut into blocks, one after another, each with the whole limit. The first block fits a link of
 * 5 Mbit/s. Blocks grow while they take a small part of the limit, and shrink when they do not. A
 * block that fails costs its own items.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_BLOCKS_H
#define ACCEL_BACKENDS_REDIS_BLOCKS_H

#include "scatter.h"

ACCEL_EXTERN_C_BEGIN

/* As accel_redis_scatter_run. Items that the caller's deadline leaves no time for are not sent, and
 * have the status TIMEOUT. */
accel_status accel_redis_blocks_run(redis_link *link, accel_remote_item *items, size_t count,
                                    accel_remote_call *call, const redis_operation *operation,
                                    void *single);

ACCEL_EXTERN_C_END
#endif

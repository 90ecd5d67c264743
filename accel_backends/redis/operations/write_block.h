/* write_block.h: a put or del on its way to one server, and its blocks (backend redis).
 *
 * A block is the items that one message names, with that message. For write.c and removal.c.
 *
 * Threads: one per redis_write; cut with the connection locked.
 */
#ifndef ACCEL_BACKENDS_REDIS_WRITE_BLOCK_H
#define ACCEL_BACKENDS_REDIS_WRITE_BLOCK_H

#include "scatter.h"

/* An item's status: the server has no room, and the item was not tried without MULTI yet. */
#define REDIS_WRITE_FULL ((accel_status)-998)

/* What all parts of an operation have in common. */
typedef struct redis_write_terms {
  redis_link *link;
  accel_remote_call *call;
  const accel_remote_publisher *publisher; /* NULL: no message */
  bool is_del;
  size_t named_max; /* items of one block: a cluster's are of one slot */
} redis_write_terms;

/* One part, between its commands and its replies. */
typedef struct redis_write {
  const redis_write_terms *terms;
  const redis_part *part;
  accel_remote_item **items; /* those that are sent */
  size_t count;
  accel_buffer commands; /* of all of them */
  accel_buffer messages; /* of all blocks */
  size_t *ends;          /* [i]: where the i-th item's command ends */
  size_t *blocks;        /* [i]: how many items the i-th message names */
  size_t *message_ends;  /* [i]: where the i-th message ends */
  size_t block_count, written;
  size_t asked; /* how many times ASKING was sent */
  bool is_full; /* an item has the status REDIS_WRITE_FULL */
  redis_exchange exchange;
} redis_write;

ACCEL_EXTERN_C_BEGIN

/* Makes the next message, which names as many of the remaining items as it can. False: no memory.
 */
bool accel_redis_write_block_cut(redis_write *write);
/* Appends PUBLISH of the block's message. False: no memory. */
bool accel_redis_write_block_append_publish(const redis_write *write, size_t block,
                                            accel_buffer *out);

ACCEL_EXTERN_C_END
#endif

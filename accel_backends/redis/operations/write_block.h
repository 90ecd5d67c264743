/* write_block.h: a put or del on its way to one server, and its blocks (backend redis).
 *
 * A block is the items that one message names, with that message. For write.c and removal.c.
 * Threads: one per redis_write; cut with the connection locked.
 */
#ifndef ACCEL_BACKENDS_REDIS_WRITE_BLOCK_H
#define ACCEL_BACKENDS_REDIS_WRITE_BLOCK_H

#include "scatter.h"

/* An item's status until it was tried without MULTI: the server has no room. */
#define REDIS_WRITE_FULL ((accel_status)-998)

/* What all parts of an operation have in common. */
typedef struct redis_write_terms {
  redis_link *link;
  accel_remote_call *call;
  const accel_remote_publisher *publisher; /* NULL: tells nobody */
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
  size_t asked; /* ASKING so often */
  bool is_full; /* an item has the status REDIS_WRITE_FULL */
  redis_exchange exchange;
} redis_write;

ACCEL_EXTERN_C_BEGIN

/* Has the next message made, which names as many of the items that are left as it can. False: no
 * memory. */
bool accel_redis_write_block_cut(redis_write *write);
/* Appends PUBLISH of the block's message. False: no memory. */
bool accel_redis_write_block_append_publish(const redis_write *write, size_t block,
                                            accel_buffer *out);

ACCEL_EXTERN_C_END
#endif

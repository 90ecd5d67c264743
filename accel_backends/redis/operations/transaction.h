/* transaction.h: a put or del on its way to one server, and its transactions (backend redis).
 *
 * A transaction changes the items that one message names, and publishes that message. For write.c
 * and removal.c.
 *
 * Threads: one per redis_write; cut with the connection locked.
 */
#ifndef ACCEL_BACKENDS_REDIS_TRANSACTION_H
#define ACCEL_BACKENDS_REDIS_TRANSACTION_H

#include "scatter.h"

/* The status of an item that is to be removed without a transaction, because the server has no
 * room, its writes are paused, or it lacks transactions. */
#define REDIS_WRITE_TO_REMOVE ((accel_status)-998)

/* What all parts of an operation have in common. */
typedef struct redis_write_terms {
  redis_link *link;
  accel_remote_call *call;
  const accel_remote_publisher *publisher; /* NULL: no message */
  bool is_del;
  size_t named_max; /* items of one message: a cluster's are of one slot */
} redis_write_terms;

/* One part, between its commands and its replies. */
typedef struct redis_write {
  const redis_write_terms *terms;
  const redis_part *part;
  accel_remote_item **items; /* those that are sent */
  size_t count;
  accel_buffer commands; /* of all of them */
  accel_buffer messages; /* all of them */
  size_t *ends;          /* [i]: where the i-th item's command ends */
  size_t *named;         /* [i]: how many items the i-th message names */
  size_t *message_ends;  /* [i]: where the i-th message ends */
  size_t message_count, written;
  size_t asked;      /* how many times ASKING was sent */
  bool has_removals; /* an item has the status REDIS_WRITE_TO_REMOVE */
  redis_exchange exchange;
} redis_write;

ACCEL_EXTERN_C_BEGIN

/* Makes the next message, which names as many of the remaining items as it can. False: no memory.
 */
bool accel_redis_transaction_cut(redis_write *write);
/* Appends PUBLISH of the message. False: no memory. */
bool accel_redis_transaction_append_publish(const redis_write *write, size_t message,
                                            accel_buffer *out);

ACCEL_EXTERN_C_END
#endif

/* scatter.h: spreads an operation over the servers that have its items (backend redis).
 *
 * An operation is split into parts, each for one connection. The commands of all parts are sent
 * before the first reply is waited for, so a batch costs one round trip however many servers it
 * concerns.
 *
 * Some replies send an item into another round: its slot moved (MOVED) or is moving (ASK,
 * TRYAGAIN), the server does not know the script (NOSCRIPT) or UNLINK, or the value turned out to
 * be large and is read on the other connection. Such items go together, within the same time
 * limit.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SCATTER_H
#define ACCEL_BACKENDS_REDIS_SCATTER_H

#include "call.h"

#define REDIS_SCATTER_ROUNDS_MAX 6  /* the first, and five more that each know better */
#define REDIS_SCATTER_SURE_ROUNDS 3 /* then servers disagree, and get a moment to agree */

/* An item's status before its first round and between two. Below the library's, above users'. */
#define REDIS_ITEM_AGAIN ((accel_status)-999)

/* An item's hint: flags, and above them the number of the endpoint to ask. */
enum {
  REDIS_HINT_SCRIPT = 1,      /* send EVAL with the script, not EVALSHA */
  REDIS_HINT_DEL = 2,         /* send DEL in place of UNLINK */
  REDIS_HINT_ASK = 4,         /* send ASKING first */
  REDIS_HINT_WHOLE = 8,       /* the value is large: read all of it on the other connection */
  REDIS_HINT_LATER = 16,      /* the server replied TRYAGAIN: wait a moment first */
  REDIS_HINT_NO_MULTI = 32,   /* fill: without MULTI, which a full server refuses */
  REDIS_HINT_GET = 64,        /* read all of it by GET, whatever its size */
  REDIS_HINT_OVERSIZED = 128, /* it was larger than max_value_bytes: is it still? */
  REDIS_HINT_SHIFT = 8
};

/* Why items go another round: the last reason that any of them had. */
typedef struct redis_again {
  const accel_remote_item *item;
  redis_endpoint *endpoint; /* whose server replied */
  const char *why;          /* such as "replied MOVED"; a constant */
} redis_again;

/* The items that one lane serves, in the caller's order. */
typedef struct redis_part {
  redis_route *route;
  redis_endpoint *endpoint;
  redis_lane *lane_or_null; /* of the endpoint; NULL: none may serve them now */
  accel_remote_item **items;
  size_t count;
  redis_again *again; /* the operation's, for all parts */
} redis_part;

/* What is done with each part. A part has `state_size` bytes of the operation's own. */
typedef struct redis_operation {
  void *ctx;
  size_t state_size;
  redis_purpose purpose;
  /* Large values may use the other connection. Not where the server ignores changes made on one
   * connection only (tracking.h). */
  bool may_be_large;
  void (*begin)(void *ctx, void *state, const redis_part *part);
  /* Gives every item of the part its status; returns OK, or the failure of the whole part. */
  accel_status (*finish)(void *state);
} redis_operation;

ACCEL_EXTERN_C_BEGIN

/* Runs the operation until no item needs another round. `single` has room for one part's state. OK
 * if any part was OK, else the last part's failure; NOMEM. */
accel_status accel_redis_scatter_run(redis_link *link, accel_remote_item *items, size_t count,
                                     accel_remote_call *call, const redis_operation *operation,
                                     void *single);

/* The endpoint that serves the item. */
redis_endpoint *accel_redis_scatter_endpoint(redis_link *link, const accel_remote_item *item);

/* Bytes of its items' values that are large. */
size_t accel_redis_part_large_bytes(const redis_part *part);

/* True: the value is larger than max_value_bytes, or than the server takes; the item has the
 * status CODEC then, and the call its text. */
bool accel_redis_part_is_too_large(const redis_part *part, accel_remote_item *item,
                                   accel_remote_call *call);

/* Gives the item the status AGAIN, adds the hint, and notes why. */
void accel_redis_part_again(const redis_part *part, accel_remote_item *item, uint32_t hint,
                            const char *why);
/* Handles an error reply to an item's command: gives the item the status AGAIN with a hint, or
 * BACKEND and the call its text. */
void accel_redis_part_refused(const redis_part *part, accel_remote_item *item,
                              accel_remote_call *call, const redis_replies *replies, size_t i);

/* Appends ASKING if the item's hint says so; *replies grows by one then. False: no memory. */
bool accel_redis_part_append_asking(const accel_remote_item *item, accel_buffer *out,
                                    size_t *replies);
static inline size_t redis_part_skips(const accel_remote_item *item)
{
  return (item->hint & REDIS_HINT_ASK) != 0 ? 1 : 0;
}

ACCEL_EXTERN_C_END
#endif

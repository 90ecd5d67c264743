/* parts.h: an operation on items, spread over the servers that have them (backend redis).
 *
 * An operation is split into parts, each for one connection. All parts' commands are sent before
 * the first reply is waited for, so a batch costs one round trip however many servers it meets.
 *
 * A server may answer that an item is to be asked for once more: elsewhere, because its slot moved
 * (MOVED) or is moving (ASK, TRYAGAIN), with a script that the server does not know yet
 * (NOSCRIPT), or with DEL, where UNLINK is not known; a value that turned out to be large is asked
 * for on the other connection. Such items go another round, together, within the same time limit.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SCATTER_H
#define ACCEL_BACKENDS_REDIS_SCATTER_H

#include "call.h"

#define REDIS_SCATTER_ROUNDS_MAX 6  /* the first one, and five of which each knows better */
#define REDIS_SCATTER_SURE_ROUNDS 3 /* from then on servers disagree, and have a moment to agree */

/* An item's status before its first round and between two. Below the library's, above users'. */
#define REDIS_ITEM_AGAIN ((accel_status)-999)

/* An item's hint: flags, and above them the number of the endpoint that is to be asked. */
enum {
  REDIS_HINT_SCRIPT = 1,     /* send the script, not its name */
  REDIS_HINT_DEL = 2,        /* UNLINK was not known */
  REDIS_HINT_ASK = 4,        /* say ASKING before */
  REDIS_HINT_WHOLE = 8,      /* the value is large: all of it, on the other connection */
  REDIS_HINT_LATER = 16,     /* the server asks for patience */
  REDIS_HINT_PLAIN = 32,     /* without MULTI, which a full server refuses; read: by GET */
  REDIS_HINT_OVERSIZED = 64, /* the value was larger than it may be: look if it still is */
  REDIS_HINT_SHIFT = 7
};

/* The items that one connection serves, in the caller's order. */
typedef struct redis_part {
  redis_route *route;
  redis_endpoint *endpoint;
  redis_connection *connection; /* of the endpoint; NULL: none may serve them now */
  accel_remote_item **items;
  size_t count;
} redis_part;

/* What is done with each part. A part's state is `state_size` bytes of the operation's own. */
typedef struct redis_operation {
  void *ctx;
  size_t state_size;
  redis_purpose purpose;
  /* Large values may take the other connection. Not where the server takes what one connection
   * writes for this process' own (tracking.h). */
  bool may_be_large;
  void (*begin)(void *ctx, void *state, const redis_part *part);
  /* Gives every item of the part its status; returns OK, or the failure of the whole part. */
  accel_status (*finish)(void *ctx, void *state);
} redis_operation;

ACCEL_EXTERN_C_BEGIN

/* Runs the operation until no item has to go another round. `single` has room for one part's
 * state. OK if any part was, else the last part's failure; NOMEM. */
accel_status accel_redis_scatter_run(redis_link *link, accel_remote_item *items, size_t count,
                                     accel_remote_call *call, const redis_operation *operation,
                                     void *single);

/* Who serves the item. */
redis_endpoint *accel_redis_scatter_endpoint(redis_link *link, const accel_remote_item *item);

/* Bytes of those of its items' data that are large. */
size_t accel_redis_part_large_bytes(const redis_part *part);

/* True: the item is larger than a value may have, or than its server takes; it has the status CODEC
 * then, and the call its text. */
bool accel_redis_part_is_too_large(const redis_part *part, accel_remote_item *item,
                                   accel_remote_call *call);

/* An error reply to an item's command: what becomes of the item. AGAIN, with a hint, or BACKEND,
 * with the call's text. */
void accel_redis_part_refused(const redis_part *part, accel_remote_item *item,
                              accel_remote_call *call, const redis_replies *replies, size_t i);

/* Appends ASKING if the item wants it. *replies grows by one then. False: no memory. */
bool accel_redis_part_append_asking(const accel_remote_item *item, accel_buffer *out,
                                    size_t *replies);
static inline size_t redis_part_skips(const accel_remote_item *item)
{
  return (item->hint & REDIS_HINT_ASK) != 0 ? 1 : 0;
}

ACCEL_EXTERN_C_END
#endif

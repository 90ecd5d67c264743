/* route.h: which endpoint serves what (backend redis).
 *
 * A standalone server: all keys, and the channels, lead to the one endpoint. Whatever serves an
 * item asks here and nowhere else, so that further kinds of server - a master that Sentinel names,
 * the nodes of a cluster by slot - change this file only.
 *
 * An endpoint that was handed out stays valid until the accel_redis closes; a route may change its
 * mind about a key at any time.
 *
 * Parts: an operation on items is split into parts, each for one connection. All parts' commands
 * are sent before the first reply is waited for, so a batch costs one round trip however many
 * servers it meets.
 *
 * Threads: open, start, stop, close and abandon exclusive; all else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ROUTE_H
#define ACCEL_BACKENDS_REDIS_ROUTE_H

#include "../../accel/backend.h"
#include "endpoint.h"

typedef struct redis_route {
  redis_endpoint only;
} redis_route;

/* The items that one connection serves, in the caller's order. */
typedef struct redis_part {
  redis_endpoint *endpoint;
  redis_connection *connection;
  accel_remote_item **items;
  size_t count;
} redis_part;

typedef struct redis_parts {
  redis_part *list;
  size_t count;
  redis_part single;
  accel_remote_item *one; /* of the single */
  void *memory;           /* of lists that are longer */
} redis_parts;

struct redis_link;

ACCEL_EXTERN_C_BEGIN

bool accel_redis_route_open(redis_route *route, struct accel_redis_state *state);
bool accel_redis_route_start(redis_route *route);
void accel_redis_route_stop(redis_route *route);
void accel_redis_route_close(redis_route *route);
void accel_redis_route_abandon(redis_route *route);

/* Who has the key, `size` bytes with its prefix. */
redis_endpoint *accel_redis_route_key(redis_route *route, const char *key, size_t size);
/* Whose channels are listened to, where messages that belong to no key are published, whose clock
 * is the clock, and who answers a ping. */
redis_endpoint *accel_redis_route_main(redis_route *route);
/* The i-th of the endpoints that hold keys, for what concerns all of them; NULL: no more. */
redis_endpoint *accel_redis_route_at(redis_route *route, size_t i);

/* Splits the items. `may_be_bulk`: large values may take the other connection; what is numbered
 * may not, since numbers keep their order on one connection only. False: no memory; nothing is held
 * then. */
bool accel_redis_parts_open(redis_parts *parts, struct redis_link *link, accel_remote_item *items,
                            size_t count, bool may_be_bulk);
void accel_redis_parts_close(redis_parts *parts);

ACCEL_EXTERN_C_END
#endif

/* route.h: which endpoint serves what (backend redis).
 *
 *   a server    all keys and the channels lead to the one endpoint
 *   Sentinels   the same, to the server that they call the master now
 *   a cluster   a key leads to the endpoint that owns its slot; the channels to one of them
 *
 * Every operation asks here and nowhere else. An endpoint that was given out stays valid until the
 * accel_redis closes; the route of a key may change at any time. An endpoint to which nothing
 * leads any more is retired: it keeps no connection, and after a while another server may get its
 * place.
 *
 * Before Sentinels or a cluster have answered, endpoint 0 stands in for the server: it never
 * connects, so that calls fail at once and say why.
 *
 * Threads: open, start, stop, close and abandon exclusive; apply and change_main see there; all
 * else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ROUTE_H
#define ACCEL_BACKENDS_REDIS_ROUTE_H

#include "../../../accel/backend.h"
#include "../server/server.h"
#include "../wire/wire.h"

/* Different servers at a time, endpoint 0 included; each has two lanes (endpoint.h). */
#define REDIS_ROUTE_ENDPOINTS_MAX REDIS_ENDPOINT_LANES
#define REDIS_ROUTE_GONE_MS 2000u /* a retired one keeps its place, if others are free */

typedef struct redis_route {
  const redis_context *context;
  accel_mutex mutex;          /* guards the list, and the first answer of discovery */
  accel_condition discovered; /* discovery has answered once, or failed */
  redis_endpoint *endpoints[REDIS_ROUTE_ENDPOINTS_MAX]; /* atomic; constant once set */
  size_t count;                                         /* atomic; grows */
  size_t main;                                          /* atomic: an index */
  bool is_discovered;                                   /* atomic */
  bool is_started;
  uint8_t owner[REDIS_SLOTS]; /* atomic; of a cluster: an index of endpoints; 0: no server */
  redis_news_subject said;    /* whether it is known where the servers are */
} redis_route;

/* Where an item is to be tried again. */
typedef struct redis_redirection {
  uint32_t number; /* the endpoint's; 0: where it was */
  bool must_ask;   /* send ASKING first */
  bool must_wait;  /* wait a moment first: the slot is moving */
} redis_redirection;

ACCEL_EXTERN_C_BEGIN

ACCEL_COLD bool accel_redis_route_open(redis_route *route, const redis_context *context);
bool accel_redis_route_start(redis_route *route);
void accel_redis_route_stop(redis_route *route);
ACCEL_COLD void accel_redis_route_close(redis_route *route);
ACCEL_COLD void accel_redis_route_abandon(redis_route *route);

bool accel_redis_route_is_cluster(const redis_route *route);

/* Waits until discovery has answered once, or failed; returns at once for a single server. */
void accel_redis_route_await_discovery(redis_route *route, uint64_t deadline_ms);

/* The endpoint that has the key. `checksum` (slots.h) is that of what stands before it in Redis. */
redis_endpoint *accel_redis_route_key(redis_route *route, uint16_t checksum, const char *key,
                                      size_t size);
/* The endpoint for all that belongs to no key: the channels, their messages, the clock, ping. */
redis_endpoint *accel_redis_route_main(redis_route *route);
/* The endpoint with this number. */
redis_endpoint *accel_redis_route_number(redis_route *route, size_t number);
/* Walks the endpoints that hold keys: *at begins with 0 and moves on. NULL: no more. */
redis_endpoint *accel_redis_route_next(redis_route *route, size_t *at);

/* Handles an error reply of `endpoint`. True: the item must be tried again, *out says where.
 * False: it is no redirection. If the server lost its role, discovery looks again. */
bool accel_redis_route_redirect(redis_route *route, redis_endpoint *endpoint,
                                const redis_replies *replies, size_t i, redis_redirection *out);
/* The password changed: endpoints without a connection connect now. */
void accel_redis_route_reconnect_now(redis_route *route);
/* A server could not be reached, or lost its role: discovery looks again. */
void accel_redis_route_suspect(const redis_route *route);

/* Applies what discovery.c found; only it calls these. NULL: the attempt failed, `why`. */
ACCEL_COLD void accel_redis_route_apply_map(redis_route *route, const redis_slots_map *map_or_null,
                                            const char *why);
ACCEL_COLD void accel_redis_route_apply_master(redis_route *route,
                                               const redis_slots_server *master_or_null,
                                               const char *why);
/* The main endpoint cannot be listened to: makes another one that is up the main one. Only the
 * listener calls it. */
void accel_redis_route_change_main(redis_route *route);

ACCEL_EXTERN_C_END
#endif

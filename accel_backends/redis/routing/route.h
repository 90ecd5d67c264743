/* route.h: which endpoint serves what (backend redis).
 *
 *   a server    all keys and the channels lead to the one endpoint
 *   Sentinels   the same, to the server that they call the master now
 *   a cluster   a key leads to the endpoint that owns its slot; the channels to one of them
 *
 * Whatever serves an item asks here and nowhere else. An endpoint that was handed out stays valid
 * until the accel_redis closes; a route may change its mind at any time. Endpoints that are not
 * part of it any more rest: they keep no connection, and after a while another server may get their
 * place.
 *
 * Where Sentinels or a cluster have to be asked first, endpoint 0 stands for nowhere: it never
 * connects, so that calls fail at once, saying why.
 *
 * Threads: open, start, stop, close and abandon exclusive; apply and change_main see there; all
 * else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ROUTE_H
#define ACCEL_BACKENDS_REDIS_ROUTE_H

#include "../../../accel/backend.h"
#include "../server/server.h"
#include "../wire/wire.h"

/* Different servers at a time, the one that stands for nowhere included; each has two lanes
 * (endpoint.h). */
#define REDIS_ROUTE_ENDPOINTS_MAX REDIS_ENDPOINT_LANES
#define REDIS_ROUTE_GONE_MS 2000u /* until the place of one that rests is taken without need */

typedef struct redis_route {
  const redis_context *context;
  accel_mutex mutex;                                    /* guards growth and settling */
  accel_condition discovered;                           /* the first look is over */
  redis_endpoint *endpoints[REDIS_ROUTE_ENDPOINTS_MAX]; /* atomic; never change once set */
  size_t count;                                         /* atomic; grows */
  size_t main;                                          /* atomic: an index */
  bool is_discovered;                                   /* atomic */
  bool is_started;
  uint8_t owner[REDIS_SLOTS]; /* atomic; of a cluster: an index of endpoints, 0: nobody */
  redis_news_subject said;    /* of where the servers are */
} redis_route;

/* Where an item is to be tried again. */
typedef struct redis_redirection {
  uint32_t number; /* the endpoint's; 0: where it was */
  bool must_ask;   /* ASKING comes before it */
  bool must_wait;  /* the server is about to know better */
} redis_redirection;

ACCEL_EXTERN_C_BEGIN

ACCEL_COLD bool accel_redis_route_open(redis_route *route, const redis_context *context);
bool accel_redis_route_start(redis_route *route);
void accel_redis_route_stop(redis_route *route);
ACCEL_COLD void accel_redis_route_close(redis_route *route);
ACCEL_COLD void accel_redis_route_abandon(redis_route *route);

bool accel_redis_route_is_cluster(const redis_route *route);

/* Waits until it is known where servers are, or until the first attempt to find out has failed;
 * at once where nobody has to be asked. */
void accel_redis_route_await_discovery(redis_route *route, uint64_t deadline_ms);

/* Who has the key. `checksum` (slots.h) is that of what stands before it in Redis. */
redis_endpoint *accel_redis_route_key(redis_route *route, uint16_t checksum, const char *key,
                                      size_t size);
/* Whose channels are listened to, where messages that belong to no key are published, whose clock
 * is the clock, and who answers a ping. */
redis_endpoint *accel_redis_route_main(redis_route *route);
/* The endpoint of a number that was given out. */
redis_endpoint *accel_redis_route_number(redis_route *route, size_t number);
/* Walks the endpoints that hold keys: *at begins with 0 and moves on. NULL: no more. */
redis_endpoint *accel_redis_route_next(redis_route *route, size_t *at);

/* An error reply of `endpoint`. True: the item is to be tried again, *out says where. Else it is no
 * redirection; one that says that a server lost its place makes the servers be looked for again. */
bool accel_redis_route_redirect(redis_route *route, redis_endpoint *endpoint,
                                const redis_replies *replies, size_t i, redis_redirection *out);
/* Who may enter has changed: all that have no connection try at once. */
void accel_redis_route_reconnect_now(redis_route *route);
/* A server could not be reached, or is not what it was: look again, soon. */
void accel_redis_route_suspect(const redis_route *route);

/* What discovery.c found; only it calls these. NULL: the attempt failed, `why` (for endpoint 0). */
ACCEL_COLD void accel_redis_route_apply_map(redis_route *route, const redis_slots_map *map_or_null,
                                            const char *why);
ACCEL_COLD void accel_redis_route_apply_master(redis_route *route,
                                               const redis_slots_server *master_or_null,
                                               const char *why);
/* The main endpoint cannot be listened to: takes another one that is up. Only the listener. */
void accel_redis_route_change_main(redis_route *route);

ACCEL_EXTERN_C_END
#endif

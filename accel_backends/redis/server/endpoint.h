/* endpoint.h: one server, with all that is kept for it (backend redis).
 *
 * An endpoint is an address; two lanes; a budget of retries; and a keeper. A lane is a pipelined
 * connection that all threads share, with its circuit breaker: one is for data, the other, opened
 * when it is first needed, for large values. The keeper is a thread that connects, connects again
 * after a failure, does what no caller is left to do, sends PING while a breaker is open, and
 * measures the offset of the server's clock. It can be stopped at any time and is never on the path
 * of a call.
 *
 * Threads: open, start, stop, close and abandon exclusive; replace see there; all else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_ENDPOINT_H
#define ACCEL_BACKENDS_REDIS_ENDPOINT_H

#include "../wire/wire.h"
#include "backoff.h"
#include "breaker.h"
#include "commands.h"
#include "connection.h"
#include "context.h"
#include "endpoint_news.h"
#include "retry_budget.h"
#include "value_sizes.h"

#define REDIS_ENDPOINT_CLOCK_MS 30000u  /* between measurements of the server's clock */
#define REDIS_ENDPOINT_TEXT_BYTES 4096u /* of a text in a reply, at least */
#define REDIS_ENDPOINT_LANES 128u       /* endpoints; messages of LARGE have numbers from here on */

typedef enum redis_lane_kind {
  REDIS_LANE_DATA,
  REDIS_LANE_LARGE, /* for large values (value_sizes.h), so that small ones do not wait */
  REDIS_LANES
} redis_lane_kind;

typedef struct redis_lane {
  struct redis_endpoint *endpoint;
  redis_connection connection;
  redis_breaker breaker;
  redis_endpoint_news news;
  redis_backoff backoff; /* the keeper's own */
} redis_lane;

typedef struct redis_endpoint {
  const redis_context *context;
  uint32_t number;     /* given by the route */
  bool is_retired;     /* atomic: no key leads to it, and it keeps no connection */
  uint64_t retired_ms; /* atomic: since when */
  bool must_reconnect; /* atomic: connect now, without the rest of the pause */
  bool is_replaced;    /* atomic: the address is another server's; the keeper starts from scratch */
  accel_mutex mutex;   /* guards which address it is */
  redis_address *address; /* held */
  redis_lane lanes[REDIS_LANES];
  redis_retry_budget retries;
  uint64_t ahead_ms; /* atomic: how far its clock is ahead of the monotonic one; 0: not known */
  uint64_t writes_paused_ms; /* atomic: no write is sent before this time; removals are */
  const char *paused_by;     /* atomic: the first word of the error reply, a constant */
  redis_value_sizes sizes;
  redis_commands commands;
  accel_thread keeper;
  redis_signals signals;
  uint64_t next_clock_ms; /* the keeper's own */
} redis_endpoint;

ACCEL_EXTERN_C_BEGIN

/* False: no memory or descriptors, or a text is too long; nothing is held then. port NULL: the
 * host is the path of a unix socket. */
ACCEL_COLD bool accel_redis_endpoint_open(redis_endpoint *endpoint, const redis_context *context,
                                          const char *host, const char *port);
/* Closes its connections and opens none, or ends that. Threads: any. */
void accel_redis_endpoint_retire(redis_endpoint *endpoint, bool is_retired);
/* Connects now if it has no connection. Threads: any. */
void accel_redis_endpoint_reconnect_now(redis_endpoint *endpoint);
/* Gives the place of a retired server to another one. Calls that were under way to the former one
 * fail, or are redirected by the new one. False: no memory, or a text is too long. Threads: one at
 * a time. */
bool accel_redis_endpoint_replace(redis_endpoint *endpoint, const char *host, const char *port);
/* Its address, which the caller releases. Threads: any. */
redis_address *accel_redis_endpoint_hold_address(redis_endpoint *endpoint);
/* False: no thread. */
bool accel_redis_endpoint_start(redis_endpoint *endpoint);
/* Stops the keeper, and what it is doing, at once; waits until it has ended. */
void accel_redis_endpoint_stop(redis_endpoint *endpoint);
/* Waits for the system's resolver, connect_timeout_ms at most. */
ACCEL_COLD void accel_redis_endpoint_close(redis_endpoint *endpoint);
/* The same in a forked child: what a thread was changing at the fork is left. */
ACCEL_COLD void accel_redis_endpoint_abandon(redis_endpoint *endpoint);

/* Writes the server's name as it stands in logs, with what the lane is for (REDIS_NEWS_SERVER
 * bytes). Threads: any. */
void accel_redis_endpoint_name(redis_endpoint *endpoint, const redis_lane *lane, char *name);

/* Puts that name before a failure's text (REDIS_SOCKET_TEXT bytes), unless it names it already, or
 * the endpoint stands in for a server that is not known. Threads: any. */
void accel_redis_endpoint_name_failure(redis_endpoint *endpoint, char *error);

/* The lane on which to read the key, and the one on which to store so many bytes. */
redis_lane *accel_redis_endpoint_to_read(redis_endpoint *endpoint, const char *key,
                                         size_t key_size);
redis_lane *accel_redis_endpoint_to_store(redis_endpoint *endpoint, const char *key,
                                          size_t key_size, size_t size);
/* The lane on which a removal comes after every write that may happen late: what is removed to
 * repair such a write must not come back. NULL: both lanes have such writes, and nothing can be
 * removed before they are answered, or their connection is lost. */
redis_lane *accel_redis_endpoint_to_remove(redis_endpoint *endpoint);
/* The number of the lane, as messages carry it (backend.h). */
uint32_t accel_redis_lane_number(const redis_lane *lane);

/* The connection for all but large values. */
static inline redis_connection *redis_endpoint_data(redis_endpoint *endpoint)
{
  return &endpoint->lanes[REDIS_LANE_DATA].connection;
}

ACCEL_EXTERN_C_END
#endif

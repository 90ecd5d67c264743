/* endpoint.h: one server, as everything that is kept for it (backend redis).
 *
 * An endpoint is an address, a pipelined connection for data that all threads share, a second one
 * for large values that is opened when it is first needed, a circuit breaker for each of them, a
 * budget of retries, and a keeper: a thread that connects, connects again after a failure, tends to
 * what no caller is left to do, asks for a sign of life while a breaker is open, and keeps the
 * distance to the server's clock. It can be stopped at any time and is never on the path of a call.
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

#define REDIS_ENDPOINT_CLOCK_MS 30000u  /* between looks at the server's clock */
#define REDIS_ENDPOINT_TEXT_BYTES 4096u /* of replies that are no values, whatever these may have */
/* Larger values travel on a connection of their own, so that small ones do not wait behind them.
 * A key is known as large once this process has read or stored it; read.c says how one is found. */
#define REDIS_ENDPOINT_LARGE_BYTES REDIS_CONNECTION_LARGE_BYTES
#define REDIS_ENDPOINT_LARGE_KEYS 1024u
#define REDIS_ENDPOINT_REFUSED_MS 60000u /* then one that the server did not take is tried again */
#define REDIS_ENDPOINT_LANES 128u /* numbers of endpoints; the lanes beyond them are large's */

typedef struct redis_endpoint {
  const redis_context *context;
  uint32_t number;        /* the route's */
  bool is_retired;        /* atomic: no connection is wanted */
  uint64_t retired_ms;    /* atomic: since when */
  bool must_reconnect;    /* atomic: what was in vain may succeed now, so that no pause is due */
  bool is_replaced;       /* atomic: the address is another server's; the keeper begins anew */
  accel_mutex mutex;      /* guards which address it is */
  redis_address *address; /* held */
  redis_connection data, large;
  redis_breaker breaker, large_breaker;
  redis_endpoint_news data_news, large_news;
  redis_retry_budget retries;
  uint64_t ahead_ms;         /* atomic: its clock ahead of the monotonic one, or 0: not known */
  uint64_t writes_paused_ms; /* atomic: nothing is stored before this time */
  const char *paused_by;     /* atomic: the word with which the server refused, a constant */
  /* Atomic: hashes of keys with large values, of which the last bit says that the value is larger
   * than it may be; 0: none. */
  uint32_t large_keys[REDIS_ENDPOINT_LARGE_KEYS];
  bool has_large; /* atomic: there was one; reads are bounded */
  redis_commands commands;
  uint64_t refused_bytes;          /* atomic: a text of so many it did not take, */
  uint64_t refused_bytes_until_ms; /* atomic: and none is sent before this time */
  accel_thread keeper;
  redis_signals signals;
  /* The keeper's own: */
  redis_backoff data_backoff, large_backoff;
  uint64_t next_clock_ms;
} redis_endpoint;

ACCEL_EXTERN_C_BEGIN

/* False: no memory or descriptors, or a text is too long; nothing is held then. port NULL: the
 * host is the path of a unix socket. */
ACCEL_COLD bool accel_redis_endpoint_open(redis_endpoint *endpoint, const redis_context *context,
                                          const char *host, const char *port);
/* Whether it is to be without connections. Threads: any. */
void accel_redis_endpoint_retire(redis_endpoint *endpoint, bool is_retired);
/* Connects at once, if it has no connection. Threads: any. */
void accel_redis_endpoint_reconnect_now(redis_endpoint *endpoint);
/* The place of a server that is gone becomes another one's, while it is_retired; calls that were on
 * their way to the former one fail, or are told by the new one that they are wrong. False: no
 * memory, or a text is too long. Threads: one at a time. */
bool accel_redis_endpoint_replace(redis_endpoint *endpoint, const char *host, const char *port);
/* To be released. Threads: any. */
redis_address *accel_redis_endpoint_hold_address(redis_endpoint *endpoint);
/* False: no thread. */
bool accel_redis_endpoint_start(redis_endpoint *endpoint);
/* Ends the keeper; waits for what it is doing, which stops at once. */
void accel_redis_endpoint_stop(redis_endpoint *endpoint);
/* Waits for the system's resolver, connect_timeout_ms at most. */
ACCEL_COLD void accel_redis_endpoint_close(redis_endpoint *endpoint);
/* The same in a forked child: what a thread was changing at the fork is left. */
ACCEL_COLD void accel_redis_endpoint_abandon(redis_endpoint *endpoint);

/* That of the lane, which one of the endpoint's connections is. */
redis_breaker *accel_redis_endpoint_breaker(redis_endpoint *endpoint,
                                            const redis_connection *connection);

/* The server did not take a text of so many bytes, as its proto-max-large-len says. */
void accel_redis_endpoint_note_refused(redis_endpoint *endpoint, uint64_t size);
/* The size of a text that it did not take lately, if one of `size` bytes is as large; else 0. */
uint64_t accel_redis_endpoint_refused(const redis_endpoint *endpoint, uint64_t size);

/* The key's value has so many bytes. */
void accel_redis_endpoint_note_size(redis_endpoint *endpoint, const char *key, size_t key_size,
                                    size_t size);
/* True: the last value of the key that was met had more than max_value_bytes. */
bool accel_redis_endpoint_is_oversized(const redis_endpoint *endpoint, const char *key,
                                       size_t key_size);
/* The connection on which to read the key, and that for storing so many bytes. */
redis_connection *accel_redis_endpoint_to_read(redis_endpoint *endpoint, const char *key,
                                               size_t key_size);
redis_connection *accel_redis_endpoint_to_store(redis_endpoint *endpoint, const char *key,
                                                size_t key_size, size_t size);
/* That on which a removal comes after every write that was given up and may still happen: what is
 * removed to repair such a write must not be there again afterwards. NULL: both have such writes,
 * and nothing can be removed before these are answered, or their connection is lost. */
redis_connection *accel_redis_endpoint_to_remove(redis_endpoint *endpoint);
/* The lane of messages that leave on this connection of the endpoint. A connection's order is all
 * that a lane is, so each connection is one. */
uint32_t accel_redis_endpoint_lane(const redis_endpoint *endpoint,
                                   const redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

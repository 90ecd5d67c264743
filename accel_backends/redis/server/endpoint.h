/* endpoint.h: one server, with all that is kept for it (backend redis).
 *
 * An endpoint is an address; a pipelined connection for data that all threads share; a second one
 * for large values, opened when it is first needed; a circuit breaker for each; a budget of
 * retries; and a keeper. The keeper is a thread that connects, connects again after a failure,
 * does what no caller is left to do, sends PING while a breaker is open, and measures the offset
 * of the server's clock. It can be stopped at any time and is never on the path of a call.
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

#define REDIS_ENDPOINT_CLOCK_MS 30000u  /* between measurements of the server's clock */
#define REDIS_ENDPOINT_TEXT_BYTES 4096u /* of a text in a reply, at least */
/* Larger values travel on a connection of their own, so that small ones do not wait behind them.
 * A key is known as large once this process has read or stored it; read.c says how one is found. */
#define REDIS_ENDPOINT_LARGE_BYTES REDIS_CONNECTION_LARGE_BYTES
#define REDIS_ENDPOINT_LARGE_KEYS 1024u
#define REDIS_ENDPOINT_TOO_LARGE_MS 60000u /* then a size that was refused is tried again */
#define REDIS_ENDPOINT_LANES 128u          /* endpoints; lanes from here on are of `large` */

typedef struct redis_endpoint {
  const redis_context *context;
  uint32_t number;     /* given by the route */
  bool is_retired;     /* atomic: no key leads to it, and it keeps no connection */
  uint64_t retired_ms; /* atomic: since when */
  bool must_reconnect; /* atomic: connect now, without the rest of the pause */
  bool is_replaced;    /* atomic: the address is another server's; the keeper starts from scratch */
  accel_mutex mutex;   /* guards which address it is */
  redis_address *address; /* held */
  redis_connection data, large;
  redis_breaker breaker, large_breaker;
  redis_endpoint_news data_news, large_news;
  redis_retry_budget retries;
  uint64_t ahead_ms; /* atomic: how far its clock is ahead of the monotonic one; 0: not known */
  uint64_t writes_paused_ms; /* atomic: no write is sent before this time; removals are */
  const char *paused_by;     /* atomic: the first word of the error reply, a constant */
  /* Atomic: hashes of keys with large values; the last bit says that the value is larger than
   * max_value_bytes. 0: none. */
  uint32_t large_keys[REDIS_ENDPOINT_LARGE_KEYS];
  bool has_large; /* atomic: there was a large value; reads are bounded since */
  redis_commands commands;
  uint64_t too_large_bytes;    /* atomic: the size of a value that it refused */
  uint64_t too_large_until_ms; /* atomic: none of that size is sent before this time */
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

/* The breaker of one of the endpoint's connections. */
redis_breaker *accel_redis_endpoint_breaker(redis_endpoint *endpoint,
                                            const redis_connection *connection);

/* The server refused a value of so many bytes: its proto-max-bulk-len is smaller. */
void accel_redis_endpoint_note_too_large(redis_endpoint *endpoint, uint64_t size);
/* The size of a value that the server refused lately, if one of `size` bytes is at least as large;
 * else 0. */
uint64_t accel_redis_endpoint_too_large_bytes(const redis_endpoint *endpoint, uint64_t size);

/* Remembers that the key's value has so many bytes. */
void accel_redis_endpoint_note_size(redis_endpoint *endpoint, const char *key, size_t key_size,
                                    size_t size);
/* True: the last value of the key had more than max_value_bytes. */
bool accel_redis_endpoint_is_oversized(const redis_endpoint *endpoint, const char *key,
                                       size_t key_size);
/* The connection on which to read the key, and the one on which to store so many bytes. */
redis_connection *accel_redis_endpoint_to_read(redis_endpoint *endpoint, const char *key,
                                               size_t key_size);
redis_connection *accel_redis_endpoint_to_store(redis_endpoint *endpoint, const char *key,
                                                size_t key_size, size_t size);
/* The connection on which a removal comes after every write that may happen late: what is removed
 * to repair such a write must not come back. NULL: both connections have such writes, and nothing
 * can be removed before they are answered, or their connection is lost. */
redis_connection *accel_redis_endpoint_to_remove(redis_endpoint *endpoint);
/* The lane of messages that leave on this connection. A lane is the order of one connection. */
uint32_t accel_redis_endpoint_lane(const redis_endpoint *endpoint,
                                   const redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

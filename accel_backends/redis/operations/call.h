/* call.h: sends the commands of an operation to one server, and judges the outcome (backend
 * redis).
 *
 * Threads: any. */
#ifndef ACCEL_BACKENDS_REDIS_CALL_H
#define ACCEL_BACKENDS_REDIS_CALL_H

#include "append.h"
#include "link.h"

/* Commands that were built before the connection is locked. */
typedef struct redis_prepared {
  accel_buffer commands;
  size_t replies;
} redis_prepared;

/* How a server refuses a value that is larger than its proto-max-bulk-len, before it hangs up. */
#define REDIS_CALL_TOO_LARGE "ERR Protocol error: invalid bulk length"

/* What commands do: it decides what may be sent again, and what a full server refuses. */
typedef enum redis_purpose {
  REDIS_READS, /* may be appended and sent again */
  REDIS_STORES,
  REDIS_REMOVES
} redis_purpose;

/* A large value has one ms more for each so many bytes: enough on a link of 100 Mbit/s. */
#define REDIS_CALL_BYTES_PER_MS 8192u

/* One part's commands on their way to its server and back. `init` sets the first five, `begin`
 * sends, `finish` waits. Not moved or copied between them. */
typedef struct redis_exchange {
  redis_purpose purpose;
  redis_endpoint *endpoint;
  redis_lane *lane_or_null; /* of the endpoint; NULL: the exchange fails */
  redis_request request;
  size_t large_bytes;  /* bytes of large values among the commands or the replies */
  accel_status status; /* OK, with replies; BACKEND, TIMEOUT, NOMEM, CONFIG, CODEC without */
  redis_replies replies;
  redis_caller caller;
  uint64_t began_ms, deadline_ms;
  redis_link *link;
  bool is_under_way, is_probe, is_cut_short; /* by the caller's deadline, before our own limit */
} redis_exchange;

ACCEL_EXTERN_C_BEGIN

/* For the commands that `append` adds with `ctx` (connection.h). large_bytes is 0, and there is no
 * patience; the caller may change both. */
void accel_redis_call_init(redis_exchange *exchange, redis_purpose purpose,
                           redis_endpoint *endpoint, redis_lane *lane_or_null,
                           size_t (*append)(void *ctx, accel_buffer *out), void *ctx);
/* Sends within the call's deadline and the backend's own limit, which grows with large values;
 * fails at once while the breaker is open. A read whose connection broke before a byte of its
 * reply came is sent once more, within its deadline and the retry budget. Error replies are
 * counted and acted on. Every begin is followed by a finish, which returns exchange->status; after
 * a failure the call has its text, which names the server. The caller releases the replies. CONFIG:
 * in a forked child. CODEC: a value is larger than the server takes. */
void accel_redis_call_begin(redis_link *link, accel_remote_call *call, redis_exchange *exchange);
accel_status accel_redis_call_finish(accel_remote_call *call, redis_exchange *exchange);
/* True: writes are paused, because the server refused one a moment ago. A store counts as refused,
 * and the call has its text. A removal is better sent without MULTI, which a full server refuses.
 */
bool accel_redis_call_is_paused(const redis_link *link, accel_remote_call *call,
                                const redis_exchange *exchange);
/* begin and finish for prepared commands. Releases them. On failure *replies is empty. */
accel_status accel_redis_call_send(redis_link *link, accel_remote_call *call, redis_purpose purpose,
                                   redis_endpoint *endpoint, redis_lane *lane_or_null,
                                   redis_prepared *prepared, redis_replies *replies);
/* For a request of prepared commands: ctx is the redis_prepared. */
size_t accel_redis_call_append_prepared(void *prepared, accel_buffer *out);

/* Gives every item the status and returns it. */
accel_status accel_redis_call_fail(accel_remote_item *const *items, size_t count,
                                   accel_status status);
/* Gives the call its text and returns NOMEM. */
accel_status accel_redis_call_no_memory(accel_remote_call *call);
/* For an error in reply to EXEC: breaks the connection if EXEC itself was refused, because then the
 * connection is still within MULTI. */
void accel_redis_call_leave_transaction(const redis_exchange *exchange, size_t exec);
/* For replies that cannot be those of the commands: breaks the connection, returns BACKEND. */
accel_status accel_redis_call_protocol_error(redis_lane *lane, accel_remote_call *call);
/* Sets the call's text to its first error reply, which the endpoint's server sent; returns BACKEND.
 */
accel_status accel_redis_call_explain(accel_remote_call *call, redis_endpoint *endpoint,
                                      const redis_replies *replies, size_t i);

ACCEL_EXTERN_C_END
#endif

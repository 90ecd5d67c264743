/* connection.h: one pipelined connection that all threads share (backend redis).
 *
 * Commands leave and replies return in the same order: a ring of pending requests says which
 * caller each reply belongs to. No thread of its own moves bytes. Each caller adds a request: its
 * commands. If nobody is writing, the caller writes what all have added. If nobody is reading, the
 * caller reads, and wakes the callers of the replies that it finds, until its own reply is there;
 * then it hands the reader's role to the caller whose reply comes last, which reads for all before
 * it. A thread that is alone sends and receives by itself. Before a thread sleeps it tries spin.h.
 *
 * Invariants
 * - A request whose caller gave up stays in the ring without a caller, and its reply is dropped by
 *   position. No reply is ever given to another request.
 * - Any doubt breaks the connection: an error on the socket, bytes without a command, bytes that
 *   are no reply, a PING that does not return its number, a second without a byte while requests
 *   are pending, a reply that takes a second more than its bytes excuse. All callers fail at once,
 *   and nothing that arrives later is looked at.
 * - The socket and reader of a broken connection are replaced only when nobody holds a role.
 * - Ring and send buffer are bounded: what does not fit fails at once.
 *
 * connection.c has requests, states, and the keeper's part (endpoint.h); connection_io.c reading
 * and writing; connection_wait.c waiting.
 *
 * Threads: any; adopt, repair and tend only the keeper; open and close exclusive.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_H

#include "connection_io.h"

/* A request: one command of `words` (REDIS_WORDS), or the whole commands that `append` adds.
 * `append` returns how many replies they will have; 0: none, and nothing stays appended. It runs
 * while the connection is locked, so that numbers which it gives out leave in their order. */
typedef struct redis_request {
  const char *const *words; /* NULL: append */
  size_t (*append)(void *ctx, accel_buffer *out);
  void *ctx;
  bool is_write; /* it changes data in the server */
  /* Not 0: the call gives up when nothing has arrived on the connection for so long, even before
   * the deadline. */
  uint32_t patience_ms;
} redis_request;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. `is_used`: connect at once. */
ACCEL_COLD bool accel_redis_connection_open(redis_connection *connection, int wake_fd,
                                            uint32_t spin_us, bool is_used);
void accel_redis_connection_close(redis_connection *connection);
/* The same in a forked child, where the mutex may be held for ever: nothing is locked or sent. */
ACCEL_COLD void accel_redis_connection_abandon(redis_connection *connection);

/* True: a write timed out, and may still take effect, since its reply has not come. What must not
 * overtake it has to leave on this connection too. */
bool accel_redis_connection_has_late_writes(const redis_connection *connection);
/* True: a large value was passing at that time or later, and others had to wait. */
bool accel_redis_connection_was_busy(const redis_connection *connection, uint64_t since_ms);
/* Waits until it is up. False: it was not by the deadline. */
bool accel_redis_connection_await_up(redis_connection *connection, uint64_t deadline_ms);

/* Queues the request and writes what can be written without waiting. OK: finish must follow, on the
 * same thread. BACKEND; TIMEOUT: the deadline passed while the first connection was made; NOMEM:
 * the request appended nothing. On failure `error` (REDIS_SOCKET_TEXT bytes) says why. */
accel_status accel_redis_connection_begin(redis_connection *connection,
                                          const redis_request *request, uint64_t deadline_ms,
                                          redis_caller *caller, char *error);
/* Waits for all of the replies. OK, BACKEND, TIMEOUT; on failure *replies is empty. */
accel_status accel_redis_connection_finish(redis_connection *connection, redis_caller *caller,
                                           uint64_t deadline_ms, redis_replies *replies,
                                           char *error);
/* begin and finish. On failure *replies is empty. */
accel_status accel_redis_connection_call(redis_connection *connection, const redis_request *request,
                                         uint64_t deadline_ms, redis_replies *replies, char *error);
/* Sends the request when it can, and drops the replies. */
void accel_redis_connection_post(redis_connection *connection, const redis_request *request);

/* The server hung up: reads what it sent before, and breaks the connection; or leaves that to the
 * caller that is reading. */
void accel_redis_connection_hang_up(redis_connection *connection);
/* Takes over a stream that was greeted, and empties *stream_or_null. NULL: the attempt failed,
 * `why`. */
void accel_redis_connection_adopt(redis_connection *connection, redis_stream *stream_or_null,
                                  const char *why);
/* Copies (REDIS_SOCKET_TEXT bytes) why it is not up. */
void accel_redis_connection_explain(redis_connection *connection, char *text);
/* What an observer shows of a connection. */
typedef struct redis_connection_figures {
  redis_connection_state state;
  size_t pending; /* requests whose replies are due */
  uint32_t made;  /* how often it has come up so far */
} redis_connection_figures;
void accel_redis_connection_figures(redis_connection *connection, redis_connection_figures *out);
/* Callers wait for its next attempt to connect, as for a first one. */
void accel_redis_connection_expect(redis_connection *connection);
/* Cleans up after a break. True: it is down, and can be connected again. */
bool accel_redis_connection_repair(redis_connection *connection);
/* Reads and writes what can be moved without waiting, checks by PING that replies are not out of
 * step, and breaks a connection that is dead. Returns the events (of poll) to wait for on *fd_out,
 * and lowers *until_ms to the next time it must be called. */
int accel_redis_connection_tend(redis_connection *connection, int *fd_out, uint64_t *until_ms);

/* Walks every invariant of the connection. NULL: all hold; else a constant that names the first one
 * that does not. For tests, at any time: takes the mutex. */
ACCEL_COLD const char *accel_redis_connection_validate(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

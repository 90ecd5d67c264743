/* connection.h: one pipelined connection that all threads share (backend redis).
 *
 * Commands leave and replies return in one order, so a reply needs no name: a ring of pending
 * requests says whose it is. There is no thread that moves bytes for the others. Whoever calls
 * adds a block of commands; if nobody is writing, it writes what all have added meanwhile; if
 * nobody is reading, it reads, and wakes the callers of the replies that it finds, until its own is
 * there. Then it hands the role over to the one whose reply comes last, which so reads for all
 * before it. A thread that is alone sends and receives by itself. Before a reader sleeps it looks
 * for the reply for a moment, and before the others do they let each other run first, as long as
 * that is of use.
 *
 * Invariants
 * - A request that is given up stays in the ring without an caller: its reply is dropped by
 *   position. No reply is ever given to another request.
 * - Any doubt - an error on the socket, bytes that nobody asked for, something that is not a
 *   reply, an answer that is not the check's own, a second without a sign of life while requests
 *   are pending, a reply that takes a second more than its bytes excuse - breaks the connection.
 *   All that wait fail at once, and nothing that arrives on it later is looked at.
 * - A broken connection's socket and reader are replaced only when nobody holds a role.
 * - Ring and send buffer are bounded: what does not fit fails at once.
 *
 * connection.c has requests, states, and the keeper's part (endpoint.h); connection_io.c reading
 * and writing; connection_wait.c waiting.
 * Threads: any; adopt, repair and tend only the keeper; open and close exclusive.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_H

#include "connection_io.h"

/* What a request consists of: one command of `words` (REDIS_WORDS), or what `append` adds: whole
 * commands, of which it returns how many replies they will have; 0: none, and nothing stays
 * appended. It runs while the connection is locked: what it numbers leaves in that order. */
typedef struct redis_block {
  const char *const *words; /* NULL: append */
  size_t (*append)(void *ctx, accel_buffer *out);
  void *ctx;
  bool is_write; /* it changes something at the server */
  /* Not 0: gives up as soon as nothing has arrived on the connection for so long, even if the
   * deadline is later. */
  uint32_t patience_ms;
} redis_block;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. `is_used`: an attempt to connect is wanted at once. */
ACCEL_COLD bool accel_redis_connection_open(redis_connection *connection, int wake_fd,
                                            uint32_t spin_us, bool is_used);
void accel_redis_connection_close(redis_connection *connection);
/* The same in a forked child, where the mutex may be held for ever: nothing is locked or sent. */
ACCEL_COLD void accel_redis_connection_abandon(redis_connection *connection);

/* True: the caller of a write has left, and it may still happen, since its reply has not come. What
 * must not overtake it leaves on this connection too. */
bool accel_redis_connection_has_late_writes(const redis_connection *connection);
/* True: something large was passing at that time or later, so that others had to wait. */
bool accel_redis_connection_was_busy(const redis_connection *connection, uint64_t since_ms);
/* Waits until it is up. False: it was not by the deadline. */
bool accel_redis_connection_await_up(redis_connection *connection, uint64_t deadline_ms);

/* Queues the block and writes what can be written without waiting for anybody. OK: finish must
 * follow, on the same thread. BACKEND; TIMEOUT: the deadline passed while the first connection was
 * made; NOMEM: the block appended nothing. On failure `error` (REDIS_SOCKET_TEXT bytes) says why.
 */
accel_status accel_redis_connection_begin(redis_connection *connection, const redis_block *block,
                                          uint64_t deadline_ms, redis_caller *caller, char *error);
/* Waits for all of the replies. OK, BACKEND, TIMEOUT; on failure *replies is empty. */
accel_status accel_redis_connection_finish(redis_connection *connection, redis_caller *caller,
                                           uint64_t deadline_ms, redis_replies *replies,
                                           char *error);
/* Both. On failure *replies is empty. */
accel_status accel_redis_connection_call(redis_connection *connection, const redis_block *block,
                                         uint64_t deadline_ms, redis_replies *replies, char *error);
/* Sends it when it can; its replies are dropped. */
void accel_redis_connection_post(redis_connection *connection, const redis_block *block);

/* The server hung up: reads what it said before, and breaks the connection, or leaves that to a
 * caller who is reading. */
void accel_redis_connection_hang_up(redis_connection *connection);
/* Takes over a stream that was greeted, and closes `stream`; NULL: the attempt failed, `why`. */
void accel_redis_connection_adopt(redis_connection *connection, redis_stream *stream_or_null,
                                  const char *why);
/* Copies (REDIS_SOCKET_TEXT bytes) why it is not up. */
void accel_redis_connection_explain(redis_connection *connection, char *text);
/* Its next attempt to connect is a first one: callers wait for it. */
void accel_redis_connection_expect(redis_connection *connection);
/* Cleans up after a break. True: it is down, and may be made anew. */
bool accel_redis_connection_repair(redis_connection *connection);
/* Moves what can be moved without waiting, checks a connection that is used for answers that are
 * not its own, and breaks what is dead. Returns the events (of poll) to wait for on *fd_out, and
 * lowers *until_ms to the next time it wants to be called. */
int accel_redis_connection_tend(redis_connection *connection, int *fd_out, uint64_t *until_ms);

/* Walks every invariant of the connection. NULL: all hold; else a constant that names the first one
 * that does not. For tests, at any time: takes the mutex. */
ACCEL_COLD const char *accel_redis_connection_validate(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

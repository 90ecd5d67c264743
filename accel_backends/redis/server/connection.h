/* connection.h: one pipelined connection that all threads share (backend redis).
 *
 * Commands leave and replies return in one order, so a reply needs no name: a ring of pending
 * requests says whose it is. There is no thread that moves bytes for the others. Whoever calls
 * adds a block of commands; if nobody is writing, it writes what all have added meanwhile; if
 * nobody is reading, it reads, and wakes the owners of the replies that it finds, until its own is
 * there. Then it hands the role over to the one whose reply comes last, which so reads for all
 * before it. A thread that is alone sends and receives by itself. Before a reader sleeps it looks
 * for the reply for a moment, and before the others do they let each other run first, as long as
 * that is of use.
 *
 * Invariants
 * - A request that is given up stays in the ring without an owner: its reply is dropped by
 *   position. No reply is ever given to another request.
 * - Any doubt - an error on the socket, bytes that nobody asked for, something that is not a
 *   reply, an answer that is not the check's own, a second without a sign of life while requests
 *   are pending, a reply that takes a second more than its bytes excuse - breaks the connection.
 *   All that wait fail at once, and nothing that arrives on it later is looked at.
 * - A broken connection's socket and reader are replaced only when nobody holds a role.
 * - Ring and send buffer are bounded: what does not fit fails at once.
 *
 * connection.c has requests, states, and the keeper's part (endpoint.h); roles.c writing, reading
 * and waiting.
 * Threads: any; adopt, repair and tend only the keeper; open and close exclusive.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_H

#include "../../../accel/platform/thread.h"
#include "../wire/stream.h"
#include "spin.h"
#include "wake.h"

#define REDIS_CONNECTION_SLOTS 1024u
#define REDIS_CONNECTION_UNSENT_MAX (64u << 20) /* bytes that may wait; more is refused */
#define REDIS_CONNECTION_SILENCE_MS 1000u       /* while replies are due: then it is broken */
#define REDIS_CONNECTION_SLOWEST_BYTES 1024u /* per ms: so many excuse that a reply takes longer */
#define REDIS_CONNECTION_LARGE_BYTES (256u << 10) /* of one text: others wait while it passes */
#define REDIS_CONNECTION_ELEMENTS_SPARE 512u      /* of replies of one request, for each of them */
#define REDIS_CONNECTION_WRITE_TEXTS (1u << 20)   /* bytes of the texts that answer one write */
#define REDIS_CONNECTION_HUNG_UP_MS 2u            /* then the keeper looks what the reader did */
#define REDIS_CONNECTION_CHECK_MS 1000u           /* between checks of a connection that is used */

typedef enum redis_connection_state {
  REDIS_CONNECTION_UNUSED, /* nobody has needed it yet: the first caller makes it FIRST */
  REDIS_CONNECTION_FIRST,  /* the first attempt is under way: callers wait for it */
  REDIS_CONNECTION_UP,
  REDIS_CONNECTION_BROKEN, /* somebody may still hold a role */
  REDIS_CONNECTION_DOWN
} redis_connection_state;

/* A caller between begin and finish; lives on its stack. What is not atomic is written by the
 * owner of a role before it sets DONE, and read after that. */
typedef struct redis_waiter {
  redis_wake wake;
  bool is_taken;             /* under the mutex: it has left the ring, DONE follows in any case */
  bool is_waiting;           /* under the mutex: finish was called */
  bool is_unread;            /* it failed, and no byte of its replies had come */
  bool is_bystander;         /* it failed because of another request, which was due before it */
  bool is_silent;            /* it was given up, and the connection had been silent all the time */
  uint32_t patience_ms;      /* the block's */
  struct redis_waiter *next; /* of those to be woken */
  accel_status status;
  redis_replies replies;
  struct redis_slot *slot;
  uint64_t began_ms;
} redis_waiter;

/* A request whose replies are due. Only who holds the reader's role touches replies and their
 * number; the owner is NULL once it gave up. */
typedef struct redis_slot {
  redis_waiter *owner; /* atomic; changed under the mutex */
  uint64_t check;      /* not 0: the reply must be this number, or the stream is not trusted */
  size_t replies_due, replies_asked;
  bool has_begun;             /* one of several is there */
  bool is_write, is_given_up; /* under the mutex: it changes something; nobody waits for that */
  redis_replies replies;
} redis_slot;

typedef struct redis_connection {
  accel_mutex mutex;            /* guards all but what the holder of a role uses */
  accel_condition changed;      /* an attempt to connect is over */
  redis_connection_state state; /* written under the mutex, read anywhere: atomic */
  redis_stream stream;          /* of the roles: fd is constant between adopt and repair */
  bool has_writer, has_reader;
  bool is_clogged;       /* the socket took less than there was */
  accel_buffer queued;   /* commands nobody has begun to write */
  accel_buffer writing;  /* of the writer: what it took from there */
  size_t written;        /* of that */
  redis_slot *slots;     /* a ring: the n-th request lies in slots[n % REDIS_CONNECTION_SLOTS] */
  uint64_t submitted;    /* atomic; requests so far */
  uint64_t completed;    /* of those */
  uint32_t given_up;     /* atomic: writes among them that nobody waits for any more */
  bool is_mid_reply;     /* atomic; of the reader: part of the oldest one's replies has come */
  uint32_t spin_us;      /* constant: the reader looks for so long before it sleeps; 0: all sleep */
  redis_trial spins;     /* of the reader */
  redis_trial rests;     /* of the others, who let each other go first */
  redis_trial company;   /* of all who do that */
  uint64_t progress_ms;  /* the last byte in either direction, or the first request */
  uint64_t reply_ms;     /* since then the oldest reply is the next one that is due */
  uint64_t reply_moved;  /* `moved` at that time */
  uint64_t moved;        /* bytes in both directions so far */
  bool is_part_there;    /* of a reply that has not come to its end */
  bool has_hung_up;      /* the server; a caller who reads is about to see it */
  uint64_t large_ms;     /* atomic: the last time that something large was passing */
  uint32_t answered;     /* of the reader: counts replies that are whole */
  uint64_t sent;         /* bytes that the system took */
  size_t unacknowledged; /* of the keeper: bytes that the peer had not taken at the last look */
  uint64_t acknowledged; /* of the keeper: and those that it had */
  uint64_t checked;      /* `submitted` at the last check */
  uint64_t check_ms;     /* when the next is due */
  int wake_fd;           /* the keeper's bell; not owned */
  char error[REDIS_SOCKET_TEXT]; /* why it is not up */
} redis_connection;

/* What a request consists of. `append` adds whole commands and returns how many replies they will
 * have; 0: none, and nothing stays appended. It runs while the connection is locked: what it
 * numbers leaves in that order. */
typedef struct redis_block {
  size_t (*append)(void *ctx, accel_buffer *out);
  void *ctx;
  bool is_write; /* it changes something at the server */
  /* Not 0: gives up as soon as nothing has arrived on the connection for so long, even if the
   * deadline is later. */
  uint32_t patience_ms;
} redis_block;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. `is_used`: an attempt to connect is wanted at once. */
bool accel_redis_connection_open(redis_connection *connection, int wake_fd, uint32_t spin_us,
                                 bool is_used);
void accel_redis_connection_close(redis_connection *connection);
/* The same in a forked child, where the mutex may be held for ever: nothing is locked or sent. */
void accel_redis_connection_abandon(redis_connection *connection);

bool accel_redis_connection_is_up(const redis_connection *connection);
/* True: the caller of a write has left, and it may still happen, since its reply has not come. What
 * must not overtake it leaves on this connection too. */
bool accel_redis_connection_has_given_up(const redis_connection *connection);
/* True: something large was passing at that time or later, so that others had to wait. */
bool accel_redis_connection_was_busy(const redis_connection *connection, uint64_t since_ms);
/* Waits until it is up. False: it was not by the deadline. */
bool accel_redis_connection_await_up(redis_connection *connection, uint64_t deadline_ms);

/* Queues the block and writes what can be written without waiting for anybody. OK: finish must
 * follow, on the same thread. BACKEND; TIMEOUT: the deadline passed while the first connection was
 * made; NOMEM: the block appended nothing. On failure `error` (REDIS_SOCKET_TEXT bytes) says why.
 */
accel_status accel_redis_connection_begin(redis_connection *connection, const redis_block *block,
                                          uint64_t deadline_ms, redis_waiter *waiter, char *error);
/* Waits for all of the replies. OK, BACKEND, TIMEOUT; on failure *replies is empty. */
accel_status accel_redis_connection_finish(redis_connection *connection, redis_waiter *waiter,
                                           uint64_t deadline_ms, redis_replies *replies,
                                           char *error);
/* Both. On failure *replies is empty. */
accel_status accel_redis_connection_call(redis_connection *connection, const redis_block *block,
                                         uint64_t deadline_ms, redis_replies *replies, char *error);
/* Sends it when it can; its replies are dropped. */
void accel_redis_connection_post(redis_connection *connection, const redis_block *block);
/* A caller could make no sense of its replies. */
void accel_redis_connection_break(redis_connection *connection, const char *why);

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

ACCEL_EXTERN_C_END
#endif

/* connection_io.h: a pipelined connection's state, and reading and writing on it (backend redis).
 *
 * The holder of the writer's role has `writing`, `written` and the sending half of the stream; the
 * holder of the reader's role has the receiving half and the replies in the ring. A role is taken
 * and left with the mutex held, and held without it.
 *
 * For connection.c and connection_wait.c; connection.h has the contract.
 * Threads: any, with the mutex held unless a function says otherwise.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONNECTION_IO_H
#define ACCEL_BACKENDS_REDIS_CONNECTION_IO_H

#include "../../../accel/platform/thread.h"
#include "../wire/wire.h"
#include "spin.h"
#include "wake.h"

#define REDIS_CONNECTION_SLOTS 1024u
#define REDIS_CONNECTION_UNSENT_MAX (64u << 20) /* bytes that may wait; more is refused */
#define REDIS_CONNECTION_SILENCE_MS 1000u    /* without a byte while replies are due: it breaks */
#define REDIS_CONNECTION_SLOWEST_BYTES 1024u /* so many excuse that a reply takes one ms longer */
#define REDIS_CONNECTION_LARGE_BYTES (256u << 10) /* of one text: others wait while it passes */
#define REDIS_CONNECTION_ELEMENTS_SPARE 512u      /* of replies of one request, for each of them */
#define REDIS_CONNECTION_WRITE_TEXTS (1u << 20)   /* bytes of the texts that answer one write */
#define REDIS_CONNECTION_HUNG_UP_MS 2u            /* then the keeper looks what the reader did */
#define REDIS_CONNECTION_CHECK_MS 1000u           /* between checks of a connection that is used */
#define REDIS_CONNECTION_CHECK_TEXT 24

typedef enum redis_connection_state {
  REDIS_CONNECTION_UNUSED, /* not needed yet: the first caller makes it FIRST */
  REDIS_CONNECTION_FIRST,  /* the first attempt is under way: callers wait for it */
  REDIS_CONNECTION_UP,
  REDIS_CONNECTION_BROKEN, /* a thread may still hold a role */
  REDIS_CONNECTION_DOWN
} redis_connection_state;

/* A caller between begin and finish, on its stack. What is not atomic is written by the holder of
 * a role before it sets DONE, and read after that. */
typedef struct redis_caller {
  redis_wake wake;
  bool is_taken;             /* under the mutex: it has left the ring, and DONE will be set */
  bool is_waiting;           /* under the mutex: finish was called */
  bool is_unread;            /* it failed before a byte of its replies came */
  bool is_bystander;         /* it failed because an earlier request failed */
  bool is_silent;            /* it gave up, and the connection had been silent since it began */
  uint32_t patience_ms;      /* as the request's */
  struct redis_caller *next; /* in a list of callers to wake */
  accel_status status;
  redis_replies replies;
  struct redis_slot *slot;
  uint64_t began_ms;
} redis_caller;

/* A request whose replies are due. Only the holder of the reader's role touches replies and their
 * number. `caller` is NULL once it gave up. */
typedef struct redis_slot {
  redis_caller *caller; /* atomic; changed under the mutex */
  uint64_t check;       /* not 0: the reply must be this number, or the stream is not trusted */
  size_t replies_due, replies_asked;
  bool has_begun;               /* at least one of several replies is complete */
  bool is_write, is_late_write; /* under the mutex: its caller gave up */
  redis_replies replies;
} redis_slot;

typedef struct redis_connection {
  accel_mutex mutex;            /* guards all but what belongs to the holder of a role */
  accel_condition changed;      /* an attempt to connect has ended */
  redis_connection_state state; /* written under the mutex, read anywhere: atomic */
  redis_stream stream;          /* of reader and writer: fd is constant between adopt and repair */
  bool has_writer, has_reader;
  bool is_clogged;      /* the socket's send buffer is full */
  accel_buffer queued;  /* commands that no writer has taken */
  accel_buffer writing; /* of the writer: the commands that it took */
  size_t written;       /* bytes of `writing` that were sent */
  redis_slot *slots;    /* a ring: the n-th request lies in slots[n % REDIS_CONNECTION_SLOTS] */
  uint32_t made;        /* atomic; how often it has come up so far */
  uint64_t submitted;   /* atomic; requests so far */
  uint64_t completed;   /* requests whose replies have all come */
  uint32_t late_writes; /* atomic: writes among the pending whose caller gave up */
  bool is_mid_reply;    /* atomic; of the reader: part of the oldest request's replies has come */
  redis_spin spin;      /* what is tried before a thread sleeps */
  uint64_t progress_ms; /* of the last byte in either direction, or the first request */
  uint64_t reply_ms;    /* since when the oldest pending reply has been the next one due */
  uint64_t reply_moved; /* `moved` at reply_ms */
  uint64_t moved;       /* bytes in both directions so far */
  bool is_part_there;   /* part of a reply has come, and not all of it */
  bool has_hung_up;     /* the server closed its end; a caller that is reading is about to see it */
  uint64_t large_ms;    /* atomic: the last time that something large was passing */
  uint32_t answered;    /* of the reader: replies that were complete */
  uint64_t sent;        /* bytes that the system accepted for sending */
  size_t unacknowledged;         /* of the keeper: unacknowledged bytes at the last look */
  uint64_t acknowledged;         /* of the keeper: acknowledged bytes then */
  uint64_t checked;              /* `submitted` at the last check */
  uint64_t check_ms;             /* when the next check is due */
  int wake_fd;                   /* wakes the keeper; not owned */
  char error[REDIS_SOCKET_TEXT]; /* why it is not up */
} redis_connection;

ACCEL_EXTERN_C_BEGIN

/* Without the mutex. */
bool accel_redis_connection_is_up(const redis_connection *connection);
/* Breaks it: a caller could make no sense of its replies. Takes the mutex. */
void accel_redis_connection_break(redis_connection *connection, const char *why);

/* The text of a check, as PING sends it and the server must return it. */
void accel_redis_io_check_text(uint64_t check, char text[REDIS_CONNECTION_CHECK_TEXT]);
/* The n-th request's place in the ring. */
redis_slot *accel_redis_io_slot(redis_connection *connection, uint64_t number);
bool accel_redis_io_has_unsent(const redis_connection *connection);
/* Requests whose replies are due. */
size_t accel_redis_io_pending(const redis_connection *connection);
void accel_redis_io_wake_keeper(redis_connection *connection);

/* Breaks it: all callers fail now. The slots stay, because the reader may be filling one of them.
 */
void accel_redis_io_break(redis_connection *connection, const char *why);

/* The server hung up, and may have said why: the reader reads that first and breaks the
 * connection; without a reader this does. Releases the mutex meanwhile. */
void accel_redis_io_hang_up(redis_connection *connection, const char *why);

/* Writes what is queued, or as much of it as the socket takes. Releases the mutex meanwhile.
 * `gathers`: lets other threads add to it first. */
void accel_redis_io_write(redis_connection *connection, bool gathers);

/* Receives what is there, and gives the replies to their callers; `is_slow`: may wait for the first
 * byte, as accel_redis_stream_feed_slowly. By the reader, without the mutex. */
void accel_redis_io_receive(redis_connection *connection, bool is_slow);

/* Lets threads run that are ready to. False: there were none, or lately they did not use this
 * connection and none was let run. Without the mutex. */
bool accel_redis_io_let_others_run(redis_connection *connection);

ACCEL_EXTERN_C_END
#endif

/* stream.h: one connection, spoken to in turn (backend redis).
 *
 * For background threads: the first commands on every connection, and the listener's connection
 * for its whole life. Everything waits, until the dial's deadline at most.
 *
 * Threads: one at a time.
 */
#ifndef ACCEL_BACKENDS_REDIS_STREAM_H
#define ACCEL_BACKENDS_REDIS_STREAM_H

#include "reply.h"
#include "socket.h"
#include "tls.h"

#define REDIS_STREAM_CHUNK 65536 /* bytes received at once */

/* Zeroed but for fd = -1: closed. */
typedef struct redis_stream {
  int fd;
  redis_tls *tls; /* NULL: not encrypted */
  redis_reader *reader;
  unsigned char *input; /* REDIS_STREAM_CHUNK bytes */
  uint64_t received;    /* bytes so far */
  bool has_more;        /* feed again, whatever poll says */
  bool is_slow;         /* feed_slowly may wait in the kernel */
} redis_stream;

/* The server's clock against accel_clock_monotonic_ms. */
typedef struct redis_stream_clock {
  bool is_known;
  uint64_t ahead_ms; /* modulo 2^64 */
} redis_stream_clock;

ACCEL_EXTERN_C_BEGIN

/* Connects, signs in and gives the connection its name. False: dial->error says why, and the
 * stream is closed. */
ACCEL_COLD bool accel_redis_stream_open(redis_stream *stream, redis_dial *dial, size_t text_max,
                                        const char *name);
void accel_redis_stream_close(redis_stream *stream);

/* Sends SELECT, PING and TIME. A server that accepts connections but does not answer, or replies
 * that it is loading, is not ready. */
ACCEL_COLD bool accel_redis_stream_greet(redis_stream *stream, redis_dial *dial,
                                         redis_stream_clock *clock);

/* Sends ROLE. False: the server is not a master, or refuses to say; dial->error says why. */
bool accel_redis_stream_is_master(redis_stream *stream, redis_dial *dial);

/* Sends all of it. */
bool accel_redis_stream_send(redis_stream *stream, redis_dial *dial, const accel_buffer *commands);

/* Sends the commands and appends so many replies. */
bool accel_redis_stream_exchange(redis_stream *stream, redis_dial *dial,
                                 const accel_buffer *commands, size_t count,
                                 redis_replies *replies);

/* Reads what has arrived, without waiting. False: the connection is lost. */
bool accel_redis_stream_feed(redis_stream *stream, char *error);
/* The same, but waits for the first byte, REDIS_SOCKET_SLICE_MS at most, if it may. */
bool accel_redis_stream_feed_slowly(redis_stream *stream, char *error);
/* Bytes written of so many, or REDIS_SOCKET_LATER, or REDIS_SOCKET_DEAD with errno. Without
 * waiting. Another thread may feed meanwhile. */
ptrdiff_t accel_redis_stream_write(redis_stream *stream, const void *data, size_t size);

/* Reads TIME's reply; `asked_ms` and `answered_ms` enclose it. */
bool accel_redis_stream_read_clock(const redis_replies *replies, size_t i, uint64_t asked_ms,
                                   uint64_t answered_ms, redis_stream_clock *clock);

/* Copies an error reply's text, made printable, behind `what`. */
void accel_redis_stream_explain(const redis_replies *replies, size_t i, const char *what,
                                char *error);

ACCEL_EXTERN_C_END
#endif

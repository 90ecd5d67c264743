/* socket.h: a socket that never blocks longer than it may (backend redis).
 *
 * hiredis' own sockets are not used: their time limits hold per read and not per call, start again
 * at every signal, and a write to a reset connection ends the process. Here no transfer blocks
 * unless it says so, every wait has an absolute deadline (accel_clock_monotonic_ms), no write
 * raises SIGPIPE, and no descriptor survives exec.
 * Threads: one at a time per direction.
 */
#ifndef ACCEL_BACKENDS_REDIS_SOCKET_H
#define ACCEL_BACKENDS_REDIS_SOCKET_H

#include "address.h"
#include "credentials.h"

#define REDIS_SOCKET_TEXT 160    /* bytes of an error's text */
#define REDIS_SOCKET_SLICE_MS 5L /* of a slow receive, which the system may stretch by a tick */

/* What an attempt to reach a server may take. */
typedef struct redis_dial {
  redis_credentials *credentials; /* user and password; NULL: none */
  uint32_t database;
  redis_address *address;
  struct redis_tls_context *tls; /* NULL: not encrypted */
  uint64_t deadline_ms;
  int stop_fd;                  /* readable: give up; -1: none */
  bool is_refused;              /* after a failure: AUTH was refused, `error` quotes the reply */
  char said[REDIS_SOCKET_TEXT]; /* an error reply that announced the hang-up; "" */
  char error[REDIS_SOCKET_TEXT];
} redis_dial;

/* What a transfer returns besides a number of bytes. */
enum { REDIS_SOCKET_LATER = 0, REDIS_SOCKET_DEAD = -1 };

ACCEL_EXTERN_C_BEGIN

/* Tries every address of the host; the time is shared out among them. Background threads only.
 * The connected descriptor, or -1 with dial->error. */
int accel_redis_socket_open(redis_dial *dial);
void accel_redis_socket_close(int fd);
/* Makes close reset the connection: what the kernel has not delivered yet is thrown away. */
void accel_redis_socket_reset_on_close(int fd);

/* Bytes moved, REDIS_SOCKET_LATER: none without waiting, REDIS_SOCKET_DEAD: closed or failed,
 * errno says why (0: closed by the server). */
ptrdiff_t accel_redis_socket_send(int fd, const void *data, size_t size);
ptrdiff_t accel_redis_socket_receive(int fd, void *data, size_t size);
/* Bytes that were sent, and that the peer's system has not acknowledged yet. */
size_t accel_redis_socket_unsent(int fd);
/* Lets `receive_slowly` wait in the kernel, REDIS_SOCKET_SLICE_MS at most: half the system calls
 * of poll and receive. False: the system refused. */
bool accel_redis_socket_allow_slowly(int fd);
ptrdiff_t accel_redis_socket_receive_slowly(int fd, void *data, size_t size);

/* An errno of a transfer as text. */
const char *accel_redis_socket_reason(int error);

/* "host:port", or the path. */
void accel_redis_socket_name(const redis_address *address, char *text, size_t size);
/* Puts that name before a failure's text (REDIS_SOCKET_TEXT bytes), unless it names it already. */
void accel_redis_socket_name_failure(const redis_address *address, char *error);

ACCEL_EXTERN_C_END
#endif

/* tls.h: encrypted connections, by OpenSSL 3 (backend redis).
 *
 * tls.c is the only file that includes OpenSSL, and only under ACCEL_REDIS_TLS; without it opening
 * a context fails and says so. TLS 1.2 at least. The server's certificate and name are always
 * verified, and that cannot be turned off. OpenSSL never touches the socket: it reads and writes
 * through socket.h, so neither SIGPIPE nor a blocking call can come from here. The last session
 * with a host is kept and resumed.
 *
 * Threads: a context any; a session any, read and write by different threads at a time.
 */
#ifndef ACCEL_BACKENDS_REDIS_TLS_H
#define ACCEL_BACKENDS_REDIS_TLS_H

#include "socket.h"

/* Names of files and of the server; NULL: none. Not kept. */
typedef struct redis_tls_files {
  const char *ca_file; /* NULL: the system's authorities */
  const char *certificate_file, *key_file;
  const char *server_name; /* copied; NULL: the host's */
} redis_tls_files;

typedef struct redis_tls_context redis_tls_context;
typedef struct redis_tls redis_tls;

ACCEL_EXTERN_C_BEGIN

/* OK, NOMEM; CONFIG with a text for `owner` (error.h) that names the file. */
ACCEL_COLD accel_status accel_redis_tls_open(const void *owner, const redis_tls_files *files,
                                             redis_tls_context **context_out);
void accel_redis_tls_close(redis_tls_context *context_or_null);

/* The handshake on a connected socket, until the dial's deadline. NULL: dial->error says why. */
ACCEL_COLD redis_tls *accel_redis_tls_begin(redis_tls_context *context, redis_dial *dial, int fd);
/* Frees it; the socket is the caller's. */
void accel_redis_tls_end(redis_tls *tls_or_null);
/* True: this connection resumed an earlier session. */
bool accel_redis_tls_is_resumed(redis_tls *tls);

/* As accel_redis_socket_send and receive, without waiting. More may be there to read even if the
 * socket is not readable: until REDIS_SOCKET_LATER was returned. */
ptrdiff_t accel_redis_tls_write(redis_tls *tls, const void *data, size_t size);
ptrdiff_t accel_redis_tls_read(redis_tls *tls, void *data, size_t size);

ACCEL_EXTERN_C_END
#endif

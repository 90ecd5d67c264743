#include "tls.h"

#include "../../../accel/error.h"
#include "signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ACCEL_REDIS_TLS

#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

struct redis_tls_context {
  SSL_CTX *native;
  BIO_METHOD *socket; /* how OpenSSL reads and writes */
  char server_name[REDIS_ADDRESS_HOST_SIZE];
  accel_mutex mutex; /* guards what follows */
  SSL_SESSION *session;
  char session_host[REDIS_ADDRESS_HOST_SIZE]; /* the host that it was made with */
};

struct redis_tls {
  redis_tls_context *context;
  SSL *native;
  int fd;
  accel_mutex mutex; /* guards native: reader and writer meet here */
  char host[REDIS_ADDRESS_HOST_SIZE];
};

/* ---- OpenSSL's way to the socket ---- */

static int redis_tls_socket_write(BIO *bio, const char *data, int size)
{
  const redis_tls *tls = (const redis_tls *)BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  const ptrdiff_t sent = accel_redis_socket_send(tls->fd, data, (size_t)size);
  if (sent > 0) return (int)sent;
  if (sent == REDIS_SOCKET_LATER) BIO_set_retry_write(bio);
  return -1;
}

static int redis_tls_socket_read(BIO *bio, char *data, int size)
{
  const redis_tls *tls = (const redis_tls *)BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  const ptrdiff_t received = accel_redis_socket_receive(tls->fd, data, (size_t)size);
  if (received > 0) return (int)received;
  if (received == REDIS_SOCKET_LATER) BIO_set_retry_read(bio);
  return -1;
}

static long redis_tls_socket_control(BIO *bio, int command, long number, void *pointer)
{
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* ---- the context ---- */

static const char *redis_tls_reason(void)
{
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == NULL ? "unknown reason" : reason;
}

static accel_status redis_tls_refuse(const void *owner, const char *what, const char *file)
{
  return accel_error_set(owner, ACCEL_ERR_CONFIG, "%s \"%.100s\": %.60s", what, file,
                         redis_tls_reason());
}

/* A key with a passphrase is not asked for one on a terminal. */
static int redis_tls_no_passphrase(char *buffer, int size, int writes, void *unused)
{
  (void)buffer, (void)size, (void)writes, (void)unused;
  return 0;
}

/* Checked and read through one descriptor, so that it is the same file. */
static accel_status redis_tls_use_key(const void *owner, SSL_CTX *native, const char *file)
{
  struct stat about;
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &about) != 0) {
    const int why = errno;
    accel_redis_socket_close(fd);
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "tls_key_file \"%.100s\": %s", file,
                           accel_redis_socket_reason(why));
  }
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    accel_redis_socket_close(fd);
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "tls_key_file \"%.100s\" is open to its group or to others: "
                           "chmod 600",
                           file);
  }
  BIO *bio = BIO_new_fd(fd, BIO_CLOSE);
  if (bio == NULL) {
    accel_redis_socket_close(fd);
    return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory for TLS");
  }
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, redis_tls_no_passphrase, NULL);
  BIO_free(bio);
  const bool is_used = key != NULL && SSL_CTX_use_PrivateKey(native, key) == 1;
  EVP_PKEY_free(key);
  return is_used ? ACCEL_OK : redis_tls_refuse(owner, "tls_key_file", file);
}

static accel_status redis_tls_use_files(const void *owner, SSL_CTX *native,
                                        const redis_tls_files *files)
{
  if (files->ca_file != NULL && SSL_CTX_load_verify_file(native, files->ca_file) != 1)
    return redis_tls_refuse(owner, "tls_ca_file", files->ca_file);
  if (files->ca_file == NULL && SSL_CTX_set_default_verify_paths(native) != 1)
    return redis_tls_refuse(owner, "the system's certificates", "");
  if ((files->certificate_file == NULL) != (files->key_file == NULL))
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "tls_certificate_file and tls_key_file go together");
  if (files->key_file == NULL) return ACCEL_OK;
  if (SSL_CTX_use_certificate_chain_file(native, files->certificate_file) != 1)
    return redis_tls_refuse(owner, "tls_certificate_file", files->certificate_file);
  return redis_tls_use_key(owner, native, files->key_file);
}

/* OpenSSL has a session that can be resumed; TLS 1.3 brings them after the handshake. */
static int redis_tls_keep_session(SSL *native, SSL_SESSION *session)
{
  redis_tls *tls = (redis_tls *)SSL_get_app_data(native);
  redis_tls_context *context = tls->context;
  accel_mutex_lock(&context->mutex);
  SSL_SESSION *before = context->session;
  context->session = session;
  memcpy(context->session_host, tls->host, sizeof context->session_host);
  accel_mutex_unlock(&context->mutex);
  SSL_SESSION_free(before);
  return 1; /* it is ours now */
}

static bool redis_tls_configure(redis_tls_context *context)
{
  SSL_CTX *native = context->native;
  if (native == NULL || context->socket == NULL) return false;
  BIO_meth_set_write(context->socket, redis_tls_socket_write);
  BIO_meth_set_read(context->socket, redis_tls_socket_read);
  BIO_meth_set_ctrl(context->socket, redis_tls_socket_control);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_options(native,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(native, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(native, redis_tls_keep_session);
  return SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) == 1;
}

accel_status accel_redis_tls_open(const void *owner, const redis_tls_files *files,
                                  redis_tls_context **context_out)
{
  const char *name = files->server_name == NULL ? "" : files->server_name;
  *context_out = NULL;
  if (strlen(name) >= REDIS_ADDRESS_HOST_SIZE)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "tls_server_name has %zu bytes; at most %d",
                           strlen(name), REDIS_ADDRESS_HOST_SIZE - 1);
  redis_tls_context *context = (redis_tls_context *)ACCEL_MALLOC(sizeof *context);
  if (context == NULL) return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory for TLS");
  memset(context, 0, sizeof *context);
  if (!accel_mutex_open(&context->mutex)) {
    ACCEL_FREE(context);
    return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory for TLS");
  }
  memcpy(context->server_name, name, strlen(name));
  ERR_clear_error();
  context->native = SSL_CTX_new(TLS_client_method());
  context->socket = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "accel");
  accel_status status = redis_tls_configure(context)
                            ? redis_tls_use_files(owner, context->native, files)
                            : accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory for TLS");
  if (accel_failed(status))
    accel_redis_tls_close(context);
  else
    *context_out = context;
  return status;
}

void accel_redis_tls_close(redis_tls_context *context_or_null)
{
  if (context_or_null == NULL) return;
  SSL_SESSION_free(context_or_null->session);
  SSL_CTX_free(context_or_null->native);
  BIO_meth_free(context_or_null->socket);
  accel_mutex_close(&context_or_null->mutex);
  ACCEL_FREE(context_or_null);
}

/* ---- a connection ---- */

/* The host that the certificate must name, and SNI asks for. OpenSSL takes the name without const,
 * and does not write to it. */
static bool redis_tls_expect(const redis_tls *tls, char *name)
{
  X509_VERIFY_PARAM *expected = SSL_get0_param(tls->native);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1) return true;
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(expected, name, 0) == 1 &&
         SSL_set_tlsext_host_name(tls->native, name) == 1;
}

static void redis_tls_resume(redis_tls *tls)
{
  redis_tls_context *context = tls->context;
  accel_mutex_lock(&context->mutex);
  if (context->session != NULL && strcmp(context->session_host, tls->host) == 0)
    (void)SSL_set_session(tls->native, context->session);
  accel_mutex_unlock(&context->mutex);
}

static bool redis_tls_prepare(redis_tls *tls, const redis_dial *dial)
{
  redis_tls_context *context = tls->context;
  const bool is_named = context->server_name[0] != '\0';
  memcpy(tls->host, dial->address->host, sizeof tls->host);
  tls->native = SSL_new(context->native);
  BIO *bio = tls->native == NULL ? NULL : BIO_new(context->socket);
  if (bio == NULL) return false;
  BIO_set_data(bio, tls);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls->native, bio, bio);
  if (SSL_set_app_data(tls->native, tls) != 1) return false;
  if (!redis_tls_expect(tls, is_named ? context->server_name : tls->host)) return false;
  redis_tls_resume(tls);
  return true;
}

static void redis_tls_explain(const redis_tls *tls, redis_dial *dial, int reason)
{
  const long verified = SSL_get_verify_result(tls->native);
  if (verified != X509_V_OK)
    snprintf(dial->error, sizeof dial->error, "TLS: the server's certificate: %.100s",
             X509_verify_cert_error_string(verified));
  else if (ERR_peek_last_error() != 0)
    snprintf(dial->error, sizeof dial->error, "TLS: %.120s", redis_tls_reason());
  else
    snprintf(dial->error, sizeof dial->error, "TLS: connection lost: %s",
             accel_redis_socket_reason(reason));
}

static bool redis_tls_shake_hands(redis_tls *tls, redis_dial *dial)
{
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_connect(tls->native);
    if (result == 1) return true;
    const int reason = errno;
    const int wanted = SSL_get_error(tls->native, result);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
      redis_tls_explain(tls, dial, reason);
      return false;
    }
    const int events = wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    if (accel_clock_monotonic_ms() < dial->deadline_ms &&
        accel_redis_signal_wait(tls->fd, events, dial->stop_fd, dial->deadline_ms) != 0)
      continue;
    snprintf(dial->error, sizeof dial->error, "TLS: the handshake did not end in time");
    return false;
  }
}

redis_tls *accel_redis_tls_begin(redis_tls_context *context, redis_dial *dial, int fd)
{
  redis_tls *tls = (redis_tls *)ACCEL_MALLOC(sizeof *tls);
  if (tls != NULL) {
    memset(tls, 0, sizeof *tls);
    tls->context = context;
    tls->fd = fd;
    if (!accel_mutex_open(&tls->mutex)) {
      ACCEL_FREE(tls);
      tls = NULL;
    }
  }
  const bool is_prepared = tls != NULL && redis_tls_prepare(tls, dial);
  if (!is_prepared) snprintf(dial->error, sizeof dial->error, "no memory for TLS");
  if (is_prepared && redis_tls_shake_hands(tls, dial)) return tls;
  accel_redis_tls_end(tls);
  return NULL;
}

void accel_redis_tls_end(redis_tls *tls_or_null)
{
  if (tls_or_null == NULL) return;
  if (tls_or_null->native != NULL) {
    /* Says nothing, but without it the session would count as harmed and never be resumed. */
    SSL_set_quiet_shutdown(tls_or_null->native, 1);
    (void)SSL_shutdown(tls_or_null->native);
  }
  SSL_free(tls_or_null->native); /* and its BIO */
  accel_mutex_close(&tls_or_null->mutex);
  ACCEL_FREE(tls_or_null);
  ERR_clear_error();
}

bool accel_redis_tls_is_resumed(redis_tls *tls)
{
  return SSL_session_reused(tls->native) == 1;
}

/* With the mutex held: what a call that moved nothing means. */
static ptrdiff_t redis_tls_result(redis_tls *tls, int result, int reason)
{
  const int wanted = SSL_get_error(tls->native, result);
  if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) return REDIS_SOCKET_LATER;
  errno = wanted == SSL_ERROR_ZERO_RETURN ? 0 : reason;
  if (wanted == SSL_ERROR_SSL) errno = EPROTO;
  return REDIS_SOCKET_DEAD;
}

ptrdiff_t accel_redis_tls_write(redis_tls *tls, const void *data, size_t size)
{
  accel_mutex_lock(&tls->mutex);
  ERR_clear_error();
  errno = 0;
  const int result = SSL_write(tls->native, data, size > INT_MAX ? INT_MAX : (int)size);
  const int reason = errno;
  const ptrdiff_t moved = result > 0 ? result : redis_tls_result(tls, result, reason);
  accel_mutex_unlock(&tls->mutex);
  return moved;
}

ptrdiff_t accel_redis_tls_read(redis_tls *tls, void *data, size_t size)
{
  accel_mutex_lock(&tls->mutex);
  ERR_clear_error();
  errno = 0;
  const int result = SSL_read(tls->native, data, size > INT_MAX ? INT_MAX : (int)size);
  const int reason = errno;
  const ptrdiff_t moved = result > 0 ? result : redis_tls_result(tls, result, reason);
  accel_mutex_unlock(&tls->mutex);
  return moved;
}

#else

accel_status accel_redis_tls_open(const void *owner, const redis_tls_files *files,
                                  redis_tls_context **context_out)
{
  (void)files;
  *context_out = NULL;
  return accel_error_set(owner, ACCEL_ERR_CONFIG,
                         "url: rediss needs OpenSSL 3 and -DACCEL_REDIS_TLS where accel is "
                         "implemented");
}

void accel_redis_tls_close(redis_tls_context *context_or_null)
{
  (void)context_or_null; /* there is none */
}

redis_tls *accel_redis_tls_begin(redis_tls_context *context, redis_dial *dial, int fd)
{
  (void)context, (void)fd;
  snprintf(dial->error, sizeof dial->error, "TLS is not compiled in");
  return NULL;
}

void accel_redis_tls_end(redis_tls *tls_or_null)
{
  (void)tls_or_null; /* there is none */
}

bool accel_redis_tls_is_resumed(redis_tls *tls)
{
  (void)tls;
  return false;
}

ptrdiff_t accel_redis_tls_write(redis_tls *tls, const void *data, size_t size)
{
  (void)tls, (void)data, (void)size;
  errno = ENOTSUP;
  return REDIS_SOCKET_DEAD;
}

ptrdiff_t accel_redis_tls_read(redis_tls *tls, void *data, size_t size)
{
  (void)tls, (void)data, (void)size;
  errno = ENOTSUP;
  return REDIS_SOCKET_DEAD;
}

#endif

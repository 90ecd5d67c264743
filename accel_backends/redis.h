/* redis.h: Redis as L2, and as the channel for messages between processes. Include it after
 * accel.h.
 *
 *   accel_redis redis;
 *   accel_redis_config where = {.url = "redis://127.0.0.1:6379"};
 *   if (accel_failed(accel_redis_open(&redis, &where))) ... accel_redis_last_error(&redis) ...
 *
 *   ACCEL_DEFINE_WITH(user, uint64_t, user_t, .remote = &accel_redis_ops)
 *   user_cache_open(&users, &(accel_config){.area = "user", .remote = &redis});
 *
 * All caches and threads of an accel_redis share its connections: a pipelined one for data, one
 * that listens to invalidations, and, when there are large values, one for these. Background
 * threads open them, and reopen them after a failure. No call waits longer than its time limit,
 * whatever the server does. With Sentinels and in a cluster, one more thread discovers the servers.
 * Each server of a cluster has connections of its own; the servers' clocks should agree.
 *
 * In Redis a key is [prefix:]area:name, a channel [prefix:]accel:invalidation:area. An ACL user
 * needs +get +mget +set +unlink +del +scan +eval +evalsha +getrange +multi +exec
 * +publish +subscribe +unsubscribe +ping +time +select (+role with Sentinels, whose own users need
 * +sentinel|get-master-addr-by-name; +cluster|slots and +asking in a cluster), its keys and its
 * channels; with
 * ACCEL_TRACKING also +client|id +client|tracking +client|getredir +rename
 * &__redis__:invalidate.
 *
 * Needs hiredis 0.14 or later (pkg-config hiredis), in the implementing file only, and for
 * rediss:// OpenSSL 3 (pkg-config openssl) with -DACCEL_REDIS_TLS.
 */
#ifndef ACCEL_BACKENDS_REDIS_H
#define ACCEL_BACKENDS_REDIS_H

#include "../accel/backend.h"

struct accel_observer;

/* How a process learns of changes by others. */
typedef enum accel_redis_coherence {
  ACCEL_PUBSUB = 0, /* messages of the writers, on a channel */
  /* The same, and notifications by the server (Redis 6 and later) of changes by programs that do
   * not use accel, expiry, eviction and FLUSHALL. Not for a cluster. */
  ACCEL_TRACKING
} accel_redis_coherence;

#define ACCEL_NO_SPIN UINT32_MAX

/* Zero selects the default of every field. Strings are copied. */
typedef struct accel_redis_config {
  /* redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path.
   * redis+sentinel://[user:password@]host[:port],.../name[/database]: the master with this name, as
   * reported by these Sentinels; user and password are for the master, sentinel_user and
   * sentinel_password for the Sentinels.
   * redis+cluster://[user:password@]host[:port],...: a cluster that contains these servers.
   * With both, at most 127 servers can be in use at the same time; calls for keys of one more fail,
   * and the error says so. When a server is gone, its place is reused.
   * rediss+sentinel:// and rediss+cluster://: the same over TLS, for Sentinels and servers.
   * User, password and path may be percent-encoded. NULL: redis://127.0.0.1:6379.
   * One copy of the password is kept until close for reconnecting, in a page that is excluded from
   * core dumps, and wiped by close. All other copies are wiped after use; the caller wipes `url`.
   */
  const char *url;
  const char *key_prefix;      /* none; else 1 to 64 of [A-Za-z0-9_.-] */
  uint32_t connect_timeout_ms; /* 1000; of one attempt in the background; not ACCEL_FOREVER */
  /* 50; for any call, or each block of a large batch; not ACCEL_FOREVER. A call with values of more
   * than 256 KiB has 1 ms more for every 8 KiB: of what it stores, or of max_value_bytes for each
   * value that it reads. But a read gives up when no byte arrives for command_timeout_ms. */
  uint32_t command_timeout_ms;
  /* 100, at most 1000000, and within the call's deadline: how long a waiting thread spins for its
   * reply before it sleeps; other threads may run meanwhile. On the same machine or a near one,
   * replies arrive sooner than a sleeping thread wakes up; if they arrive later, spinning is only
   * tried rarely. ACCEL_NO_SPIN: waiting threads sleep at once. */
  uint32_t spin_us;
  /* 8 MiB, at most 512 MiB - 64. A larger value is not written; a larger value in Redis is a miss,
   * and a load replaces it. So use the same limit in all processes that share an area. */
  size_t max_value_bytes;
  accel_redis_coherence coherence; /* ACCEL_PUBSUB */
  /* For rediss urls only, which need OpenSSL 3 and ACCEL_REDIS_TLS defined in the implementing
   * file. TLS 1.2 or later; the certificate and the name of every server are always verified. Files
   * are PEM and only read by open. */
  const char *tls_ca_file;          /* certificate authorities; the system's */
  const char *tls_certificate_file; /* the client's certificate with its chain; none */
  const char *tls_key_file;         /* its key; group and others must have no access */
  const char *tls_server_name;      /* the name in each certificate; the server's host */
  /* For sentinel urls only: credentials for the Sentinels. None; with a password and no user: the
   * default user. Kept and wiped like those of the url. */
  const char *sentinel_user, *sentinel_password;
  /* NULL: none; shows the servers: connections, breaker, requests (accel/observer.h). It must
   * outlive this. */
  struct accel_observer *observer;
} accel_redis_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_redis {
  struct accel_redis_state *state;
} accel_redis;

ACCEL_EXTERN_C_BEGIN

/* Checks the configuration and starts the background threads. It does not wait for the server and
 * does not fail if the server is down. Calls during the first attempt to connect wait for it,
 * within their own limits; later calls fail at once while there is no connection. OK; CONFIG: a
 * NULL, or a field that accel_redis_last_error names; or it is open already, and stays open; NOMEM:
 * no memory, thread or descriptor. After any other failure it is closed. Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_redis_open(accel_redis *redis, const accel_redis_config *config);

/* Ends the threads and the connections and frees everything. Close the caches that use it first; if
 * some are still open, they keep what they need, and the last one to close ends it. Waits at most
 * connect_timeout_ms for a name lookup by the system's resolver, then leaves the lookup running. In
 * a forked child it touches neither threads nor the server. Does nothing for a closed one or NULL.
 * Threads: exclusive use. */
void accel_redis_close(accel_redis *redis);

/* Checks that the server answers, that this process may listen to its channels, and that the server
 * refuses no required command, for lack of a permission or because it does not have it
 * (docs/coherence.md, "Missing commands"); otherwise the error names the commands and what does not
 * work without them. Sends each command in a form that changes nothing. OK, TIMEOUT, BACKEND;
 * CONFIG: NULL, closed, or opened before a fork. Waits at most command_timeout_ms. Threads: any. */
accel_status accel_redis_ping(accel_redis *redis);

/* Changes the credentials of new connections: to the server, to all servers of a cluster, to the
 * master that Sentinels name (not to the Sentinels themselves). Open connections continue;
 * connections that are down are retried at once. user NULL or "": the server's default user. Both
 * texts are copied, the old ones wiped. During a rotation, let the server accept both passwords, or
 * change the password here first: a connection that breaks in between is reopened when both agree.
 * OK; CONFIG: redis is NULL, closed, or opened before a fork; or the password is NULL or empty, or
 * a text is longer than 16384 bytes; NOMEM: nothing is changed. Threads: any. */
accel_status accel_redis_set_password(accel_redis *redis, const char *user_or_null,
                                      const char *password);

/* This thread's last failure as one sentence, if it was on `redis`, else "". Never contains a
 * password. Valid until the thread's next failure. Threads: each sees its own. */
const char *accel_redis_last_error(const accel_redis *redis);

/* For the trait .remote = &accel_redis_ops; accel_config.remote is then an accel_redis. */
extern const accel_remote_ops accel_redis_ops;

ACCEL_EXTERN_C_END

#endif

#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_BACKENDS_REDIS_IMPLEMENTED)
#define ACCEL_BACKENDS_REDIS_IMPLEMENTED
#include "redis/attach.c"
#include "redis/channel/hearing.c"
#include "redis/channel/listener.c"
#include "redis/channel/tracking.c"
#include "redis/observe.c"
#include "redis/open.c"
#include "redis/operations/append.c"
#include "redis/operations/blocks.c"
#include "redis/operations/call.c"
#include "redis/operations/clear.c"
#include "redis/operations/command.c"
#include "redis/operations/lease.c"
#include "redis/operations/read.c"
#include "redis/operations/removal.c"
#include "redis/operations/scatter.c"
#include "redis/operations/transaction.c"
#include "redis/operations/write.c"
#include "redis/routing/discovery.c"
#include "redis/routing/route.c"
#include "redis/server/backoff.c"
#include "redis/server/breaker.c"
#include "redis/server/commands.c"
#include "redis/server/connection.c"
#include "redis/server/connection_io.c"
#include "redis/server/connection_validate.c"
#include "redis/server/connection_wait.c"
#include "redis/server/endpoint.c"
#include "redis/server/endpoint_news.c"
#include "redis/server/error_reply.c"
#include "redis/server/news.c"
#include "redis/server/retry_budget.c"
#include "redis/server/spin.c"
#include "redis/server/value_sizes.c"
#include "redis/server/wake.c"
#include "redis/wire/address.c"
#include "redis/wire/command.c"
#include "redis/wire/credentials.c"
#include "redis/wire/reply.c"
#include "redis/wire/settings.c"
#include "redis/wire/signal.c"
#include "redis/wire/slots.c"
#include "redis/wire/socket.c"
#include "redis/wire/stream.c"
#include "redis/wire/tls.c"
#include "redis/wire/url.c"
#endif

/* redis.h: Redis as L2 and as the channel on which processes tell each other what changed.
 *
 *   accel_redis redis;
 *   accel_redis_config where = {.url = "redis://127.0.0.1:6379"};
 *   if (accel_failed(accel_redis_open(&redis, &where))) ... accel_redis_last_error(&redis) ...
 *
 *   ACCEL_DEFINE_WITH(user, uint64_t, user_t, .remote = &accel_redis_ops)
 *   user_cache_open(&users, &(accel_config){.area = "user", .remote = &redis});
 *
 * All caches and threads of an accel_redis share its connections: one for data, pipelined, one that
 * listens to invalidations, and one for large values once there are any. Background threads make
 * them and make them again after a failure. No call waits longer than its time limit, whatever the
 * server does. With Sentinels, and in a cluster, a further thread finds out where the servers are;
 * of a cluster each server has connections of its own, and their clocks should agree.
 *
 * In Redis a key is [prefix:]area:name, a channel [prefix:]accel:invalidation:area. A user of an
 * access list needs +get +mget +set +unlink +del +scan +eval +evalsha +getrange +multi +exec
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

/* How a process hears what others changed. */
typedef enum accel_redis_coherence {
  ACCEL_PUBSUB = 0, /* messages of the writers, on a channel */
  /* These, and what the server itself tells (Redis 6 and later): also changes by programs that do
   * not use accel, expiry, eviction, FLUSHALL. Not for a cluster. */
  ACCEL_TRACKING
} accel_redis_coherence;

#define ACCEL_NO_SPIN UINT32_MAX

/* Zero is the default of every field. Strings are copied. */
typedef struct accel_redis_config {
  /* redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path.
   * redis+sentinel://[user:password@]host[:port],.../name[/database]: the master that these
   * Sentinels call by this name; user and password are the master's, sentinel_user and
   * sentinel_password those of the Sentinels.
   * redis+cluster://[user:password@]host[:port],...: a cluster, of which these are some servers.
   * Of both at most 127 servers are in use at a time; keys of a further one fail, and the error
   * says so. The place of a server that is gone is used again.
   * rediss+sentinel:// and rediss+cluster://: these over TLS, Sentinels as well as servers.
   * User, password and path may be percent-encoded. NULL: redis://127.0.0.1:6379.
   * One copy is kept until close, to sign in again, in a page that core dumps leave out, and wiped
   * then. Nothing else holds the password but what sends it; the caller wipes the text itself. */
  const char *url;
  const char *key_prefix;      /* none; else 1 to 64 of [A-Za-z0-9_.-] */
  uint32_t connect_timeout_ms; /* 1000, for an attempt in the background; not ACCEL_FOREVER */
  /* 50, for any call, or each block of a large batch; not ACCEL_FOREVER. A call about values of
   * more than 256 KiB has a ms more for every 8 KiB of them: of what it stores, or of
   * max_value_bytes for each value it reads; but a read still gives up when nothing has arrived
   * for command_timeout_ms. */
  uint32_t command_timeout_ms;
  /* 100, at most 1000000, and within the call's deadline: for so long a thread that waits looks for
   * its reply before it sleeps, letting other threads run meanwhile. On the same machine, or near,
   * replies come sooner than a sleeping thread would be awake; where they come later, this is tried
   * but rarely. ACCEL_NO_SPIN: threads that wait do nothing but sleep. */
  uint32_t spin_us;
  /* 8 MiB, at most 512 MiB - 64. A larger value is not written; one that is met in Redis is no
   * value, and a load replaces it, so processes that share an area agree on it. */
  size_t max_value_bytes;
  accel_redis_coherence coherence; /* ACCEL_PUBSUB */
  /* Of rediss urls only, which need OpenSSL 3 and ACCEL_REDIS_TLS defined where accel is
   * implemented. TLS 1.2 or later; certificate and name of the server are always verified, each by
   * itself where there are several. Files are PEM and read by open only. */
  const char *tls_ca_file;          /* who may sign the server's certificate; the system's */
  const char *tls_certificate_file; /* the client's, with its chain; none */
  const char *tls_key_file;         /* for it; group and others may have no access */
  const char *tls_server_name;      /* what each certificate must name; the server's own host */
  /* Of sentinel urls only: who enters at the Sentinels. None; a password without a user: the
   * default user. Kept and wiped as those of the url. */
  const char *sentinel_user, *sentinel_password;
} accel_redis_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_redis {
  struct accel_redis_state *state;
} accel_redis;

ACCEL_EXTERN_C_BEGIN

/* Checks the configuration and starts the background threads. Does not wait for the server and
 * does not fail because it is down: calls made before the first attempt to connect is over wait
 * for it, within their own limits; later ones fail at once while there is no connection.
 * OK; CONFIG: a NULL, or a field that accel_redis_last_error names; or it is open already, and
 * stays open; NOMEM: also no thread or no descriptor. After any other failure it is closed.
 * Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_redis_open(accel_redis *redis, const accel_redis_config *config);

/* Ends the threads and the connections and frees everything. Caches that were opened with it are
 * closed before; where some are not, they keep what they need, and the last of them to close ends
 * it. Waits for the system's resolver, if it is looking up a host's name, connect_timeout_ms at
 * most; then it is left alone. In a forked child it touches neither threads nor the server. Nothing
 * happens to a closed one, or NULL. Threads: exclusive use. */
void accel_redis_close(accel_redis *redis);

/* Asks the server for a sign of life, and says if it keeps this process from hearing of changes, or
 * refuses a command without which something is lost, for want of a permission or because it is
 * missing (docs/coherence.md, "Missing commands"): the text names the commands, and what
 * is lost. Sends each of them in a form that changes nothing. OK, TIMEOUT, BACKEND; CONFIG: NULL,
 * closed, or opened before a fork. Waits command_timeout_ms at most. Threads: any. */
accel_status accel_redis_ping(accel_redis *redis);

/* From now on new connections sign in so: to the server, to each one of a cluster, to the master
 * that Sentinels name (at the Sentinels themselves nothing changes). Those that stand go on as they
 * are, and those that are down try at once. user NULL or "": the server's default user. Both are
 * copied, the former ones wiped. While passwords are changed, let the server accept both, or be
 * told here first: a connection that breaks between is made anew as soon as both agree. OK; CONFIG:
 * redis is NULL, closed, or opened before a fork, or the password NULL, empty, or, as the user,
 * longer than 16384 bytes; NOMEM: nothing is changed. Threads: any. */
accel_status accel_redis_set_password(accel_redis *redis, const char *user_or_null,
                                      const char *password);

/* What went wrong, as one sentence, if this thread's last failure was on `redis`, else "". Never
 * holds a password. Valid until the thread's next failure. Threads: each sees its own. */
const char *accel_redis_last_error(const accel_redis *redis);

/* What a cache is defined with: .remote = &accel_redis_ops. Its `remote` is an accel_redis. */
extern const accel_remote_ops accel_redis_ops;

ACCEL_EXTERN_C_END

#endif

#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_BACKENDS_REDIS_IMPLEMENTED)
#define ACCEL_BACKENDS_REDIS_IMPLEMENTED
#include "redis/channel/hearing.c"
#include "redis/channel/listener.c"
#include "redis/channel/tracking.c"
#include "redis/link.c"
#include "redis/open.c"
#include "redis/operations/blocks.c"
#include "redis/operations/call.c"
#include "redis/operations/clear.c"
#include "redis/operations/lease.c"
#include "redis/operations/read.c"
#include "redis/operations/removal.c"
#include "redis/operations/scatter.c"
#include "redis/operations/write.c"
#include "redis/operations/write_block.c"
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
#include "redis/server/wake.c"
#include "redis/wire/address.c"
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

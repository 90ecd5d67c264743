/* url.h: where a Redis is, and as which user to sign in (backend redis).
 *
 *   redis://[user:password@]host[:port][/database]                         one server
 *   rediss://[user:password@]host[:port][/database]                        one server, over TLS
 *   unix:///path                                                           one on this machine
 *   redis+sentinel://[user:password@]host[:port],.../name[/database]       what Sentinels watch
 *   redis+cluster://[user:password@]host[:port],...                        some of a cluster
 *   rediss+sentinel://..., rediss+cluster://...                            the same over TLS
 *
 * User, password and path may be percent-encoded. No text made here or elsewhere quotes a part of
 * a URL that could hold a password, not even one that was put in the wrong place.
 * Threads: a parsed URL is constant.
 */
#ifndef ACCEL_BACKENDS_REDIS_URL_H
#define ACCEL_BACKENDS_REDIS_URL_H

#include "../../../accel/status.h"

#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"
#define REDIS_URL_HOST_MAX 255
#define REDIS_URL_HOSTS_MAX 16u

typedef enum redis_url_kind {
  REDIS_URL_SERVER = 0,
  REDIS_URL_SENTINEL, /* the hosts are Sentinels, which know where the server is */
  REDIS_URL_CLUSTER   /* the hosts are some of the cluster's servers */
} redis_url_kind;

typedef struct redis_url_host {
  const char *host; /* a name or an address without brackets; of a unix socket the path */
  const char *port; /* NULL: host is the path of a unix socket */
} redis_url_host;

typedef struct redis_url {
  redis_url_kind kind;
  bool is_tls;
  redis_url_host hosts[REDIS_URL_HOSTS_MAX];
  size_t host_count;       /* 1, unless the kind allows more */
  const char *master_name; /* what the Sentinels call it; else NULL */
  const char *host;        /* of the first of the hosts */
  const char *port;
  const char *user;     /* NULL: the server's default user */
  const char *password; /* NULL: none is asked for */
  uint32_t database;
  char *memory; /* all of the strings; pages that no core dump shows */
  size_t memory_size;
} redis_url;

ACCEL_EXTERN_C_BEGIN

/* OK, NOMEM; CONFIG with a text for `owner` (error.h). On failure nothing is held. */
accel_status accel_redis_url_parse(const void *owner, const char *text, redis_url *url);
/* Wipes user and password, of which somebody else has a copy now. */
void accel_redis_url_forget_password(redis_url *url);
/* Wipes the password and frees the memory. */
void accel_redis_url_release(redis_url *url);

ACCEL_EXTERN_C_END
#endif

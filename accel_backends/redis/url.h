/* url.h: where a Redis is and who may enter (backend redis).
 *
 *   redis://[user:password@]host[:port][/database]     unix:///path
 *
 * User, password and path may be percent-encoded. No text made here or elsewhere quotes a part of
 * a URL that could hold a password, not even one that was put in the wrong place.
 * Threads: a parsed URL is constant.
 */
#ifndef ACCEL_BACKENDS_REDIS_URL_H
#define ACCEL_BACKENDS_REDIS_URL_H

#include "../../accel/status.h"

#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"

typedef struct redis_url {
  const char *host;     /* a name or an address without brackets; of a unix socket the path */
  const char *port;     /* NULL: host is the path of a unix socket */
  const char *user;     /* NULL: the server's default user */
  const char *password; /* NULL: none is asked for */
  uint32_t database;
  char *memory; /* all of the strings */
  size_t memory_size;
} redis_url;

ACCEL_EXTERN_C_BEGIN

/* OK, NOMEM; CONFIG with a text for `owner` (error.h). On failure nothing is held. */
accel_status accel_redis_url_parse(const void *owner, const char *text, redis_url *url);
/* Wipes the password and frees the memory. */
void accel_redis_url_release(redis_url *url);

ACCEL_EXTERN_C_END
#endif

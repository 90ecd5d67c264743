/* news.h: reports changes of the servers to the caches, for their logs (backend redis).
 *
 * Each subject that can change (a connection, a breaker, the place of the servers) remembers its
 * last change. So each change is reported once, and a cache that is attached later gets what is out
 * of order by then. Caches are called with the list's mutex held, which gives all changes one
 * order; they only take note (backend.h). So this may be called with any other lock held.
 *
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_NEWS_H
#define ACCEL_BACKENDS_REDIS_NEWS_H

#include "../../../accel/backend.h"
#include "../wire/wire.h"

#define REDIS_NEWS_SERVER (REDIS_ADDRESS_TEXT + 32) /* the address, and " (for large values)" */

/* Zeroed: nothing was reported. */
typedef struct redis_news_subject {
  accel_remote_change last; /* with the mutex */
  char server[REDIS_NEWS_SERVER];
  char why[REDIS_SOCKET_TEXT];
  bool is_listed;
  struct redis_news_subject *next;
} redis_news_subject;

/* A cache. */
typedef struct redis_news_reader {
  void (*tell)(void *ctx, const accel_remote_news *news); /* NULL: it wants no changes */
  void *ctx;
  struct redis_news_reader *next;
} redis_news_reader;

typedef struct redis_news {
  accel_mutex mutex;            /* guards what follows */
  redis_news_reader *readers;   /* those that want changes */
  redis_news_subject *subjects; /* they live as long as the accel_redis */
} redis_news;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. */
bool accel_redis_news_open(redis_news *news);
void accel_redis_news_close(redis_news *news);

/* Reports to the reader what is out of order, and every change until remove returns. */
void accel_redis_news_add(redis_news *news, redis_news_reader *reader);
void accel_redis_news_remove(redis_news *news, redis_news_reader *reader);

/* Reports a change to all readers, unless it was the subject's last one. `server` NULL: that of the
 * last one. */
void accel_redis_news_tell(redis_news *news, redis_news_subject *subject,
                           accel_remote_change change, const char *server_or_null, const char *why);
/* Forgets the last change, because it does not hold any more, and reports nothing. */
void accel_redis_news_forget(redis_news *news, redis_news_subject *subject);
/* The last change. */
accel_remote_change accel_redis_news_last(redis_news *news, const redis_news_subject *subject);

ACCEL_EXTERN_C_END
#endif

/* news.h: tells the caches' logs what changed about the servers (backend redis).
 *
 * Each subject that can change (a connection, a breaker, the place of the servers) remembers what
 * was told of it last. So a change is told once, and a cache that is attached later is told what
 * is out of order by then. Caches are told with the list's mutex held, which gives all changes one
 * order; they only take note (backend.h). So this may be called with any other lock held.
 *
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_NEWS_H
#define ACCEL_BACKENDS_REDIS_NEWS_H

#include "../../../accel/backend.h"
#include "../wire/wire.h"

#define REDIS_NEWS_SERVER (REDIS_ADDRESS_TEXT + 32) /* the address, and " (for large values)" */

/* Zeroed: nothing was said. */
typedef struct redis_news_subject {
  accel_remote_change last; /* with the mutex */
  char server[REDIS_NEWS_SERVER];
  char why[REDIS_SOCKET_TEXT];
  bool is_listed;
  struct redis_news_subject *next;
} redis_news_subject;

/* A cache that is told. */
typedef struct redis_news_reader {
  void (*tell)(void *ctx, const accel_remote_news *news); /* NULL: it wants to hear nothing */
  void *ctx;
  struct redis_news_reader *next;
} redis_news_reader;

typedef struct redis_news {
  accel_mutex mutex;            /* guards what follows */
  redis_news_reader *readers;   /* those that want to be told */
  redis_news_subject *subjects; /* they live as long as the accel_redis */
} redis_news;

ACCEL_EXTERN_C_BEGIN

/* False: no memory. */
bool accel_redis_news_open(redis_news *news);
void accel_redis_news_close(redis_news *news);

/* Tells the reader what is out of order, and every change until remove returns. */
void accel_redis_news_add(redis_news *news, redis_news_reader *reader);
void accel_redis_news_remove(redis_news *news, redis_news_reader *reader);

/* Tells all readers, unless this was told last. `server` NULL: as in what was told last. */
void accel_redis_news_tell(redis_news *news, redis_news_subject *subject,
                           accel_remote_change change, const char *server_or_null, const char *why);
/* Forgets what was told, which is not true any more; nobody is told. */
void accel_redis_news_forget(redis_news *news, redis_news_subject *subject);
/* What was told last. */
accel_remote_change accel_redis_news_last(redis_news *news, const redis_news_subject *subject);

ACCEL_EXTERN_C_END
#endif

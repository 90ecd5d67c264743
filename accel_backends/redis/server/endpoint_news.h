/* endpoint_news.h: reports changes of one connection and its breaker (backend redis).
 *
 * Threads: any; tried and lost only the keeper.
 */
#ifndef ACCEL_BACKENDS_REDIS_ENDPOINT_NEWS_H
#define ACCEL_BACKENDS_REDIS_ENDPOINT_NEWS_H

#include "breaker.h"
#include "connection.h"
#include "news.h"

typedef struct redis_endpoint_news {
  redis_news *news;
  redis_news_subject connection, breaker;
} redis_endpoint_news;

ACCEL_EXTERN_C_BEGIN

/* An attempt to connect to `server` has ended. */
void accel_redis_endpoint_news_tried(redis_endpoint_news *endpoint_news, const char *server,
                                     bool is_up, const char *why);
/* The connection is not up, whether or not that is new. `is_wanted`: it is to be made again. */
void accel_redis_endpoint_news_lost(redis_endpoint_news *endpoint_news,
                                    redis_connection *connection, bool is_wanted);
/* The breaker's state changed. With its mutex held. */
void accel_redis_endpoint_news_breaker(redis_endpoint_news *endpoint_news, const char *server,
                                       redis_breaker_state state);

ACCEL_EXTERN_C_END
#endif

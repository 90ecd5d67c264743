#include "endpoint_news.h"

void accel_redis_endpoint_news_tried(redis_endpoint_news *endpoint_news, const char *server,
                                     bool is_up, const char *why)
{
  accel_redis_news_tell(endpoint_news->news, &endpoint_news->connection,
                        is_up ? ACCEL_REMOTE_CONNECTED : ACCEL_REMOTE_DISCONNECTED, server,
                        is_up ? "" : why);
}

void accel_redis_endpoint_news_lost(redis_endpoint_news *endpoint_news,
                                    redis_connection *connection, bool is_wanted)
{
  redis_news *news = endpoint_news->news;
  redis_news_subject *said = &endpoint_news->connection;
  const accel_remote_change last = accel_redis_news_last(news, said);
  char why[REDIS_SOCKET_TEXT];
  if (last == ACCEL_REMOTE_UNCHANGED || last == ACCEL_REMOTE_RELEASED) return;
  if (!is_wanted) {
    accel_redis_news_tell(news, said, ACCEL_REMOTE_RELEASED, NULL, "");
    accel_redis_news_forget(news, &endpoint_news->breaker);
  } else if (last == ACCEL_REMOTE_CONNECTED) {
    accel_redis_connection_explain(connection, why);
    accel_redis_news_tell(news, said, ACCEL_REMOTE_DISCONNECTED, NULL, why);
  }
}

void accel_redis_endpoint_news_breaker(redis_endpoint_news *endpoint_news, const char *server,
                                       redis_breaker_state state)
{
  redis_news *news = endpoint_news->news;
  redis_news_subject *said = &endpoint_news->breaker;
  /* It was open for a server that is retired since. */
  if (state != REDIS_BREAKER_OPEN && accel_redis_news_last(news, said) == ACCEL_REMOTE_UNCHANGED)
    return;
  accel_redis_news_tell(news, said,
                        state == REDIS_BREAKER_OPEN        ? ACCEL_REMOTE_BREAKER_OPENED
                        : state == REDIS_BREAKER_HALF_OPEN ? ACCEL_REMOTE_BREAKER_HALF_OPENED
                                                           : ACCEL_REMOTE_BREAKER_CLOSED,
                        server, "");
}

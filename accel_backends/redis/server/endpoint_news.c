/* endpoint_news.c: what an endpoint tells of itself (backend redis). */
#include "endpoint.h"

#include "../state.h"

#include <stdio.h>

static void redis_endpoint_name(redis_endpoint *endpoint, bool is_bulk, char *name)
{
  char address[REDIS_ADDRESS_TEXT];
  redis_address *held = accel_redis_endpoint_hold_address(endpoint);
  accel_redis_socket_name(held, address, sizeof address);
  accel_redis_address_release(held, 0);
  snprintf(name, REDIS_NEWS_SERVER, "%s%s", address, is_bulk ? " (for large values)" : "");
}

void accel_redis_endpoint_tell_tried(redis_endpoint *endpoint, const redis_connection *connection,
                                     bool is_up, const char *why)
{
  const bool is_bulk = connection == &endpoint->bulk;
  char name[REDIS_NEWS_SERVER];
  redis_endpoint_name(endpoint, is_bulk, name);
  accel_redis_news_tell(
      &endpoint->state->news, is_bulk ? &endpoint->bulk_said : &endpoint->data_said,
      is_up ? ACCEL_REMOTE_CONNECTED : ACCEL_REMOTE_DISCONNECTED, name, is_up ? "" : why);
}

void accel_redis_endpoint_tell_lost(redis_endpoint *endpoint, redis_connection *connection,
                                    bool rests)
{
  redis_news *news = &endpoint->state->news;
  const bool is_bulk = connection == &endpoint->bulk;
  redis_news_subject *said = is_bulk ? &endpoint->bulk_said : &endpoint->data_said;
  const accel_remote_change last = accel_redis_news_last(news, said);
  char why[REDIS_SOCKET_TEXT];
  if (last == ACCEL_REMOTE_UNCHANGED || last == ACCEL_REMOTE_RELEASED) return;
  if (rests) {
    accel_redis_news_tell(news, said, ACCEL_REMOTE_RELEASED, NULL, "");
    accel_redis_news_forget(news, is_bulk ? &endpoint->bulk_breaker_said : &endpoint->breaker_said);
  } else if (last == ACCEL_REMOTE_CONNECTED) {
    accel_redis_connection_explain(connection, why);
    accel_redis_news_tell(news, said, ACCEL_REMOTE_DISCONNECTED, NULL, why);
  }
}

/* With the breaker's mutex held. */
static void redis_endpoint_tell_breaker(redis_endpoint *endpoint, bool is_bulk,
                                        redis_breaker_state state)
{
  redis_news *news = &endpoint->state->news;
  redis_news_subject *said = is_bulk ? &endpoint->bulk_breaker_said : &endpoint->breaker_said;
  char name[REDIS_NEWS_SERVER];
  /* One that was open for a server which is not in use any more. */
  if (state != REDIS_BREAKER_OPEN && accel_redis_news_last(news, said) == ACCEL_REMOTE_UNCHANGED)
    return;
  redis_endpoint_name(endpoint, is_bulk, name);
  accel_redis_news_tell(news, said,
                        state == REDIS_BREAKER_OPEN     ? ACCEL_REMOTE_BREAKER_OPENED
                        : state == REDIS_BREAKER_PROBED ? ACCEL_REMOTE_BREAKER_HALF_OPENED
                                                        : ACCEL_REMOTE_BREAKER_CLOSED,
                        name, "");
}

static void redis_endpoint_hear_breaker(void *endpoint, redis_breaker_state state)
{
  redis_endpoint_tell_breaker((redis_endpoint *)endpoint, false, state);
}

static void redis_endpoint_hear_bulk_breaker(void *endpoint, redis_breaker_state state)
{
  redis_endpoint_tell_breaker((redis_endpoint *)endpoint, true, state);
}

void accel_redis_endpoint_hear_breakers(redis_endpoint *endpoint)
{
  endpoint->breaker.changed = redis_endpoint_hear_breaker;
  endpoint->bulk_breaker.changed = redis_endpoint_hear_bulk_breaker;
  endpoint->breaker.ctx = endpoint->bulk_breaker.ctx = endpoint;
}

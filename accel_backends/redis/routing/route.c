#include "route.h"

#include "../../../accel/platform/atomic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list of endpoints ---- */

static redis_url_kind redis_route_kind(const redis_route *route)
{
  return route->context->settings->url.kind;
}

bool accel_redis_route_is_cluster(const redis_route *route)
{
  return redis_route_kind(route) == REDIS_URL_CLUSTER;
}

redis_endpoint *accel_redis_route_number(redis_route *route, size_t number)
{
  return accel_load_acquire(&route->endpoints[number]);
}

/* With the mutex held, or before anybody else knows the route. NULL: no memory or descriptors. */
static redis_endpoint *redis_route_add(redis_route *route, const char *host, const char *port)
{
  const size_t number = route->count;
  ACCEL_ASSERT(number < REDIS_ROUTE_ENDPOINTS_MAX && route->endpoints[number] == NULL);
  redis_endpoint *endpoint = (redis_endpoint *)ACCEL_MALLOC(sizeof *endpoint);
  if (endpoint == NULL) return NULL;
  if (!accel_redis_endpoint_open(endpoint, route->context, host, port)) goto fail_open;
  endpoint->number = (uint32_t)number;
  if (route->is_started && !accel_redis_endpoint_start(endpoint)) goto fail_start;
  accel_store_release(&route->endpoints[number], endpoint);
  accel_store_release(&route->count, number + 1);
  return endpoint;
fail_start:
  accel_redis_endpoint_close(endpoint);
fail_open:
  ACCEL_FREE(endpoint);
  return NULL;
}

/* With the mutex held. */
static redis_endpoint *redis_route_match(const redis_route *route, const char *host,
                                         const char *port)
{
  for (size_t i = 1; i < route->count; i++) {
    const redis_address *address = route->endpoints[i]->address;
    if (strcmp(address->port, port) == 0 && strcmp(address->host, host) == 0)
      return route->endpoints[i];
  }
  return NULL;
}

/* With the mutex held: the endpoint that has been retired for longest. NULL: none is. */
static redis_endpoint *redis_route_vacant(const redis_route *route)
{
  redis_endpoint *vacant = NULL;
  for (size_t i = 1; i < route->count; i++) {
    redis_endpoint *each = route->endpoints[i];
    if (i == route->main || !accel_load_acquire(&each->is_retired)) continue;
    if (vacant == NULL ||
        accel_load_relaxed(&each->retired_ms) < accel_load_relaxed(&vacant->retired_ms))
      vacant = each;
  }
  return vacant;
}

/* With the mutex held: an endpoint for a server that has none. */
static redis_endpoint *redis_route_place(redis_route *route, const char *host, const char *port)
{
  redis_endpoint *vacant = redis_route_vacant(route);
  const bool is_full = route->count == REDIS_ROUTE_ENDPOINTS_MAX;
  const bool is_gone =
      vacant != NULL && accel_clock_monotonic_ms() >= vacant->retired_ms + REDIS_ROUTE_GONE_MS;
  if (!is_full && !is_gone) return redis_route_add(route, host, port);
  if (vacant == NULL || !accel_redis_endpoint_replace(vacant, host, port)) return NULL;
  return vacant;
}

/* The endpoint of an address, in use from now on. NULL: no memory, or too many are in use. */
static redis_endpoint *redis_route_find(redis_route *route, const char *host, uint16_t port)
{
  char text[REDIS_ADDRESS_PORT_SIZE];
  snprintf(text, sizeof text, "%u", (unsigned)port);
  accel_mutex_lock(&route->mutex);
  redis_endpoint *found = redis_route_match(route, host, text);
  if (found == NULL) found = redis_route_place(route, host, text);
  ACCEL_ASSERT(found == NULL || (found->number > 0 && found->number < route->count));
  if (found != NULL) accel_redis_endpoint_retire(found, false);
  accel_mutex_unlock(&route->mutex);
  return found;
}

/* ---- life ---- */

bool accel_redis_route_open(redis_route *route, const redis_context *context)
{
  memset(route, 0, sizeof *route);
  const redis_url *url = &context->settings->url;
  route->context = context;
  route->is_discovered = redis_route_kind(route) == REDIS_URL_SERVER;
  if (!accel_mutex_open(&route->mutex)) return false;
  if (!accel_condition_open(&route->discovered)) goto fail_condition;
  if (redis_route_add(route, url->host, url->port) == NULL) goto fail_endpoint;
  if (!route->is_discovered) accel_redis_endpoint_retire(route->endpoints[0], true);
  return true;
fail_endpoint:
  accel_condition_close(&route->discovered);
fail_condition:
  accel_mutex_close(&route->mutex);
  return false;
}

bool accel_redis_route_start(redis_route *route)
{
  ACCEL_ASSERT(!route->is_started && route->count == 1);
  if (!accel_redis_endpoint_start(route->endpoints[0])) return false;
  route->is_started = true;
  return true;
}

void accel_redis_route_stop(redis_route *route)
{
  ACCEL_ASSERT(route->is_started);
  for (size_t i = 0; i < route->count; i++) accel_redis_endpoint_stop(route->endpoints[i]);
}

void accel_redis_route_close(redis_route *route)
{
  for (size_t i = 0; i < route->count; i++) {
    accel_redis_endpoint_close(route->endpoints[i]);
    ACCEL_FREE(route->endpoints[i]);
  }
  accel_condition_close(&route->discovered);
  accel_mutex_close(&route->mutex);
}

void accel_redis_route_abandon(redis_route *route)
{
  const size_t count = accel_load_acquire(&route->count);
  for (size_t i = 0; i < count; i++) {
    accel_redis_endpoint_abandon(route->endpoints[i]);
    ACCEL_FREE(route->endpoints[i]);
  }
}

/* ---- asking ---- */

static void redis_route_note_discovered(redis_route *route)
{
  if (accel_load_relaxed(&route->is_discovered)) return;
  accel_mutex_lock(&route->mutex);
  accel_store_release(&route->is_discovered, true);
  accel_condition_broadcast(&route->discovered);
  accel_mutex_unlock(&route->mutex);
}

void accel_redis_route_await_discovery(redis_route *route, uint64_t deadline_ms)
{
  if (ACCEL_LIKELY(accel_load_acquire(&route->is_discovered))) return;
  accel_mutex_lock(&route->mutex);
  while (!route->is_discovered)
    if (!accel_condition_wait(&route->discovered, &route->mutex, deadline_ms)) break;
  accel_mutex_unlock(&route->mutex);
}

redis_endpoint *accel_redis_route_main(redis_route *route)
{
  return accel_redis_route_number(route, accel_load_acquire(&route->main));
}

redis_endpoint *accel_redis_route_key(redis_route *route, uint16_t checksum, const char *key,
                                      size_t size)
{
  if (!accel_redis_route_is_cluster(route)) return accel_redis_route_main(route);
  const uint16_t slot = accel_redis_slot_add(checksum, key, size) % REDIS_SLOTS;
  return accel_redis_route_number(route, accel_load_relaxed(&route->owner[slot]));
}

static bool redis_route_owns(redis_route *route, size_t number)
{
  for (size_t slot = 0; slot < REDIS_SLOTS; slot++)
    if (accel_load_relaxed(&route->owner[slot]) == number) return true;
  return false;
}

redis_endpoint *accel_redis_route_next(redis_route *route, size_t *at)
{
  if (!accel_redis_route_is_cluster(route))
    return (*at)++ == 0 ? accel_redis_route_main(route) : NULL;
  const size_t count = accel_load_acquire(&route->count);
  while (++*at < count)
    if (redis_route_owns(route, *at)) return accel_redis_route_number(route, *at);
  return NULL;
}

static void redis_route_notify(const redis_route *route, redis_notice notice)
{
  route->context->notify(route->context->owner, notice);
}

void accel_redis_route_suspect(const redis_route *route)
{
  redis_route_notify(route, REDIS_NOTICE_SUSPECT);
}

void accel_redis_route_reconnect_now(redis_route *route)
{
  const size_t count = accel_load_acquire(&route->count);
  for (size_t i = 0; i < count; i++)
    accel_redis_endpoint_reconnect_now(accel_redis_route_number(route, i));
  accel_redis_route_suspect(route);
}

/* Error replies of a server that lost its role, or does not have it yet. */
static bool redis_route_is_displaced(const redis_replies *replies, const redis_reply *reply)
{
  static const char *const starts[] = {"CLUSTERDOWN", "MASTERDOWN", "READONLY", "LOADING"};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    if (accel_redis_reply_fails(replies, reply, starts[i])) return true;
  return false;
}

bool accel_redis_route_redirect(redis_route *route, redis_endpoint *endpoint,
                                const redis_replies *replies, size_t i, redis_redirection *out)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  redis_slots_moved moved;
  *out = (redis_redirection){0};
  if (redis_route_is_displaced(replies, &reply)) accel_redis_route_suspect(route);
  if (!accel_redis_route_is_cluster(route)) return false;
  if (accel_redis_reply_fails(replies, &reply, "TRYAGAIN")) {
    out->must_wait = true;
    return true;
  }
  const bool is_moved = accel_redis_slots_read_moved(replies, i, "MOVED ", &moved);
  if (!is_moved && !accel_redis_slots_read_moved(replies, i, "ASK ", &moved)) return false;
  redis_address *own = accel_redis_endpoint_hold_address(endpoint);
  const char *host = moved.server.host[0] == '\0' ? own->host : moved.server.host;
  const redis_endpoint *target = redis_route_find(route, host, moved.server.port);
  accel_redis_address_release(own, 0);
  if (target == NULL) return false;
  ACCEL_ASSERT(target->number > 0);
  out->number = target->number;
  out->must_ask = !is_moved;
  if (!is_moved) return true;
  accel_store_relaxed(&route->owner[moved.slot], (uint8_t)target->number);
  accel_redis_route_suspect(route); /* where one slot went, others may follow */
  return true;
}

/* ---- what discovery found ---- */

static void redis_route_move_main(redis_route *route, const redis_endpoint *endpoint)
{
  ACCEL_ASSERT(endpoint->number < route->count);
  if (accel_load_relaxed(&route->main) == endpoint->number) return;
  accel_store_release(&route->main, (size_t)endpoint->number);
  redis_route_notify(route, REDIS_NOTICE_MAIN);
}

/* SERVERS_FOUND is told only after SERVERS_LOST. */
static void redis_route_tell(redis_route *route, const char *why_or_null)
{
  redis_news *news = route->context->news;
  if (why_or_null != NULL)
    accel_redis_news_tell(news, &route->said, ACCEL_REMOTE_SERVERS_LOST, "", why_or_null);
  else if (accel_redis_news_last(news, &route->said) == ACCEL_REMOTE_SERVERS_LOST)
    accel_redis_news_tell(news, &route->said, ACCEL_REMOTE_SERVERS_FOUND, "", "");
}

static void redis_route_fail(redis_route *route, const char *why)
{
  redis_endpoint *nowhere = route->endpoints[0];
  accel_redis_connection_adopt(redis_endpoint_data(nowhere), NULL, why);
  redis_route_note_discovered(route);
}

static bool redis_route_has_server(const redis_slots_map *map, const redis_address *address)
{
  char port[REDIS_ADDRESS_PORT_SIZE];
  for (size_t i = 0; i < map->server_count; i++) {
    snprintf(port, sizeof port, "%u", (unsigned)map->servers[i].port);
    if (strcmp(map->servers[i].host, address->host) == 0 && strcmp(port, address->port) == 0)
      return true;
  }
  return false;
}

/* Retires servers that are not in the map, so that new ones get their places. */
static void redis_route_retire_missing(redis_route *route, const redis_slots_map *map)
{
  accel_mutex_lock(&route->mutex);
  for (size_t i = 1; i < route->count; i++)
    if (i != accel_load_relaxed(&route->main) &&
        !redis_route_has_server(map, route->endpoints[i]->address))
      accel_redis_endpoint_retire(route->endpoints[i], true);
  accel_mutex_unlock(&route->mutex);
}

/* Retires endpoints to which no key leads. */
static void redis_route_retire_unused(redis_route *route)
{
  for (size_t i = 1; i < route->count; i++)
    if (i != accel_load_relaxed(&route->main) && !redis_route_owns(route, i))
      accel_redis_endpoint_retire(route->endpoints[i], true);
}

/* Explains why keys lead to endpoint 0. The number of servers is limited, because each has lanes
 * of its own. */
static void redis_route_explain_nowhere(redis_route *route, bool lacks_servers)
{
  char text[REDIS_SOCKET_TEXT] = "no server owns the slot of the key";
  if (lacks_servers && accel_load_relaxed(&route->count) == REDIS_ROUTE_ENDPOINTS_MAX)
    snprintf(text, sizeof text,
             "the cluster has more than %u servers, the most that one accel_redis uses at a time",
             REDIS_ROUTE_ENDPOINTS_MAX - 1);
  else if (lacks_servers)
    snprintf(text, sizeof text, "no memory or descriptor for the server that has the key");
  accel_redis_connection_adopt(redis_endpoint_data(route->endpoints[0]), NULL, text);
  const bool is_lacking = lacks_servers || redis_route_owns(route, 0);
  redis_route_tell(route, is_lacking ? text : NULL);
}

void accel_redis_route_apply_map(redis_route *route, const redis_slots_map *map_or_null,
                                 const char *why)
{
  if (map_or_null == NULL) {
    redis_route_tell(route, why);
    redis_route_fail(route, why);
    return;
  }
  ACCEL_ASSERT(accel_redis_route_is_cluster(route));
  ACCEL_ASSERT(map_or_null->server_count <= REDIS_SLOTS_SERVERS_MAX);
  uint8_t numbers[REDIS_SLOTS_UNOWNED + 1] = {0};
  bool lacks_servers = false;
  redis_route_retire_missing(route, map_or_null);
  for (size_t i = 0; i < map_or_null->server_count; i++) {
    const redis_slots_server *server = &map_or_null->servers[i];
    const redis_endpoint *endpoint = redis_route_find(route, server->host, server->port);
    if (endpoint != NULL) numbers[i] = (uint8_t)endpoint->number;
    lacks_servers |= endpoint == NULL;
  }
  for (size_t slot = 0; slot < REDIS_SLOTS; slot++)
    accel_store_relaxed(&route->owner[slot], numbers[map_or_null->owner[slot]]);
  const size_t main = accel_load_relaxed(&route->main);
  size_t at = 0;
  if (main == 0 || !redis_route_owns(route, main)) {
    const redis_endpoint *other = accel_redis_route_next(route, &at);
    if (other != NULL) redis_route_move_main(route, other);
  }
  redis_route_retire_unused(route);
  redis_route_explain_nowhere(route, lacks_servers);
  redis_route_note_discovered(route);
}

void accel_redis_route_apply_master(redis_route *route, const redis_slots_server *master_or_null,
                                    const char *why)
{
  const redis_endpoint *master = NULL;
  ACCEL_ASSERT(redis_route_kind(route) == REDIS_URL_SENTINEL);
  if (master_or_null == NULL) {
    redis_route_tell(route, why);
    if (accel_load_relaxed(&route->main) == 0) redis_route_fail(route, why);
    return;
  }
  master = redis_route_find(route, master_or_null->host, master_or_null->port);
  if (master == NULL)
    redis_route_explain_nowhere(route, true);
  else
    redis_route_tell(route, NULL);
  /* The former master must not be used any more, even if there is no room for the new one. */
  redis_route_move_main(route, master == NULL ? route->endpoints[0] : master);
  redis_route_retire_unused(route);
  redis_route_note_discovered(route);
}

void accel_redis_route_change_main(redis_route *route)
{
  if (!accel_redis_route_is_cluster(route)) return;
  const size_t main = accel_load_relaxed(&route->main);
  size_t at = 0;
  for (redis_endpoint *each; (each = accel_redis_route_next(route, &at)) != NULL;) {
    if (each->number == main || !accel_redis_connection_is_up(redis_endpoint_data(each))) continue;
    accel_store_release(&route->main, (size_t)each->number);
    return;
  }
}

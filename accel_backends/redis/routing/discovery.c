#include "discovery.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_DISCOVERY_TEXT_MAX 65536u /* bytes of one text in a reply */

static const redis_url *redis_discovery_url(const redis_discovery *discovery)
{
  return &discovery->route->context->settings->url;
}

/* ---- asking ---- */

/* Opens a connection, asks, closes it. False: dial->error says why; *replies is empty. */
static bool redis_discovery_ask(redis_dial *dial, const char *const *words, redis_replies *replies)
{
  redis_stream stream;
  accel_buffer command = {0};
  memset(replies, 0, sizeof *replies);
  if (!accel_redis_stream_open(&stream, dial, REDIS_DISCOVERY_TEXT_MAX, "accel-discovery"))
    return false;
  bool asked = accel_redis_command_append_words(&command, words);
  if (!asked) snprintf(dial->error, sizeof dial->error, "no memory to ask where the servers are");
  asked = asked && accel_redis_stream_exchange(&stream, dial, &command, 1, replies);
  accel_buffer_release(&command);
  accel_redis_stream_close(&stream);
  if (!asked) accel_redis_replies_release(replies);
  return asked;
}

/* ---- a cluster ---- */

/* Asks one server for the map. True: it was applied. */
static bool redis_discovery_take_map(redis_discovery *discovery, redis_dial *dial,
                                     redis_slots_map *map)
{
  redis_replies replies;
  if (!redis_discovery_ask(dial, REDIS_WORDS("CLUSTER", "SLOTS"), &replies)) return false;
  const redis_reply whole = accel_redis_reply_at(&replies, 0);
  const char *why = accel_redis_slots_read(&replies, 0, map);
  if (whole.kind == REDIS_REPLY_IS_ERROR)
    accel_redis_stream_explain(&replies, 0, "CLUSTER SLOTS", dial->error);
  else if (why != NULL)
    snprintf(dial->error, sizeof dial->error, "CLUSTER SLOTS: %s", why);
  accel_redis_replies_release(&replies);
  if (why != NULL) return false;
  for (size_t i = 0; i < map->server_count; i++)
    if (map->servers[i].host[0] == '\0')
      memcpy(map->servers[i].host, dial->address->host, sizeof map->servers[i].host);
  accel_redis_route_apply_map(discovery->route, map, NULL);
  return true;
}

/* ---- Sentinels ---- */

/* Asks one Sentinel. True: its answer was applied. */
static bool redis_discovery_take_master(redis_discovery *discovery, redis_dial *dial,
                                        redis_slots_map *unused)
{
  const char *name = redis_discovery_url(discovery)->master_name;
  redis_slots_server master;
  redis_replies replies;
  (void)unused;
  if (!redis_discovery_ask(dial, REDIS_WORDS("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
                           &replies))
    return false;
  const char *why = accel_redis_slots_read_address(&replies, 0, &master);
  const redis_reply whole = accel_redis_reply_at(&replies, 0);
  if (whole.kind == REDIS_REPLY_IS_ERROR)
    accel_redis_stream_explain(&replies, 0, "SENTINEL", dial->error);
  else if (whole.kind == REDIS_REPLY_IS_NIL)
    snprintf(dial->error, sizeof dial->error, "the Sentinel knows no master \"%.64s\"", name);
  else if (why != NULL)
    snprintf(dial->error, sizeof dial->error, "SENTINEL GET-MASTER-ADDR-BY-NAME: %s", why);
  accel_redis_replies_release(&replies);
  if (why != NULL) return false;
  accel_redis_route_apply_master(discovery->route, &master, NULL);
  return true;
}

/* ---- a look ---- */

typedef bool redis_discovery_take(redis_discovery *discovery, redis_dial *dial,
                                  redis_slots_map *map);

static bool redis_discovery_visit(redis_discovery *discovery, redis_address *address,
                                  redis_discovery_take *take, redis_slots_map *map, char *error)
{
  const redis_settings *settings = discovery->route->context->settings;
  redis_dial dial = accel_redis_settings_dial(settings, address, discovery->signals.stop_fd);
  if (settings->url.kind == REDIS_URL_SENTINEL) dial.credentials = settings->sentinel_credentials;
  if (take(discovery, &dial, map)) return true;
  accel_redis_socket_name_failure(address, dial.error);
  memcpy(error, dial.error, sizeof dial.error);
  return false;
}

/* Asks servers that are connected before the URL's hosts, which may be long gone. */
static bool redis_discovery_visit_known(redis_discovery *discovery, redis_slots_map *map,
                                        char *error)
{
  size_t at = 0;
  bool found = false;
  for (redis_endpoint *each;
       !found && (each = accel_redis_route_next(discovery->route, &at)) != NULL;) {
    if (!accel_redis_connection_is_up(redis_endpoint_data(each))) continue;
    redis_address *address = accel_redis_endpoint_hold_address(each);
    found = redis_discovery_visit(discovery, address, redis_discovery_take_map, map, error);
    accel_redis_address_release(address, 0);
  }
  return found;
}

static bool redis_discovery_look(redis_discovery *discovery)
{
  const bool is_cluster = accel_redis_route_is_cluster(discovery->route);
  redis_discovery_take *take = is_cluster ? redis_discovery_take_map : redis_discovery_take_master;
  char error[REDIS_SOCKET_TEXT] = "no memory to ask where the servers are";
  redis_slots_map *map = (redis_slots_map *)ACCEL_MALLOC(sizeof *map);
  bool found = map != NULL && is_cluster && redis_discovery_visit_known(discovery, map, error);
  for (size_t i = 0; i < discovery->host_count && map != NULL && !found; i++) {
    const size_t host = (discovery->last_good + i) % discovery->host_count;
    if (accel_redis_signals_are_stopped(&discovery->signals)) break;
    found = redis_discovery_visit(discovery, &discovery->hosts[host], take, map, error);
    if (found) discovery->last_good = host;
  }
  ACCEL_FREE(map);
  if (found || accel_redis_signals_are_stopped(&discovery->signals)) return found;
  if (is_cluster)
    accel_redis_route_apply_map(discovery->route, NULL, error);
  else
    accel_redis_route_apply_master(discovery->route, NULL, error);
  return false;
}

/* ---- the thread ---- */

/* Waits until `until_ms`, or a wake-up, but never less than until `early_ms`. False: stopped. */
static bool redis_discovery_wait(redis_discovery *discovery, uint64_t early_ms, uint64_t until_ms)
{
  const redis_signals *signals = &discovery->signals;
  if (accel_redis_signal_wait(signals->stop_fd, POLLIN, -1, early_ms) != 0) return false;
  (void)accel_redis_signal_wait(signals->wake_fd, POLLIN, signals->stop_fd, until_ms);
  accel_redis_signal_clear(signals->wake_fd);
  return !accel_redis_signals_are_stopped(signals);
}

static ACCEL_COLD void redis_discovery_run(void *discovery_pointer)
{
  redis_discovery *discovery = (redis_discovery *)discovery_pointer;
  const bool is_cluster = accel_redis_route_is_cluster(discovery->route);
  const uint32_t period_ms = is_cluster ? REDIS_DISCOVERY_CLUSTER_MS : REDIS_DISCOVERY_SENTINEL_MS;
  for (;;) {
    const bool found = redis_discovery_look(discovery);
    const uint64_t now_ms = accel_clock_monotonic_ms();
    uint64_t early_ms = now_ms + REDIS_DISCOVERY_PAUSE_MS;
    uint64_t until_ms = now_ms + period_ms;
    if (found) {
      accel_redis_backoff_reset(&discovery->pause);
    } else {
      accel_redis_backoff_failed(&discovery->pause, now_ms);
      early_ms = until_ms = discovery->pause.next_ms;
    }
    if (!redis_discovery_wait(discovery, early_ms, until_ms)) return;
  }
}

/* ---- from outside ---- */

static void redis_discovery_close_hosts(redis_discovery *discovery, uint64_t deadline_ms)
{
  while (discovery->host_count > 0)
    accel_redis_address_close(&discovery->hosts[--discovery->host_count], deadline_ms);
  ACCEL_FREE(discovery->hosts);
  discovery->hosts = NULL;
}

static bool redis_discovery_open_hosts(redis_discovery *discovery)
{
  const redis_url *url = redis_discovery_url(discovery);
  discovery->hosts = (redis_address *)ACCEL_MALLOC(url->host_count * sizeof *discovery->hosts);
  if (discovery->hosts == NULL) return false;
  for (size_t i = 0; i < url->host_count; i++, discovery->host_count++)
    if (!accel_redis_address_open(&discovery->hosts[i], url->hosts[i].host, url->hosts[i].port)) {
      redis_discovery_close_hosts(discovery, 0);
      return false;
    }
  return true;
}

bool accel_redis_discovery_open(redis_discovery *discovery, redis_route *route)
{
  memset(discovery, 0, sizeof *discovery);
  discovery->route = route;
  if (!accel_redis_signals_open(&discovery->signals)) return false;
  if (redis_discovery_open_hosts(discovery)) return true;
  accel_redis_signals_close(&discovery->signals);
  return false;
}

bool accel_redis_discovery_start(redis_discovery *discovery)
{
  return accel_thread_start(&discovery->thread, redis_discovery_run, discovery);
}

void accel_redis_discovery_wake(redis_discovery *discovery)
{
  if (discovery->hosts != NULL) accel_redis_signal_raise(discovery->signals.wake_fd);
}

void accel_redis_discovery_stop(redis_discovery *discovery)
{
  if (discovery->hosts == NULL) return;
  accel_redis_signal_raise(discovery->signals.stop_fd);
  accel_thread_join(discovery->thread);
}

void accel_redis_discovery_close(redis_discovery *discovery)
{
  if (discovery->hosts == NULL) return;
  redis_discovery_close_hosts(
      discovery, accel_clock_deadline(discovery->route->context->settings->connect_timeout_ms));
  accel_redis_signals_close(&discovery->signals);
}

void accel_redis_discovery_abandon(redis_discovery *discovery)
{
  if (discovery->hosts == NULL) return;
  for (size_t i = 0; i < discovery->host_count; i++)
    accel_redis_address_abandon(&discovery->hosts[i]);
  ACCEL_FREE(discovery->hosts);
  accel_redis_signals_close(&discovery->signals);
}

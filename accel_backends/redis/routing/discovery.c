#include "discovery.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "../state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_SCOUT_TEXT_MAX 65536u /* bytes of one text in a reply */

static const redis_url *redis_scout_url(const redis_scout *scout)
{
  return &scout->route->state->url;
}

/* ---- asking ---- */

/* Opens a connection, asks, closes it. False: dial->error says why; *replies is empty. */
static bool redis_scout_ask(redis_dial *dial, const char *const *words, redis_replies *replies)
{
  redis_stream stream;
  accel_buffer command = {0};
  memset(replies, 0, sizeof *replies);
  if (!accel_redis_stream_open(&stream, dial, REDIS_SCOUT_TEXT_MAX, "accel-scout")) return false;
  bool asked = accel_redis_command_append_words(&command, words);
  if (!asked) snprintf(dial->error, sizeof dial->error, "no memory to ask");
  asked = asked && accel_redis_stream_exchange(&stream, dial, &command, 1, replies);
  accel_buffer_release(&command);
  accel_redis_stream_close(&stream);
  if (!asked) accel_redis_replies_release(replies);
  return asked;
}

/* ---- a cluster ---- */

/* One server's map. True: it was applied. */
static bool redis_scout_take_map(redis_scout *scout, redis_dial *dial, redis_slots_map *map)
{
  redis_replies replies;
  if (!redis_scout_ask(dial, REDIS_WORDS("CLUSTER", "SLOTS"), &replies)) return false;
  const redis_reply whole = accel_redis_reply_at(&replies, 0);
  const char *why = accel_redis_slots_read(&replies, 0, map);
  if (whole.kind == REDIS_REPLY_IS_ERROR)
    accel_redis_stream_explain(&replies, 0, "CLUSTER SLOTS", dial->error);
  else if (why != NULL)
    snprintf(dial->error, sizeof dial->error, "CLUSTER SLOTS: %s", why);
  accel_redis_replies_release(&replies);
  if (why != NULL) return false;
  for (size_t i = 0; i < map->node_count; i++)
    if (map->nodes[i].host[0] == '\0')
      memcpy(map->nodes[i].host, dial->address->host, sizeof map->nodes[i].host);
  accel_redis_route_apply_map(scout->route, map, NULL);
  return true;
}

/* ---- Sentinels ---- */

/* One Sentinel's word. True: it was applied. */
static bool redis_scout_take_master(redis_scout *scout, redis_dial *dial, redis_slots_map *unused)
{
  const char *name = redis_scout_url(scout)->master_name;
  redis_slots_node master;
  redis_replies replies;
  (void)unused;
  if (!redis_scout_ask(dial, REDIS_WORDS("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), &replies))
    return false;
  const char *why = accel_redis_slots_read_address(&replies, 0, &master);
  const redis_reply whole = accel_redis_reply_at(&replies, 0);
  if (whole.kind == REDIS_REPLY_IS_ERROR)
    accel_redis_stream_explain(&replies, 0, "asking a Sentinel", dial->error);
  else if (whole.kind == REDIS_REPLY_IS_NIL)
    snprintf(dial->error, sizeof dial->error, "the Sentinel knows no master \"%.64s\"", name);
  else if (why != NULL)
    snprintf(dial->error, sizeof dial->error, "asking a Sentinel: %s", why);
  accel_redis_replies_release(&replies);
  if (why != NULL) return false;
  accel_redis_route_apply_master(scout->route, &master, NULL);
  return true;
}

/* ---- a look ---- */

typedef bool redis_scout_take(redis_scout *scout, redis_dial *dial, redis_slots_map *map);

static bool redis_scout_visit(redis_scout *scout, redis_address *address, redis_scout_take *take,
                              redis_slots_map *map, char *error)
{
  accel_redis_state *state = scout->route->state;
  const bool is_sentinel = state->url.kind == REDIS_URL_SENTINEL;
  redis_dial dial = {
      .credentials = is_sentinel ? &state->sentinel_credentials : &state->credentials,
      .address = address,
      .tls = state->tls,
      .stop_fd = scout->signals.stop_fd,
      .deadline_ms = accel_clock_deadline(state->connect_timeout_ms),
  };
  if (take(scout, &dial, map)) return true;
  memcpy(error, dial.error, sizeof dial.error);
  return false;
}

/* Servers that were met are asked first: the URL's hosts may be long gone. */
static bool redis_scout_visit_known(redis_scout *scout, redis_slots_map *map, char *error)
{
  size_t at = 0;
  bool found = false;
  for (redis_endpoint *each;
       !found && (each = accel_redis_route_next(scout->route, &at)) != NULL;) {
    if (!accel_redis_connection_is_up(&each->data)) continue;
    redis_address *address = accel_redis_endpoint_hold_address(each);
    found = redis_scout_visit(scout, address, redis_scout_take_map, map, error);
    accel_redis_address_release(address, 0);
  }
  return found;
}

static bool redis_scout_look(redis_scout *scout)
{
  const bool is_cluster = accel_redis_route_is_cluster(scout->route);
  redis_scout_take *take = is_cluster ? redis_scout_take_map : redis_scout_take_master;
  char error[REDIS_SOCKET_TEXT] = "no memory to look where the servers are";
  redis_slots_map *map = (redis_slots_map *)ACCEL_MALLOC(sizeof *map);
  bool found = map != NULL && is_cluster && redis_scout_visit_known(scout, map, error);
  for (size_t i = 0; i < scout->host_count && map != NULL && !found; i++) {
    const size_t host = (scout->last_good + i) % scout->host_count;
    if (accel_redis_signals_are_stopped(&scout->signals)) break;
    found = redis_scout_visit(scout, &scout->hosts[host], take, map, error);
    if (found) scout->last_good = host;
  }
  ACCEL_FREE(map);
  if (found || accel_redis_signals_are_stopped(&scout->signals)) return found;
  if (is_cluster)
    accel_redis_route_apply_map(scout->route, NULL, error);
  else
    accel_redis_route_apply_master(scout->route, NULL, error);
  return false;
}

/* ---- the thread ---- */

/* Waits for a call until `until_ms`, but never less than until `early_ms`. False: stopped. */
static bool redis_scout_wait(redis_scout *scout, uint64_t early_ms, uint64_t until_ms)
{
  const redis_signals *signals = &scout->signals;
  if (accel_redis_signal_wait(signals->stop_fd, POLLIN, -1, early_ms) != 0) return false;
  (void)accel_redis_signal_wait(signals->wake_fd, POLLIN, signals->stop_fd, until_ms);
  accel_redis_signal_clear(signals->wake_fd);
  return !accel_redis_signals_are_stopped(signals);
}

static void redis_scout_run(void *scout_pointer)
{
  redis_scout *scout = (redis_scout *)scout_pointer;
  const bool is_cluster = accel_redis_route_is_cluster(scout->route);
  const uint32_t period_ms = is_cluster ? REDIS_SCOUT_CLUSTER_MS : REDIS_SCOUT_SENTINEL_MS;
  for (;;) {
    const bool found = redis_scout_look(scout);
    const uint64_t now_ms = accel_clock_monotonic_ms();
    uint64_t early_ms = now_ms + REDIS_SCOUT_PAUSE_MS;
    uint64_t until_ms = now_ms + period_ms;
    if (found) {
      accel_redis_backoff_reset(&scout->pause);
    } else {
      accel_redis_backoff_failed(&scout->pause, now_ms);
      early_ms = until_ms = scout->pause.next_ms;
    }
    if (!redis_scout_wait(scout, early_ms, until_ms)) return;
  }
}

/* ---- from outside ---- */

static void redis_scout_close_hosts(redis_scout *scout, uint64_t deadline_ms)
{
  while (scout->host_count > 0)
    accel_redis_address_close(&scout->hosts[--scout->host_count], deadline_ms);
  ACCEL_FREE(scout->hosts);
  scout->hosts = NULL;
}

static bool redis_scout_open_hosts(redis_scout *scout)
{
  const redis_url *url = redis_scout_url(scout);
  scout->hosts = (redis_address *)ACCEL_MALLOC(url->host_count * sizeof *scout->hosts);
  if (scout->hosts == NULL) return false;
  for (size_t i = 0; i < url->host_count; i++, scout->host_count++)
    if (!accel_redis_address_open(&scout->hosts[i], url->hosts[i].host, url->hosts[i].port)) {
      redis_scout_close_hosts(scout, 0);
      return false;
    }
  return true;
}

bool accel_redis_scout_open(redis_scout *scout, redis_route *route)
{
  memset(scout, 0, sizeof *scout);
  scout->route = route;
  if (!accel_redis_signals_open(&scout->signals)) return false;
  if (redis_scout_open_hosts(scout)) return true;
  accel_redis_signals_close(&scout->signals);
  return false;
}

bool accel_redis_scout_start(redis_scout *scout)
{
  return accel_thread_start(&scout->thread, redis_scout_run, scout);
}

void accel_redis_scout_wake(redis_scout *scout)
{
  accel_redis_signal_raise(scout->signals.wake_fd);
}

void accel_redis_scout_stop(redis_scout *scout)
{
  accel_redis_signal_raise(scout->signals.stop_fd);
  accel_thread_join(scout->thread);
}

void accel_redis_scout_close(redis_scout *scout)
{
  redis_scout_close_hosts(scout, accel_clock_deadline(scout->route->state->connect_timeout_ms));
  accel_redis_signals_close(&scout->signals);
}

void accel_redis_scout_abandon(redis_scout *scout)
{
  for (size_t i = 0; i < scout->host_count; i++) accel_redis_address_abandon(&scout->hosts[i]);
  ACCEL_FREE(scout->hosts);
  accel_redis_signals_close(&scout->signals);
}

#include "observe.h"

#include <stdio.h>
#include <string.h>

/* Writes host:port, [address]:port, or the path of a unix socket, without user and password. */
static void redis_observe_name(redis_endpoint *endpoint, char name[ACCEL_OBSERVED_ENDPOINT_TEXT])
{
  redis_address *address = accel_redis_endpoint_hold_address(endpoint);
  const bool has_colon = strchr(address->host, ':') != NULL;
  if (address->port[0] == '\0')
    snprintf(name, ACCEL_OBSERVED_ENDPOINT_TEXT, "%s", address->host);
  else
    snprintf(name, ACCEL_OBSERVED_ENDPOINT_TEXT, "%s%s%s:%s", has_colon ? "[" : "", address->host,
             has_colon ? "]" : "", address->port);
  accel_redis_address_release(address, 0);
}

static void redis_observe_lane(redis_lane *lane, accel_observed_endpoint *out)
{
  redis_connection_figures figures;
  accel_redis_connection_figures(&lane->connection, &figures);
  switch (figures.state) {
    case REDIS_CONNECTION_UNUSED: break;
    case REDIS_CONNECTION_FIRST: out->connecting++; break;
    case REDIS_CONNECTION_UP: out->ready++; break;
    case REDIS_CONNECTION_BROKEN:
    case REDIS_CONNECTION_DOWN: out->down++; break;
  }
  out->in_flight += figures.pending;
  out->reconnects += figures.made > 0 ? figures.made - 1 : 0;
  switch (accel_load_relaxed(&lane->breaker.state)) {
    case REDIS_BREAKER_CLOSED: break;
    case REDIS_BREAKER_OPEN: out->breaker = "open"; break;
    case REDIS_BREAKER_HALF_OPEN:
    case REDIS_BREAKER_PROBING:
      if (strcmp(out->breaker, "closed") == 0) out->breaker = "half_open";
      break;
  }
}

/* Adds every server that a key may lead to. */
static bool redis_observe_show(void *state_pointer, accel_observation *observation,
                               accel_observed_cache *line_or_null)
{
  (void)line_or_null;
  accel_redis_state *state = (accel_redis_state *)state_pointer;
  size_t at = 0;
  for (redis_endpoint *each; (each = accel_redis_route_next(&state->route, &at)) != NULL;) {
    char name[ACCEL_OBSERVED_ENDPOINT_TEXT];
    redis_observe_name(each, name);
    accel_observed_endpoint *out = accel_observation_endpoint(observation, name);
    if (out == NULL) return false;
    for (size_t i = 0; i < REDIS_LANES; i++) redis_observe_lane(&each->lanes[i], out);
  }
  return true;
}

accel_status accel_redis_observe_begin(accel_redis_state *state, const accel_redis *redis,
                                       struct accel_observer *observer_or_null)
{
  if (observer_or_null == NULL) return ACCEL_OK;
  state->member.observe = redis_observe_show;
  state->member.ctx = state;
  return accel_observer_join(observer_or_null, &state->member, NULL, redis);
}

void accel_redis_observe_end(accel_redis_state *state)
{
  accel_observer_leave(&state->member, NULL);
  accel_observer_release(&state->member);
}

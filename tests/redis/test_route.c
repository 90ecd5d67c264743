/* A route without threads and servers: what it does with the maps that a cluster gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/platform/atomic.h"
#include "accel_backends/redis/state.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 32, SLOTS_EACH = REDIS_SLOTS / NODES };

static accel_redis_state route_state;
static redis_slots_map map;

static void ignore_notice(void *owner, redis_notice notice)
{
  (void)owner, (void)notice;
}

static int open_route_of(const char *url)
{
  memset(&route_state, 0, sizeof route_state);
  route_state.context =
      (redis_context){&route_state.settings, &route_state.news, ignore_notice, NULL};
  if (accel_redis_url_parse(&route_state, url, &route_state.settings.url) != ACCEL_OK) return -1;
  return accel_redis_route_open(&route_state.route, &route_state.context) ? 0 : -1;
}

static int open_cluster(void **state)
{
  (void)state;
  return open_route_of("redis+cluster://127.0.0.1:1");
}

static int open_watched(void **state)
{
  (void)state;
  return open_route_of("redis+sentinel://127.0.0.1:1/the-master");
}

static int close_route(void **state)
{
  (void)state;
  accel_redis_route_close(&route_state.route);
  accel_redis_url_release(&route_state.settings.url);
  return 0;
}

/* Every server has been replaced by one at another port. */
static void move_all(unsigned generation)
{
  memset(&map, 0, sizeof map);
  map.server_count = NODES;
  for (unsigned i = 0; i < NODES; i++) {
    snprintf(map.servers[i].host, sizeof map.servers[i].host, "127.0.0.1");
    map.servers[i].port = (uint16_t)(1000 + generation * NODES + i);
    memset(map.owner + i * SLOTS_EACH, (int)i, SLOTS_EACH);
  }
  accel_redis_route_apply_map(&route_state.route, &map, NULL);
}

static redis_endpoint *owner_of(size_t slot)
{
  return accel_redis_route_number(&route_state.route, route_state.route.owner[slot]);
}

static bool has_port(const redis_endpoint *endpoint, unsigned port)
{
  char text[8];
  snprintf(text, sizeof text, "%u", port);
  return strcmp(endpoint->address->port, text) == 0;
}

/* All at once, again and again: many more than there are places. */
static void all_servers_may_be_replaced(void **state)
{
  (void)state;
  for (unsigned generation = 0; generation < 20; generation++) {
    move_all(generation);
    for (unsigned i = 0; i < NODES; i++) {
      const redis_endpoint *owner = owner_of(i * SLOTS_EACH);
      assert_int_not_equal(owner->number, 0);
      assert_false(owner->is_retired);
      assert_true(has_port(owner, 1000 + generation * NODES + i));
      for (unsigned k = 0; k < i; k++) assert_ptr_not_equal(owner, owner_of(k * SLOTS_EACH));
    }
  }
  assert_string_equal(accel_redis_route_number(&route_state.route, 0)->lanes[0].connection.error,
                      "no server owns the slot of the key");
}

/* Of a place that another server got nothing is left. */
static void a_place_is_given_away_as_new(void **state)
{
  (void)state;
  move_all(0);
  for (unsigned i = 1; i <= NODES; i++) {
    redis_endpoint *each = accel_redis_route_number(&route_state.route, i);
    for (unsigned k = 0; k < REDIS_BREAKER_STREAK; k++)
      accel_redis_breaker_failed(&each->lanes[REDIS_LANE_DATA].breaker, false, 1);
    each->sizes.has_large = true;
    accel_redis_commands_note(&each->commands, REDIS_COMMAND_UNLINK, true);
    each->ahead_ms = each->writes_paused_ms = 1;
  }
  for (unsigned generation = 1; generation < 20; generation++) move_all(generation);
  for (unsigned i = 0; i < NODES; i++) {
    redis_endpoint *owner = owner_of(i * SLOTS_EACH);
    assert_true(accel_redis_endpoint_start(owner)); /* the keeper does it */
    while (accel_load_acquire(&owner->is_replaced)) usleep(1000);
    accel_redis_endpoint_stop(owner);
    assert_int_equal(owner->lanes[REDIS_LANE_DATA].breaker.state, REDIS_BREAKER_CLOSED);
    assert_false(owner->sizes.has_large);
    assert_false(accel_redis_commands_lacks(&owner->commands, REDIS_COMMAND_UNLINK));
    assert_int_equal(owner->writes_paused_ms, 0);
  }
}

static void more_servers_than_places_are_told(void **state)
{
  enum { TOO_MANY = REDIS_ROUTE_ENDPOINTS_MAX };
  unsigned nowhere = 0;
  (void)state;
  memset(&map, 0, sizeof map);
  map.server_count = TOO_MANY;
  for (unsigned i = 0; i < TOO_MANY; i++) {
    snprintf(map.servers[i].host, sizeof map.servers[i].host, "127.0.0.1");
    map.servers[i].port = (uint16_t)(1000 + i);
    map.owner[i] = (uint8_t)i;
  }
  memset(map.owner + TOO_MANY, 0, REDIS_SLOTS - TOO_MANY);
  accel_redis_route_apply_map(&route_state.route, &map, NULL);
  for (unsigned i = 0; i < TOO_MANY; i++) nowhere += owner_of(i)->number == 0;
  assert_int_equal(nowhere, TOO_MANY - (REDIS_ROUTE_ENDPOINTS_MAX - 1));
  const redis_endpoint *zero = accel_redis_route_number(&route_state.route, 0);
  assert_non_null(strstr(zero->lanes[REDIS_LANE_DATA].connection.error, "more than 127 servers"));
}

static void masters_may_be_replaced(void **state)
{
  redis_slots_server master = {.host = "127.0.0.1"};
  (void)state;
  for (unsigned met = 1; met <= 5 * REDIS_ROUTE_ENDPOINTS_MAX; met++) {
    master.port = (uint16_t)(1000 + met);
    accel_redis_route_apply_master(&route_state.route, &master, NULL);
    const redis_endpoint *main = accel_redis_route_main(&route_state.route);
    assert_int_not_equal(main->number, 0);
    assert_false(main->is_retired);
    assert_true(has_port(main, master.port));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(all_servers_may_be_replaced, open_cluster, close_route),
      cmocka_unit_test_setup_teardown(a_place_is_given_away_as_new, open_cluster, close_route),
      cmocka_unit_test_setup_teardown(more_servers_than_places_are_told, open_cluster, close_route),
      cmocka_unit_test_setup_teardown(masters_may_be_replaced, open_watched, close_route),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

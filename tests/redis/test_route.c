/* A route without threads and servers: what it does with the maps that a cluster gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/state.h"

#include <stdio.h>
#include <string.h>

enum { NODES = 32, SLOTS_EACH = REDIS_SLOTS / NODES };

static accel_redis_state route_state;
static redis_slots_map map;

static int open_route_of(const char *url)
{
  memset(&route_state, 0, sizeof route_state);
  route_state.listener.wake_fd = -1; /* nobody listens */
  if (accel_redis_url_parse(&route_state, url, &route_state.url) != ACCEL_OK) return -1;
  return accel_redis_route_open(&route_state.route, &route_state) ? 0 : -1;
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
  accel_redis_url_release(&route_state.url);
  return 0;
}

/* Every server has been replaced by one at another port. */
static void move_all(unsigned generation)
{
  memset(&map, 0, sizeof map);
  map.node_count = NODES;
  for (unsigned i = 0; i < NODES; i++) {
    snprintf(map.nodes[i].host, sizeof map.nodes[i].host, "127.0.0.1");
    map.nodes[i].port = (uint16_t)(1000 + generation * NODES + i);
    memset(map.owner + i * SLOTS_EACH, (int)i, SLOTS_EACH);
  }
  accel_redis_route_apply_map(&route_state.route, &map, NULL);
}

static const redis_endpoint *owner_of(size_t slot)
{
  return accel_redis_route_number(&route_state.route, route_state.route.owner[slot]);
}

static void all_servers_may_be_replaced_until_too_many_were_met(void **state)
{
  (void)state;
  for (unsigned generation = 0; generation < 4; generation++) {
    move_all(generation);
    for (unsigned i = 0; i < NODES; i++) {
      const redis_endpoint *owner = owner_of(i * SLOTS_EACH);
      const unsigned met = generation * NODES + i + 1;
      if (met >= REDIS_ROUTE_ENDPOINTS_MAX) {
        assert_int_equal(owner->number, 0); /* nowhere, and it says why */
        assert_non_null(strstr(owner->data.error, "127 different ones were met"));
        assert_non_null(strstr(owner->data.error, "open a new one"));
        continue;
      }
      char port[8];
      snprintf(port, sizeof port, "%u", 1000 + generation * NODES + i);
      assert_string_equal(owner->address.port, port);
    }
  }
  move_all(0); /* those that were met are known for good */
  for (unsigned i = 0; i < NODES; i++) assert_int_equal(owner_of(i * SLOTS_EACH)->number, i + 1);
  assert_string_equal(accel_redis_route_number(&route_state.route, 0)->data.error,
                      "no server owns the slot of the key");
}

static void masters_may_be_replaced_until_too_many_were_met(void **state)
{
  redis_slots_node master = {.host = "127.0.0.1"};
  (void)state;
  for (unsigned met = 1; met <= REDIS_ROUTE_ENDPOINTS_MAX; met++) {
    master.port = (uint16_t)(1000 + met);
    accel_redis_route_apply_master(&route_state.route, &master, NULL);
    const redis_endpoint *main = accel_redis_route_main(&route_state.route);
    assert_int_equal(main->number, met % REDIS_ROUTE_ENDPOINTS_MAX);
    if (met < REDIS_ROUTE_ENDPOINTS_MAX) continue;
    assert_true(main->rests);
    assert_non_null(strstr(main->data.error, "127 different ones were met"));
  }
  master.port = 1001; /* one that was met is known for good */
  accel_redis_route_apply_master(&route_state.route, &master, NULL);
  assert_int_equal(accel_redis_route_main(&route_state.route)->number, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(all_servers_may_be_replaced_until_too_many_were_met,
                                      open_cluster, close_route),
      cmocka_unit_test_setup_teardown(masters_may_be_replaced_until_too_many_were_met, open_watched,
                                      close_route),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

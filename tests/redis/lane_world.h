/* lane_world.h: a process that writes small and large values through the proxy, and one that hears
 * of them; for the tests of the two lanes. */
#ifndef LANE_WORLD_H
#define LANE_WORLD_H

#include "../proxy/proxy.h"
#include "client.h"

#include "accel/invalidate.h"
#include "accel_backends/redis/state.h"

#include <stdatomic.h>

enum { SMALL = 100, LARGE = 400 << 10, SLOW = 4 << 20, PATIENCE_MS = 60000, WRITERS = 6 };

static redis_server server;
static proxy way;
static char *bytes; /* LARGE of them */

/* One process' half of an area. */
typedef struct process {
  accel_redis redis;
  void *link;
  accel_invalidation invalidation;
  atomic_uint ups, keys, everything;
} process;

static process writer, listener;

/* ---- a process ---- */

static void hear_up(void *ctx)
{
  process *self = (process *)ctx;
  accel_invalidation_reset(&self->invalidation);
  self->ups++;
}

static void hear_down(void *ctx)
{
  (void)ctx;
}

static void hear_key(void *ctx, const char *name, size_t size)
{
  (void)name, (void)size;
  ((process *)ctx)->keys++;
}

static void hear_everything(void *ctx)
{
  ((process *)ctx)->everything++;
}

static void hear_message(void *ctx, const void *data, size_t size)
{
  const accel_invalidation_handler handler = {ctx, hear_key, hear_everything};
  accel_invalidation_receive(&((process *)ctx)->invalidation, data, size, &handler);
}

static bool say_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  return accel_invalidation_heartbeat(&((process *)ctx)->invalidation, lane, out);
}

static bool comes_to(atomic_uint *counter, unsigned count)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (*counter < count) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(500);
  }
  return true;
}

static void process_open(process *self, const char *url)
{
  const accel_redis_config config = {.url = url, .command_timeout_ms = PATIENCE_MS};
  const accel_remote_area area = {
      .area = CLIENT_AREA,
      .has_listener = true,
      .sink = {self, hear_message, hear_up, hear_down, say_heartbeat, NULL},
      .owner = self};
  char channel[192];
  memset(self, 0, sizeof *self);
  assert_true(accel_invalidation_open(&self->invalidation, CLIENT_AREA));
  assert_int_equal(accel_redis_open(&self->redis, &config), ACCEL_OK);
  assert_int_equal(accel_redis_ops.attach(&self->redis, &area, &self->link, channel), ACCEL_OK);
  assert_true(comes_to(&self->ups, 1));
}

static void process_close(process *self)
{
  accel_redis_ops.detach(self->link);
  accel_redis_close(&self->redis);
}

static int open_both(void **state)
{
  (void)state;
  process_open(&writer, way.url);
  process_open(&listener, server.url);
  return 0;
}

static int close_both(void **state)
{
  (void)state;
  proxy_heal(&way);
  process_close(&listener);
  process_close(&writer);
  return 0;
}

/* ---- writes ---- */

static const accel_remote_publisher publisher = {&writer.invalidation, accel_invalidation_message};

static accel_remote_call call_within(uint32_t ms)
{
  accel_remote_call call;
  memset(&call, 0, sizeof call);
  call.deadline_ms = ms == 0 ? ACCEL_NO_DEADLINE : accel_clock_deadline(ms);
  return call;
}

/* ms 0: as long as it takes. */
static accel_status set(const char *name, size_t size, uint32_t ms)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  accel_remote_call call = call_within(ms);
  item.data = bytes;
  item.size = size;
  accel_redis_ops.put(writer.link, &item, 1, &publisher, &call);
  return item.status;
}

static accel_status del(const char *name, uint32_t ms)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  accel_remote_call call = call_within(ms);
  accel_redis_ops.del(writer.link, &item, 1, &publisher, &call);
  return item.status;
}

/* True: a write of the writer's was sent there and given up, and is not answered yet. */
static bool has_late_writes(redis_lane_kind kind)
{
  redis_endpoint *endpoint = accel_redis_route_main(&writer.redis.state->route);
  return accel_redis_connection_has_late_writes(&endpoint->lanes[kind].connection);
}

static void slow_down(proxy_flow flow)
{
  proxy_set_flow(&way, PROXY_REQUESTS, PROXY_DATA, &flow);
}

static bool exists(const char *name)
{
  char command[64], reply[64];
  snprintf(command, sizeof command, "EXISTS " CLIENT_AREA ":%s", name);
  assert_true(redis_server_ask(&server, command, reply, sizeof reply));
  return strncmp(reply, ":1\r\n", 4) == 0; /* what follows is of QUIT */
}

#endif

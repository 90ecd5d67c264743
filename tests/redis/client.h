/* client.h: an accel_redis with one link, and its operations on single keys, for tests. */
#ifndef CLIENT_H
#define CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis.h"
#include "redis_server.h"
#include "redis_validate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENT_AREA "test"

typedef struct client {
  accel_redis redis;
  void *link;
  accel_remote_call call; /* of the last operation */
} client;

static ACCEL_UNUSED void client_open(client *client_, const accel_redis_config *config)
{
  const accel_remote_area area = {.area = CLIENT_AREA, .owner = client_};
  char channel[192];
  memset(client_, 0, sizeof *client_);
  assert_int_equal(accel_redis_open(&client_->redis, config), ACCEL_OK);
  assert_int_equal(accel_redis_ops.attach(&client_->redis, &area, &client_->link, channel),
                   ACCEL_OK);
}

static ACCEL_UNUSED void client_close(client *client_)
{
  assert_null(redis_validate(&client_->redis));
  accel_redis_ops.detach(client_->link);
  accel_redis_close(&client_->redis);
}

static void client_begin(client *client_)
{
  memset(&client_->call, 0, sizeof client_->call);
  client_->call.deadline_ms = ACCEL_NO_DEADLINE;
}

typedef struct client_key {
  char text[64];
} client_key;

static accel_remote_item client_item(const char *name, const char *value, client_key *key)
{
  accel_remote_item item = {.data = value, .ttl_ms = 60000};
  snprintf(key->text, sizeof key->text, CLIENT_AREA ":%s", name);
  item.key = key->text;
  item.key_size = strlen(key->text);
  item.name = key->text + sizeof CLIENT_AREA;
  item.name_size = strlen(name);
  item.size = value == NULL ? 0 : strlen(value);
  return item;
}

static ACCEL_UNUSED accel_status client_put(client *client_, const char *name, const char *value)
{
  client_key key;
  accel_remote_item item = client_item(name, value, &key);
  client_begin(client_);
  accel_redis_ops.put(client_->link, &item, 1, NULL, &client_->call);
  return item.status;
}

static ACCEL_UNUSED accel_status client_del(client *client_, const char *name)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  client_begin(client_);
  accel_redis_ops.del(client_->link, &item, 1, NULL, &client_->call);
  return item.status;
}

/* OK: the key held exactly `value`; MISS: nothing, or something else. */
static ACCEL_UNUSED accel_status client_check(client *client_, const char *name, const char *value)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  client_begin(client_);
  accel_redis_ops.get(client_->link, &item, 1, &client_->call);
  accel_status status = item.status;
  if (status == ACCEL_OK &&
      (item.size != strlen(value) || memcmp(item.data, value, item.size) != 0))
    status = ACCEL_MISS;
  accel_redis_ops.release(client_->link, &client_->call);
  return status;
}

/* Whether the server answers again; on an idle machine within so many ms, on a busy one within ten
 * times that. */
static ACCEL_UNUSED bool client_recovers(client *client_, uint32_t ms)
{
  const uint64_t until_ms = accel_clock_deadline(10 * ms);
  while (accel_redis_ping(&client_->redis) != ACCEL_OK) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(2000);
  }
  return true;
}

/* A publisher of messages "1", "2", ... */
typedef struct client_publisher {
  unsigned number;
  size_t items_at_most;
} client_publisher;

static ACCEL_UNUSED size_t client_message(void *ctx, uint32_t lane,
                                          const accel_remote_item *const *items, size_t count,
                                          accel_buffer *out)
{
  (void)lane;
  client_publisher *publisher = (client_publisher *)ctx;
  char text[16];
  (void)items;
  const int size = snprintf(text, sizeof text, "%u", ++publisher->number);
  if (!accel_buffer_append(out, text, (size_t)size)) return 0;
  if (count == 0) return 1;
  return count < publisher->items_at_most ? count : publisher->items_at_most;
}

#endif

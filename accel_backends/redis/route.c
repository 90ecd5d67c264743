#include "route.h"

#include "state.h"

#include <stdlib.h>
#include <string.h>

bool accel_redis_route_open(redis_route *route, accel_redis_state *state)
{
  return accel_redis_endpoint_open(&route->only, state, state->url.host, state->url.port);
}

bool accel_redis_route_start(redis_route *route)
{
  return accel_redis_endpoint_start(&route->only);
}

void accel_redis_route_stop(redis_route *route)
{
  accel_redis_endpoint_stop(&route->only);
}

void accel_redis_route_close(redis_route *route)
{
  accel_redis_endpoint_close(&route->only);
}

void accel_redis_route_abandon(redis_route *route)
{
  accel_redis_endpoint_abandon(&route->only);
}

redis_endpoint *accel_redis_route_key(redis_route *route, const char *key, size_t size)
{
  (void)key, (void)size; /* one server has them all */
  return &route->only;
}

redis_endpoint *accel_redis_route_main(redis_route *route)
{
  return &route->only;
}

redis_endpoint *accel_redis_route_at(redis_route *route, size_t i)
{
  return i == 0 ? &route->only : NULL;
}

/* ---- parts ---- */

typedef struct redis_target {
  redis_endpoint *endpoint;
  redis_connection *connection;
} redis_target;

static redis_target redis_parts_target(redis_link *link, const accel_remote_item *item,
                                       bool may_be_bulk)
{
  redis_target target;
  target.endpoint = accel_redis_route_key(&link->state->route, item->key, item->key_size);
  target.connection = &target.endpoint->data;
  if (may_be_bulk)
    target.connection = accel_redis_endpoint_connection(target.endpoint, item->key, item->key_size,
                                                        item->data == NULL ? 0 : item->size);
  return target;
}

/* The part of this target; it is made if there is none yet, and *room is given to it. */
static redis_part *redis_parts_find(redis_parts *parts, redis_target target)
{
  for (size_t i = 0; i < parts->count; i++)
    if (parts->list[i].connection == target.connection) return &parts->list[i];
  redis_part *part = &parts->list[parts->count++];
  part->endpoint = target.endpoint;
  part->connection = target.connection;
  part->items = NULL;
  part->count = 0;
  return part;
}

/* One piece of memory: a part per item at most, the sorted items, and each item's part. */
static bool redis_parts_sort(redis_parts *parts, redis_link *link, accel_remote_item *items,
                             size_t count, bool may_be_bulk)
{
  const size_t each = sizeof *parts->list + sizeof *parts->list->items + sizeof(size_t);
  if (count > SIZE_MAX / each) return false;
  parts->memory = ACCEL_MALLOC(count * each);
  if (parts->memory == NULL) return false;
  parts->list = (redis_part *)parts->memory;
  accel_remote_item **sorted = (accel_remote_item **)(void *)(parts->list + count);
  size_t *part_of = (size_t *)(void *)(sorted + count);
  for (size_t i = 0; i < count; i++) {
    redis_part *part = redis_parts_find(parts, redis_parts_target(link, &items[i], may_be_bulk));
    part->count++;
    part_of[i] = (size_t)(part - parts->list);
  }
  for (size_t i = 0; i < parts->count; i++) {
    parts->list[i].items = sorted;
    sorted += parts->list[i].count;
    parts->list[i].count = 0;
  }
  for (size_t i = 0; i < count; i++) {
    redis_part *part = &parts->list[part_of[i]];
    part->items[part->count++] = &items[i];
  }
  return true;
}

bool accel_redis_parts_open(redis_parts *parts, redis_link *link, accel_remote_item *items,
                            size_t count, bool may_be_bulk)
{
  parts->memory = NULL;
  parts->count = 0;
  if (count > 1) return redis_parts_sort(parts, link, items, count, may_be_bulk);
  const redis_target target = redis_parts_target(link, items, may_be_bulk);
  parts->one = items;
  parts->single = (redis_part){target.endpoint, target.connection, &parts->one, 1};
  parts->list = &parts->single;
  parts->count = 1;
  return true;
}

void accel_redis_parts_close(redis_parts *parts)
{
  ACCEL_FREE(parts->memory);
}

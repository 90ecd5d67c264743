#include "scatter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct redis_scatter {
  redis_part *list;
  size_t count;
  redis_part single;
  accel_remote_item *one; /* the item of `single` */
  void *memory;           /* of longer lists */
  redis_again *again;
} redis_scatter;

/* ---- splitting ---- */

redis_endpoint *accel_redis_scatter_endpoint(redis_link *link, const accel_remote_item *item)
{
  redis_route *route = link->route;
  const uint32_t hinted = item->hint >> REDIS_HINT_SHIFT;
  if (hinted != 0) return accel_redis_route_number(route, hinted);
  return accel_redis_route_key(route, link->prefix_checksum, item->key, item->key_size);
}

static redis_lane *redis_scatter_lane(redis_endpoint *endpoint, const accel_remote_item *item,
                                      const redis_operation *operation)
{
  if (!operation->may_be_large) return &endpoint->lanes[REDIS_LANE_DATA];
  switch (operation->purpose) {
    case REDIS_READS:
      if ((item->hint & REDIS_HINT_WHOLE) != 0) return &endpoint->lanes[REDIS_LANE_LARGE];
      return accel_redis_endpoint_to_read(endpoint, item->key, item->key_size);
    case REDIS_STORES:
      return accel_redis_endpoint_to_store(endpoint, item->key, item->key_size, item->size);
    case REDIS_REMOVES: break;
  }
  return accel_redis_endpoint_to_remove(endpoint);
}

static redis_part redis_scatter_target(redis_link *link, const accel_remote_item *item,
                                       const redis_operation *operation)
{
  redis_part target = {.route = link->route, .endpoint = accel_redis_scatter_endpoint(link, item)};
  target.lane_or_null = redis_scatter_lane(target.endpoint, item, operation);
  return target;
}

/* The part of this target, made if there is none yet. */
static redis_part *redis_scatter_find(redis_scatter *parts, redis_part target)
{
  for (size_t i = 0; i < parts->count; i++)
    if (parts->list[i].endpoint == target.endpoint &&
        parts->list[i].lane_or_null == target.lane_or_null)
      return &parts->list[i];
  redis_part *part = &parts->list[parts->count++];
  *part = target;
  part->again = parts->again;
  return part;
}

/* One piece of memory: a part per item at most, the sorted items, and each item's part. */
static bool redis_scatter_sort(redis_scatter *parts, redis_link *link, accel_remote_item *items,
                               size_t count, const redis_operation *operation)
{
  const size_t each = sizeof *parts->list + sizeof *parts->list->items + sizeof(size_t);
  if (count > SIZE_MAX / each) return false;
  parts->memory = ACCEL_MALLOC(count * each);
  if (parts->memory == NULL) return false;
  parts->list = (redis_part *)parts->memory;
  accel_remote_item **sorted = (accel_remote_item **)(void *)(parts->list + count);
  size_t *part_of = (size_t *)(void *)(sorted + count);
  for (size_t i = 0; i < count; i++) {
    if (items[i].status != REDIS_ITEM_AGAIN) continue;
    redis_part *part = redis_scatter_find(parts, redis_scatter_target(link, &items[i], operation));
    part->count++;
    part_of[i] = (size_t)(part - parts->list);
  }
  for (size_t i = 0; i < parts->count; i++) {
    parts->list[i].items = sorted;
    sorted += parts->list[i].count;
    parts->list[i].count = 0;
  }
  for (size_t i = 0; i < count; i++) {
    if (items[i].status != REDIS_ITEM_AGAIN) continue;
    redis_part *part = &parts->list[part_of[i]];
    part->items[part->count++] = &items[i];
  }
  return true;
}

static bool redis_scatter_open(redis_scatter *parts, redis_link *link, accel_remote_item *items,
                               size_t count, const redis_operation *operation)
{
  if (count > 1) return redis_scatter_sort(parts, link, items, count, operation);
  parts->one = items;
  parts->single = redis_scatter_target(link, items, operation);
  parts->single.items = &parts->one;
  parts->single.again = parts->again;
  parts->single.count = 1;
  parts->list = &parts->single;
  parts->count = 1;
  return true;
}

/* ---- running ---- */

/* Gives the status to the items that are under way. */
static void redis_scatter_fail(accel_remote_item *items, size_t count, accel_status status)
{
  for (size_t i = 0; i < count; i++)
    if (items[i].status == REDIS_ITEM_AGAIN) items[i].status = status;
}

static accel_status redis_scatter_no_memory(accel_remote_item *items, size_t count,
                                            accel_remote_call *call)
{
  redis_scatter_fail(items, count, ACCEL_ERR_NOMEM);
  return accel_redis_call_no_memory(call);
}

static unsigned redis_scatter_slot(const redis_link *link, const accel_remote_item *item)
{
  return accel_redis_slot_add(link->prefix_checksum, item->key, item->key_size) % REDIS_SLOTS;
}

/* No server of a cluster owns the keys of a failed part: the text gets the first one. */
static void redis_scatter_name_key(const redis_link *link, const redis_part *part,
                                   accel_remote_call *call)
{
  const accel_remote_item *item = part->items[0];
  const size_t size = strlen(call->error);
  const int name_size = (int)(item->name_size < 40 ? item->name_size : 40);
  if (part->endpoint->number != 0 || !accel_redis_route_is_cluster(link->route)) return;
  snprintf(call->error + size, sizeof call->error - size, ": %.*s, slot %u", name_size, item->name,
           redis_scatter_slot(link, item));
}

static accel_status redis_scatter_round(redis_link *link, accel_remote_item *items, size_t count,
                                        accel_remote_call *call, const redis_operation *operation,
                                        redis_again *again, void *single)
{
  redis_scatter parts = {.again = again};
  accel_status status = ACCEL_ERR_BACKEND;
  char *states = (char *)single;
  if (!redis_scatter_open(&parts, link, items, count, operation))
    return redis_scatter_no_memory(items, count, call);
  if (parts.count > 1) states = (char *)ACCEL_MALLOC(parts.count * operation->state_size);
  if (states == NULL) {
    ACCEL_FREE(parts.memory);
    return redis_scatter_no_memory(items, count, call);
  }
  for (size_t i = 0; i < parts.count; i++)
    operation->begin(operation->ctx, states + i * operation->state_size, &parts.list[i]);
  for (size_t i = 0; i < parts.count; i++) {
    const accel_status part = operation->finish(states + i * operation->state_size);
    if (accel_failed(part)) redis_scatter_name_key(link, &parts.list[i], call);
    if (accel_failed(status)) status = part;
  }
  if (states != single) ACCEL_FREE(states);
  ACCEL_FREE(parts.memory);
  return status;
}

static size_t redis_scatter_count_again(const accel_remote_item *items, size_t count)
{
  size_t again = 0;
  for (size_t i = 0; i < count; i++) again += items[i].status == REDIS_ITEM_AGAIN;
  return again;
}

static bool redis_scatter_must_wait(const accel_remote_item *items, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (items[i].status == REDIS_ITEM_AGAIN && (items[i].hint & REDIS_HINT_LATER) != 0) return true;
  return false;
}

/* Waits 1, 4, 16 ms and so on: servers that redirect to each other are about to learn which owns
 * the slot; one that replied TRYAGAIN is about to have the key. */
static void redis_scatter_pause(unsigned pauses_before, uint64_t deadline_ms)
{
  redis_wake nobody = {0};
  const uint64_t until_ms = accel_clock_monotonic_ms() + (1u << 2 * pauses_before);
  accel_redis_wake_sleep(&nobody, until_ms < deadline_ms ? until_ms : deadline_ms);
}

/* Fails what still has to go another round, when the rounds or the time are over. */
static void redis_scatter_give_up(redis_link *link, accel_remote_item *items, size_t count,
                                  accel_remote_call *call, const redis_again *again, int rounds)
{
  const accel_remote_item *item = again->item;
  const int name_size = (int)(item->name_size < 40 ? item->name_size : 40);
  char where[24] = "", server[REDIS_NEWS_SERVER];
  if (accel_redis_route_is_cluster(link->route))
    snprintf(where, sizeof where, " (slot %u)", redis_scatter_slot(link, item));
  accel_redis_endpoint_name(again->endpoint, NULL, server);
  snprintf(call->error, sizeof call->error, "%.*s%s: %s after %d tries; last, %.40s %s", name_size,
           item->name, where, rounds == REDIS_SCATTER_ROUNDS_MAX ? "given up" : "no time is left",
           rounds, server, again->why);
  redis_scatter_fail(items, count, ACCEL_ERR_BACKEND);
}

accel_status accel_redis_scatter_run(redis_link *link, accel_remote_item *items, size_t count,
                                     accel_remote_call *call, const redis_operation *operation,
                                     void *single)
{
  if (count == 0) return ACCEL_OK;
  /* for all rounds together; large values get more */
  call->limit_ms = accel_clock_deadline(link->settings->command_timeout_ms);
  const uint64_t until_ms = call->limit_ms < call->deadline_ms ? call->limit_ms : call->deadline_ms;
  accel_redis_route_await_discovery(link->route, until_ms);
  for (size_t i = 0; i < count; i++) {
    items[i].hint = 0;
    items[i].status = REDIS_ITEM_AGAIN;
  }
  redis_again again = {0};
  accel_status status = redis_scatter_round(link, items, count, call, operation, &again, single);
  unsigned pauses = 0;
  for (int round = 1; redis_scatter_count_again(items, count) > 0; round++) {
    if (round >= REDIS_SCATTER_SURE_ROUNDS || redis_scatter_must_wait(items, count))
      redis_scatter_pause(pauses++, until_ms);
    if (round == REDIS_SCATTER_ROUNDS_MAX || accel_clock_monotonic_ms() >= until_ms) {
      redis_scatter_give_up(link, items, count, call, &again, round);
      break;
    }
    const accel_status further =
        redis_scatter_round(link, items, count, call, operation, &again, single);
    if (accel_failed(status)) status = further;
  }
  call->limit_ms = 0;
  return status;
}

/* ---- for the operations ---- */

size_t accel_redis_part_large_bytes(const redis_part *part)
{
  size_t bytes = 0;
  for (size_t i = 0; i < part->count; i++)
    if (part->items[i]->size > REDIS_VALUE_LARGE_BYTES) bytes += part->items[i]->size;
  return bytes;
}

bool accel_redis_part_is_too_large(const redis_part *part, accel_remote_item *item,
                                   accel_remote_call *call)
{
  const size_t size_max = part->endpoint->context->settings->max_value_bytes;
  const uint64_t refused = accel_redis_value_sizes_refused(&part->endpoint->sizes, item->size);
  if (item->size <= size_max && refused == 0) return false;
  item->status = ACCEL_ERR_CODEC;
  char limit[104];
  if (item->size > size_max)
    snprintf(limit, sizeof limit, "max_value_bytes is %zu", size_max);
  else
    snprintf(limit, sizeof limit,
             "the server refused %llu: " REDIS_CALL_TOO_LARGE " (proto-max-bulk-len)",
             (unsigned long long)refused);
  const int name_size = (int)(item->name_size < 36 ? item->name_size : 36);
  snprintf(call->error, sizeof call->error, "the value of %.*s has %zu bytes; %s", name_size,
           item->name, item->size, limit);
  return true;
}

/* The server replied that the value is larger than it takes, and hangs up. */
static void redis_part_note_too_large(const redis_part *part, accel_remote_item *item,
                                      const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (item->size <= REDIS_VALUE_LARGE_BYTES) return;
  if (!accel_redis_reply_fails(replies, &reply, REDIS_CALL_TOO_LARGE)) return;
  accel_redis_value_sizes_refuse(&part->endpoint->sizes, item->size);
  item->status = ACCEL_ERR_CODEC;
}

/* Sets where the item must be asked next, and keeps its other flags. */
static void redis_part_hint(accel_remote_item *item, const redis_redirection *where)
{
  item->hint &= REDIS_HINT_SCRIPT | REDIS_HINT_DEL | REDIS_HINT_WHOLE | REDIS_HINT_NO_MULTI |
                REDIS_HINT_GET | REDIS_HINT_OVERSIZED;
  item->hint |= where->number << REDIS_HINT_SHIFT;
  if (where->must_ask) item->hint |= REDIS_HINT_ASK;
  if (where->must_wait) item->hint |= REDIS_HINT_LATER;
}

void accel_redis_part_again(const redis_part *part, accel_remote_item *item, uint32_t hint,
                            const char *why)
{
  item->hint |= hint;
  item->status = REDIS_ITEM_AGAIN;
  *part->again = (redis_again){item, part->endpoint, why};
}

/* The words of a redirection. */
static const char *redis_part_redirection(const redis_redirection *where)
{
  if (where->must_wait) return "replied TRYAGAIN";
  return where->must_ask ? "replied ASK" : "replied MOVED";
}

void accel_redis_part_refused(const redis_part *part, accel_remote_item *item,
                              accel_remote_call *call, const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  const bool lacks_script = accel_redis_reply_fails(replies, &reply, "NOSCRIPT") ||
                            accel_redis_commands_refuses(replies, i, REDIS_COMMAND_EVALSHA);
  if (lacks_script && (item->hint & REDIS_HINT_SCRIPT) == 0) {
    accel_redis_part_again(part, item, REDIS_HINT_SCRIPT, "did not know the script");
    return;
  }
  if ((item->hint & REDIS_HINT_DEL) == 0 &&
      accel_redis_note_lacks_unlink(part->endpoint, replies, i)) {
    accel_redis_part_again(part, item, REDIS_HINT_DEL, "refused UNLINK");
    return;
  }
  redis_redirection where;
  const bool is_redirected =
      accel_redis_route_redirect(part->route, part->endpoint, replies, i, &where);
  redis_part_hint(item, &where);
  if (is_redirected) {
    accel_redis_part_again(part, item, 0, redis_part_redirection(&where));
    return;
  }
  item->status = accel_redis_call_explain(call, part->endpoint, replies, i);
  redis_part_note_too_large(part, item, replies, i);
}

bool accel_redis_part_append_asking(const accel_remote_item *item, accel_buffer *out,
                                    size_t *replies)
{
  if ((item->hint & REDIS_HINT_ASK) == 0) return true;
  *replies += 1;
  return accel_redis_command_append_words(out, REDIS_WORDS("ASKING"));
}

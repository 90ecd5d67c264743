#include "call.h"

#include <stdlib.h>
#include <string.h>

/* One part, between its commands and its replies. */
typedef struct redis_read {
  const redis_link *link;
  const redis_part *part;
  redis_exchange exchange;
} redis_read;

/* GET for one key, MGET in chunks for many, all in one round trip. */
static size_t redis_read_append(void *read_pointer, accel_buffer *out)
{
  const redis_read *read = (const redis_read *)read_pointer;
  const redis_part *part = read->part;
  const char *verb = part->count == 1 ? "GET" : "MGET";
  size_t replies = 0;
  for (size_t from = 0; from < part->count; from += REDIS_CALL_KEYS_MAX, replies++) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_CALL_KEYS_MAX ? left : REDIS_CALL_KEYS_MAX;
    if (!accel_redis_call_append_keys(out, verb, read->link, part->items + from, size)) return 0;
  }
  return replies;
}

static void redis_read_begin(redis_link *link, accel_remote_call *call, const redis_part *part,
                             redis_read *read)
{
  read->link = link;
  read->part = part;
  read->exchange.purpose = REDIS_READS;
  read->exchange.endpoint = part->endpoint;
  read->exchange.connection = part->connection;
  read->exchange.block = (redis_block){redis_read_append, read};
  accel_redis_call_begin(link, call, &read->exchange);
}

/* ---- replies ---- */

/* False: no command of ours has such a reply. */
static bool redis_read_item(accel_remote_item *item, accel_remote_call *call,
                            const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  item->status = ACCEL_MISS;
  if (reply.kind == REDIS_REPLY_IS_NIL) return true;
  if (reply.kind == REDIS_REPLY_IS_ERROR) {
    if (!accel_redis_reply_fails(replies, &reply, "WRONGTYPE"))
      item->status = accel_redis_call_explain(call, replies, i);
    return true;
  }
  if (reply.kind != REDIS_REPLY_IS_TEXT) return false;
  item->status = ACCEL_OK;
  item->data = accel_redis_reply_text(replies, &reply);
  item->size = reply.size;
  return true;
}

/* One MGET's reply, at *i, which it moves behind it. */
static bool redis_read_chunk(accel_remote_item *const *items, size_t count, accel_remote_call *call,
                             const redis_replies *replies, size_t *i)
{
  const redis_reply whole = accel_redis_reply_at(replies, *i);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    const accel_status status = accel_redis_call_explain(call, replies, *i);
    for (size_t k = 0; k < count; k++) items[k]->status = status;
    *i += 1;
    return true;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != count) return false;
  for (size_t k = 0; k < count; k++)
    if (!redis_read_item(items[k], call, replies, *i + 1 + k)) return false;
  *i += 1 + count;
  return true;
}

static bool redis_read_all(const redis_part *part, accel_remote_call *call,
                           const redis_replies *replies)
{
  if (part->count == 1) return redis_read_item(part->items[0], call, replies, 0);
  size_t i = 0;
  for (size_t from = 0; from < part->count; from += REDIS_CALL_KEYS_MAX) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_CALL_KEYS_MAX ? left : REDIS_CALL_KEYS_MAX;
    if (!redis_read_chunk(part->items + from, size, call, replies, &i)) return false;
  }
  return true;
}

static void redis_read_note_sizes(const redis_part *part)
{
  for (size_t i = 0; i < part->count; i++) {
    const accel_remote_item *item = part->items[i];
    if (item->status == ACCEL_OK)
      accel_redis_endpoint_note_size(part->endpoint, item->key, item->key_size, item->size);
  }
}

static accel_status redis_read_finish(accel_remote_call *call, redis_read *read)
{
  redis_exchange *exchange = &read->exchange;
  const accel_status status = accel_redis_call_finish(call, exchange);
  if (accel_failed(status)) return accel_redis_part_fail(read->part, status);
  if (redis_read_all(read->part, call, &exchange->replies)) {
    redis_read_note_sizes(read->part);
    accel_redis_replies_keep(&exchange->replies, &call->reply); /* where the items' data lies */
    return ACCEL_OK;
  }
  accel_redis_replies_release(&exchange->replies);
  return accel_redis_part_fail(read->part, accel_redis_call_distrust(exchange->connection, call));
}

/* ---- the operations ---- */

static accel_status redis_read_parts(redis_link *link, accel_remote_call *call,
                                     const redis_parts *parts, redis_read *reads)
{
  accel_status status = ACCEL_ERR_BACKEND;
  for (size_t i = 0; i < parts->count; i++)
    redis_read_begin(link, call, &parts->list[i], &reads[i]);
  for (size_t i = 0; i < parts->count; i++)
    status = accel_redis_call_join(status, redis_read_finish(call, &reads[i]));
  return status;
}

accel_status accel_redis_get(void *link_pointer, accel_remote_item *items, size_t count,
                             accel_remote_call *call)
{
  redis_link *link = (redis_link *)link_pointer;
  redis_parts parts;
  redis_read only, *reads = &only;
  call->reply = NULL;
  if (count == 0) return ACCEL_OK;
  if (!accel_redis_parts_open(&parts, link, items, count, true))
    return accel_redis_call_no_memory(items, count, call);
  if (parts.count > 1) reads = (redis_read *)ACCEL_MALLOC(parts.count * sizeof *reads);
  const accel_status status = reads == NULL ? accel_redis_call_no_memory(items, count, call)
                                            : redis_read_parts(link, call, &parts, reads);
  if (reads != &only) ACCEL_FREE(reads);
  accel_redis_parts_close(&parts);
  return status;
}

void accel_redis_release(void *link, accel_remote_call *call)
{
  (void)link;
  accel_redis_replies_drop(&call->reply);
}

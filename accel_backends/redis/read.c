#include "call.h"

#include <stdlib.h>
#include <string.h>

/* GET for one key, MGET in chunks for many, all in one round trip. */
static bool redis_read_prepare(const redis_link *link, accel_remote_item *items, size_t count,
                               redis_prepared *prepared)
{
  const char *verb = count == 1 ? "GET" : "MGET";
  for (size_t from = 0; from < count; from += REDIS_CALL_KEYS_MAX, prepared->replies++) {
    const accel_remote_item *chunk[REDIS_CALL_KEYS_MAX];
    size_t size = 0;
    while (size < REDIS_CALL_KEYS_MAX && from + size < count) {
      chunk[size] = &items[from + size];
      size++;
    }
    if (!accel_redis_call_append_keys(&prepared->commands, verb, link, chunk, size)) return false;
  }
  return true;
}

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
static bool redis_read_chunk(accel_remote_item *items, size_t count, accel_remote_call *call,
                             const redis_replies *replies, size_t *i)
{
  const redis_reply whole = accel_redis_reply_at(replies, *i);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    accel_redis_call_fail(items, count, accel_redis_call_explain(call, replies, *i));
    *i += 1;
    return true;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != count) return false;
  for (size_t k = 0; k < count; k++)
    if (!redis_read_item(&items[k], call, replies, *i + 1 + k)) return false;
  *i += 1 + count;
  return true;
}

static bool redis_read_all(accel_remote_item *items, size_t count, accel_remote_call *call,
                           const redis_replies *replies)
{
  if (count == 1) return redis_read_item(items, call, replies, 0);
  size_t i = 0;
  for (size_t from = 0; from < count; from += REDIS_CALL_KEYS_MAX) {
    const size_t left = count - from;
    const size_t size = left < REDIS_CALL_KEYS_MAX ? left : REDIS_CALL_KEYS_MAX;
    if (!redis_read_chunk(items + from, size, call, replies, &i)) return false;
  }
  return true;
}

accel_status accel_redis_get(void *link_pointer, accel_remote_item *items, size_t count,
                             accel_remote_call *call)
{
  redis_link *link = (redis_link *)link_pointer;
  redis_prepared prepared = {0};
  redis_replies replies;
  call->reply = NULL;
  if (count == 0) return ACCEL_OK;
  if (!redis_read_prepare(link, items, count, &prepared)) {
    accel_buffer_release(&prepared.commands);
    return accel_redis_call_no_memory(items, count, call);
  }
  const accel_status status = accel_redis_call_send(link, call, &prepared, &replies);
  if (accel_failed(status)) return accel_redis_call_fail(items, count, status);
  if (!redis_read_all(items, count, call, &replies)) {
    accel_redis_replies_release(&replies);
    return accel_redis_call_fail(items, count, accel_redis_call_distrust(link, call));
  }
  call->reply = replies.text.data; /* where the items' data lies */
  replies.text = (accel_buffer){0};
  accel_redis_replies_release(&replies);
  return ACCEL_OK;
}

void accel_redis_release(void *link, accel_remote_call *call)
{
  (void)link;
  ACCEL_FREE(call->reply);
  call->reply = NULL;
}

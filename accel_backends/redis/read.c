/* get.
 *
 * GET for one key and MGET for many, until an endpoint has met its first large value. What a key
 * holds, and how much of it, is not known before it is read; so from then on no read may make the
 * others on the data connection wait for a large value: each key is asked for at most one byte more
 * than a small value has, by GETRANGE. If that byte comes the item goes another round, for all of
 * it, on the connection for large values. There a plain GET asks, at once for keys that are known
 * to be large. A value is never empty, thus "" is a miss.
 *
 * GETRANGE costs a server more than GET, and in a batch much more than MGET. So whoever has no
 * large values does not pay for them, and whoever has some waits for the first one, once.
 */
#include "../../accel/platform/atomic.h"
#include "parts.h"

#define REDIS_READ_LAST "262144" /* the byte that only a large value has */
ACCEL_STATIC_ASSERT(REDIS_ENDPOINT_LARGE_BYTES == 262144, "REDIS_READ_LAST is its text");

/* What all parts have in common. */
typedef struct redis_read_terms {
  redis_link *link;
  accel_remote_call *call;
  bool gets_each; /* a cluster's MGET would have to stay within one slot */
} redis_read_terms;

/* One part, between its commands and its replies. */
typedef struct redis_read {
  const redis_read_terms *terms;
  const redis_part *part;
  bool gets_each;  /* one command per item, or MGET */
  bool is_bounded; /* by GETRANGE */
  redis_exchange exchange;
} redis_read;

static bool redis_read_append_bounded(const redis_read *read, const accel_remote_item *item,
                                      accel_buffer *out)
{
  const redis_link *link = read->terms->link;
  return accel_redis_command_start(out, 4) && accel_redis_command_add(out, "GETRANGE", 8, "", 0) &&
         accel_redis_command_add(out, link->key_start, link->prefix_size, item->key,
                                 item->key_size) &&
         accel_redis_command_add(out, "0", 1, "", 0) &&
         accel_redis_command_add(out, REDIS_READ_LAST, sizeof REDIS_READ_LAST - 1, "", 0);
}

static size_t redis_read_append_gets(const redis_read *read, accel_buffer *out)
{
  size_t replies = 0;
  for (size_t i = 0; i < read->part->count; i++, replies++) {
    accel_remote_item *const *item = &read->part->items[i];
    if (!accel_redis_part_append_asking(*item, out, &replies)) return 0;
    const bool appended =
        read->is_bounded ? redis_read_append_bounded(read, *item, out)
                         : accel_redis_call_append_keys(out, "GET", read->terms->link, item, 1);
    if (!appended) return 0;
  }
  return replies;
}

/* All in one round trip. */
static size_t redis_read_append(void *read_pointer, accel_buffer *out)
{
  const redis_read *read = (const redis_read *)read_pointer;
  const redis_part *part = read->part;
  if (read->gets_each) return redis_read_append_gets(read, out);
  size_t replies = 0;
  for (size_t from = 0; from < part->count; from += REDIS_CALL_KEYS_MAX, replies++) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_CALL_KEYS_MAX ? left : REDIS_CALL_KEYS_MAX;
    if (!accel_redis_call_append_keys(out, "MGET", read->terms->link, part->items + from, size))
      return 0;
  }
  return replies;
}

static void redis_read_begin(void *terms_pointer, void *read_pointer, const redis_part *part)
{
  const redis_read_terms *terms = (const redis_read_terms *)terms_pointer;
  redis_read *read = (redis_read *)read_pointer;
  read->terms = terms;
  read->part = part;
  read->is_bounded =
      part->connection == &part->endpoint->data && accel_load_relaxed(&part->endpoint->has_large);
  read->gets_each = part->count == 1 || read->terms->gets_each || read->is_bounded;
  read->exchange.purpose = REDIS_READS;
  read->exchange.endpoint = part->endpoint;
  read->exchange.connection = part->connection;
  read->exchange.block = (redis_block){.append = redis_read_append, .ctx = read};
  accel_redis_call_begin(terms->link, terms->call, &read->exchange);
}

/* ---- replies ---- */

/* False: no command of ours has such a reply. */
static bool redis_read_item(const redis_read *read, accel_remote_item *item, size_t i)
{
  const redis_replies *replies = &read->exchange.replies;
  const redis_reply reply = accel_redis_reply_at(replies, i);
  item->status = ACCEL_MISS;
  if (reply.kind == REDIS_REPLY_IS_NIL) return true;
  if (reply.kind == REDIS_REPLY_IS_ERROR) {
    if (!accel_redis_reply_fails(replies, &reply, "WRONGTYPE"))
      accel_redis_part_refused(read->part, item, read->terms->call, replies, i);
    return true;
  }
  if (reply.kind != REDIS_REPLY_IS_TEXT) return false;
  if (read->is_bounded && reply.size == 0) return true;
  if (read->is_bounded && reply.size > REDIS_ENDPOINT_LARGE_BYTES) {
    accel_redis_endpoint_note_size(read->part->endpoint, item->key, item->key_size, reply.size);
    item->hint |= REDIS_HINT_WHOLE;
    item->status = REDIS_ITEM_AGAIN;
    return true;
  }
  item->status = ACCEL_OK;
  item->data = accel_redis_reply_text(replies, &reply);
  item->size = reply.size;
  return true;
}

/* One MGET's reply, at *i, which it moves behind it. */
static bool redis_read_chunk(const redis_read *read, size_t from, size_t count, size_t *i)
{
  accel_remote_item *const *items = read->part->items + from;
  const redis_reply whole = accel_redis_reply_at(&read->exchange.replies, *i);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    for (size_t k = 0; k < count; k++)
      accel_redis_part_refused(read->part, items[k], read->terms->call, &read->exchange.replies,
                               *i);
    *i += 1;
    return true;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != count) return false;
  for (size_t k = 0; k < count; k++)
    if (!redis_read_item(read, items[k], *i + 1 + k)) return false;
  *i += 1 + count;
  return true;
}

static bool redis_read_all(const redis_read *read)
{
  const redis_part *part = read->part;
  size_t i = 0;
  if (read->gets_each) {
    for (size_t k = 0; k < part->count; k++, i++) {
      i += redis_part_skips(part->items[k]);
      if (!redis_read_item(read, part->items[k], i)) return false;
    }
    return true;
  }
  for (size_t from = 0; from < part->count; from += REDIS_CALL_KEYS_MAX) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_CALL_KEYS_MAX ? left : REDIS_CALL_KEYS_MAX;
    if (!redis_read_chunk(read, from, size, &i)) return false;
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

static accel_status redis_read_finish(void *terms_pointer, void *read_pointer)
{
  const redis_read_terms *terms = (const redis_read_terms *)terms_pointer;
  redis_read *read = (redis_read *)read_pointer;
  redis_exchange *exchange = &read->exchange;
  const accel_status status = accel_redis_call_finish(terms->call, exchange);
  if (accel_failed(status)) return accel_redis_part_fail(read->part, status);
  if (redis_read_all(read)) {
    redis_read_note_sizes(read->part);
    /* It is where the items' data lies. */
    accel_redis_replies_keep(&exchange->replies, &terms->call->reply);
    return ACCEL_OK;
  }
  accel_redis_replies_release(&exchange->replies);
  return accel_redis_part_fail(read->part,
                               accel_redis_call_distrust(exchange->connection, terms->call));
}

/* ---- the operations ---- */

accel_status accel_redis_get(void *link_pointer, accel_remote_item *items, size_t count,
                             accel_remote_call *call)
{
  redis_link *link = (redis_link *)link_pointer;
  redis_read_terms terms = {link, call, accel_redis_route_is_cluster(&link->state->route)};
  const redis_operation operation = {.ctx = &terms,
                                     .state_size = sizeof(redis_read),
                                     .purpose = REDIS_READS,
                                     .may_be_bulk = true,
                                     .begin = redis_read_begin,
                                     .finish = redis_read_finish};
  redis_read single;
  call->reply = NULL;
  return accel_redis_parts_run(link, items, count, call, &operation, &single);
}

void accel_redis_release(void *link, accel_remote_call *call)
{
  (void)link;
  accel_redis_replies_drop(&call->reply);
}

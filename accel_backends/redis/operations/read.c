/* read.c: get.
 *
 * GET for one key and MGET for many, until an endpoint has met its first large value. The size of
 * a value is not known before it is read; so from then on no read may make others on the data
 * connection wait for a large value. Each key is read by GETRANGE, one byte more than a small
 * value has. If that byte comes, the item goes another round, for all of it, on the connection for
 * large values. Keys that are known to be large use that connection at once. A value is never
 * empty, so "" is a miss.
 *
 * A value of more than max_value_bytes is returned by its first bytes only, so that a load may
 * replace it. There too one byte more than allowed is read, and of a key that is known for it only
 * whether that byte still exists.
 *
 * A key that holds no string is returned as a value without bytes. MGET passes over it, and
 * GETRANGE over an empty string; a call that looks closely reads each key by a plain GET.
 *
 * GETRANGE costs a server more than GET, and in a batch much more than MGET. So a user without
 * large values does not pay for them, and one with large values waits for the first one, once. */
#include "../../../accel/platform/atomic.h"
#include "blocks.h"
#include "operations.h"

#include <stdio.h>
#include <string.h>

#define REDIS_READ_LAST "262144" /* index of the byte that only a large value has */
ACCEL_STATIC_ASSERT(REDIS_VALUE_LARGE_BYTES == 262144, "REDIS_READ_LAST is its text");
#define REDIS_READ_HEAD_LAST \
  "31" /* last byte of an oversized value that is read: up to what a fill compares */
#define REDIS_READ_HEAD_BYTES 32u /* fewer than any valid value has */

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
  bool gets_each;     /* one command per item, or MGET */
  bool is_bounded;    /* by GETRANGE, up to the size of a small value */
  bool is_large_lane; /* by GETRANGE, up to max_value_bytes */
  redis_exchange exchange;
} redis_read;

static bool redis_read_append_range(const redis_read *read, const accel_remote_item *item,
                                    const char *first, const char *last, accel_buffer *out)
{
  const redis_link *link = read->terms->link;
  return accel_redis_command_start(out, 4) && accel_redis_command_add(out, "GETRANGE", 8, "", 0) &&
         accel_redis_command_add(out, link->key_start, link->prefix_size, item->key,
                                 item->key_size) &&
         accel_redis_command_add(out, first, strlen(first), "", 0) &&
         accel_redis_command_add(out, last, strlen(last), "", 0);
}

static bool redis_read_is_oversized(const accel_remote_item *item)
{
  return (item->hint & REDIS_HINT_OVERSIZED) != 0;
}

/* Appends two reads: of the byte beyond max_value_bytes, and of the head. Adds one reply, the
 * caller the other. */
static bool redis_read_append_oversized(const redis_read *read, const accel_remote_item *item,
                                        const char *beyond, accel_buffer *out, size_t *replies)
{
  *replies += 1;
  return redis_read_append_range(read, item, beyond, beyond, out) &&
         accel_redis_part_append_asking(item, out, replies) &&
         redis_read_append_range(read, item, "0", REDIS_READ_HEAD_LAST, out);
}

static bool redis_read_append_item(const redis_read *read, accel_remote_item *const *item,
                                   const char *beyond, accel_buffer *out, size_t *replies)
{
  if (!accel_redis_part_append_asking(*item, out, replies)) return false;
  if (redis_read_is_oversized(*item))
    return redis_read_append_oversized(read, *item, beyond, out, replies);
  const bool is_by_get = ((*item)->hint & REDIS_HINT_GET) != 0;
  if (is_by_get) return accel_redis_append_keys(out, "GET", read->terms->link, item, 1);
  if (read->is_bounded) return redis_read_append_range(read, *item, "0", REDIS_READ_LAST, out);
  if (read->is_large_lane) return redis_read_append_range(read, *item, "0", beyond, out);
  return accel_redis_append_keys(out, "GET", read->terms->link, item, 1);
}

static size_t redis_read_append_gets(const redis_read *read, accel_buffer *out)
{
  size_t replies = 0;
  char beyond[24]; /* the first byte that a value may not have */
  snprintf(beyond, sizeof beyond, "%zu", read->terms->link->settings->max_value_bytes);
  for (size_t i = 0; i < read->part->count; i++, replies++)
    if (!redis_read_append_item(read, &read->part->items[i], beyond, out, &replies)) return 0;
  return replies;
}

/* All in one round trip. */
static size_t redis_read_append(void *read_pointer, accel_buffer *out)
{
  const redis_read *read = (const redis_read *)read_pointer;
  const redis_part *part = read->part;
  if (read->gets_each) return redis_read_append_gets(read, out);
  size_t replies = 0;
  for (size_t from = 0; from < part->count; from += REDIS_APPEND_KEYS_MAX, replies++) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_APPEND_KEYS_MAX ? left : REDIS_APPEND_KEYS_MAX;
    if (!accel_redis_append_keys(out, "MGET", read->terms->link, part->items + from, size))
      return 0;
  }
  return replies;
}

static void redis_read_note_size(const redis_part *part, const accel_remote_item *item, size_t size)
{
  accel_redis_value_sizes_note(&part->endpoint->sizes, item->key, item->key_size, size,
                               part->endpoint->context->settings->max_value_bytes);
}

static void redis_read_note_oversized(const redis_part *part, accel_remote_item *item)
{
  if (accel_redis_value_sizes_find(&part->endpoint->sizes, item->key, item->key_size) ==
      REDIS_VALUE_OVERSIZED)
    item->hint |= REDIS_HINT_OVERSIZED;
}

/* The size of the values shows when they come. */
static void redis_read_allow_large(redis_read *read)
{
  const redis_settings *settings = read->terms->link->settings;
  const size_t most = SIZE_MAX / settings->max_value_bytes;
  const size_t count = read->part->count < most ? read->part->count : most;
  read->exchange.large_bytes = count * settings->max_value_bytes;
  read->exchange.request.patience_ms = settings->command_timeout_ms;
}

static void redis_read_begin(void *terms_pointer, void *read_pointer, const redis_part *part)
{
  const redis_read_terms *terms = (const redis_read_terms *)terms_pointer;
  redis_read *read = (redis_read *)read_pointer;
  read->terms = terms;
  read->part = part;
  read->is_large_lane = part->lane_or_null == &part->endpoint->lanes[REDIS_LANE_LARGE];
  read->is_bounded = !read->is_large_lane && accel_load_relaxed(&part->endpoint->sizes.has_large);
  read->gets_each = part->count == 1 || terms->gets_each || read->is_bounded ||
                    read->is_large_lane || terms->call->looks_closely ||
                    accel_redis_commands_lacks(&part->endpoint->commands, REDIS_COMMAND_MGET);
  for (size_t i = 0; i < part->count && read->is_bounded; i++)
    redis_read_note_oversized(part, part->items[i]);
  accel_redis_call_init(&read->exchange, REDIS_READS, part->endpoint, part->lane_or_null,
                        redis_read_append, read);
  if (read->is_large_lane) redis_read_allow_large(read);
  accel_redis_call_begin(terms->link, terms->call, &read->exchange);
}

/* ---- replies ---- */

/* Keeps only the head of an oversized value. */
static void redis_read_cut(const redis_read *read, accel_remote_item *item)
{
  redis_read_note_size(read->part, item, item->size);
  if (item->size > REDIS_READ_HEAD_BYTES) item->size = REDIS_READ_HEAD_BYTES;
  item->hint |= REDIS_HINT_OVERSIZED; /* its size is known already */
}

/* The key holds something that a load may replace. */
static void redis_read_useless(accel_remote_item *item)
{
  item->status = ACCEL_OK;
  item->data = "";
  item->size = 0;
}

/* Reads an item's reply. False: no command sent here has such a reply. */
static bool redis_read_item(const redis_read *read, accel_remote_item *item, size_t i)
{
  const size_t size_max = read->terms->link->settings->max_value_bytes;
  const redis_replies *replies = &read->exchange.replies;
  const redis_reply reply = accel_redis_reply_at(replies, i);
  item->status = ACCEL_MISS;
  if (reply.kind == REDIS_REPLY_IS_NIL) return true;
  if (reply.kind == REDIS_REPLY_IS_ERROR) {
    if (accel_redis_reply_fails(replies, &reply, "WRONGTYPE"))
      redis_read_useless(item);
    else
      accel_redis_part_refused(read->part, item, read->terms->call, replies, i);
    return true;
  }
  const bool is_text = reply.kind == REDIS_REPLY_IS_TEXT;
  if (!is_text && reply.kind != REDIS_REPLY_IS_OVERSIZED) return false;
  const bool is_whole =
      (item->hint & REDIS_HINT_GET) != 0 || !(read->is_bounded || read->is_large_lane);
  if (!is_whole && reply.size == 0) {
    if (read->terms->call->looks_closely)
      accel_redis_part_again(read->part, item, REDIS_HINT_GET, "replied nothing to GETRANGE");
    return true;
  }
  const bool is_large = read->is_bounded && reply.size > REDIS_VALUE_LARGE_BYTES;
  if (!is_text || (is_large && reply.size <= size_max)) {
    redis_read_note_size(read->part, item, reply.size);
    accel_redis_part_again(read->part, item,
                           reply.size > size_max ? REDIS_HINT_OVERSIZED : REDIS_HINT_WHOLE,
                           "replied with a part of a large value");
    return true;
  }
  item->status = ACCEL_OK;
  item->data = accel_redis_reply_text(replies, &reply);
  item->size = reply.size;
  if (reply.size > size_max) redis_read_cut(read, item);
  return true;
}

/* Reads the replies to redis_read_append_oversized: the first is at *i, which moves to the last.
 * False: as above. */
static bool redis_read_take_oversized(const redis_read *read, accel_remote_item *item, size_t *i)
{
  const redis_reply beyond = accel_redis_reply_at(&read->exchange.replies, *i);
  const size_t first = *i;
  *i += 1 + redis_part_skips(item);
  if (beyond.kind == REDIS_REPLY_IS_ERROR) return redis_read_item(read, item, first);
  if (beyond.kind != REDIS_REPLY_IS_TEXT) return false;
  if (beyond.size > 0) return redis_read_item(read, item, *i);
  item->hint &= ~(uint32_t)REDIS_HINT_OVERSIZED;
  redis_read_note_size(read->part, item, 0);
  accel_redis_part_again(read->part, item, 0, "had an oversized value before");
  return true;
}

/* Reads the reply to one MGET, at *i, which moves behind it. */
static bool redis_read_chunk(const redis_read *read, size_t from, size_t count, size_t *i)
{
  accel_remote_item *const *items = read->part->items + from;
  const redis_reply whole = accel_redis_reply_at(&read->exchange.replies, *i);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    const bool lacks_mget =
        accel_redis_commands_refuses(&read->exchange.replies, *i, REDIS_COMMAND_MGET);
    for (size_t k = 0; k < count; k++)
      if (lacks_mget)
        accel_redis_part_again(read->part, items[k], REDIS_HINT_GET, "refused MGET");
      else
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
      const bool is_read = redis_read_is_oversized(part->items[k])
                               ? redis_read_take_oversized(read, part->items[k], &i)
                               : redis_read_item(read, part->items[k], i);
      if (!is_read) return false;
    }
    return true;
  }
  for (size_t from = 0; from < part->count; from += REDIS_APPEND_KEYS_MAX) {
    const size_t left = part->count - from;
    const size_t size = left < REDIS_APPEND_KEYS_MAX ? left : REDIS_APPEND_KEYS_MAX;
    if (!redis_read_chunk(read, from, size, &i)) return false;
  }
  return true;
}

static void redis_read_note_sizes(const redis_part *part)
{
  for (size_t i = 0; i < part->count; i++) {
    const accel_remote_item *item = part->items[i];
    if (item->status == ACCEL_OK && !redis_read_is_oversized(item))
      redis_read_note_size(part, item, item->size);
  }
}

static accel_status redis_read_finish(void *read_pointer)
{
  redis_read *read = (redis_read *)read_pointer;
  accel_remote_call *call = read->terms->call;
  redis_exchange *exchange = &read->exchange;
  const accel_status status = accel_redis_call_finish(call, exchange);
  if (accel_failed(status))
    return accel_redis_call_fail(read->part->items, read->part->count, status);
  if (redis_read_all(read)) {
    redis_read_note_sizes(read->part);
    /* The items' data lies there. */
    accel_redis_replies_keep(&exchange->replies, &call->reply);
    return ACCEL_OK;
  }
  accel_redis_replies_release(&exchange->replies);
  return accel_redis_call_fail(read->part->items, read->part->count,
                               accel_redis_call_protocol_error(exchange->lane_or_null, call));
}

/* ---- the operations ---- */

accel_status accel_redis_get(void *link_pointer, accel_remote_item *items, size_t count,
                             accel_remote_call *call)
{
  redis_link *link = (redis_link *)link_pointer;
  redis_read_terms terms = {link, call, accel_redis_route_is_cluster(link->route)};
  const redis_operation operation = {.ctx = &terms,
                                     .state_size = sizeof(redis_read),
                                     .purpose = REDIS_READS,
                                     .may_be_large = true,
                                     .begin = redis_read_begin,
                                     .finish = redis_read_finish};
  redis_read single;
  call->reply = NULL;
  return accel_redis_blocks_run(link, items, count, call, &operation, &single);
}

void accel_redis_release(void *link, accel_remote_call *call)
{
  (void)link;
  accel_redis_replies_drop(&call->reply);
}

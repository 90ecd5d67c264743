/* removal.c: removes what a full server refuses to store, and what one without MULTI cannot.
 *
 * A server without room refuses every command within MULTI, even one that removes. So the removals
 * are sent without MULTI, followed by the message that the refused transaction had:
 *
 *   the removals of the items, PUBLISH of the message
 *
 * All in one write, so that only a connection lost between two commands can separate them; then
 * the caller gets no reply, and repairs. The message keeps its number: a new one would make the
 * refused message look lost, and cost all other processes their L1. A value that could not be
 * stored is removed in the same way, so that nobody reads the one before it. */
#include "removal.h"

#include <string.h>

static bool redis_removal_append_keys(const redis_write *write, size_t from, size_t count,
                                      accel_buffer *out, size_t *replies)
{
  const char *verb = accel_redis_unlink_verb(write->part->endpoint);
  for (size_t i = from; i < from + count; i++) {
    if (write->items[i]->status != REDIS_WRITE_TO_REMOVE) continue;
    if (!accel_redis_part_append_asking(write->items[i], out, replies) ||
        !accel_redis_append_keys(out, verb, write->terms->link, &write->items[i], 1))
      return false;
    *replies += 1;
  }
  return true;
}

static size_t redis_removal_append(void *write_pointer, accel_buffer *out)
{
  redis_write *write = (redis_write *)write_pointer;
  size_t replies = 0, from = 0;
  if (write->terms->publisher == NULL)
    return redis_removal_append_keys(write, 0, write->count, out, &replies) ? replies : 0;
  while (write->written < write->count)
    if (!accel_redis_transaction_cut(write)) return 0;
  for (size_t k = 0; k < write->message_count; from += write->named[k++]) {
    if (write->items[from]->status != REDIS_WRITE_TO_REMOVE) continue;
    if (!redis_removal_append_keys(write, from, write->named[k], out, &replies) ||
        !accel_redis_transaction_append_publish(write, k, out))
      return 0;
    replies++;
  }
  return replies;
}

/* ---- replies ---- */

/* Reads the replies to the removals of `count` items, at *i, which moves behind them. A set whose
 * value was removed has failed all the same. */
static bool redis_removal_take_keys(redis_write *write, size_t from, size_t count,
                                    const redis_replies *replies, size_t *i)
{
  for (size_t k = from; k < from + count; k++) {
    accel_remote_item *item = write->items[k];
    if (item->status != REDIS_WRITE_TO_REMOVE) continue;
    *i += redis_part_skips(item);
    const redis_reply reply = accel_redis_reply_at(replies, (*i)++);
    if (reply.kind == REDIS_REPLY_IS_ERROR) {
      accel_redis_part_refused(write->part, item, write->terms->call, replies, *i - 1);
      continue;
    }
    if (reply.kind != REDIS_REPLY_IS_INTEGER) return false;
    item->status = write->terms->is_del ? ACCEL_OK : ACCEL_ERR_BACKEND;
    item->is_removed = !write->terms->is_del;
  }
  return true;
}

static bool redis_removal_take(redis_write *write, const redis_replies *replies)
{
  accel_remote_call *call = write->terms->call;
  size_t i = 0, from = 0;
  if (write->terms->publisher == NULL)
    return redis_removal_take_keys(write, 0, write->count, replies, &i);
  for (size_t k = 0; k < write->message_count; from += write->named[k++]) {
    if (write->items[from]->status != REDIS_WRITE_TO_REMOVE) continue;
    if (!redis_removal_take_keys(write, from, write->named[k], replies, &i)) return false;
    const redis_reply published = accel_redis_reply_at(replies, i++);
    if (published.kind == REDIS_REPLY_IS_INTEGER) {
      call->messages_sent++;
      continue;
    }
    if (published.kind != REDIS_REPLY_IS_ERROR) return false;
    call->messages_failed++;
    for (size_t n = from; n < from + write->named[k]; n++) {
      accel_redis_part_refused(write->part, write->items[n], call, replies, i - 1);
      write->items[n]->is_removed = false; /* no message was sent */
    }
  }
  return true;
}

/* ---- the whole ---- */

static void redis_removal_fail(redis_write *write, accel_status status)
{
  for (size_t i = 0; i < write->count; i++)
    if (write->items[i]->status == REDIS_WRITE_TO_REMOVE) write->items[i]->status = status;
}

accel_status accel_redis_removal_run(redis_write *write)
{
  accel_remote_call *call = write->terms->call;
  redis_exchange *exchange = &write->exchange;
  char reason[sizeof call->error];
  memcpy(reason, call->error, sizeof reason);
  write->has_removals = false;
  accel_redis_replies_release(&exchange->replies);
  exchange->purpose = REDIS_REMOVES;
  exchange->request = (redis_request){.append = redis_removal_append, .ctx = write};
  accel_redis_call_begin(write->terms->link, call, exchange);
  accel_status status = accel_redis_call_finish(call, exchange);
  if (accel_failed(status)) {
    redis_removal_fail(write, status);
    call->messages_failed++;
  } else if (redis_removal_take(write, &exchange->replies)) {
    if (reason[0] != '\0') memcpy(call->error, reason, sizeof reason);
  } else {
    status = accel_redis_call_protocol_error(exchange->lane_or_null, call);
    redis_removal_fail(write, status);
  }
  return status;
}

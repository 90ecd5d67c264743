/* write.c: put and del.
 *
 * The items' commands are built before the connection is locked, one after the other. Without a
 * publisher they are sent as they are. With one they are cut, under the lock, into transactions of
 *
 *   MULTI, the commands of the items that one message names, PUBLISH of the message, EXEC
 *
 * because the publisher decides how many items a message names, and numbers it. All transactions
 * are one write and one round trip; each takes effect as a whole or not at all. Large values do the
 * same on a lane of their own. What a full server refuses, or one without MULTI, EXEC or PUBLISH,
 * is removed in another way (removal.c). */
#include "blocks.h"
#include "operations.h"
#include "removal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void redis_write_close(redis_write *write)
{
  accel_buffer_release(&write->commands);
  accel_buffer_release(&write->messages);
  ACCEL_FREE(write->items);
}

/* One piece of memory for the four arrays. */
static bool redis_write_open(redis_write *write, size_t count)
{
  const size_t each = sizeof *write->items + 3 * sizeof *write->ends;
  if (count > SIZE_MAX / each) return false;
  write->items = (accel_remote_item **)ACCEL_MALLOC(count * each);
  if (write->items == NULL) return false;
  write->ends = (size_t *)(void *)(write->items + count);
  write->named = write->ends + count;
  write->message_ends = write->named + count;
  return true;
}

/* ---- the items' commands ---- */

/* Within a transaction ASKING stands before MULTI, and holds until EXEC. */
static bool redis_write_append_asking(redis_write *write, const accel_remote_item *item)
{
  if (write->terms->publisher != NULL) return true;
  return accel_redis_part_append_asking(item, &write->commands, &write->asked);
}

static bool redis_write_prepare_puts(redis_write *write)
{
  for (size_t i = 0; i < write->part->count; i++) {
    accel_remote_item *item = write->part->items[i];
    if (accel_redis_part_is_too_large(write->part, item, write->terms->call)) continue;
    if (!redis_write_append_asking(write, item)) return false;
    if (!accel_redis_append_set(&write->commands, write->terms->link, item, item->ttl_ms, false))
      return false;
    write->items[write->count] = item;
    write->ends[write->count++] = write->commands.size;
  }
  return true;
}

static bool redis_write_prepare_dels(redis_write *write)
{
  const char *verb = accel_redis_unlink_verb(write->part->endpoint);
  for (size_t i = 0; i < write->part->count; i++) {
    accel_remote_item *const *item = &write->part->items[i];
    if (!redis_write_append_asking(write, *item) ||
        !accel_redis_append_keys(&write->commands, verb, write->terms->link, item, 1))
      return false;
    write->items[write->count] = *item;
    write->ends[write->count++] = write->commands.size;
  }
  return true;
}

/* ---- sending: with the connection locked ---- */

/* Appends the next transaction. False: no memory; nothing appended. */
static bool redis_write_append_transaction(redis_write *write, accel_buffer *out)
{
  const size_t from = write->written, before = out->size;
  bool appended = accel_redis_transaction_cut(write);
  if (appended) {
    const size_t start = from == 0 ? 0 : write->ends[from - 1];
    const size_t end = write->ends[write->written - 1];
    appended = accel_redis_part_append_asking(write->items[from], out, &write->asked) &&
               accel_redis_command_append_words(out, REDIS_WORDS("MULTI")) &&
               accel_buffer_append(out, write->commands.data + start, end - start) &&
               accel_redis_transaction_append_publish(write, write->message_count - 1, out) &&
               accel_redis_command_append_words(out, REDIS_WORDS("EXEC"));
  }
  if (appended) return true;
  out->size = before;
  if (write->written > from) write->written -= write->named[--write->message_count];
  return false;
}

static size_t redis_write_append(void *write_pointer, accel_buffer *out)
{
  redis_write *write = (redis_write *)write_pointer;
  if (write->terms->publisher == NULL) {
    write->written = write->count;
    const bool appended = accel_buffer_append(out, write->commands.data, write->commands.size);
    return appended ? write->count + write->asked : 0;
  }
  while (write->written < write->count)
    if (!redis_write_append_transaction(write, out)) {
      write->terms->call->messages_failed++;
      break;
    }
  /* MULTI, one QUEUED per item and one for PUBLISH, EXEC. */
  return write->asked + write->written + 3 * write->message_count;
}

/* ---- replies ---- */

/* Whether the error reply, of a command or of EXEC, says that the server has no room. */
static bool redis_write_is_full(const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  return accel_redis_reply_fails(replies, &reply, "OOM ") ||
         accel_redis_reply_fails(replies, &reply,
                                 "EXECABORT Transaction discarded because of: OOM ");
}

/* Handles an error reply to an item's command. Without room the item is tried once more in another
 * way. */
static void redis_write_refused(redis_write *write, accel_remote_item *item,
                                const redis_replies *replies, size_t i)
{
  accel_redis_part_refused(write->part, item, write->terms->call, replies, i);
  if (!redis_write_is_full(replies, i)) return;
  item->status = REDIS_WRITE_TO_REMOVE;
  write->has_removals = true;
}

/* Reads the reply to one SET or UNLINK. False: it has no such reply. */
static bool redis_write_take_item(redis_write *write, accel_remote_item *item,
                                  const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  item->status = ACCEL_OK;
  if (reply.kind == REDIS_REPLY_IS_INTEGER) return true;
  if (accel_redis_reply_says(replies, &reply, "OK")) return true;
  if (reply.kind != REDIS_REPLY_IS_ERROR) return false;
  redis_write_refused(write, item, replies, i);
  return true;
}

/* A transaction whose EXEC did nothing: the first error among its replies, from `first` on, says
 * why. The message's number is used up, so other processes will see a gap and expire their L1,
 * unless the message is sent without MULTI. */
static void redis_write_fail_transaction(redis_write *write, size_t from, size_t named,
                                         const redis_replies *replies, size_t first)
{
  size_t i = first;
  while (accel_redis_reply_at(replies, i).kind != REDIS_REPLY_IS_ERROR) i++;
  for (size_t k = 0; k < named; k++) redis_write_refused(write, write->items[from + k], replies, i);
  const accel_status status = write->items[from]->status;
  if (status != REDIS_ITEM_AGAIN && status != REDIS_WRITE_TO_REMOVE)
    write->terms->call->messages_failed++;
}

/* MULTI was refused: the commands that followed took effect one by one, the message last. */
static bool redis_write_take_bare(redis_write *write, size_t from, size_t named,
                                  const redis_replies *replies, size_t first)
{
  const size_t publish = first + 1 + named;
  const redis_reply published = accel_redis_reply_at(replies, publish);
  if (accel_redis_reply_at(replies, publish + 1).kind != REDIS_REPLY_IS_ERROR) return false;
  for (size_t k = 0; k < named; k++)
    if (!redis_write_take_item(write, write->items[from + k], replies, first + 1 + k)) return false;
  if (published.kind == REDIS_REPLY_IS_ERROR)
    redis_write_fail_transaction(write, from, named, replies, publish);
  else
    write->terms->call->messages_sent++;
  return published.kind == REDIS_REPLY_IS_ERROR || published.kind == REDIS_REPLY_IS_INTEGER;
}

/* Reads one transaction's replies, at *i, which moves behind them. */
static bool redis_write_take_transaction(redis_write *write, size_t from, size_t named,
                                         const redis_replies *replies, size_t *i)
{
  const size_t first = *i + redis_part_skips(write->items[from]);
  const size_t exec = first + 1 + named + 1;
  if (accel_redis_reply_at(replies, first).kind == REDIS_REPLY_IS_ERROR) {
    *i = accel_redis_reply_after(replies, exec);
    return redis_write_take_bare(write, from, named, replies, first);
  }
  for (size_t k = *i; k < exec; k++) {
    const redis_reply queued = accel_redis_reply_at(replies, k);
    if (queued.kind != REDIS_REPLY_IS_STATUS && queued.kind != REDIS_REPLY_IS_ERROR) return false;
  }
  const redis_reply whole = accel_redis_reply_at(replies, exec);
  *i = accel_redis_reply_after(replies, exec);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    accel_redis_call_leave_transaction(&write->exchange, exec);
    redis_write_fail_transaction(write, from, named, replies, first);
    return true;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != named + 1) return false;
  for (size_t k = 0; k < named; k++)
    if (!redis_write_take_item(write, write->items[from + k], replies, exec + 1 + k)) return false;
  const redis_reply published = accel_redis_reply_at(replies, exec + 1 + named);
  if (published.kind == REDIS_REPLY_IS_ERROR) {
    /* Stored, but no message was sent: for the caller it failed. */
    redis_write_fail_transaction(write, from, named, replies, exec + 1 + named);
    return true;
  }
  write->terms->call->messages_sent++;
  return published.kind == REDIS_REPLY_IS_INTEGER;
}

static bool redis_write_take_all(redis_write *write, const redis_replies *replies)
{
  size_t i = 0, from = 0;
  if (write->terms->publisher == NULL) {
    for (; from < write->count; from++, i++) {
      i += redis_part_skips(write->items[from]);
      if (!redis_write_take_item(write, write->items[from], replies, i)) return false;
    }
    return true;
  }
  for (size_t k = 0; k < write->message_count; from += write->named[k++])
    if (!redis_write_take_transaction(write, from, write->named[k], replies, &i)) return false;
  for (; from < write->count; from++) write->items[from]->status = ACCEL_ERR_NOMEM;
  return true;
}

/* ---- a part ---- */

/* True: transactions cannot be used now, and the call has its text. */
static bool redis_write_is_without_transactions(redis_write *write)
{
  const redis_write_terms *terms = write->terms;
  if (accel_redis_call_is_paused(terms->link, terms->call, &write->exchange)) return true;
  const redis_commands *commands = &write->part->endpoint->commands;
  if (terms->publisher == NULL || !accel_redis_commands_lacks_transactions(commands)) return false;
  accel_redis_commands_explain(commands, terms->link->settings->is_tracking, terms->call->error);
  return true;
}

static void redis_write_begin(void *terms_pointer, void *write_pointer, const redis_part *part)
{
  const redis_write_terms *terms = (const redis_write_terms *)terms_pointer;
  redis_write *write = (redis_write *)write_pointer;
  memset(write, 0, sizeof *write);
  write->terms = terms;
  write->part = part;
  accel_redis_call_init(&write->exchange, terms->is_del ? REDIS_REMOVES : REDIS_STORES,
                        part->endpoint, part->lane_or_null, redis_write_append, write);
  if (!terms->is_del) write->exchange.large_bytes = accel_redis_part_large_bytes(part);
  const bool prepared =
      redis_write_open(write, part->count) &&
      (terms->is_del ? redis_write_prepare_dels(write) : redis_write_prepare_puts(write));
  if (!prepared) {
    write->count = 0;
    write->exchange.status =
        accel_redis_call_fail(part->items, part->count, accel_redis_call_no_memory(terms->call));
    return;
  }
  if (write->count == 0) return;
  if (!redis_write_is_without_transactions(write)) {
    accel_redis_call_begin(terms->link, terms->call, &write->exchange);
    return;
  }
  write->has_removals = true;
  accel_redis_call_fail(write->items, write->count, REDIS_WRITE_TO_REMOVE);
}

static accel_status redis_write_finish(void *write_pointer)
{
  redis_write *write = (redis_write *)write_pointer;
  redis_exchange *exchange = &write->exchange;
  accel_remote_call *call = write->terms->call;
  accel_status status = accel_redis_call_finish(call, exchange);
  if (accel_failed(status)) {
    call->messages_failed += (uint32_t)write->message_count;
    accel_redis_call_fail(write->items, write->count, status);
  } else if (write->count > 0 && !write->has_removals &&
             !redis_write_take_all(write, &exchange->replies)) {
    status = accel_redis_call_fail(write->items, write->count,
                                   accel_redis_call_protocol_error(exchange->lane_or_null, call));
    write->has_removals = false;
  }
  if (write->has_removals) status = accel_redis_removal_run(write);
  accel_redis_replies_release(&exchange->replies);
  redis_write_close(write);
  return status;
}

/* ---- the operations ---- */

static accel_status redis_write_run(redis_write_terms *terms, accel_remote_item *items,
                                    size_t count)
{
  const bool is_cluster = accel_redis_route_is_cluster(terms->link->route);
  const redis_operation operation = {.ctx = terms,
                                     .state_size = sizeof(redis_write),
                                     .purpose = terms->is_del ? REDIS_REMOVES : REDIS_STORES,
                                     .may_be_large = !terms->link->settings->is_tracking,
                                     .begin = redis_write_begin,
                                     .finish = redis_write_finish};
  redis_write single;
  terms->named_max = is_cluster ? 1 : SIZE_MAX;
  return accel_redis_blocks_run(terms->link, items, count, terms->call, &operation, &single);
}

accel_status accel_redis_put(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call)
{
  redis_write_terms terms = {
      .link = (redis_link *)link, .call = call, .publisher = publisher_or_null};
  return redis_write_run(&terms, items, count);
}

accel_status accel_redis_del(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call)
{
  redis_write_terms terms = {
      .link = (redis_link *)link, .call = call, .publisher = publisher_or_null, .is_del = true};
  return redis_write_run(&terms, items, count);
}

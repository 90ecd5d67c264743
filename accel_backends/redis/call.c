#include "call.h"

#include "../../accel/platform/atomic.h"
#include "../../accel/platform/system.h"

#include <stdio.h>
#include <string.h>

ACCEL_STATIC_ASSERT(sizeof((accel_remote_call *)0)->error == REDIS_SOCKET_TEXT,
                    "an error's text fits the call's");

static accel_status redis_call_start(redis_link *link, accel_remote_call *call,
                                     redis_exchange *exchange)
{
  accel_redis_state *state = link->state;
  if (state->fork_generation != accel_fork_generation()) {
    snprintf(call->error, sizeof call->error, "redis was opened before the fork; open your own");
    return ACCEL_ERR_CONFIG;
  }
  exchange->deadline_ms = accel_clock_deadline(state->command_timeout_ms);
  if (call->deadline_ms < exchange->deadline_ms) exchange->deadline_ms = call->deadline_ms;
  return accel_redis_connection_begin(exchange->connection, &exchange->block, exchange->deadline_ms,
                                      &exchange->waiter, call->error);
}

void accel_redis_call_begin(redis_link *link, accel_remote_call *call, redis_exchange *exchange)
{
  memset(&exchange->replies, 0, sizeof exchange->replies);
  exchange->status = redis_call_start(link, call, exchange);
  exchange->is_under_way = exchange->status == ACCEL_OK;
}

accel_status accel_redis_call_finish(accel_remote_call *call, redis_exchange *exchange)
{
  if (!exchange->is_under_way) return exchange->status;
  exchange->is_under_way = false;
  exchange->status =
      accel_redis_connection_finish(exchange->connection, &exchange->waiter, exchange->deadline_ms,
                                    &exchange->replies, call->error);
  return exchange->status;
}

size_t accel_redis_call_append_prepared(void *prepared_pointer, accel_buffer *out)
{
  const redis_prepared *prepared = (const redis_prepared *)prepared_pointer;
  const bool appended = accel_buffer_append(out, prepared->commands.data, prepared->commands.size);
  return appended ? prepared->replies : 0;
}

accel_status accel_redis_call_send(redis_link *link, accel_remote_call *call,
                                   redis_endpoint *endpoint, redis_prepared *prepared,
                                   redis_replies *replies)
{
  redis_exchange exchange;
  exchange.endpoint = endpoint;
  exchange.connection = &endpoint->data;
  exchange.block = (redis_block){accel_redis_call_append_prepared, prepared};
  accel_redis_call_begin(link, call, &exchange);
  accel_redis_call_finish(call, &exchange);
  accel_buffer_release(&prepared->commands);
  *replies = exchange.replies;
  return exchange.status;
}

accel_status accel_redis_call_join(accel_status so_far, accel_status part)
{
  return accel_failed(so_far) ? part : so_far;
}

accel_status accel_redis_part_fail(const redis_part *part, accel_status status)
{
  for (size_t i = 0; i < part->count; i++) part->items[i]->status = status;
  return status;
}

accel_status accel_redis_call_fail(accel_remote_item *items, size_t count, accel_status status)
{
  for (size_t i = 0; i < count; i++) items[i].status = status;
  return status;
}

accel_status accel_redis_call_no_memory(accel_remote_item *items, size_t count,
                                        accel_remote_call *call)
{
  snprintf(call->error, sizeof call->error, "no memory for the commands");
  return accel_redis_call_fail(items, count, ACCEL_ERR_NOMEM);
}

accel_status accel_redis_call_distrust(redis_connection *connection, accel_remote_call *call)
{
  snprintf(call->error, sizeof call->error, "protocol error: a reply of an unexpected kind");
  accel_redis_connection_break(connection, call->error);
  return ACCEL_ERR_BACKEND;
}

accel_status accel_redis_call_explain(accel_remote_call *call, const redis_replies *replies,
                                      size_t i)
{
  if (call->error[0] == '\0') accel_redis_stream_explain(replies, i, "redis", false, call->error);
  return ACCEL_ERR_BACKEND;
}

bool accel_redis_call_append_keys(accel_buffer *out, const char *verb, const redis_link *link,
                                  accel_remote_item *const *items, size_t count)
{
  const size_t before = out->size;
  bool appended = accel_redis_command_start(out, 1 + count) &&
                  accel_redis_command_add(out, verb, strlen(verb), "", 0);
  for (size_t i = 0; i < count && appended; i++)
    appended = accel_redis_command_add(out, link->key_start, link->prefix_size, items[i]->key,
                                       items[i]->key_size);
  if (!appended) out->size = before;
  return appended;
}

bool accel_redis_call_append_publish(accel_buffer *out, const redis_link *link,
                                     const accel_buffer *message)
{
  const char *words[] = {"PUBLISH", link->channel,
                         message->data == NULL ? "" : (const char *)message->data};
  const size_t sizes[] = {strlen(words[0]), strlen(words[1]), message->size};
  const redis_words command = {.words = words, .sizes = sizes, .count = 3};
  return accel_redis_command_append(out, &command);
}

const char *accel_redis_call_unlink(const redis_endpoint *endpoint)
{
  return accel_load_relaxed(&endpoint->lacks_unlink) ? "DEL" : "UNLINK";
}

bool accel_redis_call_lacks_unlink(redis_endpoint *endpoint, const redis_replies *replies, size_t i)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (!accel_redis_reply_fails(replies, &reply, "ERR unknown command")) return false;
  accel_store_relaxed(&endpoint->lacks_unlink, true);
  return true;
}

#include "call.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/fork.h"
#include "../server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ACCEL_STATIC_ASSERT(sizeof((accel_remote_call *)0)->error == REDIS_SOCKET_TEXT,
                    "an error's text fits the call's");

static void redis_call_tell(const redis_link *link, accel_remote_event event)
{
  if (link->sink.event != NULL) link->sink.event(link->sink.ctx, event, 1);
}

/* The server's name, as a refusal quotes it. */
typedef struct redis_call_server {
  char name[REDIS_NEWS_SERVER];
} redis_call_server;

static redis_call_server redis_call_server_of(const redis_exchange *exchange)
{
  redis_call_server server = {{0}};
  accel_redis_endpoint_name(exchange->endpoint, exchange->lane_or_null, server.name);
  return server;
}

static unsigned redis_call_ms_until(uint64_t time_ms)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  return time_ms <= now_ms ? 0 : (unsigned)(time_ms - now_ms);
}

bool accel_redis_call_is_paused(const redis_link *link, accel_remote_call *call,
                                const redis_exchange *exchange)
{
  const uint64_t until_ms = accel_load_acquire(&exchange->endpoint->writes_paused_ms);
  if (until_ms == 0 || accel_clock_monotonic_ms() >= until_ms) return false;
  if (exchange->purpose != REDIS_STORES) return true;
  redis_call_tell(link, ACCEL_REMOTE_WRITES_PAUSED);
  const char *word = accel_load_relaxed(&exchange->endpoint->paused_by);
  snprintf(call->error, sizeof call->error, "writes to %.64s are paused for %u ms: it replied %s",
           redis_call_server_of(exchange).name, redis_call_ms_until(until_ms), word);
  return true;
}

/* ---- notes for spans ---- */

static void redis_call_note_server(accel_remote_call *call, redis_endpoint *endpoint)
{
  accel_remote_note *note = call->note_or_null;
  if (note == NULL || note->server_address[0] != '\0') return;
  redis_address *address = accel_redis_endpoint_hold_address(endpoint);
  snprintf(note->server_address, sizeof note->server_address, "%s", address->host);
  note->server_port = (uint32_t)strtoul(address->port, NULL, 10);
  accel_redis_address_release(address, 0);
}

/* Notes the error's first word, if it is one in capitals. A redirection is no failure, nor is an
 * unknown script, which is sent again. */
static void redis_call_note_error(accel_remote_call *call, const redis_replies *replies,
                                  const redis_reply *error, accel_remote_event event)
{
  accel_remote_note *note = call->note_or_null;
  if (note == NULL || event == ACCEL_REMOTE_MOVED || event == ACCEL_REMOTE_NO_SCRIPT) return;
  const char *text = accel_redis_reply_text(replies, error);
  size_t size = 0;
  while (size < error->size && text[size] >= 'A' && text[size] <= 'Z') size++;
  if (size == 0 || size >= sizeof note->error_code) return;
  memcpy(note->error_code, text, size);
  note->error_code[size] = '\0';
}

/* ---- sending ---- */

static accel_status redis_call_refuse_removal(accel_remote_call *call,
                                              const redis_exchange *exchange)
{
  snprintf(
      call->error, sizeof call->error,
      "nothing can be removed from %.40s until writes that timed out on both of its connections "
      "are answered",
      redis_call_server_of(exchange).name);
  return ACCEL_ERR_BACKEND;
}

static accel_status redis_call_refuse_open(accel_remote_call *call, const redis_exchange *exchange)
{
  redis_call_tell(exchange->link, ACCEL_REMOTE_BREAKER_OPEN);
  const redis_call_server server = redis_call_server_of(exchange);
  const uint64_t ping_ms = accel_redis_breaker_ping_ms(&exchange->lane_or_null->breaker);
  if (ping_ms == ACCEL_NO_DEADLINE)
    snprintf(call->error, sizeof call->error,
             "%.64s failed too often: its breaker is open while one call tries it", server.name);
  else
    snprintf(call->error, sizeof call->error,
             "%.64s failed too often: its breaker is open, the next try is in %u ms", server.name,
             redis_call_ms_until(ping_ms));
  return ACCEL_ERR_BACKEND;
}

static accel_status redis_call_start(accel_remote_call *call, redis_exchange *exchange)
{
  exchange->is_probe = false;
  if (exchange->lane_or_null == NULL) return redis_call_refuse_removal(call, exchange);
  if (exchange->purpose == REDIS_STORES &&
      accel_redis_call_is_paused(exchange->link, call, exchange))
    return ACCEL_ERR_BACKEND;
  redis_breaker *breaker = &exchange->lane_or_null->breaker;
  if (!accel_redis_breaker_admits(breaker, &exchange->is_probe))
    return redis_call_refuse_open(call, exchange);
  const accel_status status =
      accel_redis_connection_begin(&exchange->lane_or_null->connection, &exchange->request,
                                   exchange->deadline_ms, &exchange->caller, call->error);
  if (status == ACCEL_OK) return ACCEL_OK;
  accel_redis_breaker_withdrawn(breaker, exchange->is_probe);
  accel_redis_endpoint_name_failure(exchange->endpoint, call->error);
  return status;
}

void accel_redis_call_init(redis_exchange *exchange, redis_purpose purpose,
                           redis_endpoint *endpoint, redis_lane *lane_or_null,
                           size_t (*append)(void *ctx, accel_buffer *out), void *ctx)
{
  exchange->purpose = purpose;
  exchange->endpoint = endpoint;
  exchange->lane_or_null = lane_or_null;
  exchange->request = (redis_request){.append = append, .ctx = ctx};
  exchange->large_bytes = 0;
}

void accel_redis_call_begin(redis_link *link, accel_remote_call *call, redis_exchange *exchange)
{
  const redis_settings *settings = link->settings;
  memset(&exchange->replies, 0, sizeof exchange->replies);
  exchange->link = link;
  exchange->is_under_way = false;
  exchange->request.is_write = exchange->purpose != REDIS_READS;
  if (settings->fork_generation != accel_fork_generation()) {
    snprintf(call->error, sizeof call->error,
             "redis was opened before the fork; open one in the child");
    exchange->status = ACCEL_ERR_CONFIG;
    return;
  }
  redis_call_note_server(call, exchange->endpoint);
  exchange->began_ms = accel_clock_monotonic_ms();
  const uint64_t limit_ms =
      call->limit_ms == 0 ? exchange->began_ms + settings->command_timeout_ms : call->limit_ms;
  exchange->deadline_ms = limit_ms + exchange->large_bytes / REDIS_CALL_BYTES_PER_MS;
  exchange->is_cut_short = call->deadline_ms < exchange->deadline_ms;
  if (exchange->is_cut_short) exchange->deadline_ms = call->deadline_ms;
  exchange->status = redis_call_start(call, exchange);
  exchange->is_under_way = exchange->status == ACCEL_OK;
}

/* ---- outcomes ---- */

/* Acts on an error reply. True: the server serves nobody for now. */
static bool redis_call_act_on(accel_remote_call *call, redis_exchange *exchange,
                              const redis_reply *error)
{
  redis_endpoint *endpoint = exchange->endpoint;
  accel_remote_event event;
  const redis_error_action action =
      accel_redis_error_reply_action(&exchange->replies, error, &event);
  redis_command named;
  const size_t i = (size_t)(error - exchange->replies.list);
  if (accel_redis_commands_is_refusal(&exchange->replies, i, &named))
    accel_redis_commands_note(&endpoint->commands, named, true);
  if (action == REDIS_ERROR_EXPECTED) return false;
  redis_call_tell(exchange->link, event);
  redis_call_note_error(call, &exchange->replies, error, event);
  const char *word = accel_redis_error_reply_word(&exchange->replies, error);
  if (action == REDIS_ERROR_PAUSE_WRITES) {
    accel_store_relaxed(&endpoint->paused_by, word);
    accel_store_release(&endpoint->writes_paused_ms, accel_clock_deadline(REDIS_ERROR_PAUSE_MS));
  }
  if (action == REDIS_ERROR_RECONNECT) {
    char why[64];
    snprintf(why, sizeof why, "closed here: the server replied %s", word);
    accel_redis_connection_break(&exchange->lane_or_null->connection, why);
  }
  return action == REDIS_ERROR_UNAVAILABLE;
}

/* True: the failure does not count against the breaker. A timeout cut short by the caller's own
 * deadline, one behind a large value, a value that the server does not take, and callers that fail
 * because an earlier request broke the connection, which counts once. */
static bool redis_call_is_inconclusive(redis_exchange *exchange)
{
  const redis_caller *caller = &exchange->caller;
  if (exchange->status == ACCEL_ERR_CODEC) return true;
  if (exchange->status == ACCEL_ERR_BACKEND) return caller->is_bystander;
  if (exchange->status != ACCEL_ERR_TIMEOUT) return false;
  const bool was_busy =
      accel_redis_connection_was_busy(&exchange->lane_or_null->connection, exchange->began_ms);
  if (was_busy) accel_store_relaxed(&exchange->endpoint->sizes.has_large, true); /* bounds reads */
  return exchange->is_cut_short || was_busy || !caller->is_silent;
}

/* Reports the outcome to the breaker and the retry budget. */
static void redis_call_judge(accel_remote_call *call, redis_exchange *exchange)
{
  redis_endpoint *endpoint = exchange->endpoint;
  redis_breaker *breaker = &exchange->lane_or_null->breaker;
  bool is_useless = exchange->status == ACCEL_ERR_BACKEND;
  for (size_t i = 0; i < exchange->replies.count; i++)
    if (exchange->replies.list[i].kind == REDIS_REPLY_IS_ERROR)
      is_useless |= redis_call_act_on(call, exchange, &exchange->replies.list[i]);
  is_useless |= exchange->status == ACCEL_ERR_TIMEOUT;
  if (redis_call_is_inconclusive(exchange)) {
    accel_redis_breaker_withdrawn(breaker, exchange->is_probe);
    return;
  }
  if (is_useless) {
    accel_redis_breaker_failed(breaker, exchange->is_probe, accel_clock_monotonic_ms());
    return;
  }
  accel_redis_breaker_succeeded(breaker, exchange->is_probe);
  accel_redis_retry_budget_earn(&endpoint->retries);
}

/* True: it was sent again. */
static bool redis_call_retry(accel_remote_call *call, redis_exchange *exchange)
{
  if (exchange->purpose != REDIS_READS || exchange->status != ACCEL_ERR_BACKEND) return false;
  if (!exchange->caller.is_unread) return false;
  if (!accel_redis_retry_budget_spend(&exchange->endpoint->retries)) return false;
  if (!accel_redis_connection_await_up(&exchange->lane_or_null->connection, exchange->deadline_ms))
    return false;
  if (redis_call_start(call, exchange) != ACCEL_OK) return false;
  redis_call_tell(exchange->link, ACCEL_REMOTE_RETRIED);
  return true;
}

/* True: the server hung up because the value is larger than its proto-max-bulk-len; nothing was
 * stored. */
static bool redis_call_was_too_large(const accel_remote_call *call, const redis_exchange *exchange)
{
  if (exchange->status != ACCEL_ERR_BACKEND || exchange->caller.is_bystander) return false;
  if (exchange->purpose == REDIS_READS || exchange->large_bytes == 0) return false;
  return strstr(call->error, REDIS_CALL_TOO_LARGE) != NULL;
}

static void redis_call_await(accel_remote_call *call, redis_exchange *exchange)
{
  exchange->status =
      accel_redis_connection_finish(&exchange->lane_or_null->connection, &exchange->caller,
                                    exchange->deadline_ms, &exchange->replies, call->error);
  if (redis_call_was_too_large(call, exchange)) {
    accel_redis_value_sizes_refuse(&exchange->endpoint->sizes, exchange->large_bytes);
    redis_call_tell(exchange->link, ACCEL_REMOTE_REFUSED);
    exchange->status = ACCEL_ERR_CODEC;
  }
  if (accel_failed(exchange->status))
    accel_redis_endpoint_name_failure(exchange->endpoint, call->error);
  redis_call_judge(call, exchange);
}

accel_status accel_redis_call_finish(accel_remote_call *call, redis_exchange *exchange)
{
  if (!exchange->is_under_way) return exchange->status;
  exchange->is_under_way = false;
  redis_call_await(call, exchange);
  if (!redis_call_retry(call, exchange)) return exchange->status;
  call->error[0] = '\0';
  redis_call_await(call, exchange);
  return exchange->status;
}

size_t accel_redis_call_append_prepared(void *prepared_pointer, accel_buffer *out)
{
  const redis_prepared *prepared = (const redis_prepared *)prepared_pointer;
  const bool appended = accel_buffer_append(out, prepared->commands.data, prepared->commands.size);
  return appended ? prepared->replies : 0;
}

accel_status accel_redis_call_send(redis_link *link, accel_remote_call *call, redis_purpose purpose,
                                   redis_endpoint *endpoint, redis_lane *lane_or_null,
                                   redis_prepared *prepared, redis_replies *replies)
{
  redis_exchange exchange;
  accel_redis_call_init(&exchange, purpose, endpoint, lane_or_null,
                        accel_redis_call_append_prepared, prepared);
  accel_redis_call_begin(link, call, &exchange);
  accel_redis_call_finish(call, &exchange);
  accel_buffer_release(&prepared->commands);
  *replies = exchange.replies;
  return exchange.status;
}

accel_status accel_redis_call_fail(accel_remote_item *const *items, size_t count,
                                   accel_status status)
{
  for (size_t i = 0; i < count; i++) items[i]->status = status;
  return status;
}

accel_status accel_redis_call_no_memory(accel_remote_call *call)
{
  snprintf(call->error, sizeof call->error, "no memory for the commands");
  return ACCEL_ERR_NOMEM;
}

void accel_redis_call_leave_transaction(const redis_exchange *exchange, size_t exec)
{
  if (accel_redis_commands_leaves_open(&exchange->replies, exec))
    accel_redis_connection_break(&exchange->lane_or_null->connection,
                                 "closed here: the server refused EXEC");
}

accel_status accel_redis_call_protocol_error(redis_lane *lane, accel_remote_call *call)
{
  snprintf(call->error, sizeof call->error, "protocol error: a reply of an unexpected type");
  accel_redis_connection_break(&lane->connection, call->error);
  accel_redis_endpoint_name_failure(lane->endpoint, call->error);
  return ACCEL_ERR_BACKEND;
}

accel_status accel_redis_call_explain(accel_remote_call *call, redis_endpoint *endpoint,
                                      const redis_replies *replies, size_t i)
{
  char name[REDIS_NEWS_SERVER];
  if (call->error[0] != '\0') return ACCEL_ERR_BACKEND;
  accel_redis_endpoint_name(endpoint, NULL, name);
  accel_redis_stream_explain(replies, i, name, call->error);
  return ACCEL_ERR_BACKEND;
}

/* clear.c: removes an area by SCAN, server by server, in steps that are removals of their own. */
#include "../../../accel/codec.h"
#include "../../../accel/platform/atomic.h"
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_CLEAR_CURSOR_SIZE 24  /* a cursor's digits and a 0 */
#define REDIS_CLEAR_LIMIT_MS 60000u /* of one server: then its SCAN has no end */
#define REDIS_CLEAR_LIMIT_TEXT "60 s"
#define REDIS_CLEAR_LATE_MAX 3u /* steps in a row that may be late, once one was not */

/* Where one step takes place. */
typedef struct redis_clear_place {
  redis_endpoint *endpoint;
  redis_lane *lane_or_null; /* NULL: nothing can be removed now */
} redis_clear_place;

/* Asks for the keys behind the cursor. The pattern needs no escapes: names hold none of the
 * characters that mean something in it. */
static accel_status redis_clear_scan(redis_link *link, const redis_clear_place *place,
                                     accel_remote_call *call, const char *cursor,
                                     redis_replies *replies)
{
  char pattern[sizeof link->key_start + 1];
  redis_prepared prepared = {.replies = 1};
  memset(replies, 0, sizeof *replies);
  snprintf(pattern, sizeof pattern, "%s*", link->key_start);
  if (!accel_redis_command_append_words(
          &prepared.commands, REDIS_WORDS("SCAN", cursor, "MATCH", pattern, "COUNT", "4096"))) {
    accel_buffer_release(&prepared.commands);
    return accel_redis_call_no_memory(call);
  }
  return accel_redis_call_send(link, call, REDIS_READS, place->endpoint, place->lane_or_null,
                               &prepared, replies);
}

/* A SCAN's reply: a cursor and an array of keys. */
static bool redis_clear_is_scan(const redis_replies *replies, char *cursor)
{
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  const redis_reply next = accel_redis_reply_at(replies, 1);
  const redis_reply keys = accel_redis_reply_at(replies, 2);
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != 2) return false;
  if (next.kind != REDIS_REPLY_IS_TEXT || next.size >= REDIS_CLEAR_CURSOR_SIZE) return false;
  if (keys.kind != REDIS_REPLY_IS_ARRAY || replies->count != 3 + keys.size) return false;
  memcpy(cursor, accel_redis_reply_text(replies, &next), next.size);
  cursor[next.size] = '\0';
  return true;
}

/* Whether it is a key of the area. An area without a prefix may be called as another's prefix is,
 * whose keys begin alike; but no name of a key has a colon. */
static bool redis_clear_is_ours(const redis_link *link, const char *text, size_t size)
{
  const size_t start_size = strlen(link->key_start);
  return size >= start_size && memcmp(text, link->key_start, start_size) == 0 &&
         accel_key_is_remote(text + start_size, size - start_size);
}

/* Makes the commands that remove what SCAN found, and nothing that is not this area's, whatever
 * the server replied. False: no memory. */
static bool redis_clear_prepare(const redis_link *link, const redis_endpoint *endpoint,
                                const redis_replies *found, redis_prepared *prepared)
{
  /* a cluster's command must stay within one slot */
  const size_t keys_max = accel_redis_route_is_cluster(link->route) ? 1 : REDIS_APPEND_KEYS_MAX;
  const char *words[1 + REDIS_APPEND_KEYS_MAX];
  size_t sizes[1 + REDIS_APPEND_KEYS_MAX];
  redis_words command = {.words = words, .sizes = sizes, .count = 1};
  words[0] = accel_redis_unlink_verb(endpoint);
  sizes[0] = strlen(words[0]);
  for (size_t i = 3; i < found->count; i++) {
    const redis_reply key = accel_redis_reply_at(found, i);
    const char *text = accel_redis_reply_text(found, &key);
    if (key.kind == REDIS_REPLY_IS_TEXT && redis_clear_is_ours(link, text, key.size)) {
      words[command.count] = text;
      sizes[command.count++] = key.size;
    }
    const bool is_full = command.count == 1 + keys_max;
    if (!is_full && (i + 1 < found->count || command.count == 1)) continue;
    if (!accel_redis_command_append(&prepared->commands, &command)) return false;
    prepared->replies++;
    command.count = 1;
  }
  return true;
}

/* One round trip that removes what was found. */
static accel_status redis_clear_remove(redis_link *link, const redis_clear_place *place,
                                       accel_remote_call *call, const redis_replies *found,
                                       bool *is_refused_out)
{
  redis_prepared prepared = {0};
  redis_replies replies;
  *is_refused_out = false;
  if (!redis_clear_prepare(link, place->endpoint, found, &prepared)) {
    accel_buffer_release(&prepared.commands);
    return accel_redis_call_no_memory(call);
  }
  if (prepared.replies == 0) return ACCEL_OK;
  accel_status status = accel_redis_call_send(link, call, REDIS_REMOVES, place->endpoint,
                                              place->lane_or_null, &prepared, &replies);
  for (size_t i = 0; i < replies.count && status == ACCEL_OK; i++) {
    const redis_reply reply = accel_redis_reply_at(&replies, i);
    if (reply.kind == REDIS_REPLY_IS_INTEGER) continue;
    *is_refused_out = accel_redis_note_lacks_unlink(place->endpoint, &replies, i);
    status = accel_redis_call_explain(call, place->endpoint, &replies, i);
  }
  accel_redis_replies_release(&replies);
  return status;
}

/* One step: looks behind the cursor, removes, moves the cursor. One that failed may be repeated. */
static accel_status redis_clear_step(redis_link *link, const redis_clear_place *place,
                                     accel_remote_call *call, char *cursor)
{
  redis_replies found = {0};
  char next[REDIS_CLEAR_CURSOR_SIZE];
  bool is_refused = false;
  accel_status status = redis_clear_scan(link, place, call, cursor, &found);
  if (accel_failed(status)) return status;
  const redis_reply whole = accel_redis_reply_at(&found, 0);
  if (whole.kind == REDIS_REPLY_IS_ERROR) {
    status = accel_redis_call_explain(call, place->endpoint, &found, 0);
  } else if (!redis_clear_is_scan(&found, next)) {
    status = accel_redis_call_protocol_error(place->lane_or_null, call);
  } else {
    const bool was_unlink = strcmp(accel_redis_unlink_verb(place->endpoint), "UNLINK") == 0;
    status = redis_clear_remove(link, place, call, &found, &is_refused);
    if (is_refused && was_unlink) {
      call->error[0] = '\0';
      status = redis_clear_remove(link, place, call, &found, &is_refused);
    }
    if (status == ACCEL_OK) memcpy(cursor, next, sizeof next);
  }
  accel_redis_replies_release(&found);
  return status;
}

typedef struct redis_clear_message {
  const redis_link *link;
  const accel_remote_publisher *publisher;
  uint32_t lane;
} redis_clear_message;

static size_t redis_clear_append_message(void *message_pointer, accel_buffer *out)
{
  const redis_clear_message *message = (const redis_clear_message *)message_pointer;
  accel_buffer text = {0};
  const bool appended =
      message->publisher->message(message->publisher->ctx, message->lane, NULL, 0, &text) > 0 &&
      accel_redis_append_publish(out, message->link, &text);
  accel_buffer_release(&text);
  return appended ? 1 : 0;
}

static accel_status redis_clear_publish(redis_link *link, accel_remote_call *call,
                                        const accel_remote_publisher *publisher)
{
  redis_clear_message message = {.link = link, .publisher = publisher};
  redis_exchange exchange;
  redis_endpoint *endpoint = accel_redis_route_main(link->route);
  redis_lane *lane = &endpoint->lanes[REDIS_LANE_DATA];
  message.lane = accel_redis_lane_number(lane);
  accel_redis_call_init(&exchange, REDIS_REMOVES, endpoint, lane, redis_clear_append_message,
                        &message);
  accel_redis_call_begin(link, call, &exchange);
  accel_status status = accel_redis_call_finish(call, &exchange);
  if (status == ACCEL_OK) {
    const redis_reply reply = accel_redis_reply_at(&exchange.replies, 0);
    if (reply.kind == REDIS_REPLY_IS_ERROR)
      status = accel_redis_call_explain(call, endpoint, &exchange.replies, 0);
    else if (reply.kind != REDIS_REPLY_IS_INTEGER)
      status = accel_redis_call_protocol_error(lane, call);
  }
  accel_redis_replies_release(&exchange.replies);
  if (status == ACCEL_OK)
    call->messages_sent++;
  else
    call->messages_failed++;
  return status;
}

/* OK while the clear may go on. */
static accel_status redis_clear_goes_on(redis_endpoint *endpoint, accel_remote_call *call,
                                        uint64_t until_ms)
{
  const bool is_stopped = call->stop_or_null != NULL && accel_load_acquire(call->stop_or_null);
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (!is_stopped && now_ms < until_ms && now_ms < call->deadline_ms) return ACCEL_OK;
  if (is_stopped)
    snprintf(call->error, sizeof call->error, "the clear was stopped: the cache is closing");
  else
    snprintf(call->error, sizeof call->error, "the clear was given up: SCAN did not end in %s",
             now_ms < until_ms ? "time" : REDIS_CLEAR_LIMIT_TEXT);
  if (!is_stopped) accel_redis_endpoint_name_failure(endpoint, call->error);
  return ACCEL_ERR_BACKEND;
}

static accel_status redis_clear_is_lost(redis_endpoint *endpoint, accel_remote_call *call)
{
  if (call->error[0] != '\0') return ACCEL_ERR_BACKEND;
  snprintf(call->error, sizeof call->error,
           "the connection was lost during the clear, which has to begin again");
  accel_redis_endpoint_name_failure(endpoint, call->error);
  return ACCEL_ERR_BACKEND;
}

/* Walks all keys of one server. A step that is late is repeated, so that a hiccup does not send a
 * walk of many steps back to its beginning, which it might never leave. A cursor means something to
 * one server only: once the connection was made anew, nobody knows to which. */
static accel_status redis_clear_endpoint(redis_link *link, redis_endpoint *endpoint,
                                         accel_remote_call *call)
{
  const uint64_t until_ms = accel_clock_deadline(REDIS_CLEAR_LIMIT_MS);
  const redis_lane *known = NULL;
  char cursor[REDIS_CLEAR_CURSOR_SIZE] = "0";
  uint32_t made = 0;
  for (unsigned late = 0;;) {
    const accel_status may = redis_clear_goes_on(endpoint, call, until_ms);
    if (accel_failed(may)) return may;
    const redis_clear_place place = {endpoint, accel_redis_endpoint_to_remove(endpoint)};
    const accel_status status = redis_clear_step(link, &place, call, cursor);
    const redis_lane *lane = place.lane_or_null;
    const uint32_t made_now = lane == NULL ? 0 : accel_load_acquire(&lane->connection.made);
    if (lane == known && made_now != made) return redis_clear_is_lost(endpoint, call);
    known = lane;
    made = made_now;
    const bool has_begun = strcmp(cursor, "0") != 0;
    if (status == ACCEL_OK && !has_begun) return ACCEL_OK;
    late = status == ACCEL_OK ? 0 : late + 1;
    const bool is_repeated =
        status == ACCEL_ERR_TIMEOUT && has_begun && late <= REDIS_CLEAR_LATE_MAX;
    if (status != ACCEL_OK && !is_repeated) return status;
    call->error[0] = '\0';
  }
}

accel_status accel_redis_clear(void *link_pointer, const accel_remote_publisher *publisher_or_null,
                               accel_remote_call *call)
{
  redis_link *link = (redis_link *)link_pointer;
  redis_route *route = link->route;
  size_t at = 0;
  accel_redis_route_await_discovery(route,
                                    accel_clock_deadline(link->settings->command_timeout_ms));
  for (redis_endpoint *endpoint; (endpoint = accel_redis_route_next(route, &at)) != NULL;) {
    const accel_status status = redis_clear_endpoint(link, endpoint, call);
    if (accel_failed(status)) return status;
  }
  if (publisher_or_null == NULL) return ACCEL_OK;
  return redis_clear_publish(link, call, publisher_or_null);
}

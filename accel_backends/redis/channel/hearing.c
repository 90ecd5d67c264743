#include "hearing.h"

#include "../operations/call.h"
#include "../server/error_reply.h"

#include <stdio.h>
#include <string.h>

/* ---- calling the sinks: never with the mutex held, and a link that is being called stays ---- */

void accel_redis_hearing_each(redis_listener *listener, redis_hearing_visit *visit, void *ctx)
{
  accel_mutex_lock(&listener->mutex);
  for (redis_link *link = listener->links; link != NULL; link = link->next) {
    if (link->is_leaving) continue;
    listener->calling = link;
    accel_mutex_unlock(&listener->mutex);
    visit(listener, link, ctx);
    accel_mutex_lock(&listener->mutex);
    listener->calling = NULL;
    accel_condition_broadcast(&listener->idle);
  }
  accel_mutex_unlock(&listener->mutex);
}

static void redis_hearing_tell_up(redis_listener *listener, redis_link *link, void *unused)
{
  (void)unused;
  if (link->is_up || link->request == 0 || link->request > listener->confirmations) return;
  link->is_up = true;
  accel_mutex_lock(&listener->mutex);
  link->refusal[0] = '\0';
  accel_mutex_unlock(&listener->mutex);
  link->sink.up(link->sink.ctx);
}

static void redis_hearing_tell_lost(redis_listener *listener, redis_link *link, void *why)
{
  const accel_remote_news news = {ACCEL_REMOTE_CHANNEL_LOST, "", (const char *)why};
  (void)listener;
  if (link->tell != NULL) link->tell(link->sink.ctx, &news);
}

static void redis_hearing_tell_down(redis_listener *listener, redis_link *link, void *unused)
{
  (void)listener, (void)unused;
  link->request = link->next_request_ms = 0;
  if (!link->is_up) return;
  link->is_up = false;
  link->sink.down(link->sink.ctx);
}

void accel_redis_hearing_tell_why(redis_listener *listener, const char *why)
{
  accel_redis_hearing_each(listener, redis_hearing_tell_lost, (void *)(uintptr_t)why);
}

void accel_redis_hearing_tell_down(redis_listener *listener, const char *why)
{
  accel_redis_hearing_tell_why(listener, why);
  accel_redis_hearing_each(listener, redis_hearing_tell_down, NULL);
}

typedef struct redis_hearing_message {
  const char *channel, *data;
  size_t channel_size, data_size;
  bool is_lost; /* too large to be kept: a gap, of this channel alone */
} redis_hearing_message;

static void redis_hearing_tell_message(redis_listener *listener, redis_link *link,
                                       void *message_pointer)
{
  const redis_hearing_message *message = (const redis_hearing_message *)message_pointer;
  if (!link->is_up || strlen(link->channel) != message->channel_size) return;
  if (memcmp(link->channel, message->channel, message->channel_size) != 0) return;
  if (message->is_lost) {
    redis_hearing_tell_lost(listener, link, (void *)(uintptr_t) "a message was too large");
    link->sink.down(link->sink.ctx);
    link->sink.up(link->sink.ctx);
    return;
  }
  link->sink.message(link->sink.ctx, message->data, message->data_size);
}

static void redis_hearing_tell_change(redis_listener *listener, redis_link *link, void *unused)
{
  (void)unused;
  if (link->is_up && link->changed != NULL) accel_redis_tracking_tell(link, &listener->replies, 3);
}

/* With the mutex held. */
static const char *redis_hearing_reason(const redis_listener *listener)
{
  if (listener->refusal[0] != '\0') return listener->refusal;
  for (const redis_link *link = listener->links; link != NULL; link = link->next)
    if (!link->is_leaving && link->refusal[0] != '\0') return link->refusal;
  return "";
}

bool accel_redis_listener_refusal(redis_listener *listener, char *text)
{
  accel_mutex_lock(&listener->mutex);
  snprintf(text, sizeof listener->refusal, "%s", redis_hearing_reason(listener));
  accel_mutex_unlock(&listener->mutex);
  return text[0] != '\0';
}

void accel_redis_listener_explain(redis_listener *listener, const redis_link *link, char *text)
{
  accel_mutex_lock(&listener->mutex);
  const char *why = link->refusal[0] != '\0' ? link->refusal : listener->refusal;
  memcpy(text, why, sizeof listener->refusal);
  accel_mutex_unlock(&listener->mutex);
}

typedef struct redis_hearing_refused {
  accel_remote_event event;
  uint64_t request; /* whose link alone is concerned; 0: all are */
} redis_hearing_refused;

static void redis_hearing_tell_refused(redis_listener *listener, redis_link *link,
                                       void *refused_pointer)
{
  const redis_hearing_refused *refused = (const redis_hearing_refused *)refused_pointer;
  if (refused->request != 0 && link->request != refused->request) return;
  if (link->sink.event != NULL) link->sink.event(link->sink.ctx, refused->event, 1);
  if (refused->request == 0) return;
  link->request = 0;
  link->next_request_ms = accel_clock_deadline(REDIS_LISTENER_REFUSED_MS);
  char text[sizeof link->refusal];
  accel_redis_stream_explain(&listener->replies, 0, "the listener", text);
  accel_mutex_lock(&listener->mutex);
  memcpy(link->refusal, text, sizeof text);
  accel_mutex_unlock(&listener->mutex);
  redis_hearing_tell_lost(listener, link, text);
}

static void redis_hearing_note_text(redis_listener *listener, const char *text)
{
  accel_mutex_lock(&listener->mutex);
  snprintf(listener->refusal, sizeof listener->refusal, "%s", text);
  accel_mutex_unlock(&listener->mutex);
}

void accel_redis_hearing_note_stranger(redis_listener *listener, const char *text)
{
  redis_hearing_refused refused = {.event = ACCEL_REMOTE_NO_AUTH};
  redis_hearing_note_text(listener, text);
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
}

void accel_redis_listener_note_refusal(redis_listener *listener, const redis_replies *replies,
                                       const char *what)
{
  char text[REDIS_SOCKET_TEXT];
  redis_hearing_refused refused = {.request = 0};
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  accel_redis_stream_explain(replies, 0, what, text);
  redis_hearing_note_text(listener, text);
  memcpy(listener->why, text, sizeof text);
  if (whole.kind != REDIS_REPLY_IS_ERROR) return;
  accel_redis_reaction_to(replies, &whole, &refused.event);
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
}

/* ---- replies ---- */

/* False: nobody asked. */
static bool redis_hearing_take_answer(redis_listener *listener)
{
  if (listener->answers == listener->questions) return false;
  listener->proven_ms = listener->asked_ms[listener->answers++ % REDIS_LISTENER_QUESTIONS];
  return true;
}

/* An error reply. One that answers a SUBSCRIBE and says nothing about the server is the trouble of
 * that link, which asks again later; the other channels stay. False: the connection is of no use.
 */
static bool redis_hearing_take_refusal(redis_listener *listener)
{
  const redis_replies *replies = &listener->replies;
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  redis_hearing_refused refused = {.request = 0};
  const redis_reaction reaction = accel_redis_reaction_to(replies, &whole, &refused.event);
  const bool is_of_link = reaction == REDIS_REACTION_NONE &&
                          listener->confirmations < listener->requests &&
                          listener->confirmations + 1 != listener->tracking.request;
  if (!is_of_link) {
    accel_redis_listener_note_refusal(listener, replies, "the listener");
    return false;
  }
  refused.request = ++listener->confirmations;
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
  return true;
}

/* One reply on the channels' connection. False: it cannot be trusted any more. */
static bool redis_hearing_take_reply(redis_listener *listener)
{
  const redis_replies *replies = &listener->replies;
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  const redis_reply kind = accel_redis_reply_at(replies, 1);
  const redis_reply channel = accel_redis_reply_at(replies, 2);
  const redis_reply data = accel_redis_reply_at(replies, 3);
  if (accel_redis_reply_says(replies, &whole, "PONG")) return redis_hearing_take_answer(listener);
  if (whole.kind == REDIS_REPLY_IS_ERROR) return redis_hearing_take_refusal(listener);
  if (whole.kind == REDIS_REPLY_IS_INTEGER && listener->state->is_tracking) {
    const bool is_asked = listener->tracking.was_asked && listener->tracking.client_id == 0;
    listener->tracking.client_id = whole.integer;
    accel_redis_listener_ring(listener); /* there is more to say now */
    return is_asked;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY) return false;
  if (accel_redis_reply_says(replies, &kind, "pong")) return redis_hearing_take_answer(listener);
  if (accel_redis_reply_says(replies, &kind, "subscribe") ||
      accel_redis_reply_says(replies, &kind, "unsubscribe")) {
    listener->confirmations++;
    accel_redis_backoff_reset(&listener->backoff);
    accel_mutex_lock(&listener->mutex);
    listener->refusal[0] = '\0';
    accel_mutex_unlock(&listener->mutex);
    accel_redis_hearing_each(listener, redis_hearing_tell_up, NULL);
    return listener->confirmations <= listener->requests;
  }
  if (!accel_redis_reply_says(replies, &kind, "message")) return false;
  if (accel_redis_reply_says(replies, &channel, REDIS_TRACKING_CHANNEL)) {
    accel_redis_hearing_each(listener, redis_hearing_tell_change, NULL);
    return true;
  }
  if (channel.kind != REDIS_REPLY_IS_TEXT) return false;
  if (data.kind != REDIS_REPLY_IS_TEXT && data.kind != REDIS_REPLY_IS_OVERSIZED) return false;
  redis_hearing_message message = {
      .channel = accel_redis_reply_text(replies, &channel),
      .channel_size = channel.size,
      .data = accel_redis_reply_text(replies, &data),
      .data_size = data.size,
      .is_lost = data.kind == REDIS_REPLY_IS_OVERSIZED,
  };
  accel_redis_hearing_each(listener, redis_hearing_tell_message, &message);
  return true;
}

bool accel_redis_hearing_take_replies(redis_listener *listener)
{
  for (;;) {
    switch (accel_redis_reader_next(listener->stream.reader, &listener->replies)) {
      case REDIS_READER_MORE: return true;
      case REDIS_READER_BROKEN: return false;
      case REDIS_READER_REPLY: break;
    }
    if (!redis_hearing_take_reply(listener)) return false;
    accel_redis_replies_release(&listener->replies);
  }
}

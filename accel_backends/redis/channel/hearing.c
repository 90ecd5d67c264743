#include "hearing.h"

#include "../server/server.h"

#include <stdio.h>
#include <string.h>

/* ---- calling the sinks ---- */

void accel_redis_hearing_each(redis_listener *listener, redis_hearing_visit *visit, void *ctx)
{
  accel_mutex_lock(&listener->mutex);
  for (redis_subscription *subscription = listener->subscriptions; subscription != NULL;
       subscription = subscription->next) {
    if (subscription->is_leaving) continue;
    listener->calling = subscription;
    accel_mutex_unlock(&listener->mutex);
    visit(listener, subscription, ctx);
    accel_mutex_lock(&listener->mutex);
    listener->calling = NULL;
    accel_condition_broadcast(&listener->idle);
  }
  accel_mutex_unlock(&listener->mutex);
}

static void redis_hearing_tell_up(redis_listener *listener, redis_subscription *subscription,
                                  void *unused)
{
  (void)unused;
  if (subscription->is_up || subscription->request == 0 ||
      subscription->request > listener->confirmations)
    return;
  subscription->is_up = true;
  accel_mutex_lock(&listener->mutex);
  subscription->refusal[0] = '\0';
  accel_mutex_unlock(&listener->mutex);
  subscription->link.sink.up(subscription->link.sink.ctx);
}

static void redis_hearing_tell_one_lost(redis_listener *listener, redis_subscription *subscription,
                                        void *why)
{
  const accel_remote_news news = {ACCEL_REMOTE_CHANNEL_LOST, "", (const char *)why};
  (void)listener;
  if (subscription->link.reader.tell != NULL)
    subscription->link.reader.tell(subscription->link.reader.ctx, &news);
}

static void redis_hearing_tell_one_down(redis_listener *listener, redis_subscription *subscription,
                                        void *unused)
{
  (void)listener, (void)unused;
  subscription->request = subscription->next_request_ms = 0;
  if (!subscription->is_up) return;
  subscription->is_up = false;
  subscription->link.sink.down(subscription->link.sink.ctx);
}

void accel_redis_hearing_tell_all_lost(redis_listener *listener, const char *why)
{
  accel_redis_hearing_each(listener, redis_hearing_tell_one_lost, (void *)(uintptr_t)why);
}

void accel_redis_hearing_tell_all_down(redis_listener *listener, const char *why)
{
  accel_redis_hearing_tell_all_lost(listener, why);
  accel_redis_hearing_each(listener, redis_hearing_tell_one_down, NULL);
}

typedef struct redis_hearing_message {
  const char *channel, *data;
  size_t channel_size, data_size;
  bool is_lost; /* too large to be kept: a gap in this channel alone */
} redis_hearing_message;

static void redis_hearing_tell_message(redis_listener *listener, redis_subscription *subscription,
                                       void *message_pointer)
{
  const redis_hearing_message *message = (const redis_hearing_message *)message_pointer;
  if (!subscription->is_up || strlen(subscription->link.channel) != message->channel_size) return;
  if (memcmp(subscription->link.channel, message->channel, message->channel_size) != 0) return;
  if (message->is_lost) {
    redis_hearing_tell_one_lost(listener, subscription,
                                (void *)(uintptr_t) "a message was larger than 1 MiB");
    subscription->link.sink.down(subscription->link.sink.ctx);
    subscription->link.sink.up(subscription->link.sink.ctx);
    return;
  }
  subscription->link.sink.message(subscription->link.sink.ctx, message->data, message->data_size);
}

static void redis_hearing_tell_change(redis_listener *listener, redis_subscription *subscription,
                                      void *unused)
{
  (void)unused;
  if (subscription->is_up && subscription->link.changed != NULL)
    accel_redis_tracking_tell(&subscription->link, &listener->replies, 3);
}

/* With the mutex held. */
static const char *redis_hearing_reason(const redis_listener *listener)
{
  if (listener->refusal[0] != '\0') return listener->refusal;
  for (const redis_subscription *subscription = listener->subscriptions; subscription != NULL;
       subscription = subscription->next)
    if (!subscription->is_leaving && subscription->refusal[0] != '\0') return subscription->refusal;
  return "";
}

bool accel_redis_hearing_refusal(redis_listener *listener, char *text)
{
  accel_mutex_lock(&listener->mutex);
  snprintf(text, sizeof listener->refusal, "%s", redis_hearing_reason(listener));
  accel_mutex_unlock(&listener->mutex);
  return text[0] != '\0';
}

void accel_redis_hearing_explain(redis_listener *listener, const redis_subscription *subscription,
                                 char *text)
{
  accel_mutex_lock(&listener->mutex);
  const char *why = subscription->refusal[0] != '\0' ? subscription->refusal : listener->refusal;
  memcpy(text, why, sizeof listener->refusal);
  accel_mutex_unlock(&listener->mutex);
}

typedef struct redis_hearing_refused {
  accel_remote_event event;
  uint64_t request; /* the subscription that it concerns; 0: all */
} redis_hearing_refused;

static void redis_hearing_tell_refused(redis_listener *listener, redis_subscription *subscription,
                                       void *refused_pointer)
{
  const redis_hearing_refused *refused = (const redis_hearing_refused *)refused_pointer;
  if (refused->request != 0 && subscription->request != refused->request) return;
  if (subscription->link.sink.event != NULL)
    subscription->link.sink.event(subscription->link.sink.ctx, refused->event, 1);
  if (refused->request == 0) return;
  subscription->request = 0;
  subscription->next_request_ms = accel_clock_deadline(REDIS_LISTENER_REFUSED_MS);
  char text[sizeof subscription->refusal];
  accel_redis_stream_explain(&listener->replies, 0, "SUBSCRIBE", text);
  accel_mutex_lock(&listener->mutex);
  memcpy(subscription->refusal, text, sizeof text);
  accel_mutex_unlock(&listener->mutex);
  redis_hearing_tell_one_lost(listener, subscription, text);
}

static void redis_hearing_note_text(redis_listener *listener, const char *text)
{
  accel_mutex_lock(&listener->mutex);
  snprintf(listener->refusal, sizeof listener->refusal, "%s", text);
  accel_mutex_unlock(&listener->mutex);
}

void accel_redis_hearing_note_sign_in(redis_listener *listener, const char *text)
{
  redis_hearing_refused refused = {.event = ACCEL_REMOTE_NO_AUTH};
  redis_hearing_note_text(listener, text);
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
}

void accel_redis_hearing_note_refusal(redis_listener *listener, const redis_replies *replies,
                                      const char *what)
{
  char text[REDIS_SOCKET_TEXT];
  redis_hearing_refused refused = {.request = 0};
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  accel_redis_stream_explain(replies, 0, what, text);
  redis_hearing_note_text(listener, text);
  memcpy(listener->why, text, sizeof text);
  if (whole.kind != REDIS_REPLY_IS_ERROR) return;
  accel_redis_error_reply_action(replies, &whole, &refused.event);
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
}

/* ---- replies ---- */

/* False: it was an answer to no question. */
static bool redis_hearing_take_answer(redis_listener *listener)
{
  if (listener->answers == listener->questions) return false;
  listener->proven_ms = listener->asked_ms[listener->answers++ % REDIS_LISTENER_QUESTIONS];
  return true;
}

/* Handles an error reply. A refused SUBSCRIBE concerns its own subscription, which is asked for
 * again later; the other channels stay. False: the connection is of no use. */
static bool redis_hearing_take_refusal(redis_listener *listener)
{
  const redis_replies *replies = &listener->replies;
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  redis_hearing_refused refused = {.request = 0};
  const redis_error_action action = accel_redis_error_reply_action(replies, &whole, &refused.event);
  const bool is_of_link = action == REDIS_ERROR_COUNT &&
                          listener->confirmations < listener->requests &&
                          listener->confirmations + 1 != listener->tracking.request;
  if (!is_of_link) {
    accel_redis_hearing_note_refusal(listener, replies, "channel");
    return false;
  }
  refused.request = ++listener->confirmations;
  accel_redis_hearing_each(listener, redis_hearing_tell_refused, &refused);
  return true;
}

/* Handles one reply. False: the connection cannot be trusted any more. */
static bool redis_hearing_take_reply(redis_listener *listener)
{
  const redis_replies *replies = &listener->replies;
  const redis_reply whole = accel_redis_reply_at(replies, 0);
  const redis_reply kind = accel_redis_reply_at(replies, 1);
  const redis_reply channel = accel_redis_reply_at(replies, 2);
  const redis_reply data = accel_redis_reply_at(replies, 3);
  if (accel_redis_reply_says(replies, &whole, "PONG")) return redis_hearing_take_answer(listener);
  if (whole.kind == REDIS_REPLY_IS_ERROR) return redis_hearing_take_refusal(listener);
  if (whole.kind == REDIS_REPLY_IS_INTEGER && listener->settings->is_tracking) {
    const bool is_asked = listener->tracking.was_asked && listener->tracking.client_id == 0;
    listener->tracking.client_id = whole.integer;
    accel_redis_signal_raise(listener->signals.wake_fd); /* there are more commands to send now */
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

#include "listener.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "../../../accel/platform/system.h"
#include "../operations/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct redis_listener_beat {
  const redis_subscription *subscription;
  uint32_t lane;
} redis_listener_beat;

/* Runs while the lane's connection is locked, so that no message gets a number between the
 * heartbeat's number and its departure. */
static size_t redis_listener_append_heartbeat(void *beat_pointer, accel_buffer *out)
{
  const redis_listener_beat *beat = (const redis_listener_beat *)beat_pointer;
  const redis_subscription *subscription = beat->subscription;
  accel_buffer message = {0};
  const bool appended =
      subscription->link.sink.heartbeat(subscription->link.sink.ctx, beat->lane, &message) &&
      accel_redis_append_publish(out, &subscription->link, &message);
  accel_buffer_release(&message);
  return appended ? 1 : 0;
}

static void redis_listener_send_heartbeat(redis_listener *listener,
                                          redis_subscription *subscription, void *unused)
{
  redis_route *route = listener->route;
  size_t at = 0;
  (void)unused;
  if (!subscription->is_up) return;
  for (redis_endpoint *endpoint; (endpoint = accel_redis_route_next(route, &at)) != NULL;) {
    for (size_t i = 0; i < REDIS_LANES; i++) {
      redis_lane *lane = &endpoint->lanes[i];
      redis_listener_beat beat = {subscription, accel_redis_lane_number(lane)};
      const redis_request request = {.append = redis_listener_append_heartbeat, .ctx = &beat};
      accel_redis_connection_post(&lane->connection, &request);
    }
  }
}

/* ---- the channels ---- */

/* Without an address: for a stream that is connected. */
static redis_dial redis_listener_dial(const redis_listener *listener)
{
  return accel_redis_settings_dial(listener->settings, NULL, listener->signals.stop_fd);
}

static void redis_listener_lose_channel(redis_listener *listener)
{
  accel_redis_stream_close(&listener->stream);
  accel_redis_replies_release(&listener->replies);
  listener->requests = listener->confirmations = 0;
  accel_redis_tracking_reset(&listener->tracking);
  accel_redis_backoff_failed(&listener->backoff, accel_clock_monotonic_ms());
  accel_redis_hearing_tell_all_down(listener, listener->why);
}

/* Without PING the channel cannot be proven alive. A user without permission for it gets that error
 * before subscribing, instead of a lost connection every second. */
static bool redis_listener_greet(redis_listener *listener, redis_dial *dial)
{
  accel_buffer command = {0};
  listener->questions = listener->answers = 0;
  listener->proven_ms = accel_clock_monotonic_ms();
  const bool answered =
      accel_redis_command_append_words(&command, REDIS_WORDS("PING")) &&
      accel_redis_stream_exchange(&listener->stream, dial, &command, 1, &listener->replies);
  const redis_reply reply = accel_redis_reply_at(&listener->replies, 0);
  const bool greeted = answered && accel_redis_reply_says(&listener->replies, &reply, "PONG");
  if (answered && !greeted) {
    accel_redis_hearing_note_refusal(listener, &listener->replies, "PING");
    accel_redis_stream_explain(&listener->replies, 0, "PING", dial->error);
  }
  accel_buffer_release(&command);
  accel_redis_replies_release(&listener->replies);
  if (!greeted) accel_redis_stream_close(&listener->stream);
  return greeted;
}

static ACCEL_COLD void redis_listener_connect_channel(redis_listener *listener)
{
  redis_dial dial = redis_listener_dial(listener);
  dial.address = accel_redis_endpoint_hold_address(accel_redis_route_main(listener->route));
  const bool is_open =
      accel_redis_stream_open(&listener->stream, &dial, REDIS_LISTENER_TEXT_MAX, "accel-listener");
  accel_redis_address_release(dial.address, 0);
  if (dial.is_refused) accel_redis_hearing_note_sign_in(listener, dial.error);
  if (!is_open || !redis_listener_greet(listener, &dial)) {
    accel_redis_hearing_tell_all_lost(listener, dial.error);
    accel_redis_backoff_failed(&listener->backoff, accel_clock_monotonic_ms());
    accel_redis_route_suspect(listener->route);
    accel_redis_route_change_main(listener->route);
    return;
  }
  listener->next_tick_ms = listener->proven_ms + REDIS_LISTENER_TICK_MS;
}

/* ---- proofs of life ---- */

/* When the channel is down, unless the server answers before. */
static uint64_t redis_listener_until_ms(const redis_listener *listener)
{
  return listener->proven_ms + REDIS_LISTENER_PROOF_MS;
}

static bool redis_listener_append_question(redis_listener *listener, accel_buffer *out)
{
  if (listener->questions - listener->answers == REDIS_LISTENER_QUESTIONS) return true;
  listener->asked_ms[listener->questions++ % REDIS_LISTENER_QUESTIONS] = accel_clock_monotonic_ms();
  return accel_redis_command_append_words(out, REDIS_WORDS("PING"));
}

/* ---- subscribing ---- */

/* With the mutex held. */
static bool redis_listener_is_channel_used(const redis_listener *listener,
                                           const redis_subscription *leaving)
{
  for (const redis_subscription *subscription = listener->subscriptions; subscription != NULL;
       subscription = subscription->next)
    if (!subscription->is_leaving && strcmp(subscription->link.channel, leaving->link.channel) == 0)
      return true;
  return false;
}

/* With the mutex held: the command that the subscription needs; NULL: none. */
static const char *redis_listener_verb(const redis_listener *listener,
                                       const redis_subscription *subscription)
{
  if (!subscription->is_leaving) {
    const bool is_due = accel_clock_monotonic_ms() >= subscription->next_request_ms;
    return subscription->request == 0 && is_due ? "SUBSCRIBE" : NULL;
  }
  return subscription->request != 0 && !redis_listener_is_channel_used(listener, subscription)
             ? "UNSUBSCRIBE"
             : NULL;
}

/* With the mutex held: frees subscriptions that left; appends the commands that bring the server's
 * subscriptions in line. False: no memory. */
static bool redis_listener_append_changes(redis_listener *listener, accel_buffer *commands)
{
  const bool is_tracking = listener->settings->is_tracking;
  const bool is_open =
      listener->stream.fd >= 0 && (!is_tracking || listener->tracking.client_id != 0);
  for (redis_subscription **at = &listener->subscriptions; *at != NULL;) {
    redis_subscription *subscription = *at;
    const char *verb = redis_listener_verb(listener, subscription);
    if (is_open && verb != NULL) {
      if (!accel_redis_command_append_words(commands,
                                            REDIS_WORDS(verb, subscription->link.channel)))
        return false;
      subscription->request = ++listener->requests;
    }
    if (!subscription->is_leaving) {
      at = &subscription->next;
      continue;
    }
    *at = subscription->next;
    ACCEL_FREE(subscription);
  }
  return true;
}

static bool redis_listener_has_subscriptions(redis_listener *listener)
{
  bool found = false;
  accel_mutex_lock(&listener->mutex);
  for (const redis_subscription *subscription = listener->subscriptions;
       subscription != NULL && !found; subscription = subscription->next)
    found = !subscription->is_leaving;
  accel_mutex_unlock(&listener->mutex);
  return found;
}

/* ---- tracking ---- */

/* Copies the prefix of a link that the server does not track yet. */
static bool redis_listener_find_uncovered(redis_listener *listener, char *prefix)
{
  bool found = false;
  accel_mutex_lock(&listener->mutex);
  for (const redis_subscription *subscription = listener->subscriptions;
       subscription != NULL && !found; subscription = subscription->next) {
    const char *key_start = subscription->link.key_start;
    if (subscription->is_leaving || accel_redis_tracking_covers(&listener->tracking, key_start))
      continue;
    memcpy(prefix, key_start, REDIS_LINK_KEY_START_SIZE);
    found = true;
  }
  accel_mutex_unlock(&listener->mutex);
  return found;
}

static void redis_listener_note_untracked(redis_listener *listener, redis_tracking_refusal *refusal)
{
  if (refusal->command == NULL) return;
  accel_redis_hearing_note_refusal(listener, &refusal->replies, refusal->command);
  accel_redis_replies_release(&refusal->replies);
}

/* Asks the server to track the keys of new links. False: it refused, or could not be asked. */
static bool redis_listener_cover(redis_listener *listener)
{
  char prefix[REDIS_LINK_KEY_START_SIZE];
  redis_tracking_refusal refusal = {0};
  if (listener->tracking.client_id == 0) return true;
  while (redis_listener_find_uncovered(listener, prefix)) {
    const uint64_t until_ms = redis_listener_until_ms(listener);
    if (accel_redis_tracking_cover(&listener->tracking, prefix, until_ms, &refusal)) continue;
    redis_listener_note_untracked(listener, &refusal);
    return false;
  }
  return true;
}

static bool redis_listener_is_tracked(redis_listener *listener)
{
  redis_tracking_refusal refusal = {0};
  const uint64_t until_ms = redis_listener_until_ms(listener);
  const bool holds = accel_redis_tracking_holds(&listener->tracking, until_ms, &refusal);
  redis_listener_note_untracked(listener, &refusal);
  return holds;
}

/* Sends what changed, and a PING if one is due. False: the connection is lost. */
static bool redis_listener_send_changes(redis_listener *listener, bool pings)
{
  redis_dial dial = redis_listener_dial(listener);
  const uint64_t until_ms = redis_listener_until_ms(listener);
  accel_buffer commands = {0};
  if (until_ms < dial.deadline_ms) dial.deadline_ms = until_ms;
  const bool is_tracking = listener->settings->is_tracking && listener->stream.fd >= 0;
  bool sent = !is_tracking ||
              (redis_listener_cover(listener) &&
               accel_redis_tracking_append(&listener->tracking, &listener->requests, &commands));
  accel_mutex_lock(&listener->mutex);
  sent = sent && redis_listener_append_changes(listener, &commands);
  accel_mutex_unlock(&listener->mutex);
  if (listener->stream.fd >= 0) {
    if (sent && pings) sent = redis_listener_append_question(listener, &commands);
    snprintf(dial.error, sizeof dial.error, "no memory to subscribe");
    sent = sent && accel_redis_stream_send(&listener->stream, &dial, &commands);
    if (!sent) memcpy(listener->why, dial.error, sizeof dial.error);
  }
  accel_buffer_release(&commands);
  return sent;
}

/* Handles what has arrived. The thread looks at its other duties before it reads more. */
static bool redis_listener_hear(redis_listener *listener)
{
  if (!accel_redis_stream_feed(&listener->stream, listener->why)) return false;
  snprintf(listener->why, sizeof listener->why, "protocol error: a message of an unexpected kind");
  return accel_redis_hearing_take_replies(listener);
}

/* Returns when it has to be called again. */
static uint64_t redis_listener_tend_channel(redis_listener *listener, bool is_readable)
{
  /* Before discovery has found a server there is nothing to listen to; the route moves the
   * listener then. */
  const bool is_nowhere = accel_load_acquire(&accel_redis_route_main(listener->route)->is_retired);
  const bool is_wanted = redis_listener_has_subscriptions(listener) && !is_nowhere;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  const bool must_move =
      accel_exchange_acquire(&listener->must_move, false) && listener->stream.fd >= 0;
  if (accel_exchange_acquire(&listener->must_reconnect, false)) listener->backoff.next_ms = 0;
  if (listener->stream.fd < 0 && is_wanted && now_ms >= listener->backoff.next_ms)
    redis_listener_connect_channel(listener);
  const bool is_open = listener->stream.fd >= 0;
  const bool is_tick = is_open && now_ms >= listener->next_tick_ms;
  bool is_alive = redis_listener_send_changes(listener, is_tick) && !must_move;
  if (!is_open) return is_wanted ? listener->backoff.next_ms : ACCEL_NO_DEADLINE;
  if (is_alive && is_readable) is_alive = redis_listener_hear(listener);
  if (is_alive && is_tick && listener->settings->is_tracking) {
    snprintf(listener->why, sizeof listener->why,
             "CLIENT GETREDIR: the server tracks for another connection");
    is_alive = redis_listener_is_tracked(listener);
  }
  const uint64_t proof_ms = redis_listener_until_ms(listener);
  const bool is_silent = is_alive && accel_clock_monotonic_ms() >= proof_ms;
  if (is_silent)
    snprintf(listener->why, sizeof listener->why, "no reply to PING for %u ms",
             REDIS_LISTENER_PROOF_MS);
  if (must_move)
    snprintf(listener->why, sizeof listener->why, "another server has the channel from now on");
  if (!is_alive || is_silent) {
    redis_listener_lose_channel(listener);
    return listener->backoff.next_ms;
  }
  if (is_tick) {
    listener->next_tick_ms = now_ms + REDIS_LISTENER_TICK_MS;
    accel_redis_hearing_each(listener, redis_listener_send_heartbeat, NULL);
  }
  return listener->next_tick_ms < proof_ms ? listener->next_tick_ms : proof_ms;
}

/* ---- the thread ---- */

static void redis_listener_run(void *listener_pointer)
{
  redis_listener *listener = (redis_listener *)listener_pointer;
  bool is_readable = false;
  for (;;) {
    const uint64_t until_ms = redis_listener_tend_channel(listener, is_readable);
    const bool has_more = listener->stream.has_more;
    struct pollfd polled[REDIS_SIGNALS + 1];
    polled[REDIS_SIGNALS] = (struct pollfd){.fd = listener->stream.fd, .events = POLLIN};
    accel_store_release(&listener->is_polling, true);
    const bool goes_on = accel_redis_signals_poll(&listener->signals, polled, REDIS_SIGNALS + 1,
                                                  has_more ? 0 : until_ms);
    accel_store_release(&listener->is_polling, false);
    is_readable = has_more || polled[REDIS_SIGNALS].revents != 0;
    if (!goes_on) return;
  }
}

/* ---- from outside ---- */

void accel_redis_listener_reconnect_now(redis_listener *listener)
{
  accel_store_release(&listener->must_reconnect, true);
  accel_redis_signal_raise(listener->signals.wake_fd);
}

void accel_redis_listener_move(redis_listener *listener)
{
  accel_store_release(&listener->must_move, true);
  accel_redis_signal_raise(listener->signals.wake_fd);
}

bool accel_redis_listener_open(redis_listener *listener, const redis_settings *settings,
                               redis_route *route)
{
  memset(listener, 0, sizeof *listener);
  listener->settings = settings;
  listener->route = route;
  accel_redis_tracking_open(&listener->tracking, route, settings->command_timeout_ms);
  listener->stream.fd = -1;
  if (!accel_redis_signals_open(&listener->signals)) return false;
  if (!accel_mutex_open(&listener->mutex)) goto fail_mutex;
  if (!accel_condition_open(&listener->idle)) goto fail_condition;
  return true;
fail_condition:
  accel_mutex_close(&listener->mutex);
fail_mutex:
  accel_redis_signals_close(&listener->signals);
  return false;
}

bool accel_redis_listener_start(redis_listener *listener)
{
  return accel_thread_start(&listener->thread, redis_listener_run, listener);
}

void accel_redis_listener_stop(redis_listener *listener)
{
  accel_redis_signal_raise(listener->signals.stop_fd);
  accel_thread_join(listener->thread);
}

static void redis_listener_release(redis_listener *listener)
{
  while (listener->subscriptions != NULL) {
    redis_subscription *subscription = listener->subscriptions;
    listener->subscriptions = subscription->next;
    ACCEL_FREE(subscription);
  }
  accel_redis_replies_release(&listener->replies);
  accel_redis_stream_close(&listener->stream);
  accel_redis_tracking_close(&listener->tracking);
}

void accel_redis_listener_close(redis_listener *listener)
{
  redis_listener_release(listener);
  accel_condition_close(&listener->idle);
  accel_mutex_close(&listener->mutex);
  accel_redis_signals_close(&listener->signals);
}

void accel_redis_listener_abandon(redis_listener *listener)
{
  if (listener->is_polling)
    redis_listener_release(listener);
  else
    accel_redis_socket_close(listener->stream.fd);
  accel_redis_signals_close(&listener->signals);
}

void accel_redis_listener_add(redis_listener *listener, redis_subscription *subscription)
{
  ACCEL_ASSERT(subscription->request == 0 && !subscription->is_leaving);
  accel_mutex_lock(&listener->mutex);
  subscription->next = listener->subscriptions;
  listener->subscriptions = subscription;
  accel_mutex_unlock(&listener->mutex);
  accel_redis_signal_raise(listener->signals.wake_fd);
}

void accel_redis_listener_remove(redis_listener *listener, redis_subscription *subscription)
{
  accel_mutex_lock(&listener->mutex);
  ACCEL_ASSERT(!subscription->is_leaving);
  subscription->is_leaving = true;
  while (listener->calling == subscription)
    accel_condition_wait(&listener->idle, &listener->mutex, ACCEL_NO_DEADLINE);
  accel_mutex_unlock(&listener->mutex);
  accel_redis_signal_raise(listener->signals.wake_fd);
}

#include "listener.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "../../../accel/platform/system.h"
#include "../operations/call.h"
#include "hearing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void accel_redis_listener_ring(redis_listener *listener)
{
  accel_redis_signal_raise(listener->signals.wake_fd);
}

typedef struct redis_listener_beat {
  const redis_link *link;
  uint32_t lane;
} redis_listener_beat;

/* Runs while the lane's connection is locked, so that no message gets a number between the
 * heartbeat's number and its departure. */
static size_t redis_listener_append_heartbeat(void *beat_pointer, accel_buffer *out)
{
  const redis_listener_beat *beat = (const redis_listener_beat *)beat_pointer;
  const redis_link *link = beat->link;
  accel_buffer message = {0};
  const bool appended = link->sink.heartbeat(link->sink.ctx, beat->lane, &message) &&
                        accel_redis_call_append_publish(out, link, &message);
  accel_buffer_release(&message);
  return appended ? 1 : 0;
}

static void redis_listener_send_heartbeat(redis_listener *listener, redis_link *link, void *unused)
{
  redis_route *route = &listener->state->route;
  size_t at = 0;
  (void)unused;
  if (!link->is_up) return;
  for (redis_endpoint *endpoint; (endpoint = accel_redis_route_next(route, &at)) != NULL;) {
    redis_connection *const ways[2] = {&endpoint->data, &endpoint->bulk};
    for (size_t i = 0; i < 2; i++) {
      redis_listener_beat beat = {link, accel_redis_endpoint_lane(endpoint, ways[i])};
      const redis_block block = {.append = redis_listener_append_heartbeat, .ctx = &beat};
      accel_redis_connection_post(ways[i], &block);
    }
  }
}

/* ---- the channels ---- */

/* Without an address: for one that is connected. */
static redis_dial redis_listener_dial(redis_listener *listener)
{
  accel_redis_state *state = listener->state;
  redis_dial dial = {
      .credentials = &state->credentials,
      .database = state->url.database,
      .tls = state->tls,
      .stop_fd = listener->signals.stop_fd,
      .deadline_ms = accel_clock_deadline(state->connect_timeout_ms),
  };
  return dial;
}

static void redis_listener_lose_channel(redis_listener *listener)
{
  accel_redis_stream_close(&listener->stream);
  accel_redis_replies_release(&listener->replies);
  listener->requests = listener->confirmations = 0;
  accel_redis_tracking_reset(&listener->tracking);
  accel_redis_backoff_failed(&listener->backoff, accel_clock_monotonic_ms());
  accel_redis_hearing_tell_down(listener, listener->why);
}

/* Without PING the channel cannot be proven alive: who may not send it is told so before he
 * subscribes, and not once a second by a break. */
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
    accel_redis_listener_note_refusal(listener, &listener->replies, "PING");
    accel_redis_stream_explain(&listener->replies, 0, "PING", dial->error);
  }
  accel_buffer_release(&command);
  accel_redis_replies_release(&listener->replies);
  if (!greeted) accel_redis_stream_close(&listener->stream);
  return greeted;
}

static void redis_listener_connect_channel(redis_listener *listener)
{
  redis_dial dial = redis_listener_dial(listener);
  dial.address = accel_redis_endpoint_hold_address(accel_redis_route_main(&listener->state->route));
  const bool is_open =
      accel_redis_stream_open(&listener->stream, &dial, REDIS_LISTENER_TEXT_MAX, "accel-listener");
  accel_redis_address_release(dial.address, 0);
  if (dial.is_refused) accel_redis_hearing_note_stranger(listener, dial.error);
  if (!is_open || !redis_listener_greet(listener, &dial)) {
    accel_redis_hearing_tell_why(listener, dial.error);
    accel_redis_backoff_failed(&listener->backoff, accel_clock_monotonic_ms());
    accel_redis_route_suspect(&listener->state->route);
    accel_redis_route_change_main(&listener->state->route);
    return;
  }
  listener->next_tick_ms = listener->proven_ms + REDIS_LISTENER_TICK_MS;
}

/* ---- proofs of life ---- */

uint64_t accel_redis_listener_until_ms(const redis_listener *listener)
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
                                           const redis_link *leaving)
{
  for (const redis_link *link = listener->links; link != NULL; link = link->next)
    if (!link->is_leaving && strcmp(link->channel, leaving->channel) == 0) return true;
  return false;
}

/* With the mutex held: what is to be said about the link's channel; NULL: nothing. */
static const char *redis_listener_verb(const redis_listener *listener, const redis_link *link)
{
  if (!link->is_leaving) {
    const bool is_due = accel_clock_monotonic_ms() >= link->next_request_ms;
    return link->request == 0 && is_due ? "SUBSCRIBE" : NULL;
  }
  return link->request != 0 && !redis_listener_is_channel_used(listener, link) ? "UNSUBSCRIBE"
                                                                               : NULL;
}

/* With the mutex held: frees links that left; appends what makes the subscriptions fit the links.
 * False: no memory. */
static bool redis_listener_append_changes(redis_listener *listener, accel_buffer *commands)
{
  const bool is_tracking = listener->state->is_tracking;
  const bool is_open =
      listener->stream.fd >= 0 && (!is_tracking || listener->tracking.client_id != 0);
  for (redis_link **at = &listener->links; *at != NULL;) {
    redis_link *link = *at;
    const char *verb = redis_listener_verb(listener, link);
    if (is_open && verb != NULL) {
      if (!accel_redis_command_append_words(commands, REDIS_WORDS(verb, link->channel)))
        return false;
      link->request = ++listener->requests;
    }
    if (!link->is_leaving) {
      at = &link->next;
      continue;
    }
    *at = link->next;
    ACCEL_FREE(link);
  }
  return true;
}

static bool redis_listener_has_links(redis_listener *listener)
{
  bool found = false;
  accel_mutex_lock(&listener->mutex);
  for (const redis_link *link = listener->links; link != NULL && !found; link = link->next)
    found = !link->is_leaving;
  accel_mutex_unlock(&listener->mutex);
  return found;
}

/* Sends what changed, and a PING if one is due. False: the connection is lost. */
static bool redis_listener_send_changes(redis_listener *listener, bool pings)
{
  redis_dial dial = redis_listener_dial(listener);
  const uint64_t until_ms = accel_redis_listener_until_ms(listener);
  accel_buffer commands = {0};
  if (until_ms < dial.deadline_ms) dial.deadline_ms = until_ms;
  const bool is_tracking = listener->state->is_tracking && listener->stream.fd >= 0;
  bool sent = !is_tracking ||
              (accel_redis_tracking_cover(listener) &&
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

/* What came at once: who talks without end is looked at between. */
static bool redis_listener_hear(redis_listener *listener)
{
  if (!accel_redis_stream_feed(&listener->stream, listener->why)) return false;
  snprintf(listener->why, sizeof listener->why, "the server says what it was not asked for");
  return accel_redis_hearing_take_replies(listener);
}

/* Returns when it has to be called again. */
static uint64_t redis_listener_tend_channel(redis_listener *listener, bool is_readable)
{
  /* While nobody knows where the server is, there is nothing to listen to: the route tells. */
  const bool is_nowhere =
      accel_load_acquire(&accel_redis_route_main(&listener->state->route)->rests);
  const bool is_wanted = redis_listener_has_links(listener) && !is_nowhere;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  const bool has_to_move =
      accel_exchange_acquire(&listener->has_to_move, false) && listener->stream.fd >= 0;
  if (accel_exchange_acquire(&listener->hurries, false)) listener->backoff.next_ms = 0;
  if (listener->stream.fd < 0 && is_wanted && now_ms >= listener->backoff.next_ms)
    redis_listener_connect_channel(listener);
  const bool is_open = listener->stream.fd >= 0;
  const bool is_tick = is_open && now_ms >= listener->next_tick_ms;
  bool is_alive = redis_listener_send_changes(listener, is_tick) && !has_to_move;
  if (!is_open) return is_wanted ? listener->backoff.next_ms : ACCEL_NO_DEADLINE;
  if (is_alive && is_readable) is_alive = redis_listener_hear(listener);
  if (is_alive && is_tick && listener->state->is_tracking) {
    snprintf(listener->why, sizeof listener->why, "the server does not track what is read");
    is_alive = accel_redis_tracking_holds(listener);
  }
  const uint64_t proof_ms = accel_redis_listener_until_ms(listener);
  const bool is_silent = is_alive && accel_clock_monotonic_ms() >= proof_ms;
  if (is_silent)
    snprintf(listener->why, sizeof listener->why, "no answer for %u ms", REDIS_LISTENER_PROOF_MS);
  if (has_to_move)
    snprintf(listener->why, sizeof listener->why, "another server is to be listened to");
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
    accel_store_release(&listener->is_at_rest, true);
    const bool goes_on = accel_redis_signals_poll(&listener->signals, polled, REDIS_SIGNALS + 1,
                                                  has_more ? 0 : until_ms);
    accel_store_release(&listener->is_at_rest, false);
    is_readable = has_more || polled[REDIS_SIGNALS].revents != 0;
    if (!goes_on) return;
  }
}

/* ---- from outside ---- */

void accel_redis_listener_hurry(redis_listener *listener)
{
  accel_store_release(&listener->hurries, true);
  accel_redis_listener_ring(listener);
}

void accel_redis_listener_move(redis_listener *listener)
{
  accel_store_release(&listener->has_to_move, true);
  accel_redis_listener_ring(listener);
}

bool accel_redis_listener_open(redis_listener *listener, accel_redis_state *state)
{
  memset(listener, 0, sizeof *listener);
  listener->state = state;
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
  while (listener->links != NULL) {
    redis_link *link = listener->links;
    listener->links = link->next;
    ACCEL_FREE(link);
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
  if (listener->is_at_rest)
    redis_listener_release(listener);
  else
    accel_redis_socket_close(listener->stream.fd);
  accel_redis_signals_close(&listener->signals);
}

void accel_redis_listener_add(redis_listener *listener, redis_link *link)
{
  accel_mutex_lock(&listener->mutex);
  link->next = listener->links;
  listener->links = link;
  accel_mutex_unlock(&listener->mutex);
  accel_redis_listener_ring(listener);
}

void accel_redis_listener_remove(redis_listener *listener, redis_link *link)
{
  accel_mutex_lock(&listener->mutex);
  link->is_leaving = true;
  while (listener->calling == link)
    accel_condition_wait(&listener->idle, &listener->mutex, ACCEL_NO_DEADLINE);
  accel_mutex_unlock(&listener->mutex);
  accel_redis_listener_ring(listener);
}

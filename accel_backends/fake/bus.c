/* bus.c: links, and the messages between them.
 *
 * The sink of a link is called by one thread at a time: first that the channel is down, or up, then
 * with its messages in the order of publication. Each thread that changed something pumps: it calls
 * the sinks of links that no other thread is calling. So nobody waits for a sink, except detach,
 * and a sink may itself publish.
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- deliveries; the caller holds the mutex ---- */

static bool fake_link_is_up(const fake_link *link)
{
  return link->has_listener && !link->is_cut && !link->state->script.is_stopped;
}

static void fake_message_unref(fake_message *message)
{
  if (--message->references == 0) ACCEL_FREE(message);
}

static fake_message *fake_link_take(fake_link *link)
{
  fake_delivery *delivery = link->first_delivery;
  link->first_delivery = delivery->next;
  if (link->first_delivery == NULL) link->last_delivery = NULL;
  link->delivery_count--;
  return delivery->message;
}

static void fake_link_queue(fake_link *link, fake_delivery *delivery)
{
  delivery->next = NULL;
  if (link->last_delivery == NULL)
    link->first_delivery = delivery;
  else
    link->last_delivery->next = delivery;
  link->last_delivery = delivery;
  link->delivery_count++;
}

static void fake_link_break(fake_link *link)
{
  while (link->first_delivery != NULL) fake_message_unref(fake_link_take(link));
  link->has_gap = true;
  link->allowance = 0;
  link->heartbeats = 0;
}

void accel_fake_bus_break(struct accel_fake_state *state)
{
  for (fake_link *link = state->bus.links; link != NULL; link = link->next) fake_link_break(link);
}

static void fake_link_report(const fake_link *link, accel_remote_change change, const char *why)
{
  const accel_remote_news news = {change, "the fake", why};
  if (link->tell != NULL) link->tell(link->sink.ctx, &news);
}

void accel_fake_bus_report(struct accel_fake_state *state, bool is_connected)
{
  for (fake_link *link = state->bus.links; link != NULL; link = link->next)
    if (is_connected)
      fake_link_report(link, ACCEL_REMOTE_CONNECTED, "");
    else
      fake_link_report(link, ACCEL_REMOTE_DISCONNECTED, "it was stopped");
}

static bool fake_link_receives(const fake_link *link, const char *area)
{
  return fake_link_is_up(link) && strcmp(link->area, area) == 0;
}

/* All its deliveries are allocated first: every link gets the message, or none does. */
static bool fake_bus_post(struct accel_fake_state *state, const char *area, const void *data,
                          size_t size)
{
  size_t listeners = 0;
  for (fake_link *link = state->bus.links; link != NULL; link = link->next)
    if (fake_link_receives(link, area)) listeners++;
  if (listeners == 0) return true;
  if (size > SIZE_MAX / 2) return false;
  const size_t head = sizeof(fake_message) + listeners * sizeof(fake_delivery);
  fake_message *message = (fake_message *)ACCEL_MALLOC(head + size);
  if (message == NULL) return false;
  message->references = listeners;
  message->size = size;
  message->data = (unsigned char *)(message->deliveries + listeners);
  if (size > 0) memcpy(message->data, data, size);
  fake_delivery *delivery = message->deliveries;
  for (fake_link *link = state->bus.links; link != NULL; link = link->next) {
    if (!fake_link_receives(link, area)) continue;
    delivery->message = message;
    fake_link_queue(link, delivery++);
  }
  return true;
}

size_t accel_fake_bus_announce(fake_link *link, const accel_remote_publisher *publisher,
                               const accel_remote_item *const *items, size_t count,
                               accel_remote_call *call)
{
  size_t named = 0;
  do {
    accel_buffer bytes = {NULL, 0, 0};
    const size_t taken =
        publisher->message(publisher->ctx, 0, items + named, count - named, &bytes);
    const bool sent = taken > 0 && fake_bus_post(link->state, link->area, bytes.data, bytes.size);
    accel_buffer_release(&bytes);
    if (!sent) {
      call->messages_failed++;
      return named;
    }
    call->messages_sent++;
    named += taken;
  } while (named < count);
  return named;
}

/* ---- delivery ---- */

static bool fake_link_must_report_down(const fake_link *link)
{
  return link->is_reported_up && (link->has_gap || !fake_link_is_up(link));
}

static bool fake_link_is_ready(const fake_link *link)
{
  if (!link->has_listener || link->is_delivering) return false;
  if (fake_link_must_report_down(link) || link->is_reported_up != fake_link_is_up(link))
    return true;
  if (link->heartbeats > 0) return true;
  return link->first_delivery != NULL && (!link->is_held || link->allowance > 0);
}

static fake_link *fake_bus_ready(struct accel_fake_state *state)
{
  fake_link *link = state->bus.links;
  while (link != NULL && !fake_link_is_ready(link)) link = link->next;
  return link;
}

static void fake_link_report_state(fake_link *link, bool is_up)
{
  accel_mutex *mutex = &link->state->mutex;
  link->is_reported_up = is_up;
  link->has_gap = false;
  accel_mutex_unlock(mutex);
  if (is_up) {
    link->sink.up(link->sink.ctx);
  } else {
    fake_link_report(link, ACCEL_REMOTE_CHANNEL_LOST, "the channel was interrupted");
    link->sink.down(link->sink.ctx);
  }
  accel_mutex_lock(mutex);
}

static void fake_link_ask_heartbeat(fake_link *link)
{
  accel_mutex *mutex = &link->state->mutex;
  accel_buffer bytes = {NULL, 0, 0};
  link->heartbeats--;
  accel_mutex_unlock(mutex);
  const bool has_beat = link->sink.heartbeat(link->sink.ctx, 0, &bytes);
  accel_mutex_lock(mutex);
  /* One that is lost for want of memory is missed by nobody: the next one follows. */
  if (has_beat) fake_bus_post(link->state, link->area, bytes.data, bytes.size);
  accel_buffer_release(&bytes);
}

static void fake_link_deliver_message(fake_link *link)
{
  accel_mutex *mutex = &link->state->mutex;
  if (link->is_held) link->allowance--;
  fake_message *message = fake_link_take(link);
  accel_mutex_unlock(mutex);
  link->sink.message(link->sink.ctx, message->data, message->size);
  accel_mutex_lock(mutex);
  fake_message_unref(message);
}

/* Tells a ready link one thing. After it the link may be gone: detach waits for is_delivering. */
static void fake_link_deliver(fake_link *link)
{
  struct accel_fake_state *state = link->state;
  link->is_delivering = true;
  if (fake_link_must_report_down(link))
    fake_link_report_state(link, false);
  else if (!link->is_reported_up)
    fake_link_report_state(link, true);
  else if (link->heartbeats > 0)
    fake_link_ask_heartbeat(link);
  else
    fake_link_deliver_message(link);
  link->is_delivering = false;
  accel_condition_broadcast(&state->changed);
}

void accel_fake_bus_pump(struct accel_fake_state *state)
{
  accel_mutex_lock(&state->mutex);
  fake_link *link;
  while ((link = fake_bus_ready(state)) != NULL) fake_link_deliver(link);
  accel_mutex_unlock(&state->mutex);
}

/* ---- links ---- */

accel_status accel_fake_bus_attach(struct accel_fake_state *state, const accel_remote_area *area,
                                   bool has_bus, fake_link **link_out)
{
  const size_t area_size = strlen(area->area);
  if (area_size > FAKE_AREA_MAX)
    return accel_error_set(area->owner, ACCEL_ERR_CONFIG, "area: %zu bytes, at most %d", area_size,
                           FAKE_AREA_MAX);
  fake_link *link = (fake_link *)ACCEL_MALLOC(sizeof *link);
  if (link == NULL) return accel_error_set(area->owner, ACCEL_ERR_NOMEM, "fake: out of memory");
  memset(link, 0, sizeof *link);
  link->state = state;
  memcpy(link->area, area->area, area_size);
  link->sink = area->sink;
  link->tell = area->tell;
  link->has_bus = has_bus;
  link->has_listener = has_bus && area->has_listener;

  accel_mutex_lock(&state->mutex);
  link->number = state->bus.links_made++;
  link->is_cut = state->bus.starts_down;
  link->is_held = state->bus.starts_held;
  fake_link **end = &state->bus.links;
  while (*end != NULL) end = &(*end)->next;
  *end = link;
  *link_out = link;
  if (state->script.is_stopped) fake_link_report(link, ACCEL_REMOTE_DISCONNECTED, "it was stopped");
  accel_mutex_unlock(&state->mutex);
  return ACCEL_OK;
}

static void fake_bus_unlink(fake_link *link)
{
  fake_link **place = &link->state->bus.links;
  while (*place != link) place = &(*place)->next;
  *place = link->next;
  fake_link_break(link);
}

void accel_fake_bus_detach(fake_link *link)
{
  struct accel_fake_state *state = link->state;
  if (!state->is_forked) accel_mutex_lock(&state->mutex);
  fake_bus_unlink(link);
  while (!state->is_forked && link->is_delivering)
    accel_condition_wait(&state->changed, &state->mutex, ACCEL_NO_DEADLINE);
  if (!state->is_forked) accel_mutex_unlock(&state->mutex);
  ACCEL_FREE(link);
}

void accel_fake_bus_release(struct accel_fake_state *state)
{
  fake_link *link;
  while ((link = state->bus.links) != NULL) {
    state->bus.links = link->next;
    fake_link_break(link);
    ACCEL_FREE(link);
  }
}

/* ---- orders ---- */

static bool fake_link_is_meant(const fake_link *link, size_t number)
{
  return number == ACCEL_FAKE_EVERY_LINK || link->number == number;
}

static void fake_bus_cut(struct accel_fake_state *state, size_t number, bool is_cut)
{
  accel_mutex_lock(&state->mutex);
  if (number == ACCEL_FAKE_EVERY_LINK) state->bus.starts_down = is_cut;
  for (fake_link *link = state->bus.links; link != NULL; link = link->next) {
    if (!fake_link_is_meant(link, number)) continue;
    link->is_cut = is_cut;
    if (is_cut) fake_link_break(link);
  }
  accel_mutex_unlock(&state->mutex);
  accel_fake_bus_pump(state);
}

void accel_fake_channel_down(accel_fake *fake, size_t link)
{
  fake_bus_cut(fake->state, link, true);
}

void accel_fake_channel_up(accel_fake *fake, size_t link)
{
  fake_bus_cut(fake->state, link, false);
}

static void fake_bus_hold(struct accel_fake_state *state, size_t number, bool is_held)
{
  accel_mutex_lock(&state->mutex);
  if (number == ACCEL_FAKE_EVERY_LINK) state->bus.starts_held = is_held;
  for (fake_link *link = state->bus.links; link != NULL; link = link->next) {
    if (!fake_link_is_meant(link, number)) continue;
    link->is_held = is_held;
    link->allowance = 0;
  }
  accel_mutex_unlock(&state->mutex);
  accel_fake_bus_pump(state);
}

void accel_fake_hold(accel_fake *fake, size_t link)
{
  fake_bus_hold(fake->state, link, true);
}

void accel_fake_resume(accel_fake *fake, size_t link)
{
  fake_bus_hold(fake->state, link, false);
}

size_t accel_fake_deliver(accel_fake *fake, size_t link, size_t count)
{
  struct accel_fake_state *state = fake->state;
  size_t delivered = 0;
  accel_mutex_lock(&state->mutex);
  for (fake_link *each = state->bus.links; each != NULL; each = each->next) {
    if (!fake_link_is_meant(each, link) || !each->is_held) continue;
    each->allowance = count < each->delivery_count ? count : each->delivery_count;
    delivered += each->allowance;
  }
  accel_mutex_unlock(&state->mutex);
  accel_fake_bus_pump(state);
  return delivered;
}

size_t accel_fake_drop(accel_fake *fake, size_t link, size_t count)
{
  struct accel_fake_state *state = fake->state;
  size_t dropped = 0;
  accel_mutex_lock(&state->mutex);
  for (fake_link *each = state->bus.links; each != NULL; each = each->next) {
    if (!fake_link_is_meant(each, link) || !each->is_held) continue;
    for (size_t i = 0; i < count && each->first_delivery != NULL; i++, dropped++)
      fake_message_unref(fake_link_take(each));
    if (each->allowance > each->delivery_count) each->allowance = each->delivery_count;
  }
  accel_mutex_unlock(&state->mutex);
  return dropped;
}

size_t accel_fake_held(accel_fake *fake, size_t link)
{
  size_t held = 0;
  accel_mutex_lock(&fake->state->mutex);
  for (fake_link *each = fake->state->bus.links; each != NULL; each = each->next)
    if (fake_link_is_meant(each, link) && each->is_held) held += each->delivery_count;
  accel_mutex_unlock(&fake->state->mutex);
  return held;
}

bool accel_fake_publish(accel_fake *fake, const char *area, const void *data, size_t size)
{
  accel_mutex_lock(&fake->state->mutex);
  const bool is_posted = fake_bus_post(fake->state, area, data, size);
  accel_mutex_unlock(&fake->state->mutex);
  accel_fake_bus_pump(fake->state);
  return is_posted;
}

void accel_fake_heartbeat(accel_fake *fake)
{
  accel_mutex_lock(&fake->state->mutex);
  for (fake_link *link = fake->state->bus.links; link != NULL; link = link->next)
    if (fake_link_is_up(link)) link->heartbeats++;
  accel_mutex_unlock(&fake->state->mutex);
  accel_fake_bus_pump(fake->state);
}

static bool fake_bus_is_settled(struct accel_fake_state *state)
{
  for (fake_link *link = state->bus.links; link != NULL; link = link->next)
    if (link->is_delivering) return false;
  return fake_bus_ready(state) == NULL;
}

bool accel_fake_settle(accel_fake *fake, uint32_t timeout_ms)
{
  struct accel_fake_state *state = fake->state;
  const uint64_t deadline_ms = accel_clock_deadline(timeout_ms);
  accel_mutex_lock(&state->mutex);
  while (!fake_bus_is_settled(state))
    if (!accel_condition_wait(&state->changed, &state->mutex, deadline_ms)) break;
  const bool is_settled = fake_bus_is_settled(state);
  accel_mutex_unlock(&state->mutex);
  return is_settled;
}

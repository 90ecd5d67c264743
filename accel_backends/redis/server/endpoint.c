#include "endpoint.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_ENDPOINT_RETIRED "the server is not in use any more"

/* ---- its name, and reports of changes ---- */

redis_address *accel_redis_endpoint_hold_address(redis_endpoint *endpoint)
{
  accel_mutex_lock(&endpoint->mutex);
  redis_address *address = endpoint->address;
  accel_redis_address_hold(address);
  accel_mutex_unlock(&endpoint->mutex);
  return address;
}

void accel_redis_endpoint_name(redis_endpoint *endpoint, const redis_lane *lane, char *name)
{
  char address[REDIS_ADDRESS_TEXT];
  const bool is_large = lane == &endpoint->lanes[REDIS_LANE_LARGE];
  redis_address *held = accel_redis_endpoint_hold_address(endpoint);
  accel_redis_socket_name(held, address, sizeof address);
  accel_redis_address_release(held, 0);
  snprintf(name, REDIS_NEWS_SERVER, "%s%s", address, is_large ? " (for large values)" : "");
}

void accel_redis_endpoint_name_failure(redis_endpoint *endpoint, char *error)
{
  if (endpoint->number == 0 && accel_load_acquire(&endpoint->is_retired)) return;
  redis_address *held = accel_redis_endpoint_hold_address(endpoint);
  accel_redis_socket_name_failure(held, error);
  accel_redis_address_release(held, 0);
}

static void redis_endpoint_tell_breaker(void *lane_pointer, redis_breaker_state state)
{
  redis_lane *lane = (redis_lane *)lane_pointer;
  char name[REDIS_NEWS_SERVER];
  accel_redis_endpoint_name(lane->endpoint, lane, name);
  accel_redis_endpoint_news_breaker(&lane->news, name, state);
}

static void redis_endpoint_suspect(const redis_endpoint *endpoint)
{
  endpoint->context->notify(endpoint->context->owner, REDIS_NOTICE_SUSPECT);
}

/* ---- connecting ---- */

static void redis_endpoint_set_clock(redis_endpoint *endpoint, const redis_stream_clock *clock)
{
  if (!clock->is_known) return;
  accel_store_relaxed(&endpoint->ahead_ms, clock->ahead_ms);
  endpoint->next_clock_ms = accel_clock_monotonic_ms() + REDIS_ENDPOINT_CLOCK_MS;
}

/* Dials the lane's server. */
static bool redis_endpoint_dial(const redis_lane *lane, redis_dial *dial, redis_stream *stream,
                                redis_stream_clock *clock)
{
  const redis_settings *settings = lane->endpoint->context->settings;
  const bool is_large = lane == &lane->endpoint->lanes[REDIS_LANE_LARGE];
  const char *name = is_large ? "accel-large" : "accel";
  const size_t text_max = settings->max_value_bytes < REDIS_ENDPOINT_TEXT_BYTES
                              ? REDIS_ENDPOINT_TEXT_BYTES
                              : settings->max_value_bytes + 1; /* + 1 shows that there is more */
  if (!accel_redis_stream_open(stream, dial, text_max, name)) return false;
  const bool must_be_master = settings->url.kind == REDIS_URL_SENTINEL;
  if (accel_redis_stream_greet(stream, dial, clock) &&
      (!must_be_master || accel_redis_stream_is_master(stream, dial)))
    return true;
  accel_redis_stream_close(stream);
  return false;
}

static ACCEL_COLD void redis_endpoint_connect(redis_lane *lane)
{
  redis_endpoint *endpoint = lane->endpoint;
  redis_address *address = accel_redis_endpoint_hold_address(endpoint);
  redis_dial dial =
      accel_redis_settings_dial(endpoint->context->settings, address, endpoint->signals.stop_fd);
  redis_stream stream;
  redis_stream_clock clock = {0};
  char name[REDIS_NEWS_SERVER];
  const bool opened = redis_endpoint_dial(lane, &dial, &stream, &clock);
  accel_redis_address_release(address, 0);
  if (accel_load_acquire(&endpoint->is_replaced)) { /* the server was replaced meanwhile */
    if (opened) accel_redis_stream_close(&stream);
    return;
  }
  if (!opened) redis_endpoint_suspect(endpoint);
  accel_redis_backoff_failed(&lane->backoff, accel_clock_monotonic_ms());
  accel_redis_endpoint_name(endpoint, lane, name);
  accel_redis_endpoint_news_tried(&lane->news, name, opened, dial.error);
  if (opened) {
    stream.is_slow = stream.tls == NULL && accel_redis_socket_allow_slowly(stream.fd);
    redis_endpoint_set_clock(endpoint, &clock);
    accel_redis_backoff_reset(&lane->backoff);
    accel_redis_breaker_pinged(&lane->breaker, true, accel_clock_monotonic_ms());
  }
  accel_redis_connection_adopt(&lane->connection, opened ? &stream : NULL, dial.error);
}

/* Returns when it has to be called again. */
static uint64_t redis_endpoint_keep(redis_lane *lane)
{
  redis_connection *connection = &lane->connection;
  const bool is_retired = accel_load_acquire(&lane->endpoint->is_retired);
  if (is_retired) accel_redis_connection_break(connection, REDIS_ENDPOINT_RETIRED);
  if (accel_redis_connection_is_up(connection)) return ACCEL_NO_DEADLINE;
  accel_redis_endpoint_news_lost(&lane->news, connection, !is_retired);
  if (!accel_redis_connection_repair(connection)) return ACCEL_NO_DEADLINE; /* it is woken then */
  if (is_retired) return ACCEL_NO_DEADLINE;
  if (accel_clock_monotonic_ms() >= lane->backoff.next_ms) redis_endpoint_connect(lane);
  return accel_redis_connection_is_up(connection) ? ACCEL_NO_DEADLINE : lane->backoff.next_ms;
}

/* ---- what is asked in the background ---- */

static void redis_endpoint_ask_clock(redis_endpoint *endpoint)
{
  const redis_request request = {.words = REDIS_WORDS("TIME")};
  redis_replies replies;
  redis_stream_clock clock = {0};
  char error[REDIS_SOCKET_TEXT];
  const uint64_t asked_ms = accel_clock_monotonic_ms();
  endpoint->next_clock_ms = asked_ms + REDIS_ENDPOINT_CLOCK_MS;
  if (accel_redis_connection_call(redis_endpoint_data(endpoint), &request,
                                  asked_ms + endpoint->context->settings->command_timeout_ms,
                                  &replies, error) != ACCEL_OK)
    return;
  accel_redis_stream_read_clock(&replies, 0, asked_ms, accel_clock_monotonic_ms(), &clock);
  redis_endpoint_set_clock(endpoint, &clock);
  accel_redis_replies_release(&replies);
}

/* While the breaker is open and the connection is up. Without a connection, connecting is the
 * probe. */
static void redis_endpoint_ping(redis_lane *lane)
{
  const redis_settings *settings = lane->endpoint->context->settings;
  const redis_request request = {.words = REDIS_WORDS("PING")};
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  const accel_status status = accel_redis_connection_call(
      &lane->connection, &request, accel_clock_deadline(settings->command_timeout_ms), &replies,
      error);
  const redis_reply reply = accel_redis_reply_at(&replies, 0);
  const bool is_alive = status == ACCEL_OK && accel_redis_reply_says(&replies, &reply, "PONG");
  accel_redis_breaker_pinged(&lane->breaker, is_alive, accel_clock_monotonic_ms());
  accel_redis_replies_release(&replies);
}

/* ---- the keeper ---- */

static void redis_endpoint_lower(uint64_t *until_ms, uint64_t time_ms)
{
  if (time_ms < *until_ms) *until_ms = time_ms;
}

/* Returns when it has to be called again. */
static uint64_t redis_endpoint_tend_lane(redis_lane *lane)
{
  uint64_t until_ms = redis_endpoint_keep(lane);
  if (!accel_redis_connection_is_up(&lane->connection)) return until_ms;
  if (accel_clock_monotonic_ms() >= accel_redis_breaker_ping_ms(&lane->breaker))
    redis_endpoint_ping(lane);
  redis_endpoint_lower(&until_ms, accel_redis_breaker_ping_ms(&lane->breaker));
  return until_ms;
}

/* Forgets all that was learnt about the former server. */
static void redis_endpoint_reset(redis_endpoint *endpoint)
{
  for (size_t i = 0; i < REDIS_LANES; i++) {
    redis_lane *lane = &endpoint->lanes[i];
    accel_redis_connection_break(&lane->connection, REDIS_ENDPOINT_RETIRED);
    accel_redis_breaker_forget(&lane->breaker);
    memset(&lane->backoff, 0, sizeof lane->backoff);
  }
  accel_store_relaxed(&endpoint->ahead_ms, UINT64_C(0));
  accel_store_relaxed(&endpoint->writes_paused_ms, UINT64_C(0));
  accel_redis_commands_forget(&endpoint->commands);
  accel_redis_value_sizes_forget(&endpoint->sizes);
  endpoint->next_clock_ms = 0;
}

/* Returns when it has to be called again. */
static uint64_t redis_endpoint_tend(redis_endpoint *endpoint)
{
  redis_lane *data = &endpoint->lanes[REDIS_LANE_DATA];
  uint64_t until_ms = ACCEL_NO_DEADLINE;
  if (accel_exchange_acquire(&endpoint->must_reconnect, false))
    for (size_t i = 0; i < REDIS_LANES; i++) endpoint->lanes[i].backoff.next_ms = 0;
  if (accel_exchange_acquire(&endpoint->is_replaced, false)) redis_endpoint_reset(endpoint);
  for (size_t i = 0; i < REDIS_LANES; i++)
    redis_endpoint_lower(&until_ms, redis_endpoint_tend_lane(&endpoint->lanes[i]));
  if (!accel_redis_connection_is_up(&data->connection)) return until_ms;
  const bool is_open = accel_redis_breaker_ping_ms(&data->breaker) != ACCEL_NO_DEADLINE;
  if (!is_open && accel_clock_monotonic_ms() >= endpoint->next_clock_ms)
    redis_endpoint_ask_clock(endpoint);
  redis_endpoint_lower(&until_ms, is_open ? until_ms : endpoint->next_clock_ms);
  return until_ms;
}

static void redis_endpoint_run(void *endpoint_pointer)
{
  redis_endpoint *endpoint = (redis_endpoint *)endpoint_pointer;
  redis_lane *const lanes = endpoint->lanes;
  for (;;) {
    uint64_t until_ms = redis_endpoint_tend(endpoint);
    struct pollfd polled[REDIS_SIGNALS + REDIS_LANES];
    struct pollfd *const sockets = polled + REDIS_SIGNALS;
    for (size_t i = 0; i < REDIS_LANES; i++)
      sockets[i].events =
          (short)accel_redis_connection_tend(&lanes[i].connection, &sockets[i].fd, &until_ms);
    if (!accel_redis_signals_poll(&endpoint->signals, polled, REDIS_SIGNALS + REDIS_LANES,
                                  until_ms))
      return;
    for (size_t i = 0; i < REDIS_LANES; i++)
      if ((sockets[i].revents & ~(POLLIN | POLLOUT)) != 0)
        accel_redis_connection_hang_up(&lanes[i].connection);
  }
}

/* ---- which lane ---- */

redis_lane *accel_redis_endpoint_to_read(redis_endpoint *endpoint, const char *key, size_t key_size)
{
  const bool is_large =
      accel_redis_value_sizes_find(&endpoint->sizes, key, key_size) == REDIS_VALUE_LARGE;
  return &endpoint->lanes[is_large ? REDIS_LANE_LARGE : REDIS_LANE_DATA];
}

redis_lane *accel_redis_endpoint_to_store(redis_endpoint *endpoint, const char *key,
                                          size_t key_size, size_t size)
{
  accel_redis_value_sizes_note(&endpoint->sizes, key, key_size, size,
                               endpoint->context->settings->max_value_bytes);
  return &endpoint->lanes[size > REDIS_VALUE_LARGE_BYTES ? REDIS_LANE_LARGE : REDIS_LANE_DATA];
}

redis_lane *accel_redis_endpoint_to_remove(redis_endpoint *endpoint)
{
  redis_lane *data = &endpoint->lanes[REDIS_LANE_DATA], *large = &endpoint->lanes[REDIS_LANE_LARGE];
  if (!accel_redis_connection_has_late_writes(&large->connection)) return data;
  return accel_redis_connection_has_late_writes(&data->connection) ? NULL : large;
}

uint32_t accel_redis_lane_number(const redis_lane *lane)
{
  ACCEL_STATIC_ASSERT(REDIS_LANES * REDIS_ENDPOINT_LANES == ACCEL_REMOTE_LANES,
                      "two lanes per endpoint");
  const size_t kind = (size_t)(lane - lane->endpoint->lanes);
  return lane->endpoint->number + (uint32_t)kind * REDIS_ENDPOINT_LANES;
}

/* ---- from outside ---- */

static bool redis_endpoint_open_lane(redis_endpoint *endpoint, redis_lane_kind kind)
{
  redis_lane *lane = &endpoint->lanes[kind];
  const redis_context *context = endpoint->context;
  lane->endpoint = endpoint;
  lane->news.news = context->news;
  if (!accel_redis_breaker_open(&lane->breaker)) return false;
  lane->breaker.changed = redis_endpoint_tell_breaker;
  lane->breaker.ctx = lane;
  if (accel_redis_connection_open(&lane->connection, endpoint->signals.wake_fd,
                                  context->settings->spin_us, kind == REDIS_LANE_DATA))
    return true;
  accel_redis_breaker_close(&lane->breaker);
  return false;
}

static void redis_endpoint_close_lane(redis_lane *lane)
{
  accel_redis_connection_close(&lane->connection);
  accel_redis_breaker_close(&lane->breaker);
}

bool accel_redis_endpoint_open(redis_endpoint *endpoint, const redis_context *context,
                               const char *host, const char *port)
{
  memset(endpoint, 0, sizeof *endpoint);
  endpoint->context = context;
  endpoint->address = accel_redis_address_make(host, port);
  if (endpoint->address == NULL) return false;
  if (!accel_mutex_open(&endpoint->mutex)) goto fail_mutex;
  if (!accel_redis_signals_open(&endpoint->signals)) goto fail_signals;
  if (!redis_endpoint_open_lane(endpoint, REDIS_LANE_DATA)) goto fail_data;
  if (!redis_endpoint_open_lane(endpoint, REDIS_LANE_LARGE)) goto fail_large;
  return true;
fail_large:
  redis_endpoint_close_lane(&endpoint->lanes[REDIS_LANE_DATA]);
fail_data:
  accel_redis_signals_close(&endpoint->signals);
fail_signals:
  accel_mutex_close(&endpoint->mutex);
fail_mutex:
  accel_redis_address_release(endpoint->address, 0);
  return false;
}

void accel_redis_endpoint_retire(redis_endpoint *endpoint, bool is_retired)
{
  if (accel_exchange_acquire(&endpoint->is_retired, is_retired) == is_retired) return;
  if (is_retired) {
    accel_store_relaxed(&endpoint->retired_ms, accel_clock_monotonic_ms());
    for (size_t i = 0; i < REDIS_LANES; i++)
      accel_redis_connection_break(&endpoint->lanes[i].connection, REDIS_ENDPOINT_RETIRED);
  }
  accel_redis_signal_raise(endpoint->signals.wake_fd);
}

void accel_redis_endpoint_reconnect_now(redis_endpoint *endpoint)
{
  accel_store_release(&endpoint->must_reconnect, true);
  accel_redis_signal_raise(endpoint->signals.wake_fd);
}

bool accel_redis_endpoint_replace(redis_endpoint *endpoint, const char *host, const char *port)
{
  ACCEL_ASSERT(accel_load_acquire(&endpoint->is_retired));
  redis_address *address = accel_redis_address_make(host, port);
  if (address == NULL) return false;
  accel_mutex_lock(&endpoint->mutex);
  redis_address *former = endpoint->address;
  endpoint->address = address;
  accel_mutex_unlock(&endpoint->mutex);
  accel_redis_address_release(former, 0);
  accel_store_release(&endpoint->is_replaced, true);
  accel_redis_connection_expect(redis_endpoint_data(endpoint));
  return true;
}

bool accel_redis_endpoint_start(redis_endpoint *endpoint)
{
  return accel_thread_start(&endpoint->keeper, redis_endpoint_run, endpoint);
}

void accel_redis_endpoint_stop(redis_endpoint *endpoint)
{
  accel_redis_signal_raise(endpoint->signals.stop_fd);
  accel_thread_join(endpoint->keeper);
}

void accel_redis_endpoint_close(redis_endpoint *endpoint)
{
  for (size_t i = 0; i < REDIS_LANES; i++) redis_endpoint_close_lane(&endpoint->lanes[i]);
  accel_redis_signals_close(&endpoint->signals);
  accel_redis_address_release(
      endpoint->address, accel_clock_deadline(endpoint->context->settings->connect_timeout_ms));
  accel_mutex_close(&endpoint->mutex);
}

void accel_redis_endpoint_abandon(redis_endpoint *endpoint)
{
  for (size_t i = 0; i < REDIS_LANES; i++)
    accel_redis_connection_abandon(&endpoint->lanes[i].connection);
  accel_redis_signals_close(&endpoint->signals);
  accel_redis_address_abandon(endpoint->address);
  ACCEL_FREE(endpoint->address);
}

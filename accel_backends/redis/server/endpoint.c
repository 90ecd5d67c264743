#include "endpoint.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_ENDPOINT_OVERSIZED 1u /* of a note about a key */
#define REDIS_ENDPOINT_RETIRED "the server is not in use any more"

redis_breaker *accel_redis_endpoint_breaker(redis_endpoint *endpoint,
                                            const redis_connection *connection)
{
  return connection == &endpoint->large ? &endpoint->large_breaker : &endpoint->breaker;
}

/* ---- what is told of it ---- */

redis_address *accel_redis_endpoint_hold_address(redis_endpoint *endpoint)
{
  accel_mutex_lock(&endpoint->mutex);
  redis_address *address = endpoint->address;
  accel_redis_address_hold(address);
  accel_mutex_unlock(&endpoint->mutex);
  return address;
}

static redis_endpoint_news *redis_endpoint_news_of(redis_endpoint *endpoint,
                                                   const redis_connection *connection)
{
  return connection == &endpoint->large ? &endpoint->large_news : &endpoint->data_news;
}

static void redis_endpoint_name(redis_endpoint *endpoint, const redis_connection *connection,
                                char *name)
{
  char address[REDIS_ADDRESS_TEXT];
  const bool is_large_lane = connection == &endpoint->large;
  redis_address *held = accel_redis_endpoint_hold_address(endpoint);
  accel_redis_socket_name(held, address, sizeof address);
  accel_redis_address_release(held, 0);
  snprintf(name, REDIS_NEWS_SERVER, "%s%s", address, is_large_lane ? " (for large values)" : "");
}

static void redis_endpoint_tell_breaker(void *endpoint_pointer, redis_breaker_state state)
{
  redis_endpoint *endpoint = (redis_endpoint *)endpoint_pointer;
  char name[REDIS_NEWS_SERVER];
  redis_endpoint_name(endpoint, &endpoint->data, name);
  accel_redis_endpoint_news_breaker(&endpoint->data_news, name, state);
}

static void redis_endpoint_tell_large_breaker(void *endpoint_pointer, redis_breaker_state state)
{
  redis_endpoint *endpoint = (redis_endpoint *)endpoint_pointer;
  char name[REDIS_NEWS_SERVER];
  redis_endpoint_name(endpoint, &endpoint->large, name);
  accel_redis_endpoint_news_breaker(&endpoint->large_news, name, state);
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

/* Dials the connection's server. */
static bool redis_endpoint_dial(redis_endpoint *endpoint, const redis_connection *connection,
                                redis_dial *dial, redis_stream *stream, redis_stream_clock *clock)
{
  const redis_settings *settings = endpoint->context->settings;
  const char *name = connection == &endpoint->data ? "accel" : "accel-large";
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

static ACCEL_COLD void redis_endpoint_connect(redis_endpoint *endpoint,
                                              redis_connection *connection, redis_backoff *backoff)
{
  redis_address *address = accel_redis_endpoint_hold_address(endpoint);
  redis_dial dial =
      accel_redis_settings_dial(endpoint->context->settings, address, endpoint->signals.stop_fd);
  redis_stream stream;
  redis_stream_clock clock = {0};
  char name[REDIS_NEWS_SERVER];
  const bool opened = redis_endpoint_dial(endpoint, connection, &dial, &stream, &clock);
  accel_redis_address_release(address, 0);
  if (accel_load_acquire(&endpoint->is_replaced)) { /* the server was replaced meanwhile */
    if (opened) accel_redis_stream_close(&stream);
    return;
  }
  if (!opened) redis_endpoint_suspect(endpoint);
  accel_redis_backoff_failed(backoff, accel_clock_monotonic_ms());
  redis_endpoint_name(endpoint, connection, name);
  accel_redis_endpoint_news_tried(redis_endpoint_news_of(endpoint, connection), name, opened,
                                  dial.error);
  if (opened) {
    stream.is_slow = stream.tls == NULL && accel_redis_socket_allow_slowly(stream.fd);
    redis_endpoint_set_clock(endpoint, &clock);
    accel_redis_backoff_reset(backoff);
    accel_redis_breaker_pinged(accel_redis_endpoint_breaker(endpoint, connection), true,
                               accel_clock_monotonic_ms());
  }
  accel_redis_connection_adopt(connection, opened ? &stream : NULL, dial.error);
}

/* Returns when it has to be called again. */
static uint64_t redis_endpoint_keep(redis_endpoint *endpoint, redis_connection *connection,
                                    redis_backoff *backoff)
{
  const bool is_retired = accel_load_acquire(&endpoint->is_retired);
  if (is_retired) accel_redis_connection_break(connection, REDIS_ENDPOINT_RETIRED);
  if (accel_redis_connection_is_up(connection)) return ACCEL_NO_DEADLINE;
  accel_redis_endpoint_news_lost(redis_endpoint_news_of(endpoint, connection), connection,
                                 !is_retired);
  if (!accel_redis_connection_repair(connection)) return ACCEL_NO_DEADLINE; /* it is woken then */
  if (is_retired) return ACCEL_NO_DEADLINE;
  if (accel_clock_monotonic_ms() >= backoff->next_ms)
    redis_endpoint_connect(endpoint, connection, backoff);
  return accel_redis_connection_is_up(connection) ? ACCEL_NO_DEADLINE : backoff->next_ms;
}

/* ---- what is asked in the background ---- */

static void redis_endpoint_ask_clock(redis_endpoint *endpoint)
{
  const redis_block block = {.words = REDIS_WORDS("TIME")};
  redis_replies replies;
  redis_stream_clock clock = {0};
  char error[REDIS_SOCKET_TEXT];
  const uint64_t asked_ms = accel_clock_monotonic_ms();
  endpoint->next_clock_ms = asked_ms + REDIS_ENDPOINT_CLOCK_MS;
  if (accel_redis_connection_call(&endpoint->data, &block,
                                  asked_ms + endpoint->context->settings->command_timeout_ms,
                                  &replies, error) != ACCEL_OK)
    return;
  accel_redis_stream_read_clock(&replies, 0, asked_ms, accel_clock_monotonic_ms(), &clock);
  redis_endpoint_set_clock(endpoint, &clock);
  accel_redis_replies_release(&replies);
}

/* While the breaker is open and the connection is up. Without a connection, connecting is the
 * probe. */
static void redis_endpoint_ping(const redis_endpoint *endpoint, redis_connection *connection,
                                redis_breaker *breaker)
{
  const redis_block block = {.words = REDIS_WORDS("PING")};
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  const accel_status status = accel_redis_connection_call(
      connection, &block, accel_clock_deadline(endpoint->context->settings->command_timeout_ms),
      &replies, error);
  const redis_reply reply = accel_redis_reply_at(&replies, 0);
  const bool is_alive = status == ACCEL_OK && accel_redis_reply_says(&replies, &reply, "PONG");
  accel_redis_breaker_pinged(breaker, is_alive, accel_clock_monotonic_ms());
  accel_redis_replies_release(&replies);
}

/* ---- the keeper ---- */

static void redis_endpoint_lower(uint64_t *until_ms, uint64_t time_ms)
{
  if (time_ms < *until_ms) *until_ms = time_ms;
}

/* Tends one connection with its breaker. Returns when it has to be called again. */
static uint64_t redis_endpoint_tend_lane(redis_endpoint *endpoint, redis_connection *connection,
                                         redis_backoff *backoff)
{
  redis_breaker *breaker = accel_redis_endpoint_breaker(endpoint, connection);
  uint64_t until_ms = redis_endpoint_keep(endpoint, connection, backoff);
  if (!accel_redis_connection_is_up(connection)) return until_ms;
  if (accel_clock_monotonic_ms() >= accel_redis_breaker_ping_ms(breaker))
    redis_endpoint_ping(endpoint, connection, breaker);
  redis_endpoint_lower(&until_ms, accel_redis_breaker_ping_ms(breaker));
  return until_ms;
}

/* Forgets all that was learnt about the former server. */
static void redis_endpoint_reset(redis_endpoint *endpoint)
{
  accel_redis_connection_break(&endpoint->data, REDIS_ENDPOINT_RETIRED);
  accel_redis_connection_break(&endpoint->large, REDIS_ENDPOINT_RETIRED);
  accel_redis_breaker_forget(&endpoint->breaker);
  accel_redis_breaker_forget(&endpoint->large_breaker);
  memset(&endpoint->data_backoff, 0, sizeof endpoint->data_backoff);
  memset(&endpoint->large_backoff, 0, sizeof endpoint->large_backoff);
  accel_store_relaxed(&endpoint->ahead_ms, UINT64_C(0));
  accel_store_relaxed(&endpoint->writes_paused_ms, UINT64_C(0));
  accel_store_relaxed(&endpoint->too_large_until_ms, UINT64_C(0));
  accel_redis_commands_forget(&endpoint->commands);
  accel_store_relaxed(&endpoint->has_large, false);
  for (size_t i = 0; i < REDIS_ENDPOINT_LARGE_KEYS; i++)
    accel_store_relaxed(&endpoint->large_keys[i], 0u);
  endpoint->next_clock_ms = 0;
}

/* Returns when it has to be called again. */
static uint64_t redis_endpoint_tend(redis_endpoint *endpoint)
{
  if (accel_exchange_acquire(&endpoint->must_reconnect, false))
    endpoint->data_backoff.next_ms = endpoint->large_backoff.next_ms = 0;
  if (accel_exchange_acquire(&endpoint->is_replaced, false)) redis_endpoint_reset(endpoint);
  uint64_t until_ms = redis_endpoint_tend_lane(endpoint, &endpoint->data, &endpoint->data_backoff);
  redis_endpoint_lower(
      &until_ms, redis_endpoint_tend_lane(endpoint, &endpoint->large, &endpoint->large_backoff));
  if (!accel_redis_connection_is_up(&endpoint->data)) return until_ms;
  const bool is_open = accel_redis_breaker_ping_ms(&endpoint->breaker) != ACCEL_NO_DEADLINE;
  if (!is_open && accel_clock_monotonic_ms() >= endpoint->next_clock_ms)
    redis_endpoint_ask_clock(endpoint);
  redis_endpoint_lower(&until_ms, is_open ? until_ms : endpoint->next_clock_ms);
  return until_ms;
}

static void redis_endpoint_run(void *endpoint_pointer)
{
  redis_endpoint *endpoint = (redis_endpoint *)endpoint_pointer;
  redis_connection *connections[2] = {&endpoint->data, &endpoint->large};
  for (;;) {
    uint64_t until_ms = redis_endpoint_tend(endpoint);
    struct pollfd polled[REDIS_SIGNALS + 2];
    struct pollfd *const sockets = polled + REDIS_SIGNALS;
    for (size_t i = 0; i < 2; i++)
      sockets[i].events =
          (short)accel_redis_connection_tend(connections[i], &sockets[i].fd, &until_ms);
    if (!accel_redis_signals_poll(&endpoint->signals, polled, REDIS_SIGNALS + 2, until_ms)) return;
    for (size_t i = 0; i < 2; i++)
      if ((sockets[i].revents & ~(POLLIN | POLLOUT)) != 0)
        accel_redis_connection_hang_up(connections[i]);
  }
}

/* ---- large values ---- */

uint64_t accel_redis_endpoint_too_large_bytes(const redis_endpoint *endpoint, uint64_t size)
{
  const uint64_t refused = accel_load_relaxed(&endpoint->too_large_bytes);
  const uint64_t until_ms = accel_load_relaxed(&endpoint->too_large_until_ms);
  if (until_ms == 0 || size < refused || accel_clock_monotonic_ms() >= until_ms) return 0;
  return refused;
}

void accel_redis_endpoint_note_too_large(redis_endpoint *endpoint, uint64_t size)
{
  accel_store_relaxed(&endpoint->too_large_bytes, size);
  accel_store_relaxed(&endpoint->too_large_until_ms,
                      accel_clock_deadline(REDIS_ENDPOINT_TOO_LARGE_MS));
}

/* FNV-1a, without the last bit; never 0. A collision only sends a small value on the other
 * connection. */
static uint32_t redis_endpoint_hash(const char *key, size_t size)
{
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)key[i]) * 16777619u;
  hash &= ~REDIS_ENDPOINT_OVERSIZED;
  return hash == 0 ? REDIS_ENDPOINT_OVERSIZED << 1 : hash;
}

/* What is noted about the key: its hash, perhaps with OVERSIZED; else 0. */
static uint32_t redis_endpoint_noted(const redis_endpoint *endpoint, uint32_t hash)
{
  const uint32_t noted =
      accel_load_relaxed(&endpoint->large_keys[(hash >> 1) % REDIS_ENDPOINT_LARGE_KEYS]);
  return (noted & ~REDIS_ENDPOINT_OVERSIZED) == hash ? noted : 0;
}

void accel_redis_endpoint_note_size(redis_endpoint *endpoint, const char *key, size_t key_size,
                                    size_t size)
{
  const bool is_oversized = size > endpoint->context->settings->max_value_bytes;
  const bool is_noted = size > REDIS_ENDPOINT_LARGE_BYTES || is_oversized;
  if (!is_noted && !accel_load_relaxed(&endpoint->has_large)) return;
  const uint32_t hash = redis_endpoint_hash(key, key_size);
  uint32_t *slot = &endpoint->large_keys[(hash >> 1) % REDIS_ENDPOINT_LARGE_KEYS];
  if (is_noted) {
    accel_store_relaxed(slot, hash | (is_oversized ? REDIS_ENDPOINT_OVERSIZED : 0));
    accel_store_relaxed(&endpoint->has_large, true);
  } else if (redis_endpoint_noted(endpoint, hash) != 0) {
    accel_store_relaxed(slot, 0);
  }
}

bool accel_redis_endpoint_is_oversized(const redis_endpoint *endpoint, const char *key,
                                       size_t key_size)
{
  if (!accel_load_relaxed(&endpoint->has_large)) return false;
  const uint32_t noted = redis_endpoint_noted(endpoint, redis_endpoint_hash(key, key_size));
  return (noted & REDIS_ENDPOINT_OVERSIZED) != 0;
}

redis_connection *accel_redis_endpoint_to_store(redis_endpoint *endpoint, const char *key,
                                                size_t key_size, size_t size)
{
  accel_redis_endpoint_note_size(endpoint, key, key_size, size);
  return size > REDIS_ENDPOINT_LARGE_BYTES ? &endpoint->large : &endpoint->data;
}

redis_connection *accel_redis_endpoint_to_remove(redis_endpoint *endpoint)
{
  if (!accel_redis_connection_has_late_writes(&endpoint->large)) return &endpoint->data;
  return accel_redis_connection_has_late_writes(&endpoint->data) ? NULL : &endpoint->large;
}

uint32_t accel_redis_endpoint_lane(const redis_endpoint *endpoint,
                                   const redis_connection *connection)
{
  ACCEL_STATIC_ASSERT(2 * REDIS_ENDPOINT_LANES == ACCEL_REMOTE_LANES, "two lanes per endpoint");
  return endpoint->number + (connection == &endpoint->large ? REDIS_ENDPOINT_LANES : 0);
}

redis_connection *accel_redis_endpoint_to_read(redis_endpoint *endpoint, const char *key,
                                               size_t key_size)
{
  if (!accel_load_relaxed(&endpoint->has_large)) return &endpoint->data;
  const uint32_t noted = redis_endpoint_noted(endpoint, redis_endpoint_hash(key, key_size));
  const bool is_large = noted != 0 && (noted & REDIS_ENDPOINT_OVERSIZED) == 0;
  return is_large ? &endpoint->large : &endpoint->data;
}

/* ---- from outside ---- */

bool accel_redis_endpoint_open(redis_endpoint *endpoint, const redis_context *context,
                               const char *host, const char *port)
{
  memset(endpoint, 0, sizeof *endpoint);
  endpoint->context = context;
  endpoint->data_news.news = endpoint->large_news.news = context->news;
  const uint32_t spin_us = context->settings->spin_us;
  endpoint->address = accel_redis_address_make(host, port);
  if (endpoint->address == NULL) return false;
  if (!accel_mutex_open(&endpoint->mutex)) goto fail_mutex;
  if (!accel_redis_signals_open(&endpoint->signals)) goto fail_signals;
  if (!accel_redis_breaker_open(&endpoint->breaker)) goto fail_breaker;
  if (!accel_redis_breaker_open(&endpoint->large_breaker)) goto fail_large_breaker;
  endpoint->breaker.changed = redis_endpoint_tell_breaker;
  endpoint->large_breaker.changed = redis_endpoint_tell_large_breaker;
  endpoint->breaker.ctx = endpoint->large_breaker.ctx = endpoint;
  if (!accel_redis_connection_open(&endpoint->data, endpoint->signals.wake_fd, spin_us, true))
    goto fail_data;
  if (!accel_redis_connection_open(&endpoint->large, endpoint->signals.wake_fd, spin_us, false))
    goto fail_large;
  return true;
fail_large:
  accel_redis_connection_close(&endpoint->data);
fail_data:
  accel_redis_breaker_close(&endpoint->large_breaker);
fail_large_breaker:
  accel_redis_breaker_close(&endpoint->breaker);
fail_breaker:
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
    accel_redis_connection_break(&endpoint->data, REDIS_ENDPOINT_RETIRED);
    accel_redis_connection_break(&endpoint->large, REDIS_ENDPOINT_RETIRED);
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
  accel_redis_connection_expect(&endpoint->data);
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
  accel_redis_connection_close(&endpoint->large);
  accel_redis_connection_close(&endpoint->data);
  accel_redis_breaker_close(&endpoint->large_breaker);
  accel_redis_breaker_close(&endpoint->breaker);
  accel_redis_signals_close(&endpoint->signals);
  accel_redis_address_release(
      endpoint->address, accel_clock_deadline(endpoint->context->settings->connect_timeout_ms));
  accel_mutex_close(&endpoint->mutex);
}

void accel_redis_endpoint_abandon(redis_endpoint *endpoint)
{
  accel_redis_connection_abandon(&endpoint->large);
  accel_redis_connection_abandon(&endpoint->data);
  accel_redis_signals_close(&endpoint->signals);
  accel_redis_address_abandon(endpoint->address);
  ACCEL_FREE(endpoint->address);
}

/* open.c: accel_redis_open and close: checks the configuration, opens the parts in their order. */
#include "../../accel/config.h"
#include "../../accel/error.h"
#include "../../accel/platform/atomic.h"
#include "../../accel/platform/fork.h"
#include "observe.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_OPEN_CONNECT_TIMEOUT_MS 1000u
#define REDIS_OPEN_COMMAND_TIMEOUT_MS 50u
#define REDIS_OPEN_SPIN_US 100u
#define REDIS_OPEN_SPIN_US_MAX 1000000u
#define REDIS_OPEN_VALUE_BYTES (8u << 20)
#define REDIS_OPEN_VALUE_BYTES_MAX ((512u << 20) - 64) /* the server's limit, less an envelope */

static accel_status redis_open_check(const accel_redis *redis, const accel_redis_config *config)
{
  const char *prefix = config->key_prefix;
  if (prefix != NULL && *prefix != '\0' && !accel_config_is_name(prefix))
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "key_prefix is \"%.80s\"; it has 1 to 64 of [A-Za-z0-9_.-]", prefix);
  if (config->connect_timeout_ms == ACCEL_FOREVER)
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "connect_timeout_ms is ACCEL_FOREVER; set a limit");
  if (config->command_timeout_ms == ACCEL_FOREVER)
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "command_timeout_ms is ACCEL_FOREVER; set a limit");
  if (config->spin_us > REDIS_OPEN_SPIN_US_MAX && config->spin_us != ACCEL_NO_SPIN)
    return accel_error_set(redis, ACCEL_ERR_CONFIG, "spin_us is %u; at most %u, or ACCEL_NO_SPIN",
                           config->spin_us, REDIS_OPEN_SPIN_US_MAX);
  if (config->max_value_bytes > REDIS_OPEN_VALUE_BYTES_MAX)
    return accel_error_set(redis, ACCEL_ERR_CONFIG, "max_value_bytes is %zu; at most %u",
                           config->max_value_bytes, REDIS_OPEN_VALUE_BYTES_MAX);
  if (config->coherence != ACCEL_PUBSUB && config->coherence != ACCEL_TRACKING)
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "coherence is %d; use ACCEL_PUBSUB or ACCEL_TRACKING",
                           (int)config->coherence);
  return ACCEL_OK;
}

static uint32_t redis_open_default(uint32_t value, uint32_t when_zero)
{
  return value == 0 ? when_zero : value;
}

static void redis_open_apply_defaults(accel_redis_state *state, const accel_redis_config *config)
{
  redis_settings *settings = &state->settings;
  const char *prefix = config->key_prefix;
  if (prefix != NULL && *prefix != '\0')
    snprintf(settings->prefix, sizeof settings->prefix, "%s:", prefix);
  settings->fork_generation = accel_fork_generation();
  settings->credentials = &state->credentials;
  settings->sentinel_credentials = &state->sentinel_credentials;
  settings->is_tracking = config->coherence == ACCEL_TRACKING;
  settings->connect_timeout_ms =
      redis_open_default(config->connect_timeout_ms, REDIS_OPEN_CONNECT_TIMEOUT_MS);
  settings->command_timeout_ms =
      redis_open_default(config->command_timeout_ms, REDIS_OPEN_COMMAND_TIMEOUT_MS);
  settings->spin_us = config->spin_us == ACCEL_NO_SPIN
                          ? 0
                          : redis_open_default(config->spin_us, REDIS_OPEN_SPIN_US);
  settings->max_value_bytes =
      config->max_value_bytes == 0 ? REDIS_OPEN_VALUE_BYTES : config->max_value_bytes;
}

static accel_status redis_open_tls(const accel_redis *redis, const accel_redis_config *config,
                                   redis_settings *settings)
{
  const redis_tls_files files = {
      .ca_file = config->tls_ca_file,
      .certificate_file = config->tls_certificate_file,
      .key_file = config->tls_key_file,
      .server_name = config->tls_server_name,
  };
  if (settings->url.is_tls) return accel_redis_tls_open(redis, &files, &settings->tls);
  if (files.ca_file == NULL && files.certificate_file == NULL && files.key_file == NULL &&
      files.server_name == NULL)
    return ACCEL_OK;
  return accel_error_set(
      redis, ACCEL_ERR_CONFIG,
      "tls_ fields need a url of rediss://, rediss+sentinel:// or rediss+cluster://");
}

/* Each server of a cluster would need tracking and a listener of its own. */
static accel_status redis_open_check_kind(const accel_redis *redis, const redis_settings *settings)
{
  if (settings->url.kind != REDIS_URL_CLUSTER || !settings->is_tracking) return ACCEL_OK;
  return accel_error_set(redis, ACCEL_ERR_CONFIG,
                         "coherence is ACCEL_TRACKING; redis+cluster:// needs ACCEL_PUBSUB");
}

/* Takes the password out of the url, which keeps no copy; those of the Sentinels are in the
 * configuration. */
static accel_status redis_open_credentials(const accel_redis *redis,
                                           const accel_redis_config *config,
                                           accel_redis_state *state)
{
  const redis_url *url = &state->settings.url;
  const bool has_own = config->sentinel_user != NULL || config->sentinel_password != NULL;
  accel_status status = ACCEL_OK;
  if (has_own && url->kind != REDIS_URL_SENTINEL)
    status = accel_error_set(redis, ACCEL_ERR_CONFIG,
                             "sentinel_user and sentinel_password need a url of redis+sentinel://");
  else if (has_own)
    status = accel_redis_credentials_set(&state->sentinel_credentials, redis, "sentinel_password",
                                         config->sentinel_user, config->sentinel_password);
  if (status == ACCEL_OK && url->password != NULL)
    status =
        accel_redis_credentials_set(&state->credentials, redis, "url", url->user, url->password);
  accel_redis_url_forget_password(&state->settings.url);
  return status;
}

/* What release closes. False: no memory. */
static bool redis_open_parts(accel_redis_state *state)
{
  if (!accel_redis_credentials_open(&state->credentials)) return false;
  if (!accel_redis_credentials_open(&state->sentinel_credentials)) goto fail_sentinel;
  if (accel_redis_news_open(&state->news)) return true;
  accel_redis_credentials_close(&state->sentinel_credentials);
fail_sentinel:
  accel_redis_credentials_close(&state->credentials);
  return false;
}

static void redis_open_release(accel_redis_state *state)
{
  accel_redis_news_close(&state->news);
  accel_redis_tls_close(state->settings.tls);
  accel_redis_credentials_close(&state->sentinel_credentials);
  accel_redis_credentials_close(&state->credentials);
  accel_redis_url_release(&state->settings.url);
}

static accel_status redis_open_no_memory(const accel_redis *redis)
{
  return accel_error_set(redis, ACCEL_ERR_NOMEM, "no memory, descriptor or thread for Redis");
}

/* Tells discovery and the listener what a server showed. */
static void redis_open_notify(void *state_pointer, redis_notice notice)
{
  accel_redis_state *state = (accel_redis_state *)state_pointer;
  switch (notice) {
    case REDIS_NOTICE_SUSPECT: accel_redis_discovery_wake(&state->discovery); break;
    case REDIS_NOTICE_MAIN: accel_redis_listener_move(&state->listener); break;
  }
}

/* False: no memory, descriptor or thread, and nothing is held. */
static bool redis_open_threads(accel_redis_state *state)
{
  const bool has_discovery = state->settings.url.kind != REDIS_URL_SERVER;
  state->context = (redis_context){&state->settings, &state->news, redis_open_notify, state};
  if (!accel_redis_listener_open(&state->listener, &state->settings, &state->route)) return false;
  if (!accel_redis_route_open(&state->route, &state->context)) goto fail_route;
  if (has_discovery && !accel_redis_discovery_open(&state->discovery, &state->route))
    goto fail_discovery;
  if (!accel_redis_route_start(&state->route)) goto fail_route_start;
  if (has_discovery && !accel_redis_discovery_start(&state->discovery)) goto fail_discovery_start;
  if (accel_redis_listener_start(&state->listener)) return true;
  accel_redis_discovery_stop(&state->discovery);
fail_discovery_start:
  accel_redis_route_stop(&state->route);
fail_route_start:
  accel_redis_discovery_close(&state->discovery);
fail_discovery:
  accel_redis_route_close(&state->route);
fail_route:
  accel_redis_listener_close(&state->listener);
  return false;
}

static ACCEL_COLD accel_status redis_open_state(accel_redis *redis,
                                                const accel_redis_config *config,
                                                accel_redis_state *state)
{
  const char *url = config->url == NULL ? REDIS_URL_DEFAULT : config->url;
  const accel_status status = accel_redis_url_parse(redis, url, &state->settings.url);
  if (accel_failed(status)) return status;
  redis_open_apply_defaults(state, config);
  if (!redis_open_parts(state)) {
    accel_redis_url_release(&state->settings.url);
    return redis_open_no_memory(redis);
  }
  accel_status settled = redis_open_check_kind(redis, &state->settings);
  if (settled == ACCEL_OK) settled = redis_open_credentials(redis, config, state);
  if (settled == ACCEL_OK) settled = redis_open_tls(redis, config, &state->settings);
  if (accel_failed(settled)) {
    redis_open_release(state);
    return settled;
  }
  if (redis_open_threads(state)) return ACCEL_OK;
  redis_open_release(state);
  return redis_open_no_memory(redis);
}

accel_status accel_redis_open(accel_redis *redis, const accel_redis_config *config)
{
  if (redis == NULL) return ACCEL_ERR_CONFIG;
  if (accel_opened_find(redis, &accel_redis_ops) == ACCEL_OPENED_BY_US)
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "the accel_redis is open already, and stays open; close it first");
  redis->state = NULL;
  if (config == NULL) return accel_error_set(redis, ACCEL_ERR_CONFIG, "config is NULL");
  accel_status status = redis_open_check(redis, config);
  if (accel_failed(status)) return status;
  accel_redis_state *state = (accel_redis_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) return accel_error_set(redis, ACCEL_ERR_NOMEM, "no memory for Redis");
  memset(state, 0, sizeof *state);
  accel_cancel_hold();
  status = redis_open_state(redis, config, state);
  accel_cancel_release();
  if (accel_failed(status)) {
    ACCEL_FREE(state);
    return status;
  }
  state->users = 1;
  status = accel_redis_observe_begin(state, redis, config->observer);
  if (accel_failed(status)) {
    accel_redis_state_release(state);
    return status;
  }
  accel_opened_add(&state->opened, redis, &accel_redis_ops);
  redis->state = state;
  return ACCEL_OK;
}

void accel_redis_state_release(accel_redis_state *state)
{
  if (accel_sub_acq_rel(&state->users, 1u) != 1) return;
  accel_cancel_hold();
  if (state->settings.fork_generation == accel_fork_generation()) {
    accel_redis_listener_stop(&state->listener);
    accel_redis_discovery_stop(&state->discovery);
    accel_redis_route_stop(&state->route);
    accel_redis_route_close(&state->route);
    accel_redis_discovery_close(&state->discovery);
    accel_redis_listener_close(&state->listener);
  } else {
    accel_redis_route_abandon(&state->route);
    accel_redis_discovery_abandon(&state->discovery);
    accel_redis_listener_abandon(&state->listener);
  }
  redis_open_release(state);
  ACCEL_FREE(state);
  accel_cancel_release();
}

void accel_redis_close(accel_redis *redis)
{
  if (redis == NULL || redis->state == NULL) return;
  accel_redis_state *state = redis->state;
  redis->state = NULL;
  accel_redis_observe_end(state);
  accel_opened_remove(&state->opened);
  accel_redis_state_release(state);
}

static accel_status redis_open_check_use(const accel_redis *redis)
{
  if (redis == NULL || redis->state == NULL)
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "redis is not open; call accel_redis_open first");
  if (redis->state->settings.fork_generation != accel_fork_generation())
    return accel_error_set(redis, ACCEL_ERR_CONFIG,
                           "redis was opened before the fork; open one in the child");
  return ACCEL_OK;
}

accel_status accel_redis_set_password(accel_redis *redis, const char *user_or_null,
                                      const char *password)
{
  const accel_status usable = redis_open_check_use(redis);
  if (accel_failed(usable)) return usable;
  accel_redis_state *state = redis->state;
  const accel_status status = accel_redis_credentials_set(
      &state->credentials, redis, "accel_redis_set_password", user_or_null, password);
  if (accel_failed(status)) return status;
  accel_cancel_hold(); /* to wake a thread is to write */
  accel_redis_route_reconnect_now(&state->route);
  accel_redis_listener_reconnect_now(&state->listener);
  accel_cancel_release();
  return ACCEL_OK;
}

accel_status accel_redis_ping(accel_redis *redis)
{
  const accel_status usable = redis_open_check_use(redis);
  if (accel_failed(usable)) return usable;
  accel_redis_state *state = redis->state;
  const redis_request request = {.words = REDIS_WORDS("PING")};
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  const uint64_t deadline_ms = accel_clock_deadline(state->settings.command_timeout_ms);
  accel_cancel_enter();
  accel_redis_route_await_discovery(&state->route, deadline_ms);
  redis_endpoint *endpoint = accel_redis_route_main(&state->route);
  accel_status status = accel_redis_connection_call(redis_endpoint_data(endpoint), &request,
                                                    deadline_ms, &replies, error);
  if (status == ACCEL_OK) {
    const redis_reply reply = accel_redis_reply_at(&replies, 0);
    if (!accel_redis_reply_says(&replies, &reply, "PONG")) {
      accel_redis_stream_explain(&replies, 0, "PING", error);
      status = ACCEL_ERR_BACKEND;
    }
    accel_redis_breaker_pinged(&endpoint->lanes[REDIS_LANE_DATA].breaker, status == ACCEL_OK,
                               accel_clock_monotonic_ms());
  }
  accel_redis_replies_release(&replies);
  if (accel_failed(status)) accel_redis_endpoint_name_failure(endpoint, error);
  if (status == ACCEL_OK)
    accel_redis_commands_check(&endpoint->commands, redis_endpoint_data(endpoint), &state->settings,
                               deadline_ms);
  if (status == ACCEL_OK &&
      (accel_redis_hearing_refusal(&state->listener, error) ||
       accel_redis_commands_explain(&endpoint->commands, state->settings.is_tracking, error)))
    status = ACCEL_ERR_BACKEND;
  accel_cancel_release();
  return accel_failed(status) ? accel_error_set(redis, status, "%s", error) : ACCEL_OK;
}

const char *accel_redis_last_error(const accel_redis *redis)
{
  return accel_error_text(redis);
}

/* attach.c: attaches a cache to an opened Redis, and the table of its operations. */
#include "../../accel/config.h"
#include "../../accel/error.h"
#include "../../accel/platform/atomic.h"
#include "../../accel/platform/fork.h"
#include "operations/operations.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool redis_attach_is_forked(const redis_link *link)
{
  return link->settings->fork_generation != accel_fork_generation();
}

/* Channels are shared by all databases, keys are not. No area's name has a colon. */
static void redis_attach_name_channel(redis_link *link, const char *area)
{
  const redis_settings *settings = link->settings;
  char database[16] = "";
  if (settings->url.database != 0)
    snprintf(database, sizeof database, "%u:", settings->url.database);
  snprintf(link->channel, sizeof link->channel, "%saccel:invalidation:%s%s", settings->prefix,
           database, area);
}

static ACCEL_COLD accel_status redis_attach_open(void *remote, const accel_remote_area *area,
                                                 void **link_out, char *channel)
{
  if (accel_opened_find(remote, &accel_redis_ops) == ACCEL_OPENED_BY_NOBODY)
    return accel_error_set(area->owner, ACCEL_ERR_CONFIG,
                           "remote is not an open accel_redis; call accel_redis_open first");
  accel_redis_state *state = ((accel_redis *)remote)->state;
  const redis_settings *settings = &state->settings;
  if (settings->fork_generation != accel_fork_generation())
    return accel_error_set(area->owner, ACCEL_ERR_CONFIG,
                           "remote was opened before the fork; open an accel_redis in the child");
  if (!accel_config_is_name(area->area))
    return accel_error_set(area->owner, ACCEL_ERR_CONFIG,
                           "area is \"%.64s\"; it has 1 to 64 of [A-Za-z0-9_.-]", area->area);
  redis_subscription *subscription = (redis_subscription *)ACCEL_MALLOC(sizeof *subscription);
  if (subscription == NULL)
    return accel_error_set(area->owner, ACCEL_ERR_NOMEM, "no memory to join Redis");
  memset(subscription, 0, sizeof *subscription);
  redis_link *link = &subscription->link;
  link->owner = state;
  link->settings = settings;
  link->route = &state->route;
  link->has_listener = area->has_listener;
  link->sink = area->sink;
  link->changed = area->changed;
  link->reader = (redis_news_reader){.tell = area->tell, .ctx = area->sink.ctx};
  link->prefix_size = strlen(settings->prefix);
  link->prefix_checksum = accel_redis_slot_add(0, settings->prefix, link->prefix_size);
  snprintf(link->key_start, sizeof link->key_start, "%s%s:", settings->prefix, area->area);
  redis_attach_name_channel(link, area->area);
  memcpy(channel, link->has_listener ? link->channel : "",
         link->has_listener ? strlen(link->channel) + 1 : 1);
  accel_add_relaxed(&state->users, 1u);
  accel_redis_news_add(&state->news, &link->reader);
  if (link->has_listener) accel_redis_listener_add(&state->listener, subscription);
  *link_out = link;
  return ACCEL_OK;
}

static void redis_attach_close(void *link_pointer)
{
  redis_subscription *subscription = (redis_subscription *)link_pointer;
  redis_link *link = &subscription->link;
  accel_redis_state *state = link->owner;
  if (!redis_attach_is_forked(link)) accel_redis_news_remove(&state->news, &link->reader);
  if (!link->has_listener)
    ACCEL_FREE(subscription);
  else if (!redis_attach_is_forked(link)) /* else its close frees it */
    accel_redis_listener_remove(&state->listener, subscription);
  accel_redis_state_release(state);
}

static bool redis_attach_is_ready(void *link_pointer)
{
  const redis_link *link = (const redis_link *)link_pointer;
  if (redis_attach_is_forked(link)) return false;
  return accel_redis_connection_is_up(redis_endpoint_data(accel_redis_route_main(link->route)));
}

static void redis_attach_explain(void *link_pointer, char *text)
{
  redis_subscription *subscription = (redis_subscription *)link_pointer;
  const redis_link *link = &subscription->link;
  text[0] = '\0';
  if (!link->has_listener || redis_attach_is_forked(link)) return;
  accel_redis_hearing_explain(&link->owner->listener, subscription, text);
  if (text[0] != '\0') return;
  accel_redis_commands_explain(&accel_redis_route_main(link->route)->commands,
                               link->settings->is_tracking, text);
}

static uint64_t redis_attach_now_ms(void *link_pointer)
{
  const redis_link *link = (const redis_link *)link_pointer;
  const uint64_t ahead_ms = accel_load_relaxed(&accel_redis_route_main(link->route)->ahead_ms);
  return ahead_ms == 0 ? accel_clock_wall_ms() : accel_clock_monotonic_ms() + ahead_ms;
}

const accel_remote_ops accel_redis_ops = {
    .name = "redis",
    .attach = redis_attach_open,
    .detach = redis_attach_close,
    .is_ready = redis_attach_is_ready,
    .now_ms = redis_attach_now_ms,
    .get = accel_redis_get,
    .release = accel_redis_release,
    .lease = accel_redis_lease,
    .fill = accel_redis_fill,
    .put = accel_redis_put,
    .del = accel_redis_del,
    .clear = accel_redis_clear,
    .explain_channel = redis_attach_explain,
    .command = accel_redis_operation_command,
};

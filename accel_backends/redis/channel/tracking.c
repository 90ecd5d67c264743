#include "tracking.h"

#include "../../../accel/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void accel_redis_tracking_open(redis_tracking *tracking, redis_route *route, uint32_t timeout_ms)
{
  memset(tracking, 0, sizeof *tracking);
  tracking->route = route;
  tracking->timeout_ms = timeout_ms;
}

void accel_redis_tracking_reset(redis_tracking *tracking)
{
  tracking->client_id = 0;
  tracking->was_asked = false;
  tracking->request = 0;
  tracking->count = 0;
}

void accel_redis_tracking_close(redis_tracking *tracking)
{
  ACCEL_FREE(tracking->prefixes);
  memset(tracking, 0, sizeof *tracking);
}

bool accel_redis_tracking_append(redis_tracking *tracking, uint64_t *requests, accel_buffer *out)
{
  if (!tracking->was_asked) {
    tracking->was_asked = accel_redis_command_append_words(out, REDIS_WORDS("CLIENT", "ID"));
    return tracking->was_asked;
  }
  if (tracking->client_id == 0 || tracking->request != 0) return true;
  if (!accel_redis_command_append_words(out, REDIS_WORDS("SUBSCRIBE", REDIS_TRACKING_CHANNEL)))
    return false;
  tracking->request = ++*requests;
  return true;
}

/* ---- commands on the data connection ---- */

/* A long command_timeout_ms does not hold up the channel's own proof of life, at latest_ms. */
static bool redis_tracking_ask(const redis_tracking *tracking, const char *const *words,
                               uint64_t latest_ms, redis_replies *replies)
{
  const redis_request request = {.words = words};
  char error[REDIS_SOCKET_TEXT];
  const uint64_t limit_ms = accel_clock_deadline(tracking->timeout_ms);
  return accel_redis_connection_call(redis_endpoint_data(accel_redis_route_main(tracking->route)),
                                     &request, limit_ms < latest_ms ? limit_ms : latest_ms, replies,
                                     error) == ACCEL_OK;
}

/* ---- prefixes ---- */

bool accel_redis_tracking_covers(const redis_tracking *tracking, const char *prefix)
{
  for (size_t i = 0; i < tracking->count; i++)
    if (strcmp(tracking->prefixes[i], prefix) == 0) return true;
  return false;
}

static bool redis_tracking_note(redis_tracking *tracking, const char *prefix)
{
  if (tracking->count == tracking->capacity) {
    const size_t capacity = tracking->capacity == 0 ? 4 : 2 * tracking->capacity;
    void *prefixes =
        ACCEL_REALLOC(tracking->prefixes, capacity * sizeof(char[REDIS_LINK_KEY_START_SIZE]));
    if (prefixes == NULL) return false;
    tracking->prefixes = (char(*)[REDIS_LINK_KEY_START_SIZE])prefixes;
    tracking->capacity = capacity;
  }
  memcpy(tracking->prefixes[tracking->count++], prefix, REDIS_LINK_KEY_START_SIZE);
  return true;
}

static bool redis_tracking_is_granted(const redis_tracking *tracking, const char *const *words,
                                      uint64_t latest_ms, redis_tracking_refusal *refusal)
{
  redis_replies replies;
  if (!redis_tracking_ask(tracking, words, latest_ms, &replies)) return false;
  const redis_reply reply = accel_redis_reply_at(&replies, 0);
  if (accel_redis_reply_says(&replies, &reply, "OK")) {
    accel_redis_replies_release(&replies);
    return true;
  }
  *refusal = (redis_tracking_refusal){"CLIENT TRACKING", replies};
  return false;
}

bool accel_redis_tracking_cover(redis_tracking *tracking, const char *prefix, uint64_t latest_ms,
                                redis_tracking_refusal *refusal)
{
  char id[24];
  snprintf(id, sizeof id, "%" PRId64, tracking->client_id);
  /* The server may still track for a listener that was lost, and takes each prefix once only. */
  if (tracking->count == 0 &&
      !redis_tracking_is_granted(tracking, REDIS_WORDS("CLIENT", "TRACKING", "OFF"), latest_ms,
                                 refusal))
    return false;
  if (!redis_tracking_is_granted(tracking,
                                 REDIS_WORDS("CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST",
                                             "NOLOOP", "PREFIX", prefix),
                                 latest_ms, refusal) ||
      !redis_tracking_note(tracking, prefix))
    return false;
  tracking->held_ms = accel_clock_monotonic_ms();
  return true;
}

/* The answer may be late, behind a large value; the connection is not lost. */
static bool redis_tracking_is_believed(const redis_tracking *tracking)
{
  return accel_redis_connection_is_up(
             redis_endpoint_data(accel_redis_route_main(tracking->route))) &&
         accel_clock_monotonic_ms() < tracking->held_ms + REDIS_TRACKING_PROOF_MS;
}

bool accel_redis_tracking_holds(redis_tracking *tracking, uint64_t latest_ms,
                                redis_tracking_refusal *refusal)
{
  redis_replies replies;
  const uint64_t asked_ms = accel_clock_monotonic_ms();
  if (tracking->count == 0) {
    tracking->held_ms = asked_ms;
    return true;
  }
  if (!redis_tracking_ask(tracking, REDIS_WORDS("CLIENT", "GETREDIR"), latest_ms, &replies))
    return redis_tracking_is_believed(tracking);
  const redis_reply reply = accel_redis_reply_at(&replies, 0);
  if (reply.kind == REDIS_REPLY_IS_ERROR) {
    *refusal = (redis_tracking_refusal){"CLIENT GETREDIR", replies};
    return false;
  }
  const bool holds = reply.kind == REDIS_REPLY_IS_INTEGER && reply.integer == tracking->client_id;
  if (holds) tracking->held_ms = asked_ms;
  accel_redis_replies_release(&replies);
  return holds;
}

/* ---- hearing ---- */

void accel_redis_tracking_tell(const redis_link *link, const redis_replies *replies, size_t first)
{
  const redis_reply keys = accel_redis_reply_at(replies, first);
  const size_t start_size = strlen(link->key_start);
  if (keys.kind != REDIS_REPLY_IS_ARRAY) {
    link->changed(link->sink.ctx, NULL, 0);
    return;
  }
  for (size_t i = 1; i <= keys.size; i++) {
    const redis_reply key = accel_redis_reply_at(replies, first + i);
    if (key.kind == REDIS_REPLY_IS_OVERSIZED) { /* too large to be kept: it may be any key */
      link->changed(link->sink.ctx, NULL, 0);
      return;
    }
    const char *text = accel_redis_reply_text(replies, &key);
    if (key.kind != REDIS_REPLY_IS_TEXT || key.size < start_size) continue;
    if (memcmp(text, link->key_start, start_size) != 0) continue;
    /* An area without a prefix may have the name of another's prefix; then their keys begin alike.
     */
    if (accel_key_is_remote(text + start_size, key.size - start_size))
      link->changed(link->sink.ctx, text + start_size, key.size - start_size);
  }
}

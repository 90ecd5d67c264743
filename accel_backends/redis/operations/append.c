#include "append.h"

#include <stdio.h>
#include <string.h>

bool accel_redis_append_keys(accel_buffer *out, const char *verb, const redis_link *link,
                             accel_remote_item *const *items, size_t count)
{
  const size_t before = out->size;
  bool appended = accel_redis_command_start(out, 1 + count) &&
                  accel_redis_command_add(out, verb, strlen(verb), "", 0);
  for (size_t i = 0; i < count && appended; i++)
    appended = accel_redis_command_add(out, link->key_start, link->prefix_size, items[i]->key,
                                       items[i]->key_size);
  if (!appended) out->size = before;
  return appended;
}

void accel_redis_ttl_text(uint32_t ttl_ms, char text[REDIS_TTL_SIZE])
{
  const unsigned long least_ms = ttl_ms == 0 ? 1 : ttl_ms; /* Redis refuses a TTL of 0 */
  snprintf(text, REDIS_TTL_SIZE, "%lu", ttl_ms == ACCEL_FOREVER ? 0 : least_ms);
}

bool accel_redis_append_set(accel_buffer *out, const redis_link *link,
                            const accel_remote_item *item, uint32_t ttl_ms, bool is_lease)
{
  const size_t before = out->size;
  const bool expires = ttl_ms != ACCEL_FOREVER;
  char ttl[REDIS_TTL_SIZE];
  accel_redis_ttl_text(ttl_ms, ttl);
  bool appended =
      accel_redis_command_start(out, 3u + (expires ? 2u : 0u) + (is_lease ? 1u : 0u)) &&
      accel_redis_command_add(out, "SET", 3, "", 0) &&
      accel_redis_command_add(out, link->key_start, link->prefix_size, item->key, item->key_size) &&
      accel_redis_command_add(out, item->size == 0 ? "" : (const char *)item->data, item->size, "",
                              0);
  if (expires)
    appended = appended && accel_redis_command_add(out, "PX", 2, "", 0) &&
               accel_redis_command_add(out, ttl, strlen(ttl), "", 0);
  if (is_lease) appended = appended && accel_redis_command_add(out, "NX", 2, "", 0);
  if (!appended) out->size = before;
  return appended;
}

bool accel_redis_append_publish(accel_buffer *out, const redis_link *link,
                                const accel_buffer *message)
{
  const char *words[] = {"PUBLISH", link->channel,
                         message->data == NULL ? "" : (const char *)message->data};
  const size_t sizes[] = {strlen(words[0]), strlen(words[1]), message->size};
  const redis_words command = {.words = words, .sizes = sizes, .count = 3};
  return accel_redis_command_append(out, &command);
}

const char *accel_redis_unlink_verb(const redis_endpoint *endpoint)
{
  const bool lacks = accel_redis_commands_lacks(&endpoint->commands, REDIS_COMMAND_UNLINK);
  return lacks ? "DEL" : "UNLINK";
}

bool accel_redis_note_lacks_unlink(redis_endpoint *endpoint, const redis_replies *replies, size_t i)
{
  redis_command named;
  if (!accel_redis_commands_is_refusal(replies, i, &named)) return false;
  if (named != REDIS_COMMAND_UNLINK && named != REDIS_COMMANDS) return false;
  accel_redis_commands_note(&endpoint->commands, REDIS_COMMAND_UNLINK, true);
  return true;
}

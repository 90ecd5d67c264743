#include "slots.h"

#include <string.h>

/* CRC-16/XMODEM, four bits at a time: polynomial 0x1021, from 0, most significant bit first. */
uint16_t accel_redis_slot_add(uint16_t so_far, const void *bytes_pointer, size_t size)
{
  static const uint16_t remainders[16] = {
      0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
      0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
  };
  const unsigned char *bytes = (const unsigned char *)bytes_pointer;
  unsigned checksum = so_far;
  for (size_t i = 0; i < size; i++) {
    checksum = checksum << 4 ^ remainders[(checksum >> 12 ^ bytes[i] >> 4) & 15];
    checksum = checksum << 4 ^ remainders[(checksum >> 12 ^ bytes[i]) & 15];
  }
  return (uint16_t)checksum;
}

/* ---- CLUSTER SLOTS: ranges of {first, last, {host, port, id, ...}, replicas...} ---- */

static bool redis_slots_is_name(const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F) return false;
  return true;
}

/* Copies a host's name. A cluster that does not know its own address says nil, "" or "?". */
static bool redis_slots_read_host(const redis_replies *replies, const redis_reply *host,
                                  redis_slots_server *server)
{
  server->host[0] = '\0';
  if (host->kind == REDIS_REPLY_IS_NIL || accel_redis_reply_says(replies, host, "?")) return true;
  if (host->kind != REDIS_REPLY_IS_TEXT || host->size >= sizeof server->host) return false;
  const char *text = accel_redis_reply_text(replies, host);
  if (!redis_slots_is_name(text, host->size)) return false;
  memcpy(server->host, text, host->size);
  server->host[host->size] = '\0';
  return true;
}

static bool redis_slots_read_server(const redis_replies *replies, size_t i,
                                    redis_slots_server *server)
{
  const redis_reply whole = accel_redis_reply_at(replies, i);
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size < 2) return false;
  const redis_reply host = accel_redis_reply_at(replies, i + 1);
  const redis_reply port = accel_redis_reply_at(replies, i + 2);
  if (port.kind != REDIS_REPLY_IS_INTEGER || port.integer < 1 || port.integer > UINT16_MAX)
    return false;
  server->port = (uint16_t)port.integer;
  return redis_slots_read_host(replies, &host, server);
}

/* The server's index, which it has from now on; REDIS_SLOTS_UNOWNED: there are too many. */
static uint8_t redis_slots_number(redis_slots_map *map, const redis_slots_server *server)
{
  for (size_t i = 0; i < map->server_count; i++)
    if (map->servers[i].port == server->port && strcmp(map->servers[i].host, server->host) == 0)
      return (uint8_t)i;
  if (map->server_count == REDIS_SLOTS_SERVERS_MAX) return REDIS_SLOTS_UNOWNED;
  map->servers[map->server_count] = *server;
  return (uint8_t)map->server_count++;
}

static const char *redis_slots_read_range(const redis_replies *replies, size_t i,
                                          redis_slots_map *map)
{
  const redis_reply whole = accel_redis_reply_at(replies, i);
  const redis_reply first = accel_redis_reply_at(replies, i + 1);
  const redis_reply last = accel_redis_reply_at(replies, i + 2);
  redis_slots_server server;
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size < 3) return "a range is not an array";
  if (first.kind != REDIS_REPLY_IS_INTEGER || last.kind != REDIS_REPLY_IS_INTEGER ||
      first.integer < 0 || last.integer < first.integer || last.integer >= REDIS_SLOTS)
    return "a range's bounds are no slots";
  if (!redis_slots_read_server(replies, i + 3, &server)) return "a range's server has no address";
  const uint8_t owner = redis_slots_number(map, &server);
  if (owner == REDIS_SLOTS_UNOWNED) return "more servers than this library keeps";
  memset(map->owner + first.integer, owner, (size_t)(last.integer - first.integer) + 1);
  return NULL;
}

const char *accel_redis_slots_read(const redis_replies *replies, size_t i, redis_slots_map *map)
{
  const redis_reply whole = accel_redis_reply_at(replies, i);
  map->server_count = 0;
  memset(map->owner, REDIS_SLOTS_UNOWNED, sizeof map->owner);
  if (whole.kind != REDIS_REPLY_IS_ARRAY) return "the reply is not an array";
  if (whole.size == 0) return "no server owns a slot";
  size_t at = i + 1;
  for (size_t range = 0; range < whole.size; range++) {
    const char *why = redis_slots_read_range(replies, at, map);
    if (why != NULL) return why;
    at = accel_redis_reply_after(replies, at);
  }
  return NULL;
}

/* ---- MOVED and ASK ---- */

/* Digits before `end`, at most 65535, which it steps over; -1: something else. */
static int32_t redis_slots_read_number(const char **text, const char *end)
{
  int32_t value = 0;
  const char *const start = *text;
  for (; *text < end && **text >= '0' && **text <= '9'; (*text)++) {
    value = value * 10 + (**text - '0');
    if (value > UINT16_MAX) return -1;
  }
  return *text == start ? -1 : value;
}

bool accel_redis_slots_read_moved(const redis_replies *replies, size_t i, const char *kind,
                                  redis_slots_moved *moved)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (!accel_redis_reply_fails(replies, &reply, kind)) return false;
  const char *text = accel_redis_reply_text(replies, &reply);
  const char *const end = text + reply.size;
  text += strlen(kind);
  const int32_t slot = redis_slots_read_number(&text, end);
  if (slot < 0 || slot >= (int32_t)REDIS_SLOTS || text == end || *text != ' ') return false;
  const char *const host = ++text;
  /* The last colon: an IPv6 address has more, and no brackets. */
  const char *colon = end;
  while (colon > host && colon[-1] != ':') colon--;
  if (colon == host) return false;
  colon--;
  const size_t host_size = (size_t)(colon - host);
  if (host_size >= sizeof moved->server.host || !redis_slots_is_name(host, host_size)) return false;
  text = colon + 1;
  const int32_t port = redis_slots_read_number(&text, end);
  if (port < 1 || text != end) return false;
  memcpy(moved->server.host, host, host_size);
  moved->server.host[host_size] = '\0';
  moved->server.port = (uint16_t)port;
  moved->slot = (uint16_t)slot;
  return true;
}

const char *accel_redis_slots_read_address(const redis_replies *replies, size_t i,
                                           redis_slots_server *server)
{
  const redis_reply whole = accel_redis_reply_at(replies, i);
  const redis_reply host = accel_redis_reply_at(replies, i + 1);
  const redis_reply port_reply = accel_redis_reply_at(replies, i + 2);
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != 2) return "the reply is not an address";
  if (port_reply.kind != REDIS_REPLY_IS_TEXT || host.size == 0) return "the address is not whole";
  const char *text = accel_redis_reply_text(replies, &port_reply);
  const char *const end = text + port_reply.size;
  const int32_t port = redis_slots_read_number(&text, end);
  if (port < 1 || text != end || !redis_slots_read_host(replies, &host, server))
    return "the address is not whole";
  server->port = (uint16_t)port;
  return NULL;
}

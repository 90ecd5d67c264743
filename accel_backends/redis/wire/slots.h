/* slots.h: which server of a Redis Cluster holds which keys (backend redis).
 *
 * A key belongs to one of 16384 slots, by a checksum of its bytes; a server owns ranges of slots,
 * and lists those of all servers in its reply to CLUSTER SLOTS. Braces would let a part of a key
 * decide alone; keys of ours hold none (codec.h percent-encodes them).
 *
 * A map has the contents of one such reply. Like every reply it is hostile: a map is taken whole or
 * not at all.
 *
 * Source: Redis Cluster specification, "Key distribution model", and the command CLUSTER SLOTS.
 * Threads: a map is changed by one at a time; all else any.
 */
#ifndef ACCEL_BACKENDS_REDIS_SLOTS_H
#define ACCEL_BACKENDS_REDIS_SLOTS_H

#include "reply.h"

#define REDIS_SLOTS 16384u
#define REDIS_SLOTS_SERVERS_MAX 128u /* masters of a cluster; 64 bytes and two connections each */
#define REDIS_SLOTS_UNOWNED 0xFFu

/* Longer names do not exist in DNS. */
#define REDIS_SLOTS_HOST_SIZE 256u

typedef struct redis_slots_server {
  char host[REDIS_SLOTS_HOST_SIZE]; /* "": the server that was asked */
  uint16_t port;
} redis_slots_server;

typedef struct redis_slots_map {
  size_t server_count;
  redis_slots_server servers[REDIS_SLOTS_SERVERS_MAX];
  uint8_t owner[REDIS_SLOTS]; /* an index of servers, or REDIS_SLOTS_UNOWNED */
} redis_slots_map;

/* Where a server says that a key, or its slot, is. */
typedef struct redis_slots_moved {
  uint16_t slot;
  redis_slots_server server;
} redis_slots_moved;

ACCEL_EXTERN_C_BEGIN

/* Continues a checksum (0 at the start) with more bytes. That of a whole key without braces,
 * modulo REDIS_SLOTS, is its slot. */
uint16_t accel_redis_slot_add(uint16_t so_far, const void *bytes, size_t size);

/* Reads CLUSTER SLOTS' reply at `i`. NULL: *map is what it said; else what was wrong with it, and
 * *map is of no use. A reply that gives no slot to anybody is wrong too. */
const char *accel_redis_slots_read(const redis_replies *replies, size_t i, redis_slots_map *map);

/* Reads a Sentinel's reply {host, port} at `i`. NULL, or what was wrong with it. */
const char *accel_redis_slots_read_address(const redis_replies *replies, size_t i,
                                           redis_slots_server *server);

/* Reads an error "MOVED slot host:port" or "ASK slot host:port"; `kind` is "MOVED " or "ASK ".
 * False: it is no such error, or not in order. */
bool accel_redis_slots_read_moved(const redis_replies *replies, size_t i, const char *kind,
                                  redis_slots_moved *moved);

ACCEL_EXTERN_C_END
#endif

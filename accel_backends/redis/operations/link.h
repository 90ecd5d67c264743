/* link.h: a cache's attachment to an opened Redis (backend redis).
 *
 * What its operations need to know. Constant, but for what they measure.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_LINK_H
#define ACCEL_BACKENDS_REDIS_LINK_H

#include "../../../accel/backend.h"
#include "../routing/routing.h"

#define REDIS_LINK_KEY_START_SIZE 132 /* of prefix:area:, with its 0 */

struct accel_redis_state;

typedef struct redis_link {
  struct accel_redis_state *owner; /* kept open until attach.c detaches */
  const redis_settings *settings;
  redis_route *route;
  char key_start[REDIS_LINK_KEY_START_SIZE]; /* prefix:area: */
  size_t prefix_size;                        /* of it, with the colon */
  uint16_t prefix_checksum;                  /* of these bytes (slots.h) */
  char channel[192];
  bool is_fast;         /* atomic: the last batch took a small part of its time limit */
  uint32_t value_bytes; /* atomic: typical size of a value; 0: not known */
  bool has_listener;    /* false: it receives no channel */
  accel_remote_sink sink;
  void (*changed)(void *ctx, const char *name_or_null, size_t size); /* NULL: not wanted */
  redis_news_reader reader;
} redis_link;

#endif

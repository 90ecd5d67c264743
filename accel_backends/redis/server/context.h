/* context.h: what all parts of one accel_redis share (backend redis).
 *
 * The order is wire, server, routing, operations, channel: each directory includes only those
 * before it. Events that concern one after it travel there through `notify`.
 *
 * Threads: constant; notify any, with any lock held but those of discovery and the listener.
 */
#ifndef ACCEL_BACKENDS_REDIS_CONTEXT_H
#define ACCEL_BACKENDS_REDIS_CONTEXT_H

#include "../wire/wire.h"
#include "news.h"

typedef enum redis_notice {
  REDIS_NOTICE_SUSPECT, /* a server could not be reached, or lost its role */
  REDIS_NOTICE_MAIN     /* another endpoint became the main one (route.h) */
} redis_notice;

typedef struct redis_context {
  const redis_settings *settings;
  redis_news *news;
  void (*notify)(void *owner, redis_notice notice);
  void *owner; /* of notify */
} redis_context;

#endif

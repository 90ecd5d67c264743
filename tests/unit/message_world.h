/* message_world.h: an area's sender and receiver of messages, and what was heard. */
#ifndef MESSAGE_WORLD_H
#define MESSAGE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/invalidate.h"

typedef struct heard {
  unsigned keys, everything;
} heard;

static accel_invalidation sender, receiver;
static heard so_far;

static void hear_key(void *ctx, const char *name, size_t size)
{
  (void)ctx;
  assert_int_equal(size, 3);
  assert_memory_equal(name, "key", size);
  so_far.keys++;
}

static void hear_everything(void *ctx)
{
  (void)ctx;
  so_far.everything++;
}

static const accel_invalidation_handler handler = {NULL, hear_key, hear_everything};

static int open_both(void **state)
{
  (void)state;
  so_far = (heard){0};
  return accel_invalidation_open(&sender, "area") && accel_invalidation_open(&receiver, "area")
             ? 0
             : -1;
}

/* That the key "key" changed. */
static accel_buffer message_on(uint32_t lane)
{
  const accel_remote_item item = {.name = "key", .name_size = 3};
  const accel_remote_item *const items[1] = {&item};
  accel_buffer out = {0};
  assert_int_equal(accel_invalidation_message(&sender, lane, items, 1, &out), 1);
  return out;
}

#endif

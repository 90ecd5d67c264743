/* fake_world.h: a fake, two links that note what they hear, and short calls; for its tests. */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/fake.h"

#include "failing_alloc.h"
#include "patience.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS patience_ms()

/* ---- a link that counts what it hears ---- */

typedef struct ear {
  unsigned ups, downs, messages;
  char last[32];
  char order[64]; /* u, d, m as they came */
  bool beats;
} ear;

static void note(ear *self, char what)
{
  const size_t size = strlen(self->order);
  if (size + 1 < sizeof self->order) self->order[size] = what;
}

static void hear_message(void *ctx, const void *data, size_t size)
{
  ear *self = (ear *)ctx;
  note(self, 'm');
  self->messages++;
  snprintf(self->last, sizeof self->last, "%.*s", (int)size, (const char *)data);
}

static void hear_up(void *ctx)
{
  ear *self = (ear *)ctx;
  note(self, 'u');
  self->ups++;
}

static void hear_down(void *ctx)
{
  ear *self = (ear *)ctx;
  note(self, 'd');
  self->downs++;
}

static bool give_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  (void)lane;
  const ear *self = (const ear *)ctx;
  return self->beats && accel_buffer_append(out, "beat", 4);
}

static size_t make_message(void *ctx, uint32_t lane, const accel_remote_item *const *items,
                           size_t count, accel_buffer *out)
{
  (void)ctx, (void)lane;
  if (count == 0) return accel_buffer_append(out, "clear", 5) ? 1 : 0;
  return accel_buffer_append(out, items[0]->name, items[0]->name_size) ? 1 : 0;
}

static const accel_remote_publisher publisher = {NULL, make_message};

/* ---- surroundings ---- */

typedef struct world {
  accel_fake fake;
  ear ears[2];
  void *links[2];
} world;

typedef void hear_fn(void *ctx, const void *data, size_t size);

static accel_status attach_ear(world *all, ear *self, hear_fn *hear, void **link_out)
{
  char channel[192];
  const accel_remote_area area = {
      .area = "area",
      .has_listener = true,
      .sink = {self, hear, hear_up, hear_down, give_heartbeat},
      .owner = all,
  };
  return accel_fake_ops.attach(&all->fake, &area, link_out, channel);
}

static accel_status attach(world *all, size_t i)
{
  return attach_ear(all, &all->ears[i], hear_message, &all->links[i]);
}

static int setup(void **state)
{
  static world all;
  memset(&all, 0, sizeof all);
  assert_int_equal(accel_fake_open(&all.fake, NULL), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) assert_int_equal(attach(&all, i), ACCEL_OK);
  *state = &all;
  return 0;
}

static int teardown(void **state)
{
  world *all = (world *)*state;
  for (size_t i = 0; i < 2; i++)
    if (all->links[i] != NULL) accel_fake_ops.detach(all->links[i]);
  accel_fake_close(&all->fake);
  accel_fake_close(&all->fake);
  assert_int_equal(failing_alloc_live_blocks(), 0);
  return 0;
}

static accel_remote_call call_within(uint32_t ms)
{
  const accel_remote_call call = {.deadline_ms = accel_clock_deadline(ms)};
  return call;
}

/* Of a key in "area:". */
static accel_remote_item item_of(const char *key)
{
  const size_t size = strlen(key);
  const accel_remote_item item = {key,   size, key + 5,    size - 5, "value", 5,
                                  60000, 0,    ACCEL_MISS, 0,        false};
  return item;
}

static accel_status put_within(world *all, const char *key, uint32_t ms)
{
  accel_remote_item item = item_of(key);
  accel_remote_call call = call_within(ms);
  const accel_status status = accel_fake_ops.put(all->links[0], &item, 1, &publisher, &call);
  if (status == ACCEL_OK) return item.status;
  assert_int_equal(item.status, status);
  assert_true(call.error[0] != '\0');
  return status;
}

static accel_status put(world *all, const char *key)
{
  return put_within(all, key, WAIT_MS);
}

static accel_status get(world *all, const char *key)
{
  accel_remote_item item = item_of(key);
  accel_remote_call call = call_within(WAIT_MS);
  accel_fake_ops.get(all->links[1], &item, 1, &call);
  accel_fake_ops.release(all->links[1], &call);
  return item.status;
}

#define FAKE_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

#endif

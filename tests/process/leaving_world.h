/* leaving_world.h: readers, loaders and bodies that leave their thread, and what must hold then. */
#ifndef LEAVING_WORLD_H
#define LEAVING_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include "process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS (PROCESS_PATIENCE_S * 1000u)
#define KEYS 6

/* Values that own memory, and are counted: whatever a thread that left had is lost by nobody. */
typedef struct box {
  uint64_t *number;
} box;

static atomic_bool copies_leave, codecs_leave;
static atomic_int boxes_alive;

static bool box_make(box *out, uint64_t number)
{
  out->number = (uint64_t *)malloc(sizeof *out->number);
  if (out->number == NULL) return false;
  *out->number = number;
  atomic_fetch_add(&boxes_alive, 1);
  return true;
}

static bool box_copy(box *to, const box *from)
{
  if (atomic_exchange(&copies_leave, false)) pthread_exit(NULL);
  return box_make(to, *from->number);
}

static void box_drop(box *value)
{
  if (value->number != NULL) atomic_fetch_sub(&boxes_alive, 1);
  free(value->number);
}

static accel_status box_encode(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  if (atomic_exchange(&codecs_leave, false)) pthread_exit(NULL);
  const box *from = (const box *)value;
  return accel_buffer_append(out, from->number, sizeof *from->number) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status box_decode(void *ctx, const void *data, size_t size, void *out)
{
  (void)ctx;
  uint64_t number;
  if (atomic_exchange(&codecs_leave, false)) pthread_exit(NULL);
  if (size != sizeof number) return ACCEL_ERR_CODEC;
  memcpy(&number, data, sizeof number);
  return box_make((box *)out, number) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static const accel_codec box_codec = {NULL, box_encode, box_decode};

ACCEL_DEFINE_WITH(boxes, uint64_t, box, .copy = box_copy, .drop = box_drop,
                  .remote = &accel_fake_ops, .codec = &box_codec)

/* ---- the world ---- */

typedef enum leaving { STAYS, STAYS_LONG, EXITS, IS_CANCELLED } leaving;

typedef struct world {
  accel_fake fake;
  boxes_cache boxes;
  leaving how;           /* what the next loader does */
  atomic_uint has_begun; /* loaders */
  atomic_bool may_go_on; /* those that do not return at once */
  bool may_lose;         /* what a call had allocated just then */
} world;

static world all;

/* Not within nanosleep, which TSan would think the thread never leaves. */
static void wait_where_cancelled(void)
{
  int before;
  pthread_testcancel();
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  process_nap_ms(1);
  pthread_setcancelstate(before, &before);
}

static void leave_or_stay(void)
{
  const leaving how = all.how;
  all.how = STAYS;
  atomic_fetch_add(&all.has_begun, 1);
  if (how == STAYS) return;
  while (!atomic_load(&all.may_go_on)) wait_where_cancelled();
  if (how == STAYS_LONG) return;
  if (how == EXITS) pthread_exit(NULL);
  for (;;) wait_where_cancelled();
}

static accel_status load(void *ctx, uint64_t key, box *out)
{
  (void)ctx;
  leave_or_stay();
  return box_make(out, key) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status load_many(void *ctx, const uint64_t *keys, size_t count, box *values,
                              accel_status *statuses)
{
  (void)ctx;
  leave_or_stay();
  for (size_t i = 0; i < count; i++)
    statuses[i] = box_make(&values[i], keys[i]) ? ACCEL_OK : ACCEL_ERR_NOMEM;
  return ACCEL_OK;
}

ACCEL_CACHEABLE(boxes, body, (uint64_t key, box *out), (key, out), .cache = &all.boxes, .key = key,
                .out = out)
{
  return load(NULL, key, out);
}

ACCEL_CACHEABLE_BATCH(boxes, bodies, (void), (), .cache = &all.boxes)
{
  return load_many(NULL, keys, count, values, statuses);
}

static int open_world(void **state)
{
  (void)state;
  memset(&all, 0, sizeof all);
  if (accel_fake_open(&all.fake, NULL) != ACCEL_OK) return -1;
  return 0;
}

static void open_boxes(uint32_t loader_timeout_ms, bool has_mloader)
{
  const accel_config config = {.area = "box",
                               .capacity = 100,
                               .loader_timeout_ms = loader_timeout_ms,
                               .warmup_enabled = true,
                               .remote = &all.fake};
  assert_int_equal(boxes_cache_open(&all.boxes, &config), ACCEL_OK);
  boxes_cache_set_loader(&all.boxes, load, NULL);
  if (has_mloader) boxes_cache_set_mloader(&all.boxes, load_many, NULL);
}

static int close_world(void **state)
{
  (void)state;
  const accel_status closed = boxes_cache_close_within(&all.boxes, PATIENCE_MS);
  accel_fake_close(&all.fake);
  const int lost = atomic_exchange(&boxes_alive, 0);
  if (lost == 0 || all.may_lose) return closed == ACCEL_OK ? 0 : -1;
  print_error("%d values were lost\n", lost);
  return -1;
}

/* ---- readers ---- */

typedef struct reader {
  accel_status (*read)(struct reader *self);
  uint64_t key;
  accel_status status;
  atomic_bool has_returned;
  pthread_t id;
} reader;

static accel_status take(accel_status status, box *value, uint64_t key)
{
  if (status != ACCEL_OK) return status;
  const bool is_right = *value->number == key;
  box_drop(value);
  return is_right ? ACCEL_OK : ACCEL_ERR_CODEC;
}

static accel_status read_one(reader *self)
{
  box value;
  const accel_status status = boxes_cache_get(&all.boxes, self->key, &value);
  return take(status, &value, self->key);
}

static accel_status read_with_own_loader(reader *self)
{
  box value;
  const accel_status status =
      boxes_cache_get_or_load(&all.boxes, self->key, NULL, load, NULL, &value);
  return take(status, &value, self->key);
}

static accel_status read_many(reader *self)
{
  uint64_t keys[KEYS];
  box values[KEYS];
  accel_status statuses[KEYS];
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = self->key + i;
  const accel_status status = boxes_cache_mget(&all.boxes, keys, KEYS, NULL, values, statuses);
  for (uint64_t i = 0; i < KEYS; i++)
    if (take(statuses[i], &values[i], keys[i]) == ACCEL_ERR_CODEC) return ACCEL_ERR_CODEC;
  return status;
}

static accel_status read_many_without_statuses(reader *self)
{
  uint64_t keys[KEYS];
  box values[KEYS] = {{NULL}};
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = self->key + i;
  const accel_status status = boxes_cache_mget(&all.boxes, keys, KEYS, NULL, values, NULL);
  for (uint64_t i = 0; i < KEYS; i++) box_drop(&values[i]);
  return status;
}

static accel_status read_by_body(reader *self)
{
  box value;
  const accel_status status = body(self->key, &value);
  return take(status, &value, self->key);
}

static accel_status read_by_bodies(reader *self)
{
  uint64_t keys[KEYS];
  box values[KEYS];
  accel_status statuses[KEYS];
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = self->key + i;
  const accel_status status = bodies(keys, KEYS, values, statuses);
  for (uint64_t i = 0; i < KEYS; i++)
    if (take(statuses[i], &values[i], keys[i]) == ACCEL_ERR_CODEC) return ACCEL_ERR_CODEC;
  return status;
}

static accel_status warm_up(reader *self)
{
  uint64_t keys[KEYS];
  for (uint64_t i = 0; i < KEYS; i++) keys[i] = self->key + i;
  return boxes_cache_warmup(&all.boxes, keys, KEYS, NULL);
}

static void *run_reader(void *reader_pointer)
{
  reader *self = (reader *)reader_pointer;
  self->status = self->read(self);
  atomic_store(&self->has_returned, true);
  return NULL;
}

static void start(reader *self, accel_status (*read)(reader *self), uint64_t key)
{
  memset(self, 0, sizeof *self);
  self->read = read;
  self->key = key;
  assert_int_equal(pthread_create(&self->id, NULL, run_reader, self), 0);
}

/* Joins it; a thread that hangs makes the test fail rather than hang. */
static void join(reader *self)
{
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PROCESS_PATIENCE_S;
  if (pthread_timedjoin_np(self->id, NULL, &until) != 0) {
    print_error("a thread hangs\n");
    _exit(1);
  }
}

static void await_loaders(unsigned count)
{
  while (atomic_load(&all.has_begun) < count) process_nap_ms(1);
}

/* ---- what must hold ---- */

static void expect_loads(uint64_t key)
{
  static reader again;
  start(&again, read_one, key);
  join(&again);
  assert_true(atomic_load(&again.has_returned));
  assert_int_equal(again.status, ACCEL_OK);
}

/* A reader of `key` leaves in its loader while another waits for the same load, and one that reads
 * many for that and others. */
static void leave_while_others_wait(accel_status (*read)(reader *self), leaving how)
{
  static reader leaver, follower, batch;
  if (how == IS_CANCELLED && PROCESS_UNDER_ASAN) skip(); /* it thinks that the frames are there */
  all.how = how;
  start(&leaver, read, 1);
  await_loaders(1);
  start(&follower, read_one, 1);
  start(&batch, read_many, 0);
  process_nap_ms(20); /* they wait, mostly */
  if (how == IS_CANCELLED) pthread_cancel(leaver.id);
  atomic_store(&all.may_go_on, true);
  join(&leaver);
  assert_false(atomic_load(&leaver.has_returned));
  join(&follower);
  join(&batch);
  assert_true(follower.status == ACCEL_ERR_LOADER || follower.status == ACCEL_OK);
  assert_true(batch.status == ACCEL_ERR_LOADER || batch.status == ACCEL_OK);
  for (uint64_t key = 0; key < KEYS; key++) expect_loads(key);
}

#endif

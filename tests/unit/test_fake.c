/* The fake does what it is told: that its failures come when they were ordered, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/fake.h"

#include "accel/error.h"

#include "failing_alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 2000u

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

static bool give_heartbeat(void *ctx, accel_buffer *out)
{
  const ear *self = (const ear *)ctx;
  return self->beats && accel_buffer_append(out, "beat", 4);
}

static size_t make_message(void *ctx, const accel_remote_item *const *items, size_t count,
                           accel_buffer *out)
{
  (void)ctx;
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
  const accel_remote_item item = {key, size, key + 5, size - 5, "value", 5, 60000, 0, ACCEL_MISS};
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

/* A put on a thread of its own. */
typedef struct putter {
  world *all;
  const char *key;
  pthread_t thread;
  accel_status status;
} putter;

static void *put_in_thread(void *ctx)
{
  putter *self = (putter *)ctx;
  self->status = put(self->all, self->key);
  return NULL;
}

static void putter_start(putter *self, world *all, const char *key)
{
  self->all = all;
  self->key = key;
  assert_int_equal(pthread_create(&self->thread, NULL, put_in_thread, self), 0);
}

static accel_status putter_join(putter *self)
{
  pthread_join(self->thread, NULL);
  return self->status;
}

/* ---- failures ---- */

static void calls_fail_as_often_as_ordered(void **state)
{
  world *all = (world *)*state;
  accel_fake_fail(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 2);
  assert_int_equal(put(all, "area:a"), ACCEL_ERR_BACKEND);
  assert_int_equal(get(all, "area:a"), ACCEL_MISS);
  assert_int_equal(put(all, "area:a"), ACCEL_ERR_BACKEND);
  assert_int_equal(put(all, "area:a"), ACCEL_OK);
  assert_int_equal(all->ears[1].messages, 1);
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_TIMEOUT,
                  ACCEL_FAKE_ALWAYS);
  for (int i = 0; i < 10; i++) assert_int_equal(get(all, "area:a"), ACCEL_ERR_TIMEOUT);
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_OK, 0);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
}

static void a_lost_reply_is_done_and_told(void **state)
{
  world *all = (world *)*state;
  accel_fake_fail(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER, ACCEL_ERR_TIMEOUT, 1);
  assert_int_equal(put(all, "area:a"), ACCEL_ERR_TIMEOUT);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
  assert_string_equal(all->ears[1].last, "a");
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_AFTER, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(get(all, "area:a"), ACCEL_ERR_BACKEND);
}

static void single_items_fail(void **state)
{
  world *all = (world *)*state;
  assert_true(accel_fake_fail_key(&all->fake, ACCEL_FAKE_PUT, "area:b", ACCEL_ERR_BACKEND, 1));
  accel_remote_item items[3] = {item_of("area:a"), item_of("area:b"), item_of("area:c")};
  accel_remote_call call = call_within(WAIT_MS);
  assert_int_equal(accel_fake_ops.put(all->links[0], items, 3, &publisher, &call), ACCEL_OK);
  assert_int_equal(items[0].status, ACCEL_OK);
  assert_int_equal(items[1].status, ACCEL_ERR_BACKEND);
  assert_int_equal(items[2].status, ACCEL_OK);
  assert_int_equal(call.messages_sent, 2);
  assert_string_equal(all->ears[1].last, "c");
  assert_int_equal(get(all, "area:b"), ACCEL_MISS);
  assert_int_equal(put(all, "area:b"), ACCEL_OK);
}

static void delays_keep_to_the_deadline(void **state)
{
  world *all = (world *)*state;
  const uint64_t began_ms = accel_clock_monotonic_ms();
  accel_fake_delay(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 20);
  assert_int_equal(put(all, "area:a"), ACCEL_OK);
  assert_true(accel_clock_monotonic_ms() - began_ms >= 20);
  accel_fake_delay(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 60000);
  assert_int_equal(put_within(all, "area:b", 20), ACCEL_ERR_TIMEOUT);
  assert_int_equal(get(all, "area:b"), ACCEL_MISS);
  accel_fake_delay(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 0);
  accel_fake_delay(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER, 60000);
  assert_int_equal(put_within(all, "area:b", 20), ACCEL_ERR_TIMEOUT);
  assert_int_equal(get(all, "area:b"), ACCEL_OK);
  assert_true(accel_clock_monotonic_ms() - began_ms < 30000);
}

static void a_stopped_server_answers_nobody(void **state)
{
  world *all = (world *)*state;
  put(all, "area:a");
  accel_fake_stop(&all->fake, true);
  assert_int_equal(put(all, "area:b"), ACCEL_ERR_BACKEND);
  assert_int_equal(get(all, "area:a"), ACCEL_ERR_BACKEND);
  assert_false(accel_fake_ops.is_ready(all->links[0]));
  accel_fake_start(&all->fake);
  assert_true(accel_fake_ops.is_ready(all->links[0]));
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
  assert_int_equal(get(all, "area:b"), ACCEL_MISS);
  assert_string_equal(all->ears[0].order, "umdu");
  accel_fake_stop(&all->fake, false);
  accel_fake_start(&all->fake);
  assert_int_equal(get(all, "area:a"), ACCEL_MISS);
  assert_string_equal(all->ears[0].order, "umdudu");
}

static void a_stop_wakes_who_waits(void **state)
{
  world *all = (world *)*state;
  putter waiting;
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE);
  putter_start(&waiting, all, "area:a");
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 1, WAIT_MS));
  accel_fake_stop(&all->fake, true);
  assert_int_equal(putter_join(&waiting), ACCEL_ERR_BACKEND);
  accel_fake_start(&all->fake);
  assert_int_equal(get(all, "area:a"), ACCEL_MISS);
}

/* ---- interleavings ---- */

static void a_blocked_call_has_not_begun_or_is_done(void **state)
{
  world *all = (world *)*state;
  for (int point = ACCEL_FAKE_BEFORE; point < ACCEL_FAKE_POINTS; point++) {
    const accel_fake_point at = (accel_fake_point)point;
    const unsigned messages = all->ears[1].messages;
    putter blocked;
    accel_fake_evict(&all->fake, "area:a");
    accel_fake_block(&all->fake, ACCEL_FAKE_PUT, at);
    putter_start(&blocked, all, "area:a");
    assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, at, 1, WAIT_MS));
    const bool is_done = at == ACCEL_FAKE_AFTER;
    assert_int_equal(get(all, "area:a"), is_done ? ACCEL_OK : ACCEL_MISS);
    assert_int_equal(all->ears[1].messages, messages + is_done);
    accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, at);
    assert_int_equal(putter_join(&blocked), ACCEL_OK);
    assert_int_equal(get(all, "area:a"), ACCEL_OK);
    assert_int_equal(put(all, "area:a"), ACCEL_OK);
  }
}

static void calls_pass_one_by_one(void **state)
{
  world *all = (world *)*state;
  putter blocked[3];
  static const char *const keys[] = {"area:a", "area:b", "area:c"};
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE);
  for (size_t i = 0; i < 3; i++) putter_start(&blocked[i], all, keys[i]);
  for (size_t left = 3; left > 0; left--) {
    assert_true(
        accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, left, WAIT_MS));
    accel_fake_pass(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 1);
    assert_false(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, left, 0));
    const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
    while (accel_fake_keys(&all->fake, NULL, NULL) < 4 - left)
      assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  for (size_t i = 0; i < 3; i++) assert_int_equal(putter_join(&blocked[i]), ACCEL_OK);
  assert_int_equal(put_within(all, "area:d", 20), ACCEL_ERR_TIMEOUT);
  accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE);
  assert_int_equal(put(all, "area:d"), ACCEL_OK);
}

/* ---- the bus ---- */

static void a_channel_goes_down_and_up(void **state)
{
  world *all = (world *)*state;
  accel_fake_channel_down(&all->fake, 1);
  accel_fake_channel_down(&all->fake, 1);
  put(all, "area:lost");
  assert_int_equal(all->ears[0].messages, 1);
  accel_fake_channel_up(&all->fake, 1);
  put(all, "area:heard");
  assert_string_equal(all->ears[1].order, "udum");
  assert_string_equal(all->ears[1].last, "heard");
  assert_int_equal(all->ears[0].downs, 0);
  assert_int_equal(all->ears[0].messages, 2);
}

static void held_messages_are_delivered_dropped_or_resumed(void **state)
{
  world *all = (world *)*state;
  static const char *const keys[] = {"area:1", "area:2", "area:3", "area:4", "area:5"};
  accel_fake_hold(&all->fake, 1);
  for (size_t i = 0; i < 5; i++) put(all, keys[i]);
  assert_int_equal(all->ears[0].messages, 5);
  assert_int_equal(all->ears[1].messages, 0);
  assert_int_equal(accel_fake_held(&all->fake, 1), 5);
  assert_int_equal(accel_fake_held(&all->fake, ACCEL_FAKE_EVERY_LINK), 5);
  assert_int_equal(accel_fake_deliver(&all->fake, 1, 2), 2);
  assert_string_equal(all->ears[1].last, "2");
  assert_int_equal(accel_fake_drop(&all->fake, ACCEL_FAKE_EVERY_LINK, 1), 1);
  assert_int_equal(accel_fake_deliver(&all->fake, 1, 1), 1);
  assert_string_equal(all->ears[1].last, "4");
  accel_fake_resume(&all->fake, 1);
  assert_string_equal(all->ears[1].last, "5");
  put(all, "area:6");
  assert_string_equal(all->ears[1].last, "6");
  assert_string_equal(all->ears[1].order, "ummmmm");
  assert_true(accel_fake_settle(&all->fake, 0));
}

static void a_broken_channel_loses_what_was_held(void **state)
{
  world *all = (world *)*state;
  accel_fake_hold(&all->fake, ACCEL_FAKE_EVERY_LINK);
  put(all, "area:a");
  accel_fake_channel_down(&all->fake, ACCEL_FAKE_EVERY_LINK);
  accel_fake_channel_up(&all->fake, ACCEL_FAKE_EVERY_LINK);
  accel_fake_resume(&all->fake, ACCEL_FAKE_EVERY_LINK);
  assert_string_equal(all->ears[0].order, "udu");
  assert_string_equal(all->ears[1].order, "udu");
}

static void orders_for_every_link_hold_for_later_ones(void **state)
{
  world *all = (world *)*state;
  accel_fake_channel_down(&all->fake, ACCEL_FAKE_EVERY_LINK);
  accel_fake_ops.detach(all->links[1]);
  memset(&all->ears[1], 0, sizeof all->ears[1]);
  assert_int_equal(attach(all, 1), ACCEL_OK);
  assert_int_equal(all->ears[1].ups, 0);
  accel_fake_channel_up(&all->fake, ACCEL_FAKE_EVERY_LINK);
  assert_string_equal(all->ears[1].order, "u");
}

static void anything_can_be_published(void **state)
{
  world *all = (world *)*state;
  assert_true(accel_fake_publish(&all->fake, "area", "forged", 6));
  assert_true(accel_fake_publish(&all->fake, "elsewhere", "unheard", 7));
  assert_true(accel_fake_publish(&all->fake, "area", NULL, 0));
  assert_int_equal(all->ears[0].messages, 2);
  assert_int_equal(all->ears[1].messages, 2);
  all->ears[0].beats = true;
  accel_fake_heartbeat(&all->fake);
  assert_int_equal(all->ears[1].messages, 3);
  assert_string_equal(all->ears[1].last, "beat");
}

/* A sink that writes when it is told of another's write. */
static world *echo_world;

static void echo_message(void *ctx, const void *data, size_t size)
{
  hear_message(ctx, data, size);
  const ear *self = (const ear *)ctx;
  if (self->messages < 5) put(echo_world, "area:echo");
}

static void a_sink_may_write(void **state)
{
  world *all = (world *)*state;
  ear self = {0};
  void *link;
  echo_world = all;
  assert_int_equal(attach_ear(all, &self, echo_message, &link), ACCEL_OK);
  put(all, "area:first");
  assert_int_equal(self.messages, 5);
  assert_int_equal(all->ears[1].messages, 5);
  assert_string_equal(all->ears[1].last, "echo");
  accel_fake_ops.detach(link);
}

/* ---- the clock, and what is held ---- */

static void the_clock_can_be_set(void **state)
{
  world *all = (world *)*state;
  const uint64_t wall_ms = accel_clock_wall_ms();
  assert_in_range(accel_fake_now_ms(&all->fake), wall_ms - 1000, wall_ms + 1000);
  accel_fake_set_now(&all->fake, 5000);
  assert_int_equal(accel_fake_now_ms(&all->fake), 5000);
  put(all, "area:a");
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 60000);
  accel_fake_set_skew(&all->fake, -2000);
  assert_int_equal(accel_fake_ops.now_ms(all->links[0]), 3000);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 60000);
  accel_fake_advance(&all->fake, 59999);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 1);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 1);
  accel_fake_advance(&all->fake, 1);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 0);
  assert_int_equal(get(all, "area:a"), ACCEL_MISS);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 0);
}

static void add_key_size(void *ctx, const char *key, size_t key_size)
{
  if (memcmp(key, "area:", 5) == 0) *(size_t *)ctx += key_size;
}

static void bytes_can_be_read_and_spoilt(void **state)
{
  world *all = (world *)*state;
  accel_buffer bytes = {NULL, 0, 0};
  assert_false(accel_fake_peek(&all->fake, "area:a", &bytes));
  put(all, "area:a");
  assert_true(accel_fake_peek(&all->fake, "area:a", &bytes));
  assert_int_equal(bytes.size, 5);
  assert_memory_equal(bytes.data, "value", 5);
  accel_buffer_release(&bytes);
  assert_true(accel_fake_poke(&all->fake, "area:a", "spoilt!", 7, ACCEL_FOREVER));
  assert_true(accel_fake_ttl_left(&all->fake, "area:a") == ACCEL_FOREVER);
  assert_true(accel_fake_peek(&all->fake, "area:a", &bytes));
  assert_int_equal(bytes.size, 7);
  accel_buffer_release(&bytes);
  size_t key_sizes = 0;
  assert_true(accel_fake_poke(&all->fake, "area:longer", "", 0, ACCEL_FOREVER));
  assert_int_equal(accel_fake_keys(&all->fake, add_key_size, &key_sizes), 2);
  assert_int_equal(key_sizes, strlen("area:a") + strlen("area:longer"));
  assert_true(accel_fake_evict(&all->fake, "area:a"));
  assert_false(accel_fake_evict(&all->fake, "area:a"));
  assert_int_equal(all->ears[0].messages, 1);
}

static void calls_and_items_are_counted(void **state)
{
  world *all = (world *)*state;
  accel_remote_item items[3] = {item_of("area:a"), item_of("area:b"), item_of("area:c")};
  accel_remote_call call = call_within(WAIT_MS);
  accel_fake_ops.put(all->links[0], items, 3, NULL, &call);
  put(all, "area:a");
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  get(all, "area:a");
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 2);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_PUT), 4);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_DEL), 0);
  accel_fake_forget_counts(&all->fake);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 0);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_PUT), 0);
}

/* ---- misuse, memory, forks ---- */

static void what_is_not_open_cannot_be_attached(void **state)
{
  world *all = (world *)*state;
  char channel[192], area[70];
  void *link = NULL;
  accel_fake closed = {NULL};
  memset(area, 'a', sizeof area - 1);
  area[sizeof area - 1] = '\0';
  accel_remote_area joined = {.area = "area", .owner = all};
  assert_int_equal(accel_fake_ops.attach(NULL, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_fake_ops.attach(&closed, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_error_text(all), "not open"));
  joined.area = area;
  assert_int_equal(accel_fake_ops.attach(&all->fake, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_null(link);
  assert_int_equal(accel_fake_open(NULL, NULL), ACCEL_ERR_CONFIG);
}

/* Every allocation of a whole life fails once; the next call works again. */
static void every_allocation_may_fail(void **state)
{
  (void)state;
  for (uint64_t n = 1, failures = 1; failures > 0; n++) {
    world all;
    memset(&all, 0, sizeof all);
    failing_alloc_fail_nth(n);
    if (accel_fake_open(&all.fake, NULL) == ACCEL_OK) {
      for (size_t i = 0; i < 2; i++)
        if (attach(&all, i) != ACCEL_OK) assert_int_equal(attach(&all, i), ACCEL_OK);
      const accel_status statuses[] = {put(&all, "area:a"), get(&all, "area:a"),
                                       put(&all, "area:b")};
      for (size_t i = 0; i < 3; i++)
        assert_true(statuses[i] == ACCEL_OK || statuses[i] == ACCEL_ERR_NOMEM ||
                    (i == 1 && statuses[i] == ACCEL_MISS && statuses[0] == ACCEL_ERR_NOMEM));
      /* Nothing is there that was not told. */
      assert_true(all.ears[1].messages >= accel_fake_keys(&all.fake, NULL, NULL));
      accel_fake_publish(&all.fake, "area", "x", 1);
      accel_fake_fail_key(&all.fake, ACCEL_FAKE_GET, "area:a", ACCEL_ERR_BACKEND, 1);
      for (size_t i = 0; i < 2; i++) accel_fake_ops.detach(all.links[i]);
    }
    accel_fake_close(&all.fake);
    failures = failing_alloc_failures();
    failing_alloc_fail_nth(0);
  }
}

static void a_forked_child_only_releases_memory(void **state)
{
  world *all = (world *)*state;
  put(all, "area:a");
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    for (size_t i = 0; i < 2; i++) accel_fake_ops.detach(all->links[i]);
    accel_fake_close(&all->fake);
    _exit(failing_alloc_live_blocks() == 0 && all->ears[0].downs == 0 ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
}

#define FAKE_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      FAKE_TEST(calls_fail_as_often_as_ordered),
      FAKE_TEST(a_lost_reply_is_done_and_told),
      FAKE_TEST(single_items_fail),
      FAKE_TEST(delays_keep_to_the_deadline),
      FAKE_TEST(a_stopped_server_answers_nobody),
      FAKE_TEST(a_stop_wakes_who_waits),
      FAKE_TEST(a_blocked_call_has_not_begun_or_is_done),
      FAKE_TEST(calls_pass_one_by_one),
      FAKE_TEST(a_channel_goes_down_and_up),
      FAKE_TEST(held_messages_are_delivered_dropped_or_resumed),
      FAKE_TEST(a_broken_channel_loses_what_was_held),
      FAKE_TEST(orders_for_every_link_hold_for_later_ones),
      FAKE_TEST(anything_can_be_published),
      FAKE_TEST(a_sink_may_write),
      FAKE_TEST(the_clock_can_be_set),
      FAKE_TEST(bytes_can_be_read_and_spoilt),
      FAKE_TEST(calls_and_items_are_counted),
      FAKE_TEST(what_is_not_open_cannot_be_attached),
      cmocka_unit_test(every_allocation_may_fail),
      FAKE_TEST(a_forked_child_only_releases_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

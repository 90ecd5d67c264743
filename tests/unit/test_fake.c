/* The fake fails, stalls and loses as it is told to, and only then. */
#include "fake_world.h"

#include <pthread.h>

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

static world *echo_world; /* for sinks that act themselves */

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

static void a_stop_wakes_calls_that_wait(void **state)
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
    assert_false(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, at, 1, 0));
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

static void break_own_channel(void *ctx, const void *data, size_t size)
{
  hear_message(ctx, data, size);
  accel_fake_channel_down(&echo_world->fake, 2);
  accel_fake_channel_up(&echo_world->fake, 2);
}

/* It broke and came back while the sink could not be told. */
static void a_gap_that_is_over_is_still_told(void **state)
{
  world *all = (world *)*state;
  ear self = {0};
  void *link;
  echo_world = all;
  assert_int_equal(attach_ear(all, &self, break_own_channel, &link), ACCEL_OK);
  put(all, "area:a");
  assert_string_equal(self.order, "umdu");
  accel_fake_ops.detach(link);
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

/* Writes when it is told of another's write. */
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

int main(void)
{
  const struct CMUnitTest tests[] = {
      FAKE_TEST(calls_fail_as_often_as_ordered),
      FAKE_TEST(a_lost_reply_is_done_and_told),
      FAKE_TEST(single_items_fail),
      FAKE_TEST(delays_keep_to_the_deadline),
      FAKE_TEST(a_stopped_server_answers_nobody),
      FAKE_TEST(a_stop_wakes_calls_that_wait),
      FAKE_TEST(a_blocked_call_has_not_begun_or_is_done),
      FAKE_TEST(calls_pass_one_by_one),
      FAKE_TEST(a_channel_goes_down_and_up),
      FAKE_TEST(held_messages_are_delivered_dropped_or_resumed),
      FAKE_TEST(a_broken_channel_loses_what_was_held),
      FAKE_TEST(a_gap_that_is_over_is_still_told),
      FAKE_TEST(orders_for_every_link_hold_for_later_ones),
      FAKE_TEST(anything_can_be_published),
      FAKE_TEST(a_sink_may_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a cache does when it may have missed a message: the channel breaks, numbers skip, bytes are
 * not what a cache sends. */
#include "cache_world.h"

/* Key 1 is in both L1s with a long life. */
static void open_filled(world *all)
{
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  assert_reads(&all->caches[1], 1, NULL, 5);
}

static accel_diagnostic diagnostic_of(const row_cache *cache)
{
  accel_diagnostic diagnostic;
  row_cache_diagnostic_snapshot(cache, &diagnostic);
  return diagnostic;
}

static void assert_expired_but_stale(row_cache *cache)
{
  accel_info info;
  const accel_read stale = {
      .allow_stale = true, .disable_load = true, .skip_remote = true, .info = &info};
  assert_status(cache, 1, &only_local, ACCEL_MISS);
  assert_reads(cache, 1, &stale, 5);
  assert_true(info.stale);
}

static void a_broken_channel_expires_what_was_cached(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  assert_true(diagnostic_of(b).channel_up);
  assert_false(diagnostic_of(b).degraded);
  const uint64_t before = metrics_of(b).epoch_raised;
  accel_fake_channel_down(&all->fake, 1);
  assert_false(diagnostic_of(b).channel_up);
  assert_true(diagnostic_of(b).degraded);
  assert_expired_but_stale(b);
  assert_int_equal(metrics_of(b).epoch_raised, before + 1);
  assert_reads(a, 1, &only_local, 5); /* the other's channel is its own */
}

static void lives_are_short_while_the_channel_is_down(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  accel_fake_channel_down(&all->fake, 1);
  assert_reads(b, 1, NULL, 5);    /* from L2 */
  assert_reads(b, 2, NULL, 1002); /* from the loader */
  assert_int_equal(put_number(b, 3, 7), ACCEL_OK);
  assert_int_equal(row_cache_set_null(b, 4), ACCEL_OK);
  for (uint64_t key = 1; key <= 4; key++) assert_int_equal(local_info(b, key).ttl_left_ms, 1000);
  assert_int_equal(put_number(a, 1, 6), ACCEL_OK); /* b does not hear of it, */
  assert_reads(b, 1, NULL, 5);
  pass(all, 1000);
  assert_reads(b, 1, NULL, 6); /* but not for long */
}

static void a_channel_that_is_back_expires_once_more(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  accel_fake_channel_down(&all->fake, 1);
  assert_reads(b, 1, NULL, 5);
  assert_int_equal(put_number(a, 1, 6), ACCEL_OK);
  accel_fake_channel_up(&all->fake, 1);
  assert_true(diagnostic_of(b).channel_up);
  assert_reads(b, 1, NULL, 6);
  assert_int_equal(local_info(b, 1).ttl_left_ms, 60000);
}

static void a_load_over_a_break_is_not_cached(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *b = &all->caches[1];
  task reader = {.cache = NULL};
  shut(&all->source);
  start(&reader, task_get, b, 1);
  await_waiting(&all->source, 1);
  accel_fake_channel_down(&all->fake, 1);
  accel_fake_channel_up(&all->fake, 1);
  reopen(&all->source);
  assert_int_equal(join(&reader), ACCEL_OK);
  assert_status(b, 1, &only_local, ACCEL_MISS);
}

static void a_set_over_a_break_is_not_cached(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *b = &all->caches[1];
  task setter = {.value = {6}};
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER);
  start(&setter, task_set, b, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER, 1, WAIT_MS));
  accel_fake_channel_down(&all->fake, 1);
  accel_fake_channel_up(&all->fake, 1);
  accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER);
  assert_int_equal(join(&setter), ACCEL_OK);
  assert_status(b, 1, &only_local, ACCEL_MISS);
  assert_reads(b, 1, NULL, 6);
}

static void the_limit_can_be_chosen_or_refused(void **state)
{
  world *all = (world *)*state;
  all->config.degraded_ttl_ms = ACCEL_FOREVER;
  open_filled(all);
  accel_fake_channel_down(&all->fake, ACCEL_FAKE_EVERY_LINK);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_int_equal(local_info(&all->caches[1], 1).ttl_left_ms, 60000);
  assert_true(diagnostic_of(&all->caches[1]).degraded);

  row_cache_close(&all->caches[1]);
  all->config.degraded_ttl_ms = 200;
  all->config.no_broadcast = true; /* a cache that does not listen misses nothing */
  assert_int_equal(row_cache_open(&all->caches[1], &all->config), ACCEL_OK);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_int_equal(local_info(&all->caches[1], 1).ttl_left_ms, 60000);
  assert_false(diagnostic_of(&all->caches[1]).degraded);
  assert_false(diagnostic_of(&all->caches[1]).listener_started);
}

/* ---- lost messages ---- */

static void a_skipped_number_expires_everything(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  const uint64_t before = metrics_of(b).epoch_raised;
  accel_fake_hold(&all->fake, 1);
  assert_int_equal(put_number(a, 2, 6), ACCEL_OK);
  assert_int_equal(put_number(a, 3, 7), ACCEL_OK);
  assert_int_equal(accel_fake_drop(&all->fake, 1, 1), 1);
  assert_reads(b, 1, &only_local, 5);
  accel_fake_resume(&all->fake, 1);
  assert_expired_but_stale(b);
  assert_int_equal(metrics_of(b).epoch_raised, before + 1);
  assert_reads(b, 1, NULL, 5); /* what follows in order costs nothing */
  assert_int_equal(put_number(a, 4, 8), ACCEL_OK);
  assert_reads(b, 1, &only_local, 5);
}

static void a_lost_last_message_shows_at_the_heartbeat(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  accel_fake_heartbeat(&all->fake); /* nothing is missing yet */
  assert_reads(b, 1, &only_local, 5);
  accel_fake_hold(&all->fake, 1);
  assert_int_equal(row_cache_del(a, 1), ACCEL_OK);
  assert_int_equal(accel_fake_drop(&all->fake, 1, 1), 1);
  accel_fake_resume(&all->fake, 1);
  assert_reads(b, 1, &only_local, 5); /* it cannot know */
  accel_fake_heartbeat(&all->fake);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
}

static void each_senders_numbers_are_its_own(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  row_cache other = {.base = {.core = NULL}};
  for (int i = 0; i < 5; i++) {
    assert_int_equal(row_cache_open(&other, &all->config), ACCEL_OK);
    for (uint64_t key = 10; key < 13; key++) assert_int_equal(put_number(&other, key, 1), ACCEL_OK);
    row_cache_close(&other);
  }
  assert_reads(&all->caches[1], 1, &only_local, 5);
}

/* ---- foreign and harmed messages ---- */

typedef struct tap {
  unsigned char bytes[256];
  size_t size;
} tap;

static void tap_message(void *ctx, const void *data, size_t size)
{
  tap *self = (tap *)ctx;
  self->size = size < sizeof self->bytes ? size : sizeof self->bytes;
  memcpy(self->bytes, data, self->size);
}

static void tap_channel(void *ctx)
{
  (void)ctx;
}

static bool tap_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  (void)ctx, (void)lane, (void)out;
  return false;
}

/* What a del of key 9 in the first cache looks like on the bus. */
static void tap_del(world *all, tap *self)
{
  void *link;
  char channel[192];
  const accel_remote_area area = {
      .area = "rows",
      .has_listener = true,
      .sink = {self, tap_message, tap_channel, tap_channel, tap_heartbeat},
      .owner = all,
  };
  assert_int_equal(accel_fake_ops.attach(&all->fake, &area, &link, channel), ACCEL_OK);
  assert_int_equal(row_cache_del(&all->caches[0], 9), ACCEL_OK);
  accel_fake_ops.detach(link);
  assert_in_range(self->size, 1, sizeof self->bytes - 1);
}

static void assert_distrusted(world *all, const void *data, size_t size)
{
  row_cache *b = &all->caches[1];
  assert_reads(b, 1, NULL, 5);
  assert_reads(b, 1, &only_local, 5);
  const accel_metrics before = metrics_of(b);
  assert_true(accel_fake_publish(&all->fake, "rows", data, size));
  assert_true(accel_fake_settle(&all->fake, WAIT_MS));
  const accel_metrics after = metrics_of(b);
  assert_int_equal(after.invalidation_receive_failures, before.invalidation_receive_failures + 1);
  assert_int_equal(after.epoch_raised, before.epoch_raised + 1);
  assert_status(b, 1, &only_local, ACCEL_MISS);
}

static void a_message_that_is_not_ours_expires_everything(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  assert_distrusted(all, "", 0);
  assert_distrusted(all, "hello", 5);
  char zeros[64] = {0};
  assert_distrusted(all, zeros, sizeof zeros);
}

static void so_does_one_that_was_harmed(void **state)
{
  world *all = (world *)*state;
  open_filled(all);
  tap message = {.size = 0};
  tap_del(all, &message);
  for (size_t size = 0; size < message.size; size++) assert_distrusted(all, message.bytes, size);
  for (size_t i = 0; i < message.size; i++) {
    message.bytes[i] ^= (unsigned char)(1u << i % 8);
    assert_distrusted(all, message.bytes, message.size);
    message.bytes[i] ^= (unsigned char)(1u << i % 8);
  }
  message.bytes[message.size] = 0;
  assert_distrusted(all, message.bytes, message.size + 1);
  assert_reads(&all->caches[1], 1, NULL, 5);
  assert_true(accel_fake_publish(&all->fake, "rows", message.bytes, message.size));
  assert_reads(&all->caches[1], 1, &only_local, 5); /* whole, and about another key */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_broken_channel_expires_what_was_cached),
      WORLD_TEST(lives_are_short_while_the_channel_is_down),
      WORLD_TEST(a_channel_that_is_back_expires_once_more),
      WORLD_TEST(a_load_over_a_break_is_not_cached),
      WORLD_TEST(a_set_over_a_break_is_not_cached),
      WORLD_TEST(the_limit_can_be_chosen_or_refused),
      WORLD_TEST(a_skipped_number_expires_everything),
      WORLD_TEST(a_lost_last_message_shows_at_the_heartbeat),
      WORLD_TEST(each_senders_numbers_are_its_own),
      WORLD_TEST(a_message_that_is_not_ours_expires_everything),
      WORLD_TEST(so_does_one_that_was_harmed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Two caches on one server: what one writes, the other sees, however their steps interleave. */
#include "cache_world.h"

static void open_with(world *all, uint64_t key, uint64_t number)
{
  open_caches(all);
  assert_int_equal(put_number(&all->caches[0], key, number), ACCEL_OK);
  assert_reads(&all->caches[1], key, NULL, number);
  accel_fake_forget_counts(&all->fake);
}

/* ---- writes are seen ---- */

static void a_write_is_seen_by_the_other_cache(void **state)
{
  world *all = (world *)*state;
  open_with(all, 1, 5);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  assert_int_equal(put_number(a, 1, 6), ACCEL_OK);
  assert_status(b, 1, &only_local, ACCEL_MISS);
  assert_reads(b, 1, NULL, 6);
  assert_int_equal(row_cache_set_null(b, 1), ACCEL_OK);
  assert_status(a, 1, NULL, ACCEL_NULL);
  assert_int_equal(put_number(a, 1, 7), ACCEL_OK);
  assert_reads(b, 1, NULL, 7);
  assert_int_equal(row_cache_del(b, 1), ACCEL_OK);
  assert_status(a, 1, &only_cached, ACCEL_MISS);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
  assert_int_equal(row_cache_del(b, 1), ACCEL_OK); /* again is fine */
}

static void batches_and_clear_are_seen_too(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  const uint64_t keys[3] = {1, 2, 1};
  row values[3] = {{11}, {12}, {13}};
  assert_reads(b, 1, NULL, 1001);
  assert_reads(b, 2, NULL, 1002);
  accel_fake_forget_counts(&all->fake);
  assert_int_equal(row_cache_mset(a, keys, values, 3), ACCEL_OK);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 1);
  assert_reads(b, 1, NULL, 13); /* the last duplicate wins */
  assert_reads(b, 2, NULL, 12);
  assert_int_equal(row_cache_mdel(a, keys, 3), ACCEL_OK);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_DEL), 1);
  assert_status(b, 1, &only_cached, ACCEL_MISS);
  assert_status(b, 2, &only_cached, ACCEL_MISS);

  assert_int_equal(row_cache_mset(a, keys, values, 3), ACCEL_OK);
  assert_reads(b, 2, NULL, 12);
  assert_int_equal(row_cache_clear(a), ACCEL_OK);
  for (int i = 0; i < 2; i++) assert_status(&all->caches[i], 2, &only_cached, ACCEL_MISS);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 0);
}

static void remote_first_and_own_messages_are_ignored(void **state)
{
  world *all = (world *)*state;
  open_with(all, 1, 5);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  task setter = {.value = {6}};
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE);
  start(&setter, task_set, a, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, 1, WAIT_MS));
  assert_status(a, 1, &only_local, ACCEL_MISS); /* neither the old value nor the new one */
  accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE);
  assert_int_equal(join(&setter), ACCEL_OK);
  assert_reads(a, 1, &only_local, 6);
  assert_int_equal(metrics_of(a).invalidation_publish, 2);
  assert_int_equal(metrics_of(a).invalidation_receive, 0);
  assert_int_equal(metrics_of(b).invalidation_receive, 2);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 1);
}

static void an_unconfirmed_write_leaves_nothing_in_local(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0];
  for (int point = 0; point < ACCEL_FAKE_POINTS; point++) {
    const accel_fake_point when = (accel_fake_point)point;
    assert_int_equal(put_number(a, 1, 5), ACCEL_OK);
    accel_fake_fail(&all->fake, ACCEL_FAKE_PUT, when, ACCEL_ERR_TIMEOUT, 1);
    assert_int_equal(put_number(a, 1, 6), ACCEL_ERR_BACKEND);
    assert_status(a, 1, &only_local, ACCEL_MISS);
    assert_string_not_equal(row_cache_last_error(a), "");
    assert_int_equal(put_number(a, 1, 5), ACCEL_OK);
    accel_fake_fail(&all->fake, ACCEL_FAKE_DEL, when, ACCEL_ERR_BACKEND, 1);
    assert_int_equal(row_cache_del(a, 1), ACCEL_ERR_BACKEND);
    assert_status(a, 1, &only_local, ACCEL_MISS);
  }
  accel_fake_fail(&all->fake, ACCEL_FAKE_CLEAR, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(put_number(a, 2, 5), ACCEL_OK);
  assert_int_equal(row_cache_clear(a), ACCEL_ERR_BACKEND);
  assert_status(a, 2, &only_local, ACCEL_MISS);
}

static void one_unconfirmed_key_of_a_batch(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0];
  const uint64_t keys[3] = {1, 2, 3};
  const row values[3] = {{11}, {12}, {13}};
  assert_true(accel_fake_fail_key(&all->fake, ACCEL_FAKE_PUT, "rows:2", ACCEL_ERR_BACKEND, 1));
  assert_int_equal(row_cache_mset(a, keys, values, 3), ACCEL_ERR_BACKEND);
  assert_reads(a, 1, &only_local, 11);
  assert_status(a, 2, &only_local, ACCEL_MISS);
  assert_reads(a, 3, &only_local, 13);
}

static void a_load_that_remote_did_not_take_is_kept(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  accel_fake_fail(&all->fake, ACCEL_FAKE_FILL, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 2);
  assert_reads(&all->caches[0], 1, NULL, 1001);
  assert_int_equal(local_info(&all->caches[0], 1).ttl_left_ms, 60000);
  accel_fake_channel_down(&all->fake, 0);
  assert_reads(&all->caches[0], 2, NULL, 1002);
  assert_int_equal(local_info(&all->caches[0], 2).ttl_left_ms, 1000);
}

/* ---- loads do not overwrite newer data ---- */

/* A read of `b` is held while its answer from L2 is on its way. */
static void start_slow_read(world *all, task *reader)
{
  accel_fake_block(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_AFTER);
  start(reader, task_get, &all->caches[1], 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_AFTER, 1, WAIT_MS));
}

static void assert_old_is_read_but_not_kept(world *all, task *reader)
{
  accel_fake_unblock(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_AFTER);
  assert_int_equal(join(reader), ACCEL_OK);
  assert_int_equal(reader->value.number, 5); /* it was true when the read began */
  assert_int_equal(metrics_of(&all->caches[1]).local_fill_refused, 1);
}

static void a_miss_does_not_fill_over_a_write_of_another(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task reader = {.cache = NULL};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  start_slow_read(all, &reader);
  assert_int_equal(put_number(&all->caches[0], 1, 6), ACCEL_OK);
  assert_old_is_read_but_not_kept(all, &reader);
  assert_status(&all->caches[1], 1, &only_local, ACCEL_MISS);
  assert_reads(&all->caches[1], 1, NULL, 6);
}

static void nor_over_a_del_of_its_own(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task reader = {.cache = NULL};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  start_slow_read(all, &reader);
  assert_int_equal(row_cache_del(&all->caches[1], 1), ACCEL_OK);
  assert_old_is_read_but_not_kept(all, &reader);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void nor_over_a_clear(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task reader = {.cache = NULL};
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  start_slow_read(all, &reader);
  assert_int_equal(row_cache_clear(&all->caches[0]), ACCEL_OK);
  assert_old_is_read_but_not_kept(all, &reader);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static void a_slow_load_does_not_overwrite_newer_data(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  task reader = {.cache = NULL};
  shut(&all->source);
  start(&reader, task_get, b, 1);
  await_waiting(&all->source, 1);
  assert_int_equal(put_number(a, 1, 6), ACCEL_OK);
  reopen(&all->source);
  assert_int_equal(join(&reader), ACCEL_OK);
  assert_int_equal(reader.value.number, 1001);
  AWAIT(b, local_fill_refused, 1);
  assert_reads(b, 1, NULL, 6);
  assert_reads(a, 1, NULL, 6);
}

static void a_reader_after_a_write_does_not_join_an_older_load(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *a = &all->caches[0];
  task reader = {.cache = NULL};
  shut(&all->source);
  start(&reader, task_get, a, 1);
  await_waiting(&all->source, 1);
  assert_int_equal(row_cache_del(a, 1), ACCEL_OK);
  source_set(&all->source, 2000, ACCEL_OK, true);
  task later = {.cache = NULL};
  start(&later, task_get, a, 1);
  await_waiting(&all->source, 2);
  reopen(&all->source);
  assert_int_equal(join(&later), ACCEL_OK);
  assert_int_equal(later.value.number, 2001);
  assert_int_equal(join(&reader), ACCEL_OK);
  assert_reads(a, 1, &only_cached, 2001);
}

/* A read between the steps of a write may still find the old value in L2, and fill L1 with it. */
static void read_during(world *all, accel_fake_op op, void *(*write)(void *), task *writer)
{
  row_cache *a = &all->caches[0];
  accel_fake_block(&all->fake, op, ACCEL_FAKE_BEFORE);
  start(writer, write, a, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, op, ACCEL_FAKE_BEFORE, 1, WAIT_MS));
  assert_reads(a, 1, NULL, 5);
  accel_fake_unblock(&all->fake, op, ACCEL_FAKE_BEFORE);
  assert_int_equal(join(writer), ACCEL_OK);
}

static void what_is_read_during_a_write_does_not_stay(void **state)
{
  world *all = (world *)*state;
  open_with(all, 1, 5);
  task setter = {.value = {6}}, deleter = {.cache = NULL};
  read_during(all, ACCEL_FAKE_DEL, task_del, &deleter);
  assert_status(&all->caches[0], 1, &only_cached, ACCEL_MISS);
  assert_int_equal(put_number(&all->caches[1], 1, 5), ACCEL_OK);
  read_during(all, ACCEL_FAKE_PUT, task_set, &setter);
  assert_reads(&all->caches[0], 1, &only_local, 6);
}

static void the_keys_of_a_batch_do_not_disturb_each_other(void **state)
{
  enum { MANY = 500 };
  world *all = (world *)*state;
  open_caches(all);
  static uint64_t keys[MANY];
  static row values[MANY];
  for (size_t i = 0; i < MANY; i++) values[i].number = keys[i] = i + 1;
  assert_int_equal(row_cache_mset(&all->caches[0], keys, values, MANY), ACCEL_OK);
  for (size_t i = 0; i < MANY; i++) assert_reads(&all->caches[0], keys[i], &only_local, keys[i]);
}

/* Two sets of one key are on their way at once; either may be the one to return first. */
static void overlap(world *all, accel_fake_point when)
{
  row_cache *a = &all->caches[0];
  task first = {.value = {6}}, second = {.value = {7}};
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, when);
  start(&first, task_set, a, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, when, 1, WAIT_MS));
  start(&second, task_set, a, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, when, 2, WAIT_MS));
  accel_fake_pass(&all->fake, ACCEL_FAKE_PUT, when, 1);
  while (!is_done(&first) && !is_done(&second)) nap();
  assert_status(a, 1, &only_local, ACCEL_MISS);
  accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, when);
  assert_int_equal(join(&first), ACCEL_OK);
  assert_int_equal(join(&second), ACCEL_OK);
  assert_status(a, 1, &only_local, ACCEL_MISS);
}

static void sets_that_overlap_do_not_fill_local(void **state)
{
  world *all = (world *)*state;
  open_with(all, 1, 5);
  row_cache *a = &all->caches[0], *b = &all->caches[1];
  for (int round = 0; round < 20; round++) {
    overlap(all, round % 2 == 0 ? ACCEL_FAKE_BEFORE : ACCEL_FAKE_AFTER);
    row in_a, in_b;
    assert_int_equal(row_cache_get_with(a, 1, &only_cached, &in_a), ACCEL_OK);
    assert_int_equal(row_cache_get_with(b, 1, &only_cached, &in_b), ACCEL_OK);
    assert_int_equal(in_a.number, in_b.number);
  }
  assert_int_equal(put_number(a, 1, 8), ACCEL_OK); /* alone again */
  assert_reads(a, 1, &only_local, 8);
}

/* `a` waits for the reply to its set while `write` goes through in `b`. */
static void overtake(world *all, task *setter, task *other, void *(*write)(void *))
{
  accel_fake_block(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER);
  start(setter, task_set, &all->caches[0], 1);
  assert_true(accel_fake_wait_blocked(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER, 1, WAIT_MS));
  start(other, write, &all->caches[1], 1);
  AWAIT(&all->caches[0], invalidation_receive, 1);
  accel_fake_unblock(&all->fake, ACCEL_FAKE_PUT, ACCEL_FAKE_AFTER);
  assert_int_equal(join(setter), ACCEL_OK);
  assert_int_equal(join(other), ACCEL_OK);
  assert_status(&all->caches[0], 1, &only_local, ACCEL_MISS);
}

static void a_set_that_another_cache_overtook_does_not_fill_local(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task setter = {.value = {6}}, other = {.value = {7}};
  overtake(all, &setter, &other, task_set);
  for (int i = 0; i < 2; i++) assert_reads(&all->caches[i], 1, &only_cached, 7);
}

static void nor_one_that_another_cache_removed(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task setter = {.value = {6}}, other = {.cache = NULL};
  overtake(all, &setter, &other, task_del);
  for (int i = 0; i < 2; i++) assert_status(&all->caches[i], 1, &only_cached, ACCEL_MISS);
}

static void a_fill_does_not_disturb_a_neighbour(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  for (uint64_t key = 0; key < 500; key++) assert_reads(&all->caches[0], key, NULL, 1000 + key);
  assert_int_equal(metrics_of(&all->caches[0]).local_fill_refused, 0);
  all->config.remote = NULL; /* without L2 a set is unconditional */
  row_cache_close(&all->caches[1]);
  assert_int_equal(row_cache_open(&all->caches[1], &all->config), ACCEL_OK);
  assert_int_equal(put_number(&all->caches[1], 1, 5), ACCEL_OK);
  assert_reads(&all->caches[1], 1, NULL, 5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_write_is_seen_by_the_other_cache),
      WORLD_TEST(batches_and_clear_are_seen_too),
      WORLD_TEST(remote_first_and_own_messages_are_ignored),
      WORLD_TEST(an_unconfirmed_write_leaves_nothing_in_local),
      WORLD_TEST(one_unconfirmed_key_of_a_batch),
      WORLD_TEST(a_load_that_remote_did_not_take_is_kept),
      WORLD_TEST(a_miss_does_not_fill_over_a_write_of_another),
      WORLD_TEST(nor_over_a_del_of_its_own),
      WORLD_TEST(nor_over_a_clear),
      WORLD_TEST(a_slow_load_does_not_overwrite_newer_data),
      WORLD_TEST(a_reader_after_a_write_does_not_join_an_older_load),
      WORLD_TEST(what_is_read_during_a_write_does_not_stay),
      WORLD_TEST(a_set_that_another_cache_overtook_does_not_fill_local),
      WORLD_TEST(nor_one_that_another_cache_removed),
      WORLD_TEST(the_keys_of_a_batch_do_not_disturb_each_other),
      WORLD_TEST(sets_that_overlap_do_not_fill_local),
      WORLD_TEST(a_fill_does_not_disturb_a_neighbour),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

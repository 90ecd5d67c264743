/* One load per key for batches: what others load is waited for, duplicates cost nothing, and a
 * failure is that of its own keys. */
#include "cache_world.h"

typedef struct batch {
  row_cache *cache;
  uint64_t keys[100];
  size_t count;
  accel_read read;
  row values[100];
  accel_status statuses[100], status;
  pthread_t thread;
} batch;

static void *task_mget(void *ctx)
{
  batch *self = (batch *)ctx;
  self->status = row_cache_mget(self->cache, self->keys, self->count, &self->read, self->values,
                                self->statuses);
  return NULL;
}

static void batch_start(batch *self, row_cache *cache, uint64_t first, size_t count)
{
  self->cache = cache;
  self->count = count;
  for (size_t i = 0; i < count; i++) self->keys[i] = first + i;
  assert_int_equal(pthread_create(&self->thread, NULL, task_mget, self), 0);
}

static void assert_batch_read(batch *self)
{
  pthread_join(self->thread, NULL);
  assert_int_equal(self->status, ACCEL_OK);
  for (size_t i = 0; i < self->count; i++) {
    assert_int_equal(self->statuses[i], ACCEL_OK);
    assert_int_equal(self->values[i].number, 1000 + self->keys[i]);
  }
}

static void a_batch_loads_what_nobody_is_loading(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  row_cache_set_mloader(rows, load_rows, &all->source);
  static batch forty, hundred;
  memset(&forty, 0, sizeof forty);
  memset(&hundred, 0, sizeof hundred);
  shut(&all->source);
  forty.read.skip_remote = true;
  batch_start(&forty, rows, 30, 40);
  await_waiting(&all->source, 1);
  batch_start(&hundred, rows, 0, 100);
  await_waiting(&all->source, 2);
  reopen(&all->source);
  assert_batch_read(&forty);
  assert_batch_read(&hundred);
  for (size_t i = 0; i < 100; i++) assert_int_equal(all->source.asked[i], 1);
  assert_int_equal(source_calls(&all->source), 2);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_FILL), 1);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_GET), 60);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_FILL), 60);
  assert_int_equal(metrics_of(rows).load_shared, 40);
}

static void a_batch_publishes_its_own_keys_before_it_waits(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  static batch waiting;
  memset(&waiting, 0, sizeof waiting);
  task slow = {.source = &all->slow_source};
  shut(&all->slow_source);
  start(&slow, task_get, rows, 0);
  await_waiting(&all->slow_source, 1);
  batch_start(&waiting, rows, 0, 3);
  AWAIT(rows, load_success, 2);
  assert_reads(rows, 1, NULL, 1001);
  assert_reads(rows, 2, NULL, 1002);
  reopen(&all->slow_source);
  assert_int_equal(join(&slow), ACCEL_OK);
  assert_batch_read(&waiting);
  assert_int_equal(source_calls(&all->source), 2);
}

static void duplicates_cost_nothing_and_order_is_kept(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  const uint64_t keys[6] = {5, 9, 5, 6, 5, 9};
  row values[6];
  accel_status statuses[6];
  assert_int_equal(put_number(&all->caches[0], 9, 900), ACCEL_OK);
  accel_fake_forget_counts(&all->fake);
  assert_int_equal(row_cache_mget(&all->caches[0], keys, 6, NULL, values, statuses), ACCEL_OK);
  const uint64_t expected[6] = {1005, 900, 1005, 1006, 1005, 900};
  for (int i = 0; i < 6; i++) {
    assert_int_equal(statuses[i], ACCEL_OK);
    assert_int_equal(values[i].number, expected[i]);
  }
  assert_int_equal(source_calls(&all->source), 2); /* no mloader: the loader, per key */
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_FILL), 1);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_FILL), 2);
  assert_int_equal(metrics_of(&all->caches[0]).load_shared, 0);
  accel_fake_forget_counts(&all->fake);
  accel_ignore(row_cache_mget(&all->caches[1], keys, 6, &only_cached, values, statuses));
  for (int i = 0; i < 6; i++) assert_int_equal(values[i].number, expected[i]);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_GET), 3);
}

static accel_status load_some(void *ctx, const uint64_t *keys, size_t count, row *values_out,
                              accel_status *statuses_out)
{
  for (size_t i = 0; i < count; i++) {
    if (keys[i] % 4 == 0) continue; /* left at ACCEL_MISS */
    statuses_out[i] = keys[i] % 4 == 1 ? (accel_status)(-1000 - (int)keys[i]) : ACCEL_OK;
    values_out[i].number = keys[i];
  }
  return *(accel_status *)ctx;
}

static void a_failure_marks_its_own_keys(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  accel_status whole = ACCEL_OK, statuses[5];
  row values[5];
  row_cache_set_mloader(rows, load_some, &whole);
  const uint64_t keys[5] = {2, 4, 9, 5, 3};
  assert_int_equal(row_cache_mget(rows, keys, 5, NULL, values, statuses), -1009);
  const accel_status expected[5] = {ACCEL_OK, ACCEL_NULL, (accel_status)-1009, (accel_status)-1005,
                                    ACCEL_OK};
  for (int i = 0; i < 5; i++) assert_int_equal(statuses[i], expected[i]);
  assert_int_equal(values[4].number, 3);
  assert_status(rows, 4, &only_local, ACCEL_NULL);

  whole = ACCEL_ERR_LOADER; /* hits keep their values, the rest get its status */
  const uint64_t later[3] = {6, 2, 7};
  assert_int_equal(row_cache_mget(rows, later, 3, NULL, values, statuses), ACCEL_ERR_LOADER);
  assert_int_equal(statuses[0], ACCEL_ERR_LOADER);
  assert_int_equal(statuses[1], ACCEL_OK);
  assert_int_equal(values[1].number, 2);
  assert_int_equal(statuses[2], ACCEL_ERR_LOADER);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_batch_loads_what_nobody_is_loading),
      WORLD_TEST(a_batch_publishes_its_own_keys_before_it_waits),
      WORLD_TEST(duplicates_cost_nothing_and_order_is_kept),
      WORLD_TEST(a_failure_marks_its_own_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

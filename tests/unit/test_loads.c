/* How loads are shared, bounded and batched. */
#include "cache_world.h"

#define MANY 32

/* ---- one load for many readers ---- */

static void one_load_for_many_threads_on_a_cold_key(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  static task readers[MANY];
  memset(readers, 0, sizeof readers);
  shut(&all->source);
  for (size_t i = 0; i < MANY; i++) start(&readers[i], task_get, rows, 1);
  AWAIT(rows, load_shared, MANY - 1);
  reopen(&all->source);
  for (size_t i = 0; i < MANY; i++) {
    assert_int_equal(join(&readers[i]), ACCEL_OK);
    assert_int_equal(readers[i].value.number, 1001);
  }
  assert_int_equal(source_calls(&all->source), 1);
  assert_int_equal(metrics_of(rows).load_total, 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_FILL), 1);
}

static void one_flight_whichever_function_started_it(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  task leader = {.source = &all->slow_source}, follower = {.cache = NULL};
  shut(&all->slow_source);
  start(&leader, task_get, rows, 1);
  await_waiting(&all->slow_source, 1);
  start(&follower, task_get, rows, 1); /* would ask the registered loader */
  AWAIT(rows, load_shared, 1);
  assert_int_equal(row_cache_refresh(rows, 1), ACCEL_OK);
  reopen(&all->slow_source);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_int_equal(join(&follower), ACCEL_OK);
  assert_int_equal(source_calls(&all->source), 0);
  assert_int_equal(source_calls(&all->slow_source), 1);
}

/* A read that skips L1 leads: what others want there gets there all the same. */
static void followers_have_L1_filled_by_a_leader_that_skips_it(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  task leader = {.read = {.skip_local = true}}, follower = {.cache = NULL};
  shut(&all->source);
  start(&leader, task_get, rows, 1);
  await_waiting(&all->source, 1);
  start(&follower, task_get, rows, 1);
  AWAIT(rows, load_shared, 1);
  reopen(&all->source);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_int_equal(join(&follower), ACCEL_OK);
  assert_reads(rows, 1, &only_local, 1001);
  assert_reads(rows, 2, &leader.read, 1002);
  assert_status(rows, 2, &only_local, ACCEL_MISS); /* nobody wanted it there */
}

/* The leader skips L1; another reader comes when its call of L2 has got that far. */
static void assert_follower_fills(world *all, accel_fake_op op, accel_fake_point point,
                                  uint64_t number)
{
  row_cache *rows = &all->caches[0];
  task leader = {.read = {.skip_local = true}}, follower = {.cache = NULL};
  accel_fake_block(&all->fake, op, point);
  start(&leader, task_get, rows, 1);
  assert_true(accel_fake_wait_blocked(&all->fake, op, point, 1, WAIT_MS));
  start(&follower, task_get, rows, 1);
  AWAIT(rows, load_shared, 1);
  accel_fake_unblock(&all->fake, op, point);
  assert_int_equal(join(&leader), ACCEL_OK);
  assert_int_equal(join(&follower), ACCEL_OK);
  assert_int_equal(follower.value.number, number);
  assert_reads(rows, 1, &only_local, number);
}

static void the_same_where_the_value_comes_from_L2(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  assert_int_equal(put_number(&all->caches[1], 1, 5), ACCEL_OK);
  assert_follower_fills(all, ACCEL_FAKE_GET, ACCEL_FAKE_AFTER, 5);
}

/* Even for a reader that comes when the leader has its value, and gives it to L2. */
static void the_same_for_a_reader_that_comes_late(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  assert_follower_fills(all, ACCEL_FAKE_FILL, ACCEL_FAKE_BEFORE, 1001);
  assert_int_equal(source_calls(&all->source), 1);
}

static void a_follower_waits_no_longer_than_its_own_limit(void **state)
{
  world *all = (world *)*state;
  all->config.loader_timeout_ms = 30;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  task leader = {.source = &all->slow_source};
  shut(&all->slow_source);
  start(&leader, task_get, rows, 1);
  await_waiting(&all->slow_source, 1);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  assert_status(rows, 1, NULL, ACCEL_ERR_TIMEOUT);
  const uint64_t waited_ms = accel_clock_monotonic_ms() - began_ms;
  assert_true(waited_ms >= 29);
  reopen(&all->slow_source);
  assert_int_equal(join(&leader), ACCEL_OK); /* it ran in its caller, which no limit concerns */
  assert_reads(rows, 1, &only_local, 1001);
}

static void followers_get_the_leaders_failure_or_their_stale_value(void **state)
{
  world *all = (world *)*state;
  all->config.local_ttl_ms = all->config.remote_ttl_ms = 1000;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 1, 5), ACCEL_OK);
  pass(all, 1000);
  source_set(&all->source, 1000, (accel_status)-1234, true);
  task tasks[3] = {{.cache = NULL}, {.cache = NULL}, {.read = {.allow_stale = true}}};
  for (int i = 0; i < 3; i++) start(&tasks[i], task_get, rows, 1);
  AWAIT(rows, load_shared, 2);
  reopen(&all->source);
  assert_int_equal(join(&tasks[0]), -1234);
  assert_int_equal(join(&tasks[1]), -1234);
  assert_int_equal(join(&tasks[2]), ACCEL_OK);
  assert_int_equal(tasks[2].value.number, 5);
  assert_string_equal(tasks[0].error, tasks[1].error);
  assert_non_null(strstr(tasks[0].error, "-1234"));
  assert_int_equal(source_calls(&all->source), 1);
}

static void unshared_where_it_is_turned_off(void **state)
{
  world *all = (world *)*state;
  all->config.no_penetration_protect = true;
  open_caches(all);
  task tasks[3] = {{.cache = NULL}, {.cache = NULL}, {.cache = NULL}};
  shut(&all->source);
  for (int i = 0; i < 3; i++) start(&tasks[i], task_get, &all->caches[0], 1);
  await_waiting(&all->source, 3);
  reopen(&all->source);
  for (int i = 0; i < 3; i++) assert_int_equal(join(&tasks[i]), ACCEL_OK);
}

/* A loader that reads another key of the same cache on its way. */
typedef struct detour {
  row_cache *rows;
  uint64_t other;
  source *stop; /* where it halts first */
  accel_status seen;
} detour;

static accel_status load_by_detour(void *ctx, uint64_t key, row *out)
{
  detour *self = (detour *)ctx;
  source_ask(self->stop, &key, 1, out);
  self->seen = row_cache_get_or_load(self->rows, self->other, NULL, load_row, self->stop, out);
  return self->seen;
}

static void a_loader_that_needs_its_own_key_gets_an_error(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  detour again = {rows, 1, &all->source, ACCEL_OK};
  row value;
  assert_int_equal(row_cache_get_or_load(rows, 1, NULL, load_by_detour, &again, &value),
                   ACCEL_ERR_CONFIG);
  assert_int_equal(again.seen, ACCEL_ERR_CONFIG);
  row_cache_set_loader(rows, load_by_detour, &again);
  assert_status(rows, 1, NULL, ACCEL_ERR_CONFIG); /* on a thread of the executor */
  const accel_read stale = {.allow_stale = true};
  assert_status(rows, 1, &stale, ACCEL_ERR_CONFIG);
  again.other = 2; /* another key is fine */
  assert_reads(rows, 1, NULL, 1002);
}

static void *get_by_detour(void *ctx)
{
  task *self = (task *)ctx;
  detour way = {self->cache, self->value.number, self->source, ACCEL_OK};
  row value;
  self->status = row_cache_get_or_load(self->cache, self->key, NULL, load_by_detour, &way, &value);
  return NULL;
}

static void loaders_that_need_each_others_keys_get_an_error(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  task first = {.source = &all->source, .value = {2}},
       second = {.source = &all->source, .value = {1}};
  shut(&all->source);
  start(&first, get_by_detour, &all->caches[0], 1);
  start(&second, get_by_detour, &all->caches[0], 2);
  await_waiting(&all->source, 2);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  reopen(&all->source);
  assert_int_equal(join(&first), ACCEL_ERR_CONFIG);
  assert_int_equal(join(&second), ACCEL_ERR_CONFIG);
  assert_in_range(accel_clock_monotonic_ms() - began_ms, 0, WAIT_MS / 2); /* not by the limit */
}

/* ---- why a load failed ---- */

static accel_status load_with_a_reason(void *ctx, uint64_t key, row *out)
{
  (void)out;
  if (key == 2) { /* one that is got over is not the reason */
    accel_error_set(ctx, ACCEL_ERR_TIMEOUT, "the replica is slow");
    return ACCEL_ERR_LOADER;
  }
  return accel_error_set(ctx, -1234, "row %u is locked", (unsigned)key);
}

static void a_failed_load_tells_its_own_reason(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  row out;
  row_cache_set_loader(rows, load_with_a_reason, NULL);
  assert_int_equal(row_cache_get(rows, 1, &out), -1234);
  assert_non_null(strstr(row_cache_last_error(rows), "row 1 is locked"));
  assert_int_equal(row_cache_get(rows, 2, &out), ACCEL_ERR_LOADER);
  assert_null(strstr(row_cache_last_error(rows), "the replica is slow"));
  assert_non_null(strstr(row_cache_last_error(rows), "status -3, the loader failed"));
  assert_int_equal(row_cache_get_or_load(rows, 3, NULL, load_with_a_reason, rows, &out), -1234);
  assert_non_null(strstr(row_cache_last_error(rows), "row 3 is locked"));
}

/* ---- limits ---- */

static void open_impatient(world *all)
{
  all->config.loader_timeout_ms = 20;
  open_caches(all);
  shut(&all->source);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  do { /* a busy machine may not begin the load within the limit, and then drops it */
    assert_true(accel_clock_monotonic_ms() < until_ms);
    assert_status(&all->caches[0], 1, NULL, ACCEL_ERR_TIMEOUT);
  } while (source_calls(&all->source) == 0);
  assert_true(metrics_of(&all->caches[0]).load_timeout >= 1);
  assert_non_null(strstr(row_cache_last_error(&all->caches[0]), "loader_timeout_ms, 20"));
}

static void what_comes_after_the_hard_limit_is_cached(void **state)
{
  world *all = (world *)*state;
  open_impatient(all);
  reopen(&all->source);
  await_number(&all->caches[0], 1, 1001);
  assert_reads(&all->caches[1], 1, &only_cached, 1001); /* in L2 too */
  assert_int_equal(source_calls(&all->source), 1);
}

static void but_not_over_a_set(void **state)
{
  world *all = (world *)*state;
  open_impatient(all);
  assert_int_equal(put_number(&all->caches[0], 1, 5), ACCEL_OK);
  reopen(&all->source);
  AWAIT(&all->caches[0], local_fill_refused, 1);
  assert_reads(&all->caches[0], 1, &only_local, 5);
  assert_reads(&all->caches[1], 1, &only_cached, 5);
}

static void nor_over_a_del(void **state)
{
  world *all = (world *)*state;
  open_impatient(all);
  assert_int_equal(row_cache_del(&all->caches[0], 1), ACCEL_OK);
  reopen(&all->source);
  AWAIT(&all->caches[0], local_fill_refused, 1);
  assert_status(&all->caches[0], 1, &only_cached, ACCEL_MISS);
  assert_status(&all->caches[1], 1, &only_cached, ACCEL_MISS);
}

static accel_status load_here(void *ctx, uint64_t key, row *out)
{
  out->number = key;
  return pthread_equal(*(pthread_t *)ctx, pthread_self()) ? ACCEL_OK : ACCEL_ERR_LOADER;
}

static void without_a_limit_the_caller_loads(void **state)
{
  world *all = (world *)*state;
  all->config.loader_timeout_ms = ACCEL_FOREVER;
  open_caches(all);
  pthread_t here = pthread_self();
  row_cache_set_loader(&all->caches[0], load_here, &here);
  assert_reads(&all->caches[0], 1, NULL, 1);
}

/* Two reads that meet in a queue with one place: whichever came first is refused. */
static task *await_refused(task *one, task *other)
{
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  while (!is_done(one) && !is_done(other)) {
    if (accel_clock_monotonic_ms() > deadline_ms) fail_msg("both reads wait");
    nap();
  }
  task *refused = is_done(one) ? one : other;
  assert_int_equal(join(refused), ACCEL_ERR_LOADER);
  return refused == one ? other : one;
}

static void a_full_executor_is_an_answer_too(void **state)
{
  world *all = (world *)*state;
  const accel_executor_config small = {.max_threads = 1, .queue_size = 1};
  accel_executor executor;
  assert_int_equal(accel_executor_open(&executor, &small), ACCEL_OK);
  all->config.executor = &executor;
  all->config.local_ttl_ms = all->config.remote_ttl_ms = 1000;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 9, 5), ACCEL_OK);
  pass(all, 1000);
  shut(&all->source);
  assert_int_equal(row_cache_refresh(rows, 1), ACCEL_OK);
  await_waiting(&all->source, 1);
  assert_int_equal(row_cache_refresh(rows, 2), ACCEL_OK); /* the background's one place */
  assert_int_equal(row_cache_refresh(rows, 4), ACCEL_ERR_LOADER);
  task first = {.cache = NULL}, second = {.cache = NULL}, last = {.cache = NULL};
  task stale = {.read = {.allow_stale = true}};
  start(&first, task_get, rows, 3);
  start(&second, task_get, rows, 5);
  task *queued = await_refused(&first, &second);
  start(&stale, task_get, rows, 9); /* the newest has the loads' one place */
  assert_int_equal(join(queued), ACCEL_ERR_LOADER);
  start(&last, task_get, rows, 6);
  assert_int_equal(join(&stale), ACCEL_OK);
  assert_int_equal(stale.value.number, 5);
  assert_int_equal(metrics_of(rows).load_rejected, 4);
  reopen(&all->source);
  assert_int_equal(join(&last), ACCEL_OK);
  await_number(rows, 2, 1002);
  assert_reads(rows, 3, NULL, 1003);
  for (size_t i = 0; i < 2; i++) row_cache_close(&all->caches[i]);
  accel_executor_close(&executor);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(one_load_for_many_threads_on_a_cold_key),
      WORLD_TEST(one_flight_whichever_function_started_it),
      WORLD_TEST(followers_have_L1_filled_by_a_leader_that_skips_it),
      WORLD_TEST(the_same_where_the_value_comes_from_L2),
      WORLD_TEST(the_same_for_a_reader_that_comes_late),
      WORLD_TEST(a_follower_waits_no_longer_than_its_own_limit),
      WORLD_TEST(followers_get_the_leaders_failure_or_their_stale_value),
      WORLD_TEST(unshared_where_it_is_turned_off),
      WORLD_TEST(a_loader_that_needs_its_own_key_gets_an_error),
      WORLD_TEST(loaders_that_need_each_others_keys_get_an_error),
      WORLD_TEST(a_failed_load_tells_its_own_reason),
      WORLD_TEST(what_comes_after_the_hard_limit_is_cached),
      WORLD_TEST(but_not_over_a_set),
      WORLD_TEST(nor_over_a_del),
      WORLD_TEST(without_a_limit_the_caller_loads),
      WORLD_TEST(a_full_executor_is_an_answer_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Threads that end where the user's code runs in the midst of the library: by pthread_exit, or
 * cancelled, in a loader, in the body of a wrapper, in a codec, while they wait. Everybody else is
 * told that the load failed, nobody hangs, the key can be loaded again, and close returns. */
#define _GNU_SOURCE 1
#include "leaving_world.h"

static void a_loader_in_the_caller_exits(void **state)
{
  (void)state;
  open_boxes(ACCEL_FOREVER, false);
  leave_while_others_wait(read_one, EXITS);
}

static void a_loader_in_the_caller_is_cancelled(void **state)
{
  (void)state;
  open_boxes(ACCEL_FOREVER, false);
  leave_while_others_wait(read_one, IS_CANCELLED);
}

static void a_loader_of_the_call_exits(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, false);
  leave_while_others_wait(read_with_own_loader, EXITS);
}

static void a_loader_of_the_call_is_cancelled(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, false);
  leave_while_others_wait(read_with_own_loader, IS_CANCELLED);
}

static void an_mloader_in_the_caller_exits(void **state)
{
  (void)state;
  open_boxes(ACCEL_FOREVER, true);
  leave_while_others_wait(read_many_without_statuses, EXITS);
}

static void a_batch_of_single_loads_is_cancelled(void **state)
{
  (void)state;
  open_boxes(ACCEL_FOREVER, false);
  leave_while_others_wait(read_many, IS_CANCELLED);
}

static void a_warmup_exits(void **state)
{
  (void)state;
  open_boxes(ACCEL_FOREVER, true);
  leave_while_others_wait(warm_up, EXITS);
}

static void a_body_exits(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, false);
  leave_while_others_wait(read_by_body, EXITS);
}

static void a_body_is_cancelled(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, false);
  leave_while_others_wait(read_by_body, IS_CANCELLED);
}

static void a_body_of_a_batch_exits(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, true);
  leave_while_others_wait(read_by_bodies, EXITS);
}

static void a_body_of_a_batch_is_cancelled(void **state)
{
  (void)state;
  open_boxes(PATIENCE_MS, true);
  leave_while_others_wait(read_by_bodies, IS_CANCELLED);
}

/* It would have waited for what is loaded by another thread's body. */
static void a_body_exits_beside_another(void **state)
{
  (void)state;
  static reader slow, leaver;
  open_boxes(PATIENCE_MS, true);
  all.how = STAYS_LONG;
  start(&slow, read_by_body, 1);
  await_loaders(1);
  all.how = EXITS;
  start(&leaver, read_by_bodies, 0);
  await_loaders(2);
  atomic_store(&all.may_go_on, true);
  join(&leaver);
  join(&slow);
  assert_false(atomic_load(&leaver.has_returned));
  assert_int_equal(slow.status, ACCEL_OK);
  for (uint64_t key = 0; key < KEYS; key++) expect_loads(key);
}

/* A wrapper that leads nothing runs what others have queued, and leaves in the second of it. */
static void a_wrapper_leaves_in_loads_that_it_took_over(void **state)
{
  (void)state;
  static reader held, queued, leaver;
  accel_executor executor;
  const accel_executor_config one = {.max_threads = 1};
  assert_int_equal(accel_executor_open(&executor, &one), ACCEL_OK);
  const accel_config config = {
      .area = "box", .capacity = 100, .loader_timeout_ms = PATIENCE_MS, .executor = &executor};
  assert_int_equal(boxes_cache_open(&all.boxes, &config), ACCEL_OK);
  boxes_cache_set_loader(&all.boxes, load, NULL);
  all.how = STAYS_LONG;
  start(&held, read_one, 20);
  await_loaders(1);
  all.how = STAYS_LONG;
  start(&queued, read_many, 1);
  process_nap_ms(50); /* it waits, mostly */
  start(&leaver, read_by_bodies, 1);
  await_loaders(2);
  all.how = EXITS;
  atomic_store(&all.may_go_on, true);
  join(&leaver);
  join(&queued);
  join(&held);
  all.how = STAYS;
  assert_int_equal(held.status, ACCEL_OK);
  for (uint64_t key = 1; key <= KEYS; key++) expect_loads(key);
  boxes_cache_close(&all.boxes);
  accel_executor_close(&executor);
}

/* The threads are the library's: the one that ended is replaced, and no place is lost. */
static void loaders_end_the_threads_of_an_executor(void **state)
{
  (void)state;
  static accel_executor executor;
  const accel_executor_config two = {.max_threads = 2};
  assert_int_equal(accel_executor_open(&executor, &two), ACCEL_OK);
  const accel_config config = {.area = "box",
                               .capacity = 100,
                               .loader_timeout_ms = PATIENCE_MS,
                               .executor = &executor,
                               .remote = &all.fake};
  assert_int_equal(boxes_cache_open(&all.boxes, &config), ACCEL_OK);
  boxes_cache_set_loader(&all.boxes, load, NULL);
  atomic_store(&all.may_go_on, true);
  for (uint64_t key = 0; key < 20; key++) {
    reader one = {.key = key};
    all.how = EXITS;
    assert_int_equal(read_one(&one), ACCEL_ERR_LOADER);
    assert_non_null(strstr(boxes_cache_last_error(&all.boxes), "ended"));
    assert_int_equal(read_one(&one), ACCEL_OK);
  }
  boxes_cache_set_mloader(&all.boxes, load_many, NULL);
  reader many = {.key = 100};
  all.how = EXITS;
  assert_int_equal(read_many(&many), ACCEL_ERR_LOADER);
  assert_int_equal(read_many(&many), ACCEL_OK);
  assert_int_equal(boxes_cache_close_within(&all.boxes, PATIENCE_MS), ACCEL_OK);
  accel_executor_close(&executor);
}

/* Wherever a thread is when it is cancelled: it waits for the end of the call, or of the load. */
static void who_waits_is_cancelled(void **state)
{
  (void)state;
  static reader leader, follower;
  open_boxes(PATIENCE_MS, false);
  all.how = EXITS;
  start(&leader, read_one, 1);
  await_loaders(1);
  start(&follower, read_one, 1);
  process_nap_ms(20);
  pthread_cancel(leader.id);
  pthread_cancel(follower.id);
  expect_loads(2); /* nobody else is held up */
  atomic_store(&all.may_go_on, true);
  join(&leader);
  join(&follower);
  for (uint64_t key = 0; key < KEYS; key++) expect_loads(key);
}

/* ---- codecs and copies ---- */

static accel_status write_one(reader *self)
{
  box value;
  if (!box_make(&value, self->key)) return ACCEL_ERR_NOMEM;
  const accel_status status = boxes_cache_set(&all.boxes, self->key, &value);
  box_drop(&value);
  return status;
}

static void leave_in(atomic_bool *flag, accel_status (*run)(reader *self), uint64_t key)
{
  static reader leaver;
  atomic_store(flag, true);
  start(&leaver, run, key);
  join(&leaver);
  assert_false(atomic_load(flag));
}

static void codecs_exit(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip();
  all.may_lose = true;
  open_boxes(ACCEL_FOREVER, false);
  leave_in(&codecs_leave, read_one, 1); /* encodes what it loaded */
  expect_loads(1);
  reader value = {.key = 2};
  assert_int_equal(write_one(&value), ACCEL_OK);
  leave_in(&codecs_leave, write_one, 2);
  expect_loads(2); /* L2 is left out for it, or repaired */
  assert_int_equal(write_one(&value), ACCEL_OK);
}

static void copies_exit(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip();
  all.may_lose = true;
  open_boxes(ACCEL_FOREVER, false);
  leave_in(&copies_leave, read_one, 1); /* into L1, or to its caller */
  expect_loads(1);
  leave_in(&copies_leave, write_one, 2);
  expect_loads(2);
  reader value = {.key = 2};
  assert_int_equal(write_one(&value), ACCEL_OK);
}

#define LEAVING_TEST(name_) cmocka_unit_test_setup_teardown(name_, open_world, close_world)

int main(void)
{
  const struct CMUnitTest tests[] = {
      LEAVING_TEST(a_loader_in_the_caller_exits),
      LEAVING_TEST(a_loader_in_the_caller_is_cancelled),
      LEAVING_TEST(a_loader_of_the_call_exits),
      LEAVING_TEST(a_loader_of_the_call_is_cancelled),
      LEAVING_TEST(an_mloader_in_the_caller_exits),
      LEAVING_TEST(a_batch_of_single_loads_is_cancelled),
      LEAVING_TEST(a_warmup_exits),
      LEAVING_TEST(a_body_exits),
      LEAVING_TEST(a_body_is_cancelled),
      LEAVING_TEST(a_body_of_a_batch_exits),
      LEAVING_TEST(a_body_of_a_batch_is_cancelled),
      LEAVING_TEST(a_body_exits_beside_another),
      LEAVING_TEST(a_wrapper_leaves_in_loads_that_it_took_over),
      LEAVING_TEST(loaders_end_the_threads_of_an_executor),
      LEAVING_TEST(who_waits_is_cancelled),
      LEAVING_TEST(codecs_exit),
      LEAVING_TEST(copies_exit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

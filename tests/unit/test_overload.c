/* More loads than the source can do, and loads that need others: nothing is loaded for nobody,
 * no thread that others wait for waits for a queue, and one cache costs the others nothing. */
#include "cache_world.h"
#include "quiet_fork.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 24

static void open_small(world *all, accel_executor *executor, uint32_t threads)
{
  const accel_executor_config config = {.max_threads = threads};
  assert_int_equal(accel_executor_open(executor, &config), ACCEL_OK);
  all->config.executor = executor;
  all->config.local_ttl_ms = all->config.remote_ttl_ms = 1000;
  open_caches(all);
}

static void close_small(world *all, accel_executor *executor)
{
  reopen(&all->source);
  for (size_t i = 0; i < 2; i++) row_cache_close(&all->caches[i]);
  accel_executor_close(executor);
}

/* ---- what nobody waits for ---- */

static void what_nobody_waits_for_is_not_loaded(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  static task held, readers[MANY];
  memset(readers, 0, sizeof readers);
  memset(&held, 0, sizeof held);
  all->config.loader_timeout_ms = 60;
  open_small(all, &executor, 1);
  row_cache *rows = &all->caches[0];
  shut(&all->source);
  start(&held, task_get, rows, 1);
  await_waiting(&all->source, 1);
  for (size_t i = 0; i < MANY; i++) start(&readers[i], task_get, rows, 10 + i);
  for (size_t i = 0; i < MANY; i++) assert_int_equal(join(&readers[i]), ACCEL_ERR_TIMEOUT);
  assert_int_equal(join(&held), ACCEL_ERR_TIMEOUT);
  assert_int_equal(metrics_of(rows).load_dropped, MANY);
  reopen(&all->source);
  await_number(rows, 1, 1001); /* had begun, and is kept */
  row value;
  while (row_cache_get(rows, 2, &value) == ACCEL_ERR_TIMEOUT) nap(); /* a slow machine */
  assert_int_equal(value.number, 1002);
  for (size_t i = 0; i < MANY; i++) assert_int_equal(all->source.asked[10 + i], 0);
  close_small(all, &executor);
}

/* The first reader leaves; the second has more time. */
static void but_what_one_of_two_waits_for(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  task held = {.cache = NULL}, patient = {.cache = NULL};
  task hasty = {.read = {.allow_stale = true}};
  all->config.loader_soft_timeout_ms = 20;
  open_small(all, &executor, 1);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 5, 5), ACCEL_OK);
  pass(all, 1000);
  shut(&all->source);
  start(&held, task_get, rows, 1);
  await_waiting(&all->source, 1);
  start(&patient, task_get, rows, 5);
  start(&hasty, task_get, rows, 5);
  assert_int_equal(join(&hasty), ACCEL_OK);
  assert_int_equal(hasty.value.number, 5);
  reopen(&all->source);
  assert_int_equal(join(&patient), ACCEL_OK);
  assert_int_equal(patient.value.number, 1005);
  assert_int_equal(join(&held), ACCEL_OK);
  close_small(all, &executor);
}

/* A stale value served in time is no reason to keep it. */
static void who_takes_a_stale_value_leaves_a_refresh(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  task held = {.cache = NULL};
  all->config.loader_soft_timeout_ms = 20;
  open_small(all, &executor, 1);
  row_cache *rows = &all->caches[0];
  assert_int_equal(put_number(rows, 5, 5), ACCEL_OK);
  pass(all, 1000);
  shut(&all->source);
  start(&held, task_get, rows, 1);
  await_waiting(&all->source, 1);
  const accel_read stale = {.allow_stale = true};
  assert_reads(rows, 5, &stale, 5);
  assert_int_equal(metrics_of(rows).load_dropped, 0);
  reopen(&all->source);
  await_number(rows, 5, 1005);
  assert_int_equal(join(&held), ACCEL_OK);
  close_small(all, &executor);
}

static void a_batch_stops_when_its_reader_has_left(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  all->config.loader_timeout_ms = 60;
  open_small(all, &executor, 1);
  row_cache *rows = &all->caches[0];
  const uint64_t keys[3] = {1, 2, 3};
  row values[3];
  accel_status statuses[3];
  shut(&all->source);
  assert_int_equal(row_cache_mget(rows, keys, 3, NULL, values, statuses), ACCEL_ERR_TIMEOUT);
  reopen(&all->source);
  await_number(rows, 1, 1001);
  assert_int_equal(metrics_of(rows).load_dropped, 2);
  assert_int_equal(source_calls(&all->source), 1);
  close_small(all, &executor);
}

/* ---- loads that need others ---- */

typedef struct tree {
  row_cache *rows;
  source *source;
  pthread_mutex_t mutex;
  unsigned parents, expected; /* that have begun; all of them do before one goes on */
  uint64_t levels;
} tree;

static void tree_begin(tree *self)
{
  pthread_mutex_lock(&self->mutex);
  self->parents++;
  pthread_mutex_unlock(&self->mutex);
}

static bool tree_has_begun(tree *self)
{
  pthread_mutex_lock(&self->mutex);
  const bool has_begun = self->parents >= self->expected;
  pthread_mutex_unlock(&self->mutex);
  return has_begun;
}

/* Keys from 100 need key 50 and three others at once; 50 needs 51, and so on. */
static accel_status load_tree(void *ctx, uint64_t key, row *out)
{
  tree *self = (tree *)ctx;
  row_cache *rows = self->rows;
  if (key >= 100) {
    tree_begin(self);
    while (!tree_has_begun(self)) nap();
    const uint64_t children[4] = {50, 60, 61, 62};
    row values[4];
    const accel_status status = row_cache_mget(rows, children, 4, NULL, values, NULL);
    if (status != ACCEL_OK) return status;
    const accel_status single = row_cache_get(rows, 63, out);
    if (single != ACCEL_OK) return single;
  } else if (key >= 50 && key < 50 + self->levels) {
    const accel_status status = row_cache_get(rows, key + 1, out);
    if (status != ACCEL_OK) return status;
  }
  return source_ask(self->source, &key, 1, out);
}

/* The parents hold all threads, and go on when others' loads of their children are queued. */
static void fill_executor_with_parents(world *all, uint32_t threads)
{
  static accel_executor executor;
  static task parents[MANY], children[3];
  static tree all_keys;
  all_keys = (tree){&all->caches[0], &all->source, PTHREAD_MUTEX_INITIALIZER, 0, threads + 1, 4};
  memset(parents, 0, sizeof parents);
  memset(children, 0, sizeof children);
  open_small(all, &executor, threads);
  row_cache *rows = &all->caches[0];
  row_cache_set_loader(rows, load_tree, &all_keys);
  for (uint32_t i = 0; i < threads; i++) start(&parents[i], task_get, rows, 100 + i);
  start(&children[0], task_get, rows, 50);
  start(&children[1], task_get, rows, 61);
  start(&children[2], task_get, rows, 52);
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  while (accel_fake_calls(&all->fake, ACCEL_FAKE_GET) < threads + 3 &&
         accel_clock_monotonic_ms() < deadline_ms)
    nap();
  for (int i = 0; i < 20; i++) nap(); /* from L2 into the queue */
  tree_begin(&all_keys);
  for (uint32_t i = 0; i < threads; i++) join(&parents[i]);
  for (int i = 0; i < 3; i++) join(&children[i]);
  for (uint32_t i = 0; i < threads; i++) assert_int_equal(parents[i].status, ACCEL_OK);
  for (int i = 0; i < 3; i++) assert_int_equal(children[i].status, ACCEL_OK);
  for (uint64_t key = 50; key <= 54; key++) assert_int_equal(all->source.asked[key], 1);
  close_small(all, &executor);
}

static void who_is_waited_for_runs_what_is_queued(void **state)
{
  fill_executor_with_parents((world *)*state, 4);
}

static void also_where_there_is_one_thread(void **state)
{
  fill_executor_with_parents((world *)*state, 1);
}

/* In one batch, without an mloader: 100 needs 50, which comes after it. */
static void a_batch_may_need_itself(void **state)
{
  world *all = (world *)*state;
  static tree keys_of;
  keys_of = (tree){&all->caches[0], &all->source, PTHREAD_MUTEX_INITIALIZER, 0, 1, 4};
  open_caches(all);
  row_cache *rows = &all->caches[0];
  row_cache_set_loader(rows, load_tree, &keys_of);
  const uint64_t keys[6] = {52, 51, 100, 50, 53, 63};
  row values[6];
  assert_int_equal(row_cache_mget(rows, keys, 6, NULL, values, NULL), ACCEL_OK);
  for (size_t i = 0; i < 6; i++) assert_int_equal(values[i].number, 1000 + keys[i]);
  for (uint64_t key = 50; key <= 54; key++) assert_int_equal(all->source.asked[key], 1);
}

/* Key k needs k + 1, and the last one the first. */
static accel_status load_round(void *ctx, uint64_t key, row *out)
{
  return row_cache_get((row_cache *)ctx, key == 4 ? 1 : key + 1, out);
}

static void circles_are_still_mistakes(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  static task readers[4];
  memset(readers, 0, sizeof readers);
  open_small(all, &executor, 2);
  row_cache *rows = &all->caches[0];
  row_cache_set_loader(rows, load_round, rows);
  for (uint64_t i = 0; i < 4; i++) start(&readers[i], task_get, rows, i + 1);
  for (uint64_t i = 0; i < 4; i++) assert_int_equal(join(&readers[i]), ACCEL_ERR_CONFIG);
  close_small(all, &executor);
}

/* ---- one cache and the others ---- */

static size_t count_threads(void)
{
  size_t count = 0;
  DIR *folder = opendir("/proc/self/task");
  for (struct dirent *each; folder != NULL && (each = readdir(folder)) != NULL;)
    count += each->d_name[0] != '.';
  if (folder != NULL) closedir(folder);
  return count;
}

static accel_status load_key(void *ctx, uint64_t key, row *out)
{
  (void)ctx;
  out->number = key;
  return ACCEL_OK;
}

ACCEL_DEFINE(plain, uint64_t, row)

#define CACHES 60

static void many_caches_share_their_threads(void **state)
{
  (void)state;
  static plain_cache caches[CACHES];
  const accel_config config = {.area = "plain", .capacity = 16};
  for (size_t i = 0; i < CACHES; i++) {
    assert_int_equal(plain_cache_open(&caches[i], &config), ACCEL_OK);
    plain_cache_set_loader(&caches[i], load_key, NULL);
  }
  const size_t before = count_threads();
  for (size_t i = 0; i < CACHES; i++) {
    row value;
    const accel_status status = plain_cache_get(&caches[i], i, &value);
    assert_true(status == ACCEL_OK || status == ACCEL_ERR_TIMEOUT);
  }
  assert_in_range(count_threads(), 0, before + 8);
  for (size_t i = 0; i < CACHES; i++) plain_cache_close(&caches[i]);
  assert_in_range(count_threads(), 1, before);
}

/* 70 loads of one cache hang, 64 of which hold a thread. */
static void a_source_that_hangs_concerns_its_own_cache(void **state)
{
  world *all = (world *)*state;
  static task slow[70];
  memset(slow, 0, sizeof slow);
  all->config.loader_timeout_ms = 20000;
  open_caches(all);
  row_cache_set_loader(&all->caches[1], load_row, &all->slow_source);
  shut(&all->source);
  for (size_t i = 0; i < 70; i++) start(&slow[i], task_get, &all->caches[0], i);
  await_waiting(&all->source, 64);
  for (uint64_t key = 100; key < 120; key++) assert_reads(&all->caches[1], key, NULL, 1000 + key);
  row_cache_close(&all->caches[1]);
  reopen(&all->source);
  for (size_t i = 0; i < 70; i++) assert_int_equal(join(&slow[i]), ACCEL_OK);
}

/* Where there are two threads, one of them in reserve, which hang in two other caches' source. */
static void close_waits_for_its_own_work_alone(void **state)
{
  world *all = (world *)*state;
  static accel_executor executor;
  static row_cache other;
  task held = {.cache = NULL}, reserve = {.cache = NULL};
  open_small(all, &executor, 1);
  assert_int_equal(row_cache_open(&other, &all->config), ACCEL_OK);
  row_cache_set_loader(&other, load_row, &all->source);
  shut(&all->source);
  start(&held, task_get, &all->caches[0], 1);
  await_waiting(&all->source, 1);
  start(&reserve, task_get, &other, 4);
  await_waiting(&all->source, 2);
  assert_int_equal(put_number(&all->caches[1], 2, 5), ACCEL_OK);
  assert_int_equal(row_cache_del_after(&all->caches[1], 2, 3600000), ACCEL_OK);
  assert_int_equal(row_cache_refresh(&all->caches[1], 3), ACCEL_OK);
  row_cache_close(&all->caches[1]);
  assert_int_equal(all->source.asked[3], 0);
  reopen(&all->source);
  assert_int_equal(join(&held), ACCEL_OK);
  assert_int_equal(join(&reserve), ACCEL_OK);
  row_cache_close(&other);
  close_small(all, &executor);
}

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

static void a_child_has_a_common_executor_of_its_own(void **state)
{
  (void)state;
  static plain_cache cache;
  const accel_config config = {.area = "plain", .capacity = 16, .loader_timeout_ms = 30000};
  if (UNDER_TSAN) skip(); /* a child may not start threads there */
  row value;
  assert_int_equal(plain_cache_open(&cache, &config), ACCEL_OK);
  plain_cache_set_loader(&cache, load_key, NULL);
  assert_int_equal(plain_cache_get(&cache, 1, &value), ACCEL_OK);
  const pid_t child = quiet_fork();
  if (child == 0) {
    static plain_cache own;
    if (plain_cache_open(&own, &config) != ACCEL_OK) _exit(1);
    plain_cache_set_loader(&own, load_key, NULL);
    if (plain_cache_get(&own, 7, &value) != ACCEL_OK || value.number != 7) _exit(2);
    plain_cache_close(&cache);
    if (plain_cache_get(&own, 8, &value) != ACCEL_OK || value.number != 8) _exit(3);
    plain_cache_close(&own);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(plain_cache_get(&cache, 2, &value), ACCEL_OK);
  plain_cache_close(&cache);
}

/* ---- dels that wait ---- */

static void second_dels_refuse_no_load(void **state)
{
  world *all = (world *)*state;
  open_caches(all);
  row_cache *rows = &all->caches[0];
  for (uint64_t key = 0; key < 2000; key++)
    assert_int_equal(row_cache_del_after(rows, key, 3600000), ACCEL_OK);
  assert_reads(rows, 5000, NULL, 6000);
  assert_int_equal(metrics_of(rows).load_rejected, 0);
}

static void and_have_a_bound_of_their_own(void **state)
{
  (void)state;
  static plain_cache cache;
  const accel_config config = {.area = "plain", .capacity = 16};
  assert_int_equal(plain_cache_open(&cache, &config), ACCEL_OK);
  for (uint64_t key = 0; key < 65536; key++)
    assert_int_equal(plain_cache_del_after(&cache, key, 3600000), ACCEL_OK);
  assert_int_equal(plain_cache_del_after(&cache, 1, 3600000), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(plain_cache_last_error(&cache), "65536"));
  plain_cache_close(&cache); /* does them all */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(what_nobody_waits_for_is_not_loaded),
      WORLD_TEST(but_what_one_of_two_waits_for),
      WORLD_TEST(who_takes_a_stale_value_leaves_a_refresh),
      WORLD_TEST(a_batch_stops_when_its_reader_has_left),
      WORLD_TEST(who_is_waited_for_runs_what_is_queued),
      WORLD_TEST(also_where_there_is_one_thread),
      WORLD_TEST(a_batch_may_need_itself),
      WORLD_TEST(circles_are_still_mistakes),
      cmocka_unit_test(many_caches_share_their_threads),
      WORLD_TEST(a_source_that_hangs_concerns_its_own_cache),
      WORLD_TEST(close_waits_for_its_own_work_alone),
      cmocka_unit_test(a_child_has_a_common_executor_of_its_own),
      WORLD_TEST(second_dels_refuse_no_load),
      cmocka_unit_test(and_have_a_bound_of_their_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

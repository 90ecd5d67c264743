/* Close against what still hands work to the executor: the bus, whose heartbeat sees to repairs.
 * One of its threads is held at the one moment that matters, between its decision that there is
 * something to repair and the queue; there the test's clock_gettime stands in for a thread that is
 * not scheduled. */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

static _Thread_local int held_at; /* which of the thread's looks at the clock; 0: none */
static atomic_bool is_held, may_go_on;

static void nap(void)
{
  const struct timespec pause = {0, 1000000};
  nanosleep(&pause, NULL);
}

static void await(const atomic_bool *flag)
{
  while (!atomic_load(flag)) nap();
}

int clock_gettime(clockid_t id, struct timespec *out)
{
  if (held_at > 0 && --held_at == 0) {
    atomic_store(&is_held, true);
    await(&may_go_on);
  }
  return (int)syscall(SYS_clock_gettime, id, out);
}

typedef struct world {
  accel_fake fake;
  accel_executor executor;
  row_cache rows;
  row_cache other; /* keeps the library's own threads as they are */
  atomic_bool has_closed;
} world;

static void *beat(void *all)
{
  held_at = 2; /* after what is late was looked for: for the time of the repair */
  accel_fake_heartbeat(&((world *)all)->fake);
  return NULL;
}

static void *close_rows(void *all)
{
  row_cache_close(&((world *)all)->rows);
  atomic_store(&((world *)all)->has_closed, true);
  return NULL;
}

static void open_world(world *all)
{
  memset(all, 0, sizeof *all);
  assert_int_equal(accel_executor_open(&all->executor, NULL), ACCEL_OK);
  assert_int_equal(accel_fake_open(&all->fake, NULL), ACCEL_OK);
  const accel_config config = {
      .area = "row", .capacity = 100, .remote = &all->fake, .executor = &all->executor};
  const accel_config local = {.area = "other", .capacity = 100, .executor = &all->executor};
  assert_int_equal(row_cache_open(&all->rows, &config), ACCEL_OK);
  assert_int_equal(row_cache_open(&all->other, &local), ACCEL_OK);
}

/* No thread can be started with a stack of this size. */
static void let_threads_start(bool may_start)
{
  pthread_attr_t usual;
  size_t size;
  pthread_attr_init(&usual);
  pthread_attr_getstacksize(&usual, &size);
  static size_t usual_size;
  if (usual_size == 0) usual_size = size;
  pthread_attr_setstacksize(&usual, may_start ? usual_size : (size_t)1 << 60);
  assert_int_equal(pthread_setattr_default_np(&usual), 0);
  pthread_attr_destroy(&usual);
}

/* A del that L2 does not confirm while no thread can be started: its repair waits for a heartbeat.
 */
static void leave_a_repair_unscheduled(world *all)
{
  let_threads_start(false);
  accel_fake_fail(&all->fake, ACCEL_FAKE_DEL, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(row_cache_del(&all->rows, 1), ACCEL_ERR_BACKEND);
  let_threads_start(true);
  accel_diagnostic seen;
  row_cache_diagnostic_snapshot(&all->rows, &seen);
  assert_int_equal(seen.repairs, 1);
}

static size_t count_threads(void)
{
  size_t count = 0;
  DIR *folder = opendir("/proc/self/task");
  for (struct dirent *each; folder != NULL && (each = readdir(folder)) != NULL;)
    count += each->d_name[0] != '.';
  if (folder != NULL) closedir(folder);
  return count;
}

static void what_a_heartbeat_begins_is_refused_once_the_cache_closes(void **state)
{
  (void)state;
  static world all;
  pthread_t bus, closer;
  open_world(&all);
  leave_a_repair_unscheduled(&all);
  const size_t threads = count_threads();
  assert_int_equal(pthread_create(&bus, NULL, beat, &all), 0);
  await(&is_held);
  assert_int_equal(pthread_create(&closer, NULL, close_rows, &all), 0);
  for (int i = 0; i < 50; i++) nap(); /* it finds no work and waits for the bus; or is not there */
  atomic_store(&may_go_on, true);
  pthread_join(bus, NULL);
  pthread_join(closer, NULL);
  /* A thread of the executor's would be there for a repair of the closed cache. Joined ones may
   * be seen for a moment yet. */
  for (int i = 0; i < 2000 && count_threads() > threads; i++) nap();
  assert_int_equal(count_threads(), threads);
  row_cache_close(&all.other);
  accel_executor_close(&all.executor);
  accel_fake_close(&all.fake);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_heartbeat_begins_is_refused_once_the_cache_closes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

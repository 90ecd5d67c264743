/* Everybody wants one cold key at once: 24 threads, then four processes of 24 threads each, of a
 * source that is slow, fails, or takes longer than allowed.
 *
 * The calls of the source are counted in memory that the processes share.
 */
#include "fault_world.h"
#include "one_server.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { THREADS = 24, PROCESSES = 4, KEY = 9, LIMIT_MS = 300, FAILURE = -1234 };

typedef enum source_kind { SLOW, FAILING, HANGING, SOURCE_KINDS } source_kind;

static const char *const source_names[SOURCE_KINDS] = {"slow", "failing", "hanging"};

typedef struct herd {
  atomic_uint loads, ready, statuses_wrong, values, failures, timeouts;
  atomic_bool is_released;
  source_kind kind;
  uint64_t key;
} herd;

static herd *shared;

static accel_status load_shared(void *ctx, uint64_t key, item_t *out)
{
  (void)ctx;
  shared->loads++;
  usleep(shared->kind == HANGING ? 3 * LIMIT_MS * 1000 : 100000);
  if (shared->kind == FAILING) return (accel_status)FAILURE;
  *out = fault_item(key, 1);
  return ACCEL_OK;
}

typedef struct herd_member {
  fault_world *world;
  pthread_t thread;
} herd_member;

static void *want(void *member_pointer)
{
  herd_member *self = (herd_member *)member_pointer;
  item_t item;
  shared->ready++;
  while (!shared->is_released) usleep(200);
  const accel_status status = item_cache_get(&self->world->cache, shared->key, &item);
  if (status == ACCEL_OK && fault_is_whole(shared->key, &item))
    shared->values++;
  else if ((int)status == FAILURE)
    shared->failures++;
  else if (status == ACCEL_ERR_TIMEOUT)
    shared->timeouts++;
  else
    shared->statuses_wrong++;
  return NULL;
}

/* Opens a cache, waits with all threads for the start_server, and reads. */
static int run_process(const char *url)
{
  static fault_world world;
  static herd_member members[THREADS];
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000};
  fault_open(&world, &where, (accel_config){.area = "herd", .loader_timeout_ms = LIMIT_MS});
  item_cache_set_loader(&world.cache, load_shared, NULL);
  if (fault_comes(&world, true, 10000) < 0) return 1;
  for (size_t i = 0; i < THREADS; i++) {
    members[i].world = &world;
    if (pthread_create(&members[i].thread, NULL, want, &members[i]) != 0) return 1;
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(members[i].thread, NULL);
  fault_close(&world);
  return 0;
}

static void prepare(source_kind kind)
{
  static uint64_t next_key = KEY;
  memset(shared, 0, sizeof *shared);
  shared->kind = kind;
  shared->key = next_key++;
}

/* Returns how long the processes took, from the start. */
static double run_processes(unsigned count)
{
  pid_t pids[PROCESSES];
  bool all_end = true;
  for (unsigned i = 0; i < count; i++) {
    pids[i] = fork();
    if (pids[i] == 0) _exit(run_process(server.url));
  }
  while (shared->ready < count * THREADS) usleep(1000);
  const uint64_t began_ns = accel_clock_monotonic_ns();
  shared->is_released = true;
  for (unsigned i = 0; i < count; i++) {
    int status = -1;
    all_end = waitpid(pids[i], &status, 0) == pids[i] && status == 0 && all_end;
  }
  assert_true(all_end);
  return fault_ms_since(began_ns);
}

static void report(const char *name, double took_ms)
{
  print_message("%s, the source is %s: %u loads; %u values, %u failures, %u timeouts; %.0f ms\n",
                name, source_names[shared->kind], shared->loads, shared->values, shared->failures,
                shared->timeouts, took_ms);
  assert_int_equal(shared->statuses_wrong, 0);
}

static void threads_of_one_process_load_once(void **state)
{
  (void)state;
  for (int kind = 0; kind < SOURCE_KINDS; kind++) {
    prepare((source_kind)kind);
    report("24 threads", run_processes(1));
    assert_int_equal(shared->loads, 1);
    assert_int_equal(kind == SLOW      ? shared->values
                     : kind == FAILING ? shared->failures
                                       : shared->timeouts,
                     THREADS);
  }
}

static void processes_load_once_per_lease(void **state)
{
  (void)state;
  prepare(SLOW);
  report("four processes", run_processes(PROCESSES));
  assert_int_equal(shared->loads, 1);
  assert_int_equal(shared->values, PROCESSES * THREADS);
}

/* The first failure keeps the others from the source for a while: they wait for the lease as long
 * as they may, and then each of them tries once by itself. */
static void a_failing_source_is_not_stormed(void **state)
{
  (void)state;
  prepare(FAILING);
  report("four processes", run_processes(PROCESSES));
  assert_in_range(shared->loads, 1, PROCESSES);
  assert_int_equal(shared->failures + shared->timeouts, PROCESSES * THREADS);
  prepare(HANGING);
  report("four processes", run_processes(PROCESSES));
  assert_in_range(shared->loads, 1, PROCESSES);
  assert_int_equal(shared->timeouts, PROCESSES * THREADS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_of_one_process_load_once),
      cmocka_unit_test(processes_load_once_per_lease),
      cmocka_unit_test(a_failing_source_is_not_stormed),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  shared =
      (herd *)mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  const int failed = cmocka_run_group_tests(tests, start_server, stop_server);
  munmap(shared, sizeof *shared);
  return failed;
}

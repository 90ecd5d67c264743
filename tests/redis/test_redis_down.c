/* Redis dies, is absent or stands still while a program reads: the reader sees values, in time.
 *
 * Every read goes to L2 first, and there is a loader that works. The program is not started anew:
 * L2 must be in use again by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "lateness.h"
#include "patience.h"
#include "redis_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(item, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { READERS = 8, KEYS = 64, COMMAND_MS = 50, LOADER_MS = 1000, OVERRUN_MS = 1000 };

static redis_server server;
static accel_redis redis;
static item_cache cache;

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key * 3;
  return ACCEL_OK;
}

static void open_all(void)
{
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = COMMAND_MS};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "down", .loader_timeout_ms = LOADER_MS, .remote = &redis};
  assert_int_equal(item_cache_open(&cache, &config), ACCEL_OK);
  item_cache_set_loader(&cache, load, NULL);
}

static void close_all(void)
{
  item_cache_close(&cache);
  accel_redis_close(&redis);
}

static int start_server(void **state)
{
  (void)state;
  return lateness_begin() && redis_server_start(&server, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

static accel_diagnostic look(void)
{
  accel_diagnostic seen;
  item_cache_diagnostic_snapshot(&cache, &seen);
  return seen;
}

static bool channel_comes_up(void)
{
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (!look().channel_up && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  return look().channel_up;
}

/* ---- readers ---- */

static atomic_bool is_over;
static pthread_t readers[READERS];
static atomic_uint reads, errors;
static atomic_uint_least64_t longest_ns;

static void note_longest(uint64_t ns)
{
  uint_least64_t longest = longest_ns;
  while (ns > longest && !atomic_compare_exchange_weak(&longest_ns, &longest, ns)) {}
}

static bool read_one(uint64_t key)
{
  const accel_read read = {.skip_local = true};
  const uint64_t began_ns = accel_clock_monotonic_ns();
  uint64_t value = 0;
  const accel_status status = item_cache_get_with(&cache, key, &read, &value);
  note_longest(accel_clock_monotonic_ns() - began_ns);
  return status == ACCEL_OK && value == key * 3;
}

static void *read_on(void *number)
{
  for (uint64_t key = (uintptr_t)number; !is_over; key += 7) {
    if (!read_one(key % KEYS)) errors++;
    reads++;
    usleep(200); /* two cores are to serve the others too */
  }
  return NULL;
}

static void start_readers(void)
{
  is_over = false;
  reads = errors = 0;
  longest_ns = 0;
  for (uintptr_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&readers[i], NULL, read_on, (void *)i), 0);
}

static void stop_readers(void)
{
  is_over = true;
  for (size_t i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
}

static bool is_used_again(void)
{
  const uint64_t until_ms = accel_clock_deadline(60000), hits = look().metrics.remote_hit;
  while (look().metrics.remote_hit < hits + 100 && accel_clock_monotonic_ms() < until_ms)
    usleep(1000);
  return look().metrics.remote_hit >= hits + 100;
}

/* What the readers met, told and checked. */
static void check_readers(const char *when)
{
  const double longest_ms = (double)longest_ns / 1e6;
  const double overrun_ms =
      longest_ms > COMMAND_MS + LOADER_MS ? longest_ms - (COMMAND_MS + LOADER_MS) : 0.0;
  printf("%s: %u reads, the longest took %.1f ms, the worst overrun is %.1f ms\n", when,
         (unsigned)reads, longest_ms, overrun_ms);
  assert_int_equal(errors, 0);
  assert_true(lateness_keeps(overrun_ms, OVERRUN_MS));
}

/* ---- tests ---- */

static void a_kill_under_readers_costs_no_reader_anything(void **state)
{
  (void)state;
  open_all();
  assert_true(channel_comes_up());
  start_readers();
  const bool was_used = is_used_again();
  const uint64_t failures = look().metrics.remote_errors;
  redis_server_kill(&server);
  usleep(500000);
  const accel_diagnostic without = look();
  const bool is_back = redis_server_restart(&server) && is_used_again();
  stop_readers();
  assert_true(was_used);
  assert_true(without.metrics.remote_errors > failures);
  assert_true(without.degraded && !without.channel_up);
  assert_true(is_back && channel_comes_up());
  check_readers("killed");
  close_all();
}

static void a_server_that_stands_still_costs_no_reader_anything(void **state)
{
  (void)state;
  open_all();
  assert_true(channel_comes_up());
  start_readers();
  const bool was_used = is_used_again();
  const uint64_t failures = look().metrics.remote_errors;
  redis_server_freeze(&server);
  usleep(300000);
  const uint64_t failures_frozen = look().metrics.remote_errors;
  redis_server_thaw(&server);
  const bool is_back = is_used_again();
  stop_readers();
  assert_true(was_used && is_back);
  assert_true(failures_frozen > failures);
  check_readers("standing still");
  close_all();
}

static void a_program_may_start_before_its_redis(void **state)
{
  uint64_t value = 5;
  (void)state;
  redis_server_kill(&server);
  open_all();
  start_readers();
  usleep(200000);
  const accel_diagnostic without = look();
  const accel_status unconfirmed = item_cache_set(&cache, KEYS, &value);
  const bool is_back = redis_server_restart(&server) && is_used_again();
  stop_readers();
  assert_int_equal(without.metrics.remote_hit, 0);
  assert_true(without.metrics.load_success > 0 && without.degraded);
  assert_int_equal(unconfirmed, ACCEL_ERR_BACKEND);
  assert_true(is_back && channel_comes_up());
  assert_int_equal(item_cache_set(&cache, KEYS, &value), ACCEL_OK);
  check_readers("absent at first");
  close_all();
}

/* ---- fewer descriptors than are polled ---- */

static uint64_t processor_ms(void)
{
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
         (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static atomic_bool has_closed;

static void *close_in_thread(void *unused)
{
  close_all();
  has_closed = true;
  return unused;
}

/* Every poll of the background threads fails then: they wait all the same, and end when told. */
static void a_limit_below_what_is_polled_makes_nobody_spin_or_hang(void **state)
{
  struct rlimit before, low;
  pthread_t thread;
  (void)state;
  open_all();
  assert_true(channel_comes_up());
  getrlimit(RLIMIT_NOFILE, &before);
  low = (struct rlimit){.rlim_cur = 2, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  const uint64_t used_ms = processor_ms();
  usleep(300000);
  const uint64_t spent_ms = processor_ms() - used_ms; /* less, if anything, on a busy machine */
  has_closed = false;
  const bool has_thread = pthread_create(&thread, NULL, close_in_thread, NULL) == 0;
  const uint64_t until_ms = accel_clock_deadline(patience_ms());
  while (!has_closed && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  const bool was_in_time = has_closed;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(has_thread);
  pthread_join(thread, NULL);
  print_message("%u ms of the processor in 300 ms\n", (unsigned)spent_ms);
  assert_true(was_in_time);
  assert_in_range(spent_ms, 0, 100);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_kill_under_readers_costs_no_reader_anything),
      cmocka_unit_test(a_server_that_stands_still_costs_no_reader_anything),
      cmocka_unit_test(a_program_may_start_before_its_redis),
      cmocka_unit_test(a_limit_below_what_is_polled_makes_nobody_spin_or_hang),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* Where a cancellation that is pending takes effect, and where it must not: a thread that is
 * cancelled has the library's locks, or is one of the library's own. Each thread cancels itself
 * before it calls, so that whatever could act on that does. */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include "process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

ACCEL_DEFINE_WITH(shared, uint64_t, uint64_t, .remote = &accel_fake_ops)
ACCEL_DEFINE(plain, uint64_t, uint64_t)

/* Owned values are read under a mutex, which is where their keys are compared. */
typedef struct named {
  uint64_t number;
} named;

static atomic_uint comparisons;

static uint64_t named_hash(const named *key, uint64_t seed)
{
  return key->number * 0x9E3779B97F4A7C15u ^ seed;
}

static bool named_equal(const named *one, const named *other)
{
  atomic_fetch_add(&comparisons, 1);
  pthread_testcancel();
  return one->number == other->number;
}

static bool value_copy(uint64_t *to, const uint64_t *from)
{
  *to = *from;
  return true;
}

static void value_drop(uint64_t *value)
{
  (void)value;
}

ACCEL_DEFINE_WITH(compared, named, uint64_t, .hash = named_hash, .equal = named_equal,
                  .copy = value_copy, .drop = value_drop)
ACCEL_DEFINE_WITH(listed, named, uint64_t, .hash = named_hash, .equal = named_equal,
                  .copy = value_copy, .drop = value_drop, .local = &accel_uthash_ops)

/* ---- threads that are cancelled ---- */

typedef struct cancelled {
  void (*call)(void);
  atomic_bool has_returned;
  pthread_t id;
} cancelled;

static void *run_cancelled(void *self_pointer)
{
  cancelled *self = (cancelled *)self_pointer;
  pthread_cancel(pthread_self());
  self->call();
  atomic_store(&self->has_returned, true);
  return NULL;
}

/* Whether the call returned. One that hangs makes the test fail rather than hang. */
static bool returns_cancelled(void (*call)(void))
{
  static cancelled self;
  memset(&self, 0, sizeof self);
  self.call = call;
  assert_int_equal(pthread_create(&self.id, NULL, run_cancelled, &self), 0);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PROCESS_PATIENCE_S;
  if (pthread_timedjoin_np(self.id, NULL, &until) != 0) {
    print_error("a thread hangs\n");
    _exit(1);
  }
  return atomic_load(&self.has_returned);
}

/* ---- what is called ---- */

static plain_cache plains, loaded, told;
static shared_cache shares;
static compared_cache compares;
static listed_cache lists;
static accel_executor executor;
static accel_status status;

static void write_plain(void)
{
  uint64_t value = 7;
  status = plain_cache_set(&plains, 1, &value);
  if (status == ACCEL_OK) status = plain_cache_del(&plains, 1);
  value++;
  if (status == ACCEL_OK) status = plain_cache_set(&plains, 1, &value);
}

static void write_shared(void)
{
  const uint64_t value = 7;
  status = shared_cache_set(&shares, 1, &value);
}

static void read_shared(void)
{
  uint64_t value;
  status = shared_cache_get(&shares, 1, &value);
}

static void use_compared(void)
{
  const uint64_t value = 7;
  uint64_t found;
  status = compared_cache_set(&compares, (named){1}, &value);
  if (status == ACCEL_OK) status = compared_cache_get(&compares, (named){1}, &found);
}

static void read_compared(void)
{
  uint64_t found;
  status = compared_cache_get(&compares, (named){1}, &found);
}

static void read_listed(void)
{
  uint64_t found;
  status = listed_cache_get(&lists, (named){1}, &found);
}

static void close_executor(void)
{
  accel_executor_close(&executor);
}

/* ---- what must hold ---- */

/* They come to no place where a thread could be cancelled. */
static void writes_of_plain_types_are_done(void **state)
{
  (void)state;
  const accel_config config = {.area = "plain", .capacity = 100};
  assert_int_equal(plain_cache_open(&plains, &config), ACCEL_OK);
  assert_true(returns_cancelled(write_plain));
  assert_int_equal(status, ACCEL_OK);
  uint64_t value;
  assert_int_equal(plain_cache_get(&plains, 1, &value), ACCEL_OK);
  assert_int_equal(value, 8);
  plain_cache_close(&plains);
}

static void calls_that_may_wait_do_not_begin(void **state)
{
  (void)state;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  const accel_config config = {.area = "shared", .capacity = 100, .remote = &fake};
  assert_int_equal(shared_cache_open(&shares, &config), ACCEL_OK);
  assert_false(returns_cancelled(write_shared));
  assert_false(returns_cancelled(read_shared));
  uint64_t value;
  assert_int_equal(shared_cache_get(&shares, 1, &value), ACCEL_MISS);
  shared_cache_close(&shares);
  accel_fake_close(&fake);
}

/* Keys are compared while a mutex is held: no thread may end there and leave it locked. */
static void no_thread_ends_in_an_equality_under_a_mutex(void **state)
{
  (void)state;
  const uint64_t value = 7;
  const accel_config config = {.area = "compared", .capacity = 100};
  assert_int_equal(compared_cache_open(&compares, &config), ACCEL_OK);
  assert_int_equal(compared_cache_set(&compares, (named){1}, &value), ACCEL_OK);
  assert_int_equal(listed_cache_open(&lists, &config), ACCEL_OK);
  assert_int_equal(listed_cache_set(&lists, (named){1}, &value), ACCEL_OK);
  const unsigned before = atomic_load(&comparisons);
  assert_true(returns_cancelled(read_compared));
  assert_int_equal(status, ACCEL_OK);
  assert_true(returns_cancelled(read_listed));
  assert_int_equal(status, ACCEL_OK);
  assert_true(atomic_load(&comparisons) >= before + 2);
  returns_cancelled(use_compared); /* whether it begins is its own affair */
  assert_int_equal(compared_cache_set(&compares, (named){1}, &value), ACCEL_OK);
  assert_int_equal(listed_cache_set(&lists, (named){1}, &value), ACCEL_OK);
  compared_cache_close(&compares);
  listed_cache_close(&lists);
}

static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key + 1;
  return ACCEL_OK;
}

/* The executor's thread may have ended before it is waited for: so more than once. */
static void a_wait_is_not_given_up(void **state)
{
  (void)state;
  const accel_executor_config one = {.max_threads = 1};
  const accel_config config = {.area = "loaded",
                               .capacity = 100,
                               .loader_timeout_ms = PROCESS_PATIENCE_S * 1000,
                               .executor = &executor};
  for (int i = 0; i < 20; i++) {
    uint64_t value;
    assert_int_equal(accel_executor_open(&executor, &one), ACCEL_OK);
    assert_int_equal(plain_cache_open(&loaded, &config), ACCEL_OK);
    plain_cache_set_loader(&loaded, load, NULL);
    assert_int_equal(plain_cache_get(&loaded, 1, &value), ACCEL_OK); /* so there is a thread */
    plain_cache_close(&loaded);
    assert_true(returns_cancelled(close_executor)); /* which waits for it */
  }
}

/* ---- the library's own threads ---- */

static atomic_uint records, records_ended;

static accel_status load_and_cancel(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key + 1;
  pthread_cancel(pthread_self());
  return ACCEL_OK;
}

static void log_where_threads_end(void *ctx, const accel_log_record *record)
{
  (void)ctx;
  (void)record;
  atomic_fetch_add(&records, 1);
  pthread_testcancel();
  atomic_fetch_add(&records_ended, 1);
}

/* The loader cancels its thread, and the log is the next place where that could take effect. */
static void a_log_does_not_end_a_worker(void **state)
{
  (void)state;
  uint64_t value = 0;
  const accel_config config = {.area = "told",
                               .capacity = 100,
                               .loader_timeout_ms = PROCESS_PATIENCE_S * 1000,
                               .log = log_where_threads_end};
  assert_int_equal(plain_cache_open(&told, &config), ACCEL_OK);
  plain_cache_set_loader(&told, load_and_cancel, NULL);
  assert_int_equal(plain_cache_get(&told, 1, &value), ACCEL_OK);
  assert_int_equal(value, 2);
  plain_cache_close(&told); /* all is told now */
  assert_true(atomic_load(&records) >= 2);
  assert_int_equal(atomic_load(&records_ended), atomic_load(&records));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_of_plain_types_are_done),
      cmocka_unit_test(calls_that_may_wait_do_not_begin),
      cmocka_unit_test(no_thread_ends_in_an_equality_under_a_mutex),
      cmocka_unit_test(a_wait_is_not_given_up),
      cmocka_unit_test(a_log_does_not_end_a_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is opened twice, given a loader before it is open, or handed something else than an open
 * L2 or executor: refused with a sentence, and what was open goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include "quiet_fork.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

ACCEL_DEFINE(number, uint64_t, uint64_t)
ACCEL_DEFINE_WITH(shared, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_status load_same(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key;
  return ACCEL_OK;
}

static accel_status load_many(void *ctx, const uint64_t *keys, size_t count, uint64_t *values_out,
                              accel_status *statuses_out)
{
  (void)ctx;
  for (size_t i = 0; i < count; i++) {
    values_out[i] = keys[i];
    statuses_out[i] = ACCEL_OK;
  }
  return ACCEL_OK;
}

static const accel_config config_plain = {.area = "number"};

static void an_open_cache_is_not_opened_again(void **state)
{
  (void)state;
  number_cache cache;
  uint64_t out = 0, value = 7;
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  assert_int_equal(number_cache_set(&cache, 1, &value), ACCEL_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(number_cache_last_error(&cache), "open already"));
  assert_int_equal(number_cache_get(&cache, 1, &out), ACCEL_OK);
  assert_int_equal(out, 7);
  number_cache_close(&cache);
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  assert_int_equal(number_cache_get(&cache, 1, &out), ACCEL_MISS);
  number_cache_close(&cache);
}

/* A failed open leaves nothing that would be in the way of the next. */
static void what_failed_to_open_can_be_opened(void **state)
{
  (void)state;
  number_cache cache;
  assert_int_equal(number_cache_open(&cache, &(accel_config){.area = "no area"}), ACCEL_ERR_CONFIG);
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  number_cache_close(&cache);
}

static void any_bytes_can_be_opened(void **state)
{
  (void)state;
  number_cache cache, copy;
  accel_executor executor;
  accel_fake fake;
  memset(&cache, 0x5A, sizeof cache);
  memset(&executor, 0x5A, sizeof executor);
  memset(&fake, 0x5A, sizeof fake);
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  assert_int_equal(accel_executor_open(&executor, NULL), ACCEL_OK);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  memcpy(&copy, &cache, sizeof copy); /* as stack that an open cache lay on before */
  number_cache_close(&cache);
  memcpy(&cache, &copy, sizeof copy);
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  number_cache_close(&cache);
  accel_executor_close(&executor);
  accel_fake_close(&fake);
}

static void what_else_is_open_is_not_opened_again(void **state)
{
  (void)state;
  accel_executor executor;
  accel_fake fake;
  number_cache cache;
  uint64_t out;
  assert_int_equal(accel_executor_open(&executor, NULL), ACCEL_OK);
  assert_int_equal(accel_executor_open(&executor, NULL), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_ERR_CONFIG);
  assert_int_equal(
      number_cache_open(&cache, &(accel_config){.area = "number", .executor = &executor}),
      ACCEL_OK);
  number_cache_set_loader(&cache, load_same, NULL);
  assert_int_equal(number_cache_get(&cache, 3, &out), ACCEL_OK); /* on the executor's thread */
  number_cache_close(&cache);
  accel_fake_close(&fake);
  accel_executor_close(&executor);
}

static void expect_early_loader_refused(number_cache *cache)
{
  uint64_t out;
  assert_non_null(strstr(number_cache_last_error(cache), "not open"));
  assert_int_equal(number_cache_open(cache, &config_plain), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(number_cache_last_error(cache), "open the cache first"));
  assert_int_equal(number_cache_get(cache, 1, &out), ACCEL_ERR_CLOSED);
  assert_int_equal(number_cache_open(cache, &config_plain), ACCEL_OK);
  number_cache_set_loader(cache, load_same, NULL);
  assert_int_equal(number_cache_get(cache, 1, &out), ACCEL_OK);
  number_cache_close(cache);
}

static void a_loader_is_set_after_open(void **state)
{
  (void)state;
  number_cache cache;
  memset(&cache, 0, sizeof cache);
  number_cache_set_loader(&cache, load_same, NULL);
  expect_early_loader_refused(&cache);
  memset(&cache, 0x5A, sizeof cache);
  number_cache_set_mloader(&cache, load_many, NULL);
  expect_early_loader_refused(&cache);
  number_cache_set_loader(NULL, load_same, NULL);
}

/* Pointers to anything are `void *`: what they point to is looked up, and never read. */
static void a_remote_that_is_none_is_refused(void **state)
{
  (void)state;
  shared_cache cache;
  accel_fake fake, closed;
  char bytes[1] = {0};
  memset(&closed, 0, sizeof closed);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  void *const wrong[] = {bytes, &closed, &cache, (void *)(uintptr_t)16};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const accel_config config = {.area = "shared", .remote = wrong[i]};
    assert_int_equal(shared_cache_open(&cache, &config), ACCEL_ERR_CONFIG);
    assert_non_null(strstr(shared_cache_last_error(&cache), "not open"));
  }
  accel_fake_close(&fake);
  const accel_config config = {.area = "shared", .remote = &fake};
  assert_int_equal(shared_cache_open(&cache, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(shared_cache_last_error(&cache), "not open"));
}

static void an_executor_that_is_none_is_refused(void **state)
{
  (void)state;
  number_cache cache;
  accel_executor executor;
  memset(&executor, 0, sizeof executor);
  for (int i = 0; i < 2; i++) { /* never opened, then closed */
    const accel_config config = {.area = "number", .executor = &executor};
    assert_int_equal(number_cache_open(&cache, &config), ACCEL_ERR_CONFIG);
    assert_non_null(strstr(number_cache_last_error(&cache), "executor"));
    assert_int_equal(accel_executor_open(&executor, NULL), ACCEL_OK);
    accel_executor_close(&executor);
  }
}

static int run_child(number_cache *parents)
{
  uint64_t out;
  if (number_cache_get(parents, 1, &out) != ACCEL_ERR_CONFIG) return 1;
  if (number_cache_open(parents, &config_plain) != ACCEL_OK) return 2; /* its own, in its place */
  if (number_cache_open(parents, &config_plain) != ACCEL_ERR_CONFIG) return 3;
  number_cache_close(parents);
  return 0;
}

/* ---- a close from within ---- */

static number_cache closing;
static accel_status within; /* what close_within said */

static void close_from_within(void)
{
  within = number_cache_close_within(&closing, 0);
  assert_non_null(strstr(number_cache_last_error(&closing), "must not close"));
  number_cache_close(&closing);
}

static accel_status load_and_close(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key;
  close_from_within();
  return ACCEL_OK;
}

static ACCEL_CACHEABLE(number, read_and_close, (uint64_t id, uint64_t *out), (id, out),
                       .cache = &closing, .key = id, .out = out)
{
  return load_and_close(NULL, id, out);
}

static void log_and_close(void *ctx, const accel_log_record *record)
{
  (void)ctx;
  if (strcmp(record->op, "get") == 0) close_from_within();
}

static void expect_still_open(uint64_t key, uint64_t found)
{
  uint64_t out = 0;
  assert_int_equal(within, ACCEL_ERR_CONFIG);
  assert_int_equal(found, key);
  assert_int_equal(number_cache_get(&closing, key, &out), ACCEL_OK);
  assert_int_equal(out, key);
  within = ACCEL_OK;
}

static void no_loader_closes_its_cache(void **state)
{
  (void)state;
  const uint32_t limits[] = {ACCEL_FOREVER, 60000}; /* in this thread, and in another */
  for (size_t i = 0; i < 2; i++) {
    uint64_t out = 0;
    const accel_config config = {.area = "closing", .loader_timeout_ms = limits[i]};
    assert_int_equal(number_cache_open(&closing, &config), ACCEL_OK);
    number_cache_set_loader(&closing, load_and_close, NULL);
    assert_int_equal(number_cache_get(&closing, 1, &out), ACCEL_OK);
    expect_still_open(1, out);
    assert_int_equal(number_cache_get_or_load(&closing, 2, NULL, load_and_close, NULL, &out),
                     ACCEL_OK);
    expect_still_open(2, out);
    assert_int_equal(read_and_close(3, &out), ACCEL_OK);
    expect_still_open(3, out);
    number_cache_close(&closing);
    assert_int_equal(number_cache_get(&closing, 1, &out), ACCEL_ERR_CLOSED);
  }
}

static void no_log_closes_its_cache(void **state)
{
  (void)state;
  uint64_t out = 0;
  const accel_config config = {.area = "closing", .log = log_and_close};
  assert_int_equal(number_cache_open(&closing, &config), ACCEL_OK);
  number_cache_set_loader(&closing, load_same, NULL);
  assert_int_equal(number_cache_get(&closing, 1, &out), ACCEL_OK);
  expect_still_open(1, out);
  number_cache_close(&closing);
}

static void a_child_may_open_where_its_parents_cache_lay(void **state)
{
  (void)state;
  static number_cache cache;
  assert_int_equal(number_cache_open(&cache, &config_plain), ACCEL_OK);
  const pid_t child = quiet_fork();
  assert_true(child >= 0);
  if (child == 0) _exit(run_child(&cache));
  int result = -1;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  number_cache_close(&cache);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_open_cache_is_not_opened_again),
      cmocka_unit_test(what_failed_to_open_can_be_opened),
      cmocka_unit_test(any_bytes_can_be_opened),
      cmocka_unit_test(what_else_is_open_is_not_opened_again),
      cmocka_unit_test(a_loader_is_set_after_open),
      cmocka_unit_test(a_remote_that_is_none_is_refused),
      cmocka_unit_test(an_executor_that_is_none_is_refused),
      cmocka_unit_test(no_loader_closes_its_cache),
      cmocka_unit_test(no_log_closes_its_cache),
      cmocka_unit_test(a_child_may_open_where_its_parents_cache_lay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

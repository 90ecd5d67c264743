/* Statuses that nobody defined, from whatever a user hands in: ACCEL_ERR_LOADER, and not cached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include <stdio.h>
#include <string.h>

ACCEL_DEFINE(number, uint64_t, uint64_t)

static accel_status answer; /* of all that is called here */
static unsigned calls;

static accel_status load_one(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  calls++;
  *out = key;
  return answer;
}

static bool is_whole_call; /* the mloader itself returns it, not each status */

static accel_status load_many(void *ctx, const uint64_t *keys, size_t count, uint64_t *values_out,
                              accel_status *statuses_out)
{
  (void)ctx;
  calls++;
  for (size_t i = 0; i < count; i++) {
    values_out[i] = keys[i];
    statuses_out[i] = is_whole_call ? ACCEL_OK : answer;
  }
  return is_whole_call ? answer : ACCEL_OK;
}

static ACCEL_CACHEABLE(number, read_number, (number_cache * cache, uint64_t id, uint64_t *out),
                       (cache, id, out), .cache = cache, .key = id, .out = out)
{
  (void)cache;
  return load_one(NULL, id, out);
}

static ACCEL_CACHEABLE_BATCH(number, read_numbers, (number_cache * cache), (cache), .cache = cache)
{
  (void)cache;
  return load_many(NULL, keys, count, values, statuses);
}

static ACCEL_CACHE_PUT(number, save_number, (number_cache * cache, const uint64_t *number),
                       (cache, number), .cache = cache, .key = *number, .value = number)
{
  (void)cache;
  return *number == 0 ? ACCEL_OK : answer;
}

static ACCEL_CACHE_EVICT(number, delete_number, (number_cache * cache, uint64_t id), (cache, id),
                         .cache = cache, .key = id)
{
  (void)cache;
  return id == 0 ? ACCEL_OK : answer;
}

/* What is no status is named in the sentence of the failure, and so is who returned it. */
static void check_error(const number_cache *cache, accel_status said, accel_status heard,
                        const char *who)
{
  char text[80];
  if (said == heard) return;
  (void)snprintf(text, sizeof text, "%s returned %d,", who, (int)said);
  if (strstr(number_cache_last_error(cache), text) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", number_cache_last_error(cache), text);
}

static void check(number_cache *cache, accel_status said, accel_status heard)
{
  const accel_read *const none = NULL;
  const uint64_t key = 7, keys[] = {7, 8};
  uint64_t out, values[2];
  accel_status statuses[2] = {ACCEL_OK, ACCEL_OK};
  answer = said;
  for (unsigned i = 0; i < 2; i++) { /* a second time: nothing was kept */
    calls = 0;
    assert_int_equal(number_cache_get(cache, key, &out), heard);
    check_error(cache, said, heard, "the loader");
    assert_int_equal(number_cache_get_or_load(cache, key, none, load_one, NULL, &out), heard);
    check_error(cache, said, heard, "the load function of get_or_load");
    assert_int_equal(read_number(cache, key, &out), heard);
    check_error(cache, said, heard, "the body of a wrapper");
    assert_int_equal(calls, 3);
    for (unsigned whole = 0; whole < 2; whole++) {
      is_whole_call = whole == 1;
      assert_int_equal(number_cache_mget(cache, keys, 2, none, values, statuses), heard);
      check_error(cache, said, heard, "the mloader");
      assert_int_equal(statuses[1], heard);
      assert_int_equal(read_numbers(cache, keys, 2, values, statuses), heard);
      check_error(cache, said, heard, "the body of a wrapper");
      assert_int_equal(statuses[1], heard);
    }
    assert_int_equal(calls, 7);
    assert_int_equal(save_number(cache, &key), heard);
    assert_int_equal(delete_number(cache, key), heard);
  }
}

static void what_is_not_defined_is_a_failure_of_the_loader(void **state)
{
  (void)state;
  number_cache cache;
  const accel_config config = {.area = "number", .loader_timeout_ms = ACCEL_FOREVER};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  number_cache_set_loader(&cache, load_one, NULL);
  number_cache_set_mloader(&cache, load_many, NULL);
  static const int undefined[] = {-8, -50, -999, 3, 4, 5, 200, INT32_MAX};
  for (size_t i = 0; i < sizeof undefined / sizeof undefined[0]; i++)
    check(&cache, (accel_status)undefined[i], ACCEL_ERR_LOADER);
  static const int own[] = {-1000, -1001, INT32_MIN};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    check(&cache, (accel_status)own[i], (accel_status)own[i]);
  number_cache_close(&cache);
  uint64_t out; /* without a cache the body's status is looked at just the same */
  answer = (accel_status)-50;
  assert_int_equal(read_number(&cache, 1, &out), ACCEL_ERR_LOADER);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_not_defined_is_a_failure_of_the_loader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

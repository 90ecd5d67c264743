/* Two caches on one small executor, far more readers than it has threads, limits that pass, loads
 * that need others, circles, refreshes, second dels and writes: whatever is answered is right, and
 * everything ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define READERS 24
#define ROUNDS 250
#define KEYS 64u

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

static row_cache caches[2];

static void nap_us(long us)
{
  const struct timespec pause = {0, us * 1000};
  nanosleep(&pause, NULL);
}

/* Keys from 40 need smaller ones, of the second cache; 63 needs 62, and 62 needs 63. */
static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  row_cache *own = (row_cache *)ctx;
  uint64_t other = 0, values[3];
  const uint64_t three[3] = {key - 30, key - 31, key - 32};
  accel_status status = ACCEL_OK;
  if (key % 8 == 0) nap_us(500);
  if (key >= 62)
    status = row_cache_get(own, 125 - key, &other); /* the cache may be closing */
  else if (key >= 55)
    status = row_cache_mget(own, three, 3, NULL, values, NULL);
  else if (key >= 40)
    status = row_cache_get(&caches[1], key - 1, &other);
  *out = key;
  return status;
}

static accel_status load_alone(void *ctx, uint64_t key, uint64_t *out)
{
  return load(ctx, key, out);
}

static void check(accel_status status, uint64_t key, uint64_t value)
{
  if (status == ACCEL_OK && value != key) fail_msg("key %u", (unsigned)key);
  if (status != ACCEL_OK && status != ACCEL_ERR_TIMEOUT && status != ACCEL_ERR_LOADER &&
      status != ACCEL_ERR_CONFIG)
    fail_msg("status %d", (int)status);
}

static void read_batch(row_cache *cache, uint64_t first)
{
  uint64_t keys[5], values[5];
  accel_status statuses[5];
  for (uint64_t i = 0; i < 5; i++) keys[i] = (first + 7 * i) % KEYS;
  const accel_status all = row_cache_mget(cache, keys, 5, NULL, values, statuses);
  check(all, 0, 0);
  for (size_t i = 0; i < 5; i++) check(statuses[i], keys[i], values[i]);
}

static void *read_much(void *number_pointer)
{
  uint64_t state = (uint64_t)(uintptr_t)number_pointer + 1;
  const accel_read stale = {.allow_stale = true};
  for (int round = 0; round < ROUNDS; round++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t key = state >> 33 & (KEYS - 1);
    row_cache *cache = &caches[state >> 40 & 1];
    uint64_t value = key;
    switch (state >> 50 & 7) {
      case 0: read_batch(cache, key); break;
      case 1:
        check(row_cache_get_or_load(cache, key, NULL, load_alone, cache, &value), key, value);
        break;
      case 2: row_cache_del(cache, key); break;
      case 3: row_cache_refresh(cache, key); break;
      case 4: row_cache_del_after(cache, key, 3); break;
      case 5: check(row_cache_get_with(cache, key, &stale, &value), key, value); break;
      default: check(row_cache_get(cache, key, &value), key, value);
    }
  }
  return NULL;
}

/* Everybody at once; then the caches are closed with what is left in the queues. */
static void crowd(uint32_t threads, uint32_t places, uint32_t limit_ms, bool has_remote)
{
  const accel_executor_config small = {.max_threads = threads, .queue_size = places};
  accel_executor executor;
  accel_fake fake;
  pthread_t readers[READERS];
  assert_int_equal(accel_executor_open(&executor, &small), ACCEL_OK);
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  for (int i = 0; i < 2; i++) {
    const accel_config config = {.area = i == 0 ? "one" : "two",
                                 .capacity = 256,
                                 .local_ttl_ms = 5,
                                 .remote_ttl_ms = 5,
                                 .loader_timeout_ms = limit_ms,
                                 .loader_soft_timeout_ms = limit_ms == ACCEL_FOREVER ? 0 : 1,
                                 .stale_throttle_ms = 1,
                                 .remote = has_remote ? &fake : NULL,
                                 .executor = places == 0 ? NULL : &executor};
    assert_int_equal(row_cache_open(&caches[i], &config), ACCEL_OK);
    row_cache_set_loader(&caches[i], load, &caches[i]);
  }
  for (uintptr_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&readers[i], NULL, read_much, (void *)i), 0);
  for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
  for (int i = 0; i < 2; i++) row_cache_close(&caches[i]);
  accel_executor_close(&executor);
  accel_fake_close(&fake);
}

static void a_small_executor_with_short_limits(void **state)
{
  (void)state;
  crowd(2, 4, 3, false);
}

static void one_thread_and_one_place(void **state)
{
  (void)state;
  crowd(1, 1, 20, false);
}

static void the_common_executor(void **state)
{
  (void)state;
  crowd(1, 0, 5, false);
}

static void no_limits_at_all(void **state)
{
  (void)state;
  crowd(1, 4, ACCEL_FOREVER, false);
}

static void leases_behind_it(void **state)
{
  (void)state;
  crowd(2, 4, 10, true);
}

/* ---- a close beside a loader's hits ---- */

static accel_status load_and_look(void *begun, uint64_t key, uint64_t *out)
{
  uint64_t found = key;
  accel_status status = ACCEL_OK;
  __atomic_store_n((bool *)begun, true, __ATOMIC_RELEASE);
  for (int i = 0; i < 100000 && status == ACCEL_OK; i++)
    status = row_cache_get(&caches[0], 1, &found);
  if (status == ACCEL_OK && found != 5) fail_msg("%u", (unsigned)found);
  *out = key;
  return ACCEL_OK;
}

static void a_loader_looks_while_its_cache_closes(void **state)
{
  (void)state;
  const accel_config config = {.area = "one", .capacity = 16};
  for (int round = 0; round < 4; round++) {
    bool has_begun = false;
    assert_int_equal(row_cache_open(&caches[0], &config), ACCEL_OK);
    row_cache_set_loader(&caches[0], load_and_look, &has_begun);
    assert_int_equal(row_cache_set(&caches[0], 1, &(uint64_t){5}), ACCEL_OK);
    assert_int_equal(row_cache_refresh(&caches[0], 2), ACCEL_OK);
    while (!__atomic_load_n(&has_begun, __ATOMIC_ACQUIRE)) nap_us(100);
    row_cache_close(&caches[0]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_executor_with_short_limits),
      cmocka_unit_test(one_thread_and_one_place),
      cmocka_unit_test(the_common_executor),
      cmocka_unit_test(no_limits_at_all),
      cmocka_unit_test(leases_behind_it),
      cmocka_unit_test(a_loader_looks_while_its_cache_closes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* user_rows.h: a cache of rows over a fake L2 with a clock that the test sets, for the wrappers'
 * tests. */
#ifndef USER_ROWS_H
#define USER_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#define ROW_LOCKED ((accel_status)-1001)

typedef struct user_row {
  uint64_t id;
  uint32_t age;
} user_row;

ACCEL_DEFINE_WITH(user, uint64_t, user_row, .remote = &accel_fake_ops)

typedef struct user_rows {
  user_cache cache;
  accel_fake fake;
  uint64_t now_ms;
} user_rows;

static uint64_t user_rows_now_ms(void *rows)
{
  return ((const user_rows *)rows)->now_ms;
}

/* loader_timeout_ms 0: the default. */
static void user_rows_open_cache(user_rows *rows, uint32_t loader_timeout_ms)
{
  const accel_clock clock = {user_rows_now_ms, rows};
  const accel_config config = {.area = "user",
                               .no_ttl_jitter = true,
                               .loader_timeout_ms = loader_timeout_ms,
                               .remote = &rows->fake,
                               .clock = &clock};
  assert_int_equal(user_cache_open(&rows->cache, &config), ACCEL_OK);
}

static void user_rows_open(user_rows *rows, uint32_t loader_timeout_ms)
{
  rows->now_ms = 1000000;
  assert_int_equal(accel_fake_open(&rows->fake, NULL), ACCEL_OK);
  user_rows_open_cache(rows, loader_timeout_ms);
}

static void user_rows_close(user_rows *rows)
{
  user_cache_close(&rows->cache);
  accel_fake_close(&rows->fake);
}

static void user_rows_set(user_rows *rows, uint64_t id, uint32_t age)
{
  const user_row row = {id, age};
  assert_int_equal(user_cache_set(&rows->cache, id, &row), ACCEL_OK);
}

#endif

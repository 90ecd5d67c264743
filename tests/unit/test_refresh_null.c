/* A refresh that finds that a value does not exist any more, while there is no memory to remove it
 * from L2: the value does not stay there. Built with failing_alloc.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include "failing_alloc.h"

#include <string.h>
#include <time.h>

#define OLD 7
#define PATIENCE_MS 60000

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_fake fake;
static row_cache writer, other;
static const accel_read only_cached = {.disable_load = true};

static void nap(void)
{
  const struct timespec pause = {0, 1000000};
  nanosleep(&pause, NULL);
}

static accel_status find_nothing(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx, (void)key, (void)out;
  failing_alloc_fail_from(1);
  return ACCEL_NULL;
}

static bool is_refreshed(void)
{
  accel_metrics seen;
  row_cache_metrics_snapshot(&writer, &seen);
  return seen.refresh_success > 0;
}

static bool has_old(row_cache *cache)
{
  uint64_t value = 0;
  return row_cache_get_with(cache, 1, &only_cached, &value) == ACCEL_OK && value == OLD;
}

static void refresh_without_memory(bool keeps_nulls)
{
  const uint64_t old = OLD;
  const accel_config config = {.area = "row",
                               .capacity = 100,
                               .loader_timeout_ms = PATIENCE_MS,
                               .no_null_cache = !keeps_nulls,
                               .remote = &fake};
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  assert_int_equal(row_cache_open(&writer, &config), ACCEL_OK);
  assert_int_equal(row_cache_open(&other, &config), ACCEL_OK);
  row_cache_set_loader(&writer, find_nothing, NULL);
  assert_int_equal(row_cache_set(&writer, 1, &old), ACCEL_OK);
  assert_int_equal(row_cache_refresh(&writer, 1), ACCEL_OK);
  while (!is_refreshed()) nap();
  for (int i = 0; i < 20; i++) nap(); /* it stores what it found, without memory */
  failing_alloc_fail_nth(0);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (has_old(&other) || has_old(&writer)) {
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("what does not exist is read for ever");
    accel_fake_heartbeat(&fake); /* it looks after repairs for which no thread could be started */
    nap();
  }
  row_cache_close(&writer);
  row_cache_close(&other);
  accel_fake_close(&fake);
}

static void what_is_gone_leaves_L2(void **state)
{
  (void)state;
  refresh_without_memory(true);
}

static void and_where_no_nulls_are_kept(void **state)
{
  (void)state;
  refresh_without_memory(false);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_gone_leaves_L2),
                                     cmocka_unit_test(and_where_no_nulls_are_kept)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

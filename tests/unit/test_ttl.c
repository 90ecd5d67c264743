/* Lifetimes: sums that saturate, jitter that only shortens, windows that fit in a lifetime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/ttl.h"

static void sums_end_at_never(void **state)
{
  (void)state;
  assert_true(accel_ttl_after(1000, 50) == 1050);
  assert_true(accel_ttl_after(0, 0) == 0);
  assert_true(accel_ttl_after(1000, ACCEL_FOREVER) == ACCEL_NEVER);
  assert_true(accel_ttl_after(ACCEL_NEVER, 1) == ACCEL_NEVER);
  assert_true(accel_ttl_after(ACCEL_NEVER - 1, 2) == ACCEL_NEVER);
  assert_true(accel_ttl_after(ACCEL_NEVER - 10, 9) == ACCEL_NEVER - 1);
  assert_true(accel_ttl_after(5, ACCEL_FOREVER - 1) == (uint64_t)5 + ACCEL_FOREVER - 1);
}

static uint32_t jitter(uint32_t ttl_ms, double ratio, uint32_t random)
{
  return accel_ttl_jitter(ttl_ms, accel_ttl_ratio(ratio), random);
}

static void jitter_only_shortens(void **state)
{
  (void)state;
  uint64_t random = 1;
  uint32_t least = UINT32_MAX, most = 0;
  for (int i = 0; i < 10000; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint32_t ttl_ms = jitter(1000, 0.1, (uint32_t)(random >> 32));
    if (ttl_ms < least) least = ttl_ms;
    if (ttl_ms > most) most = ttl_ms;
  }
  assert_in_range(least, 900, 905);
  assert_in_range(most, 995, 1000);
  assert_int_equal(jitter(1000, 0.1, 0), 1000);
  assert_in_range(jitter(1000, 0.1, UINT32_MAX), 900, 901);
}

static void jitter_keeps_the_ends(void **state)
{
  (void)state;
  assert_int_equal(jitter(1000, 0.0, UINT32_MAX), 1000);
  assert_true(jitter(ACCEL_FOREVER, 1.0, UINT32_MAX) == ACCEL_FOREVER);
  assert_int_equal(jitter(1000, 1.0, UINT32_MAX), 1);
  assert_int_equal(jitter(1, 1.0, UINT32_MAX), 1);
  assert_int_equal(jitter(1, 0.5, 0), 1);
  assert_true(jitter(ACCEL_FOREVER - 1, 0.1, 0) == ACCEL_FOREVER - 1);
}

static void a_life_has_its_refresh_before_its_end(void **state)
{
  (void)state;
  accel_lifetime lifetime = accel_ttl_lifetime(100, 10000, 3000);
  assert_true(lifetime.born_ms == 100 && lifetime.refresh_ms == 7100 &&
              lifetime.expires_ms == 10100);
  lifetime = accel_ttl_lifetime(100, 1000, 3000);
  assert_true(lifetime.refresh_ms == 600 && lifetime.expires_ms == 1100);
  lifetime = accel_ttl_lifetime(100, 1000, 0);
  assert_true(lifetime.refresh_ms == 1100 && lifetime.expires_ms == 1100);
  lifetime = accel_ttl_lifetime(100, 1, 3000);
  assert_true(lifetime.refresh_ms == 101 && lifetime.expires_ms == 101);
  lifetime = accel_ttl_lifetime(100, ACCEL_FOREVER, 3000);
  assert_true(lifetime.refresh_ms == ACCEL_NEVER && lifetime.expires_ms == ACCEL_NEVER);
  lifetime = accel_ttl_lifetime(ACCEL_NEVER - 5, 1000, 3000);
  assert_true(lifetime.refresh_ms == ACCEL_NEVER && lifetime.expires_ms == ACCEL_NEVER);
}

static void stale_has_its_own_end(void **state)
{
  (void)state;
  assert_true(accel_ttl_is_stale_usable(1000, 1000, 1));
  assert_false(accel_ttl_is_stale_usable(1001, 1000, 1));
  assert_true(accel_ttl_is_stale_usable(4599, 1000, 3600));
  assert_false(accel_ttl_is_stale_usable(4600, 1000, 3600));
  assert_false(accel_ttl_is_stale_usable(1000, 1000, 0));
  assert_true(accel_ttl_is_stale_usable(ACCEL_NEVER - 1, 1000, ACCEL_FOREVER));
  assert_true(accel_ttl_is_stale_usable(5, ACCEL_NEVER, 10));
}

static void what_is_left_fits_a_duration(void **state)
{
  (void)state;
  assert_int_equal(accel_ttl_left(1000, 1500), 500);
  assert_int_equal(accel_ttl_left(1500, 1500), 0);
  assert_int_equal(accel_ttl_left(9999, 1500), 0);
  assert_true(accel_ttl_left(1000, ACCEL_NEVER) == ACCEL_FOREVER);
  assert_true(accel_ttl_left(0, ACCEL_FOREVER) == ACCEL_FOREVER - 1);
  assert_true(accel_ttl_left(0, (uint64_t)1 << 60) == ACCEL_FOREVER - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_end_at_never),
      cmocka_unit_test(jitter_only_shortens),
      cmocka_unit_test(jitter_keeps_the_ends),
      cmocka_unit_test(a_life_has_its_refresh_before_its_end),
      cmocka_unit_test(stale_has_its_own_end),
      cmocka_unit_test(what_is_left_fits_a_duration),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

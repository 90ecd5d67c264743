/* Configuration: the defaults of the manual's table, and errors that name field and value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/config.h"

#include "accel/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const accel_config_facts local_facts = {false, false};
static const accel_config_facts all_facts = {true, true};
static char remote_object;

static accel_status resolve(const accel_config *config, const accel_config_facts *facts,
                            accel_config *resolved)
{
  memset(resolved, 0xEE, sizeof *resolved);
  return accel_config_resolve(resolved, config, facts, resolved);
}

static void defaults_are_those_of_the_manual(void **state)
{
  (void)state;
  const accel_config config = {.area = "users"};
  accel_config resolved;
  assert_int_equal(resolve(&config, &local_facts, &resolved), ACCEL_OK);
  assert_string_equal(resolved.area, "users");
  assert_int_equal(resolved.mode, ACCEL_LOCAL);
  assert_int_equal(resolved.capacity, 100000);
  assert_int_equal(resolved.max_weight, 0);
  assert_int_equal(resolved.max_key_bytes, 131072);
  assert_int_equal(resolved.local_ttl_ms, 60000);
  assert_int_equal(resolved.remote_ttl_ms, 300000);
  assert_int_equal(resolved.null_ttl_ms, 30000);
  assert_true(resolved.ttl_jitter_ratio == 0.1);
  assert_int_equal(resolved.loader_timeout_ms, 300);
  assert_int_equal(resolved.loader_soft_timeout_ms, 0);
  assert_int_equal(resolved.refresh_ahead_window_ms, 3000);
  assert_int_equal(resolved.stale_max_ms, 3600000);
  assert_int_equal(resolved.stale_throttle_ms, 1000);
  assert_int_equal(resolved.warmup_batch_size, 256);
  assert_int_equal(resolved.degraded_ttl_ms, 1000);
  assert_int_equal(resolved.lease_ms, 900);
  assert_int_equal(resolved.remote_errors, ACCEL_IGNORE);
  assert_null(resolved.remote);
  assert_null(resolved.clock);
  assert_null(resolved.executor);
  assert_null(resolved.log);
  assert_null(resolved.log_ctx);
  assert_null(resolved.spans);
  const bool switches[] = {
      resolved.no_ttl_jitter,          resolved.no_null_cache,  resolved.refresh_ahead,
      resolved.no_penetration_protect, resolved.stale_on_error, resolved.warmup_enabled,
      resolved.no_broadcast,           resolved.no_lease,       resolved.trace_hits};
  for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) assert_false(switches[i]);
}

static uint64_t now(void *ctx)
{
  (void)ctx;
  return 0;
}

static void *begin(void *ctx, const char *name, const char *area)
{
  (void)name;
  (void)area;
  return ctx;
}

static void end(void *ctx, void *span, accel_status status)
{
  (void)ctx;
  (void)span;
  (void)status;
}

static void what_is_set_stays(void **state)
{
  (void)state;
  const accel_clock clock = {now, NULL};
  const accel_span_ops spans = {NULL, begin, end, NULL};
  const accel_config config = {
      .area = "a",
      .mode = ACCEL_BOTH,
      .capacity = 1,
      .max_weight = 2,
      .max_key_bytes = 3,
      .local_ttl_ms = 4,
      .remote_ttl_ms = 5,
      .null_ttl_ms = 6,
      .ttl_jitter_ratio = 1.0,
      .loader_timeout_ms = ACCEL_FOREVER,
      .loader_soft_timeout_ms = 8,
      .refresh_ahead_window_ms = 9,
      .stale_max_ms = 10,
      .stale_throttle_ms = 11,
      .warmup_batch_size = 12,
      .degraded_ttl_ms = ACCEL_FOREVER,
      .remote = &remote_object,
      .remote_errors = ACCEL_PROPAGATE,
      .clock = &clock,
      .spans = &spans,
  };
  accel_config resolved;
  assert_int_equal(resolve(&config, &all_facts, &resolved), ACCEL_OK);
  assert_int_equal(resolved.mode, ACCEL_BOTH);
  assert_int_equal(resolved.capacity, 1);
  assert_int_equal(resolved.max_weight, 2);
  assert_int_equal(resolved.max_key_bytes, 3);
  assert_int_equal(resolved.local_ttl_ms, 4);
  assert_int_equal(resolved.remote_ttl_ms, 5);
  assert_int_equal(resolved.null_ttl_ms, 6);
  assert_true(resolved.ttl_jitter_ratio == 1.0);
  assert_true(resolved.loader_timeout_ms == ACCEL_FOREVER);
  assert_int_equal(resolved.loader_soft_timeout_ms, 8);
  assert_int_equal(resolved.refresh_ahead_window_ms, 9);
  assert_int_equal(resolved.stale_max_ms, 10);
  assert_int_equal(resolved.stale_throttle_ms, 11);
  assert_int_equal(resolved.warmup_batch_size, 12);
  assert_true(resolved.degraded_ttl_ms == ACCEL_FOREVER);
  assert_ptr_equal(resolved.remote, &remote_object);
  assert_int_equal(resolved.remote_errors, ACCEL_PROPAGATE);
  assert_ptr_equal(resolved.clock, &clock);
  assert_ptr_equal(resolved.spans, &spans);
}

static void lives_may_have_no_end(void **state)
{
  (void)state;
  const accel_config config = {.area = "a",
                               .local_ttl_ms = ACCEL_FOREVER,
                               .remote_ttl_ms = ACCEL_FOREVER,
                               .null_ttl_ms = ACCEL_FOREVER};
  accel_config resolved;
  assert_int_equal(resolve(&config, &local_facts, &resolved), ACCEL_OK);
  assert_true(resolved.local_ttl_ms == ACCEL_FOREVER);
}

static void jitter_can_be_turned_off(void **state)
{
  (void)state;
  const accel_config config = {.area = "a", .no_ttl_jitter = true, .ttl_jitter_ratio = 0.5};
  accel_config resolved;
  assert_int_equal(resolve(&config, &local_facts, &resolved), ACCEL_OK);
  assert_true(resolved.ttl_jitter_ratio == 0.0);
}

static void the_mode_follows_the_remote(void **state)
{
  (void)state;
  static const struct {
    accel_mode mode;
    bool has_remote;
    accel_mode resolved; /* ACCEL_AUTO: refused */
  } cases[] = {
      {ACCEL_AUTO, false, ACCEL_LOCAL},    {ACCEL_AUTO, true, ACCEL_BOTH},
      {ACCEL_LOCAL, false, ACCEL_LOCAL},   {ACCEL_LOCAL, true, ACCEL_AUTO},
      {ACCEL_REMOTE, false, ACCEL_AUTO},   {ACCEL_REMOTE, true, ACCEL_REMOTE},
      {ACCEL_BOTH, false, ACCEL_AUTO},     {ACCEL_BOTH, true, ACCEL_BOTH},
      {(accel_mode)17, false, ACCEL_AUTO}, {(accel_mode)-1, true, ACCEL_AUTO},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const accel_config config = {
        .area = "a", .mode = cases[i].mode, .remote = cases[i].has_remote ? &remote_object : NULL};
    accel_config resolved;
    const accel_status status = resolve(&config, &all_facts, &resolved);
    assert_int_equal(status, cases[i].resolved == ACCEL_AUTO ? ACCEL_ERR_CONFIG : ACCEL_OK);
    if (status == ACCEL_OK) assert_int_equal(resolved.mode, cases[i].resolved);
    if (status != ACCEL_OK) assert_non_null(strstr(accel_error_text(&resolved), "mode"));
  }
}

/* The configuration is refused, nothing is resolved, and the text holds both words. */
static void check_refused(const accel_config *config, const accel_config_facts *facts,
                          const char *field, const char *value)
{
  accel_config resolved, untouched;
  memset(&untouched, 0xEE, sizeof untouched);
  assert_int_equal(resolve(config, facts, &resolved), ACCEL_ERR_CONFIG);
  assert_memory_equal(&resolved, &untouched, sizeof resolved);
  const char *text = accel_error_text(&resolved);
  if (strstr(text, field) == NULL || strstr(text, value) == NULL)
    fail_msg("\"%s\" names not both \"%s\" and \"%s\"", text, field, value);
}

static void areas_are_names(void **state)
{
  (void)state;
  char longest[66];
  memset(longest, 'x', sizeof longest);
  longest[65] = '\0';
  const struct {
    const char *area, *value;
  } refused[] = {{NULL, "NULL"},       {"", "\"\""},     {"a b", "0x20"}, {"a:b", "0x3a"},
                 {"tab\t", "0x09"},    {"\x01", "0x01"}, {"a/b", "0x2f"}, {"%", "0x25"},
                 {"\xC3\xA4", "0xc3"}, {longest, "65"}};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    const accel_config config = {.area = refused[i].area};
    check_refused(&config, &local_facts, "area", refused[i].value);
  }
  longest[64] = '\0';
  static const char every[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
  const char *const allowed[] = {"a", "-", every, longest};
  for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
    const accel_config config = {.area = allowed[i]};
    accel_config resolved;
    assert_int_equal(resolve(&config, &local_facts, &resolved), ACCEL_OK);
    assert_true(accel_config_is_name(allowed[i]));
  }
  assert_false(accel_config_is_name(""));
  assert_false(accel_config_is_name("a b"));
}

static void ratios_are_shares(void **state)
{
  (void)state;
  static const struct {
    double ratio;
    const char *value;
  } refused[] = {{1.5, "1.5"}, {-0.1, "-0.1"}, {(double)NAN, "nan"}, {(double)INFINITY, "inf"}};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    accel_config config = {.area = "a", .ttl_jitter_ratio = refused[i].ratio};
    check_refused(&config, &local_facts, "ttl_jitter_ratio", refused[i].value);
    config.no_ttl_jitter = true;
    check_refused(&config, &local_facts, "ttl_jitter_ratio", refused[i].value);
  }
}

static void traits_must_be_there(void **state)
{
  (void)state;
  accel_config config = {.area = "a", .max_weight = 4711};
  check_refused(&config, &local_facts, "max_weight", "4711");
  config = (accel_config){.area = "a", .remote = &remote_object};
  check_refused(&config, &local_facts, "remote", ".remote");
}

static void what_makes_no_sense_is_refused(void **state)
{
  (void)state;
  const accel_clock clock = {NULL, NULL};
  const accel_span_ops no_end = {NULL, begin, NULL, NULL}, no_begin = {NULL, NULL, end, NULL};
  accel_config config = {.area = "a", .clock = &clock};
  check_refused(&config, &local_facts, "clock", "now_ms");
  config = (accel_config){.area = "a", .spans = &no_end};
  check_refused(&config, &local_facts, "spans", "end");
  config = (accel_config){.area = "a", .spans = &no_begin};
  check_refused(&config, &local_facts, "spans", "begin");
  config = (accel_config){.area = "a", .remote_errors = (accel_error_policy)7};
  check_refused(&config, &local_facts, "remote_errors", "7");
  config = (accel_config){.area = "a", .loader_soft_timeout_ms = ACCEL_FOREVER};
  check_refused(&config, &local_facts, "loader_soft_timeout_ms", "ACCEL_FOREVER");
  config = (accel_config){.area = "a", .refresh_ahead_window_ms = ACCEL_FOREVER};
  check_refused(&config, &local_facts, "refresh_ahead_window_ms", "ACCEL_FOREVER");
  config = (accel_config){.area = "a", .stale_max_ms = ACCEL_FOREVER};
  check_refused(&config, &local_facts, "stale_max_ms", "ACCEL_FOREVER");
  config = (accel_config){.area = "a", .stale_throttle_ms = ACCEL_FOREVER};
  check_refused(&config, &local_facts, "stale_throttle_ms", "ACCEL_FOREVER");
  config = (accel_config){.area = "a", .capacity = SIZE_MAX};
  check_refused(&config, &local_facts, "capacity", "18446744073709551615");
  check_refused(NULL, &local_facts, "config", "NULL");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_those_of_the_manual),
      cmocka_unit_test(what_is_set_stays),
      cmocka_unit_test(lives_may_have_no_end),
      cmocka_unit_test(jitter_can_be_turned_off),
      cmocka_unit_test(the_mode_follows_the_remote),
      cmocka_unit_test(areas_are_names),
      cmocka_unit_test(ratios_are_shares),
      cmocka_unit_test(traits_must_be_there),
      cmocka_unit_test(what_makes_no_sense_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

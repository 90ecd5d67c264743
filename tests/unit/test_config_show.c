/* test_config_show.c: a configuration as text: every field once, and what deviates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/config_show.h"

#include <string.h>

static accel_config resolve(const accel_config *config)
{
  static const accel_config_facts facts = {true, true};
  accel_config resolved;
  assert_int_equal(accel_config_resolve(NULL, config, &facts, &resolved), ACCEL_OK);
  return resolved;
}

static void expect(const accel_config *config, const char *name, const char *value,
                   const char *when_zero)
{
  accel_config_text text;
  for (size_t i = 0; accel_config_show(config, config->area, i, &text); i++) {
    if (strcmp(text.name, name) != 0) continue;
    assert_string_equal(text.value, value);
    assert_string_equal(text.when_zero, when_zero);
    return;
  }
  fail_msg("%s is not shown", name);
}

static void nothing_deviates_by_default(void **state)
{
  (void)state;
  int remote = 0, observer = 0;
  const accel_config given = {
      .area = "rows", .remote = &remote, .observer = (struct accel_observer *)(void *)&observer};
  const accel_config config = resolve(&given);
  accel_config_text text;
  size_t count = 0;
  for (; accel_config_show(&config, config.area, count, &text); count++)
    assert_string_equal(text.value, text.when_zero);
  assert_true(count >= 38);
  expect(&config, "area", "rows", "rows");
  expect(&config, "mode", "both", "both");
  expect(&config, "remote", "set", "set");
}

static void what_was_set_is_shown(void **state)
{
  (void)state;
  const accel_config given = {.area = "rows",
                              .capacity = 5,
                              .local_ttl_ms = ACCEL_FOREVER,
                              .ttl_jitter_ratio = 0.25,
                              .no_null_cache = true,
                              .remote_errors = ACCEL_PROPAGATE,
                              .log = accel_log_stderr};
  accel_config config = resolve(&given);
  expect(&config, "mode", "local", "local");
  expect(&config, "capacity", "5", "100000");
  expect(&config, "local_ttl_ms", "forever", "60000");
  expect(&config, "ttl_jitter_ratio", "0.25", "0.1");
  expect(&config, "no_null_cache", "true", "false");
  expect(&config, "remote_errors", "propagate", "ignore");
  expect(&config, "log", "set", "none");
  config.hot_keys = UINT32_MAX;
  expect(&config, "hot_keys", "4294967295", "0");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_deviates_by_default),
      cmocka_unit_test(what_was_set_is_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_observer.c: what an observer collects of one moment: who joins and leaves, what becomes of
 * the figures of closed caches, and the labels of the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/observer_labels.h"
#include "accel/observer_state.h"
#include "accel_backends/fake.h"

#include "failing_alloc.h"

typedef struct row_t {
  uint64_t id;
} row_t;

ACCEL_DEFINE_WITH(row, uint64_t, row_t, .remote = &accel_fake_ops)

static accel_status load_row(void *ctx, uint64_t id, row_t *out)
{
  (void)ctx;
  out->id = id;
  return ACCEL_OK;
}

/* ---- open and close ---- */

static void misuse_has_a_sentence(void **state)
{
  (void)state;
  assert_int_equal(accel_observer_open(NULL, NULL), ACCEL_ERR_CONFIG);
  accel_observer observer = {NULL};
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_observer_last_error(&observer), "open already"));
  accel_observer_close(&observer);
  accel_observer_close(&observer);
  accel_observer_close(NULL);
  accel_observation observation;
  assert_int_equal(accel_observer_observe(&observer, &observation), ACCEL_ERR_CLOSED);

  row_cache rows;
  const accel_config config = {.area = "rows", .observer = &observer};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(row_cache_last_error(&rows), "observer is not an open accel_observer"));
}

static void an_observer_may_close_before_its_caches(void **state)
{
  (void)state;
  const uint64_t before = failing_alloc_live_blocks();
  accel_observer observer;
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  row_cache rows;
  const accel_config config = {.area = "rows", .observer = &observer};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  accel_observer_close(&observer);
  row_t row = {7};
  assert_int_equal(row_cache_set(&rows, 7, &row), ACCEL_OK);
  row_cache_close(&rows);
  assert_int_equal(failing_alloc_live_blocks(), before);
}

/* ---- labels ---- */

static void labels_are_read_as_prometheus_writes_them(void **state)
{
  (void)state;
  accel_observer_labels labels = {0};
  const char *text = "dc=\"fra\" , host=\"a \\\"b\\\" \\\\ \\n\xC3\xA4\",_x9=\"\"";
  assert_int_equal(accel_observer_labels_open(&labels, text, &labels), ACCEL_OK);
  assert_int_equal(labels.count, 3);
  assert_string_equal(labels.labels[0].name, "dc");
  assert_string_equal(labels.labels[0].value, "fra");
  assert_string_equal(labels.labels[1].value, "a \"b\" \\ \n\xC3\xA4");
  assert_string_equal(labels.labels[2].name, "_x9");
  assert_string_equal(labels.labels[2].value, "");
  accel_observer_labels_close(&labels);
  assert_int_equal(accel_observer_labels_open(&labels, NULL, &labels), ACCEL_OK);
  assert_int_equal(labels.count, 0);
  accel_observer_labels_close(&labels);
}

static void wrong_labels_are_named(void **state)
{
  (void)state;
  const struct {
    const char *text, *why;
  } wrong[] = {
      {"dc", "=\" must follow"},
      {"dc=fra", "=\" must follow"},
      {"dc=\"fra", "no closing quote"},
      {"dc=\"fra\\", "a backslash is followed"},
      {"dc=\"f\\ra\"", "a backslash is followed"},
      {"dc=\"\xFF\"", "not valid UTF-8"},
      {"dc=\"\xC0\x80\"", "not valid UTF-8"},
      {"dc=\"\xED\xA0\x80\"", "not valid UTF-8"},
      {"dc=\"\xF5\x80\x80\x80\"", "not valid UTF-8"},
      {"dc=\"\xE2\x82\"", "not valid UTF-8"},
      {"9c=\"x\"", "begins with a letter"},
      {"=\"x\"", "begins with a letter"},
      {"d-c=\"x\"", "=\" must follow"},
      {"__dc=\"x\"", "belong to Prometheus"},
      {"area=\"x\"", "metrics have a label of this name"},
      {"le=\"x\"", "metrics have a label of this name"},
      {"quantile=\"x\"", "metrics have a label of this name"},
      {"dc=\"x\",dc=\"y\"", "there twice"},
      {"dc=\"x\" host=\"y\"", "a comma must follow"},
      {"dc=\"x\",", "begins with a letter"},
      {"a=\"\",b=\"\",c=\"\",d=\"\",e=\"\",f=\"\",g=\"\",h=\"\",i=\"\"", "more than 8"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    accel_observer observer;
    const accel_observer_config config = {.extra_labels = wrong[i].text};
    assert_int_equal(accel_observer_open(&observer, &config), ACCEL_ERR_CONFIG);
    const char *error = accel_observer_last_error(&observer);
    if (strstr(error, "extra_labels is ") != error || strstr(error, wrong[i].why) == NULL)
      fail_msg("%s: %s", wrong[i].text, error);
    accel_observer_close(&observer);
  }
}

/* ---- what is collected ---- */

/* Remembers a walk as lines. */
typedef struct told {
  char text[60000];
  size_t size, families;
} told;

static bool tell_family(void *ctx, const accel_family *family)
{
  told *all = (told *)ctx;
  assert_true(family->help[strlen(family->help) - 1] == '.');
  all->families++;
  return true;
}

static bool tell_sample(void *ctx, const accel_family *family, const accel_sample *sample)
{
  told *all = (told *)ctx;
  const uint64_t value =
      sample->histogram == NULL ? sample->value : accel_histogram_count(sample->histogram);
  int size = snprintf(all->text + all->size, sizeof all->text - all->size, "\n%s", family->name);
  all->size += (size_t)size;
  for (size_t i = 0; i < sample->label_count; i++) {
    size = snprintf(all->text + all->size, sizeof all->text - all->size, " %s=%s",
                    sample->labels[i].name, sample->labels[i].value);
    all->size += (size_t)size;
  }
  size = snprintf(all->text + all->size, sizeof all->text - all->size, " %llu\n",
                  (unsigned long long)value);
  all->size += (size_t)size;
  assert_true(all->size < sizeof all->text);
  return true;
}

static void walk(accel_observer *observer, told *all)
{
  accel_observation observation;
  const accel_family_visitor visitor = {all, tell_family, tell_sample};
  memset(all, 0, sizeof *all);
  assert_int_equal(accel_observer_observe(observer, &observation), ACCEL_OK);
  assert_true(accel_observation_walk(&observation, &visitor));
  accel_observation_release(&observation);
}

static void expect(const told *all, const char *line)
{
  if (strstr(all->text, line) == NULL) fail_msg("not told: %s\n%s", line, all->text);
}

static void caches_of_an_area_are_their_sum(void **state)
{
  (void)state;
  static told all;
  accel_observer observer;
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  row_cache first, second, other;
  const accel_config rows = {.area = "rows", .observer = &observer, .capacity = 100};
  const accel_config more = {.area = "more", .observer = &observer};
  assert_int_equal(row_cache_open(&first, &rows), ACCEL_OK);
  assert_int_equal(row_cache_open(&other, &more), ACCEL_OK);
  assert_int_equal(row_cache_open(&second, &rows), ACCEL_OK);
  row_t row = {1};
  for (int i = 0; i < 3; i++) (void)row_cache_get(&first, 1, &row);
  for (int i = 0; i < 4; i++) (void)row_cache_get(&second, 1, &row);
  assert_int_equal(row_cache_set(&second, 1, &row), ACCEL_OK);
  walk(&observer, &all);
  expect(&all, "\naccelerator_cache_local_miss_total area=rows 7\n");
  expect(&all, "\naccelerator_cache_local_miss_total area=more 0\n");
  expect(&all, "\naccelerator_cache_local_entries area=rows 1\n");
  expect(&all, "\naccelerator_cache_local_capacity area=rows 200\n");
  expect(&all, "\naccelerator_cache_info area=rows mode=local engine=flat policy=");
  assert_null(strstr(all.text, "accelerator_cache_channel_up"));
  assert_null(strstr(all.text, "op=get"));

  row_cache_close(&second); /* its counts stay, its entries do not */
  walk(&observer, &all);
  expect(&all, "\naccelerator_cache_local_miss_total area=rows 7\n");
  expect(&all, "\naccelerator_cache_local_entries area=rows 0\n");
  row_cache_close(&first); /* nobody is left */
  walk(&observer, &all);
  assert_null(strstr(all.text, "area=rows"));
  expect(&all, "\naccelerator_cache_local_miss_total area=more 0\n");
  assert_int_equal(row_cache_open(&first, &rows), ACCEL_OK);
  walk(&observer, &all);
  expect(&all, "\naccelerator_cache_local_miss_total area=rows 0\n");
  row_cache_close(&first);
  row_cache_close(&other);
  walk(&observer, &all);
  assert_int_equal(all.families, 0);
  accel_observer_close(&observer);
}

static void trouble_is_told_in_words(void **state)
{
  (void)state;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  accel_observer observer;
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  row_cache rows;
  const accel_config config = {.area = "rows", .observer = &observer, .remote = &fake};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  row_cache_set_loader(&rows, load_row, NULL);
  accel_fake_channel_up(&fake, 0);
  accel_observation seen;
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.health, ACCEL_HEALTH_OK);
  assert_int_equal(seen.caches[0].reason_count, 0);
  assert_int_equal(seen.caches[0].gauges[ACCEL_GAUGE_channel_up], 1);
  assert_int_equal(seen.caches[0].gauges[ACCEL_GAUGE_remote_ready], 1);
  accel_observation_release(&seen);
  accel_fake_channel_down(&fake, 0);
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.health, ACCEL_HEALTH_DEGRADED);
  assert_int_equal(seen.caches[0].reason_count, 1);
  assert_non_null(strstr(seen.caches[0].reasons[0], "the channel has been down for "));
  assert_int_equal(seen.caches[0].gauges[ACCEL_GAUGE_channel_up], 0);
  assert_int_equal(seen.caches[0].gauges[ACCEL_GAUGE_degraded], 1);
  accel_observation_release(&seen);
  row_cache_close(&rows);
  accel_observer_close(&observer);
  accel_fake_close(&fake);
}

static void no_memory_is_a_status(void **state)
{
  (void)state;
  const uint64_t before = failing_alloc_live_blocks();
  accel_status status = ACCEL_ERR_NOMEM;
  for (uint64_t n = 1; status == ACCEL_ERR_NOMEM; n++) {
    accel_observer observer;
    const accel_observer_config config = {.extra_labels = "dc=\"fra\""};
    row_cache rows = {0}, twin = {0};
    const accel_config area = {.area = "rows", .observer = &observer, .capacity = 10};
    failing_alloc_fail_nth(n);
    status = accel_observer_open(&observer, &config);
    if (status == ACCEL_OK) status = row_cache_open(&rows, &area);
    if (status == ACCEL_OK) {
      status = row_cache_open(&twin, &area);
      row_cache_close(&twin);
    }
    if (status == ACCEL_OK) {
      accel_observation seen;
      status = accel_observer_observe(&observer, &seen);
      accel_observation_release(&seen);
    }
    failing_alloc_fail_nth(0);
    row_cache_close(&rows);
    accel_observer_close(&observer);
    assert_true(status == ACCEL_OK || status == ACCEL_ERR_NOMEM);
    assert_int_equal(failing_alloc_live_blocks(), before);
    assert_true(n < 1000);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(misuse_has_a_sentence),
      cmocka_unit_test(an_observer_may_close_before_its_caches),
      cmocka_unit_test(labels_are_read_as_prometheus_writes_them),
      cmocka_unit_test(wrong_labels_are_named),
      cmocka_unit_test(caches_of_an_area_are_their_sum),
      cmocka_unit_test(trouble_is_told_in_words),
      cmocka_unit_test(no_memory_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

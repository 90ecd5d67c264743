/* A forked child and its parent's observer: for the child it is closed, whatever the parent's
 * threads hold just then, and an observer of its own works. */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORKS 30

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_observer observer;
static row_cache rows;

#define DEMAND(condition_) \
  if (!(condition_)) return __LINE__

/* 0, or the line that was not satisfied. */
static int child_asks(void)
{
  accel_buffer out = {0};
  accel_answer answer;
  DEMAND(accel_observer_prometheus(&observer, &out) == ACCEL_ERR_CLOSED);
  DEMAND(accel_observer_json(&observer, &out) == ACCEL_ERR_CLOSED);
  DEMAND(accel_observer_answer(&observer, "GET", "/health", &answer) && answer.status == 503);
  accel_answer_release(&answer);
  row_cache other;
  const accel_config theirs = {.area = "rows", .observer = &observer};
  DEMAND(row_cache_open(&other, &theirs) == ACCEL_ERR_CONFIG);
  DEMAND(strstr(row_cache_last_error(&other), "observer was opened before the fork") != NULL);

  accel_observer own;
  DEMAND(accel_observer_open(&own, NULL) == ACCEL_OK);
  const accel_config ours = {.area = "rows", .observer = &own};
  DEMAND(row_cache_open(&other, &ours) == ACCEL_OK);
  DEMAND(accel_observer_prometheus(&own, &out) == ACCEL_OK);
  DEMAND(accel_buffer_append(&out, "", 1));
  DEMAND(strstr((const char *)out.data, "_local_miss_total{area=\"rows\"} 0\n") != NULL);
  accel_buffer_release(&out);
  row_cache_close(&other);
  accel_observer_close(&own);

  row_cache_close(&rows);
  accel_observer_close(&observer);
  accel_observer_close(&observer);
  return 0;
}

static void open_rows(void)
{
  const accel_config config = {.area = "rows", .observer = &observer};
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  uint64_t row;
  assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_MISS);
}

static void close_rows(void)
{
  row_cache_close(&rows);
  accel_observer_close(&observer);
}

static void a_child_has_no_part_in_it(void **state)
{
  (void)state;
  open_rows();
  const pid_t child = process_fork();
  if (child == 0) process_end_child(child_asks());
  process_expect_zero(child);
  accel_buffer out = {0};
  assert_int_equal(accel_observer_prometheus(&observer, &out), ACCEL_OK);
  assert_true(accel_buffer_append(&out, "", 1));
  assert_non_null(strstr((const char *)out.data, "_local_miss_total{area=\"rows\"} 1\n"));
  accel_buffer_release(&out);
  close_rows();
}

static atomic_bool must_end;

static void *scrape(void *ctx)
{
  (void)ctx;
  while (!atomic_load(&must_end)) {
    accel_buffer out = {0};
    (void)accel_observer_prometheus(&observer, &out);
    accel_buffer_release(&out);
  }
  return NULL;
}

static void a_fork_in_the_midst_of_a_scrape(void **state)
{
  (void)state;
  if (PROCESS_CANNOT_FORK_BESIDE_THREADS) {
    print_message("not beside threads under this sanitizer\n");
    skip();
  }
  pthread_t thread;
  open_rows();
  assert_int_equal(pthread_create(&thread, NULL, scrape, NULL), 0);
  for (int i = 0; i < FORKS; i++) {
    const pid_t child = process_fork();
    if (child == 0) process_end_child(child_asks());
    process_expect_zero(child);
  }
  atomic_store(&must_end, true);
  pthread_join(thread, NULL);
  close_rows();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_child_has_no_part_in_it),
      cmocka_unit_test(a_fork_in_the_midst_of_a_scrape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The log that is ready made: its lines on the standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the record becomes on the standard error. */
static void tell_stderr(accel_log_level *least, const accel_log_record *record, char *out,
                        size_t size)
{
  int ends[2];
  fflush(stderr);
  const int real = dup(STDERR_FILENO);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);
  errno = EDOM;
  accel_log_stderr(least, record);
  const int kept = errno;
  dup2(real, STDERR_FILENO);
  close(real);
  close(ends[1]);
  const ssize_t taken = read(ends[0], out, size - 1);
  close(ends[0]);
  out[taken < 0 ? 0 : taken] = '\0';
  assert_int_equal(kept, EDOM);
}

static accel_log_record a_record(void)
{
  const accel_log_record record = {.area = "users",
                                   .op = "get",
                                   .result = "error",
                                   .latency_ms = 1.5,
                                   .error_kind = "backend",
                                   .message = "it said \"no\"\n\x1b[31m\\ \xc3\xa9",
                                   .level = ACCEL_LOG_ERROR,
                                   .left_out = 3,
                                   .wall_time_ms = UINT64_C(1764586713123),
                                   .key = "4\r2"};
  return record;
}

static void a_record_is_one_line(void **state)
{
  (void)state;
  char line[8192];
  accel_log_record record = a_record();
  tell_stderr(NULL, &record, line, sizeof line);
  assert_string_equal(line,
                      "time=2025-12-01T10:58:33.123Z level=error area=users op=get result=error "
                      "latency_ms=1.500 error_kind=backend left_out=3 key=\"4\\x0d2\" "
                      "message=\"it said \\\"no\\\"\\x0a\\x1b[31m\\\\ \\xc3\\xa9\"\n");
  char hostile[2000];
  memset(hostile, '\n', sizeof hostile);
  hostile[sizeof hostile - 1] = '\0';
  record.key = record.message = hostile;
  tell_stderr(NULL, &record, line, sizeof line);
  assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
  assert_in_range(strlen(line), 100, 4096);
}

static void a_level_says_what_is_written(void **state)
{
  (void)state;
  char line[8192];
  accel_log_level least = ACCEL_LOG_WARNING;
  accel_log_record record = a_record();
  record.level = ACCEL_LOG_DEBUG;
  tell_stderr(NULL, &record, line, sizeof line);
  assert_string_equal(line, "");
  record.level = ACCEL_LOG_INFO;
  tell_stderr(NULL, &record, line, sizeof line);
  assert_true(line[0] != '\0');
  tell_stderr(&least, &record, line, sizeof line);
  assert_string_equal(line, "");
  least = ACCEL_LOG_DEBUG;
  record.level = ACCEL_LOG_DEBUG;
  tell_stderr(&least, &record, line, sizeof line);
  assert_true(line[0] != '\0');
  assert_string_equal(accel_log_level_name(ACCEL_LOG_DEBUG), "debug");
  assert_string_equal(accel_log_level_name(ACCEL_LOG_ERROR), "error");
  assert_string_equal(accel_log_level_name((accel_log_level)99), "unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_one_line),
      cmocka_unit_test(a_level_says_what_is_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

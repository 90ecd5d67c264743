/* test_process.c: threads, signals, forks, and ends in the middle of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otlp_world.h"
#include "quiet_fork.h"

static otlp_world world;
static accel_otlp_config config;

static int begin(void **state)
{
  (void)state;
  otlp_world_begin(&world);
  config = otlp_world_config(&world);
  return 0;
}

static int end(void **state)
{
  (void)state;
  otlp_world_end(&world);
  return 0;
}

static size_t spans_taken(void)
{
  size_t spans = 0;
  receiver_sync(&world.receiver);
  for (json_t *each; (each = receiver_take(&world.receiver, "/v1/traces", 0)) != NULL;
       json_decref(each))
    spans += json_array_size(receiver_items(each));
  return spans;
}

/* ---- threads ---- */

enum { THREADS = 6, SPANS = 2000 };

static void *make_spans(void *unused)
{
  for (int i = 0; i < SPANS; i++) {
    otlp_world_add_span(&world, "cache.get");
    otlp_world_add_record(&world, "text");
    if (i % 500 == 499) accel_otlp_flush(&world.otlp, 1);
  }
  return unused;
}

static void each_span_of_many_threads_is_sent_or_dropped_once(void **state)
{
  (void)state;
  pthread_t threads[THREADS];
  config.interval_ms = 5;
  config.batch_size = 100;
  config.span_queue = 1000;
  otlp_world_open(&world, &config);
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, make_spans, NULL), 0);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  otlp_world_flush(&world);
  const uint64_t exported = otlp_world_count(&world, "exported", "traces");
  const uint64_t dropped = otlp_world_count(&world, "dropped", "traces");
  assert_int_equal(exported + dropped, THREADS * SPANS);
  assert_int_equal(spans_taken(), exported);
}

/* ---- signals and descriptors ---- */

/* The mask of blocked signals of each thread but this one. */
static size_t threads_that_block_all(void)
{
  size_t found = 0;
  char path[64], line[256];
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *each; (each = readdir(tasks)) != NULL;) {
    if (each->d_name[0] == '.' || atoi(each->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/status", each->d_name);
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
      unsigned long long blocked;
      if (sscanf(line, "SigBlk: %llx", &blocked) != 1) continue;
      /* All but KILL, STOP, and the two of the C library's own. */
      assert_int_equal(blocked | 1ull << 31 | 1ull << 32, 0xFFFFFFFFFFFBFEFFull | 1ull << 31);
      found++;
    }
    if (status != NULL) fclose(status);
  }
  closedir(tasks);
  return found;
}

static void its_thread_blocks_all_signals(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  assert_true(threads_that_block_all() > 0);
}

static void a_connection_that_breaks_raises_no_sigpipe(void **state)
{
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  config.batch_size = config.span_queue = 4000;
  config.no_gzip = true; /* so much that it does not fit into the socket */
  otlp_world_open(&world, &config);
  for (int i = 0; i < 4000; i++) otlp_world_add_span(&world, "cache.get");
  assert_true(receiver_order(&world.receiver, "hangup once"));
  otlp_world_flush(&world);
  assert_int_equal(spans_taken(), 4000);
  signal(SIGPIPE, SIG_IGN);
}

static bool is_connection(int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_INET;
}

static void its_connection_is_closed_on_exec(void **state)
{
  (void)state;
  size_t connections = 0;
  otlp_world_open(&world, &config);
  otlp_world_flush(&world);
  for (int fd = 3; fd < 256; fd++) {
    if (!is_connection(fd)) continue;
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    connections++;
  }
  assert_int_equal(connections, 1);
}

/* ---- forks ---- */

static int in_child(void)
{
  int wrong = 0;
  const accel_span_ops *spans = accel_otlp_spans(&world.otlp);
  wrong |= spans->begin(spans->ctx, "cache.get", "numbers") != NULL ? 1 : 0;
  otlp_world_add_record(&world, "of the child");
  wrong |= accel_otlp_flush(&world.otlp, 1) != ACCEL_ERR_CLOSED ? 2 : 0;
  wrong |= strstr(accel_otlp_last_error(&world.otlp), "fork") == NULL ? 4 : 0;
  accel_otlp_close(&world.otlp);
  accel_otlp own;
  config.observer = NULL;
  if (accel_otlp_open(&own, &config) != ACCEL_OK) return wrong | 8;
  const accel_log_record record = {.area = "child", .op = "get", .result = "ok"};
  accel_otlp_log(&own, &record);
  wrong |= accel_otlp_flush(&own, patience_ms()) != ACCEL_OK ? 16 : 0;
  accel_otlp_close(&own);
  return wrong;
}

static void fork_and_check(void)
{
  int status;
  const pid_t child = quiet_fork();
  if (child == 0) _exit(in_child());
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_has_no_exporter_and_may_open_one(void **state)
{
  (void)state;
  assert_int_equal(accel_otlp_open(&world.otlp, &config), ACCEL_OK); /* no cache logs */
  otlp_world_flush(&world);
  otlp_world_add_span(&world, "cache.get");
  fork_and_check();
  json_t *request = otlp_world_take(&world, "/v1/logs");
  assert_string_equal(receiver_attribute(json_array_get(receiver_items(request), 0), "area"),
                      "child");
  json_decref(request);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/logs"), 0);
  otlp_world_flush(&world); /* the parent's goes on, over its own connection */
  assert_int_equal(spans_taken(), 1);
}

static void a_fork_in_the_middle_of_a_request(void **state)
{
  (void)state;
  config.observer = NULL;
  config.timeout_ms = 500;
  otlp_world_open(&world, &config);
  assert_true(receiver_order(&world.receiver, "silent once"));
  otlp_world_add_span(&world, "cache.get");
  accel_otlp_flush(&world.otlp, 50);
  json_decref(otlp_world_take(&world, "/v1/traces")); /* it is under way */
  fork_and_check();
}

/* A span that began before a fork ends in the child. */
static void a_span_across_a_fork(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  const accel_span_ops *spans = accel_otlp_spans(&world.otlp);
  void *span = spans->begin(spans->ctx, "cache.get", "numbers");
  const pid_t child = quiet_fork();
  if (child == 0) {
    spans->end(spans->ctx, span, ACCEL_OK);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  spans->end(spans->ctx, span, ACCEL_OK);
  otlp_world_flush(&world);
  assert_int_equal(spans_taken(), 1);
}

/* ---- ends ---- */

static void a_receiver_killed_in_the_middle_of_a_request(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  otlp_world_flush(&world);
  receiver_drain(&world.receiver, "/v1/metrics");
  assert_true(receiver_order(&world.receiver, "silent"));
  otlp_world_add_span(&world, "cache.get");
  accel_otlp_flush(&world.otlp, 50);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  receiver_kill(&world.receiver);
  receiver_drain(&world.receiver, "/v1/traces");
  assert_true(receiver_restart(&world.receiver));
  otlp_world_flush(&world);
  json_decref(otlp_world_take(&world, "/v1/metrics"));
  assert_int_equal(spans_taken(), 1);
}

static void close_ends_a_request_that_gets_no_answer(void **state)
{
  (void)state;
  config.timeout_ms = 300;
  otlp_world_open(&world, &config);
  assert_true(receiver_order(&world.receiver, "silent"));
  otlp_world_add_span(&world, "cache.get");
  accel_otlp_flush(&world.otlp, 20);
  number_cache_close(&world.cache);
  const uint64_t start_ms = accel_clock_monotonic_ms();
  accel_otlp_close(&world.otlp);
  const uint64_t took_ms = accel_clock_monotonic_ms() - start_ms;
  assert_true(took_ms < 10000);
}

static void leave(void *ctx, const accel_log_record *record)
{
  (void)ctx, (void)record;
  pthread_exit(NULL);
}

static void a_log_that_ends_the_thread_hangs_nobody(void **state)
{
  (void)state;
  config.log = leave;
  otlp_world_open(&world, &config);
  assert_true(receiver_order(&world.receiver, "status 400"));
  assert_int_equal(accel_otlp_flush(&world.otlp, ACCEL_FOREVER), ACCEL_ERR_BACKEND);
  assert_int_equal(accel_otlp_flush(&world.otlp, ACCEL_FOREVER), ACCEL_ERR_BACKEND);
  otlp_world_add_span(&world, "cache.get");
  assert_int_equal(otlp_world_count(&world, "dropped", "traces"), 1);
}

/* The observer was closed first, which it should not be: nothing is asked any more. */
static void an_observer_that_closes_first_ends_metrics(void **state)
{
  (void)state;
  otlp_world_open(&world, &config);
  otlp_world_add_span(&world, "cache.get");
  accel_observer_close(&world.observer);
  assert_int_equal(accel_otlp_flush(&world.otlp, patience_ms()), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(accel_otlp_last_error(&world.otlp), "observer"));
  assert_int_equal(spans_taken(), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(each_span_of_many_threads_is_sent_or_dropped_once),
      TEST(its_thread_blocks_all_signals),
      TEST(a_connection_that_breaks_raises_no_sigpipe),
      TEST(its_connection_is_closed_on_exec),
      TEST(a_child_has_no_exporter_and_may_open_one),
      TEST(a_fork_in_the_middle_of_a_request),
      TEST(a_span_across_a_fork),
      TEST(a_receiver_killed_in_the_middle_of_a_request),
      TEST(close_ends_a_request_that_gets_no_answer),
      TEST(a_log_that_ends_the_thread_hangs_nobody),
      TEST(an_observer_that_closes_first_ends_metrics),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Two processes on one Redis: what one changes the other sees, also after its channel broke.
 *
 * The second process is forked before anything is opened and then obeys, one order at a time.
 * With degraded_ttl_ms = ACCEL_FOREVER nothing in L1 ends by itself while a test runs: an old value
 * that goes away was taken away by the channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/redis.h"
#include "redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

ACCEL_DEFINE_WITH(entry, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { KEYS = 100, ROUNDS = 40, SEEN_WITHIN_MS = 2000 };

/* ---- what both processes can do ---- */

typedef struct process {
  accel_redis redis;
  entry_cache cache;
} process;

static bool process_open(process *self, const char *url)
{
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000};
  if (accel_redis_open(&self->redis, &where) != ACCEL_OK) return false;
  const accel_config config = {
      .area = "two", .degraded_ttl_ms = ACCEL_FOREVER, .remote = &self->redis};
  return entry_cache_open(&self->cache, &config) == ACCEL_OK;
}

static void process_close(process *self)
{
  entry_cache_close(&self->cache);
  accel_redis_close(&self->redis);
}

static bool is_channel_up(process *self)
{
  accel_diagnostic seen;
  entry_cache_diagnostic_snapshot(&self->cache, &seen);
  return seen.channel_up;
}

static bool comes_up(process *self)
{
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (!is_channel_up(self) && accel_clock_monotonic_ms() < until_ms) usleep(500);
  return is_channel_up(self);
}

/* What a read says: the value, 0 for none. */
static uint64_t value_of(process *self, uint64_t key)
{
  uint64_t value = 0;
  const accel_status status = entry_cache_get(&self->cache, key, &value);
  return status == ACCEL_OK ? value : accel_failed(status) ? UINT64_MAX : 0;
}

static uint64_t local_value_of(process *self, uint64_t key)
{
  uint64_t value = 0;
  const accel_read read = {.skip_remote = true};
  return entry_cache_get_with(&self->cache, key, &read, &value) == ACCEL_OK ? value : 0;
}

static bool comes_to_value(process *self, uint64_t key, uint64_t value)
{
  const uint64_t until_ms = accel_clock_deadline(SEEN_WITHIN_MS);
  while (value_of(self, key) != value)
    if (accel_clock_monotonic_ms() >= until_ms) return false;
  return true;
}

/* Reads until the value is in L1; a message that comes late may take it out once more. */
static bool comes_to_hold(process *self, uint64_t key, uint64_t value)
{
  const uint64_t until_ms = accel_clock_deadline(SEEN_WITHIN_MS);
  while (value_of(self, key) != value || local_value_of(self, key) != value)
    if (accel_clock_monotonic_ms() >= until_ms) return false;
  return true;
}

static bool change(process *self, uint64_t key, uint64_t value)
{
  const accel_status status =
      value == 0 ? entry_cache_del(&self->cache, key) : entry_cache_set(&self->cache, key, &value);
  return status == ACCEL_OK;
}

static bool change_all(process *self, uint64_t value)
{
  bool changed = true;
  for (uint64_t key = 0; key < KEYS; key++) changed = change(self, key, value + key) && changed;
  return changed;
}

/* ---- the second process ---- */

typedef enum order_kind { COME_UP, CHANGE, CHANGE_ALL, COME_TO_VALUE, COME_TO_HOLD } order_kind;

typedef struct order {
  order_kind kind;
  uint64_t key, value;
} order;

static pid_t other_pid;
static int to_other; /* a pipe for both directions */

static bool obey(process *self, const order *given)
{
  switch (given->kind) {
    case COME_UP: return comes_up(self);
    case CHANGE: return change(self, given->key, given->value);
    case CHANGE_ALL: return change_all(self, given->value);
    case COME_TO_VALUE: return comes_to_value(self, given->key, given->value);
    case COME_TO_HOLD: return comes_to_hold(self, given->key, given->value);
  }
  return false;
}

/* Ends when the first process does, or closes its pipe. */
static int run_other(int orders)
{
  char url[sizeof((redis_server *)NULL)->url];
  static process self;
  order given;
  if (read(orders, url, sizeof url) != sizeof url || !process_open(&self, url)) return 1;
  while (read(orders, &given, sizeof given) == sizeof given) {
    const bool done = obey(&self, &given);
    if (write(orders, &done, sizeof done) != sizeof done) break;
  }
  process_close(&self);
  return 0;
}

static bool other(order_kind kind, uint64_t key, uint64_t value)
{
  order given;
  bool done = false;
  memset(&given, 0, sizeof given);
  given.kind = kind;
  given.key = key;
  given.value = value;
  return write(to_other, &given, sizeof given) == sizeof given &&
         read(to_other, &done, sizeof done) == sizeof done && done;
}

static bool fork_other(void)
{
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  other_pid = fork();
  if (other_pid == 0) close(ends[0]);
  if (other_pid == 0) exit(run_other(ends[1]));
  close(ends[1]);
  to_other = ends[0];
  return other_pid > 0;
}

/* ---- the tests, in the first process ---- */

static redis_server server;
static process first;

static int start(void **state)
{
  (void)state;
  if (!redis_server_start(&server, NULL) || !process_open(&first, server.url)) return -1;
  return write(to_other, server.url, sizeof server.url) == sizeof server.url ? 0 : -1;
}

/* The second process must end in order: there the sanitizers look for leaks. */
static int stop(void **state)
{
  int status = -1;
  (void)state;
  close(to_other);
  waitpid(other_pid, &status, 0);
  process_close(&first);
  redis_server_stop(&server);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int compare_times(const void *a, const void *b)
{
  const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

/* Both hold the old value in L1, one changes it, and then the other is asked for the new one. */
static void a_change_is_seen_by_the_other(void **state)
{
  enum { KEY = 7 };
  uint64_t delays_ns[ROUNDS];
  (void)state;
  assert_true(comes_up(&first) && other(COME_UP, 0, 0));
  assert_true(change(&first, KEY, 1));
  uint64_t old = 1;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    const uint64_t new = round % 4 == 3 ? 0 : round + 2; /* three sets, then a del */
    const bool is_mine = (round / 4 + round) % 2 == 0;
    assert_true(comes_to_hold(&first, KEY, old) && other(COME_TO_HOLD, KEY, old));
    assert_true(is_mine ? change(&first, KEY, new) : other(CHANGE, KEY, new));
    const uint64_t changed_ns = accel_clock_monotonic_ns();
    assert_true(is_mine ? other(COME_TO_VALUE, KEY, new) : comes_to_value(&first, KEY, new));
    delays_ns[round] = accel_clock_monotonic_ns() - changed_ns;
    old = new;
  }
  qsort(delays_ns, ROUNDS, sizeof *delays_ns, compare_times);
  printf("a change is seen by the other process after %.0f us (median), %.0f us at worst\n",
         (double)delays_ns[ROUNDS / 2] / 1e3, (double)delays_ns[ROUNDS - 1] / 1e3);
}

static uint64_t times_expired(void)
{
  accel_metrics metrics;
  entry_cache_metrics_snapshot(&first.cache, &metrics);
  return metrics.epoch_raised;
}

/* Messages of the changes are lost with the channel, in part at least: it returns at once. */
static void nothing_stale_is_served_after_the_channel_broke(void **state)
{
  char reply[128];
  (void)state;
  for (uint64_t round = 1; round <= 5; round++) {
    const uint64_t old = 1000 * round, new = old + 500;
    assert_true(comes_up(&first) && other(COME_UP, 0, 0));
    assert_true(other(CHANGE_ALL, 0, old));
    for (uint64_t key = 0; key < KEYS; key++) assert_true(comes_to_hold(&first, key, old + key));
    const uint64_t expired = times_expired();
    assert_true(redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply));
    assert_true(other(CHANGE_ALL, 0, new));
    const uint64_t until_ms = accel_clock_deadline(60000); /* it went down, and came back */
    while (times_expired() < expired + 2 && accel_clock_monotonic_ms() < until_ms) usleep(500);
    assert_true(times_expired() >= expired + 2 && comes_up(&first));
    for (uint64_t key = 0; key < KEYS; key++) assert_int_equal(value_of(&first, key), new + key);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_change_is_seen_by_the_other),
      cmocka_unit_test(nothing_stale_is_served_after_the_channel_broke),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  signal(SIGPIPE, SIG_IGN); /* a second process that died is a failed order, not an end */
  if (!fork_other()) return 1;
  return cmocka_run_group_tests(tests, start, stop);
}

/* How long another process goes on serving what was changed: from the moment that set has returned
 * here until a read there says the new value. Both count the same clock. */
#include "remote.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEY = 7, PATIENCE_MS = 5000 };

typedef struct staleness_shared {
  uint64_t seen_ns; /* atomic */
} staleness_shared;

static struct {
  pid_t pid;
  int orders;
  staleness_shared *shared;
} other;

static bool is_channel_up(user_cache *cache)
{
  accel_diagnostic seen;
  user_cache_diagnostic_snapshot(cache, &seen);
  return seen.channel_up;
}

static bool comes_up(user_cache *cache)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (!is_channel_up(cache) && accel_clock_monotonic_ms() < until_ms) remote_sleep_us(500);
  return is_channel_up(cache);
}

static uint64_t read_value(user_cache *cache, bool is_local_only)
{
  user_t user = {{0}};
  const accel_read read = {.skip_remote = is_local_only, .disable_load = true};
  const accel_status status = user_cache_get_with(cache, KEY, &read, &user);
  return status == ACCEL_OK ? user.words[1] : 0;
}

/* Waits for the value, notes when it was read, and goes on until it lies in L1. */
static bool obey(user_cache *cache, uint64_t value)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (read_value(cache, false) != value) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    sched_yield();
  }
  __atomic_store_n(&other.shared->seen_ns, accel_clock_monotonic_ns(), __ATOMIC_RELEASE);
  while (read_value(cache, true) != value) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    read_value(cache, false);
  }
  return true;
}

static int run_other(const char *url, int orders)
{
  accel_redis redis;
  user_cache cache;
  remote_world world = {.url = url};
  uint64_t value;
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000};
  if (read(orders, &value, sizeof value) != sizeof value) return 0; /* not wanted */
  if (accel_redis_open(&redis, &where) != ACCEL_OK ||
      !remote_cache_open(&world, &redis, ACCEL_BOTH, ACCEL_FOREVER, &cache))
    return 1;
  bool is_done = comes_up(&cache);
  while (write(orders, &is_done, sizeof is_done) == sizeof is_done && is_done &&
         read(orders, &value, sizeof value) == sizeof value)
    is_done = obey(&cache, value);
  user_cache_close(&cache);
  accel_redis_close(&redis);
  return 0;
}

bool remote_staleness_fork(remote_world *world)
{
  int ends[2];
  void *shared = mmap(NULL, sizeof(staleness_shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return false;
  other.shared = (staleness_shared *)shared;
  other.pid = fork();
  if (other.pid == 0) {
    close(ends[0]);
    _exit(run_other(world->url, ends[1]));
  }
  close(ends[1]);
  other.orders = ends[0];
  return other.pid > 0;
}

static bool order(uint64_t value)
{
  return write(other.orders, &value, sizeof value) == sizeof value;
}

static bool was_obeyed(void)
{
  bool is_done = false;
  return read(other.orders, &is_done, sizeof is_done) == sizeof is_done && is_done;
}

/* One change; milliseconds. The other process spins already when the value changes. */
static bool staleness_of(user_cache *cache, uint64_t value, double *ms_out)
{
  user_t user = remote_user(KEY);
  user.words[1] = value;
  if (!order(value)) return false;
  remote_sleep_us(300);
  if (user_cache_set(cache, KEY, &user) != ACCEL_OK) return false;
  const uint64_t set_ns = accel_clock_monotonic_ns();
  if (!was_obeyed()) return false;
  const uint64_t seen_ns = __atomic_load_n(&other.shared->seen_ns, __ATOMIC_ACQUIRE);
  *ms_out = seen_ns > set_ns ? (double)(seen_ns - set_ns) / 1e6 : 0;
  return true;
}

static bool staleness_rounds(remote_world *world, user_cache *cache, remote_row *rows)
{
  enum { SAMPLES_MAX = 500 };
  const unsigned count = world->options.is_quick ? 100 : SAMPLES_MAX;
  static uint64_t value = 1000;
  double samples[SAMPLES_MAX];
  for (unsigned round = 0; round < world->options.rounds; round++) {
    for (unsigned i = 0; i < count; i++)
      if (!staleness_of(cache, ++value, &samples[i])) return false;
    rows[0].ours[round] = remote_quantile(samples, count, 0.5);
    rows[1].ours[round] = remote_quantile(samples, count, 0.99);
    rows[2].ours[round] = samples[count - 1];
  }
  for (size_t i = 0; i < 3; i++) rows[i].rounds = world->options.rounds;
  return true;
}

bool remote_measure_staleness(remote_world *world, remote_row *rows)
{
  user_cache cache;
  rows[0] = (remote_row){"staleness in another process, p50", "ms", .at_least = 0};
  rows[1] = (remote_row){"staleness, p99", "ms", .at_least = 20, .aim = 2};
  rows[2] = (remote_row){"staleness, longest", "ms", .at_least = 0};
  if (!remote_cache_open(world, NULL, ACCEL_BOTH, ACCEL_FOREVER, &cache)) return false;
  const bool is_done =
      order(0) && was_obeyed() && comes_up(&cache) && staleness_rounds(world, &cache, rows);
  if (!is_done) fprintf(stderr, "remote_bench: the other process did not see a change in time\n");
  user_cache_close(&cache);
  close(other.orders);
  waitpid(other.pid, NULL, 0);
  return is_done;
}

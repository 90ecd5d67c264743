/* Four processes of six threads on one Redis, while it is killed, stopped, cut off and mistreated:
 * no read is older than the bound allows, none goes back, and at rest all agree with the source.
 *
 * Two of the processes reach Redis through the proxy. A write raises the version in the source and
 * removes the key from the caches; what was not acknowledged is not counted on, until the end: then
 * everything has been repaired. The seed of the faults is printed; ACCEL_HISTORY_SEED sets it.
 */
#include "../faults/fault_world.h"
#include "history.h"
#include "lateness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { THREADS = 6, FAULT_KINDS = 9, PATIENCE_S = 60 };

typedef enum phase { PREPARING, RUNNING, CALM, RESTING, OVER } phase;

typedef struct stage {
  history *past;
  atomic_int phase;
  atomic_uint ready, done; /* processes: opened; finished with the present phase */
  char urls[HISTORY_PROCESSES][sizeof((redis_server *)NULL)->url];
} stage;

static stage *shared;

/* ---- a process ---- */

typedef struct member {
  accel_redis redis;
  item_cache cache;
} member;

typedef struct member_thread {
  member *owner;
  history_reader reader;
  uint64_t random;
  pthread_t thread;
} member_thread;

static uint64_t next_random(uint64_t *state)
{
  return accel_hash_integer(++*state, 17);
}

static accel_status load_truth(void *ctx, uint64_t key, item_t *out)
{
  (void)ctx;
  *out = fault_item(key, shared->past->truth[key]);
  usleep((unsigned)(accel_clock_monotonic_ns() / 1000 % 1500)); /* room for others */
  return ACCEL_OK;
}

static void take(member_thread *self, accel_status status, uint64_t key, const item_t *item,
                 uint64_t began_ns, bool is_ordered)
{
  history *past = shared->past;
  if (status != ACCEL_OK) {
    /* The loader is slow on a busy machine; nothing else may fail. */
    if (status != ACCEL_ERR_TIMEOUT)
      history_complain(past, &past->failed, "a read says %s", accel_status_name(status));
    return;
  }
  if (fault_is_whole(key, item))
    history_read(&self->reader, key, item->version, began_ns, is_ordered);
  else
    history_complain(past, &past->wrong, "key %u: a wrong value", (unsigned)key);
}

static void read_one(member_thread *self, uint64_t key, bool skip_local)
{
  const accel_read read = {.skip_local = skip_local};
  item_t item;
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_status status = item_cache_get_with(&self->owner->cache, key, &read, &item);
  take(self, status, key, &item, began_ns, !skip_local);
}

static void read_many(member_thread *self, uint64_t first)
{
  uint64_t keys[4];
  item_t items[4];
  accel_status statuses[4];
  for (uint64_t i = 0; i < 4; i++) keys[i] = (first + i * 5) % HISTORY_KEYS;
  const uint64_t began_ns = accel_clock_monotonic_ns();
  accel_ignore(item_cache_mget(&self->owner->cache, keys, 4, NULL, items, statuses));
  for (size_t i = 0; i < 4; i++) take(self, statuses[i], keys[i], &items[i], began_ns, true);
}

/* Few keys are written often and the others seldom, so that a value which should have gone can be
 * seen to stay. */
static uint64_t key_to_write(uint64_t random)
{
  enum { BUSY_KEYS = 8, SELDOM = 400 };
  return random % SELDOM == 0 ? BUSY_KEYS + random / SELDOM % (HISTORY_KEYS - BUSY_KEYS)
                              : random % BUSY_KEYS;
}

static void write_many(member_thread *self, uint64_t first, size_t count)
{
  history *past = shared->past;
  uint64_t keys[3], versions[3];
  for (size_t i = 0; i < count; i++) {
    keys[i] = (first + i * 3) % HISTORY_KEYS;
    versions[i] = history_write(past, keys[i]);
    if (versions[i] == 0) return;
  }
  const accel_status status = count == 1 ? item_cache_del(&self->owner->cache, keys[0])
                                         : item_cache_mdel(&self->owner->cache, keys, count);
  past->writes++;
  if (status != ACCEL_OK) past->unacknowledged++;
  for (size_t i = 0; i < count && status == ACCEL_OK; i++)
    history_acknowledge(past, keys[i], versions[i]);
}

static void *member_work(void *thread_pointer)
{
  member_thread *self = (member_thread *)thread_pointer;
  while (shared->phase == RUNNING || shared->phase == CALM) {
    const uint64_t random = next_random(&self->random), key = random % HISTORY_KEYS;
    const uint64_t what = random / HISTORY_KEYS % 100;
    if (what < 8)
      write_many(self, key_to_write(random >> 20), 1);
    else if (what < 10)
      write_many(self, key_to_write(random >> 20) % 4, 3); /* busy ones */
    else if (what < 20)
      read_many(self, key);
    else
      read_one(self, key, what < 30);
    usleep(500 + (unsigned)(random >> 40) % 1000);
  }
  return NULL;
}

static bool member_channel_is_up(member *self)
{
  accel_diagnostic seen;
  item_cache_diagnostic_snapshot(&self->cache, &seen);
  return seen.channel_up && seen.remote_ready;
}

static bool member_comes_up(member *self)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_S * 1000);
  while (!member_channel_is_up(self) && accel_clock_monotonic_ms() < until_ms) usleep(1000);
  return member_channel_is_up(self);
}

/* What L2 did not confirm is repaired once it answers; a busy machine's breaker may still be open
 * when the last write is done. */
static bool member_has_repaired(member *self)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_S * 1000);
  accel_diagnostic seen;
  do {
    item_cache_diagnostic_snapshot(&self->cache, &seen);
    if (seen.repairs == 0) return true;
    usleep(1000);
  } while (accel_clock_monotonic_ms() < until_ms);
  history_complain(shared->past, &shared->past->failed, "%zu repairs are still due", seen.repairs);
  return false;
}

/* At rest every read says what the source says, once the last messages have come. */
static bool member_agrees(member *self)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_S * 1000);
  for (uint64_t key = 0; key < HISTORY_KEYS;) {
    item_t item;
    const accel_status status = item_cache_get(&self->cache, key, &item);
    if (status == ACCEL_OK && item.version == shared->past->truth[key]) {
      key++;
    } else if (accel_clock_monotonic_ms() > until_ms) {
      history_complain(shared->past, &shared->past->wrong,
                       "at rest key %u is at version %u, the source at %u", (unsigned)key,
                       status == ACCEL_OK ? (unsigned)item.version : 0,
                       (unsigned)shared->past->truth[key]);
      return false;
    } else {
      usleep(1000);
    }
  }
  return true;
}

static void wait_for(phase wanted)
{
  while (shared->phase != (int)wanted) usleep(1000);
}

static int member_run(unsigned number, uint64_t seed)
{
  static member self;
  static member_thread threads[THREADS];
  wait_for(RUNNING);
  if (!history_begin()) return 1;
  const accel_redis_config where = {.url = shared->urls[number], .connect_timeout_ms = 300};
  if (accel_redis_open(&self.redis, &where) != ACCEL_OK) return 1;
  const accel_config config = {.area = "history", .remote = &self.redis, .loader_timeout_ms = 2000};
  if (item_cache_open(&self.cache, &config) != ACCEL_OK) return 1;
  item_cache_set_loader(&self.cache, load_truth, NULL);
  for (size_t i = 0; i < THREADS; i++) {
    threads[i] = (member_thread){.owner = &self, .reader = {.shared = shared->past}};
    threads[i].random = seed + number * 1000003 + i * 7919;
    if (pthread_create(&threads[i].thread, NULL, member_work, &threads[i]) != 0) return 1;
  }
  wait_for(CALM);
  const bool is_up = member_comes_up(&self);
  if (!is_up)
    history_complain(shared->past, &shared->past->failed, "process %u has no channel", number);
  shared->ready++;
  wait_for(RESTING);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i].thread, NULL);
  const bool has_repaired = member_has_repaired(&self);
  shared->done++;
  while (shared->done < HISTORY_PROCESSES) usleep(1000);
  const bool agrees = has_repaired && member_agrees(&self);
  item_cache_close(&self.cache);
  accel_redis_close(&self.redis);
  return is_up && agrees ? 0 : 2;
}

/* ---- faults ---- */

static redis_server server;
static proxy faults;
static unsigned counts[FAULT_KINDS];

static void fault_flow(proxy_flow flow, unsigned ms)
{
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_ALL, &flow);
  usleep(ms * 1000);
  proxy_heal(&faults);
}

static void fault_happen(unsigned kind, unsigned ms)
{
  char reply[256];
  counts[kind]++;
  switch (kind) {
    case 0:
      redis_server_kill(&server);
      usleep(ms * 500);
      assert_true(redis_server_restart(&server));
      break;
    case 1:
      redis_server_freeze(&server);
      usleep(ms * 2000);
      redis_server_thaw(&server);
      break;
    case 2: redis_server_ask(&server, "CLIENT KILL TYPE normal", reply, sizeof reply); break;
    case 3: redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply); break;
    case 4: proxy_cut(&faults, ms % 2 == 0 ? PROXY_RESET : PROXY_CLOSE, PROXY_ALL); break;
    case 5:
      proxy_silence(&faults, true);
      proxy_cut(&faults, PROXY_SILENCE, ms % 3 == 0 ? PROXY_LISTENER : PROXY_ALL);
      usleep(ms * 2000);
      proxy_heal(&faults);
      break;
    case 6: fault_flow((proxy_flow){.latency_ms = 30}, ms); break;
    case 7: fault_flow((proxy_flow){.slice_bytes = 3, .slice_pause_ms = 1}, ms); break;
    default: proxy_drop(&faults, ms % 2 == 0 ? PROXY_LISTENER : PROXY_DATA, 1); break;
  }
}

static void run_faults(uint64_t seed, unsigned seconds)
{
  const uint64_t until_ms = accel_clock_deadline(seconds * 1000);
  while (accel_clock_monotonic_ms() < until_ms) {
    const uint64_t random = next_random(&seed);
    usleep(500000 + (unsigned)(random % 2500000) / (fault_soak_seconds() == 0 ? 4 : 1));
    fault_happen((unsigned)(random >> 32) % FAULT_KINDS, 200 + (unsigned)(random >> 48) % 1300);
  }
  proxy_heal(&faults);
}

/* ---- the test ---- */

static bool ends_in_time(pid_t pid)
{
  int status = -1;
  for (unsigned ms = 0; ms < 4 * PATIENCE_S * 1000; ms += 10) {
    if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    usleep(10000);
  }
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  print_message("process %d hung\n", (int)pid);
  return false;
}

static void print_past(const char *when)
{
  const history *past = shared->past;
  print_message("%s: %u reads, %u of something removed already, the oldest for %.0f ms; %u went "
                "back; the longest took %.0f ms; %u writes, %u not acknowledged\n",
                when, (unsigned)past->reads, (unsigned)past->stale_reads,
                (double)past->longest_stale_ns / 1e6, (unsigned)past->backward_reads,
                (double)past->longest_read_ns / 1e6, (unsigned)past->writes,
                (unsigned)past->unacknowledged);
}

static void print_faults(void)
{
  static const char *const names[FAULT_KINDS] = {"kills",          "stops",  "client kills",
                                                 "listener kills", "cuts",   "silences",
                                                 "latencies",      "slices", "lost replies"};
  for (size_t i = 0; i < FAULT_KINDS; i++)
    print_message("%s%u %s", i == 0 ? "faults: " : ", ", counts[i], names[i]);
  print_message("\n");
}

static void what_is_read_agrees_with_what_was_acknowledged(void **state)
{
  const char *wanted = getenv("ACCEL_HISTORY_SEED");
  const uint64_t seed = wanted == NULL ? accel_clock_monotonic_ns() : strtoull(wanted, NULL, 10);
  const unsigned soak = fault_soak_seconds(), seconds = soak == 0 ? 14 : soak > 30 ? soak - 20 : 10;
  pid_t pids[HISTORY_PROCESSES];
  bool all_end = true;
  (void)state;
  print_message("ACCEL_HISTORY_SEED=%llu\n", (unsigned long long)seed);
  for (unsigned i = 0; i < HISTORY_PROCESSES; i++) {
    pids[i] = fork();
    if (pids[i] == 0) exit(member_run(i, seed));
  }
  assert_true(redis_server_start(&server, NULL) && proxy_open(&faults, server.port));
  assert_true(lateness_begin());
  for (unsigned i = 0; i < HISTORY_PROCESSES; i++)
    snprintf(shared->urls[i], sizeof shared->urls[i], "%s", i % 2 == 0 ? server.url : faults.url);
  shared->phase = RUNNING;
  run_faults(seed, seconds);
  print_past("under faults");
  print_faults();
  shared->phase = CALM;
  for (unsigned ms = 0; shared->ready < HISTORY_PROCESSES && ms < PATIENCE_S * 1000; ms += 10)
    usleep(10000);
  usleep(100000);
  shared->past->longest_stale_ns = 0;
  sleep(2);
  print_past("in calm");
  const double calm_ms = (double)shared->past->longest_stale_ns / 1e6;
  shared->phase = RESTING;
  for (unsigned i = 0; i < HISTORY_PROCESSES; i++) all_end = ends_in_time(pids[i]) && all_end;
  const history *past = shared->past;
  if (past->first[0] != '\0') print_message("the first complaint: %s\n", past->first);
  print_message("%u too stale, %u backward, %u wrong, %u failed\n", past->too_stale, past->backward,
                past->wrong, past->failed);
  proxy_close(&faults);
  redis_server_stop(&server);
  assert_true(all_end);
  assert_int_equal(past->too_stale + past->backward + past->wrong + past->failed, 0);
  assert_true(past->reads > 1000 && past->writes > past->unacknowledged);
  assert_true(lateness_keeps(calm_ms, 500)); /* a message takes a few ms */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_read_agrees_with_what_was_acknowledged),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  shared = (stage *)mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
  if (shared == MAP_FAILED || (shared->past = history_open()) == NULL) return 1;
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  history_close(shared->past);
  munmap(shared, sizeof *shared);
  return failed;
}

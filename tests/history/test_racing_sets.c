/* Four processes set the same keys at once, without a word to each other, as docs/coherence.md says
 * that they should not: which value stays is anybody's guess, and need not be the source's, but it
 * is one of those that were set, the same in L2 and in every L1, and a del heals it.
 *
 * In every eighth round the listeners are thrown out meanwhile. */
#include "../faults/fault_world.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
  PROCESSES = 4,
  SETTERS = 2, /* of each; a third thread reads */
  THREADS = PROCESSES * (SETTERS + 1),
  KEYS = 16,
  ROUNDS = 150,
  PATIENCE_MS = 5000,
  FIRST_PATIENCE_MS = 20000
};

typedef enum phase { OPENING, RACING, LOOKING, REMOVING, HEALED, LEAVING } phase;

/* What the processes share. A step is a phase and its number; each is done by all before the next
 * begins. */
typedef struct stage {
  atomic_uint_least64_t truth[KEYS]; /* the source: each commit raises it */
  atomic_uint step;
  atomic_int phase;
  atomic_uint done, failed, foreign;
  uint64_t local[PROCESSES][KEYS], remote[PROCESSES][KEYS]; /* versions seen; 0: a miss */
  char url[sizeof((redis_server *)NULL)->url];
} stage;

static stage *shared;

/* ---- a process ---- */

static fault_world world;

typedef struct member {
  unsigned process, number; /* SETTERS: the reader */
  uint64_t random;
  pthread_t thread;
} member;

static accel_status load_truth(void *unused, uint64_t key, item_t *out)
{
  (void)unused;
  *out = fault_item(key, shared->truth[key]);
  return ACCEL_OK;
}

static void set_all(member *self)
{
  const uint64_t first = accel_hash_integer(++self->random, 17);
  for (uint64_t i = 0; i < KEYS; i++) {
    const uint64_t key = (first + i) % KEYS;
    const item_t item = fault_item(key, atomic_fetch_add(&shared->truth[key], 1) + 1);
    if (item_cache_set(&world.cache, key, &item) != ACCEL_OK) shared->failed++;
  }
}

static void read_all(void)
{
  for (uint64_t i = 0; i < 4u * KEYS; i++) {
    item_t item;
    const uint64_t key = i % KEYS;
    const accel_status status = item_cache_get(&world.cache, key, &item);
    if (status == ACCEL_OK && !fault_is_whole(key, &item)) shared->foreign++;
    if (accel_failed(status)) shared->failed++;
  }
}

static uint64_t version_in(uint64_t key, bool skip_local, bool disable_load)
{
  const accel_read read = {.skip_local = skip_local, .disable_load = disable_load};
  item_t item;
  if (item_cache_get_with(&world.cache, key, &read, &item) != ACCEL_OK) return 0;
  if (!fault_is_whole(key, &item)) shared->foreign++;
  return item.version;
}

static void look(const member *self, bool disable_load)
{
  for (uint64_t key = 0; key < KEYS; key++) {
    shared->local[self->process][key] = version_in(key, false, disable_load);
    shared->remote[self->process][key] = version_in(key, true, disable_load);
  }
}

static void act(member *self, phase now, unsigned step)
{
  const bool is_first = self->number == 0;
  if (now == RACING && self->number < SETTERS) set_all(self);
  if (now == RACING && self->number == SETTERS) read_all();
  if (now == LOOKING && is_first) look(self, true);
  if (now == REMOVING && is_first && self->process == step % PROCESSES)
    for (uint64_t key = 0; key < KEYS; key++)
      if (item_cache_del(&world.cache, key) != ACCEL_OK) shared->failed++;
  if (now == HEALED && is_first) look(self, false);
}

static void *member_work(void *member_pointer)
{
  member *self = (member *)member_pointer;
  for (unsigned done = 0;;) {
    const unsigned step = shared->step;
    if (step == done) {
      usleep(50);
      continue;
    }
    const phase now = (phase)shared->phase;
    if (now == LEAVING) return NULL;
    act(self, now, step);
    done = step;
    shared->done++;
  }
}

static int process_run(unsigned process)
{
  static member members[SETTERS + 1];
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody waiting */
  while (shared->url[0] == '\0') usleep(1000);
  usleep(1000); /* all of it */
  const accel_redis_config where = {.url = shared->url, .command_timeout_ms = 5000};
  fault_open(&world, &where, (accel_config){.area = "racing", .loader_timeout_ms = 5000});
  item_cache_set_loader(&world.cache, load_truth, NULL);
  if (fault_comes(&world, true, PATIENCE_MS) < 0) return 1;
  for (unsigned i = 0; i <= SETTERS; i++) {
    members[i] = (member){.process = process, .number = i, .random = process * 1009 + i};
    if (pthread_create(&members[i].thread, NULL, member_work, &members[i]) != 0) return 1;
  }
  shared->done++;
  for (unsigned i = 0; i <= SETTERS; i++) pthread_join(members[i].thread, NULL);
  fault_close(&world);
  return 0;
}

/* ---- the test ---- */

static redis_server server;

static bool await_done(unsigned wanted, unsigned patience_ms)
{
  const uint64_t until_ms = accel_clock_deadline(patience_ms);
  while (shared->done < wanted && accel_clock_monotonic_ms() < until_ms) usleep(50);
  return shared->done >= wanted;
}

static void begin(phase next)
{
  shared->done = 0;
  shared->phase = (int)next;
  shared->step++;
}

static void perform(phase next)
{
  begin(next);
  if (!await_done(THREADS, FIRST_PATIENCE_MS)) fail_msg("a process hangs in phase %d", (int)next);
}

/* All levels of all processes hold the same of each key; `lowest`: and it is no older. */
static bool is_agreed(const uint64_t *lowest, char *why, size_t why_size)
{
  for (unsigned process = 0; process < PROCESSES; process++)
    for (unsigned key = 0; key < KEYS; key++) {
      const uint64_t first = shared->remote[0][key], here = shared->local[process][key];
      if (here == first && shared->remote[process][key] == first && here >= lowest[key]) continue;
      snprintf(why, why_size, "key %u of process %u: L1 has version %u, L2 %u, at least %u is due",
               key, process, (unsigned)here, (unsigned)shared->remote[process][key],
               (unsigned)lowest[key]);
      return false;
    }
  return true;
}

static void come_to_agree(phase how, const uint64_t *lowest, unsigned round)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  char why[160];
  for (;;) {
    perform(how);
    if (is_agreed(lowest, why, sizeof why)) return;
    if (accel_clock_monotonic_ms() >= until_ms) fail_msg("round %u: %s", round, why);
    usleep(5000);
  }
}

/* How many keys hold something other than the source. */
static unsigned run_round(unsigned round)
{
  uint64_t lowest[KEYS];
  char reply[64];
  unsigned losers = 0;
  for (size_t key = 0; key < KEYS; key++) lowest[key] = shared->truth[key] + 1;
  begin(RACING);
  if (round % 8 == 7)
    assert_true(redis_server_ask(&server, "CLIENT KILL TYPE pubsub", reply, sizeof reply));
  if (!await_done(THREADS, FIRST_PATIENCE_MS)) fail_msg("a process hangs");
  come_to_agree(LOOKING, lowest, round);
  for (size_t key = 0; key < KEYS; key++) {
    losers += shared->remote[0][key] != shared->truth[key];
    lowest[key] = shared->truth[key];
  }
  perform(REMOVING);
  come_to_agree(HEALED, lowest, round);
  return losers;
}

static void one_of_racing_sets_stays_the_same_everywhere(void **state)
{
  const unsigned soak = fault_soak_seconds();
  const uint64_t until_ms = accel_clock_deadline(soak * 1000);
  pid_t pids[PROCESSES];
  unsigned rounds = 0, losers = 0;
  (void)state;
  for (unsigned i = 0; i < PROCESSES; i++) {
    pids[i] = fork();
    if (pids[i] == 0) exit(process_run(i));
  }
  assert_true(redis_server_start(&server, NULL));
  memcpy(shared->url, server.url, sizeof server.url);
  assert_true(await_done(PROCESSES, FIRST_PATIENCE_MS));
  do {
    losers += run_round(rounds++);
  } while (soak == 0 ? rounds < ROUNDS : accel_clock_monotonic_ms() < until_ms);
  begin(LEAVING);
  for (unsigned i = 0; i < PROCESSES; i++) {
    int status = -1;
    waitpid(pids[i], &status, 0);
    assert_int_equal(status, 0);
  }
  print_message("%u sets of each of %u keys raced %u times: in %u of %u cases the source's last "
                "value lost; all levels agreed every time\n",
                PROCESSES * SETTERS, KEYS, rounds, losers, rounds * KEYS);
  redis_server_stop(&server);
  assert_int_equal(shared->failed, 0);
  assert_int_equal(shared->foreign, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_of_racing_sets_stays_the_same_everywhere),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  shared = (stage *)mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
  if (shared == MAP_FAILED) return 1;
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What networks do between us and Redis: the proxy cuts, delays, silences and mixes up.
 *
 * The client reaches Redis through the proxy; a second one, which nothing disturbs, writes directly
 * where a test needs that.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */
#include "fault_world.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

static redis_server server;
static proxy faults;

static int start(void **state)
{
  (void)state;
  return redis_server_start(&server, NULL) && proxy_open(&faults, server.port) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&faults);
  redis_server_stop(&server);
  return 0;
}

static int heal(void **state)
{
  (void)state;
  proxy_heal(&faults);
  return 0;
}

static void open_behind_proxy(fault_world *world, uint32_t command_timeout_ms, accel_config config)
{
  const accel_redis_config where = {
      .url = faults.url, .command_timeout_ms = command_timeout_ms, .connect_timeout_ms = 500};
  fault_open(world, &where, config);
  assert_true(fault_comes(world, true, 10000) >= 0);
}

/* ---- an end at every byte ---- */

typedef struct cut_world {
  fault_world world;
  uint64_t next_key; /* that nobody has used */
  uint64_t version;  /* of the last set that was confirmed */
  double slowest_ms, slowest_return_ms;
  unsigned cuts;
} cut_world;

/* One operation; its answers are checked, whatever they are. */
typedef void cut_fn(cut_world *cut);

enum { CUT_KEY = 5, CUT_BATCH = 8, CUT_LIMIT_MS = 200 };

static void check_read(accel_status status, uint64_t key, const item_t *item)
{
  if (status == ACCEL_OK)
    assert_true(fault_is_whole(key, item));
  else
    assert_int_equal(status, ACCEL_MISS);
}

static void cut_get(cut_world *cut)
{
  const accel_read read = {.disable_load = true};
  item_t item;
  check_read(item_cache_get_with(&cut->world.cache, CUT_KEY, &read, &item), CUT_KEY, &item);
}

static void cut_mget(cut_world *cut)
{
  const accel_read read = {.disable_load = true};
  uint64_t keys[CUT_BATCH];
  item_t items[CUT_BATCH];
  accel_status statuses[CUT_BATCH];
  for (uint64_t i = 0; i < CUT_BATCH; i++) keys[i] = i;
  accel_ignore(item_cache_mget(&cut->world.cache, keys, CUT_BATCH, &read, items, statuses));
  for (uint64_t i = 0; i < CUT_BATCH; i++) check_read(statuses[i], i, &items[i]);
}

/* A set that was not confirmed may have been done or not; a confirmed one was. */
static void cut_set(cut_world *cut)
{
  const item_t item = fault_item(CUT_KEY, ++cut->version);
  const accel_status status = item_cache_set(&cut->world.cache, CUT_KEY, &item);
  assert_true(status == ACCEL_OK || status == ACCEL_ERR_BACKEND);
}

/* A miss, the load, and what goes to L2 for it. */
static void cut_load(cut_world *cut)
{
  const uint64_t key = cut->next_key++;
  item_t item;
  assert_int_equal(item_cache_get(&cut->world.cache, key, &item), ACCEL_OK);
  assert_true(fault_is_whole(key, &item));
}

static void cut_connect(cut_world *cut)
{
  proxy_cut(&faults, PROXY_CLOSE, PROXY_DATA);
  usleep(2000);
  cut_get(cut);
}

static void cut_subscribe(cut_world *cut)
{
  const uint64_t epochs = fault_metrics(&cut->world).epoch_raised;
  proxy_cut(&faults, PROXY_CLOSE, PROXY_LISTENER);
  assert_true(fault_was_down(&cut->world, epochs));
}

/* After a cut everything works again, soon. */
static void cut_recovers(cut_world *cut)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_read read = {.disable_load = true};
  item_t item;
  accel_status status;
  assert_true(fault_comes(&cut->world, true, 10000) >= 0);
  while ((status = item_cache_get_with(&cut->world.cache, 0, &read, &item)) != ACCEL_OK) {
    assert_true(fault_ms_since(began_ns) < 100000);
    usleep(2000);
  }
  assert_true(fault_is_whole(0, &item));
  if (fault_ms_since(began_ns) > cut->slowest_return_ms)
    cut->slowest_return_ms = fault_ms_since(began_ns);
}

/* Ends the connection at every `step`-th byte, until the operation needs no more bytes. */
static void cut_everywhere(cut_world *cut, cut_fn *operate, proxy_trip trip, unsigned first,
                           unsigned step)
{
  const bool connects = operate == cut_connect || operate == cut_subscribe;
  for (uint64_t after = first;; after += step) {
    const unsigned trips = proxy_look(&faults).trips;
    trip.after_bytes = after;
    proxy_arm(&faults, &trip);
    const uint64_t began_ns = accel_clock_monotonic_ns();
    operate(cut);
    if (fault_ms_since(began_ns) > cut->slowest_ms && !connects)
      cut->slowest_ms = fault_ms_since(began_ns);
    cut_recovers(cut);
    const bool has_happened = proxy_look(&faults).trips > trips;
    proxy_heal(&faults);
    if (!has_happened) return;
    cut->cuts++;
    assert_true(after < 20000);
  }
}

static void an_end_at_any_byte_costs_no_value_and_little_time(void **state)
{
  static const struct {
    const char *name;
    cut_fn *operate;
  } operations[] = {{"get", cut_get},   {"mget", cut_mget},       {"set", cut_set},
                    {"load", cut_load}, {"connect", cut_connect}, {"subscribe", cut_subscribe}};
  const unsigned step = fault_number(23, 1);
  static cut_world cut;
  (void)state;
  memset(&cut, 0, sizeof cut);
  const unsigned descriptors = fault_descriptors();
  open_behind_proxy(&cut.world, CUT_LIMIT_MS, (accel_config){.mode = ACCEL_REMOTE});
  cut.next_key = 1000;
  for (uint64_t key = 0; key < CUT_BATCH; key++) {
    const item_t item = fault_item(key, 0);
    const uint64_t until_ms = accel_clock_deadline(100000);
    while (item_cache_set(&cut.world.cache, key, &item) != ACCEL_OK)
      assert_true(accel_clock_monotonic_ms() < until_ms);
  }
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    cut.slowest_ms = cut.slowest_return_ms = 0;
    cut.cuts = 0;
    for (unsigned way = 0; way < 4; way++) {
      const proxy_trip trip = {.kind = way / 2 == 0 ? PROXY_CLOSE : PROXY_RESET,
                               .direction = way % 2 == 0 ? PROXY_REQUESTS : PROXY_REPLIES};
      cut_everywhere(&cut, operations[i].operate, trip, way * 5 % step, step);
    }
    print_message("%s: %u cuts, the slowest call %.0f ms, the slowest return %.0f ms\n",
                  operations[i].name, cut.cuts, cut.slowest_ms, cut.slowest_return_ms);
    assert_true(cut.cuts > 4);
    assert_true(cut.slowest_ms < 20 * CUT_LIMIT_MS + 10000);
  }
  fault_close(&cut.world);
  for (int wait = 0; wait < 6000 && proxy_look(&faults).open > 0; wait++) usleep(10000);
  assert_int_equal(fault_descriptors(), descriptors);
}

/* ---- a trickle, and signals ---- */

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
  (void)number;
  signals++;
}

enum { TRICKLE_LIMIT_MS = 20 };

typedef struct trickle_figures {
  unsigned calls, waited, late;
  double worst_ms;
} trickle_figures;

/* Some calls on a cache that is opened for them: after a few that waited in vain the breaker would
 * answer the others at once. */
static void trickle_some(trickle_figures *figures)
{
  const proxy_flow trickle = {.slice_bytes = 1, .slice_pause_ms = 300};
  fault_world world;
  const item_t item = fault_item(1, 1);
  open_behind_proxy(&world, TRICKLE_LIMIT_MS, (accel_config){.mode = ACCEL_REMOTE});
  while (item_cache_set(&world.cache, 1, &item) != ACCEL_OK) usleep(1000);
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_DATA, &trickle);
  for (unsigned i = 0; i < 5; i++, figures->calls++) {
    const accel_read read = {.disable_load = true};
    item_t found;
    const uint64_t began_ns = accel_clock_monotonic_ns();
    check_read(item_cache_get_with(&world.cache, 1, &read, &found), 1, &found);
    const double took_ms = fault_ms_since(began_ns);
    if (took_ms >= TRICKLE_LIMIT_MS) figures->waited++;
    if (took_ms > TRICKLE_LIMIT_MS + 5) figures->late++;
    if (took_ms > figures->worst_ms) figures->worst_ms = took_ms;
  }
  proxy_heal(&faults);
  fault_close(&world);
}

/* A byte every 300 ms, and a signal every 10 ms: neither stretches the limit of a call. */
static void a_trickle_under_signals_keeps_the_deadline(void **state)
{
  const unsigned rounds = fault_number(10, 200);
  const struct itimerval every = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
  const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  struct sigaction before;
  trickle_figures figures = {0};
  (void)state;
  sigaction(SIGALRM, &action, &before);
  setitimer(ITIMER_REAL, &every, NULL);
  for (unsigned round = 0; round < rounds; round++) trickle_some(&figures);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  print_message("%u calls with a limit of %d ms under %d signals: %u waited, %u took 5 ms more, "
                "the longest %.1f ms\n",
                figures.calls, TRICKLE_LIMIT_MS, (int)signals, figures.waited, figures.late,
                figures.worst_ms);
  assert_true(signals > 0 && figures.waited > rounds);
  assert_true(figures.worst_ms < 10000); /* the whole reply takes twice that */
}

/* ---- distance ---- */

typedef struct distance_cost {
  double cpu_ms;
  long slept; /* times */
} distance_cost;

static distance_cost distance_now(void)
{
  struct timespec now;
  struct rusage usage;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  getrusage(RUSAGE_THREAD, &usage);
  return (distance_cost){(double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6, usage.ru_nvcsw};
}

/* What so many reads one after the other cost their thread. */
static distance_cost read_from(unsigned latency_ms, uint32_t spin_us, unsigned count)
{
  const proxy_flow flow = {.latency_ms = latency_ms};
  const accel_redis_config where = {
      .url = faults.url, .command_timeout_ms = 5000, .spin_us = spin_us};
  fault_world world;
  fault_open(&world, &where, (accel_config){.mode = ACCEL_REMOTE});
  assert_true(fault_comes(&world, true, 10000) >= 0);
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_DATA, &flow);
  const distance_cost before = distance_now();
  for (unsigned i = 0; i < count; i++) {
    const accel_read read = {.disable_load = true};
    item_t item;
    assert_int_equal(item_cache_get_with(&world.cache, UINT64_MAX, &read, &item), ACCEL_MISS);
  }
  const distance_cost after = distance_now();
  proxy_heal(&faults);
  fault_close(&world);
  return (distance_cost){after.cpu_ms - before.cpu_ms, after.slept - before.slept};
}

/* To look for each of them for its first millisecond would cost half of the time. */
static void replies_from_afar_are_slept_for(void **state)
{
  enum { READS = 300, SPIN_US = 1000 };
  (void)state;
  const distance_cost without = read_from(2, ACCEL_NO_SPIN, READS);
  const distance_cost with = read_from(2, SPIN_US, READS);
  print_message("%d reads over 2 ms: %.1f ms of a processor, without spinning %.1f ms\n", READS,
                with.cpu_ms, without.cpu_ms);
  assert_true(with.cpu_ms - without.cpu_ms < READS * SPIN_US / 1e3 / 4);
}

/* The limit is so long that also a busy machine keeps it. */
static void replies_from_nearby_are_not_slept_for(void **state)
{
  enum { READS = 300, SPIN_US = 200000 };
  (void)state;
  const distance_cost without = read_from(0, ACCEL_NO_SPIN, READS);
  const distance_cost with = read_from(0, SPIN_US, READS);
  print_message("%d reads from nearby: slept %ld times, without spinning %ld times\n", READS,
                with.slept, without.slept);
  assert_true(without.slept > READS / 5);
  assert_true(with.slept < READS / 10);
}

/* ---- silence ---- */

/* Packets are dropped without a word, of old connections and new ones; meanwhile another process
 * changes a value that lies in our L1. */
static void a_dead_line_is_noticed_and_stale_values_end(void **state)
{
  enum { KEY = 3, BOUND_MS = 4200 };
  fault_world world, other;
  item_t item;
  (void)state;
  const accel_redis_config direct = {.url = server.url, .command_timeout_ms = 5000};
  open_behind_proxy(&world, 50, (accel_config){.mode = ACCEL_BOTH});
  fault_open(&other, &direct, (accel_config){.mode = ACCEL_BOTH});
  item = fault_item(KEY, 1);
  assert_int_equal(item_cache_set(&other.cache, KEY, &item), ACCEL_OK);
  const accel_read local_only = {.skip_remote = true, .disable_load = true};
  while (item_cache_get_with(&world.cache, KEY, &local_only, &item) != ACCEL_OK)
    accel_ignore(item_cache_get(&world.cache, KEY, &item));
  proxy_silence(&faults, true);
  proxy_cut(&faults, PROXY_SILENCE, PROXY_ALL);
  usleep(20000);
  item = fault_item(KEY, 2);
  assert_int_equal(item_cache_set(&other.cache, KEY, &item), ACCEL_OK);
  const uint64_t changed_ns = accel_clock_monotonic_ns();
  double stale_ms = 0, slowest_ms = 0, down_ms = -1;
  while (fault_ms_since(changed_ns) < BOUND_MS + 800 ||
         (down_ms < 0 && fault_ms_since(changed_ns) < 60000)) {
    const accel_read read = {.disable_load = true};
    const uint64_t began_ns = accel_clock_monotonic_ns();
    const accel_status status = item_cache_get_with(&world.cache, KEY, &read, &item);
    if (fault_ms_since(began_ns) > slowest_ms) slowest_ms = fault_ms_since(began_ns);
    check_read(status, KEY, &item);
    if (status == ACCEL_OK && item.version == 1) stale_ms = fault_ms_since(changed_ns);
    if (down_ms < 0 && !fault_look(&world).channel_up) down_ms = fault_ms_since(changed_ns);
    usleep(1000);
  }
  proxy_heal(&faults);
  const double return_ms = fault_comes(&world, true, 10000);
  print_message("a dead line: the channel down after %.0f ms, stale for %.0f ms, the slowest get "
                "%.1f ms, back %.0f ms after it healed\n",
                down_ms, stale_ms, slowest_ms, return_ms);
  assert_true(down_ms >= 0 && lateness_keeps(down_ms, 3200 + 800));
  assert_true(lateness_keeps(stale_ms, BOUND_MS));
  assert_true(lateness_keeps(slowest_ms, 50 + 500));
  assert_true(return_ms >= 0);
  assert_int_equal(item_cache_get(&world.cache, KEY, &item), ACCEL_OK);
  assert_int_equal(item.version, 2);
  fault_close(&other);
  fault_close(&world);
}

/* ---- replies in the wrong place ---- */

static void mix_up(void (*fault)(proxy *, proxy_target, unsigned), const char *name,
                   unsigned rounds)
{
  enum { KEYS = 64 };
  fault_world world;
  open_behind_proxy(&world, 100, (accel_config){.mode = ACCEL_REMOTE});
  for (uint64_t key = 0; key < KEYS; key++) {
    const item_t item = fault_item(key, 1);
    while (item_cache_set(&world.cache, key, &item) != ACCEL_OK) usleep(1000);
  }
  fault_readers *readers = fault_start_readers(&world, 8, KEYS, (accel_read){.disable_load = true});
  readers->pause_us = 0;
  double slowest_ms = 0;
  for (unsigned round = 0; round < rounds; round++) {
    fault(&faults, PROXY_DATA, 1);
    usleep(20000);
    const double again_ms = fault_comes_to_use(&world, 50, 10000);
    assert_true(again_ms >= 0);
    if (again_ms > slowest_ms) slowest_ms = again_ms;
  }
  fault_times_of(readers, name);
  const proxy_counts counts = proxy_look(&faults);
  const accel_metrics metrics = fault_metrics(&world);
  print_message("%s: %u exchanged, %u dropped, %u values refused, L2 serving again after %.0f ms "
                "at worst\n",
                name, counts.exchanged, counts.dropped, (unsigned)metrics.remote_decode_errors,
                slowest_ms);
  fault_stop_readers(readers);
  assert_true(metrics.remote_decode_errors + metrics.remote_errors > 0);
  fault_close(&world);
}

static void exchanged_replies_reach_nobody(void **state)
{
  (void)state;
  mix_up(proxy_exchange, "exchanged", fault_number(20, 500));
  assert_true(proxy_look(&faults).exchanged > 0);
}

/* From here on every reply is the answer to another question, until the connection is made anew. */
static void after_a_lost_reply_the_stream_is_not_trusted(void **state)
{
  (void)state;
  mix_up(proxy_drop, "dropped", fault_number(5, 100));
  assert_true(proxy_look(&faults).dropped > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(an_end_at_any_byte_costs_no_value_and_little_time, heal),
      cmocka_unit_test_teardown(a_trickle_under_signals_keeps_the_deadline, heal),
      cmocka_unit_test_teardown(replies_from_nearby_are_not_slept_for, heal),
      cmocka_unit_test_teardown(replies_from_afar_are_slept_for, heal),
      cmocka_unit_test_teardown(a_dead_line_is_noticed_and_stale_values_end, heal),
      cmocka_unit_test_teardown(exchanged_replies_reach_nobody, heal),
      cmocka_unit_test_teardown(after_a_lost_reply_the_stream_is_not_trusted, heal),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

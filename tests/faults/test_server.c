/* Redis dies, stands still, or comes and goes, under 24 threads: no thread reads a wrong value,
 * waits beyond its limits, or has to be started anew.
 *
 * What is printed are the figures; what is asserted allows for a machine that is late.
 */
#include "fault_world.h"

#include <hiredis/hiredis.h>

enum { READERS = 24, KEYS = 64, COMMAND_MS = 50, SLACK_MS = 400 };

static redis_server server;

static int start(void **state)
{
  (void)state;
  return lateness_begin() && redis_server_start(&server, NULL) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

static void open_here(fault_world *world, accel_mode mode)
{
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = COMMAND_MS};
  fault_open(world, &where, (accel_config){.mode = mode, .loader_timeout_ms = 1000});
  assert_true(fault_comes(world, true, 10000) >= 0);
  assert_true(fault_comes_to_use(world, 0, 5000) >= 0);
  for (uint64_t key = 0; key < KEYS; key++) {
    item_t item;
    assert_int_equal(item_cache_get(&world->cache, key, &item), ACCEL_OK);
  }
}

/* Reads of L2 first, the loader behind it, while the server is killed and returns. */
static void a_kill_costs_a_moment_and_no_value(void **state)
{
  fault_world world;
  (void)state;
  open_here(&world, ACCEL_BOTH);
  const uint64_t epochs = fault_metrics(&world).epoch_raised;
  fault_readers *readers =
      fault_start_readers(&world, READERS, KEYS, (accel_read){.skip_local = true});
  usleep(200000);
  fault_times_of(readers, "healthy");
  redis_server_kill(&server);
  assert_true(fault_read_more(readers, 100));
  const fault_times first = fault_times_of(readers, "killed, the first second");
  sleep(fault_number(1, 10));
  const fault_times later = fault_times_of(readers, "killed, later");
  assert_true(redis_server_restart(&server));
  const double serving_ms = fault_comes_to_use(&world, 100, 10000);
  const double up_ms = fault_comes(&world, true, 10000);
  fault_times_of(readers, "back");
  print_message("serving from L2 %.0f ms after the restart, the channel up %.0f ms later, epoch "
                "+%u\n",
                serving_ms, up_ms, (unsigned)(fault_metrics(&world).epoch_raised - epochs));
  fault_stop_readers(readers);
  assert_true(lateness_keeps(first.p99, 60 + SLACK_MS));
  assert_true(lateness_keeps(later.p99, SLACK_MS));
  assert_true(serving_ms >= 0 && up_ms >= 0);
  assert_true(fault_metrics(&world).epoch_raised >= epochs + 2);
  fault_close(&world);
}

/* What a process may ask of the source while nobody can hold a lease: what its flights ask. */
static void check_stopped(fault_world *world, fault_readers *readers, const char *how,
                          double down_ms, unsigned seconds)
{
  const fault_times times = fault_times_of(readers, how);
  print_message("%s: the channel down after %.0f ms, %u loads of %u keys in %u s\n", how, down_ms,
                (unsigned)world->loads, KEYS, seconds);
  assert_true(times.count > 100);
  /* A get and a fill, in turn. */
  assert_true(lateness_keeps(times.longest, 2 * (COMMAND_MS + 60) + SLACK_MS));
  assert_true(down_ms >= 0 && lateness_keeps(down_ms, 3200 + 2 * SLACK_MS));
}

static void run_stopped(const char *how, void (*stop_it)(unsigned ms), void (*go_on)(void))
{
  const unsigned seconds = fault_number(4, 10);
  fault_world world;
  open_here(&world, ACCEL_BOTH);
  world.load_us = 1000;
  fault_readers *readers =
      fault_start_readers(&world, READERS, KEYS, (accel_read){.skip_local = true});
  usleep(200000);
  fault_times_of(readers, "healthy");
  world.loads = 0;
  stop_it(seconds * 1000);
  const uint64_t stopped_ns = accel_clock_monotonic_ns();
  const double down_ms = fault_comes(&world, false, 8000);
  while (fault_ms_since(stopped_ns) < seconds * 1000) usleep(10000);
  check_stopped(&world, readers, how, down_ms, seconds);
  if (go_on != NULL) go_on();
  const double serving_ms = fault_comes_to_use(&world, 100, 15000);
  print_message("%s: serving from L2 again after %.0f ms\n", how, serving_ms);
  fault_stop_readers(readers);
  assert_true(serving_ms >= 0);
  fault_close(&world);
}

static void freeze(unsigned ms)
{
  (void)ms;
  redis_server_freeze(&server);
}

static void thaw(void)
{
  redis_server_thaw(&server);
}

static void pause_clients(unsigned ms)
{
  redisContext *direct = redisConnect("127.0.0.1", server.port);
  assert_non_null(direct);
  redisReply *reply = (redisReply *)redisCommand(direct, "CLIENT PAUSE %u ALL", ms);
  assert_non_null(reply);
  freeReplyObject(reply);
  redisFree(direct);
}

static void a_server_that_stands_still_keeps_nobody(void **state)
{
  (void)state;
  run_stopped("stopped", freeze, thaw);
}

/* It still takes connections, and answers nothing on them. */
static void a_server_that_pauses_its_clients_keeps_nobody(void **state)
{
  (void)state;
  run_stopped("paused", pause_clients, NULL);
}

/* ---- coming and going ---- */

static long clients_of_server(void)
{
  char reply[8192];
  if (!redis_server_ask(&server, "INFO clients", reply, sizeof reply)) return -1;
  const char *found = strstr(reply, "connected_clients:");
  return found == NULL ? -1 : strtol(found + strlen("connected_clients:"), NULL, 10);
}

static void many_caches_return_without_a_storm(void **state)
{
  enum { CACHES_MAX = 200 };
  const unsigned count = fault_number(24, CACHES_MAX), restarts = fault_number(5, 20);
  fault_world *worlds = (fault_world *)calloc(CACHES_MAX, sizeof *worlds);
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = COMMAND_MS};
  (void)state;
  assert_non_null(worlds);
  const unsigned before = fault_descriptors();
  for (unsigned i = 0; i < count; i++)
    fault_open(&worlds[i], &where, (accel_config){.capacity = 64});
  for (unsigned i = 0; i < count; i++) assert_true(fault_comes(&worlds[i], true, 10000) >= 0);
  const unsigned descriptors = fault_descriptors();
  const long clients = clients_of_server();
  double slowest_ms = 0;
  for (unsigned round = 0; round < restarts; round++) {
    redis_server_kill(&server);
    for (unsigned i = 0; i < count; i++) assert_true(fault_comes(&worlds[i], false, 10000) >= 0);
    usleep(50000);
    assert_true(redis_server_restart(&server));
    const uint64_t began_ns = accel_clock_monotonic_ns();
    for (unsigned i = 0; i < count; i++) assert_true(fault_comes(&worlds[i], true, 10000) >= 0);
    if (fault_ms_since(began_ns) > slowest_ms) slowest_ms = fault_ms_since(began_ns);
  }
  usleep(100000);
  print_message("%u clients, %u restarts: all back after %.0f ms at worst; %ld connections, %ld "
                "before; %u descriptors, %u before\n",
                count, restarts, slowest_ms, clients_of_server(), clients, fault_descriptors(),
                descriptors);
  assert_true(clients_of_server() <= clients);
  assert_int_equal(fault_descriptors(), descriptors);
  for (unsigned i = 0; i < count; i++) fault_close(&worlds[i]);
  assert_int_equal(fault_descriptors(), before);
  free(worlds);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_kill_costs_a_moment_and_no_value),
      cmocka_unit_test(a_server_that_stands_still_keeps_nobody),
      cmocka_unit_test(a_server_that_pauses_its_clients_keeps_nobody),
      cmocka_unit_test(many_caches_return_without_a_storm),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

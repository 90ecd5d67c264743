/* A server that answers with errors, each of those that Redis knows: a read gets its value from the
 * loader, a write says that L2 did not confirm it, and nothing blames the loader. */
#include "fault_world.h"

#include "../redis/peer.h"

typedef struct refusal {
  const char *answer; /* to every command */
} refusal;

static const refusal refusals[] = {
    {"-LOADING Redis is loading the dataset in memory\r\n"},
    {"-BUSY Redis is busy running a script. You can only call SCRIPT KILL\r\n"},
    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
    {"-MISCONF Redis is configured to save RDB snapshots, but it cannot\r\n"},
    {"-READONLY You can't write against a read only replica.\r\n"},
    {"-NOAUTH Authentication required.\r\n"},
    {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
    {"-NOPERM this user has no permissions to run the command\r\n"},
    {"-NOSCRIPT No matching script. Please use EVAL.\r\n"},
    {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"-MOVED 3999 127.0.0.1:1\r\n"},
    {"-ASK 3999 127.0.0.1:1\r\n"},
    {"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"},
    {"-CLUSTERDOWN The cluster is down\r\n"},
    {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"},
    {"-EXECABORT Transaction discarded because of previous errors.\r\n"},
    {"-ERR max number of clients reached\r\n"},
    {"-ERR unknown command\r\n"},
    {"-\r\n"},
};

static void no_refusal_reaches_a_reader(void **state)
{
  enum { LIMIT_MS = 100, CALLS = 30 };
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    peer strict;
    fault_world world;
    item_t item;
    double slowest_ms = 0;
    assert_true(peer_open(&strict, refusals[i].answer, 0));
    const accel_redis_config where = {.url = strict.url, .command_timeout_ms = LIMIT_MS};
    fault_open(&world, &where, (accel_config){.mode = ACCEL_REMOTE, .loader_timeout_ms = 60000});
    while (!fault_look(&world).remote_ready) usleep(1000);
    for (uint64_t key = 0; key < CALLS; key++) {
      const uint64_t began_ns = accel_clock_monotonic_ns();
      const accel_status status = item_cache_get(&world.cache, key, &item);
      if (fault_ms_since(began_ns) > slowest_ms) slowest_ms = fault_ms_since(began_ns);
      if (status != ACCEL_OK || !fault_is_whole(key, &item))
        fail_msg("%.40s: a read says %s", refusals[i].answer, accel_status_name(status));
    }
    const accel_status set = item_cache_set(&world.cache, 1, &item);
    const accel_metrics metrics = fault_metrics(&world);
    const size_t code = strcspn(refusals[i].answer, " \r");
    print_message("%-14.*s set says %-8s %2u errors, %2u misses, %2u loads, the slowest %.1f ms\n",
                  (int)code, refusals[i].answer, accel_status_name(set),
                  (unsigned)metrics.remote_errors, (unsigned)metrics.remote_miss,
                  (unsigned)metrics.load_success, slowest_ms);
    assert_int_equal(set, ACCEL_ERR_BACKEND);
    assert_int_equal(metrics.load_error, 0);
    assert_int_equal(metrics.load_timeout, 0);
    assert_int_equal(metrics.load_success, CALLS);
    assert_true(slowest_ms < 30000); /* no limit was waited for */
    fault_close(&world);
    peer_close(&strict);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(no_refusal_reaches_a_reader)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

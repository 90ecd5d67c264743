/* Values of 8 MiB beside values of 100 bytes: how long the small ones take while the large ones
 * share their connection, and while they have one of their own. */
#include "client.h"

#include "accel_backends/redis/state.h"

#include <pthread.h>

enum { LARGE = 8 << 20, ROUNDS = 400 };

static redis_server server;

typedef struct large_reader {
  client *shared;
  char *value;
  bool forgets; /* that there are large values: each read is as the first of a process */
  bool ends;    /* atomic */
  unsigned reads, wrong;
} large_reader;

static void *read_large(void *reader_pointer)
{
  large_reader *self = (large_reader *)reader_pointer;
  client mine = *self->shared;
  redis_endpoint *endpoint = accel_redis_route_main(&mine.redis.state->route);
  while (!__atomic_load_n(&self->ends, __ATOMIC_ACQUIRE)) {
    if (self->forgets) __atomic_store_n(&endpoint->has_large, false, __ATOMIC_RELAXED);
    self->wrong += client_check(&mine, "large", self->value) != ACCEL_OK;
    self->reads++;
  }
  return NULL;
}

static int compare(const void *left, const void *right)
{
  const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

/* The mean of 400 small reads, in microseconds: on a busy machine half of them may slip through
 * between two large ones. */
static uint64_t mean_us(client *one, char *value, bool forgets, const char *what)
{
  large_reader reader = {.shared = one, .value = value, .forgets = forgets};
  uint64_t times[ROUNDS], sum = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, read_large, &reader), 0);
  usleep(100000);
  for (int i = 0; i < ROUNDS; i++) {
    const uint64_t began_ns = accel_clock_monotonic_ns();
    assert_int_equal(client_check(one, "small", "x"), ACCEL_OK);
    times[i] = (accel_clock_monotonic_ns() - began_ns) / 1000;
    sum += times[i];
    usleep(500);
  }
  __atomic_store_n(&reader.ends, true, __ATOMIC_RELEASE);
  pthread_join(thread, NULL);
  assert_int_equal(reader.wrong, 0);
  assert_true(reader.reads > 0);
  qsort(times, ROUNDS, sizeof *times, compare);
  print_message("%s: mean %u us, p50 %u us, p99 %u us, beside %u reads of 8 MiB\n", what,
                (unsigned)(sum / ROUNDS), (unsigned)times[ROUNDS / 2],
                (unsigned)times[ROUNDS * 99 / 100], reader.reads);
  return sum / ROUNDS;
}

static void large_values_do_not_delay_small_ones(void **state)
{
  (void)state;
  assert_true(redis_server_start(&server, NULL));
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 20000};
  client one, other; /* who stores a large value has the other connection already */
  client_open(&one, &config);
  client_open(&other, &config);
  char *value = (char *)malloc(LARGE + 1);
  assert_non_null(value);
  memset(value, 'v', LARGE - 100);
  value[LARGE - 100] = '\0';
  assert_int_equal(client_put(&other, "large", value), ACCEL_OK);
  assert_int_equal(client_put(&other, "small", "x"), ACCEL_OK);
  redis_endpoint *endpoint = accel_redis_route_main(&one.redis.state->route);
  assert_false(accel_redis_connection_is_up(&endpoint->bulk));
  const uint64_t shared_us = mean_us(&one, value, true, "one connection");
  assert_int_equal(client_check(&one, "large", value), ACCEL_OK);
  assert_int_equal(client_check(&one, "large", value), ACCEL_OK);
  assert_true(accel_redis_connection_is_up(&endpoint->bulk));
  const uint64_t apart_us = mean_us(&one, value, false, "a connection for large values");
  assert_true(apart_us < shared_us);
  free(value);
  client_close(&other);
  client_close(&one);
  redis_server_stop(&server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(large_values_do_not_delay_small_ones)};
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every allocation fails in turn: each call has a status, nothing crashes, nothing leaks, and the
 * next program run on the same server works. */
#include "client.h"

#include "failing_alloc.h"
#include "one_server.h"

enum { FAILURES = 150 };

static void hear_nothing(void *ctx)
{
  (void)ctx;
}

static void hear_no_message(void *ctx, const void *data, size_t size)
{
  (void)ctx, (void)data, (void)size;
}

static bool hear_no_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  (void)ctx, (void)lane;
  return accel_buffer_append(out, "beat", 4);
}

static void expect_status(accel_status status, unsigned *failed)
{
  if (status == ACCEL_OK || status == ACCEL_MISS) return;
  *failed += 1;
  if (status != ACCEL_ERR_NOMEM && status != ACCEL_ERR_BACKEND && status != ACCEL_ERR_TIMEOUT)
    fail_msg("a lack of memory became %s", accel_status_name(status));
}

static void use_link(void *link, unsigned *failed)
{
  client_publisher numbers = {.items_at_most = 1};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  client_key keys[2];
  accel_remote_item items[2];
  for (int step = 0; step < 5; step++) {
    accel_remote_call call = {.deadline_ms = ACCEL_NO_DEADLINE};
    items[0] = client_item("a", "one", &keys[0]);
    items[1] = client_item("b", "two", &keys[1]);
    if (step == 0) accel_redis_ops.put(link, items, 2, &publisher, &call);
    if (step == 1) accel_redis_ops.fill(link, items, 2, &call);
    if (step == 2) accel_redis_ops.get(link, items, 2, &call);
    if (step == 3) accel_redis_ops.del(link, items, 2, &publisher, &call);
    if (step == 4) expect_status(accel_redis_ops.clear(link, &publisher, &call), failed);
    for (size_t i = 0; i < 2; i++) expect_status(items[i].status, failed);
    accel_redis_ops.release(link, &call);
  }
}

/* A whole life; the n-th allocation in it fails. Returns how many statuses told of a failure. */
static unsigned live(uint64_t n)
{
  accel_observer observer;
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = 2000, .observer = &observer};
  const accel_remote_area area = {
      .area = CLIENT_AREA,
      .has_listener = true,
      .sink = {NULL, hear_no_message, hear_nothing, hear_nothing, hear_no_heartbeat},
      .owner = &area};
  accel_redis redis;
  void *link = NULL;
  char channel[192];
  unsigned failed = 0;
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  failing_alloc_fail_nth(n);
  accel_status status = accel_redis_open(&redis, &config);
  if (status == ACCEL_OK) {
    status = accel_redis_ops.attach(&redis, &area, &link, channel);
    if (status == ACCEL_OK) {
      use_link(link, &failed);
      accel_redis_ops.detach(link);
    }
    accel_redis_close(&redis);
  }
  failing_alloc_fail_nth(0);
  accel_observer_close(&observer);
  expect_status(status, &failed);
  return failed;
}

static void every_lack_of_memory_is_survived(void **state)
{
  (void)state;
  unsigned lives_with_failures = 0;
  assert_int_equal(live(0), 0);
  const uint64_t before = failing_alloc_live_blocks();
  for (uint64_t n = 1; n <= FAILURES; n++) {
    lives_with_failures += live(n) > 0;
    assert_int_equal(failing_alloc_live_blocks(), before);
  }
  print_message("%u of %d lives met a failure\n", lives_with_failures, FAILURES);
  assert_true(lives_with_failures > 20);
  assert_int_equal(live(0), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_lack_of_memory_is_survived)};
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

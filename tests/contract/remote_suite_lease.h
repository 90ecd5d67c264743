/* remote_suite_lease.h: leases, and clear. Part of remote_suite.h. */
#ifndef REMOTE_SUITE_LEASE_H
#define REMOTE_SUITE_LEASE_H

typedef struct suite_lease {
  unsigned char bytes[48];
} suite_lease;

/* Asks for the key's lease; returns the token that was granted, or 0. */
static uint64_t suite_ask_lease(suite_test *test, size_t link, const char *name, uint64_t token,
                                uint32_t lease_ms)
{
  suite_key key;
  suite_lease lease = {{0}};
  for (size_t i = 0; i < 8; i++) lease.bytes[16 + i] = (unsigned char)(token >> (8 * i));
  accel_remote_item item = suite_item(test, name, &key);
  item.data = lease.bytes;
  item.size = sizeof lease.bytes;
  item.token = token;
  accel_remote_call call = suite_call();
  if (test->ops->lease(test->links[link], &item, 1, lease_ms, &call) != ACCEL_OK) return 0;
  if (item.status != ACCEL_OK) return 0;
  return item.token;
}

#define SUITE_TOKEN 0x8877665544332211u

static void a_lease_is_granted_once(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_true(suite_ask_lease(test, 0, "a", SUITE_TOKEN, 60000) == SUITE_TOKEN);
  assert_int_equal(suite_ask_lease(test, 1, "a", 7, 60000), 0);
  assert_int_equal(suite_ask_lease(test, 0, "a", 8, 60000), 0);
  suite_put(test, 0, "b", "value", ACCEL_FOREVER, false);
  assert_int_equal(suite_ask_lease(test, 0, "b", 9, 60000), 0);
  assert_true(suite_holds(test, 0, "b", "value"));

  suite_key key;
  accel_remote_item item = suite_item(test, "a", &key);
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->get(test->links[1], &item, 1, &call), ACCEL_OK);
  assert_int_equal(item.size, sizeof(suite_lease));
  assert_memory_equal((const char *)item.data + 16, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
  test->ops->release(test->links[1], &call);
}

static void a_lease_runs_out(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_ask_lease(test, 0, "a", 1, 40), 1);
  assert_true(suite_comes_to_hold(test, "a", NULL));
  assert_int_equal(suite_fill(test, 0, "a", "late", 1), ACCEL_MISS);
  assert_int_equal(suite_ask_lease(test, 1, "a", 2, 60000), 2);
}

/* Fills the key's lease with its own envelope, and a life of that length. */
static accel_status suite_renew(suite_test *test, size_t link, const char *name, uint64_t token,
                                uint32_t lease_ms)
{
  suite_key key;
  suite_lease lease = {{0}};
  for (size_t i = 0; i < 8; i++) lease.bytes[16 + i] = (unsigned char)(token >> (8 * i));
  accel_remote_item item = suite_item(test, name, &key);
  item.data = lease.bytes;
  item.size = sizeof lease.bytes;
  item.token = token;
  item.ttl_ms = lease_ms;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->fill(test->links[link], &item, 1, &call), ACCEL_OK);
  return item.status;
}

static void a_lease_is_renewed_by_filling_it_with_itself(void **state)
{
  suite_test *test = (suite_test *)*state;
  const uint32_t short_ms = 500;
  accel_status renewed = ACCEL_MISS;
  for (int attempt = 0; attempt < 20 && renewed == ACCEL_MISS; attempt++) {
    assert_true(suite_ask_lease(test, 0, "a", SUITE_TOKEN, short_ms) == SUITE_TOKEN);
    renewed = suite_renew(test, 0, "a", SUITE_TOKEN, 60000); /* a slow machine may be late */
  }
  assert_int_equal(renewed, ACCEL_OK);
  assert_int_equal(suite_renew(test, 1, "a", SUITE_TOKEN + 1, 60000), ACCEL_MISS);
  assert_true(suite_ask_lease(test, 0, "short", 1, short_ms) == 1);
  assert_true(suite_comes_to_hold(test, "short", NULL)); /* that time is over */
  assert_int_equal(suite_ask_lease(test, 1, "a", 7, 60000), 0);
  assert_int_equal(suite_renew(test, 0, "a", SUITE_TOKEN, short_ms), ACCEL_OK);
  assert_true(suite_comes_to_hold(test, "a", NULL));
  assert_int_equal(suite_renew(test, 0, "a", SUITE_TOKEN, 60000), ACCEL_MISS);
}

static void what_replaced_a_lease_is_not_renewed(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_ask_lease(test, 0, "a", 5, 60000), 5);
  suite_put(test, 1, "a", "a value that is longer than a token is", ACCEL_FOREVER, false);
  assert_int_equal(suite_renew(test, 0, "a", 5, 60000), ACCEL_MISS);
  assert_true(suite_holds(test, 0, "a", "a value that is longer than a token is"));
  suite_del(test, 1, "a", false);
  assert_int_equal(suite_renew(test, 0, "a", 5, 60000), ACCEL_MISS);
  assert_true(suite_holds(test, 0, "a", NULL));
}

static void a_fill_needs_its_token(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_true(suite_ask_lease(test, 0, "a", SUITE_TOKEN, 60000) == SUITE_TOKEN);
  assert_int_equal(suite_fill(test, 1, "a", "foreign", SUITE_TOKEN + 1), ACCEL_MISS);
  assert_int_equal(suite_fill(test, 0, "a", "filled", SUITE_TOKEN), ACCEL_OK);
  assert_true(suite_holds(test, 1, "a", "filled"));
  assert_int_equal(suite_fill(test, 0, "a", "twice", SUITE_TOKEN), ACCEL_MISS);
  assert_true(suite_holds(test, 1, "a", "filled"));
  assert_int_equal(suite_fill(test, 0, "none", "value", SUITE_TOKEN), ACCEL_MISS);
  assert_true(suite_holds(test, 0, "none", NULL));
}

static void a_write_voids_the_lease(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_ask_lease(test, 0, "put", 5, 60000), 5);
  suite_put(test, 1, "put", "a value that is longer than a token is", ACCEL_FOREVER, false);
  assert_int_equal(suite_fill(test, 0, "put", "old", 5), ACCEL_MISS);
  assert_true(suite_holds(test, 0, "put", "a value that is longer than a token is"));

  assert_int_equal(suite_ask_lease(test, 0, "del", 6, 60000), 6);
  suite_del(test, 1, "del", false);
  assert_int_equal(suite_fill(test, 0, "del", "old", 6), ACCEL_MISS);
  assert_true(suite_holds(test, 0, "del", NULL));
}

static void *suite_ask_one_lease(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  worker->granted = suite_ask_lease(worker->test, worker->number % 2, "one", worker->number + 1,
                                    60000) == worker->number + 1;
  return NULL;
}

static void one_of_many_threads_gets_the_lease(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_worker workers[8];
  suite_together(test, workers, 8, suite_ask_one_lease);
  unsigned granted = 0;
  for (size_t i = 0; i < 8; i++) granted += workers[i].granted;
  assert_int_equal(granted, 1);
}

/* ---- clear ---- */

static void suite_put_in(suite_test *test, const char *area, const char *name)
{
  suite_key key;
  accel_remote_item item = suite_item_in(area, name, &key);
  suite_give(&item, "x");
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], &item, 1, NULL, &call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_OK);
}

static void clear_removes_its_area_and_no_other(void **state)
{
  suite_test *test = (suite_test *)*state;
  char longer[40], shorter[40], suffixed[40];
  snprintf(longer, sizeof longer, "%s.b", test->area);
  snprintf(suffixed, sizeof suffixed, "%s0", test->area);
  snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(test->area) - 1, test->area);
  const char *const others[] = {longer, suffixed, shorter, "b"};
  for (size_t i = 0; i < 4; i++) suite_put_in(test, others[i], "kept");
  char name[16];
  for (unsigned i = 0; i < 600; i++) {
    snprintf(name, sizeof name, "%u", i);
    suite_put_in(test, test->area, name);
  }
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->clear(test->links[0], NULL, &call), ACCEL_OK);
  assert_int_equal(call.messages_sent, 0);
  for (unsigned i = 0; i < 600; i += 37) {
    snprintf(name, sizeof name, "%u", i);
    assert_true(suite_holds(test, 1, name, NULL));
  }
  for (size_t i = 0; i < 4; i++) assert_true(suite_holds_in(test, 1, others[i], "kept", "x"));
  assert_int_equal(suite_count(&test->recorders[1]), 0);
}

static void clear_of_nothing_succeeds(void **state)
{
  suite_test *test = (suite_test *)*state;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->clear(test->links[0], NULL, &call), ACCEL_OK);
}

static const struct CMUnitTest suite_lease_tests[] = {
    SUITE_TEST(a_lease_is_granted_once),
    SUITE_TEST(a_lease_runs_out),
    SUITE_TEST(a_lease_is_renewed_by_filling_it_with_itself),
    SUITE_TEST(what_replaced_a_lease_is_not_renewed),
    SUITE_TEST(a_fill_needs_its_token),
    SUITE_TEST(a_write_voids_the_lease),
    SUITE_TEST(one_of_many_threads_gets_the_lease),
};

static const struct CMUnitTest suite_clear_tests[] = {
    SUITE_TEST(clear_removes_its_area_and_no_other),
    SUITE_TEST(clear_of_nothing_succeeds),
};

#endif

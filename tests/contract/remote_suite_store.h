/* remote_suite_store.h: keys and bytes. Part of remote_suite.h. */
#ifndef REMOTE_SUITE_STORE_H
#define REMOTE_SUITE_STORE_H

static void nothing_is_a_miss(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_true(suite_holds(test, 0, "nothing", NULL));
  assert_true(suite_holds(test, 1, "nothing", NULL));
}

static void what_one_puts_the_other_gets(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_put(test, 0, "a", "one", ACCEL_FOREVER, false), ACCEL_OK);
  assert_true(suite_holds(test, 1, "a", "one"));
  assert_int_equal(suite_put(test, 1, "a", "another", ACCEL_FOREVER, false), ACCEL_OK);
  assert_true(suite_holds(test, 0, "a", "another"));
}

static void items_have_statuses_of_their_own(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "one", ACCEL_FOREVER, false);
  suite_put(test, 0, "c", "three", ACCEL_FOREVER, false);
  suite_key keys[4];
  accel_remote_item items[4] = {suite_item(test, "a", &keys[0]), suite_item(test, "b", &keys[1]),
                                suite_item(test, "c", &keys[2]), suite_item(test, "a", &keys[3])};
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->get(test->links[0], items, 4, &call), ACCEL_OK);
  assert_int_equal(items[0].status, ACCEL_OK);
  assert_int_equal(items[1].status, ACCEL_MISS);
  assert_int_equal(items[2].status, ACCEL_OK);
  assert_int_equal(items[3].status, ACCEL_OK);
  assert_int_equal(items[0].size, 3);
  assert_memory_equal(items[0].data, "one", 3);
  assert_int_equal(items[2].size, 5);
  assert_memory_equal(items[2].data, "three", 5);
  assert_memory_equal(items[3].data, "one", 3);
  test->ops->release(test->links[0], &call);
}

static void a_call_without_items_succeeds(void **state)
{
  suite_test *test = (suite_test *)*state;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->get(test->links[0], NULL, 0, &call), ACCEL_OK);
  test->ops->release(test->links[0], &call);
  assert_int_equal(test->ops->fill(test->links[0], NULL, 0, &call), ACCEL_OK);
  assert_int_equal(test->ops->put(test->links[0], NULL, 0, &test->publisher, &call), ACCEL_OK);
  assert_int_equal(test->ops->del(test->links[0], NULL, 0, &test->publisher, &call), ACCEL_OK);
  assert_int_equal(call.messages_sent, 0);
}

static void large_batches_are_one_call(void **state)
{
  enum { COUNT = 300 };
  suite_test *test = (suite_test *)*state;
  suite_key *keys = (suite_key *)calloc(COUNT, sizeof *keys);
  accel_remote_item *items = (accel_remote_item *)calloc(COUNT, sizeof *items);
  assert_non_null(keys);
  assert_non_null(items);
  char names[COUNT][8];
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "%zu", i);
    items[i] = suite_item(test, names[i], &keys[i]);
    suite_give(&items[i], names[i]);
  }
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], items, COUNT, NULL, &call), ACCEL_OK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(items[i].status, ACCEL_OK);
    items[i] = suite_item(test, names[i], &keys[i]);
  }
  call = suite_call();
  assert_int_equal(test->ops->get(test->links[1], items, COUNT, &call), ACCEL_OK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(items[i].status, ACCEL_OK);
    assert_int_equal(items[i].size, strlen(names[i]));
    assert_memory_equal(items[i].data, names[i], items[i].size);
  }
  test->ops->release(test->links[1], &call);
  call = suite_call();
  assert_int_equal(test->ops->del(test->links[0], items, COUNT, NULL, &call), ACCEL_OK);
  assert_true(suite_holds(test, 0, "0", NULL));
  assert_true(suite_holds(test, 0, "299", NULL));
  free(items);
  free(keys);
}

/* Puts and gets `size` bytes under the name; returns the item's status of the put. */
static accel_status suite_bytes_survive(suite_test *test, const char *name, size_t name_size,
                                        const unsigned char *data, size_t size)
{
  suite_key key;
  accel_remote_item item = suite_item(test, "", &key);
  memcpy(key.text + item.key_size, name, name_size);
  item.key_size += name_size;
  item.name_size = name_size;
  item.data = data;
  item.size = size;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], &item, 1, NULL, &call), ACCEL_OK);
  const accel_status status = item.status;
  item.data = NULL;
  item.size = 0;
  call = suite_call();
  assert_int_equal(test->ops->get(test->links[1], &item, 1, &call), ACCEL_OK);
  if (status == ACCEL_OK) {
    assert_int_equal(item.status, ACCEL_OK);
    assert_int_equal(item.size, size);
    assert_memory_equal(item.data, data, size);
  } else {
    assert_int_equal(item.status, ACCEL_MISS);
  }
  test->ops->release(test->links[1], &call);
  return status;
}

static void bytes_of_any_kind_survive(void **state)
{
  suite_test *test = (suite_test *)*state;
  unsigned char all[256];
  for (size_t i = 0; i < sizeof all; i++) all[i] = (unsigned char)i;
  const char lines[] = "$5\r\nhello\r\n*0\r\n-ERR\r\n";
  assert_int_equal(suite_bytes_survive(test, (const char *)all, sizeof all, all, sizeof all),
                   ACCEL_OK);
  assert_int_equal(
      suite_bytes_survive(test, lines, sizeof lines, (const unsigned char *)lines, sizeof lines),
      ACCEL_OK);
  assert_int_equal(suite_bytes_survive(test, "", 0, all, 1), ACCEL_OK);
}

static void an_empty_value_is_no_miss(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_put(test, 0, "empty", "", ACCEL_FOREVER, false), ACCEL_OK);
  assert_true(suite_holds(test, 1, "empty", ""));
}

static void large_values_pass_and_larger_ones_do_not(void **state)
{
  suite_test *test = (suite_test *)*state;
  const size_t limit = suite_backend->max_value_bytes;
  unsigned char *data = (unsigned char *)malloc(limit + 1);
  assert_non_null(data);
  for (size_t i = 0; i <= limit; i++) data[i] = (unsigned char)(i * 31 >> 3);
  assert_int_equal(suite_bytes_survive(test, "mebi", 4, data, 1u << 20), ACCEL_OK);
  assert_int_equal(suite_bytes_survive(test, "limit", 5, data, limit), ACCEL_OK);
  assert_int_equal(suite_bytes_survive(test, "more", 4, data, limit + 1), ACCEL_ERR_CODEC);

  suite_key keys[2];
  accel_remote_item items[2] = {suite_item(test, "fill.more", &keys[0]),
                                suite_item(test, "fill.small", &keys[1])};
  items[0].data = data;
  items[0].size = limit + 1;
  suite_give(&items[1], "small");
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->fill(test->links[0], items, 2, &call), ACCEL_OK);
  assert_int_equal(items[0].status, ACCEL_ERR_CODEC);
  assert_int_equal(items[1].status, ACCEL_OK);
  assert_true(suite_holds(test, 0, "fill.more", NULL));
  assert_true(suite_holds(test, 0, "fill.small", "small"));
  free(data);
}

static void lives_end(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "short", "x", 40, false);
  suite_put(test, 0, "minute", "x", 60000, false);
  suite_put(test, 0, "forever", "x", ACCEL_FOREVER, false);
  suite_put(test, 0, "renewed", "x", 40, false);
  suite_put(test, 0, "renewed", "y", ACCEL_FOREVER, false);
  assert_true(suite_comes_to_hold(test, "short", NULL));
  usleep(40000);
  assert_true(suite_holds(test, 0, "minute", "x"));
  assert_true(suite_holds(test, 0, "forever", "x"));
  assert_true(suite_holds(test, 0, "renewed", "y"));
}

static void filled_lives_end_too(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_key key;
  accel_remote_item item = suite_item(test, "short", &key);
  suite_give(&item, "x");
  item.ttl_ms = 40;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->fill(test->links[0], &item, 1, &call), ACCEL_OK);
  assert_int_equal(item.status, ACCEL_OK);
  assert_true(suite_comes_to_hold(test, "short", NULL));
}

static void a_blind_fill_stores_always(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_fill(test, 0, "a", "one", 0), ACCEL_OK);
  assert_true(suite_holds(test, 1, "a", "one"));
  assert_int_equal(suite_fill(test, 1, "a", "two", 0), ACCEL_OK);
  assert_true(suite_holds(test, 0, "a", "two"));
}

static void del_removes_what_is_there_or_not(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "one", ACCEL_FOREVER, false);
  suite_put(test, 0, "b", "two", ACCEL_FOREVER, false);
  assert_int_equal(suite_del(test, 1, "a", false), ACCEL_OK);
  assert_true(suite_holds(test, 0, "a", NULL));
  assert_true(suite_holds(test, 0, "b", "two"));
  assert_int_equal(suite_del(test, 1, "a", false), ACCEL_OK);
  assert_int_equal(suite_del(test, 1, "never", false), ACCEL_OK);
}

static void the_clock_is_shared(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_true(suite_holds(test, 0, "nothing", NULL));
  const uint64_t wall = accel_clock_wall_ms();
  const uint64_t times[2] = {test->ops->now_ms(test->links[0]), test->ops->now_ms(test->links[1])};
  for (size_t i = 0; i < 2; i++) assert_in_range(times[i], wall - 5000, wall + 5000);
  assert_in_range(times[1], times[0] - 1000, times[0] + 1000);
}

static void it_is_ready_once_it_answered(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_true(suite_holds(test, 0, "nothing", NULL));
  assert_true(test->ops->is_ready(test->links[0]));
}

static void a_deadline_in_the_past_fails_at_once(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "one", ACCEL_FOREVER, false);
  suite_put(test, 0, "b", "two", ACCEL_FOREVER, false);
  for (int round = 0; round < 5; round++) {
    suite_key keys[2];
    accel_remote_item items[2] = {suite_item(test, "a", &keys[0]), suite_item(test, "b", &keys[1])};
    accel_remote_call call = {.deadline_ms = accel_clock_monotonic_ms() - 1};
    const accel_status status = test->ops->get(test->links[0], items, 2, &call);
    assert_true(status == ACCEL_ERR_TIMEOUT || status == ACCEL_ERR_BACKEND);
    assert_int_equal(items[0].status, status);
    assert_int_equal(items[1].status, status);
    assert_true(call.error[0] != '\0');
    test->ops->release(test->links[0], &call);
    /* No reply of the failed call is taken for a later one's. */
    assert_true(suite_comes_to_hold(test, "b", "two"));
    assert_true(suite_holds(test, 0, "a", "one"));
  }
}

static void *suite_work_on_own_keys(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  suite_test *test = worker->test;
  void *link = test->links[worker->number % 2];
  for (unsigned round = 0; round < 50; round++) {
    suite_key key;
    char name[16], value[32];
    snprintf(name, sizeof name, "k%zu", worker->number);
    snprintf(value, sizeof value, "%zu.%u", worker->number, round);
    accel_remote_item item = suite_item(test, name, &key);
    suite_give(&item, value);
    accel_remote_call call = suite_call();
    test->ops->put(link, &item, 1, NULL, &call);
    worker->wrong += item.status != ACCEL_OK;
    item = suite_item(test, name, &key);
    call = suite_call();
    test->ops->get(link, &item, 1, &call);
    worker->wrong += item.status != ACCEL_OK || item.size != strlen(value) ||
                     memcmp(item.data, value, item.size) != 0;
    test->ops->release(link, &call);
  }
  return NULL;
}

static void threads_get_their_own_replies(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_worker workers[6];
  suite_together(test, workers, 6, suite_work_on_own_keys);
  for (size_t i = 0; i < 6; i++) assert_int_equal(workers[i].wrong, 0);
}

static const struct CMUnitTest suite_store_tests[] = {
    SUITE_TEST(nothing_is_a_miss),
    SUITE_TEST(what_one_puts_the_other_gets),
    SUITE_TEST(items_have_statuses_of_their_own),
    SUITE_TEST(a_call_without_items_succeeds),
    SUITE_TEST(large_batches_are_one_call),
    SUITE_TEST(bytes_of_any_kind_survive),
    SUITE_TEST(an_empty_value_is_no_miss),
    SUITE_TEST(large_values_pass_and_larger_ones_do_not),
    SUITE_TEST(lives_end),
    SUITE_TEST(filled_lives_end_too),
    SUITE_TEST(a_blind_fill_stores_always),
    SUITE_TEST(del_removes_what_is_there_or_not),
    SUITE_TEST(the_clock_is_shared),
    SUITE_TEST(it_is_ready_once_it_answered),
    SUITE_TEST(a_deadline_in_the_past_fails_at_once),
    SUITE_TEST(threads_get_their_own_replies),
};

#endif

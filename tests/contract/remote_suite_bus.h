/* remote_suite_bus.h: messages between links. Part of remote_suite.h. */
#ifndef REMOTE_SUITE_BUS_H
#define REMOTE_SUITE_BUS_H

static void a_link_is_told_that_it_is_up(void **state)
{
  suite_test *test = (suite_test *)*state;
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(test->recorders[i].ups, 1);
    assert_int_equal(test->recorders[i].downs, 0);
    assert_int_equal(suite_count(&test->recorders[i]), 0);
    assert_non_null(strstr(test->channels[i], "accel:invalidation:"));
    assert_non_null(strstr(test->channels[i], test->area));
  }
}

static void a_put_is_heard_by_all_with_what_it_says_done(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_put(test, 0, "a", "one", ACCEL_FOREVER, true), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) {
    assert_true(suite_heard(&test->recorders[i], 1, 1));
    assert_string_equal(suite_message(&test->recorders[i], 0), "0:a");
  }
  assert_true(suite_holds(test, 1, "a", "one"));
}

static void a_del_is_heard_by_all_even_of_nothing(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "one", ACCEL_FOREVER, false);
  assert_int_equal(suite_del(test, 1, "a", true), ACCEL_OK);
  assert_int_equal(suite_del(test, 1, "never", true), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) {
    assert_true(suite_heard(&test->recorders[i], 1, 2));
    assert_string_equal(suite_message(&test->recorders[i], 0), "0:a");
    assert_string_equal(suite_message(&test->recorders[i], 1), "1:never");
  }
  assert_true(suite_holds(test, 0, "a", NULL));
}

static void messages_come_in_the_order_of_their_numbers(void **state)
{
  suite_test *test = (suite_test *)*state;
  char name[16], expected[32];
  for (unsigned i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "k%u", i);
    if (i % 3 == 0)
      suite_del(test, 0, name, true);
    else
      suite_put(test, 0, name, "x", ACCEL_FOREVER, true);
  }
  assert_true(suite_heard(&test->recorders[0], 1, 100));
  assert_true(suite_heard(&test->recorders[1], 1, 100));
  for (unsigned i = 0; i < 100; i++) {
    snprintf(expected, sizeof expected, "%u:k%u", i, i);
    assert_string_equal(suite_message(&test->recorders[0], i), expected);
    assert_string_equal(suite_message(&test->recorders[1], i), expected);
  }
}

static void a_message_names_as_many_items_as_fit(void **state)
{
  suite_test *test = (suite_test *)*state;
  static const char *const names[] = {"a", "b", "c", "d", "e"};
  suite_key keys[5];
  accel_remote_item items[5];
  for (size_t i = 0; i < 5; i++) {
    items[i] = suite_item(test, names[i], &keys[i]);
    suite_give(&items[i], "x");
  }
  test->numbers.items_at_most = 2;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], items, 5, &test->publisher, &call), ACCEL_OK);
  for (size_t i = 0; i < 5; i++) assert_int_equal(items[i].status, ACCEL_OK);
  assert_int_equal(call.messages_sent, 3);
  assert_int_equal(call.messages_failed, 0);
  assert_true(suite_heard(&test->recorders[1], 1, 3));
  assert_string_equal(suite_message(&test->recorders[1], 0), "0:a,b");
  assert_string_equal(suite_message(&test->recorders[1], 1), "1:c,d");
  assert_string_equal(suite_message(&test->recorders[1], 2), "2:e");
}

/* Large and small values of one put may take different ways, with a message each. */
static void large_values_are_told_of_as_small_ones(void **state)
{
  enum { ITEMS = 4, LARGE = 1 << 20 };
  suite_test *test = (suite_test *)*state;
  static const char *const names[ITEMS] = {"large.1", "small.1", "large.2", "small.2"};
  char *large = (char *)malloc(LARGE + 1);
  assert_non_null(large);
  memset(large, 'l', LARGE);
  large[LARGE] = '\0';
  suite_key keys[ITEMS];
  accel_remote_item items[ITEMS];
  for (size_t i = 0; i < ITEMS; i++) {
    items[i] = suite_item(test, names[i], &keys[i]);
    suite_give(&items[i], i % 2 == 0 ? large : "small");
  }
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], items, ITEMS, &test->publisher, &call), ACCEL_OK);
  assert_in_range(call.messages_sent, 1, ITEMS);
  assert_true(suite_heard(&test->recorders[1], 1, call.messages_sent));
  for (size_t i = 0; i < ITEMS; i++) {
    unsigned told = 0;
    assert_int_equal(items[i].status, ACCEL_OK);
    assert_true(suite_holds(test, 1, names[i], i % 2 == 0 ? large : "small"));
    for (size_t k = 0; k < call.messages_sent; k++)
      told += strstr(suite_message(&test->recorders[1], k), names[i]) != NULL;
    assert_int_equal(told, 1);
  }
  free(large);
}

static void what_cannot_be_told_is_not_done(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "before", ACCEL_FOREVER, false);
  test->numbers.items_at_most = 0;
  suite_key key;
  accel_remote_item item = suite_item(test, "a", &key);
  suite_give(&item, "after");
  accel_remote_call call = suite_call();
  test->ops->put(test->links[0], &item, 1, &test->publisher, &call);
  assert_true(accel_failed(item.status));
  assert_int_equal(call.messages_sent, 0);
  item = suite_item(test, "a", &key);
  call = suite_call();
  test->ops->del(test->links[0], &item, 1, &test->publisher, &call);
  assert_true(accel_failed(item.status));
  assert_true(suite_holds(test, 1, "a", "before"));
}

/* The last message shows that nothing came before it. */
static void what_is_not_published_is_not_heard(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "put", "x", ACCEL_FOREVER, false);
  suite_fill(test, 0, "fill", "x", 0);
  suite_del(test, 0, "put", false);
  suite_put(test, 0, "last", "x", ACCEL_FOREVER, true);
  for (size_t i = 0; i < 2; i++) {
    assert_true(suite_heard(&test->recorders[i], 1, 1));
    assert_string_equal(suite_message(&test->recorders[i], 0), "0:last");
  }
}

static void a_refused_value_is_not_announced(void **state)
{
  suite_test *test = (suite_test *)*state;
  const size_t size = suite_backend->max_value_bytes + 1;
  void *data = calloc(size, 1);
  assert_non_null(data);
  suite_key keys[2];
  accel_remote_item items[2] = {suite_item(test, "large", &keys[0]),
                                suite_item(test, "small", &keys[1])};
  items[0].data = data;
  items[0].size = size;
  suite_give(&items[1], "x");
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->put(test->links[0], items, 2, &test->publisher, &call), ACCEL_OK);
  assert_int_equal(items[0].status, ACCEL_ERR_CODEC);
  assert_int_equal(items[1].status, ACCEL_OK);
  assert_true(suite_heard(&test->recorders[1], 1, 1));
  assert_string_equal(suite_message(&test->recorders[1], 0), "0:small");
  free(data);
}

static void an_area_hears_only_itself(void **state)
{
  suite_test *test = (suite_test *)*state;
  char area[40], channel[192];
  suite_recorder recorder;
  suite_recorder_open(&recorder);
  snprintf(area, sizeof area, "%s.b", test->area);
  void *link = suite_attach(1, area, true, &recorder, channel);
  suite_put(test, 0, "a", "x", ACCEL_FOREVER, true);
  assert_true(suite_heard(&test->recorders[1], 1, 1));

  suite_key key;
  accel_remote_item item = suite_item_in(area, "other", &key);
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->del(link, &item, 1, &test->publisher, &call), ACCEL_OK);
  assert_true(suite_heard(&recorder, 1, 1));
  assert_string_equal(suite_message(&recorder, 0), "1:other");
  assert_int_equal(suite_count(&recorder), 1);
  test->ops->detach(link);
  assert_int_equal(suite_count(&test->recorders[0]), 1);
  assert_int_equal(suite_count(&test->recorders[1]), 1);
  suite_recorder_close(&recorder);
}

static void without_a_listener_nothing_is_heard(void **state)
{
  suite_test *test = (suite_test *)*state;
  char channel[192];
  suite_recorder recorder;
  suite_recorder_open(&recorder);
  void *link = suite_attach(1, test->area, false, &recorder, channel);
  suite_put(test, 0, "a", "x", ACCEL_FOREVER, true);
  assert_true(suite_heard(&test->recorders[0], 1, 1));
  assert_true(suite_heard(&test->recorders[1], 1, 1));
  test->ops->detach(link);
  assert_int_equal(recorder.ups, 0);
  assert_int_equal(recorder.downs, 0);
  assert_int_equal(recorder.count, 0);
  suite_recorder_close(&recorder);
}

static size_t suite_make_bytes(void *ctx, uint32_t lane, const accel_remote_item *const *items,
                               size_t count, accel_buffer *out)
{
  (void)lane, (void)items;
  const accel_buffer *bytes = (const accel_buffer *)ctx;
  return accel_buffer_append(out, bytes->data, bytes->size) ? count : 0;
}

static void messages_are_any_bytes(void **state)
{
  suite_test *test = (suite_test *)*state;
  accel_buffer bytes = {NULL, 0, 0};
  for (unsigned i = 0; i < 16384; i++) {
    const unsigned char byte = (unsigned char)(i ^ i >> 8);
    assert_true(accel_buffer_append(&bytes, &byte, 1));
  }
  const accel_remote_publisher publisher = {&bytes, suite_make_bytes};
  suite_key key;
  accel_remote_item item = suite_item(test, "a", &key);
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->del(test->links[0], &item, 1, &publisher, &call), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) {
    assert_true(suite_heard(&test->recorders[i], 1, 1));
    assert_int_equal(test->recorders[i].messages[0].size, bytes.size);
    assert_memory_equal(test->recorders[i].messages[0].data, bytes.data, bytes.size);
  }
  accel_buffer_release(&bytes);
}

static void after_detach_nothing_is_called(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_put(test, 0, "a", "x", ACCEL_FOREVER, true);
  test->ops->detach(test->links[1]);
  test->links[1] = NULL;
  const size_t count = suite_count(&test->recorders[1]);
  for (unsigned i = 0; i < 20; i++) suite_put(test, 0, "a", "x", ACCEL_FOREVER, true);
  assert_true(suite_heard(&test->recorders[0], 1, 21));
  assert_int_equal(suite_count(&test->recorders[1]), count);
  assert_int_equal(test->recorders[1].ups, 1);
}

static void a_link_that_returns_hears_again(void **state)
{
  suite_test *test = (suite_test *)*state;
  test->ops->detach(test->links[1]);
  suite_put(test, 0, "while.away", "x", ACCEL_FOREVER, true);
  assert_true(suite_heard(&test->recorders[0], 1, 1));
  test->recorders[1].ups = 0;
  test->links[1] = suite_attach(1, test->area, true, &test->recorders[1], test->channels[1]);
  const size_t count = suite_count(&test->recorders[1]);
  suite_put(test, 0, "back", "x", ACCEL_FOREVER, true);
  assert_true(suite_heard(&test->recorders[1], 1, count + 1));
  assert_string_equal(suite_message(&test->recorders[1], count), "1:back");
}

static void *suite_publish_many(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  suite_test *test = worker->test;
  for (unsigned round = 0; round < 25; round++) {
    suite_key key;
    char name[16];
    snprintf(name, sizeof name, "%zu", worker->number);
    accel_remote_item item = suite_item(test, name, &key);
    suite_publisher numbers = {.number = round, .items_at_most = 1};
    const accel_remote_publisher publisher = {&numbers, suite_make_message};
    accel_remote_call call = suite_call();
    test->ops->del(test->links[worker->number % 2], &item, 1, &publisher, &call);
    worker->wrong += item.status != ACCEL_OK || call.messages_sent != 1;
  }
  return NULL;
}

static void threads_publish_without_loss_and_in_order(void **state)
{
  enum { THREADS = 6, ROUNDS = 25 };
  suite_test *test = (suite_test *)*state;
  suite_worker workers[THREADS];
  suite_together(test, workers, THREADS, suite_publish_many);
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(workers[i].wrong, 0);
  for (size_t side = 0; side < 2; side++) {
    suite_recorder *recorder = &test->recorders[side];
    assert_true(suite_heard(recorder, 1, THREADS * ROUNDS));
    assert_int_equal(suite_count(recorder), THREADS * ROUNDS);
    unsigned next[THREADS] = {0};
    for (size_t i = 0; i < THREADS * ROUNDS; i++) {
      unsigned number, thread;
      assert_int_equal(sscanf(suite_message(recorder, i), "%u:%u", &number, &thread), 2);
      assert_true(thread < THREADS);
      assert_int_equal(number, next[thread]++);
    }
  }
}

static void *suite_publish_to_all(void *ctx)
{
  suite_worker *worker = (suite_worker *)ctx;
  for (unsigned i = 0; i < 100; i++) {
    suite_key key;
    accel_remote_item item = suite_item(worker->test, "a", &key);
    suite_publisher numbers = {.number = i, .items_at_most = 1};
    const accel_remote_publisher publisher = {&numbers, suite_make_message};
    accel_remote_call call = suite_call();
    worker->test->ops->del(worker->test->links[0], &item, 1, &publisher, &call);
  }
  return NULL;
}

/* Links come and go while another thread publishes to them. */
static void links_may_leave_in_the_middle_of_messages(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_worker worker = {.test = test};
  assert_int_equal(pthread_create(&worker.thread, NULL, suite_publish_to_all, &worker), 0);
  for (unsigned i = 0; i < 20; i++) {
    char channel[192];
    suite_recorder recorder;
    suite_recorder_open(&recorder);
    void *link = suite_attach(1, test->area, true, &recorder, channel);
    usleep(50 * i);
    test->ops->detach(link);
    const size_t count = recorder.count;
    assert_false(recorder.is_inside);
    sched_yield();
    assert_int_equal(recorder.count, count);
    assert_false(recorder.was_entered_twice);
    suite_recorder_close(&recorder);
  }
  pthread_join(worker.thread, NULL);
  assert_true(suite_heard(&test->recorders[1], 1, 100));
}

static void heartbeats_are_published(void **state)
{
  suite_test *test = (suite_test *)*state;
  pthread_mutex_lock(&test->recorders[0].mutex);
  test->recorders[0].has_heartbeat = true;
  pthread_mutex_unlock(&test->recorders[0].mutex);
  if (suite_backend->beat_or_null != NULL) suite_backend->beat_or_null(suite_remotes);
  assert_true(suite_heard(&test->recorders[1], 1, 1));
  assert_string_equal(suite_message(&test->recorders[1], 0), "beat");
}

static void clear_is_heard_once_it_is_done(void **state)
{
  suite_test *test = (suite_test *)*state;
  if (test->ops->clear == NULL) return;
  suite_put(test, 0, "a", "x", ACCEL_FOREVER, false);
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->clear(test->links[0], &test->publisher, &call), ACCEL_OK);
  assert_int_equal(call.messages_sent, 1);
  for (size_t i = 0; i < 2; i++) {
    assert_true(suite_heard(&test->recorders[i], 1, 1));
    assert_string_equal(suite_message(&test->recorders[i], 0), "0:clear");
    assert_int_equal(suite_count(&test->recorders[i]), 1);
  }
  assert_true(suite_holds(test, 1, "a", NULL));
}

/* ---- a backend without a bus ---- */

static void without_a_bus_nothing_is_ever_up(void **state)
{
  suite_test *test = (suite_test *)*state;
  assert_int_equal(suite_put(test, 0, "a", "x", ACCEL_FOREVER, true), ACCEL_OK);
  assert_int_equal(suite_del(test, 0, "a", true), ACCEL_OK);
  for (size_t i = 0; i < 2; i++) {
    assert_string_equal(test->channels[i], "");
    assert_int_equal(test->recorders[i].ups, 0);
    assert_int_equal(test->recorders[i].downs, 0);
    assert_int_equal(test->recorders[i].count, 0);
  }
}

static const struct CMUnitTest suite_bus_tests[] = {
    SUITE_TEST(a_link_is_told_that_it_is_up),
    SUITE_TEST(a_put_is_heard_by_all_with_what_it_says_done),
    SUITE_TEST(a_del_is_heard_by_all_even_of_nothing),
    SUITE_TEST(messages_come_in_the_order_of_their_numbers),
    SUITE_TEST(a_message_names_as_many_items_as_fit),
    SUITE_TEST(large_values_are_told_of_as_small_ones),
    SUITE_TEST(what_cannot_be_told_is_not_done),
    SUITE_TEST(what_is_not_published_is_not_heard),
    SUITE_TEST(a_refused_value_is_not_announced),
    SUITE_TEST(an_area_hears_only_itself),
    SUITE_TEST(without_a_listener_nothing_is_heard),
    SUITE_TEST(messages_are_any_bytes),
    SUITE_TEST(after_detach_nothing_is_called),
    SUITE_TEST(a_link_that_returns_hears_again),
    SUITE_TEST(threads_publish_without_loss_and_in_order),
    SUITE_TEST(links_may_leave_in_the_middle_of_messages),
    SUITE_TEST(heartbeats_are_published),
    SUITE_TEST(clear_is_heard_once_it_is_done),
};

static const struct CMUnitTest suite_no_bus_tests[] = {
    SUITE_TEST(without_a_bus_nothing_is_ever_up),
};

#endif

/* remote_suite_news.h: what links are told of the server. Part of remote_suite.h.
 *
 * The two handles may begin to connect before anybody is attached, so a test first waits until the
 * server is in use, and then looks at what is told from there on.
 */
#ifndef REMOTE_SUITE_NEWS_H
#define REMOTE_SUITE_NEWS_H

/* All that came so far is old. */
static void suite_forget_news(suite_test *test)
{
  for (size_t i = 0; i < 2; i++) {
    const uint64_t until_ms = accel_clock_monotonic_ms() + SUITE_NEWS_WAIT_MS;
    while (!test->ops->is_ready(test->links[i]) && accel_clock_monotonic_ms() < until_ms)
      usleep(1000);
    assert_true(test->ops->is_ready(test->links[i]));
    bool is_up = !suite_backend->has_bus;
    while (!is_up && accel_clock_monotonic_ms() < until_ms)
      is_up = suite_heard(&test->recorders[i], 1, 0);
    assert_true(is_up);
    pthread_mutex_lock(&test->recorders[i].mutex);
    memset(test->recorders[i].news, 0, SUITE_NEWS);
    pthread_mutex_unlock(&test->recorders[i].mutex);
  }
}

static void each_loss_and_each_return_is_told_once(void **state)
{
  suite_test *test = (suite_test *)*state;
  suite_forget_news(test);
  for (unsigned round = 1; round <= 2; round++) {
    assert_true(suite_backend->stop());
    for (size_t i = 0; i < 2; i++)
      assert_true(suite_comes_to_be_told(&test->recorders[i], "cdr", round == 1 ? "d" : "dcd"));
    assert_true(suite_backend->start());
    for (size_t i = 0; i < 2; i++)
      assert_true(suite_comes_to_be_told(&test->recorders[i], "cdr", round == 1 ? "dc" : "dcdc"));
  }
  assert_false(test->recorders[0].has_bad_news || test->recorders[1].has_bad_news);
}

static void a_channel_that_is_lost_is_told_before_it_is_down(void **state)
{
  suite_test *test = (suite_test *)*state;
  char told[SUITE_NEWS];
  suite_forget_news(test);
  assert_true(suite_backend->stop());
  assert_true(suite_backend->start());
  if (!suite_backend->has_bus) {
    assert_true(suite_comes_to_be_told(&test->recorders[0], "cdn", "dc"));
    return;
  }
  const uint64_t until_ms = accel_clock_monotonic_ms() + SUITE_NEWS_WAIT_MS;
  unsigned ups = 0, downs = 0;
  while ((ups < 2 || downs < 1) && accel_clock_monotonic_ms() < until_ms) {
    usleep(1000);
    pthread_mutex_lock(&test->recorders[0].mutex);
    ups = test->recorders[0].ups;
    downs = test->recorders[0].downs;
    pthread_mutex_unlock(&test->recorders[0].mutex);
    suite_read_news(&test->recorders[0], "n", told);
    assert_true(downs == 0 || told[0] == 'n');
  }
  assert_int_equal(ups, 2);
  assert_int_equal(downs, 1);
}

static void who_comes_during_an_outage_is_told_of_it(void **state)
{
  suite_test *test = (suite_test *)*state;
  char channel[192];
  suite_recorder late, deaf;
  suite_forget_news(test);
  suite_recorder_open(&late);
  suite_recorder_open(&deaf);
  assert_true(suite_backend->stop());
  assert_true(suite_comes_to_be_told(&test->recorders[0], "cdr", "d"));
  void *link = suite_join(0, test->area, true, &late, channel);
  void *deaf_link = suite_join(0, test->area, false, &deaf, channel);
  assert_true(suite_comes_to_be_told(&late, "cdr", "d"));
  assert_true(suite_comes_to_be_told(&deaf, "cdr", "d"));
  test->ops->detach(deaf_link);
  assert_true(suite_backend->start());
  assert_true(suite_comes_to_be_told(&late, "cdr", "dc"));
  assert_true(suite_comes_to_be_told(&deaf, "cdrn", "d")); /* nothing after detach */
  test->ops->detach(link);
  suite_recorder_close(&late);
  suite_recorder_close(&deaf);
}

static const struct CMUnitTest suite_news_tests[] = {
    SUITE_TEST(each_loss_and_each_return_is_told_once),
    SUITE_TEST(a_channel_that_is_lost_is_told_before_it_is_down),
    SUITE_TEST(who_comes_during_an_outage_is_told_of_it),
};

#endif

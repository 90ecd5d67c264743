/* remote_suite.h: what every L2 must do, as tests (backend.h, the part on L2).
 *
 * A backend's own test file describes how to open it and calls remote_suite_run; tests for a bus,
 * for leases and for clear run only over backends that offer them. The server is opened once, as
 * two processes would open it: link 0 and link 1 of each test belong to different ones. Each test
 * has an area of its own, so that what one leaves behind is not in another's way.
 *
 * Whatever travels is waited for, two seconds at most; nothing here measures speed.
 */
#ifndef REMOTE_SUITE_H
#define REMOTE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/backend.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SUITE_WAIT_MS 2000u
#define SUITE_MESSAGES 512u
#define SUITE_NEWS 64u
#define SUITE_NEWS_WAIT_MS 30000u /* servers are looked for in pauses */

typedef struct remote_suite_backend {
  const accel_remote_ops *ops;
  bool has_bus;
  size_t max_value_bytes;         /* what it was opened with, at least 1 MiB */
  bool (*open)(void *remotes[2]); /* the server, empty; two handles, which may be one */
  void (*close)(void *remotes[2]);
  void (*beat_or_null)(void *remotes[2]); /* asks for heartbeats if they do not come alone */
  bool (*stop)(void);                     /* the server dies, and is there again; its data may */
  bool (*start)(void);                    /* be gone */
} remote_suite_backend;

/* ---- a sink that remembers ---- */

typedef struct suite_recorder {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  unsigned ups, downs;
  size_t count;
  struct {
    unsigned char *data;
    size_t size;
  } messages[SUITE_MESSAGES];
  bool is_inside, was_entered_twice; /* one call at a time per link */
  bool has_heartbeat;
  /* What was told of servers, by its first letters: c d r, o h b, l f, and n for the channel. */
  char news[SUITE_NEWS];
  bool has_bad_news; /* without a sentence, or of no server */
} suite_recorder;

static void suite_enter(suite_recorder *recorder)
{
  pthread_mutex_lock(&recorder->mutex);
  if (recorder->is_inside) recorder->was_entered_twice = true;
  recorder->is_inside = true;
  pthread_mutex_unlock(&recorder->mutex);
  usleep(100); /* so that others come in if they may */
  pthread_mutex_lock(&recorder->mutex);
}

static void suite_leave(suite_recorder *recorder)
{
  recorder->is_inside = false;
  pthread_cond_broadcast(&recorder->changed);
  pthread_mutex_unlock(&recorder->mutex);
}

static void suite_hear_message(void *ctx, const void *data, size_t size)
{
  suite_recorder *recorder = (suite_recorder *)ctx;
  suite_enter(recorder);
  if (recorder->count < SUITE_MESSAGES) {
    unsigned char *copy = (unsigned char *)malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    recorder->messages[recorder->count].data = copy;
    recorder->messages[recorder->count++].size = size;
  }
  suite_leave(recorder);
}

static void suite_hear_up(void *ctx)
{
  suite_recorder *recorder = (suite_recorder *)ctx;
  suite_enter(recorder);
  recorder->ups++;
  suite_leave(recorder);
}

static void suite_hear_down(void *ctx)
{
  suite_recorder *recorder = (suite_recorder *)ctx;
  suite_enter(recorder);
  recorder->downs++;
  suite_leave(recorder);
}

static bool suite_hear_heartbeat(void *ctx, uint32_t lane, accel_buffer *out)
{
  (void)lane;
  suite_recorder *recorder = (suite_recorder *)ctx;
  suite_enter(recorder);
  const bool beats = recorder->has_heartbeat && accel_buffer_append(out, "beat", 4);
  suite_leave(recorder);
  return beats;
}

static void suite_hear_news(void *ctx, const accel_remote_news *news)
{
  static const char letters[ACCEL_REMOTE_CHANGES + 1] = "?cdrohblfn";
  suite_recorder *recorder = (suite_recorder *)ctx;
  const bool is_known =
      news->change > ACCEL_REMOTE_UNCHANGED && news->change < ACCEL_REMOTE_CHANGES;
  pthread_mutex_lock(&recorder->mutex);
  const size_t size = strlen(recorder->news);
  if (size + 1 < SUITE_NEWS) recorder->news[size] = letters[is_known ? news->change : 0];
  if (news->change == ACCEL_REMOTE_DISCONNECTED)
    recorder->has_bad_news |= news->why[0] == '\0' || news->server[0] == '\0';
  pthread_cond_broadcast(&recorder->changed);
  pthread_mutex_unlock(&recorder->mutex);
}

static void suite_recorder_open(suite_recorder *recorder)
{
  memset(recorder, 0, sizeof *recorder);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&recorder->mutex, NULL);
  pthread_cond_init(&recorder->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

static void suite_recorder_close(suite_recorder *recorder)
{
  for (size_t i = 0; i < recorder->count; i++) free(recorder->messages[i].data);
  pthread_cond_destroy(&recorder->changed);
  pthread_mutex_destroy(&recorder->mutex);
}

/* Whether so many ups and messages come in time. */
static bool suite_heard(suite_recorder *recorder, unsigned ups, size_t count)
{
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += SUITE_WAIT_MS / 1000;
  int failed = 0;
  pthread_mutex_lock(&recorder->mutex);
  while ((recorder->ups < ups || recorder->count < count) && failed == 0)
    failed = pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &until);
  const bool heard = recorder->ups >= ups && recorder->count >= count;
  pthread_mutex_unlock(&recorder->mutex);
  return heard;
}

/* The news of these letters, in order. */
static void suite_read_news(suite_recorder *recorder, const char *letters, char out[SUITE_NEWS])
{
  size_t size = 0;
  pthread_mutex_lock(&recorder->mutex);
  for (const char *at = recorder->news; *at != '\0'; at++)
    if (strchr(letters, *at) != NULL) out[size++] = *at;
  pthread_mutex_unlock(&recorder->mutex);
  out[size] = '\0';
}

/* Whether these come to be the news of these letters. */
static bool suite_comes_to_be_told(suite_recorder *recorder, const char *letters,
                                   const char *expected)
{
  char told[SUITE_NEWS];
  const uint64_t until_ms = accel_clock_monotonic_ms() + SUITE_NEWS_WAIT_MS;
  for (;;) {
    suite_read_news(recorder, letters, told);
    if (strcmp(told, expected) == 0) return true;
    if (accel_clock_monotonic_ms() > until_ms) break;
    usleep(2000);
  }
  print_error("told %s, not %s\n", told, expected);
  return false;
}

static size_t suite_count(suite_recorder *recorder)
{
  pthread_mutex_lock(&recorder->mutex);
  const size_t count = recorder->count;
  pthread_mutex_unlock(&recorder->mutex);
  return count;
}

static const char *suite_message(suite_recorder *recorder, size_t i)
{
  pthread_mutex_lock(&recorder->mutex);
  const char *text = i < recorder->count ? (const char *)recorder->messages[i].data : "(none)";
  pthread_mutex_unlock(&recorder->mutex);
  return text;
}

/* ---- a publisher: "number:name,name" or "number:clear" ---- */

typedef struct suite_publisher {
  unsigned number;      /* of the next message */
  size_t items_at_most; /* in a message; 0: no memory */
} suite_publisher;

static size_t suite_make_message(void *ctx, uint32_t lane, const accel_remote_item *const *items,
                                 size_t count, accel_buffer *out)
{
  (void)lane;
  suite_publisher *publisher = (suite_publisher *)ctx;
  if (publisher->items_at_most == 0) return 0;
  char head[24];
  const int size =
      snprintf(head, sizeof head, "%u:%s", publisher->number++, count == 0 ? "clear" : "");
  if (!accel_buffer_append(out, head, (size_t)size)) return 0;
  if (count == 0) return 1;
  const size_t taken = count < publisher->items_at_most ? count : publisher->items_at_most;
  for (size_t i = 0; i < taken; i++) {
    if (i > 0 && !accel_buffer_append(out, ",", 1)) return 0;
    if (!accel_buffer_append(out, items[i]->name, items[i]->name_size)) return 0;
  }
  return taken;
}

/* ---- the tests' surroundings ---- */

typedef struct suite_test {
  const accel_remote_ops *ops;
  char area[32];
  void *links[2];
  char channels[2][192];
  suite_recorder recorders[2];
  suite_publisher numbers;
  accel_remote_publisher publisher;
} suite_test;

static const remote_suite_backend *suite_backend;
static void *suite_remotes[2];

static void *suite_join(size_t remote, const char *area, bool has_listener,
                        suite_recorder *recorder, char channel[192])
{
  const accel_remote_area joined = {
      .area = area,
      .has_listener = has_listener,
      .sink = {recorder, suite_hear_message, suite_hear_up, suite_hear_down, suite_hear_heartbeat},
      .owner = recorder,
      .tell = suite_hear_news,
  };
  void *link = NULL;
  assert_int_equal(suite_backend->ops->attach(suite_remotes[remote], &joined, &link, channel),
                   ACCEL_OK);
  return link;
}

static void *suite_attach(size_t remote, const char *area, bool has_listener,
                          suite_recorder *recorder, char channel[192])
{
  void *link = suite_join(remote, area, has_listener, recorder, channel);
  assert_non_null(link);
  if (has_listener && suite_backend->has_bus) assert_true(suite_heard(recorder, 1, 0));
  return link;
}

static int suite_setup(void **state)
{
  static unsigned areas;
  suite_test *test = (suite_test *)calloc(1, sizeof *test);
  assert_non_null(test);
  test->ops = suite_backend->ops;
  snprintf(test->area, sizeof test->area, "suite.%u", ++areas);
  test->numbers.items_at_most = 64;
  test->publisher.ctx = &test->numbers;
  test->publisher.message = suite_make_message;
  for (size_t i = 0; i < 2; i++) {
    suite_recorder_open(&test->recorders[i]);
    test->links[i] = suite_attach(i, test->area, true, &test->recorders[i], test->channels[i]);
  }
  *state = test;
  return 0;
}

static int suite_teardown(void **state)
{
  suite_test *test = (suite_test *)*state;
  bool was_entered_twice = false;
  for (size_t i = 0; i < 2; i++) {
    if (test->links[i] != NULL) test->ops->detach(test->links[i]);
    was_entered_twice |= test->recorders[i].was_entered_twice;
    suite_recorder_close(&test->recorders[i]);
  }
  free(test);
  assert_false(was_entered_twice);
  return 0;
}

static int suite_group_setup(void **state)
{
  (void)state;
  return suite_backend->open(suite_remotes) ? 0 : -1;
}

static int suite_group_teardown(void **state)
{
  (void)state;
  suite_backend->close(suite_remotes);
  return 0;
}

/* ---- short forms of the operations ---- */

static accel_remote_call suite_call(void)
{
  const accel_remote_call call = {.deadline_ms = accel_clock_monotonic_ms() + SUITE_WAIT_MS};
  return call;
}

/* An item with its key, area:name, in a buffer that lives for the test's expression. */
typedef struct suite_key {
  char text[400];
} suite_key;

static accel_remote_item suite_item_in(const char *area, const char *name, suite_key *key)
{
  const int size = snprintf(key->text, sizeof key->text, "%s:%s", area, name);
  assert_true(size > 0 && (size_t)size < sizeof key->text);
  const size_t head = strlen(area) + 1;
  const accel_remote_item item = {
      .key = key->text,
      .key_size = (size_t)size,
      .name = key->text + head,
      .name_size = (size_t)size - head,
      .ttl_ms = ACCEL_FOREVER,
      .status = ACCEL_ERR_CONFIG, /* nobody may leave it so */
  };
  return item;
}

static accel_remote_item suite_item(const suite_test *test, const char *name, suite_key *key)
{
  return suite_item_in(test->area, name, key);
}

static void suite_give(accel_remote_item *item, const char *value)
{
  item->data = value;
  item->size = strlen(value);
}

static accel_status suite_put(suite_test *test, size_t link, const char *name, const char *value,
                              uint32_t ttl_ms, bool publishes)
{
  suite_key key;
  accel_remote_item item = suite_item(test, name, &key);
  suite_give(&item, value);
  item.ttl_ms = ttl_ms;
  accel_remote_call call = suite_call();
  const accel_status status =
      test->ops->put(test->links[link], &item, 1, publishes ? &test->publisher : NULL, &call);
  assert_int_equal(call.messages_sent,
                   status == ACCEL_OK && publishes && suite_backend->has_bus ? 1 : 0);
  if (accel_failed(status)) assert_int_equal(item.status, status);
  return accel_failed(status) ? status : item.status;
}

static accel_status suite_del(suite_test *test, size_t link, const char *name, bool publishes)
{
  suite_key key;
  accel_remote_item item = suite_item(test, name, &key);
  accel_remote_call call = suite_call();
  assert_int_equal(
      test->ops->del(test->links[link], &item, 1, publishes ? &test->publisher : NULL, &call),
      ACCEL_OK);
  return item.status;
}

static accel_status suite_fill(suite_test *test, size_t link, const char *name, const char *value,
                               uint64_t token)
{
  suite_key key;
  accel_remote_item item = suite_item(test, name, &key);
  suite_give(&item, value);
  item.token = token;
  accel_remote_call call = suite_call();
  assert_int_equal(test->ops->fill(test->links[link], &item, 1, &call), ACCEL_OK);
  return item.status;
}

/* Whether the key holds exactly this; NULL: nothing. False, too, if the call fails. */
static bool suite_holds_in(suite_test *test, size_t link, const char *area, const char *name,
                           const char *value_or_null)
{
  suite_key key;
  accel_remote_item item = suite_item_in(area, name, &key);
  accel_remote_call call = suite_call();
  const accel_status status = test->ops->get(test->links[link], &item, 1, &call);
  bool holds = false;
  if (status != ACCEL_OK)
    assert_int_equal(item.status, status);
  else if (value_or_null == NULL)
    holds = item.status == ACCEL_MISS;
  else
    holds = item.status == ACCEL_OK && item.size == strlen(value_or_null) &&
            memcmp(item.data, value_or_null, item.size) == 0;
  test->ops->release(test->links[link], &call);
  return holds;
}

static bool suite_holds(suite_test *test, size_t link, const char *name, const char *value_or_null)
{
  return suite_holds_in(test, link, test->area, name, value_or_null);
}

static bool suite_comes_to_hold(suite_test *test, const char *name, const char *value_or_null)
{
  const uint64_t until_ms = accel_clock_monotonic_ms() + SUITE_WAIT_MS;
  while (!suite_holds(test, 0, name, value_or_null)) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(2000);
  }
  return true;
}

/* ---- several threads ---- */

typedef struct suite_worker {
  suite_test *test;
  pthread_t thread;
  size_t number;
  unsigned wrong, granted;
} suite_worker;

/* Runs `work` on so many threads at once. */
static void suite_together(suite_test *test, suite_worker *workers, size_t count,
                           void *(*work)(void *ctx))
{
  for (size_t i = 0; i < count; i++) {
    workers[i] = (suite_worker){.test = test, .number = i};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (size_t i = 0; i < count; i++) pthread_join(workers[i].thread, NULL);
}

#define SUITE_TEST(function_) \
  cmocka_unit_test_setup_teardown(function_, suite_setup, suite_teardown)

#include "remote_suite_bus.h"
#include "remote_suite_lease.h"
#include "remote_suite_news.h"
#include "remote_suite_store.h"

#define SUITE_RUN(name_, tests_) \
  _cmocka_run_group_tests(name_, tests_, sizeof tests_ / sizeof tests_[0], suite_group_setup, \
                          suite_group_teardown)

/* Runs what fits the backend; returns how many tests failed. */
static int remote_suite_run(const remote_suite_backend *backend)
{
  suite_backend = backend;
  int failed = SUITE_RUN("store", suite_store_tests);
  if (backend->has_bus)
    failed += SUITE_RUN("bus", suite_bus_tests);
  else
    failed += SUITE_RUN("no bus", suite_no_bus_tests);
  failed += SUITE_RUN("news", suite_news_tests);
  if (backend->ops->lease != NULL) failed += SUITE_RUN("lease", suite_lease_tests);
  if (backend->ops->clear != NULL) failed += SUITE_RUN("clear", suite_clear_tests);
  return failed;
}

#endif

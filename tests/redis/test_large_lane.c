/* Large values: they are read and set on a connection of their own, which is a lane of its own.
 *
 * The writer reaches Redis through the proxy, which makes its large sets slow; another process
 * listens. Both number and read messages as caches do. */
#include "lane_world.h"

/* The size of what was read; 0: nothing. */
static size_t read_size(const char *name)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  accel_remote_call call = call_within(0);
  accel_redis_ops.get(writer.link, &item, 1, &call);
  const size_t size = item.status == ACCEL_OK ? item.size : 0;
  accel_redis_ops.release(writer.link, &call);
  return size;
}

/* How many small operations began and ended while one large one was under way. Those that wait for
 * it are one or two; the proxy makes it so slow that the others are many. */
enum { BESIDE_IT = 5 };

typedef struct beside {
  unsigned large, now, most;
} beside;

/* A small one took place; `large`: how many large ones had ended before and after it. */
static void note_beside(beside *self, unsigned large_before, unsigned large_after)
{
  if (large_before != large_after) return;
  self->now = large_after == self->large ? self->now + 1 : 1;
  self->large = large_after;
  if (self->now > self->most) self->most = self->now;
}

typedef struct large_setter {
  atomic_bool ends;
  atomic_uint sets;
  unsigned failed;
  pthread_t thread;
} large_setter;

static void *set_large(void *setter_pointer)
{
  large_setter *self = (large_setter *)setter_pointer;
  while (!self->ends) {
    self->failed += set("large", LARGE, 0) != ACCEL_OK;
    self->sets++;
  }
  return NULL;
}

static void large_sets_do_not_delay_small_gets(void **state)
{
  large_setter setter = {.ends = false};
  beside gets = {0};
  (void)state;
  assert_int_equal(set("small", SMALL, 0), ACCEL_OK);
  slow_down((proxy_flow){.bytes_per_second = SLOW});
  assert_int_equal(pthread_create(&setter.thread, NULL, set_large, &setter), 0);
  while (setter.sets < 3) {
    const unsigned sets = setter.sets;
    assert_int_equal(read_size("small"), SMALL);
    note_beside(&gets, sets, setter.sets);
  }
  setter.ends = true;
  pthread_join(setter.thread, NULL);
  print_message("%u gets of %d bytes beside one set of %d\n", gets.most, SMALL, LARGE);
  assert_true(gets.most >= BESIDE_IT);
  assert_int_equal(setter.failed, 0);
}

static void a_large_set_is_heard_elsewhere(void **state)
{
  (void)state;
  for (unsigned i = 1; i <= 5; i++) {
    assert_int_equal(set("large", LARGE, 0), ACCEL_OK);
    assert_true(comes_to(&listener.keys, 2 * i - 1));
    assert_int_equal(set("large", SMALL, 0), ACCEL_OK);
    assert_true(comes_to(&listener.keys, 2 * i));
  }
  assert_int_equal(listener.everything, 0);
  assert_int_equal(writer.invalidation.lanes[0].sequence, 5);
  assert_int_equal(writer.invalidation.lanes[REDIS_ENDPOINT_LANES].sequence, 5);
}

/* ---- reads of values whose size nobody knows ---- */

enum { HUGE = 4 << 20, HUGE_KEYS = 6 };

/* Everybody else's: what the writer's process learns from it, it learns by reading. */
static void store_elsewhere(const char *name, const char *data, size_t size)
{
  client_key key;
  accel_remote_item item = client_item(name, NULL, &key);
  accel_remote_call call = call_within(0);
  item.data = data;
  item.size = size;
  accel_redis_ops.put(listener.link, &item, 1, NULL, &call);
  assert_int_equal(item.status, ACCEL_OK);
}

typedef struct first_reader {
  atomic_uint reads;
  unsigned wrong;
  pthread_t thread;
} first_reader;

static void *read_for_the_first_time(void *reader_pointer)
{
  first_reader *self = (first_reader *)reader_pointer;
  for (unsigned i = 1; i < HUGE_KEYS; i++) {
    char name[16];
    snprintf(name, sizeof name, "huge.%u", i);
    self->wrong += read_size(name) != HUGE;
    self->reads++;
  }
  return NULL;
}

static void first_reads_of_large_values_do_not_delay_small_gets(void **state)
{
  const proxy_flow slow = {.slice_bytes = 16384, .slice_pause_ms = 1};
  first_reader reader = {.wrong = 0};
  char *huge = (char *)calloc(1, HUGE);
  beside reads = {0};
  (void)state;
  assert_non_null(huge);
  for (unsigned i = 0; i < HUGE_KEYS; i++) {
    char name[16];
    snprintf(name, sizeof name, "huge.%u", i);
    store_elsewhere(name, huge, HUGE);
  }
  free(huge);
  store_elsewhere("small", bytes, SMALL);
  assert_int_equal(read_size("huge.0"), HUGE);
  proxy_set_flow(&way, PROXY_REPLIES, PROXY_DATA, &slow);
  assert_int_equal(pthread_create(&reader.thread, NULL, read_for_the_first_time, &reader), 0);
  while (reader.reads < HUGE_KEYS - 1) {
    const unsigned large = reader.reads;
    assert_int_equal(read_size("small"), SMALL);
    note_beside(&reads, large, reader.reads);
  }
  pthread_join(reader.thread, NULL);
  assert_int_equal(reader.wrong, 0);
  print_message("%u small gets beside one first read of 4 MiB\n", reads.most);
  assert_true(reads.most >= BESIDE_IT);
}

/* Around the limit, missing, empty, of another type; one by one and in one call. */
static void bounded_reads_find_what_plain_ones_find(void **state)
{
  static const size_t sizes[] = {1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, LARGE, 0, 0, 0};
  static const char *const names[] = {"one", "below",   "limit", "above",
                                      "far", "missing", "empty", "list"};
  enum { KEYS = sizeof sizes / sizeof *sizes };
  redis_endpoint *endpoint = accel_redis_route_main(&writer.redis.state->route);
  char reply[64];
  (void)state;
  for (size_t i = 0; i < KEYS; i++)
    if (sizes[i] > 0) store_elsewhere(names[i], bytes, sizes[i]);
  store_elsewhere("empty", "", 0);
  assert_true(redis_server_ask(&server, "LPUSH " CLIENT_AREA ":list x", reply, sizeof reply));
  assert_int_equal(read_size("far"), LARGE); /* from now on they are bounded */
  for (int way_of_asking = 0; way_of_asking < 4; way_of_asking++) {
    client_key keys[KEYS];
    accel_remote_item items[KEYS];
    accel_remote_call call = call_within(0);
    const bool is_batch = way_of_asking % 2 != 0;
    const bool is_known = way_of_asking >= 2; /* which keys are large */
    const long bounded = redis_server_calls(&server, "getrange");
    if (!is_known) memset(endpoint->sizes.keys, 0, sizeof endpoint->sizes.keys);
    for (size_t i = 0; i < KEYS && !is_batch; i++) assert_int_equal(read_size(names[i]), sizes[i]);
    for (size_t i = 0; i < KEYS; i++) items[i] = client_item(names[i], NULL, &keys[i]);
    if (is_batch) assert_int_equal(accel_redis_ops.get(writer.link, items, KEYS, &call), ACCEL_OK);
    for (size_t i = 0; i < KEYS && is_batch; i++) {
      const bool is_there = sizes[i] > 0 || strcmp(names[i], "list") == 0; /* of no bytes */
      assert_int_equal(items[i].status, is_there ? ACCEL_OK : ACCEL_MISS);
      assert_int_equal(is_there ? items[i].size : 0, sizes[i]);
      if (sizes[i] > 0) assert_memory_equal(items[i].data, bytes, sizes[i]);
    }
    accel_redis_ops.release(writer.link, &call);
    /* Large ones, two, are asked for by their whole range. */
    assert_int_equal(redis_server_calls(&server, "getrange") - bounded, is_known ? KEYS : KEYS + 2);
  }
  assert_int_equal(listener.everything, 0);
}

/* ---- losses and orders ---- */

/* As if the message of a write had not arrived. */
static void lose_message(uint32_t lane)
{
  const accel_remote_item item = {.name = "lost", .name_size = 4};
  const accel_remote_item *const items[1] = {&item};
  accel_buffer lost = {0};
  assert_int_equal(accel_invalidation_message(&writer.invalidation, lane, items, 1, &lost), 1);
  accel_buffer_release(&lost);
}

static void a_loss_on_the_lane_of_large_values_is_a_gap(void **state)
{
  (void)state;
  assert_int_equal(set("large", LARGE, 0), ACCEL_OK);
  assert_int_equal(set("small", SMALL, 0), ACCEL_OK);
  lose_message(REDIS_ENDPOINT_LANES);
  assert_int_equal(set("small", SMALL, 0), ACCEL_OK);
  assert_true(comes_to(&listener.keys, 3));
  assert_int_equal(listener.everything, 0); /* the other lane is whole */
  assert_int_equal(set("large", LARGE, 0), ACCEL_OK);
  assert_true(comes_to(&listener.everything, 1));
  lose_message(REDIS_ENDPOINT_LANES); /* the last one: the next heartbeat shows it */
  assert_true(comes_to(&listener.everything, 2));
}

typedef struct mixer {
  uint64_t random, until_ms;
  unsigned keys, failed;
  pthread_t thread;
} mixer;

/* Sets and msets, one in eight of the values large, and dels. */
static void *mix(void *mixer_pointer)
{
  enum { ITEMS = 4 };
  mixer *self = (mixer *)mixer_pointer;
  while (accel_clock_monotonic_ms() < self->until_ms) {
    client_key keys[ITEMS];
    accel_remote_item items[ITEMS];
    accel_remote_call call = call_within(0);
    self->random = accel_hash_integer(self->random, 7);
    const size_t count = 1 + self->random % ITEMS;
    for (size_t i = 0; i < count; i++) {
      char name[16];
      snprintf(name, sizeof name, "%u", (unsigned)(self->random >> (8 * i) & 31));
      items[i] = client_item(name, NULL, &keys[i]);
      items[i].data = bytes;
      items[i].size = (self->random >> (32 + 4 * i) & 7) == 0 ? LARGE : SMALL;
    }
    if (self->random >> 60 == 0)
      accel_redis_ops.del(writer.link, items, count, &publisher, &call);
    else
      accel_redis_ops.put(writer.link, items, count, &publisher, &call);
    for (size_t i = 0; i < count; i++) self->failed += items[i].status != ACCEL_OK;
    self->keys += (unsigned)count;
    usleep(2000);
  }
  return NULL;
}

static void lanes_that_overtake_each_other_are_no_gap(void **state)
{
  mixer mixers[WRITERS];
  unsigned keys = 0;
  (void)state;
  slow_down((proxy_flow){.bytes_per_second = SLOW});
  for (unsigned i = 0; i < WRITERS; i++) {
    mixers[i] = (mixer){.random = i + 1, .until_ms = accel_clock_deadline(2000)};
    assert_int_equal(pthread_create(&mixers[i].thread, NULL, mix, &mixers[i]), 0);
  }
  for (unsigned i = 0; i < WRITERS; i++) {
    pthread_join(mixers[i].thread, NULL);
    assert_int_equal(mixers[i].failed, 0);
    keys += mixers[i].keys;
  }
  assert_true(comes_to(&listener.keys, keys));
  const unsigned large = (unsigned)writer.invalidation.lanes[REDIS_ENDPOINT_LANES].sequence;
  print_message("%u keys, %u messages of large values, %u gaps\n", keys, large,
                (unsigned)listener.everything);
  assert_true(large > 0);
  usleep(2500000); /* heartbeats of both lanes */
  assert_int_equal(listener.everything, 0);
  assert_int_equal(listener.keys, keys);
}

/* Gives up a set after it was sent. On a busy machine the time may be over before that, or the
 * answer may come first: then once more. */
static void give_up_set(const char *name, size_t size, redis_lane_kind kind)
{
  enum { SHORT_MS = 20 };
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (set(name, size, SHORT_MS) != ACCEL_ERR_TIMEOUT || !has_late_writes(kind))
    assert_true(accel_clock_monotonic_ms() < until_ms);
}

static unsigned messages(void)
{
  const accel_invalidation *sender = &writer.invalidation;
  return (unsigned)(sender->lanes[0].sequence + sender->lanes[REDIS_ENDPOINT_LANES].sequence);
}

/* A large set that its caller gave up arrives later. What removes it must not arrive before. */
static void a_removal_comes_after_a_set_that_was_given_up(void **state)
{
  (void)state;
  assert_int_equal(set("large", LARGE, 0), ACCEL_OK); /* the lane is connected */
  slow_down((proxy_flow){.bytes_per_second = SLOW});
  give_up_set("late", LARGE, REDIS_LANE_LARGE);
  assert_int_equal(del("late", 0), ACCEL_OK);
  assert_true(comes_to(&listener.keys, messages())); /* it came, and went */
  assert_false(exists("late"));
  const uint64_t before = writer.invalidation.lanes[0].sequence;
  assert_int_equal(set("late", SMALL, 0), ACCEL_OK);
  assert_int_equal(del("late", 0), ACCEL_OK);
  assert_int_equal(writer.invalidation.lanes[0].sequence - before, 2); /* small ones do as ever */
}

static bool has_both(void)
{
  return has_late_writes(REDIS_LANE_DATA) && has_late_writes(REDIS_LANE_LARGE);
}

/* Small and large writes were given up: no connection is behind both. What is refused was tried
 * while that was so, if it is so afterwards. */
static void nothing_is_removed_before_writes_on_both_connections(void **state)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  accel_status deleted, cleared;
  accel_remote_call call;
  (void)state;
  assert_int_equal(set("large", LARGE, 0), ACCEL_OK);
  slow_down((proxy_flow){.latency_ms = 200});
  do {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    give_up_set("large", LARGE, REDIS_LANE_LARGE);
    give_up_set("small", SMALL, REDIS_LANE_DATA);
    deleted = del("small", 50);
    call = call_within(50);
    cleared = accel_redis_ops.clear(writer.link, &publisher, &call);
  } while (!has_both());
  assert_int_equal(deleted, ACCEL_ERR_BACKEND);
  assert_int_equal(cleared, ACCEL_ERR_BACKEND);
  assert_non_null(strstr(call.error, "writes that timed out"));
  while (del("small", 0) != ACCEL_OK) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(10000);
  }
  assert_int_equal(del("large", 0), ACCEL_OK);
  assert_false(exists("large"));
  assert_false(exists("small"));
}

static int start(void **state)
{
  (void)state;
  bytes = (char *)calloc(1, LARGE);
  for (size_t i = 0; i < LARGE && bytes != NULL; i++) bytes[i] = (char)(i * 2654435761u >> 24);
  return bytes != NULL && redis_server_start(&server, NULL) && proxy_open(&way, server.port) ? 0
                                                                                             : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&way);
  redis_server_stop(&server);
  free(bytes);
  return 0;
}

#define LANE_TEST(function_) cmocka_unit_test_setup_teardown(function_, open_both, close_both)

int main(void)
{
  const struct CMUnitTest tests[] = {
      LANE_TEST(large_sets_do_not_delay_small_gets),
      LANE_TEST(first_reads_of_large_values_do_not_delay_small_gets),
      LANE_TEST(bounded_reads_find_what_plain_ones_find),
      LANE_TEST(a_large_set_is_heard_elsewhere),
      LANE_TEST(a_loss_on_the_lane_of_large_values_is_a_gap),
      LANE_TEST(lanes_that_overtake_each_other_are_no_gap),
      LANE_TEST(a_removal_comes_after_a_set_that_was_given_up),
      LANE_TEST(nothing_is_removed_before_writes_on_both_connections),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

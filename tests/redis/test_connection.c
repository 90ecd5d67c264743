/* The shared connection against a real server: round trips, deadlines, recovery, errors. */
#include "client.h"
#include "lateness.h"
#include "quiet_fork.h"

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static redis_server server;

static accel_redis_config patient(void)
{
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 5000};
  return config;
}

static int start_server(void **state)
{
  (void)state;
  return redis_server_start(&server, "enable-debug-command yes") ? 0 : -1;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

static void a_program_that_opens_and_reads_finds_the_server(void **state)
{
  (void)state;
  for (int round = 0; round < 20; round++) {
    const accel_redis_config config = {.url = server.url, .command_timeout_ms = 2000};
    client one;
    client_open(&one, &config);
    assert_int_equal(client_put(&one, "first", "value"), ACCEL_OK);
    client_close(&one);
  }
}

static void a_batch_is_one_command_or_one_write(void **state)
{
  enum { COUNT = 100 };
  (void)state;
  const accel_redis_config config = patient();
  client one;
  client_open(&one, &config);
  client_key keys[COUNT];
  accel_remote_item items[COUNT];
  char names[COUNT][8];
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "%zu", i);
    items[i] = client_item(names[i], names[i], &keys[i]);
  }
  client_publisher numbers = {.items_at_most = 64};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  client_begin(&one);
  assert_int_equal(accel_redis_ops.put(one.link, items, COUNT, &publisher, &one.call), ACCEL_OK);
  assert_int_equal(one.call.messages_sent, 2);
  assert_int_equal(one.call.messages_failed, 0);
  assert_int_equal(redis_server_calls(&server, "exec"), 2);
  assert_int_equal(redis_server_calls(&server, "publish"), 2);
  assert_int_equal(redis_server_calls(&server, "mget"), 0);
  client_begin(&one);
  assert_int_equal(accel_redis_ops.get(one.link, items, COUNT, &one.call), ACCEL_OK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(items[i].status, ACCEL_OK);
    assert_memory_equal(items[i].data, names[i], items[i].size);
  }
  accel_redis_ops.release(one.link, &one.call);
  assert_int_equal(redis_server_calls(&server, "mget"), 1);
  client_close(&one);
}

static void keys_have_the_prefix_and_lives_end(void **state)
{
  (void)state;
  accel_redis_config config = patient();
  config.key_prefix = "app";
  client one;
  char reply[256];
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "x"), ACCEL_OK);
  assert_true(redis_server_ask(&server, "GET app:test:a", reply, sizeof reply));
  assert_non_null(strstr(reply, "$1\r\nx"));
  assert_true(redis_server_ask(&server, "PTTL app:test:a", reply, sizeof reply));
  assert_in_range(strtol(reply + 1, NULL, 10), 50000, 60000);
  client_close(&one);
}

static void a_foreign_type_is_a_miss_and_is_replaced(void **state)
{
  (void)state;
  const accel_redis_config config = patient();
  client one;
  char reply[256];
  client_open(&one, &config);
  assert_true(redis_server_ask(&server, "LPUSH test:list x", reply, sizeof reply));
  assert_int_equal(client_put(&one, "beside", "b"), ACCEL_OK);
  assert_int_equal(client_check(&one, "list", "x"), ACCEL_MISS);
  client_key keys[2];
  accel_remote_item items[2] = {client_item("list", NULL, &keys[0]),
                                client_item("beside", NULL, &keys[1])};
  client_begin(&one);
  assert_int_equal(accel_redis_ops.get(one.link, items, 2, &one.call), ACCEL_OK);
  assert_int_equal(items[0].status, ACCEL_MISS);
  assert_int_equal(items[1].status, ACCEL_OK);
  accel_redis_ops.release(one.link, &one.call);
  assert_int_equal(client_put(&one, "list", "y"), ACCEL_OK);
  assert_int_equal(client_check(&one, "list", "y"), ACCEL_OK);
  client_close(&one);
}

typedef struct worker {
  client *shared;
  pthread_t thread;
  unsigned number, wrong;
} worker;

/* Values of very different sizes under keys of its own. */
static void *work(void *worker_pointer)
{
  worker *self = (worker *)worker_pointer;
  client mine = *self->shared;
  char name[16];
  char *value = (char *)malloc(100001);
  snprintf(name, sizeof name, "w%u", self->number);
  for (unsigned round = 0; round < 150 && value != NULL; round++) {
    const size_t size = round % 50 == 0 ? 100000 : 1 + (self->number * 31 + round * 17) % 300;
    memset(value, 'a' + (int)((self->number + round) % 26), size);
    value[size] = '\0';
    self->wrong += client_put(&mine, name, value) != ACCEL_OK;
    self->wrong += client_check(&mine, name, value) != ACCEL_OK;
    if (round % 10 == 9) {
      self->wrong += client_del(&mine, name) != ACCEL_OK;
      self->wrong += client_check(&mine, name, value) != ACCEL_MISS;
    }
  }
  free(value);
  return NULL;
}

static void threads_share_it_and_get_their_own(void **state)
{
  enum { WORKERS = 12 };
  (void)state;
  const accel_redis_config config = patient();
  worker workers[WORKERS];
  client one;
  client_open(&one, &config);
  for (unsigned i = 0; i < WORKERS; i++) {
    workers[i] = (worker){.shared = &one, .number = i};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < WORKERS; i++) pthread_join(workers[i].thread, NULL);
  for (unsigned i = 0; i < WORKERS; i++) assert_int_equal(workers[i].wrong, 0);
  client_close(&one);
}

static void ignore_alarm(int signal_)
{
  (void)signal_;
}

/* While signals come all the time; hiredis' own calls would never return. */
static void a_frozen_server_costs_the_deadline_and_no_more(void **state)
{
  (void)state;
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 60};
  const struct sigaction action = {.sa_handler = ignore_alarm, .sa_flags = SA_RESTART};
  const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
  client one;
  client_open(&one, &config);
  assert_true(client_recovers(&one, 5000));
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  redis_server_freeze(&server);
  uint64_t worst_ms = 0;
  for (int round = 0; round < 5; round++) {
    const uint64_t began_ms = accel_clock_monotonic_ms();
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_ERR_TIMEOUT);
    assert_non_null(strstr(one.call.error, "no reply within"));
    const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
    if (took_ms > worst_ms) worst_ms = took_ms;
  }
  setitimer(ITIMER_REAL, &never, NULL);
  redis_server_thaw(&server);
  print_message("a limit of 60 ms took %u ms at worst\n", (unsigned)worst_ms);
  assert_true(worst_ms >= 60);
  assert_true(client_recovers(&one, 5000));
  /* Replies of what was given up are dropped by position. */
  for (int round = 0; round < 20; round++) {
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
    assert_int_equal(client_check(&one, "nothing", "value"), ACCEL_MISS);
  }
  client_close(&one);
}

/* However long it was allowed to take. */
static void looking_for_a_reply_ends_with_the_deadline(void **state)
{
  (void)state;
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = 60, .spin_us = 1000000};
  client one;
  client_open(&one, &config);
  assert_true(client_recovers(&one, 5000));
  redis_server_freeze(&server);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  assert_int_equal(client_check(&one, "a", "value"), ACCEL_ERR_TIMEOUT);
  const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
  redis_server_thaw(&server);
  print_message("a limit of 60 ms took %u ms while looking for a second\n", (unsigned)took_ms);
  assert_true(took_ms >= 60 && lateness_keeps((double)took_ms, 660));
  client_close(&one);
}

static void an_earlier_deadline_of_the_call_holds(void **state)
{
  (void)state;
  const accel_redis_config config = patient();
  client one;
  client_key key;
  client_open(&one, &config);
  assert_true(client_recovers(&one, 5000));
  redis_server_freeze(&server);
  accel_remote_item item = client_item("a", NULL, &key);
  client_begin(&one);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  one.call.deadline_ms = began_ms + 30;
  assert_int_equal(accel_redis_ops.get(one.link, &item, 1, &one.call), ACCEL_ERR_TIMEOUT);
  assert_int_equal(item.status, ACCEL_ERR_TIMEOUT);
  redis_server_thaw(&server);
  const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
  assert_true(took_ms >= 30 && lateness_keeps((double)took_ms, 2500)); /* half of the link's own */
  client_close(&one);
}

static void a_silent_connection_is_given_up_and_made_anew(void **state)
{
  (void)state;
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = 50, .connect_timeout_ms = 200};
  client one;
  client_open(&one, &config);
  assert_true(client_recovers(&one, 5000));
  assert_true(accel_redis_ops.is_ready(one.link));
  redis_server_freeze(&server);
  assert_int_equal(client_check(&one, "a", ""), ACCEL_ERR_TIMEOUT);
  const uint64_t until_ms = accel_clock_deadline(60000);
  while (accel_redis_ops.is_ready(one.link) && accel_clock_monotonic_ms() < until_ms) usleep(5000);
  assert_false(accel_redis_ops.is_ready(one.link));
  /* Connecting to it works; that is no sign of life. */
  assert_int_equal(client_check(&one, "a", ""), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "not connected"));
  redis_server_thaw(&server);
  assert_true(client_recovers(&one, 5000));
  client_close(&one);
}

static void a_killed_server_fails_at_once_and_returns(void **state)
{
  (void)state;
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 1000};
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  redis_server_kill(&server);
  usleep(20000);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  for (int round = 0; round < 100; round++)
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_ERR_BACKEND);
  assert_true(accel_clock_monotonic_ms() - began_ms < 50000); /* half of what waiting takes */
  assert_non_null(strstr(one.call.error, "refused"));
  assert_int_equal(accel_redis_ping(&one.redis), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(accel_redis_last_error(&one.redis), "not connected"));
  assert_true(redis_server_restart(&server));
  assert_true(client_recovers(&one, 5000));
  assert_int_equal(client_check(&one, "a", "value"), ACCEL_MISS);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  client_close(&one);
}

typedef struct victim {
  client *shared;
  pthread_t thread;
  bool ends; /* atomic */
  unsigned number, wrong, good;
  uint64_t worst_ms;
} victim;

static void *suffer(void *victim_pointer)
{
  victim *self = (victim *)victim_pointer;
  client mine = *self->shared;
  char name[16];
  snprintf(name, sizeof name, "v%u", self->number);
  while (!__atomic_load_n(&self->ends, __ATOMIC_ACQUIRE)) {
    const uint64_t began_ms = accel_clock_monotonic_ms();
    client_put(&mine, name, name);
    client_key key;
    accel_remote_item item = client_item(name, NULL, &key);
    client_begin(&mine);
    accel_redis_ops.get(mine.link, &item, 1, &mine.call);
    if (item.status == ACCEL_OK) {
      self->good++;
      self->wrong += item.size != strlen(name) || memcmp(item.data, name, item.size) != 0;
    }
    accel_redis_ops.release(mine.link, &mine.call);
    const uint64_t took_ms = accel_clock_monotonic_ms() - began_ms;
    if (took_ms > self->worst_ms) self->worst_ms = took_ms;
    if (item.status != ACCEL_OK) usleep(1000);
  }
  return NULL;
}

static void under_load_no_fault_mixes_replies_or_hangs(void **state)
{
  enum { VICTIMS = 8 };
  (void)state;
  const accel_redis_config config = {
      .url = server.url, .command_timeout_ms = 50, .connect_timeout_ms = 200};
  victim victims[VICTIMS];
  client one;
  redis_watch watch;
  char reply[256];
  client_open(&one, &config);
  assert_true(redis_watch_start(&watch, &one.redis));
  assert_true(client_recovers(&one, 5000));
  for (unsigned i = 0; i < VICTIMS; i++) {
    victims[i] = (victim){.shared = &one, .number = i};
    assert_int_equal(pthread_create(&victims[i].thread, NULL, suffer, &victims[i]), 0);
  }
  for (int round = 0; round < 3; round++) {
    usleep(50000);
    redis_server_ask(&server, "CLIENT KILL TYPE normal", reply, sizeof reply);
    usleep(50000);
    redis_server_freeze(&server);
    usleep(120000);
    redis_server_thaw(&server);
    usleep(50000);
    redis_server_kill(&server);
    usleep(20000);
    assert_true(redis_server_restart(&server));
  }
  assert_true(client_recovers(&one, 5000));
  usleep(50000);
  uint64_t worst_ms = 0;
  for (unsigned i = 0; i < VICTIMS; i++) __atomic_store_n(&victims[i].ends, true, __ATOMIC_RELEASE);
  for (unsigned i = 0; i < VICTIMS; i++) {
    pthread_join(victims[i].thread, NULL);
    assert_int_equal(victims[i].wrong, 0);
    assert_true(victims[i].good > 0);
    if (victims[i].worst_ms > worst_ms) worst_ms = victims[i].worst_ms;
  }
  assert_true(redis_watch_stop(&watch));
  print_message("two calls with limits of 50 ms took %u ms at worst\n", (unsigned)worst_ms);
  client_close(&one);
}

static void a_child_touches_nothing_of_its_parent(void **state)
{
  (void)state;
  const accel_redis_config config = patient();
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "parent"), ACCEL_OK);
  const long before = redis_server_connections(&server);
  const pid_t child = quiet_fork();
  assert_true(child >= 0);
  if (child == 0) {
    const bool is_refused = client_check(&one, "a", "parent") == ACCEL_ERR_CONFIG &&
                            client_put(&one, "a", "child") == ACCEL_ERR_CONFIG &&
                            accel_redis_ping(&one.redis) == ACCEL_ERR_CONFIG &&
                            !accel_redis_ops.is_ready(one.link);
    client_close(&one);
    _exit(is_refused ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(client_check(&one, "a", "parent"), ACCEL_OK);
  assert_int_equal(redis_server_connections(&server), before + 1);
  client_close(&one);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_program_that_opens_and_reads_finds_the_server),
      cmocka_unit_test(a_batch_is_one_command_or_one_write),
      cmocka_unit_test(keys_have_the_prefix_and_lives_end),
      cmocka_unit_test(a_foreign_type_is_a_miss_and_is_replaced),
      cmocka_unit_test(threads_share_it_and_get_their_own),
      cmocka_unit_test(a_frozen_server_costs_the_deadline_and_no_more),
      cmocka_unit_test(looking_for_a_reply_ends_with_the_deadline),
      cmocka_unit_test(an_earlier_deadline_of_the_call_holds),
      cmocka_unit_test(a_silent_connection_is_given_up_and_made_anew),
      cmocka_unit_test(a_killed_server_fails_at_once_and_returns),
      cmocka_unit_test(under_load_no_fault_mixes_replies_or_hangs),
      cmocka_unit_test(a_child_touches_nothing_of_its_parent),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

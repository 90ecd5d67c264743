/* Passwords of real servers and Sentinels: which user enters, what a refusal says, and passwords
 * that are changed while everything runs. test_secrets.c says what is left of them. */
#include "accel.h"
#include "client.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { PATIENCE_MS = 20000, READERS = 3, KEYS = 32 };

static redis_server server;
static redisContext *admin; /* has entered, and stays */
static accel_redis redis;
static number_cache cache;

/* ---- the server's side ---- */

static void administer(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  redisReply *reply = (redisReply *)redisvCommand(admin, format, arguments);
  va_end(arguments);
  assert_non_null(reply);
  if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s", reply->str);
  freeReplyObject(reply);
}

static void throw_all_out(void)
{
  administer("CLIENT KILL TYPE normal SKIPME yes");
  administer("CLIENT KILL TYPE pubsub");
}

static void start_server(const char *options, const char *password_or_null)
{
  assert_true(redis_server_start(&server, options));
  admin = redisConnect("127.0.0.1", server.port);
  assert_non_null(admin);
  if (password_or_null != NULL) administer("AUTH %s", password_or_null);
}

static void stop_server(void)
{
  redisFree(admin);
  redis_server_stop(&server);
}

/* ---- the client's side ---- */

static void open_client(const char *userinfo)
{
  char url[128];
  snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", userinfo, server.port);
  const accel_redis_config where = {.url = url, .command_timeout_ms = 2000};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "number", .remote = &redis};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
}

static void close_client(void)
{
  number_cache_close(&cache);
  accel_redis_close(&redis);
}

static bool has_entered(void)
{
  accel_diagnostic seen;
  number_cache_diagnostic_snapshot(&cache, &seen);
  return seen.channel_up && accel_redis_ping(&redis) == ACCEL_OK;
}

static void comes_in(void)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (!has_entered()) {
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("%s", accel_redis_last_error(&redis));
    usleep(2000);
  }
}

/* Waits for a refusal that has these words, and not the password. */
static void is_refused_with(const char *words, const char *password)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (accel_redis_ping(&redis) == ACCEL_OK ||
         strstr(accel_redis_last_error(&redis), words) == NULL) {
    if (accel_clock_monotonic_ms() > until_ms)
      fail_msg("\"%s\" without \"%s\"", accel_redis_last_error(&redis), words);
    usleep(2000);
  }
  assert_null(strstr(accel_redis_last_error(&redis), password));
}

/* ---- what is refused says why ---- */

static void the_servers_words_are_told(void **state)
{
  (void)state;
  start_server("requirepass correct-horse\nuser app off >staple ~* &* +@all", "correct-horse");
  open_client(":battery@");
  is_refused_with("AUTH: the server replied: WRONGPASS invalid username-password pair", "battery");
  close_client();
  open_client("app:staple@");
  is_refused_with("user is disabled", "staple");
  close_client();
  open_client("");
  is_refused_with("NOAUTH Authentication required", "correct-horse");
  close_client();
  stop_server();
  start_server(NULL, NULL);
  open_client(":battery@");
  is_refused_with("without any password configured for the default user", "battery");
  close_client();
  stop_server();
}

/* A server that repeats the words of what it does not know: only the code is told. */
static void words_that_repeat_the_password_are_not_told(void **state)
{
  (void)state;
  assert_true(redis_server_start(&server, "rename-command AUTH \"\""));
  open_client(":battery@");
  is_refused_with("AUTH: the server replied: ERR", "batt");
  close_client();
  redis_server_stop(&server);
}

/* ---- changes ---- */

static atomic_bool is_over;
static atomic_uint answered, odd;

static void *read_on(void *unused)
{
  const accel_read read = {.skip_local = true, .disable_load = true};
  (void)unused;
  for (uint64_t key = 0; !is_over; key++) {
    uint64_t value = 0;
    const accel_status status = number_cache_get_with(&cache, key % KEYS, &read, &value);
    if (status == ACCEL_OK) answered++;
    if (status == ACCEL_OK && value != key % KEYS) odd++;
    if (status != ACCEL_OK && status != ACCEL_MISS) odd++;
    usleep(500);
  }
  return NULL;
}

static void set_all(void)
{
  for (uint64_t key = 0; key < KEYS; key++)
    assert_int_equal(number_cache_set(&cache, key, &key), ACCEL_OK);
}

static void answers_come(unsigned count)
{
  const unsigned before = answered;
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (answered < before + count) {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    usleep(1000);
  }
}

static void passwords_are_changed_under_traffic(void **state)
{
  pthread_t readers[READERS];
  char password[32];
  (void)state;
  start_server("requirepass first", "first");
  open_client(":first@");
  comes_in();
  set_all();
  is_over = false;
  for (size_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&readers[i], NULL, read_on, NULL), 0);
  for (unsigned round = 0; round < 6; round++) {
    const bool is_told_first = round % 2 == 0;
    snprintf(password, sizeof password, "turn-%u", round);
    if (is_told_first) assert_int_equal(accel_redis_set_password(&redis, NULL, password), ACCEL_OK);
    administer("CONFIG SET requirepass %s", password);
    answers_come(20); /* connections that stand go on */
    if (!is_told_first) {
      throw_all_out();
      is_refused_with("WRONGPASS", password);
      assert_int_equal(accel_redis_set_password(&redis, "", password), ACCEL_OK);
    } else {
      throw_all_out();
    }
    comes_in();
    answers_come(20);
  }
  is_over = true;
  for (size_t i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
  assert_int_equal(odd, 0);
  close_client();
  stop_server();
}

static void users_of_an_access_list_are_changed(void **state)
{
  (void)state;
  start_server("user app on >old ~* &* +@all\nuser other on >else ~* &* +@all", NULL);
  open_client("app:old@");
  comes_in();
  administer("ACL SETUSER app >new"); /* both are accepted for a while */
  assert_int_equal(accel_redis_set_password(&redis, "app", "new"), ACCEL_OK);
  administer("ACL SETUSER app <old");
  throw_all_out();
  comes_in();
  administer("ACL DELUSER app"); /* which throws it out */
  is_refused_with("WRONGPASS", "new");
  assert_int_equal(accel_redis_set_password(&redis, "other", "else"), ACCEL_OK);
  comes_in();
  set_all();
  close_client();
  stop_server();
}

/* Also a password that the URL did not have. */
static void a_password_may_come_later(void **state)
{
  (void)state;
  start_server("requirepass later", "later");
  open_client("");
  is_refused_with("NOAUTH", "later");
  assert_int_equal(accel_redis_set_password(&redis, NULL, "later"), ACCEL_OK);
  comes_in();
  close_client();
  stop_server();
}

static void *set_again(void *unused)
{
  for (unsigned i = 0; i < 100; i++) {
    if (accel_redis_set_password(&redis, i % 2 == 0 ? NULL : "default", "same") != ACCEL_OK) odd++;
    usleep(200);
  }
  return unused;
}

static void many_threads_set_it_while_connections_are_made(void **state)
{
  pthread_t setters[READERS];
  (void)state;
  start_server("requirepass same", "same");
  open_client(":same@");
  comes_in();
  odd = 0;
  for (size_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&setters[i], NULL, set_again, NULL), 0);
  for (unsigned i = 0; i < 10; i++) {
    throw_all_out();
    usleep(3000);
  }
  for (size_t i = 0; i < READERS; i++) pthread_join(setters[i], NULL);
  assert_int_equal(odd, 0);
  comes_in();
  close_client();
  stop_server();
}

static void misuse_changes_nothing(void **state)
{
  static char overlong[16386];
  accel_redis closed = {.state = NULL};
  int child = -1;
  (void)state;
  memset(overlong, 'x', sizeof overlong - 1);
  start_server("requirepass kept", "kept");
  open_client(":kept@");
  comes_in();
  assert_int_equal(accel_redis_set_password(NULL, NULL, "x"), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_redis_set_password(&closed, NULL, "x"), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&closed), "not open"));
  assert_int_equal(accel_redis_set_password(&redis, NULL, NULL), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "NULL"));
  assert_int_equal(accel_redis_set_password(&redis, "app", ""), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "empty"));
  assert_int_equal(accel_redis_set_password(&redis, NULL, overlong), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "16384 bytes"));
  assert_int_equal(accel_redis_set_password(&redis, overlong, "x"), ACCEL_ERR_CONFIG);
  const pid_t pid = fork();
  if (pid == 0) _exit(accel_redis_set_password(&redis, NULL, "x") == ACCEL_ERR_CONFIG ? 0 : 1);
  assert_int_equal(waitpid(pid, &child, 0), pid);
  assert_int_equal(child, 0);
  throw_all_out();
  comes_in();
  /* One of the greatest length is sent whole. */
  overlong[16384] = '\0';
  administer("CONFIG SET requirepass %s", overlong);
  assert_int_equal(accel_redis_set_password(&redis, NULL, overlong), ACCEL_OK);
  throw_all_out();
  comes_in();
  close_client();
  assert_int_equal(accel_redis_set_password(&redis, NULL, "x"), ACCEL_ERR_CONFIG);
  stop_server();
}

/* ---- Sentinels ---- */

static redis_server sentinel;

static void start_sentinel(const char *options)
{
  char all[512];
  snprintf(all, sizeof all,
           "sentinel monitor the-master 127.0.0.1 %d 1\nsentinel auth-pass the-master masters\n%s",
           server.port, options);
  assert_true(redis_server_start_sentinel(&sentinel, all));
}

static void open_watched(const char *sentinel_user, const char *sentinel_password)
{
  char url[128];
  snprintf(url, sizeof url, "redis+sentinel://:masters@127.0.0.1:%d/the-master", sentinel.port);
  const accel_redis_config where = {.url = url,
                                    .command_timeout_ms = 2000,
                                    .sentinel_user = sentinel_user,
                                    .sentinel_password = sentinel_password};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "number", .remote = &redis};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
}

static void sentinels_ask_for_a_password_of_their_own(void **state)
{
  (void)state;
  start_server("requirepass masters", "masters");
  start_sentinel("requirepass watchers");
  open_watched(NULL, NULL);
  is_refused_with("NOAUTH Authentication required", "masters");
  close_client();
  open_watched(NULL, "masters");
  is_refused_with("WRONGPASS", "watchers");
  close_client();
  open_watched("", "watchers");
  comes_in();
  set_all();
  /* The master's is the one that changes; at the Sentinels nothing does. */
  administer("CONFIG SET requirepass others");
  assert_int_equal(accel_redis_set_password(&redis, NULL, "others"), ACCEL_OK);
  throw_all_out();
  comes_in();
  close_client();
  redis_server_stop(&sentinel);
  stop_server();
}

static void sentinels_have_users(void **state)
{
  (void)state;
  start_server("requirepass masters", "masters");
  start_sentinel("user default off\nuser asker on >question ~* &* +@all");
  open_watched("nobody", "question");
  is_refused_with("WRONGPASS", "question");
  close_client();
  open_watched("asker", "question");
  comes_in();
  set_all();
  close_client();
  redis_server_stop(&sentinel);
  stop_server();
}

static void fields_for_sentinels_need_sentinels(void **state)
{
  static const accel_redis_config cases[] = {
      {.url = "redis://127.0.0.1:1", .sentinel_password = "x"},
      {.url = "redis+cluster://127.0.0.1:1", .sentinel_user = "x", .sentinel_password = "x"},
      {.url = "redis+sentinel://127.0.0.1:1/m", .sentinel_user = "x"},
      {.url = "redis+sentinel://127.0.0.1:1/m", .sentinel_password = ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(accel_redis_open(&redis, &cases[i]), ACCEL_ERR_CONFIG);
    assert_non_null(strstr(accel_redis_last_error(&redis), "sentinel_"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_servers_words_are_told),
      cmocka_unit_test(words_that_repeat_the_password_are_not_told),
      cmocka_unit_test(passwords_are_changed_under_traffic),
      cmocka_unit_test(users_of_an_access_list_are_changed),
      cmocka_unit_test(a_password_may_come_later),
      cmocka_unit_test(many_threads_set_it_while_connections_are_made),
      cmocka_unit_test(misuse_changes_nothing),
      cmocka_unit_test(sentinels_ask_for_a_password_of_their_own),
      cmocka_unit_test(sentinels_have_users),
      cmocka_unit_test(fields_for_sentinels_need_sentinels),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

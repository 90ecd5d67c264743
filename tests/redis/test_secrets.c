/* A password leaves nothing behind: not in errors, logs and diagnostics, and not in memory.
 *
 * Servers are started by a process of their own, so that this one meets the password in URLs only,
 * which it wipes. Then it searches itself (memory.h). */
#include "secret_house.h"

static void the_search_finds_what_is_there(void **state)
{
  char *place = (char *)malloc(MEMORY_PASSWORD_SIZE);
  memory_found found;
  (void)state;
  assert_non_null(place);
  memory_add_password(place, BETWEEN);
  assert_true(memory_search(&found));
  assert_int_equal(found.copies, 1);
  assert_int_equal(found.in_core, 1);
  explicit_bzero(place, MEMORY_PASSWORD_SIZE);
  free(place);
  expect_copies("before anything", 0);
}

static unsigned char signal_stack[TEXT_SIZE];

static void ignore_signal(int number)
{
  (void)number;
}

/* To handle a signal the kernel writes all registers to the stack, which the search reads. */
static void show_registers_by_signals(bool shows)
{
  const stack_t stack = {
      .ss_sp = signal_stack, .ss_size = sizeof signal_stack, .ss_flags = shows ? 0 : SS_DISABLE};
  const struct sigaction handling = {.sa_handler = shows ? ignore_signal : SIG_DFL,
                                     .sa_flags = SA_ONSTACK};
  assert_int_equal(sigaltstack(&stack, NULL), 0);
  assert_int_equal(sigaction(SIGUSR1, &handling, NULL), 0);
  explicit_bzero(signal_stack, sizeof signal_stack);
}

/* AddressSanitizer gives what lies on the stack a place elsewhere. */
#define ON_THE_STACK __attribute__((noinline, no_sanitize("address")))

/* Deeper than the search itself reaches, which would write over it. */
static ON_THE_STACK void leave_on_stack(void)
{
  char deep[ACCEL_WIPE_STACK - 3072];
  memory_add_password(deep, "");
  __asm__ volatile("" : : "r"(deep) : "memory");
}

/* By the C library's own copying of so many bytes: it has different registers for few and many. */
static ON_THE_STACK void leave_in_registers(size_t size)
{
  void *(*volatile copy)(void *, const void *, size_t) = memcpy;
  char from[REGISTERS_SIZE + MEMORY_PASSWORD_SIZE], to[sizeof from];
  for (char *next = from; next < from + REGISTERS_SIZE;) next = memory_add_password(next, "");
  copy(to, from, size);
  for (size_t i = 0; i < sizeof from; i++)
    ((volatile char *)from)[i] = ((volatile char *)to)[i] = 0;
}

static void leave_few(void)
{
  leave_in_registers(MEMORY_PIECE + 4);
}

static void leave_many(void)
{
  leave_in_registers(REGISTERS_SIZE);
}

static unsigned count_traces(void (*leave_some)(void), bool wipes)
{
  memory_found found;
  show_registers_by_signals(true);
  leave_some();
  if (wipes) accel_wipe_traces();
  raise(SIGUSR1);
  assert_true(memory_search(&found));
  show_registers_by_signals(false);
  return found.copies;
}

static void traces_are_wiped(void **state)
{
  (void)state;
  assert_int_equal(count_traces(leave_on_stack, true), 0);
  assert_int_equal(count_traces(leave_few, true), 0);
  assert_int_equal(count_traces(leave_many, true), 0);
  assert_int_equal(count_traces(leave_on_stack, false), 1); /* or this test would find nothing */
#if defined(__x86_64__) && defined(__GLIBC__)
  assert_true(count_traces(leave_few, false) >= 1);
  assert_true(count_traces(leave_many, false) >= 1);
#endif
  accel_wipe_traces();
  expect_copies("wiped", 0);
}

/* What the dynamic linker does by chance: calls of the system that are made while a password is
 * about leave it on the stack of their thread. */
static unsigned saved; /* how often */
static bool saves;

static void save_below(void)
{
  if (!__atomic_load_n(&saves, __ATOMIC_RELAXED)) return;
  leave_on_stack();
  __atomic_fetch_add(&saved, 1, __ATOMIC_RELAXED);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
  const char *const text = (const char *)bytes;
  if (size >= AUTH_AT + AUTH_SIZE && memcmp(text + AUTH_AT, "AUTH", AUTH_SIZE) == 0) save_below();
  return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

int madvise(void *start, size_t size, int advice)
{
  if (advice == MADV_DONTDUMP) save_below();
  return (int)syscall(SYS_madvise, start, size, advice);
}

static void what_calls_save_of_a_password_is_wiped(void **state)
{
  const house nowhere = {.port = 99999};
  house plain;
  visit one;
  (void)state;
  __atomic_store_n(&saves, true, __ATOMIC_RELAXED);
  assert_int_equal(enter(&one, &nowhere, "telnet://anna:", "", ""), ACCEL_ERR_CONFIG);
  assert_true(__atomic_load_n(&saved, __ATOMIC_RELAXED) == 1); /* by the page that is kept */
  expect_copies("refused", 0);
  house_open(&plain, HOUSE_PLAIN);
  assert_int_equal(enter(&one, &plain, "redis://anna:", "%40%2F", ""), ACCEL_OK);
  assert_int_equal(look_around(&one), CALLS);
  /* The page, and two that sign in: the listener may come late. */
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (__atomic_load_n(&saved, __ATOMIC_RELAXED) < 4 && accel_clock_monotonic_ms() < until_ms)
    usleep(2000);
  assert_true(__atomic_load_n(&saved, __ATOMIC_RELAXED) >= 4);
  usleep(200000); /* it has its reply */
  __atomic_store_n(&saves, false, __ATOMIC_RELAXED);
  expect_copies("signed in", 1);
  leave(&one);
  house_close(&plain);
}

/* Signing in, being thrown out, and again. */
static void stay_and_return(visit *one, const house *where)
{
  char reply[256];
  assert_int_equal(look_around(one), CALLS);
  for (int i = 0; i < 3; i++) {
    assert_true(redis_server_ask(&where->server, "CLIENT KILL TYPE normal", reply, sizeof reply));
    assert_true(redis_server_ask(&where->server, "CLIENT KILL TYPE pubsub", reply, sizeof reply));
    const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
    while (accel_redis_ping(&one->redis) != ACCEL_OK && accel_clock_monotonic_ms() < until_ms)
      usleep(2000);
    assert_int_equal(accel_redis_ping(&one->redis), ACCEL_OK);
  }
}

static void one_copy_is_kept_to_sign_in_again(void **state)
{
  house plain;
  visit one;
  (void)state;
  house_open(&plain, HOUSE_PLAIN);
  assert_int_equal(enter(&one, &plain, "redis://anna:", "%40%2F", "/2"), ACCEL_OK);
  stay_and_return(&one, &plain);
  usleep(200000); /* the listener has signed in again, too */
  expect_copies("open, after reconnects", 1);
  assert_true(one.logged > 0);
  leave(&one);
  expect_copies("closed", 0);
  house_close(&plain);
}

/* As a program does that learns of a new one: its own copy is wiped. */
static ON_THE_STACK accel_status set_right_password(visit *one)
{
  char password[MEMORY_PASSWORD_SIZE];
  memory_add_password(password, BETWEEN);
  const accel_status status = accel_redis_set_password(&one->redis, "anna", password);
  explicit_bzero(password, sizeof password);
  accel_wipe_traces();
  return status;
}

static void a_password_that_is_set_is_kept_once(void **state)
{
  house plain;
  visit one;
  (void)state;
  house_open(&plain, HOUSE_PLAIN);
  assert_int_equal(enter(&one, &plain, "redis://anna:", BETWEEN_WRONG, ""), ACCEL_OK);
  assert_int_equal(look_around(&one), 0);
  for (int i = 0; i < 3; i++) assert_int_equal(set_right_password(&one), ACCEL_OK);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (accel_redis_ping(&one.redis) != ACCEL_OK && accel_clock_monotonic_ms() < until_ms)
    usleep(2000);
  stay_and_return(&one, &plain);
  usleep(200000);
  expect_copies("set three times", 1);
  leave(&one);
  expect_copies("closed", 0);
  house_close(&plain);
}

/* A Redis that is taken for a Sentinel lets in any client with the password, and then knows
 * nothing. */
static void the_password_of_sentinels_is_kept_once(void **state)
{
  char password[MEMORY_PASSWORD_SIZE], url[64];
  accel_redis redis;
  house plain;
  (void)state;
  house_open(&plain, HOUSE_PLAIN);
  snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/the-master", plain.port);
  memory_add_password(password, BETWEEN);
  const accel_redis_config config = {
      .url = url, .sentinel_user = "anna", .sentinel_password = password};
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_OK);
  explicit_bzero(password, sizeof password);
  accel_wipe_traces();
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  do {
    assert_true(accel_clock_monotonic_ms() < until_ms);
    accel_redis_ping(&redis);
    say(accel_redis_last_error(&redis));
  } while (strstr(accel_redis_last_error(&redis), "SENTINEL") == NULL);
  expect_copies("of Sentinels", 1);
  accel_redis_close(&redis);
  expect_copies("closed", 0);
  house_close(&plain);
}

static void a_wrong_password_is_forgotten_as_well(void **state)
{
  house plain;
  visit one;
  (void)state;
  house_open(&plain, HOUSE_PLAIN);
  assert_int_equal(enter(&one, &plain, "redis://anna:", BETWEEN_WRONG, ""), ACCEL_OK);
  assert_int_equal(look_around(&one), 0);
  assert_non_null(strstr(said, "WRONGPASS"));
  leave(&one);
  expect_copies("closed, after WRONGPASS", 0);
  house_close(&plain);
}

/* A server without AUTH repeats the words of it. */
static void an_echo_is_forgotten(void **state)
{
  house forgetful;
  visit one;
  (void)state;
  house_open(&forgetful, HOUSE_FORGETFUL);
  assert_int_equal(enter(&one, &forgetful, "redis://anna:", "%40%2F", ""), ACCEL_OK);
  assert_int_equal(look_around(&one), 0);
  leave(&one);
  expect_copies("closed, after an echo", 0);
  house_close(&forgetful);
}

static void refused_urls_are_forgotten(void **state)
{
  const house nowhere = {.port = 99999};
  visit one;
  (void)state;
  assert_int_equal(enter(&one, &nowhere, "redis://anna:", "%40%2F", ""), ACCEL_ERR_CONFIG);
  say(accel_redis_last_error(&one.redis));
  assert_int_equal(enter(&one, &nowhere, "redis://anna:", "/", "/not-a-number"), ACCEL_ERR_CONFIG);
  say(accel_redis_last_error(&one.redis));
  assert_int_equal(enter(&one, &nowhere, "telnet://anna:", "", ""), ACCEL_ERR_CONFIG);
  say(accel_redis_last_error(&one.redis));
  expect_copies("refused", 0);
}

/* It accepts connections and says nothing: close comes while it is waited for. */
static void closing_while_signing_in_leaves_nothing(void **state)
{
  house mute;
  visit one;
  (void)state;
  house_open(&mute, HOUSE_PLAIN);
  redis_server_freeze(&mute.server);
  assert_int_equal(enter(&one, &mute, "redis://anna:", "%40%2F", ""), ACCEL_OK);
  usleep(100000);
  leave(&one);
  expect_copies("closed while signing in", 0);
  redis_server_thaw(&mute.server);
  house_close(&mute);
}

static void a_child_that_closes_has_nothing_left(void **state)
{
  house plain;
  visit one;
  int status = -1;
  (void)state;
  house_open(&plain, HOUSE_PLAIN);
  assert_int_equal(enter(&one, &plain, "redis://anna:", "%40%2F", ""), ACCEL_OK);
  assert_int_equal(look_around(&one), CALLS);
  usleep(200000);
  const pid_t pid = fork();
  if (pid == 0) {
    memory_found found;
    leave(&one);
    _exit(memory_search(&found) && found.copies == 0 ? 0 : 1);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  leave(&one);
  expect_copies("closed, after a fork", 0);
  house_close(&plain);
}

static void encryption_keeps_no_copy(void **state)
{
  house sealed;
  visit one;
  (void)state;
#ifndef ACCEL_REDIS_TLS
  print_message("SKIPPED: built without OpenSSL 3 (meson option tls)\n");
  skip();
#endif
  if (system("openssl version >/dev/null 2>&1") != 0) { /* NOLINT: a fixed text */
    print_message("SKIPPED: there is no openssl to make a certificate with\n");
    skip();
  }
  house_open(&sealed, HOUSE_TLS);
  assert_int_equal(enter(&one, &sealed, "rediss://anna:", "%40%2F", ""), ACCEL_OK);
  stay_and_return(&one, &sealed);
  usleep(200000);
  expect_copies("open, encrypted", 1);
  leave(&one);
  expect_copies("closed, encrypted", 0);
  house_close(&sealed);
  house_open(&sealed, HOUSE_FORGETFUL_TLS);
  assert_int_equal(enter(&one, &sealed, "rediss://anna:", "%40%2F", ""), ACCEL_OK);
  assert_int_equal(look_around(&one), 0);
  leave(&one);
  expect_copies("closed, after an encrypted echo", 0);
  house_close(&sealed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_search_finds_what_is_there),
      cmocka_unit_test(traces_are_wiped),
      cmocka_unit_test(what_calls_save_of_a_password_is_wiped),
      cmocka_unit_test(one_copy_is_kept_to_sign_in_again),
      cmocka_unit_test(a_password_that_is_set_is_kept_once),
      cmocka_unit_test(the_password_of_sentinels_is_kept_once),
      cmocka_unit_test(a_wrong_password_is_forgotten_as_well),
      cmocka_unit_test(an_echo_is_forgotten),
      cmocka_unit_test(refused_urls_are_forgotten),
      cmocka_unit_test(closing_while_signing_in_leaves_nothing),
      cmocka_unit_test(a_child_that_closes_has_nothing_left),
      cmocka_unit_test(encryption_keeps_no_copy),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A password leaves nothing behind: not in errors, logs and diagnostics, and not in memory.
 *
 * Servers are started by a process of their own, so that this one meets the password in URLs only,
 * which it wipes. Then it searches itself (memory.h). */
#include "client.h"

#include "accel.h"
#include "accel/platform/wipe.h"
#include "memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

ACCEL_DEFINE_WITH(user, uint64_t, uint64_t, .remote = &accel_redis_ops)

#define BETWEEN "@/"           /* in the middle of the password that is right */
#define BETWEEN_ENCODED "%40/" /* a slash needs no encoding there, and gets none */
#define BETWEEN_WRONG "%25"

enum { PATIENCE_MS = 5000, CALLS = 20, PATH_SIZE = 64, TEXT_SIZE = 1 << 16 };
enum { REGISTERS_SIZE = 128, AUTH_AT = 8, AUTH_SIZE = 4 }; /* AUTH: behind *3 and $4 */

typedef enum house_kind { HOUSE_PLAIN, HOUSE_TLS, HOUSE_FORGETFUL, HOUSE_FORGETFUL_TLS } house_kind;

/* A server, kept by a process of its own. */
typedef struct house {
  pid_t pid;
  int bell; /* the keeper ends when it closes */
  redis_server server;
  int port; /* to enter by */
  char certificate[PATH_SIZE + 16];
} house;

/* ---- the keeper's process ---- */

static bool house_make_certificate(const char *folder)
{
  char command[512];
  snprintf(command, sizeof command,
           "exec >/dev/null 2>&1; openssl req -x509 -newkey ec -pkeyopt "
           "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=accel -addext "
           "subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s/certificate",
           folder, folder);
  return system(command) == 0; /* NOLINT: a fixed text */
}

static bool house_start(house *one, house_kind kind, const char *folder)
{
  char options[512], password[MEMORY_PASSWORD_SIZE];
  const bool is_tls = kind == HOUSE_TLS || kind == HOUSE_FORGETFUL_TLS;
  memory_add_password(password, BETWEEN);
  size_t size =
      (size_t)snprintf(options, sizeof options, "user anna on >%s ~* &* +@all\n", password);
  if (kind == HOUSE_FORGETFUL || kind == HOUSE_FORGETFUL_TLS)
    size += (size_t)snprintf(options + size, sizeof options - size, "rename-command AUTH \"\"\n");
  const int tls_port = is_tls ? redis_server_free_port() : 0;
  if (is_tls && !house_make_certificate(folder)) return false;
  if (is_tls)
    snprintf(options + size, sizeof options - size,
             "tls-port %d\ntls-cert-file %s/certificate\ntls-key-file %s/key\n"
             "tls-auth-clients no",
             tls_port, folder, folder);
  if (!redis_server_start(&one->server, options)) return false;
  one->port = is_tls ? tls_port : one->server.port;
  snprintf(one->certificate, sizeof one->certificate, "%s/certificate", folder);
  explicit_bzero(one->server.options, sizeof one->server.options); /* it goes to the tester */
  return true;
}

static void house_keep(house_kind kind, int fd)
{
  static const char *const names[] = {"key", "certificate"};
  char folder[PATH_SIZE] = "/tmp/accel_secrets_XXXXXX", path[PATH_SIZE + 16], unused;
  house one = {.pid = 0};
  if (mkdtemp(folder) == NULL) _exit(1);
  if (house_start(&one, kind, folder) && write(fd, &one, sizeof one) == sizeof one)
    while (read(fd, &unused, 1) > 0) continue;
  redis_server_stop(&one.server);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
  _exit(0);
}

static void house_open(house *one, house_kind kind)
{
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    house_keep(kind, ends[1]);
  }
  close(ends[1]);
  if (recv(ends[0], one, sizeof *one, MSG_WAITALL) != sizeof *one) fail_msg("no server");
  one->pid = pid;
  one->bell = ends[0];
}

static void house_close(house *one)
{
  close(one->bell);
  waitpid(one->pid, NULL, 0);
}

/* ---- the tester's ---- */

typedef struct visit {
  accel_redis redis;
  user_cache cache;
  unsigned logged;
} visit;

/* Everything that the library says; the search reads it like all else. */
static char said[TEXT_SIZE];
static size_t said_size;
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *text)
{
  const size_t size = strlen(text);
  pthread_mutex_lock(&said_mutex);
  if (size < sizeof said - said_size) {
    memcpy(said + said_size, text, size);
    said_size += size;
  }
  pthread_mutex_unlock(&said_mutex);
}

static void note_log(void *ctx, const accel_log_record *record)
{
  __atomic_fetch_add(&((visit *)ctx)->logged, 1, __ATOMIC_RELAXED);
  say(record->message == NULL ? "" : record->message);
}

static char *add_text(char *to, const char *text)
{
  while (*text != '\0') *to++ = *text++;
  *to = '\0';
  return to;
}

/* Opens with a URL that is gone afterwards. Not by printf, whose buffers would keep it. */
static accel_status enter(visit *one, const house *where, const char *start, const char *between,
                          const char *rest)
{
  char url[256], port[16];
  const bool is_tls = strncmp(start, "rediss", 6) == 0;
  snprintf(port, sizeof port, ":%d", where->port);
  char *end = add_text(url, start);
  end = memory_add_password(end, between);
  end = add_text(end, "@127.0.0.1");
  end = add_text(end, port);
  add_text(end, rest);
  const accel_redis_config config = {
      .url = url, .command_timeout_ms = 2000, .tls_ca_file = is_tls ? where->certificate : NULL};
  memset(one, 0, sizeof *one);
  const accel_status status = accel_redis_open(&one->redis, &config);
  explicit_bzero(url, sizeof url);
  if (status != ACCEL_OK) return status;
  const accel_config cache = {.area = "user",
                              .remote = &one->redis,
                              .log = note_log,
                              .log_ctx = one,
                              .trace_hits = true,
                              .local_ttl_ms = 1};
  assert_int_equal(user_cache_open(&one->cache, &cache), ACCEL_OK);
  return ACCEL_OK;
}

/* Uses all that could tell. */
static unsigned look_around(visit *one)
{
  static accel_diagnostic seen; /* stays where the search finds it */
  unsigned confirmed = 0;
  uint64_t value = 7;
  for (uint64_t key = 0; key < CALLS; key++) {
    confirmed += user_cache_set(&one->cache, key, &value) == ACCEL_OK;
    say(user_cache_last_error(&one->cache));
    accel_ignore(user_cache_get_with(&one->cache, key, &(accel_read){.skip_local = true}, &value));
    accel_redis_ping(&one->redis);
    say(accel_redis_last_error(&one->redis));
  }
  user_cache_diagnostic_snapshot(&one->cache, &seen);
  return confirmed;
}

static void leave(visit *one)
{
  user_cache_close(&one->cache);
  accel_redis_close(&one->redis);
}

static void expect_copies(const char *when, unsigned at_most)
{
  memory_found found;
  assert_true(memory_search(&found));
  print_message("%s: %u copies, %u of them in a core dump\n", when, found.copies, found.in_core);
  if (found.copies > at_most || found.in_core > 0) fail_msg("the first lies in %s", found.first);
}

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

/* A Redis that is taken for a Sentinel lets in whoever has the password, and then knows nothing. */
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

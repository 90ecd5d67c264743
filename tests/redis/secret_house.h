/* secret_house.h: a server in a process of its own that knows a password, and a client whose memory
 * is searched for copies of it. */
#ifndef SECRET_HOUSE_H
#define SECRET_HOUSE_H

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

#endif

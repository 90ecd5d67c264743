/* A server whose replies have no end: arrays within arrays, texts, single bytes. Memory stays
 * within a limit, attempts to connect end in their time, and what does not end is given up.
 *
 * The server is a thread here, because no Redis can be made to do it. */
#include "accel.h"
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_redis_ops)

enum { CONNECT_MS = 200, PATIENCE_MS = 30000, CONNECTIONS = 256, ELEMENTS = 65536 };

/* Of this process, the blocks that the server sends included. Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_MAX ((size_t)1 << 30)
#else
#define MEMORY_MAX ((size_t)150 << 20)
#endif

/* Where the reply stands that has no end. */
typedef enum place { AT_NAME, AT_GREETING, AT_SUBSCRIPTION, AT_READ, AT_PUSH } place;
typedef enum form { ARRAYS, TEXT, DRIP } form;

static struct {
  place place;
  form form;
  int listener, port;
  atomic_bool ends;
  atomic_uint accepted; /* of the kind of connection that is concerned */
  pthread_t thread, served[CONNECTIONS];
  int fds[CONNECTIONS];
  unsigned count;
} server;

static char arrays[16 + 4 * ELEMENTS], text[1 << 16];

static bool say(int fd, const char *data, size_t size)
{
  while (size > 0) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    size -= (size_t)sent;
  }
  return true;
}

static bool say_text(int fd, const char *words)
{
  return say(fd, words, strlen(words));
}

/* Until the client has enough of it. */
static void say_without_end(int fd)
{
  const size_t head = strlen("*65536\r\n");
  switch (server.form) {
    case ARRAYS:
      if (!say(fd, arrays, head)) return;
      while (!server.ends && say(fd, arrays, head + (size_t)4 * ELEMENTS)) continue;
      return;
    case TEXT:
      if (!say_text(fd, "$1000000000\r\n")) return;
      while (!server.ends && say(fd, text, sizeof text)) continue;
      return;
    case DRIP:
      if (!say_text(fd, "$100000\r\n")) return;
      while (!server.ends && say(fd, "x", 1)) usleep(20000);
      return;
  }
}

/* True: the connection is over. */
static bool answer(int fd, const char *request, bool *is_listener)
{
  if (strstr(request, "accel-listener") != NULL) *is_listener = true;
  const bool is_concerned =
      *is_listener == (server.place == AT_SUBSCRIPTION || server.place == AT_PUSH);
  if (strstr(request, "SETNAME") != NULL) {
    server.accepted += is_concerned;
    if (server.place != AT_NAME || !is_concerned) return !say_text(fd, "+OK\r\n");
  } else if (strstr(request, "SELECT") != NULL) {
    if (server.place != AT_GREETING)
      return !say_text(fd, "+OK\r\n+PONG\r\n*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n");
  } else if (strstr(request, "SUBSCRIBE") != NULL) {
    if (server.place == AT_PUSH)
      (void)say_text(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$7\r\nmessage\r\n");
    if (server.place != AT_SUBSCRIPTION && server.place != AT_PUSH)
      return !say_text(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
  } else if (strstr(request, "GET") == NULL) {
    return !say_text(fd, "+PONG\r\n");
  } else if (server.place != AT_READ) {
    return !say_text(fd, "$-1\r\n");
  }
  say_without_end(fd);
  return true;
}

static void *serve(void *fd_pointer)
{
  const int fd = *(int *)fd_pointer;
  char request[4096];
  bool is_listener = false;
  for (ssize_t size; (size = recv(fd, request, sizeof request - 1, 0)) > 0;) {
    request[size] = '\0';
    if (answer(fd, request, &is_listener)) break;
  }
  close(fd);
  return NULL;
}

static void *accept_all(void *unused)
{
  (void)unused;
  while (server.count < CONNECTIONS) {
    int *fd = &server.fds[server.count];
    *fd = accept(server.listener, NULL, NULL);
    if (*fd < 0) break;
    if (pthread_create(&server.served[server.count], NULL, serve, fd) != 0) abort();
    server.count++;
  }
  return NULL;
}

static void server_open(place place_, form form_)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  memset(&server, 0, sizeof server);
  server.place = place_;
  server.form = form_;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(server.listener, 16), 0);
  assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
  server.port = ntohs(address.sin_port);
  for (size_t i = 0, head = (size_t)snprintf(arrays, sizeof arrays, "*%d\r\n", ELEMENTS);
       i < ELEMENTS; i++)
    memcpy(arrays + head + 4 * i, ":0\r\n", 4);
  assert_int_equal(pthread_create(&server.thread, NULL, accept_all, NULL), 0);
}

/* After the client's close. */
static void server_close(void)
{
  server.ends = true;
  shutdown(server.listener, SHUT_RDWR);
  pthread_join(server.thread, NULL);
  for (unsigned i = 0; i < server.count; i++) pthread_join(server.served[i], NULL);
  close(server.listener);
}

static size_t resident_bytes(void)
{
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The connection that is concerned is given up and made anew, again and again; the channel is not
 * up for good; nothing grows. */
static void run(place place_, form form_)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  char url[64];
  accel_redis redis;
  number_cache cache;
  size_t most = 0;
  server_open(place_, form_);
  snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
  const accel_redis_config where = {.url = url, .connect_timeout_ms = CONNECT_MS};
  assert_int_equal(accel_redis_open(&redis, &where), ACCEL_OK);
  const accel_config config = {.area = "x", .remote = &redis, .capacity = 100};
  assert_int_equal(number_cache_open(&cache, &config), ACCEL_OK);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  while (server.accepted < 2) {
    uint64_t value;
    (void)number_cache_get(&cache, 1, &value);
    if (resident_bytes() > most) most = resident_bytes();
    if (most > MEMORY_MAX || accel_clock_monotonic_ms() > until_ms) break;
    usleep(5000);
  }
  print_message("made anew after %u ms; %u MiB at most\n",
                (unsigned)(accel_clock_monotonic_ms() - began_ms), (unsigned)(most >> 20));
  assert_true(most <= MEMORY_MAX);
  assert_true(server.accepted >= 2);
  const uint64_t closes_ms = accel_clock_monotonic_ms();
  number_cache_close(&cache);
  accel_redis_close(&redis);
  assert_true(accel_clock_monotonic_ms() - closes_ms < PATIENCE_MS);
  server_close();
}

static void while_it_greets(void **state)
{
  (void)state;
  run(AT_NAME, ARRAYS);
  run(AT_NAME, TEXT);
  run(AT_NAME, DRIP);
  run(AT_GREETING, ARRAYS);
  run(AT_GREETING, TEXT);
}

static void while_it_listens(void **state)
{
  (void)state;
  run(AT_SUBSCRIPTION, ARRAYS);
  run(AT_PUSH, TEXT);
}

static void a_message_that_never_ends(void **state)
{
  (void)state;
  run(AT_PUSH, DRIP);
}

static void while_it_reads(void **state)
{
  (void)state;
  run(AT_READ, ARRAYS);
  run(AT_READ, TEXT);
  run(AT_READ, DRIP);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(while_it_greets),
      cmocka_unit_test(while_it_listens),
      cmocka_unit_test(a_message_that_never_ends),
      cmocka_unit_test(while_it_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

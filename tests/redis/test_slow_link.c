/* A link on which a large value takes seconds: the connection is not lost for it, as long as bytes
 * leave. A real server, behind a relay that reads slowly, with little in the kernel between. */
#include "client.h"

#include "accel_backends/redis/state.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum {
  CONNECTIONS = 8,
  WINDOW = 16 << 10,
  LARGE = 800 << 10,
  SLICE = 4 << 10,
  SLICE_US = 16000, /* a quarter of a MiB a second */
  LIMIT_MS = 100000
};

static redis_server server;
static int listening;
static unsigned connections; /* atomic */

static bool pass(int from, int to)
{
  char bytes[SLICE];
  const ssize_t size = recv(from, bytes, sizeof bytes, 0);
  if (size <= 0) return false;
  if (size == SLICE) usleep(SLICE_US);
  return send(to, bytes, (size_t)size, MSG_NOSIGNAL) == size;
}

static void *relay(void *client_pointer)
{
  const int from = (int)(intptr_t)client_pointer, to = socket(AF_INET, SOCK_STREAM, 0);
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)server.port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct pollfd polled[2] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}};
  bool passes = connect(to, (const struct sockaddr *)&address, sizeof address) == 0;
  while (passes && poll(polled, 2, -1) > 0) {
    if (polled[0].revents != 0) passes = pass(from, to);
    if (passes && polled[1].revents != 0) passes = pass(to, from);
  }
  close(from);
  close(to);
  return NULL;
}

static void *serve(void *unused)
{
  pthread_t threads[CONNECTIONS];
  unsigned count = 0;
  (void)unused;
  for (int taken; count < CONNECTIONS && (taken = accept(listening, NULL, NULL)) >= 0;) {
    if (pthread_create(&threads[count], NULL, relay, (void *)(intptr_t)taken) != 0) break;
    __atomic_store_n(&connections, ++count, __ATOMIC_RELAXED);
  }
  while (count > 0) pthread_join(threads[--count], NULL);
  return NULL;
}

/* Returns its port. */
static int listen_with_a_small_window(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int window = WINDOW;
  listening = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &window, sizeof window), 0);
  assert_int_equal(bind(listening, (const struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(listening, CONNECTIONS), 0);
  assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
  return ntohs(address.sin_port);
}

static void a_large_set_that_takes_seconds_arrives(void **state)
{
  client one;
  client_key key;
  client_publisher numbers = {.items_at_most = 1};
  const accel_remote_publisher publisher = {.ctx = &numbers, .message = client_message};
  char url[64], *value = (char *)calloc(1, LARGE);
  pthread_t thread;
  (void)state;
  assert_non_null(value);
  assert_true(redis_server_start(&server, NULL));
  snprintf(url, sizeof url, "redis://127.0.0.1:%d", listen_with_a_small_window());
  assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
  const accel_redis_config config = {.url = url, .command_timeout_ms = LIMIT_MS};
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "small", "value"), ACCEL_OK);
  accel_remote_item item = client_item("large", value, &key);
  item.size = LARGE;
  client_begin(&one);
  const uint64_t began_ms = accel_clock_monotonic_ms();
  accel_redis_ops.put(one.link, &item, 1, &publisher, &one.call);
  print_message("%u ms: %s\n", (unsigned)(accel_clock_monotonic_ms() - began_ms), one.call.error);
  assert_int_equal(item.status, ACCEL_OK);
  assert_int_equal(__atomic_load_n(&connections, __ATOMIC_RELAXED), 2);
  shutdown(listening, SHUT_RDWR);
  client_close(&one);
  pthread_join(thread, NULL);
  close(listening);
  redis_server_stop(&server);
  free(value);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_large_set_that_takes_seconds_arrives),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

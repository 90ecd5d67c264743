/* The proxy does what it is told: otherwise the tests that stand on it would show nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/platform/clock.h"
#include "proxy.h"
#include "redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static redis_server server;
static proxy faults;

static int start(void **state)
{
  (void)state;
  return redis_server_start(&server, NULL) && proxy_open(&faults, server.port) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  proxy_close(&faults);
  redis_server_stop(&server);
  return 0;
}

static int dial(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)faults.port)};
  const struct timeval limit = {2, 0};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void say(int fd, const char *text)
{
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

/* Bytes until `size` came, the connection ended, or two seconds passed. */
static size_t hear(int fd, char *text, size_t size)
{
  size_t got = 0;
  for (ssize_t more; got < size; got += (size_t)more)
    if ((more = recv(fd, text + got, size - got, 0)) <= 0) break;
  text[got] = '\0';
  return got;
}

static void expect(int fd, const char *text)
{
  char heard[128];
  hear(fd, heard, strlen(text));
  assert_string_equal(heard, text);
}

static void what_is_healthy_passes_unharmed(void **state)
{
  enum { SIZE = 300000 };
  (void)state;
  char *value = (char *)malloc(SIZE + 64);
  const int fd = dial();
  const int head = snprintf(value, 64, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", SIZE);
  for (int i = 0; i < SIZE; i++) value[head + i] = (char)('a' + i % 23);
  memcpy(value + head + SIZE, "\r\n", 3);
  say(fd, value);
  expect(fd, "+OK\r\n");
  say(fd, "GET k\r\n");
  const size_t answer = 9 + SIZE + 2;
  assert_int_equal(hear(fd, value, answer), answer);
  for (int i = 0; i < SIZE; i++) assert_int_equal(value[9 + i], 'a' + i % 23);
  close(fd);
  free(value);
}

static uint64_t ping_ms(int fd)
{
  const uint64_t began_ms = accel_clock_monotonic_ms();
  say(fd, "PING\r\n");
  expect(fd, "+PONG\r\n");
  return accel_clock_monotonic_ms() - began_ms;
}

static void a_flow_is_late_slow_or_sliced(void **state)
{
  (void)state;
  const int fd = dial();
  const proxy_flow late = {.latency_ms = 60}, never = {.latency_ms = 100000},
                   slow = {.bytes_per_second = 7},
                   sliced = {.slice_bytes = 1, .slice_pause_ms = 20};
  proxy_set_flow(&faults, PROXY_REQUESTS, PROXY_DATA, &late);
  assert_true(ping_ms(fd) >= 60);
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_ALL, &late);
  assert_true(ping_ms(fd) >= 120);
  proxy_heal(&faults);
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_LISTENER, &never);
  assert_true(ping_ms(fd) < 60000);
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_ALL, &slow);
  ping_ms(fd); /* a packet full is there at once, and then it waits */
  assert_true(ping_ms(fd) >= 900);
  proxy_heal(&faults);
  close(fd);
  const int other = dial();
  char piece[16];
  proxy_set_flow(&faults, PROXY_REPLIES, PROXY_ALL, &sliced);
  say(other, "PING\r\n");
  const uint64_t began_ms = accel_clock_monotonic_ms();
  assert_int_equal(recv(other, piece, sizeof piece, 0), 1);
  expect(other, "PONG\r\n");
  assert_true(accel_clock_monotonic_ms() - began_ms >= 6 * 20);
  proxy_heal(&faults);
  close(other);
}

static void a_trip_ends_a_connection_at_its_byte(void **state)
{
  static const proxy_trip_kind kinds[] = {PROXY_CLOSE, PROXY_RESET, PROXY_SILENCE};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    for (uint64_t after = 0; after <= 7; after++) {
      char heard[16];
      const int fd = dial();
      const proxy_trip trip = {kinds[i], PROXY_REPLIES, PROXY_ALL, after, 0};
      const unsigned trips = proxy_look(&faults).trips;
      const struct timeval limit = {0, 50000};
      proxy_arm(&faults, &trip);
      say(fd, "PING\r\n");
      if (kinds[i] == PROXY_SILENCE) {
        while (proxy_look(&faults).trips == trips) usleep(100);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      }
      errno = 0; /* a reset is told once, by the first or by the second */
      const size_t got = hear(fd, heard, 7);
      const ssize_t more = recv(fd, heard, 1, 0);
      if (kinds[i] == PROXY_RESET) assert_in_range(got, 0, after); /* takes what was on its way */
      if (kinds[i] != PROXY_RESET) assert_int_equal(got, after);
      assert_int_equal(errno, kinds[i] == PROXY_CLOSE   ? 0
                              : kinds[i] == PROXY_RESET ? ECONNRESET
                                                        : EAGAIN);
      assert_true(more <= 0);
      assert_int_equal(proxy_look(&faults).trips, trips + 1);
      close(fd);
    }
  }
}

static void a_byte_is_changed_once(void **state)
{
  (void)state;
  const int fd = dial();
  const proxy_trip trip = {PROXY_FLIP, PROXY_REPLIES, PROXY_ALL, 1, 2};
  proxy_arm(&faults, &trip);
  say(fd, "PING\r\n");
  expect(fd, "+RONG\r\n");
  say(fd, "PING\r\n");
  expect(fd, "+PONG\r\n");
  close(fd);
}

static void replies_change_places_or_are_dropped(void **state)
{
  (void)state;
  const int fd = dial();
  proxy_exchange(&faults, PROXY_ALL, 1);
  say(fd, "ECHO a\r\nLRANGE none 0 1\r\nECHO c\r\n");
  expect(fd, "*0\r\n$1\r\na\r\n$1\r\nc\r\n");
  proxy_drop(&faults, PROXY_ALL, 1);
  say(fd, "ECHO a\r\nECHO b\r\n");
  expect(fd, "$1\r\nb\r\n");
  const proxy_counts counts = proxy_look(&faults);
  assert_int_equal(counts.exchanged, 1);
  assert_int_equal(counts.dropped, 1);
  close(fd);
}

static void listeners_are_told_from_the_others(void **state)
{
  char heard[8];
  (void)state;
  const int fd = dial(), listener = dial();
  say(listener, "SUBSCRIBE x\r\n");
  expect(listener, "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
  proxy_cut(&faults, PROXY_CLOSE, PROXY_LISTENER);
  assert_int_equal(hear(listener, heard, 1), 0);
  ping_ms(fd);
  proxy_cut(&faults, PROXY_RESET, PROXY_DATA);
  assert_int_equal(recv(fd, heard, 1, 0), -1);
  assert_int_equal(errno, ECONNRESET);
  close(listener);
  close(fd);
}

static void new_connections_are_refused_or_never_answered(void **state)
{
  char heard[8];
  (void)state;
  proxy_refuse(&faults, true);
  const int refused = dial();
  assert_in_range(recv(refused, heard, 1, 0) + 1, 0, 1);
  close(refused);
  proxy_heal(&faults);
  proxy_silence(&faults, true);
  const int silent = dial();
  const struct timeval limit = {0, 100000};
  setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  for (int wait = 0; wait < 12000 && proxy_look(&faults).open == 0; wait++) usleep(5000);
  say(silent, "PING\r\n"); /* what comes before the proxy knows of it is acknowledged */
  assert_int_equal(recv(silent, heard, 1, 0), -1);
  assert_int_equal(errno, EAGAIN);
  int unacknowledged = 0;
  assert_int_equal(ioctl(silent, SIOCOUTQ, &unacknowledged), 0);
  assert_int_equal(unacknowledged, 6);
  proxy_heal(&faults);
  const int healthy = dial();
  ping_ms(healthy);
  close(healthy);
  close(silent);
  for (int wait = 0; wait < 6000 && proxy_look(&faults).open > 0; wait++) usleep(10000);
  assert_int_equal(proxy_look(&faults).open, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_healthy_passes_unharmed),
      cmocka_unit_test(a_flow_is_late_slow_or_sliced),
      cmocka_unit_test(a_trip_ends_a_connection_at_its_byte),
      cmocka_unit_test(a_byte_is_changed_once),
      cmocka_unit_test(replies_change_places_or_are_dropped),
      cmocka_unit_test(listeners_are_told_from_the_others),
      cmocka_unit_test(new_connections_are_refused_or_never_answered),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}

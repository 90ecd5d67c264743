#include "socket.h"

#include "../../../accel/platform/clock.h"
#include "signal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that vanished without a word is noticed after about this long, idle or not. */
#define REDIS_SOCKET_USER_TIMEOUT_MS 2000

static ptrdiff_t redis_socket_failure(void)
{
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? REDIS_SOCKET_LATER
                                                                     : REDIS_SOCKET_DEAD;
}

ptrdiff_t accel_redis_socket_send(int fd, const void *data, size_t size)
{
  for (;;) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno != EINTR) return redis_socket_failure();
  }
}

static ptrdiff_t redis_socket_receive(int fd, void *data, size_t size, int flags)
{
  for (;;) {
    const ssize_t received = recv(fd, data, size, flags);
    if (received > 0) return received;
    if (received == 0) {
      errno = 0;
      return REDIS_SOCKET_DEAD;
    }
    if (errno != EINTR) return redis_socket_failure();
    if (flags == 0) return REDIS_SOCKET_LATER; /* the slice is over, or nearly */
  }
}

ptrdiff_t accel_redis_socket_receive(int fd, void *data, size_t size)
{
  return redis_socket_receive(fd, data, size, MSG_DONTWAIT);
}

size_t accel_redis_socket_unsent(int fd)
{
  int left = 0;
  return ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0 ? (size_t)left : 0;
}

bool accel_redis_socket_allow_slowly(int fd)
{
  const struct timeval slice = {.tv_usec = REDIS_SOCKET_SLICE_MS * 1000};
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) != 0) return false;
  return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

ptrdiff_t accel_redis_socket_receive_slowly(int fd, void *data, size_t size)
{
  return redis_socket_receive(fd, data, size, 0);
}

/* Comforts that some kernels and socket kinds lack: a refusal is no failure. */
static void redis_socket_tune(int fd)
{
  static const struct {
    int level, name, value;
  } options[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1},  {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, 5}, {IPPROTO_TCP, TCP_KEEPINTVL, 1},
      {IPPROTO_TCP, TCP_KEEPCNT, 3},  {IPPROTO_TCP, TCP_USER_TIMEOUT, REDIS_SOCKET_USER_TIMEOUT_MS},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* One address. -1: errno says why, ETIMEDOUT also when told to stop. */
static int redis_socket_connect(const struct sockaddr *address, socklen_t size, int stop_fd,
                                uint64_t deadline_ms)
{
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (address->sa_family != AF_UNIX) redis_socket_tune(fd);
  int failure = connect(fd, address, size) == 0 ? 0 : errno;
  if (failure == EINPROGRESS || failure == EINTR) {
    socklen_t failure_size = sizeof failure;
    if (accel_redis_signal_wait(fd, POLLOUT, stop_fd, deadline_ms) == 0)
      failure = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size) != 0)
      failure = errno;
  }
  if (failure == 0) return fd;
  close(fd);
  errno = failure;
  return -1;
}

static int redis_socket_open_any(const redis_dial *dial, const redis_address_list *addresses)
{
  errno = EHOSTUNREACH;
  for (size_t i = 0; i < addresses->count; i++) {
    const redis_address_one *each = &addresses->found[i];
    const uint64_t now_ms = accel_clock_monotonic_ms();
    if (now_ms >= dial->deadline_ms) break;
    const uint64_t until_ms = now_ms + (dial->deadline_ms - now_ms) / (addresses->count - i);
    const int fd = redis_socket_connect((const struct sockaddr *)&each->address, each->size,
                                        dial->stop_fd, until_ms);
    if (fd < 0) continue;
    accel_redis_address_prefer(dial->address, each);
    return fd;
  }
  return -1;
}

int accel_redis_socket_open(redis_dial *dial)
{
  redis_address_list addresses;
  char name[REDIS_ADDRESS_TEXT], why[REDIS_ADDRESS_TEXT];
  accel_redis_socket_name(dial->address, name, sizeof name);
  if (!accel_redis_address_find(dial->address, dial->stop_fd, dial->deadline_ms, &addresses, why)) {
    snprintf(dial->error, sizeof dial->error, "cannot resolve %.80s: %.60s", name, why);
    return -1;
  }
  const int fd = redis_socket_open_any(dial, &addresses);
  if (fd < 0)
    snprintf(dial->error, sizeof dial->error, "cannot connect to %s: %s", name,
             accel_redis_socket_reason(errno));
  return fd;
}

void accel_redis_socket_close(int fd)
{
  if (fd >= 0) close(fd);
}

void accel_redis_socket_reset_on_close(int fd)
{
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

const char *accel_redis_socket_reason(int error)
{
  /* Known errors are constant strings wherever accel runs; strerror_r has two signatures. */
  return error == 0 ? "closed by the server" : strerror(error); /* NOLINT(concurrency-mt-unsafe) */
}

void accel_redis_socket_name(const redis_address *address, char *text, size_t size)
{
  const bool is_path = address->port[0] == '\0';
  const bool has_colon = !is_path && strchr(address->host, ':') != NULL;
  snprintf(text, size, "%s%.80s%s%s%s", has_colon ? "[" : "", address->host, has_colon ? "]" : "",
           is_path ? "" : ":", address->port);
}

void accel_redis_socket_name_failure(const redis_address *address, char *error)
{
  char name[REDIS_ADDRESS_TEXT], why[REDIS_SOCKET_TEXT];
  accel_redis_socket_name(address, name, sizeof name);
  if (strstr(error, name) != NULL) return;
  memcpy(why, error, sizeof why);
  const int left = (int)(REDIS_SOCKET_TEXT - sizeof ": " - strlen(name));
  snprintf(error, REDIS_SOCKET_TEXT, "%s: %.*s", name, left, why);
}

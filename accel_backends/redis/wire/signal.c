#include "signal.h"

#include "../../../accel/platform/clock.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REDIS_SIGNAL_POLL_MS 60000
#define REDIS_SIGNAL_RETRY_MS 10 /* until poll is tried again after it failed */

int accel_redis_signal_open(void)
{
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void accel_redis_signal_raise(int fd)
{
  const uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) return; /* only when it is raised already */
}

void accel_redis_signal_clear(int fd)
{
  uint64_t raised;
  if (read(fd, &raised, sizeof raised) < 0) return; /* only when it is not raised */
}

bool accel_redis_signals_open(redis_signals *signals)
{
  signals->wake_fd = accel_redis_signal_open();
  signals->stop_fd = accel_redis_signal_open();
  if (signals->wake_fd >= 0 && signals->stop_fd >= 0) return true;
  accel_redis_signals_close(signals);
  return false;
}

void accel_redis_signals_close(redis_signals *signals)
{
  if (signals->stop_fd >= 0) close(signals->stop_fd);
  if (signals->wake_fd >= 0) close(signals->wake_fd);
  signals->wake_fd = signals->stop_fd = -1;
}

static int redis_signal_left_ms(uint64_t deadline_ms)
{
  if (deadline_ms == ACCEL_NO_DEADLINE) return -1;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (now_ms >= deadline_ms) return 0;
  return deadline_ms - now_ms < INT_MAX ? (int)(deadline_ms - now_ms) : INT_MAX;
}

bool accel_redis_signals_are_stopped(const redis_signals *signals)
{
  return accel_redis_signal_wait(signals->stop_fd, POLLIN, -1, 0) != 0;
}

/* poll fails for ever if the process may not have as many descriptors any more (RLIMIT_NOFILE was
 * lowered), or lacks memory: the thread must neither spin nor miss its end. */
static bool redis_signals_poll_stop(const redis_signals *signals)
{
  struct pollfd stop = {.fd = signals->stop_fd, .events = POLLIN};
  const int ready = poll(&stop, 1, REDIS_SIGNAL_RETRY_MS);
  if (ready < 0) poll(NULL, 0, REDIS_SIGNAL_RETRY_MS);
  return ready <= 0;
}

bool accel_redis_signals_poll(const redis_signals *signals, struct pollfd *polled, size_t count,
                              uint64_t until_ms)
{
  polled[0] = (struct pollfd){.fd = signals->stop_fd, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = signals->wake_fd, .events = POLLIN};
  const int left_ms = redis_signal_left_ms(until_ms);
  const bool is_long = left_ms < 0 || left_ms > REDIS_SIGNAL_POLL_MS;
  const int ready = poll(polled, count, is_long ? REDIS_SIGNAL_POLL_MS : left_ms);
  if (ready <= 0) {
    for (size_t i = 0; i < count; i++) polled[i].revents = 0;
    return ready == 0 || redis_signals_poll_stop(signals);
  }
  if (polled[1].revents != 0) accel_redis_signal_clear(signals->wake_fd);
  return polled[0].revents == 0;
}

int accel_redis_signal_wait(int fd, int events, int stop_fd, uint64_t deadline_ms)
{
  struct pollfd polled[2] = {{.fd = fd, .events = (short)events},
                             {.fd = stop_fd, .events = POLLIN}};
  for (;;) {
    const int left_ms = redis_signal_left_ms(deadline_ms);
    const int ready = poll(polled, 2, left_ms);
    if (ready > 0) return polled[1].revents != 0 ? 0 : polled[0].revents;
    if (ready < 0 && errno != EINTR && errno != EAGAIN) return POLLERR;
    if (left_ms == 0) return 0;
  }
}

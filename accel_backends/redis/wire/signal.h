/* signal.h: wakes and stops a thread that waits in poll (backend redis).
 *
 * A signal is an eventfd: raising it costs a system call, and it stays readable until it is
 * cleared, so that none is lost between a look and the wait. Each background thread has two.
 * Threads: raise any; wait and poll any; open and close exclusive.
 */
#ifndef ACCEL_BACKENDS_REDIS_SIGNAL_H
#define ACCEL_BACKENDS_REDIS_SIGNAL_H

#include "../../../accel/base.h"

#include <poll.h>

/* Those of a background thread. */
typedef struct redis_signals {
  int wake_fd; /* something changed */
  int stop_fd; /* end; never cleared */
} redis_signals;

#define REDIS_SIGNALS 2u /* leading places of what accel_redis_signals_poll polls */

ACCEL_EXTERN_C_BEGIN

/* -1: no descriptor. */
int accel_redis_signal_open(void);
void accel_redis_signal_raise(int fd);
void accel_redis_signal_clear(int fd);

/* False: no descriptors; nothing is held then. */
bool accel_redis_signals_open(redis_signals *signals);
void accel_redis_signals_close(redis_signals *signals);
bool accel_redis_signals_are_stopped(const redis_signals *signals);
/* Polls until `until_ms` (accel_clock_monotonic_ms), a minute at most; wakes early when a signal is
 * raised, and clears wake_fd. The first REDIS_SIGNALS of `polled` are filled in here; the `revents`
 * of the others are 0 unless their event came. False: stop_fd was raised. */
bool accel_redis_signals_poll(const redis_signals *signals, struct pollfd *polled, size_t count,
                              uint64_t until_ms);

/* Waits for `events` (of poll) on fd; returns those that came, errors among them, 0 when the
 * deadline passed or stop_fd (or -1) became readable. */
int accel_redis_signal_wait(int fd, int events, int stop_fd, uint64_t deadline_ms);

ACCEL_EXTERN_C_END
#endif

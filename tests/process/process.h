/* What tests with several processes share: forking, and waiting for those that may hang. */
#ifndef ACCEL_TESTS_PROCESS_H
#define ACCEL_TESTS_PROCESS_H

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "accel/base.h"

/* TSan starts no threads in a child, and a child of ASan's may find the allocator locked: both only
 * where the parent had other threads. */
#define PROCESS_CANNOT_FORK_BESIDE_THREADS ACCEL_IS_SANITIZED

#if defined(__SANITIZE_ADDRESS__)
#define PROCESS_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PROCESS_UNDER_ASAN 1
#endif
#endif
#ifndef PROCESS_UNDER_ASAN
#define PROCESS_UNDER_ASAN 0
#endif

/* Whatever takes longer than this hangs: all that is waited for takes milliseconds. */
#define PROCESS_PATIENCE_S 20

/* A child that hangs is ended by its alarm. */
static inline pid_t process_fork(void)
{
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGALRM, SIG_DFL);
    alarm(PROCESS_PATIENCE_S);
  }
  return child;
}

/* A child's result is 0, or the line that was not satisfied. */
static inline void process_end_child(int line)
{
  if (line != 0) {
    fprintf(stderr, "the child was not satisfied in line %d\n", line);
    fflush(stderr);
  }
  _exit(line != 0);
}

static inline void process_expect_zero(pid_t child)
{
  int result = -1;
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &result, 0), child);
  if (WIFSIGNALED(result) && WTERMSIG(result) == SIGALRM) fail_msg("the child hangs");
  assert_false(WIFSIGNALED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
}

static inline void process_nap_ms(long ms)
{
  const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

#endif

#include "counter.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int counter_open(void)
{
  struct perf_event_attr wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.size = sizeof wanted;
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
  wanted.exclude_kernel = 1;
  wanted.exclude_hv = 1;
  wanted.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return (int)syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

bool counter_read(int descriptor, uint64_t *instructions_out)
{
  uint64_t found[3]; /* the count, the time wanted, the time counted */
  if (read(descriptor, found, sizeof found) != (ssize_t)sizeof found || found[2] == 0) return false;
  *instructions_out = (uint64_t)((double)found[0] * ((double)found[1] / (double)found[2]));
  return true;
}

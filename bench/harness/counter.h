/* counter.h: the processor's count of instructions in user space, by perf_event_open.
 *
 * Most virtual machines have none, and many systems permit it to nobody but root: whoever asks
 * needs another way besides. Threads: of the calling one only.
 */
#ifndef BENCH_COUNTER_H
#define BENCH_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor, counting from now on, or -1 with errno set. The caller closes it. */
int counter_open(void);
/* Since counter_open; scaled up where the processor counted other things meanwhile. */
bool counter_read(int descriptor, uint64_t *instructions_out);

#endif

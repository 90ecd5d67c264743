/* executor.h: bounded background work (layer 2).
 *
 * Threads are started when work finds none idle, up to a limit, and end after a while without
 * work. The jobs are the caller's own structs, so that handing one over needs no memory and can
 * fail for one reason only: the queue is full, or no thread can be had.
 */
#ifndef ACCEL_EXECUTOR_H
#define ACCEL_EXECUTOR_H

#include "status.h"

typedef struct accel_executor_config {
  uint32_t max_threads; /* 64, started on demand */
  uint32_t queue_size;  /* 1024 jobs that wait for a thread or their time */
  uint32_t idle_ms;     /* 10000, then an idle thread ends */
} accel_executor_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_executor {
  struct accel_executor_state *state;
} accel_executor;

/* One piece of work. Belongs to the executor from submit until `run` is called, which may free
 * it. `owner` groups jobs for accel_executor_hasten. */
typedef struct accel_job {
  void (*run)(struct accel_job *job);
  const void *owner;
  uint64_t due_ms; /* accel_clock_monotonic_ms; 0: at once */
  struct accel_job *next;
} accel_job;

ACCEL_EXTERN_C_BEGIN

/* Opens an executor; `config` may be NULL, zero is the default of each field. OK; CONFIG: NULL, or
 * it is open already and stays so; NOMEM. Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_executor_open(accel_executor *executor,
                                                 const accel_executor_config *config);
/* Runs what is queued, early if it was to wait, then ends the threads. After the caches that use
 * it. In a forked child it releases memory only. Threads: exclusive use. */
void accel_executor_close(accel_executor *executor);

/* False: refused (full, closing, or no thread), and the job is the caller's. Threads: any. */
bool accel_executor_submit(accel_executor *executor, accel_job *job);
/* Makes all jobs of `owner` that wait for their time due now. Threads: any. */
void accel_executor_hasten(accel_executor *executor, const void *owner);
/* Whether this process opened it and did not close it, whatever lies there. Threads: any. */
bool accel_executor_is_open(const accel_executor *executor);
/* Whether the calling thread belongs to an executor. */
bool accel_executor_is_worker(void);

ACCEL_EXTERN_C_END
#endif

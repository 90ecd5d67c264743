/* executor.h: bounded background work (layer 2).
 *
 * Threads are started on demand, up to a limit, and end after a while without work. The jobs are
 * the caller's own structs, so submitting one allocates nothing. It fails only if the queue is
 * full, or if no thread could be started.
 *
 * Each cache has a share of its executor: queues of its own, which the executor serves in turn. One
 * share may occupy all of max_threads; then a quarter more, at least one, are available to the
 * others, so that a slow source of one cache does not stop them. A share has three queues of jobs
 * that may run now:
 *
 * - Loads with waiting readers. The oldest runs first while it has waited for less than a quarter
 *   of its readers' time limit. After that there is more work than the threads can do, and every
 *   load in its turn would be too late, so the load that was requested last runs first (adaptive
 *   LIFO: B. Maurer, "Fail at Scale", ACM Queue 13, 2015). If the queue is full, the load whose
 *   latest reader is the oldest is refused.
 * - Jobs that are due: dels and repairs. They alternate with loads.
 * - Background jobs without a waiting reader: one turn in sixteen while there is other work, and at
 *   most half of the share's threads.
 *
 * Jobs that are not due yet occupy no place in these queues. */
#ifndef ACCEL_EXECUTOR_H
#define ACCEL_EXECUTOR_H

#include "status.h"

typedef struct accel_executor_config {
  uint32_t max_threads; /* 64, started on demand; a quarter more if one cache occupies all */
  uint32_t queue_size;  /* 1024 loads, and as many background jobs, per cache */
  uint32_t idle_ms;     /* 10000; then an idle thread ends */
} accel_executor_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_executor {
  struct accel_executor_state *state;
} accel_executor;

struct accel_executor_share;

/* The queue of a job. */
typedef enum accel_job_place {
  ACCEL_JOB_OUTSIDE = 0, /* in no queue: it belongs to the caller, or runs */
  ACCEL_JOB_LOADS,
  ACCEL_JOB_DUE,
  ACCEL_JOB_BACKGROUND,
  ACCEL_JOB_WAITING
} accel_job_place;

/* One piece of work. It belongs to the executor from submit until `run` is called, which may free
 * it. `owner` groups jobs without a share for accel_executor_hasten. */
typedef struct accel_job {
  void (*run)(struct accel_job *job);
  const void *owner;
  uint64_t due_ms; /* accel_clock_monotonic_ms; 0: at once */
  struct accel_job *next;
  /* Called instead of run if the job is refused in favour of another. NULL: it never is. */
  void (*drop)(struct accel_job *job);
  struct accel_executor_share *share; /* NULL: the common one of jobs without a share */
  uint32_t patience_ms;               /* its readers' time limit; 0: always in its turn */
  bool is_background;
  /* The executor's. */
  accel_job_place place;
  uint32_t rank;
  uint64_t queued_ms;
  struct accel_job *previous;      /* with next: by arrival, or a heap by due_ms */
  struct accel_job *newer, *older; /* loads by the time of their latest reader */
  /* Called if run ended its thread instead of returning, by pthread_exit or cancellation. NULL:
   * nothing to clean up. */
  void (*left)(struct accel_job *job);
} accel_job;

ACCEL_EXTERN_C_BEGIN

/* Opens an executor; `config` may be NULL, zero is the default of each field. OK; CONFIG: NULL, or
 * it is open already, and stays open; NOMEM. Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_executor_open(accel_executor *executor,
                                                 const accel_executor_config *config);
/* Runs the queued jobs, also those that are not due yet, then ends the threads. Close the caches
 * that use it first. In a forked child it only releases memory. Threads: exclusive use. */
void accel_executor_close(accel_executor *executor);

/* False: refused (queue full, closing, or no thread), and the job stays the caller's. Jobs with a
 * due time are never refused because a queue is full. May call `drop` of another job. Threads: any.
 */
bool accel_executor_submit(accel_executor *executor, accel_job *job);
/* Makes all jobs of `owner` without a share due now. Threads: any. */
void accel_executor_hasten(accel_executor *executor, const void *owner);
/* Whether this process has it open; the memory may be uninitialised. Threads: any. */
bool accel_executor_is_open(const accel_executor *executor);
/* Whether the calling thread belongs to an executor. Threads: any. */
bool accel_executor_is_worker(void);

ACCEL_EXTERN_C_END
#endif

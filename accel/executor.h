/* executor.h: bounded background work (layer 2).
 *
 * Threads are started when work finds none idle, up to a limit, and end after a while without
 * work. The jobs are the caller's own structs, so that handing one over needs no memory and can
 * fail for one reason only: the queue is full, or no thread could be started.
 *
 * Each cache has a share of its executor: queues of its own, of which the executor takes in turn.
 * One share may hold all of max_threads; the others then find a quarter more, or one, so that a
 * slow source of one cache does not stop them. A share has three queues of jobs that may run now:
 *
 * - loads, that somebody waits for. The oldest comes first as long as it waits for less than a
 *   quarter of the time that its readers have. From then on there is more work than the threads
 *   can do, and whatever comes first comes too late if it waits for its turn: the load that was
 *   asked for last comes first (adaptive LIFO: B. Maurer, "Fail at Scale", ACM Queue 13, 2015).
 *   Without room the load whose last reader came first gives way.
 * - jobs whose time has come: dels and repairs. They alternate with loads.
 * - background, that nobody waits for: one in sixteen where there is other work, in half of the
 *   share's threads at most.
 *
 * Jobs that wait for their time take no place of these. */
#ifndef ACCEL_EXECUTOR_H
#define ACCEL_EXECUTOR_H

#include "status.h"

typedef struct accel_executor_config {
  uint32_t max_threads; /* 64, started on demand; a quarter more for caches that find none left */
  uint32_t queue_size;  /* 1024 loads, and as many background jobs, of each cache */
  uint32_t idle_ms;     /* 10000, then an idle thread ends */
} accel_executor_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_executor {
  struct accel_executor_state *state;
} accel_executor;

struct accel_executor_share;

/* Where a job is. */
typedef enum accel_job_place {
  ACCEL_JOB_OUTSIDE = 0, /* not in a queue: the caller's, or running */
  ACCEL_JOB_LOADS,
  ACCEL_JOB_DUE,
  ACCEL_JOB_BACKGROUND,
  ACCEL_JOB_WAITING
} accel_job_place;

/* One piece of work. Belongs to the executor from submit until `run` is called, which may free
 * it. `owner` groups jobs without a share for accel_executor_hasten. */
typedef struct accel_job {
  void (*run)(struct accel_job *job);
  const void *owner;
  uint64_t due_ms; /* accel_clock_monotonic_ms; 0: at once */
  struct accel_job *next;
  /* Called instead of run if the job gives way to another. NULL: it does not. */
  void (*drop)(struct accel_job *job);
  struct accel_executor_share *share; /* NULL: that of all who have none */
  uint32_t patience_ms;               /* how long its readers wait; 0: always in its turn */
  bool is_background;
  /* The executor's. */
  accel_job_place place;
  uint32_t rank;
  uint64_t queued_ms;
  struct accel_job *previous;      /* with next: by arrival, or a heap by due_ms */
  struct accel_job *newer, *older; /* loads by the moment somebody last asked for them */
  /* Called instead of returning from run if that ended its thread, by pthread_exit or cancellation.
   * NULL: there is nothing to clean up. */
  void (*left)(struct accel_job *job);
} accel_job;

ACCEL_EXTERN_C_BEGIN

/* Opens an executor; `config` may be NULL, zero is the default of each field. OK; CONFIG: NULL, or
 * it is open already and stays so; NOMEM. Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_executor_open(accel_executor *executor,
                                                 const accel_executor_config *config);
/* Runs what is queued, early if it was to wait, then ends the threads. After the caches that use
 * it. In a forked child it releases memory only. Threads: exclusive use. */
void accel_executor_close(accel_executor *executor);

/* False: refused (full, closing, or no thread), and the job is the caller's. Jobs that are to wait
 * for their time are never too many. May call another job's `drop`. Threads: any. */
bool accel_executor_submit(accel_executor *executor, accel_job *job);
/* Makes all jobs of `owner` without a share that wait for their time due now. Threads: any. */
void accel_executor_hasten(accel_executor *executor, const void *owner);
/* Whether this process opened it and did not close it, whatever lies there. Threads: any. */
bool accel_executor_is_open(const accel_executor *executor);
/* Whether the calling thread belongs to an executor. */
bool accel_executor_is_worker(void);

ACCEL_EXTERN_C_END
#endif

/* executor_queue.h: which job comes next (layer 2). Only for .c files.
 *
 * The rules of executor.h, without threads and without locks: the executor's mutex guards it all.
 */
#ifndef ACCEL_EXECUTOR_QUEUE_H
#define ACCEL_EXECUTOR_QUEUE_H

#include "executor.h"

ACCEL_EXTERN_C_BEGIN

typedef struct executor_ring {
  struct executor_ring *next, *previous;
} executor_ring;

typedef struct executor_list {
  accel_job *first, *last;
  uint32_t count;
} executor_list;

struct accel_executor_share {
  executor_ring ready, waiting; /* while it has jobs of that kind */
  executor_list loads, due, background;
  accel_job *newest, *oldest; /* of the loads, by the moment somebody last asked for them */
  accel_job *heap;            /* jobs that wait, by due_ms: a leftist heap */
  uint32_t running, background_running, turns;
  bool has_left;
};

typedef struct executor_queue {
  executor_ring ready, waiting; /* shares; those that had their turn last are last */
  uint64_t next_due_ms;         /* at the latest then a job is due; ACCEL_NO_DEADLINE: none waits */
  uint32_t ready_count;
  uint32_t share_threads_max, threads_max; /* of one share, and of all */
  uint32_t queue_size;
  uint32_t busy; /* threads that run a job */
  bool is_closing;
  struct accel_executor_share common; /* of jobs without a share */
} executor_queue;

void accel_executor_queue_open(executor_queue *queue);
void accel_executor_share_open(struct accel_executor_share *share);

/* Whether it has room, once *displaced_or_null has gone. */
bool accel_executor_queue_has_room(executor_queue *queue, accel_job *job,
                                   accel_job **displaced_or_null);
void accel_executor_queue_push(executor_queue *queue, accel_job *job);
void accel_executor_queue_remove(executor_queue *queue, accel_job *job);    /* one that is ready */
void accel_executor_queue_take_back(executor_queue *queue, accel_job *job); /* any queued one */
void accel_executor_queue_prefer(executor_queue *queue, accel_job *job);
bool accel_executor_queue_defer(executor_queue *queue, accel_job *job);

/* Makes jobs ready whose time has come, or with `owner_or_null` those of this owner in one share,
 * or all of it. */
void accel_executor_queue_promote(executor_queue *queue);
void accel_executor_queue_hasten(executor_queue *queue, struct accel_executor_share *share,
                                 const void *owner_or_null);

/* Whether a thread that is free would find a job. */
bool accel_executor_queue_has_work(executor_queue *queue);
/* The next job, and its share; NULL: none may run now. It counts as running until
 * accel_executor_queue_done. */
accel_job *accel_executor_queue_take(executor_queue *queue, struct accel_executor_share **share,
                                     bool *is_background);
void accel_executor_queue_done(executor_queue *queue, struct accel_executor_share *share,
                               bool is_background);
/* The next job of one share, whether or not its limit allows it; it is not counted. NULL: it has
 * none. */
accel_job *accel_executor_queue_take_of(executor_queue *queue, struct accel_executor_share *share);

ACCEL_EXTERN_C_END

#endif

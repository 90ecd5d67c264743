#include "executor.h"

#include "executor_queue.h"
#include "executor_share.h"
#include "platform/clock.h"
#include "platform/fork.h"
#include "platform/thread.h"

#include <stdlib.h>
#include <string.h>

/* So many are left to other caches when one holds all that it may. */
#define EXECUTOR_RESERVE(threads_) ((threads_) < 8 ? 1 : (threads_) / 4)

struct accel_executor_state {
  uint32_t idle_ms;
  uint64_t fork_generation;
  accel_opened opened;
  accel_mutex mutex; /* guards everything below */
  accel_condition work;
  accel_condition ended; /* the last thread has ended */
  executor_queue queue;
  uint32_t threads, idle;
  uint32_t woken;    /* of the idle ones: signalled, and not yet awake */
  uint32_t coming;   /* started or signalled, and not yet at the queue */
  uint64_t timer_ms; /* until then an idle thread sleeps that looks for what is due */
  /* Threads that end by themselves are joined one behind the other: each joins the one that ended
   * before it, the last is joined by close. */
  bool has_ended_thread;
  accel_thread ended_thread;
};

typedef struct executor_worker {
  struct accel_executor_state *state;
  accel_thread thread;
  accel_job *job; /* that it runs; what is called when that is over, and for which share */
  void (*left)(accel_job *job);
  struct accel_executor_share *share;
  bool is_background;
} executor_worker;

static ACCEL_THREAD_LOCAL bool executor_is_worker;

bool accel_executor_is_worker(void)
{
  return executor_is_worker;
}

static const char executor_kind;

bool accel_executor_is_open(const accel_executor *executor)
{
  return accel_opened_find(executor, &executor_kind) == ACCEL_OPENED_BY_US;
}

typedef struct executor_common {
  accel_executor executor; /* first: its holders know no more of it */
  uint32_t users;
} executor_common;

static accel_mutex executor_common_mutex = ACCEL_MUTEX_INITIALIZER; /* guards what follows */
static executor_common *executor_common_open;                       /* NULL: none is open */

/* Another thread of the parent's may have held the mutex. The parent's executor is of no use here;
 * the caches that hold it give it back. */
static void executor_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  executor_is_worker = false;
  executor_common_mutex = fresh;
  executor_common_open = NULL;
}

static accel_fork_handler executor_fork_handler = {.child = executor_fork_child};

static void executor_configure(struct accel_executor_state *state,
                               const accel_executor_config *config_or_null)
{
  static const accel_executor_config usual;
  const accel_executor_config *config = config_or_null == NULL ? &usual : config_or_null;
  executor_queue *queue = &state->queue;
  accel_executor_queue_open(queue);
  state->timer_ms = ACCEL_NO_DEADLINE;
  queue->share_threads_max = config->max_threads == 0 ? 64 : config->max_threads;
  queue->threads_max = queue->share_threads_max + EXECUTOR_RESERVE(queue->share_threads_max);
  queue->queue_size = config->queue_size == 0 ? 1024 : config->queue_size;
  state->idle_ms = config->idle_ms == 0 ? 10000 : config->idle_ms;
}

accel_status accel_executor_open(accel_executor *executor, const accel_executor_config *config)
{
  if (executor == NULL || accel_executor_is_open(executor)) return ACCEL_ERR_CONFIG;
  executor->state = NULL;
  if (!accel_fork_register(&executor_fork_handler)) return ACCEL_ERR_NOMEM;
  struct accel_executor_state *state = (struct accel_executor_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) return ACCEL_ERR_NOMEM;
  memset(state, 0, sizeof *state);
  executor_configure(state, config);
  state->fork_generation = accel_fork_generation();
  if (!accel_mutex_open(&state->mutex)) goto fail_mutex;
  if (!accel_condition_open(&state->work)) goto fail_work;
  if (!accel_condition_open(&state->ended)) goto fail_ended;
  accel_opened_add(&state->opened, executor, &executor_kind);
  executor->state = state;
  return ACCEL_OK;

fail_ended:
  accel_condition_close(&state->work);
fail_work:
  accel_mutex_close(&state->mutex);
fail_mutex:
  ACCEL_FREE(state);
  return ACCEL_ERR_NOMEM;
}

/* The state of an open executor of this process, with its mutex held; NULL: it is none. */
static struct accel_executor_state *executor_lock(accel_executor *executor)
{
  struct accel_executor_state *state = executor->state;
  if (state == NULL || state->fork_generation != accel_fork_generation()) return NULL;
  accel_mutex_lock(&state->mutex);
  return state;
}

/* ---- threads ---- */

static void executor_work(void *worker_pointer);

/* With the mutex held, which the new thread takes before it reads its own handle. */
static bool executor_start_worker(struct accel_executor_state *state)
{
  executor_worker *worker = (executor_worker *)ACCEL_MALLOC(sizeof *worker);
  if (worker == NULL) return false;
  worker->state = state;
  if (!accel_thread_start(&worker->thread, executor_work, worker)) {
    ACCEL_FREE(worker);
    return false;
  }
  state->threads++;
  state->coming++;
  return true;
}

/* Sees to it that a thread comes for the next job, and that one keeps the time of those that wait.
 * False: there is none, and none could be started. */
static bool executor_staff(struct accel_executor_state *state)
{
  executor_queue *queue = &state->queue;
  const bool needs_thread =
      accel_executor_queue_has_work(queue) && state->coming < queue->ready_count;
  const bool needs_timer = queue->next_due_ms < state->timer_ms && state->coming == 0;
  if (!needs_thread && !needs_timer) return true;
  if (state->idle > state->woken) {
    state->woken++;
    state->coming++;
    accel_condition_signal(&state->work);
    return true;
  }
  if (state->threads >= queue->threads_max) return true;
  return executor_start_worker(state) || state->threads > 0;
}

/* Sleeps until there is work, or until `until_ms`. One thread looks at the clock for all. */
static void executor_wait(struct accel_executor_state *state, uint64_t until_ms)
{
  const uint64_t due_ms = state->queue.next_due_ms;
  const bool is_timer = due_ms < state->timer_ms;
  if (is_timer) state->timer_ms = until_ms = due_ms;
  state->idle++;
  accel_condition_wait(&state->work, &state->mutex, until_ms);
  state->idle--;
  if (is_timer && state->timer_ms == due_ms) state->timer_ms = ACCEL_NO_DEADLINE;
  if (state->woken == 0) return;
  state->woken--;
  state->coming--;
}

/* Takes the next job. False: the worker shall end. Called and left with the mutex held. */
static bool executor_take(executor_worker *worker)
{
  struct accel_executor_state *state = worker->state;
  const uint64_t idle_until_ms = accel_clock_deadline(state->idle_ms);
  for (;;) {
    worker->job = accel_executor_queue_take(&state->queue, &worker->share, &worker->is_background);
    if (worker->job != NULL) return true;
    if (state->queue.is_closing) return false;
    const bool is_needed = state->queue.next_due_ms < state->timer_ms;
    if (!is_needed && accel_clock_monotonic_ms() >= idle_until_ms) return false;
    executor_wait(state, idle_until_ms);
  }
}

static void executor_free_left(struct accel_executor_share *share)
{
  if (share->has_left && share->running == 0) ACCEL_FREE(share);
}

/* With the mutex held, which is given back. */
static void executor_end_worker(executor_worker *worker)
{
  struct accel_executor_state *state = worker->state;
  const bool has_previous = state->has_ended_thread;
  const accel_thread previous = state->ended_thread;
  state->has_ended_thread = true;
  state->ended_thread = worker->thread;
  if (--state->threads == 0) accel_condition_broadcast(&state->ended);
  accel_mutex_unlock(&state->mutex);
  if (has_previous) accel_thread_join(previous);
  ACCEL_FREE(worker);
}

static void executor_end_job(executor_worker *worker)
{
  accel_executor_queue_done(&worker->state->queue, worker->share, worker->is_background);
  executor_free_left(worker->share);
}

static void executor_run_job(void *worker_pointer)
{
  executor_worker *worker = (executor_worker *)worker_pointer;
  worker->left = worker->job->left; /* the job may be gone once it has run */
  worker->job->run(worker->job);
}

/* The job ended the worker's thread: another one comes for what is queued. */
static void executor_leave(void *worker_pointer)
{
  executor_worker *worker = (executor_worker *)worker_pointer;
  struct accel_executor_state *state = worker->state;
  if (worker->left != NULL) worker->left(worker->job);
  accel_mutex_lock(&state->mutex);
  executor_end_job(worker);
  executor_staff(state);
  if (state->threads == 1 && accel_executor_queue_has_work(&state->queue))
    executor_start_worker(state);
  executor_end_worker(worker);
}

static void executor_work(void *worker_pointer)
{
  executor_worker *worker = (executor_worker *)worker_pointer;
  struct accel_executor_state *state = worker->state;
  executor_is_worker = true;
  accel_mutex_lock(&state->mutex);
  state->coming--;
  while (executor_take(worker)) {
    executor_staff(state);
    accel_mutex_unlock(&state->mutex);
    accel_thread_guard(executor_run_job, executor_leave, worker);
    if (state->fork_generation != accel_fork_generation()) return; /* a child of the job's fork */
    accel_mutex_lock(&state->mutex);
    executor_end_job(worker);
  }
  executor_end_worker(worker);
}

/* ---- jobs ---- */

uint32_t accel_executor_queue_size(const accel_executor *executor)
{
  return executor->state == NULL ? 0 : executor->state->queue.queue_size;
}

bool accel_executor_submit(accel_executor *executor, accel_job *job)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return false;
  accel_job *displaced = NULL;
  bool is_accepted =
      !state->queue.is_closing && accel_executor_queue_has_room(&state->queue, job, &displaced);
  if (is_accepted) {
    if (displaced != NULL) accel_executor_queue_remove(&state->queue, displaced);
    accel_executor_queue_push(&state->queue, job);
    is_accepted = executor_staff(state);
    if (!is_accepted) accel_executor_queue_take_back(&state->queue, job);
  }
  accel_mutex_unlock(&state->mutex);
  if (displaced != NULL) displaced->drop(displaced);
  return is_accepted;
}

bool accel_executor_withdraw(accel_executor *executor, accel_job *job)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return false;
  const bool is_queued = job->place != ACCEL_JOB_OUTSIDE;
  if (is_queued) accel_executor_queue_take_back(&state->queue, job);
  accel_mutex_unlock(&state->mutex);
  return is_queued;
}

void accel_executor_prefer(accel_executor *executor, accel_job *job)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return;
  accel_executor_queue_prefer(&state->queue, job);
  executor_staff(state);
  accel_mutex_unlock(&state->mutex);
}

bool accel_executor_defer(accel_executor *executor, accel_job *job)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return true;
  const bool stays = accel_executor_queue_defer(&state->queue, job);
  accel_mutex_unlock(&state->mutex);
  return stays;
}

accel_job *accel_executor_take(accel_executor *executor, struct accel_executor_share *share)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return NULL;
  accel_job *job = accel_executor_queue_take_of(&state->queue, share);
  accel_mutex_unlock(&state->mutex);
  return job;
}

static void executor_hasten(accel_executor *executor, struct accel_executor_share *share_or_null,
                            const void *owner_or_null)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return;
  accel_executor_queue_hasten(&state->queue, share_or_null, owner_or_null);
  executor_staff(state);
  accel_mutex_unlock(&state->mutex);
}

void accel_executor_hasten(accel_executor *executor, const void *owner)
{
  executor_hasten(executor, NULL, owner);
}

void accel_executor_hasten_share(accel_executor *executor, struct accel_executor_share *share)
{
  executor_hasten(executor, share, NULL);
}

/* ---- shares ---- */

struct accel_executor_share *accel_executor_share_new(void)
{
  struct accel_executor_share *share = (struct accel_executor_share *)ACCEL_MALLOC(sizeof *share);
  if (share == NULL) return NULL;
  accel_executor_share_open(share);
  return share;
}

size_t accel_executor_share_length(accel_executor *executor,
                                   const struct accel_executor_share *share)
{
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) return 0;
  const size_t length = (size_t)share->loads.count + share->due.count + share->background.count;
  accel_mutex_unlock(&state->mutex);
  return length;
}

/* A thread may not have come back yet from the share's last job: it frees the share then. */
void accel_executor_share_close(accel_executor *executor,
                                struct accel_executor_share *share_or_null)
{
  struct accel_executor_share *share = share_or_null;
  if (share == NULL) return;
  struct accel_executor_state *state = executor_lock(executor);
  if (state == NULL) {
    ACCEL_FREE(share);
    return;
  }
  share->has_left = true;
  executor_free_left(share);
  accel_mutex_unlock(&state->mutex);
}

/* ---- close ---- */

static void executor_end_threads(struct accel_executor_state *state)
{
  accel_mutex_lock(&state->mutex);
  state->queue.is_closing = true;
  accel_condition_broadcast(&state->work);
  while (state->threads > 0) accel_condition_wait(&state->ended, &state->mutex, ACCEL_NO_DEADLINE);
  const bool has_ended_thread = state->has_ended_thread;
  accel_mutex_unlock(&state->mutex);
  if (has_ended_thread) accel_thread_join(state->ended_thread);
}

void accel_executor_close(accel_executor *executor)
{
  if (executor == NULL || executor->state == NULL) return;
  struct accel_executor_state *state = executor->state;
  executor->state = NULL;
  accel_opened_remove(&state->opened);
  if (state->fork_generation == accel_fork_generation()) {
    executor_end_threads(state);
    accel_condition_close(&state->ended);
    accel_condition_close(&state->work);
    accel_mutex_close(&state->mutex);
  }
  ACCEL_FREE(state);
}

/* ---- the common one ---- */

static executor_common *executor_common_new(void)
{
  executor_common *common = (executor_common *)ACCEL_MALLOC(sizeof *common);
  if (common == NULL) return NULL;
  memset(common, 0, sizeof *common);
  if (accel_executor_open(&common->executor, NULL) == ACCEL_OK) return common;
  ACCEL_FREE(common);
  return NULL;
}

accel_executor *accel_executor_common_acquire(void)
{
  accel_mutex_lock(&executor_common_mutex);
  if (executor_common_open == NULL) executor_common_open = executor_common_new();
  executor_common *common = executor_common_open;
  if (common != NULL) common->users++;
  accel_mutex_unlock(&executor_common_mutex);
  return common == NULL ? NULL : &common->executor;
}

void accel_executor_common_release(accel_executor *executor)
{
  if (executor == NULL) return;
  executor_common *common = (executor_common *)(void *)executor;
  accel_mutex_lock(&executor_common_mutex);
  const bool is_last = --common->users == 0;
  if (is_last && executor_common_open == common) executor_common_open = NULL;
  accel_mutex_unlock(&executor_common_mutex);
  if (!is_last) return;
  accel_executor_close(&common->executor);
  ACCEL_FREE(common);
}

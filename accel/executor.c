#include "executor.h"

#include "platform/clock.h"
#include "platform/system.h"
#include "platform/thread.h"

#include <stdlib.h>
#include <string.h>

struct accel_executor_state {
  accel_executor_config config;
  uint64_t fork_generation;
  accel_opened opened;
  accel_mutex mutex; /* guards everything below */
  accel_condition work;
  accel_condition ended;          /* the last thread has ended */
  accel_job *ready, **ready_last; /* may run now, in the order of arrival */
  accel_job *waiting;             /* by due_ms */
  uint32_t ready_count, waiting_count, threads, idle;
  bool is_closing;
  /* Threads that end by themselves are joined one behind the other: each joins the one that ended
   * before it, the last is joined by close. */
  bool has_ended_thread;
  accel_thread ended_thread;
};

typedef struct executor_worker {
  struct accel_executor_state *state;
  accel_thread thread;
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

accel_status accel_executor_open(accel_executor *executor, const accel_executor_config *config)
{
  if (executor == NULL || accel_executor_is_open(executor)) return ACCEL_ERR_CONFIG;
  executor->state = NULL;
  struct accel_executor_state *state = (struct accel_executor_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) return ACCEL_ERR_NOMEM;
  memset(state, 0, sizeof *state);
  if (config != NULL) state->config = *config;
  if (state->config.max_threads == 0) state->config.max_threads = 64;
  if (state->config.queue_size == 0) state->config.queue_size = 1024;
  if (state->config.idle_ms == 0) state->config.idle_ms = 10000;
  state->ready_last = &state->ready;
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

static void executor_push_ready(struct accel_executor_state *state, accel_job *job)
{
  job->next = NULL;
  *state->ready_last = job;
  state->ready_last = &job->next;
  state->ready_count++;
}

static void executor_promote_due(struct accel_executor_state *state)
{
  const uint64_t now_ms = state->waiting == NULL ? 0 : accel_clock_monotonic_ms();
  while (state->waiting != NULL && (state->is_closing || state->waiting->due_ms <= now_ms)) {
    accel_job *job = state->waiting;
    state->waiting = job->next;
    state->waiting_count--;
    executor_push_ready(state, job);
  }
}

/* The next job; NULL: the worker shall end. Called and left with the mutex held. */
static accel_job *executor_take(struct accel_executor_state *state)
{
  const uint64_t idle_until_ms = accel_clock_deadline(state->config.idle_ms);
  for (;;) {
    executor_promote_due(state);
    if (state->ready != NULL) break;
    if (state->is_closing) return NULL;
    if (state->waiting == NULL && accel_clock_monotonic_ms() >= idle_until_ms) return NULL;
    state->idle++;
    accel_condition_wait(&state->work, &state->mutex,
                         state->waiting == NULL ? idle_until_ms : state->waiting->due_ms);
    state->idle--;
  }
  accel_job *job = state->ready;
  state->ready = job->next;
  if (state->ready == NULL) state->ready_last = &state->ready;
  state->ready_count--;
  return job;
}

static void executor_work(void *worker_pointer)
{
  executor_worker *worker = (executor_worker *)worker_pointer;
  struct accel_executor_state *state = worker->state;
  executor_is_worker = true;
  accel_mutex_lock(&state->mutex);
  for (accel_job *job; (job = executor_take(state)) != NULL;) {
    accel_mutex_unlock(&state->mutex);
    job->run(job);
    accel_mutex_lock(&state->mutex);
  }
  const bool has_previous = state->has_ended_thread;
  const accel_thread previous = state->ended_thread;
  state->has_ended_thread = true;
  state->ended_thread = worker->thread;
  if (--state->threads == 0) accel_condition_broadcast(&state->ended);
  accel_mutex_unlock(&state->mutex);
  if (has_previous) accel_thread_join(previous);
  ACCEL_FREE(worker);
}

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
  return true;
}

static void executor_insert(struct accel_executor_state *state, accel_job *job)
{
  if (job->due_ms == 0) {
    executor_push_ready(state, job);
    return;
  }
  accel_job **place = &state->waiting;
  while (*place != NULL && (*place)->due_ms <= job->due_ms) place = &(*place)->next;
  job->next = *place;
  *place = job;
  state->waiting_count++;
}

bool accel_executor_submit(accel_executor *executor, accel_job *job)
{
  struct accel_executor_state *state = executor->state;
  if (state == NULL || state->fork_generation != accel_fork_generation()) return false;
  accel_mutex_lock(&state->mutex);
  bool is_accepted =
      !state->is_closing && state->ready_count + state->waiting_count < state->config.queue_size;
  if (is_accepted && state->idle <= state->ready_count &&
      state->threads < state->config.max_threads)
    is_accepted = executor_start_worker(state) || state->threads > 0;
  if (is_accepted) {
    executor_insert(state, job);
    accel_condition_signal(&state->work);
  }
  accel_mutex_unlock(&state->mutex);
  return is_accepted;
}

void accel_executor_hasten(accel_executor *executor, const void *owner)
{
  struct accel_executor_state *state = executor->state;
  if (state == NULL || state->fork_generation != accel_fork_generation()) return;
  accel_mutex_lock(&state->mutex);
  for (accel_job **place = &state->waiting; *place != NULL;) {
    accel_job *job = *place;
    if (job->owner != owner) {
      place = &job->next;
      continue;
    }
    *place = job->next;
    state->waiting_count--;
    executor_push_ready(state, job);
  }
  accel_condition_broadcast(&state->work);
  accel_mutex_unlock(&state->mutex);
}

void accel_executor_close(accel_executor *executor)
{
  if (executor == NULL || executor->state == NULL) return;
  struct accel_executor_state *state = executor->state;
  executor->state = NULL;
  accel_opened_remove(&state->opened);
  if (state->fork_generation == accel_fork_generation()) {
    accel_mutex_lock(&state->mutex);
    state->is_closing = true;
    accel_condition_broadcast(&state->work);
    while (state->threads > 0)
      accel_condition_wait(&state->ended, &state->mutex, ACCEL_NO_DEADLINE);
    const bool has_ended_thread = state->has_ended_thread;
    accel_mutex_unlock(&state->mutex);
    if (has_ended_thread) accel_thread_join(state->ended_thread);
    accel_condition_close(&state->ended);
    accel_condition_close(&state->work);
    accel_mutex_close(&state->mutex);
  }
  ACCEL_FREE(state);
}

#include "singleflight_runner.h"

#include "platform/atomic.h"
#include "platform/fork.h"

#include <string.h>

/* What a thread is doing, for the detection of cycles. */
struct accel_flight_thread {
  accel_flight *running;     /* its own: the flights it runs, innermost first */
  accel_flight *waiting_for; /* held by it, so alive */
  accel_flight *unfinished;  /* its own: landed */
};

static ACCEL_THREAD_LOCAL struct accel_flight_thread singleflight_thread;

/* Guards what every thread waits for and every flight's runner, of all caches: a cycle may lead
 * through several. A flight's runner is written by the thread that it names, before or afterwards,
 * so that a thread which reads it without the mutex sees whether it is the runner. Taken after a
 * table's mutex, never before. */
static accel_mutex singleflight_graph = ACCEL_MUTEX_INITIALIZER;

/* Another thread of the parent's may have held the mutex; and what this one ran is the parent's. */
static void singleflight_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  singleflight_graph = fresh;
  memset(&singleflight_thread, 0, sizeof singleflight_thread);
}

static accel_fork_handler singleflight_handler = {.child = singleflight_fork_child};

bool accel_flight_runner_open(void)
{
  return accel_fork_register(&singleflight_handler);
}

/* By the thread that runs it from now on, or has until now. */
static void flight_set_runner(accel_flight *flight, struct accel_flight_thread *runner)
{
  ACCEL_ASSERT(runner == NULL || runner == &singleflight_thread);
  ACCEL_ASSERT(flight->runner != runner);
  accel_mutex_lock(&singleflight_graph);
  accel_store_relaxed(&flight->runner, runner);
  accel_mutex_unlock(&singleflight_graph);
}

bool accel_flight_runs_here(const accel_flight *flight)
{
  return accel_load_relaxed(&flight->runner) == &singleflight_thread;
}

static void flight_list(accel_flight **first, accel_flight *flight)
{
  ACCEL_ASSERT(*first != flight);
  ACCEL_ASSERT(*first == NULL || (*first)->running_previous == NULL);
  flight->running_previous = NULL;
  flight->running_next = *first;
  if (flight->running_next != NULL) flight->running_next->running_previous = flight;
  *first = flight;
}

static void flight_unlist(accel_flight **first, accel_flight *flight)
{
  ACCEL_ASSERT(flight->running_previous != NULL || *first == flight);
  ACCEL_ASSERT(flight->running_next == NULL || flight->running_next->running_previous == flight);
  if (flight->running_next != NULL)
    flight->running_next->running_previous = flight->running_previous;
  if (flight->running_previous != NULL)
    flight->running_previous->running_next = flight->running_next;
  else
    *first = flight->running_next;
}

void accel_flight_run_new(accel_flight *flight)
{
  ACCEL_ASSERT(flight->runner == NULL);
  ACCEL_ASSERT(!flight->is_landed);
  flight_list(&singleflight_thread.running, flight);
  flight->runner = &singleflight_thread;
}

void accel_singleflight_run(accel_flight *flight)
{
  if (accel_flight_runs_here(flight)) return;
  ACCEL_ASSERT(!flight->is_landed);
  ACCEL_ASSERT(accel_load_relaxed(&flight->runner) == NULL);
  flight_list(&singleflight_thread.running, flight);
  flight_set_runner(flight, &singleflight_thread);
}

void accel_flight_stop_running(accel_flight *flight)
{
  if (!accel_flight_runs_here(flight)) return;
  ACCEL_ASSERT(singleflight_thread.running != NULL);
  ACCEL_ASSERT(!flight->is_unfinished);
  flight_unlist(&singleflight_thread.running, flight);
  flight_set_runner(flight, NULL);
}

/* From landing to finishing, which one thread does, a flight is listed in another place. */
void accel_flight_note_unfinished(accel_flight *flight)
{
  ACCEL_ASSERT(!flight->is_unfinished);
  ACCEL_ASSERT(!accel_flight_runs_here(flight));
  flight->is_unfinished = true;
  flight_list(&singleflight_thread.unfinished, flight);
}

void accel_flight_note_finished(accel_flight *flight)
{
  if (!flight->is_unfinished) return;
  ACCEL_ASSERT(flight->is_landed);
  ACCEL_ASSERT(singleflight_thread.unfinished != NULL);
  flight->is_unfinished = false;
  flight_unlist(&singleflight_thread.unfinished, flight);
}

/* Notes what the thread waits for, unless that closes a cycle. */
bool accel_flight_begin_wait(accel_flight *flight)
{
  accel_mutex_lock(&singleflight_graph);
  ACCEL_ASSERT(singleflight_thread.waiting_for == NULL);
  const struct accel_flight_thread *thread = flight->runner;
  while (thread != NULL && thread != &singleflight_thread)
    thread = thread->waiting_for == NULL ? NULL : thread->waiting_for->runner;
  if (thread == NULL) singleflight_thread.waiting_for = flight;
  accel_mutex_unlock(&singleflight_graph);
  return thread == NULL;
}

void accel_flight_end_wait(void)
{
  accel_mutex_lock(&singleflight_graph);
  ACCEL_ASSERT(singleflight_thread.waiting_for != NULL);
  singleflight_thread.waiting_for = NULL;
  accel_mutex_unlock(&singleflight_graph);
}

accel_flight *accel_singleflight_own(void)
{
  accel_flight *running = singleflight_thread.running;
  return running != NULL ? running : singleflight_thread.unfinished;
}

static bool flight_list_has(const accel_flight *first, const accel_singleflight *table)
{
  for (; first != NULL; first = first->running_next)
    if (first->table == table) return true;
  return false;
}

bool accel_singleflight_is_used_here(const accel_singleflight *table)
{
  return flight_list_has(singleflight_thread.running, table) ||
         flight_list_has(singleflight_thread.unfinished, table);
}

bool accel_singleflight_is_running(void)
{
  return singleflight_thread.running != NULL;
}

#include "tick.h"

#include "atomic.h"
#include "clock.h"
#include "system.h"
#include "thread.h"

uint64_t accel_tick_word = ACCEL_TICK_NONE;

static accel_mutex tick_mutex = ACCEL_MUTEX_INITIALIZER; /* guards all that follows */
static size_t tick_holders;
static uintptr_t tick_turn; /* whose turn it is to tick: threads of other turns end */
static bool tick_is_ready;  /* the condition is open */
static bool tick_runs;
static accel_condition tick_turned;
static accel_thread tick_thread;

static void tick_once(void)
{
  accel_store_relaxed(&accel_tick_word, accel_clock_read(NULL) << ACCEL_TICK_SHIFT);
}

static void tick_run(void *turn)
{
  accel_mutex_lock(&tick_mutex);
  while (tick_turn == (uintptr_t)turn) {
    tick_once();
    accel_condition_wait(&tick_turned, &tick_mutex, accel_clock_deadline(ACCEL_TICK_MS));
  }
  accel_mutex_unlock(&tick_mutex);
}

/* The thread is not in the child, and another of the parent's may have held the mutex. */
static void tick_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  tick_mutex = fresh;
  tick_is_ready = false;
  tick_runs = false;
  accel_store_relaxed(&accel_tick_word, ACCEL_TICK_NONE);
}

static accel_fork_handler tick_handler = {.child = tick_fork_child};

static bool tick_get_ready(void)
{
  const bool survives_forks = accel_fork_register(&tick_handler);
  tick_is_ready = tick_is_ready || (survives_forks && accel_condition_open(&tick_turned));
  return tick_is_ready;
}

void accel_tick_hold(void)
{
  accel_mutex_lock(&tick_mutex);
  tick_holders++;
  if (!tick_runs && tick_get_ready()) {
    tick_turn++;
    tick_runs = accel_thread_start(&tick_thread, tick_run, (void *)tick_turn);
    if (tick_runs) tick_once(); /* the thread may take its time to begin */
  }
  accel_mutex_unlock(&tick_mutex);
}

void accel_tick_release(void)
{
  accel_mutex_lock(&tick_mutex);
  tick_holders--;
  const bool ends = tick_holders == 0 && tick_runs;
  const accel_thread thread = tick_thread;
  if (ends) {
    tick_runs = false;
    tick_turn++;
    accel_store_relaxed(&accel_tick_word, ACCEL_TICK_NONE);
    accel_condition_broadcast(&tick_turned);
  }
  accel_mutex_unlock(&tick_mutex);
  if (ends) accel_thread_join(thread);
}

#include "tick.h"

#include "clock.h"
#include "fork.h"
#include "thread.h"

uint64_t accel_tick_word = ACCEL_TICK_NONE;
uint64_t accel_tick_unit;

static accel_mutex tick_mutex = ACCEL_MUTEX_INITIALIZER; /* guards all that follows */
static size_t tick_holders;
static uintptr_t tick_turn; /* whose turn it is to tick: threads of other turns end */
static bool tick_is_ready;  /* the condition is open */
static bool tick_runs;
static accel_condition tick_turned;
static accel_thread tick_thread;
static bool tick_is_measured; /* accel_tick_unit is what it will be */
static uint64_t tick_count;   /* the counter, and the moment, of the last line */
static uint64_t tick_moment;

/* ---- the counter ---- */

#define TICK_MEASURES 3u
#define TICK_MEASURE_NS 50000u
#define TICK_NS_MAX 8000000000u /* of a period: slower would be too coarse */

/* What a period takes at most. What was counted was counted within the time that passed. */
static uint64_t tick_measure_ns(void)
{
  const uint64_t begun_ns = accel_clock_monotonic_ns();
  const uint64_t from = accel_counter_read();
  while (accel_clock_monotonic_ns() < begun_ns + TICK_MEASURE_NS) {}
  const uint64_t counted = accel_counter_read() - from;
  const uint64_t passed_ns = accel_clock_monotonic_ns() - begun_ns;
  if (counted == 0 || passed_ns > UINT32_MAX) return UINT64_MAX;
  const uint64_t period_ns = (passed_ns << ACCEL_COUNTER_SHIFT) / counted + 1;
  return period_ns > TICK_NS_MAX ? UINT64_MAX : period_ns;
}

/* The system may steer its clock by half a thousandth: two are added. No unit: no counter. */
static void tick_measure(void)
{
  uint64_t least_ns = UINT64_MAX;
  for (unsigned i = 0; i < TICK_MEASURES && accel_counter_is_steady(); i++) {
    const uint64_t period_ns = tick_measure_ns();
    if (period_ns < least_ns) least_ns = period_ns;
  }
  tick_is_measured = true;
  if (least_ns == UINT64_MAX) return;
  const uint64_t longest_ns = least_ns + least_ns / 500;
  const uint64_t unit = (longest_ns << ACCEL_TICK_SHIFT) / 1000000u + 1;
  if (accel_counter_period() > ((uint64_t)1 << 60) / unit)
    return; /* NONE would not be the latest */
  accel_store_relaxed(&accel_tick_unit, unit);
}

/* What so many counts take at most. */
static uint64_t tick_length(uint64_t counts)
{
  __extension__ typedef unsigned __int128 tick_wide;
  return (uint64_t)((tick_wide)counts * accel_tick_unit >> ACCEL_COUNTER_SHIFT);
}

/* Whether the last line was right until now. */
static bool tick_is_right(uint64_t count, uint64_t moment)
{
  return count >= tick_count && moment <= tick_moment + tick_length(count - tick_count);
}

static void tick_once(void)
{
  if (accel_tick_unit == 0) return;
  const uint64_t before = accel_clock_monotonic_ms() << ACCEL_TICK_SHIFT;
  const uint64_t count = accel_counter_read();
  const uint64_t after = (accel_clock_monotonic_ms() + 1) << ACCEL_TICK_SHIFT;
  if (tick_moment != 0 && !tick_is_right(count, before)) {
    accel_store_release(&accel_tick_word, ACCEL_TICK_NONE);
    accel_store_relaxed(&accel_tick_unit, (uint64_t)0); /* never again */
    return;
  }
  tick_count = count;
  tick_moment = after;
  const uint64_t whole = (uint64_t)1 << ACCEL_COUNTER_SHIFT;
  const uint64_t period = count >> ACCEL_COUNTER_SHIFT;
  const uint64_t end = after + tick_length(whole - (count & (whole - 1))) + 1;
  accel_store_release(&accel_tick_word, end - period * accel_tick_unit);
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
  if (!tick_is_measured) accel_store_relaxed(&accel_tick_unit, (uint64_t)0); /* it may be half so */
  tick_count = tick_moment = 0;
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
    if (!tick_is_measured) tick_measure();
    tick_moment = 0; /* nobody has watched the counter meanwhile */
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

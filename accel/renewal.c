#include "renewal.h"

#include "platform/fork.h"

static accel_mutex renewal_mutex = ACCEL_MUTEX_INITIALIZER; /* guards all that follows */
static accel_renewal *renewal_members;
static uintptr_t renewal_turn; /* whose turn it is: threads of other turns end */
static bool renewal_is_ready;  /* the conditions are open */
static bool renewal_runs;
static accel_condition renewal_changed; /* a member, what is due, or the turn */
static accel_condition renewal_rested;  /* a member's run is over */
static accel_thread renewal_thread;

/* The thread is not in the child, and the members are the parent's. */
static void renewal_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  for (accel_renewal *each = renewal_members; each != NULL; each = each->next)
    each->has_joined = false;
  renewal_mutex = fresh;
  renewal_members = NULL;
  renewal_is_ready = false;
  renewal_runs = false;
}

static accel_fork_handler renewal_handler = {.child = renewal_fork_child};

static accel_renewal *renewal_first_due(void)
{
  accel_renewal *first = renewal_members;
  for (accel_renewal *each = first; each != NULL; each = each->next)
    if (each->due_ms < first->due_ms) first = each;
  return first;
}

static void renewal_serve(accel_renewal *member)
{
  member->is_running = true;
  member->due_ms = ACCEL_NO_DEADLINE;
  accel_mutex_unlock(&renewal_mutex);
  const uint64_t due_ms = member->run(member->ctx);
  accel_mutex_lock(&renewal_mutex);
  member->is_running = false;
  if (due_ms < member->due_ms) member->due_ms = due_ms;
  accel_condition_broadcast(&renewal_rested);
}

static void renewal_run(void *turn)
{
  accel_mutex_lock(&renewal_mutex);
  while (renewal_turn == (uintptr_t)turn) {
    accel_renewal *member = renewal_first_due();
    if (member != NULL && member->due_ms <= accel_clock_monotonic_ms())
      renewal_serve(member);
    else
      accel_condition_wait(&renewal_changed, &renewal_mutex,
                           member == NULL ? ACCEL_NO_DEADLINE : member->due_ms);
  }
  accel_mutex_unlock(&renewal_mutex);
}

static bool renewal_get_ready(void)
{
  if (renewal_is_ready) return true;
  if (!accel_fork_register(&renewal_handler)) return false;
  if (!accel_condition_open(&renewal_changed)) return false;
  renewal_is_ready = accel_condition_open(&renewal_rested);
  if (!renewal_is_ready) accel_condition_close(&renewal_changed);
  return renewal_is_ready;
}

bool accel_renewal_join(accel_renewal *renewal)
{
  accel_mutex_lock(&renewal_mutex);
  if (!renewal_runs && renewal_get_ready()) {
    renewal_turn++;
    renewal_runs = accel_thread_start(&renewal_thread, renewal_run, (void *)renewal_turn);
  }
  renewal->has_joined = renewal_runs;
  if (renewal->has_joined) {
    renewal->due_ms = ACCEL_NO_DEADLINE;
    renewal->next = renewal_members;
    renewal_members = renewal;
  }
  accel_mutex_unlock(&renewal_mutex);
  return renewal->has_joined;
}

void accel_renewal_leave(accel_renewal *renewal)
{
  if (!renewal->has_joined) return;
  accel_mutex_lock(&renewal_mutex);
  while (renewal->is_running)
    accel_condition_wait(&renewal_rested, &renewal_mutex, ACCEL_NO_DEADLINE);
  accel_renewal **place = &renewal_members;
  while (*place != renewal) place = &(*place)->next;
  *place = renewal->next;
  renewal->has_joined = false;
  const bool ends = renewal_members == NULL;
  const accel_thread thread = renewal_thread;
  if (ends) {
    renewal_runs = false;
    renewal_turn++;
    accel_condition_broadcast(&renewal_changed);
  }
  accel_mutex_unlock(&renewal_mutex);
  if (ends) accel_thread_join(thread);
}

void accel_renewal_ask(accel_renewal *renewal, uint64_t due_ms)
{
  accel_mutex_lock(&renewal_mutex);
  if (renewal->has_joined && due_ms < renewal->due_ms) {
    renewal->due_ms = due_ms;
    accel_condition_signal(&renewal_changed);
  }
  accel_mutex_unlock(&renewal_mutex);
}

#include "fork.h"

#include "atomic.h"

#include <pthread.h>

static pthread_mutex_t fork_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static bool fork_ready;
static accel_fork_handler *fork_handlers;
static uint64_t fork_count;

static void fork_prepare(void)
{
  pthread_mutex_lock(&fork_mutex);
}

static void fork_parent(void)
{
  pthread_mutex_unlock(&fork_mutex);
}

static void process_fork_child(void)
{
  accel_add_relaxed(&fork_count, 1u);
  for (accel_fork_handler *each = fork_handlers; each != NULL; each = each->next)
    each->child(each->ctx);
  pthread_mutex_unlock(&fork_mutex);
}

static void fork_install(void)
{
  const int failed = pthread_atfork(fork_prepare, fork_parent, process_fork_child);
  accel_store_release(&fork_ready, failed == 0);
}

uint64_t accel_fork_generation(void)
{
  if (!accel_load_acquire(&fork_ready)) /* the caller wants later forks counted */
    pthread_once(&fork_once, fork_install);
  return accel_load_relaxed(&fork_count);
}

bool accel_fork_register(accel_fork_handler *handler)
{
  pthread_once(&fork_once, fork_install);
  if (!fork_ready) return false;
  pthread_mutex_lock(&fork_mutex);
  if (!handler->is_registered) {
    handler->is_registered = true;
    handler->previous = NULL;
    handler->next = fork_handlers;
    if (handler->next != NULL) handler->next->previous = handler;
    fork_handlers = handler;
  }
  pthread_mutex_unlock(&fork_mutex);
  return true;
}

void accel_fork_unregister(accel_fork_handler *handler)
{
  pthread_mutex_lock(&fork_mutex);
  if (handler->next != NULL) handler->next->previous = handler->previous;
  if (handler->previous != NULL) handler->previous->next = handler->next;
  if (fork_handlers == handler) fork_handlers = handler->next;
  handler->is_registered = false;
  pthread_mutex_unlock(&fork_mutex);
}

/* ---- open objects ---- */

static accel_opened *fork_opened; /* under the mutex of the forks */

static uint64_t fork_opened_lock(void)
{
  const uint64_t generation = accel_fork_generation(); /* installs the handlers of a fork */
  pthread_mutex_lock(&fork_mutex);
  return generation;
}

void accel_opened_add(accel_opened *entry, const void *object, const void *kind)
{
  entry->fork_generation = fork_opened_lock();
  entry->object = object;
  entry->kind = kind;
  entry->previous = NULL;
  entry->next = fork_opened;
  if (entry->next != NULL) entry->next->previous = entry;
  fork_opened = entry;
  pthread_mutex_unlock(&fork_mutex);
}

void accel_opened_remove(accel_opened *entry)
{
  if (entry->object == NULL) return;
  fork_opened_lock();
  if (entry->next != NULL) entry->next->previous = entry->previous;
  if (entry->previous != NULL) entry->previous->next = entry->next;
  if (fork_opened == entry) fork_opened = entry->next;
  entry->object = NULL;
  pthread_mutex_unlock(&fork_mutex);
}

accel_opened_by accel_opened_find(const void *object, const void *kind)
{
  const uint64_t generation = fork_opened_lock();
  const accel_opened *entry = fork_opened; /* the newest is the first */
  while (entry != NULL && (entry->object != object || entry->kind != kind)) entry = entry->next;
  accel_opened_by by = ACCEL_OPENED_BY_NOBODY;
  if (entry != NULL)
    by = entry->fork_generation == generation ? ACCEL_OPENED_BY_US : ACCEL_OPENED_BY_PARENT;
  pthread_mutex_unlock(&fork_mutex);
  return by;
}

#include "thread.h"

#include "atomic.h"
#include "clock.h"
#include "fork.h"
#include "slot.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* ---- cancellation ---- */

static ACCEL_THREAD_LOCAL struct {
  uint32_t holds;
  int before; /* the state outside of them */
} thread_cancel;

void accel_cancel_hold(void)
{
  if (thread_cancel.holds++ == 0)
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &thread_cancel.before);
}

void accel_cancel_enter(void)
{
  if (thread_cancel.holds == 0) pthread_testcancel();
  accel_cancel_hold();
}

void accel_cancel_release(void)
{
  int held;
  if (--thread_cancel.holds == 0) pthread_setcancelstate(thread_cancel.before, &held);
}

uint32_t accel_cancel_suspend(void)
{
  int held;
  const uint32_t holds = thread_cancel.holds;
  thread_cancel.holds = 0;
  if (holds > 0) pthread_setcancelstate(thread_cancel.before, &held);
  return holds;
}

void accel_cancel_resume(uint32_t holds)
{
  if (holds > 0) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &thread_cancel.before);
  thread_cancel.holds = holds;
}

typedef struct thread_guarded {
  void (*run)(void *ctx);
  void (*left)(void *ctx);
  void *ctx;
} thread_guarded;

/* The thread is ending: what it held back stays so for the rest of its life. */
static void thread_leave_guarded(void *guarded_pointer)
{
  const thread_guarded *guarded = (const thread_guarded *)guarded_pointer;
  accel_cancel_hold();
  guarded->left(guarded->ctx);
}

void accel_thread_guard(void (*run)(void *ctx), void (*left)(void *ctx), void *ctx)
{
  thread_guarded guarded = {run, left, ctx};
  pthread_cleanup_push(thread_leave_guarded, &guarded);
  guarded.run(guarded.ctx);
  pthread_cleanup_pop(0);
}

/* ---- mutex and condition ---- */

bool accel_mutex_open(accel_mutex *mutex)
{
  return pthread_mutex_init(&mutex->native, NULL) == 0;
}

void accel_mutex_close(accel_mutex *mutex)
{
  pthread_mutex_destroy(&mutex->native);
}

static void thread_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#define THREAD_PAUSES_MAX 64u

/* What a mutex guards mostly takes a tenth of a microsecond; to sleep and be woken takes many. So a
 * thread that finds it held tries again for two microseconds before it sleeps. */
static ACCEL_COLD void thread_lock_held(accel_mutex *mutex)
{
  for (unsigned pauses = 1; pauses <= THREAD_PAUSES_MAX; pauses *= 2) {
    if (pthread_mutex_trylock(&mutex->native) == 0) return;
    for (unsigned i = 0; i < pauses; i++) thread_pause();
  }
  pthread_mutex_lock(&mutex->native);
}

void accel_mutex_lock(accel_mutex *mutex)
{
  if (pthread_mutex_trylock(&mutex->native) != 0) thread_lock_held(mutex);
}

bool accel_mutex_try_lock(accel_mutex *mutex)
{
  return pthread_mutex_trylock(&mutex->native) == 0;
}

void accel_mutex_unlock(accel_mutex *mutex)
{
  pthread_mutex_unlock(&mutex->native);
}

bool accel_condition_open(accel_condition *condition)
{
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return false;
  const bool opened = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(&condition->native, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  return opened;
}

void accel_condition_close(accel_condition *condition)
{
  pthread_cond_destroy(&condition->native);
}

void accel_condition_signal(accel_condition *condition)
{
  pthread_cond_signal(&condition->native);
}

void accel_condition_broadcast(accel_condition *condition)
{
  pthread_cond_broadcast(&condition->native);
}

static bool thread_wait(accel_condition *condition, accel_mutex *mutex, uint64_t deadline_ms)
{
  if (deadline_ms == ACCEL_NO_DEADLINE) {
    pthread_cond_wait(&condition->native, &mutex->native);
    return true;
  }
  struct timespec until;
  until.tv_sec = (time_t)(deadline_ms / 1000u);
  until.tv_nsec = (long)(deadline_ms % 1000u) * 1000000L;
  return pthread_cond_timedwait(&condition->native, &mutex->native, &until) != ETIMEDOUT;
}

/* The only thing that a thread does with a mutex at which it could be cancelled. */
ACCEL_NOINLINE bool accel_condition_wait(accel_condition *condition, accel_mutex *mutex,
                                         uint64_t deadline_ms)
{
  accel_cancel_hold();
  const bool in_time = thread_wait(condition, mutex, deadline_ms);
  accel_cancel_release();
  return in_time;
}

/* ---- threads ---- */

typedef struct thread_start {
  void (*run)(void *ctx);
  void *ctx;
} thread_start;

static void *thread_main(void *start_pointer)
{
  const thread_start start = *(thread_start *)start_pointer;
  ACCEL_FREE(start_pointer);
  accel_cancel_hold(); /* for good: code of the user's may know the thread, and cancel it */
  start.run(start.ctx);
  return NULL;
}

bool accel_thread_start(accel_thread *thread, void (*run)(void *ctx), void *ctx)
{
  thread_start *start = (thread_start *)ACCEL_MALLOC(sizeof *start);
  if (start == NULL) return false;
  start->run = run;
  start->ctx = ctx;
  /* The program's signal handlers run on the program's threads: ours inherit a full mask. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failed = pthread_create(&thread->native, NULL, thread_main, start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed != 0) ACCEL_FREE(start);
  return failed == 0;
}

void accel_thread_join(accel_thread thread)
{
  accel_cancel_hold();
  pthread_join(thread.native, NULL);
  accel_cancel_release();
}

void accel_thread_detach(accel_thread thread)
{
  pthread_detach(thread.native);
}

void accel_thread_yield(void)
{
  sched_yield();
}

void accel_thread_sleep(uint32_t us)
{
  const struct timespec length = {.tv_sec = us / 1000000u, .tv_nsec = (long)(us % 1000000u) * 1000};
  accel_cancel_hold();
  nanosleep(&length, NULL);
  accel_cancel_release();
}

/* ---- what a thread owns ---- */

typedef struct thread_scratch {
  struct thread_scratch *next, *previous;
  uint64_t bytes[];
} thread_scratch;

/* One key for all that has to happen when a thread ends. Scratches are listed, because a thread may
 * outlive the key: the object that holds this code may be unloaded before. */
static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static bool thread_key_ready;
static accel_mutex thread_mutex = ACCEL_MUTEX_INITIALIZER; /* guards the list */
static thread_scratch *thread_scratches;

static ACCEL_THREAD_LOCAL struct {
  thread_scratch *scratch;
  void (*leave)(void);
} thread_own;

ACCEL_THREAD_LOCAL uint32_t accel_thread_slot;
ACCEL_THREAD_LOCAL uint32_t accel_thread_offset;

static uint8_t thread_slot_taken[ACCEL_THREAD_SLOTS];

/* The list is whole in a child unless another thread was changing it just then: what it had is
 * lost, and the thread's own is listed anew. */
static void thread_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  thread_mutex = fresh;
  for (uint32_t slot = 1; slot < ACCEL_THREAD_SLOTS; slot++) /* the other threads are not here */
    if (slot != accel_thread_slot) accel_store_relaxed(&thread_slot_taken[slot], (uint8_t)0);
  thread_scratches = thread_own.scratch;
  if (thread_scratches == NULL) return;
  thread_scratches->next = thread_scratches->previous = NULL;
}

static accel_fork_handler thread_handler = {.child = thread_fork_child};

static void thread_scratch_list(thread_scratch *scratch)
{
  accel_mutex_lock(&thread_mutex);
  scratch->previous = NULL;
  scratch->next = thread_scratches;
  if (scratch->next != NULL) scratch->next->previous = scratch;
  thread_scratches = scratch;
  accel_mutex_unlock(&thread_mutex);
}

static void thread_scratch_free(thread_scratch *scratch)
{
  if (scratch == NULL) return;
  accel_mutex_lock(&thread_mutex);
  if (scratch->next != NULL) scratch->next->previous = scratch->previous;
  if (scratch->previous != NULL) scratch->previous->next = scratch->next;
  if (thread_scratches == scratch) thread_scratches = scratch->next;
  accel_mutex_unlock(&thread_mutex);
  ACCEL_FREE(scratch);
}

/* The release hands the thread's counters to the number's next owner. */
static void thread_slot_release(void)
{
  const uint32_t slot = accel_thread_slot;
  accel_thread_slot = accel_thread_offset = 0;
  if (slot != 0) accel_store_release(&thread_slot_taken[slot], (uint8_t)0);
}

static void thread_end(void *unused)
{
  (void)unused;
  void (*leave)(void) = thread_own.leave;
  thread_own.leave = NULL;
  if (leave != NULL) leave();
  thread_scratch_free(thread_own.scratch);
  thread_own.scratch = NULL;
  thread_slot_release();
}

static void thread_make_key(void)
{
  const bool is_ready = accel_fork_register(&thread_handler);
  thread_key_ready = is_ready && pthread_key_create(&thread_key, thread_end) == 0;
}

bool accel_thread_note_end(void)
{
  pthread_once(&thread_key_once, thread_make_key);
  return thread_key_ready && pthread_setspecific(thread_key, &thread_own) == 0;
}

uint32_t accel_thread_slot_acquire(void)
{
  if (accel_thread_slot != 0) return accel_thread_slot;
  if (!accel_thread_note_end()) return 0;
  for (uint32_t slot = 1; slot < ACCEL_THREAD_SLOTS; slot++) {
    if (accel_load_relaxed(&thread_slot_taken[slot]) != 0) continue;
    if (accel_exchange_acquire(&thread_slot_taken[slot], (uint8_t)1) != 0) continue;
    accel_thread_slot = slot;
    accel_thread_offset = slot * ACCEL_CACHE_LINE;
    return slot;
  }
  return 0;
}

bool accel_thread_on_end(void (*leave)(void))
{
  if (thread_own.leave == NULL && !accel_thread_note_end()) return false;
  thread_own.leave = leave;
  return true;
}

void *accel_thread_scratch(size_t size)
{
  thread_scratch_free(thread_own.scratch);
  thread_own.scratch = NULL;
  if (size > SIZE_MAX - sizeof(thread_scratch) || !accel_thread_note_end()) return NULL;
  thread_scratch *scratch = (thread_scratch *)ACCEL_MALLOC(sizeof *scratch + size);
  if (scratch == NULL) return NULL;
  thread_scratch_list(scratch);
  thread_own.scratch = scratch;
  return scratch->bytes;
}

/* ---- unloading ---- */

static uint32_t thread_object_holds; /* atomic */

void accel_object_hold(void)
{
  accel_add_relaxed(&thread_object_holds, 1u);
}

void accel_object_release(void)
{
  accel_sub_acq_rel(&thread_object_holds, 1u);
}

/* Threads that used the object may live on: nothing of it runs when they end. This is also called
 * when the program ends, where other threads may still use an open cache: then nothing is done. Of
 * the priorities that users may have it is the one that comes last, behind destructors of theirs
 * that close caches. */
__attribute__((destructor(101))) static void thread_unload(void)
{
  if (accel_load_acquire(&thread_object_holds) > 0) return;
  if (thread_key_ready) pthread_key_delete(thread_key);
  thread_key_ready = false;
  while (thread_scratches != NULL) thread_scratch_free(thread_scratches);
}

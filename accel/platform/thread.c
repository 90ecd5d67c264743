#include "thread.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

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

/* What is guarded takes a tenth of a microsecond mostly; to sleep and be woken takes many. So who
 * finds it held looks again a few times, for two microseconds in all, before he sleeps. */
void accel_mutex_lock(accel_mutex *mutex)
{
  for (unsigned pauses = 1; pauses <= THREAD_PAUSES_MAX; pauses *= 2) {
    if (pthread_mutex_trylock(&mutex->native) == 0) return;
    for (unsigned i = 0; i < pauses; i++) thread_pause();
  }
  pthread_mutex_lock(&mutex->native);
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

bool accel_condition_wait(accel_condition *condition, accel_mutex *mutex, uint64_t deadline_ms)
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

typedef struct thread_start {
  void (*run)(void *ctx);
  void *ctx;
} thread_start;

static void *thread_main(void *start_pointer)
{
  const thread_start start = *(thread_start *)start_pointer;
  ACCEL_FREE(start_pointer);
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
  pthread_join(thread.native, NULL);
}

void accel_thread_detach(accel_thread thread)
{
  pthread_detach(thread.native);
}

static pthread_key_t thread_scratch_key;
static pthread_once_t thread_scratch_once = PTHREAD_ONCE_INIT;
static bool thread_scratch_ready;

static void thread_scratch_free(void *scratch)
{
  ACCEL_FREE(scratch);
}

static void thread_scratch_make_key(void)
{
  thread_scratch_ready = pthread_key_create(&thread_scratch_key, thread_scratch_free) == 0;
}

void *accel_thread_scratch(size_t size)
{
  pthread_once(&thread_scratch_once, thread_scratch_make_key);
  if (!thread_scratch_ready) return NULL;
  ACCEL_FREE(pthread_getspecific(thread_scratch_key));
  void *scratch = ACCEL_MALLOC(size == 0 ? 1 : size);
  if (pthread_setspecific(thread_scratch_key, scratch) == 0) return scratch;
  ACCEL_FREE(scratch);
  return NULL;
}

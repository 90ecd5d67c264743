/* thread.h: mutex, condition, threads, and what a thread owns (layer 0).
 *
 * For .c files only: headers that users see do not include it, so that they need no POSIX.
 * Threads: any, unless a function says otherwise.
 *
 * A thread may be cancelled, or leave by pthread_exit, while it uses the library. Only deferred
 * cancellation is supported: it takes effect where a thread waits, does input or output, or runs
 * the user's code. So a thread of the user's holds it back around these (accel_cancel_hold), and
 * the library's own threads always do; a mutex needs nothing. Where the user's code may leave,
 * accel_thread_guard calls what has to clean up.
 */
#ifndef ACCEL_PLATFORM_THREAD_H
#define ACCEL_PLATFORM_THREAD_H

#include "../base.h"

#include <pthread.h>

ACCEL_EXTERN_C_BEGIN

typedef struct accel_mutex {
  pthread_mutex_t native;
} accel_mutex;
typedef struct accel_condition {
  pthread_cond_t native;
} accel_condition;
typedef struct accel_thread {
  pthread_t native;
} accel_thread;

/* For one that lives as long as the program and is never opened or closed. */
#define ACCEL_MUTEX_INITIALIZER \
  { \
    PTHREAD_MUTEX_INITIALIZER \
  }

/* False: the system has no memory for it, and there is nothing to close. */
bool accel_mutex_open(accel_mutex *mutex);
void accel_mutex_close(accel_mutex *mutex);
void accel_mutex_lock(accel_mutex *mutex);
/* False: it is held. In a forked child: by a thread that is not there any more. */
bool accel_mutex_try_lock(accel_mutex *mutex);
void accel_mutex_unlock(accel_mutex *mutex);

/* Waits on the system's monotonic clock. */
bool accel_condition_open(accel_condition *condition);
void accel_condition_close(accel_condition *condition);
void accel_condition_signal(accel_condition *condition);
void accel_condition_broadcast(accel_condition *condition);
/* False: `deadline_ms` (accel_clock_monotonic_ms, or ACCEL_NO_DEADLINE) passed. May wake early.
 * Holds cancellation back. */
bool accel_condition_wait(accel_condition *condition, accel_mutex *mutex, uint64_t deadline_ms);

/* In between no cancellation of the calling thread takes effect. They nest. */
void accel_cancel_hold(void);
void accel_cancel_release(void);
/* The same, and a cancellation that is pending takes effect before it: where a call begins that may
 * wait, and holds nothing yet. */
void accel_cancel_enter(void);
/* While code of the user's runs that may be cancelled: as if nothing were held back. Returns what
 * resume needs. Not while a mutex is held. */
uint32_t accel_cancel_suspend(void);
void accel_cancel_resume(uint32_t holds);

/* Runs `run(ctx)`. If the thread ends within it, calls `left(ctx)` on the way out instead of
 * returning; there cancellation is held back. */
void accel_thread_guard(void (*run)(void *ctx), void (*left)(void *ctx), void *ctx);
/* Calls `leave` when the calling thread ends, whatever ends it; a thread has one at most. False: no
 * memory. */
bool accel_thread_on_end(void (*leave)(void));
/* Gives back what the thread owns here when it ends. False: no memory. */
bool accel_thread_note_end(void);

/* A shared object that holds this code leaves nothing behind when it is unloaded, provided that
 * nobody holds it then: no pthread key, and no memory of threads that live on. */
void accel_object_hold(void);
void accel_object_release(void);

/* Starts `run(ctx)` on a thread that blocks all signals and holds cancellation back. False: no
 * thread could be started. */
bool accel_thread_start(accel_thread *thread, void (*run)(void *ctx), void *ctx);
void accel_thread_join(accel_thread thread);
/* It ends by itself, joined by nobody. */
void accel_thread_detach(accel_thread thread);

/* Lets others run. */
void accel_thread_yield(void);
/* Holds cancellation back. */
void accel_thread_sleep(uint32_t us);

/* Gives the calling thread a buffer of at least `size` bytes that lives until the thread's next
 * call or its end. NULL: no memory. */
void *accel_thread_scratch(size_t size);

ACCEL_EXTERN_C_END
#endif

/* journal.h: changes of state on their way to a program's log (layer 2).
 *
 * A thread that notices a change may hold locks, and must not wait; a log may be slow, and may call
 * the cache. So a change is noted here, in memory allocated at open, and a thread of
 * the journal's own hands it to the log, with no lock held.
 *
 * A server that comes and goes all the time must not fill a disk. The first 32 changes are logged
 * one by one, and from then on one a second. While none may be logged, the last change of each
 * subject is kept, so that the final state is always logged, with the number of changes that were
 * left out before.
 *
 * Only for .c files: it needs threads. Threads: any, but open, close and abandon.
 */
#ifndef ACCEL_JOURNAL_H
#define ACCEL_JOURNAL_H

#include "log.h"
#include "platform/thread.h"

#define ACCEL_JOURNAL_ENTRIES 64u
#define ACCEL_JOURNAL_BURST 32u
#define ACCEL_JOURNAL_PAUSE_MS 1000u
#define ACCEL_JOURNAL_TEXT 320u

typedef struct accel_journal_entry {
  uint64_t wall_time_ms;
  uint64_t subject;        /* what has changed: later changes of it may replace this one */
  const char *op, *result; /* constants */
  accel_log_level level;
  uint32_t left_out;
  bool waits; /* it came when no more were allowed */
  char message[ACCEL_JOURNAL_TEXT];
} accel_journal_entry;

typedef struct accel_journal {
  void (*log)(void *ctx, const accel_log_record *record);
  void *log_ctx;
  const char *area;
  accel_mutex mutex;         /* guards what follows */
  accel_condition changed;   /* an entry, the end, or the thread is idle again */
  accel_journal_entry *ring; /* ACCEL_JOURNAL_ENTRIES; NULL: not open */
  size_t first, count;
  uint32_t allowed;            /* entries that may be logged at once */
  uint32_t lost;               /* changes without an entry; the next one counts them */
  uint64_t allowed_ms;         /* when one more was allowed */
  bool is_logging, has_to_end; /* the log is called; no more is noted */
  bool has_left;               /* the log ended the thread */
  accel_journal_entry current; /* the thread's own */
  accel_thread thread;
} accel_journal;

ACCEL_EXTERN_C_BEGIN

/* A zeroed one. `area` and what `ctx` points to live longer. False: no memory or thread; nothing is
 * held then. */
bool accel_journal_open(accel_journal *journal,
                        void (*log)(void *ctx, const accel_log_record *record), void *ctx,
                        const char *area);
/* Notes a change, unless the journal is not open or ends. Does not wait for the log. `subject`
 * names, within the op, what has changed: "" where there is one. */
void accel_journal_note(accel_journal *journal, accel_log_level level, const char *op,
                        const char *result, const char *subject, const char *message);
/* The log is not being called, and will not be until release, before which the holder does not
 * wait. False: not by the deadline, and it is not held. */
bool accel_journal_hold(accel_journal *journal, uint64_t deadline_ms);
void accel_journal_release(accel_journal *journal);
/* Nothing more is noted, and all that was is logged. False: not by the deadline. */
bool accel_journal_drain(accel_journal *journal, uint64_t deadline_ms);
/* Drains it, and ends the thread. Not on that thread. */
void accel_journal_close(accel_journal *journal);
/* Whether the calling thread is the journal's own, which is in the log then. */
bool accel_journal_runs_here(const accel_journal *journal);
/* Frees the memory alone: in a forked child. */
void accel_journal_abandon(accel_journal *journal);

ACCEL_EXTERN_C_END
#endif

#include "journal.h"

#include "hash.h"
#include "platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ACCEL_THREAD_LOCAL const accel_journal *journal_here; /* of the thread that it is */

/* ---- noting ---- */

static accel_journal_entry *journal_at(const accel_journal *journal, size_t i)
{
  return &journal->ring[(journal->first + i) % ACCEL_JOURNAL_ENTRIES];
}

/* With the mutex held. */
static void journal_allow(accel_journal *journal, uint64_t now_ms)
{
  const uint64_t passed = (now_ms - journal->allowed_ms) / ACCEL_JOURNAL_PAUSE_MS;
  if (passed == 0) return;
  const uint64_t room = ACCEL_JOURNAL_BURST - journal->allowed;
  journal->allowed += (uint32_t)(passed < room ? passed : room);
  journal->allowed_ms += passed * ACCEL_JOURNAL_PAUSE_MS;
}

/* With the mutex held: the entry for a change of the subject. NULL: there is no room. */
static accel_journal_entry *journal_place(accel_journal *journal, uint64_t subject)
{
  for (size_t i = 0; i < journal->count; i++) {
    accel_journal_entry *entry = journal_at(journal, i);
    if (!entry->waits || entry->subject != subject) continue;
    entry->left_out++;
    return entry;
  }
  if (journal->count == ACCEL_JOURNAL_ENTRIES) return NULL;
  accel_journal_entry *entry = journal_at(journal, journal->count++);
  entry->subject = subject;
  entry->left_out = journal->lost;
  entry->waits = journal->allowed == 0;
  if (!entry->waits) journal->allowed--;
  journal->lost = 0;
  return entry;
}

void accel_journal_note(accel_journal *journal, accel_log_level level, const char *op,
                        const char *result, const char *subject, const char *message)
{
  if (journal->ring == NULL) return;
  accel_mutex_lock(&journal->mutex);
  journal_allow(journal, accel_clock_monotonic_ms());
  /* Two subjects that collide are logged less often than they might be, if both change often. */
  const uint64_t hash = accel_hash_fnv(accel_hash_fnv(ACCEL_HASH_FNV_START, op), subject);
  accel_journal_entry *entry = journal->has_to_end ? NULL : journal_place(journal, hash);
  if (entry == NULL) {
    journal->lost++;
  } else {
    entry->wall_time_ms = accel_clock_wall_ms();
    entry->op = op;
    entry->result = result;
    entry->level = level;
    snprintf(entry->message, sizeof entry->message, "%s", message);
    accel_condition_broadcast(&journal->changed);
  }
  accel_mutex_unlock(&journal->mutex);
}

/* ---- logging ---- */

static void journal_call_log(accel_journal *journal)
{
  const accel_journal_entry *entry = &journal->current;
  const accel_log_record record = {
      .area = journal->area,
      .op = entry->op,
      .result = entry->result,
      .error_kind = "",
      .message = entry->message,
      .level = entry->level,
      .left_out = entry->left_out,
      .wall_time_ms = entry->wall_time_ms,
  };
  journal->log(journal->log_ctx, &record);
}

/* With the mutex held: when the first entry may be logged. */
static uint64_t journal_due_ms(const accel_journal *journal)
{
  if (journal->count == 0) return ACCEL_NO_DEADLINE;
  const bool is_due = !journal_at(journal, 0)->waits || journal->allowed > 0;
  return is_due || journal->has_to_end ? 0 : journal->allowed_ms + ACCEL_JOURNAL_PAUSE_MS;
}

/* With the mutex held, but not while the log is called. */
static void journal_log_first(accel_journal *journal)
{
  journal->current = *journal_at(journal, 0);
  if (journal->current.waits && journal->allowed > 0) journal->allowed--;
  journal->first = (journal->first + 1) % ACCEL_JOURNAL_ENTRIES;
  journal->count--;
  journal->is_logging = true;
  accel_mutex_unlock(&journal->mutex);
  journal_call_log(journal);
  accel_mutex_lock(&journal->mutex);
  journal->is_logging = false;
  accel_condition_broadcast(&journal->changed);
}

static void journal_run(void *journal_pointer)
{
  accel_journal *journal = (accel_journal *)journal_pointer;
  accel_mutex_lock(&journal->mutex);
  while (journal->count > 0 || !journal->has_to_end) {
    journal_allow(journal, accel_clock_monotonic_ms());
    const uint64_t due_ms = journal_due_ms(journal);
    if (due_ms == 0)
      journal_log_first(journal);
    else
      accel_condition_wait(&journal->changed, &journal->mutex, due_ms);
  }
  accel_mutex_unlock(&journal->mutex);
}

/* The log left by pthread_exit: what is noted from then on is not logged. */
static void journal_leave(void *journal_pointer)
{
  accel_journal *journal = (accel_journal *)journal_pointer;
  accel_mutex_lock(&journal->mutex);
  journal->has_left = journal->has_to_end = true;
  accel_condition_broadcast(&journal->changed);
  accel_mutex_unlock(&journal->mutex);
}

static void journal_start(void *journal)
{
  journal_here = (const accel_journal *)journal;
  accel_thread_guard(journal_run, journal_leave, journal);
}

/* ---- life ---- */

bool accel_journal_open(accel_journal *journal,
                        void (*log)(void *ctx, const accel_log_record *record), void *ctx,
                        const char *area)
{
  journal->log = log;
  journal->log_ctx = ctx;
  journal->area = area;
  journal->allowed = ACCEL_JOURNAL_BURST;
  journal->allowed_ms = accel_clock_monotonic_ms();
  journal->ring =
      (accel_journal_entry *)ACCEL_MALLOC(ACCEL_JOURNAL_ENTRIES * sizeof *journal->ring);
  if (journal->ring == NULL) return false;
  if (!accel_mutex_open(&journal->mutex)) goto fail_mutex;
  if (!accel_condition_open(&journal->changed)) goto fail_condition;
  if (!accel_thread_start(&journal->thread, journal_start, journal)) goto fail_thread;
  return true;
fail_thread:
  accel_condition_close(&journal->changed);
fail_condition:
  accel_mutex_close(&journal->mutex);
fail_mutex:
  ACCEL_FREE(journal->ring);
  journal->ring = NULL;
  return false;
}

bool accel_journal_hold(accel_journal *journal, uint64_t deadline_ms)
{
  if (journal->ring == NULL) return true;
  bool in_time = true;
  accel_mutex_lock(&journal->mutex);
  while (in_time && journal->is_logging && !journal->has_left)
    in_time = accel_condition_wait(&journal->changed, &journal->mutex, deadline_ms);
  const bool is_held = !journal->is_logging || journal->has_left;
  if (!is_held) accel_mutex_unlock(&journal->mutex);
  return is_held;
}

void accel_journal_release(accel_journal *journal)
{
  if (journal->ring != NULL) accel_mutex_unlock(&journal->mutex);
}

bool accel_journal_drain(accel_journal *journal, uint64_t deadline_ms)
{
  if (journal->ring == NULL) return true;
  bool in_time = true;
  accel_mutex_lock(&journal->mutex);
  journal->has_to_end = true;
  accel_condition_broadcast(&journal->changed);
  while (in_time && !journal->has_left && (journal->count > 0 || journal->is_logging))
    in_time = accel_condition_wait(&journal->changed, &journal->mutex, deadline_ms);
  const bool is_empty = journal->has_left || (journal->count == 0 && !journal->is_logging);
  accel_mutex_unlock(&journal->mutex);
  return is_empty;
}

bool accel_journal_runs_here(const accel_journal *journal)
{
  return journal_here == journal;
}

void accel_journal_close(accel_journal *journal)
{
  if (journal->ring == NULL) return;
  accel_journal_drain(journal, ACCEL_NO_DEADLINE);
  accel_thread_join(journal->thread);
  accel_condition_close(&journal->changed);
  accel_mutex_close(&journal->mutex);
  accel_journal_abandon(journal);
}

void accel_journal_abandon(accel_journal *journal)
{
  ACCEL_FREE(journal->ring);
  journal->ring = NULL;
}

/* log_keeper.h: a log that remembers its records, for tests that count them. */
#ifndef LOG_KEEPER_H
#define LOG_KEEPER_H

#include "accel.h"
#include "patience.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_KEEPER_MAX 4096u
#define LOG_KEEPER_OPERATIONS_MAX 2048u /* the rest is for changes, which tests wait for */

typedef struct log_kept {
  char op[16], result[16], error_kind[32], key[256], message[400];
  accel_log_level level;
  uint32_t left_out;
  bool has_key;
} log_kept;

typedef struct log_keeper {
  pthread_mutex_t mutex;
  size_t count, operations;
  bool is_odd; /* a record without area, time, or strings */
  log_kept records[LOG_KEEPER_MAX];
} log_keeper;

static inline void log_keeper_open(log_keeper *keeper)
{
  memset(keeper, 0, sizeof *keeper);
  pthread_mutex_init(&keeper->mutex, NULL);
}

/* A change of state, not an operation (accel/log.h). */
static inline bool log_keeper_is_change(const accel_log_record *record)
{
  static const char *const changes[] = {"connection", "breaker", "channel", "servers", "repair"};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    if (strcmp(record->op, changes[i]) == 0) return true;
  return false;
}

/* With the mutex held. False: there is no place for this record. A program that reads until a
 * change is told may be faster than the thread that tells it, and must leave it a place. */
static inline bool log_keeper_has_room(log_keeper *keeper, const accel_log_record *record)
{
  if (keeper->count == LOG_KEEPER_MAX) return false;
  if (log_keeper_is_change(record)) return true;
  if (keeper->operations == LOG_KEEPER_OPERATIONS_MAX) return false;
  keeper->operations++;
  return true;
}

/* For .log, with the keeper as .log_ctx. */
static inline void log_keep(void *ctx, const accel_log_record *record)
{
  log_keeper *keeper = (log_keeper *)ctx;
  pthread_mutex_lock(&keeper->mutex);
  const uint64_t wall_ms = accel_clock_wall_ms();
  keeper->is_odd |= record->area == NULL || record->op == NULL || record->result == NULL ||
                    record->error_kind == NULL || record->message == NULL ||
                    record->wall_time_ms > wall_ms || record->wall_time_ms + 600000 < wall_ms;
  if (log_keeper_has_room(keeper, record)) {
    log_kept *kept = &keeper->records[keeper->count++];
    snprintf(kept->op, sizeof kept->op, "%s", record->op);
    snprintf(kept->result, sizeof kept->result, "%s", record->result);
    snprintf(kept->error_kind, sizeof kept->error_kind, "%s", record->error_kind);
    snprintf(kept->key, sizeof kept->key, "%s", record->key == NULL ? "" : record->key);
    snprintf(kept->message, sizeof kept->message, "%s", record->message);
    kept->has_key = record->key != NULL;
    kept->level = record->level;
    kept->left_out = record->left_out;
  }
  pthread_mutex_unlock(&keeper->mutex);
}

/* How many records there are of an op and a result, "": of any; the last one to *last_or_null. */
static inline unsigned log_keeper_count(log_keeper *keeper, const char *op, const char *result,
                                        log_kept *last_or_null)
{
  unsigned count = 0;
  pthread_mutex_lock(&keeper->mutex);
  for (size_t i = 0; i < keeper->count; i++) {
    const log_kept *each = &keeper->records[i];
    if (op[0] != '\0' && strcmp(each->op, op) != 0) continue;
    if (result[0] != '\0' && strcmp(each->result, result) != 0) continue;
    count++;
    if (last_or_null != NULL) *last_or_null = *each;
  }
  pthread_mutex_unlock(&keeper->mutex);
  return count;
}

/* Whether there come to be so many. */
static inline bool log_keeper_comes_to(log_keeper *keeper, const char *op, const char *result,
                                       unsigned count)
{
  const uint64_t until_ms = accel_clock_deadline(patience_ms());
  while (log_keeper_count(keeper, op, result, NULL) < count) {
    if (accel_clock_monotonic_ms() > until_ms) return false;
    usleep(1000);
  }
  return log_keeper_count(keeper, op, result, NULL) == count;
}

/* The first letters of the results of an op, in order. */
static inline void log_keeper_story(log_keeper *keeper, const char *op, char *out, size_t size)
{
  size_t used = 0;
  pthread_mutex_lock(&keeper->mutex);
  for (size_t i = 0; i < keeper->count; i++)
    if (strcmp(keeper->records[i].op, op) == 0 && used + 1 < size)
      out[used++] = keeper->records[i].result[0];
  pthread_mutex_unlock(&keeper->mutex);
  out[used] = '\0';
}

#endif

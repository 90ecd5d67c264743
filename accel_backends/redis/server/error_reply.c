#include "error_reply.h"

typedef struct redis_error_reply_row {
  const char *word; /* and a space */
  accel_remote_event event;
  redis_error_action action;
} redis_error_reply_row;

static const redis_error_reply_row redis_error_reply_table[] = {
    {"OOM ", ACCEL_REMOTE_OOM, REDIS_ERROR_PAUSE_WRITES},
    {"MISCONF ", ACCEL_REMOTE_MISCONF, REDIS_ERROR_PAUSE_WRITES},
    {"NOREPLICAS ", ACCEL_REMOTE_MISCONF, REDIS_ERROR_PAUSE_WRITES},
    {"READONLY ", ACCEL_REMOTE_READONLY, REDIS_ERROR_RECONNECT},
    {"LOADING ", ACCEL_REMOTE_LOADING, REDIS_ERROR_UNAVAILABLE},
    {"BUSY ", ACCEL_REMOTE_BUSY, REDIS_ERROR_UNAVAILABLE},
    {"MASTERDOWN ", ACCEL_REMOTE_MASTER_DOWN, REDIS_ERROR_UNAVAILABLE},
    {"CLUSTERDOWN ", ACCEL_REMOTE_CLUSTER_DOWN, REDIS_ERROR_UNAVAILABLE},
    {"NOAUTH ", ACCEL_REMOTE_NO_AUTH, REDIS_ERROR_RECONNECT},
    {"WRONGPASS ", ACCEL_REMOTE_NO_AUTH, REDIS_ERROR_RECONNECT},
    {"NOPERM ", ACCEL_REMOTE_NO_PERMISSION, REDIS_ERROR_COUNT},
    {"MOVED ", ACCEL_REMOTE_MOVED, REDIS_ERROR_COUNT},
    {"ASK ", ACCEL_REMOTE_MOVED, REDIS_ERROR_COUNT},
    {"TRYAGAIN ", ACCEL_REMOTE_MOVED, REDIS_ERROR_COUNT},
    {"NOSCRIPT ", ACCEL_REMOTE_NO_SCRIPT, REDIS_ERROR_COUNT},
    {"ERR no such key", ACCEL_REMOTE_REFUSED, REDIS_ERROR_EXPECTED}, /* RENAME (lease.c) */
    {"WRONGTYPE ", ACCEL_REMOTE_WRONG_TYPE, REDIS_ERROR_COUNT},
};

redis_error_action accel_redis_error_reply_action(const redis_replies *replies,
                                                  const redis_reply *error,
                                                  accel_remote_event *event_out)
{
  const size_t count = sizeof redis_error_reply_table / sizeof *redis_error_reply_table;
  for (size_t i = 0; i < count; i++) {
    const redis_error_reply_row *row = &redis_error_reply_table[i];
    if (!accel_redis_reply_fails(replies, error, row->word)) continue;
    *event_out = row->event;
    return row->action;
  }
  *event_out = ACCEL_REMOTE_REFUSED;
  return REDIS_ERROR_COUNT;
}

const char *accel_redis_error_reply_word(const redis_replies *replies, const redis_reply *error)
{
  static const char *const words[] = {"OOM",      "MISCONF", "NOREPLICAS",
                                      "READONLY", "NOAUTH",  "WRONGPASS"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (accel_redis_reply_fails(replies, error, words[i])) return words[i];
  return "an error";
}

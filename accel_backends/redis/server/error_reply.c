#include "error_reply.h"

typedef struct redis_reaction_row {
  const char *word; /* and a space */
  accel_remote_event event;
  redis_reaction reaction;
} redis_reaction_row;

static const redis_reaction_row redis_reaction_table[] = {
    {"OOM ", ACCEL_REMOTE_OOM, REDIS_REACTION_PAUSE_WRITES},
    {"MISCONF ", ACCEL_REMOTE_MISCONF, REDIS_REACTION_PAUSE_WRITES},
    {"NOREPLICAS ", ACCEL_REMOTE_MISCONF, REDIS_REACTION_PAUSE_WRITES},
    {"READONLY ", ACCEL_REMOTE_READONLY, REDIS_REACTION_CONNECT_ANEW},
    {"LOADING ", ACCEL_REMOTE_LOADING, REDIS_REACTION_LEAVE_ALONE},
    {"BUSY ", ACCEL_REMOTE_BUSY, REDIS_REACTION_LEAVE_ALONE},
    {"MASTERDOWN ", ACCEL_REMOTE_MASTER_DOWN, REDIS_REACTION_LEAVE_ALONE},
    {"CLUSTERDOWN ", ACCEL_REMOTE_CLUSTER_DOWN, REDIS_REACTION_LEAVE_ALONE},
    {"NOAUTH ", ACCEL_REMOTE_NO_AUTH, REDIS_REACTION_CONNECT_ANEW},
    {"WRONGPASS ", ACCEL_REMOTE_NO_AUTH, REDIS_REACTION_CONNECT_ANEW},
    {"NOPERM ", ACCEL_REMOTE_NO_PERMISSION, REDIS_REACTION_NONE},
    {"MOVED ", ACCEL_REMOTE_MOVED, REDIS_REACTION_NONE},
    {"ASK ", ACCEL_REMOTE_MOVED, REDIS_REACTION_NONE},
    {"TRYAGAIN ", ACCEL_REMOTE_MOVED, REDIS_REACTION_NONE},
    {"NOSCRIPT ", ACCEL_REMOTE_NO_SCRIPT, REDIS_REACTION_NONE},
    {"ERR no such key", ACCEL_REMOTE_REFUSED, REDIS_REACTION_EXPECTED}, /* RENAME (lease.c) */
    {"WRONGTYPE ", ACCEL_REMOTE_WRONG_TYPE, REDIS_REACTION_NONE},
};

redis_reaction accel_redis_reaction_to(const redis_replies *replies, const redis_reply *error,
                                       accel_remote_event *event_out)
{
  const size_t count = sizeof redis_reaction_table / sizeof *redis_reaction_table;
  for (size_t i = 0; i < count; i++) {
    const redis_reaction_row *row = &redis_reaction_table[i];
    if (!accel_redis_reply_fails(replies, error, row->word)) continue;
    *event_out = row->event;
    return row->reaction;
  }
  *event_out = ACCEL_REMOTE_REFUSED;
  return REDIS_REACTION_NONE;
}

const char *accel_redis_reaction_word(const redis_replies *replies, const redis_reply *error)
{
  static const char *const words[] = {"OOM",      "MISCONF", "NOREPLICAS",
                                      "READONLY", "NOAUTH",  "WRONGPASS"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (accel_redis_reply_fails(replies, error, words[i])) return words[i];
  return "an error";
}

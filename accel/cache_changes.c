/* cache_changes.c: changes of state for the log (layer 4): of the servers of L2, the channel, and
 * repairs.
 *
 * Everything is noted in the journal, which takes no time, so that callers may hold locks. Threads:
 * any; changes of the channel come in order (backend.h).
 */
#include "cache_changes.h"

#include <stdio.h>

typedef struct changes_kind {
  const char *op, *result;
  accel_log_level level;
  const char *before, *after; /* of the server's name, in the sentence */
} changes_kind;

static const changes_kind changes_kinds[ACCEL_REMOTE_CHANGES] = {
    [ACCEL_REMOTE_CONNECTED] = {"connection", "up", ACCEL_LOG_INFO, "connected to ", ""},
    [ACCEL_REMOTE_DISCONNECTED] = {"connection", "down", ACCEL_LOG_WARNING, "no connection to ",
                                   ""},
    [ACCEL_REMOTE_RELEASED] = {"connection", "released", ACCEL_LOG_INFO, "",
                               " is not used any more"},
    [ACCEL_REMOTE_BREAKER_OPENED] = {"breaker", "open", ACCEL_LOG_WARNING, "",
                                     " fails: calls are answered at once, without it"},
    [ACCEL_REMOTE_BREAKER_HALF_OPENED] = {"breaker", "half_open", ACCEL_LOG_INFO, "",
                                          " shows signs of life: one call tries it"},
    [ACCEL_REMOTE_BREAKER_CLOSED] = {"breaker", "closed", ACCEL_LOG_INFO, "", " is asked again"},
    [ACCEL_REMOTE_SERVERS_LOST] = {"servers", "lost", ACCEL_LOG_WARNING,
                                   "not all is known of the servers", ""},
    [ACCEL_REMOTE_SERVERS_FOUND] = {"servers", "found", ACCEL_LOG_INFO,
                                    "all is known of the servers again", ""},
};

/* Notes a change for the log and, from WARNING on, as an error for the observer. `area` is "" for a
 * change of a server: then several caches note one error. */
static void changes_note(accel_core *core, const char *area, accel_log_level level, const char *op,
                         const char *result, const char *subject, const char *text)
{
  accel_journal_note(&core->journal, level, op, result, subject, text);
  if (level >= ACCEL_LOG_WARNING) accel_observer_note_error(&core->member, area, text);
}

static void changes_note_channel(accel_core *core, bool is_up, const char *why)
{
  const core_channel_logged state = is_up ? CORE_CHANNEL_LOGGED_UP : CORE_CHANNEL_LOGGED_DOWN;
  char text[ACCEL_JOURNAL_TEXT];
  if (core->channel_logged == state) return;
  core->channel_logged = state;
  if (is_up)
    snprintf(text, sizeof text, "changes by other processes are received");
  else
    snprintf(text, sizeof text, "changes by other processes may be missed%s%s",
             why[0] == '\0' ? "" : ": ", why);
  changes_note(core, core->area, is_up ? ACCEL_LOG_INFO : ACCEL_LOG_WARNING, "channel",
               is_up ? "up" : "down", "", text);
}

void accel_core_note_channel(accel_core *core, bool is_up)
{
  changes_note_channel(core, is_up, "");
}

void accel_core_on_remote_change(void *core_pointer, const accel_remote_news *change)
{
  accel_core *core = (accel_core *)core_pointer;
  char text[ACCEL_JOURNAL_TEXT];
  if (change->change == ACCEL_REMOTE_CHANNEL_LOST) {
    changes_note_channel(core, false, change->why);
    return;
  }
  if (change->change <= ACCEL_REMOTE_UNCHANGED || change->change >= ACCEL_REMOTE_CHANGES) return;
  const changes_kind *kind = &changes_kinds[change->change];
  snprintf(text, sizeof text, "%s%.128s%s%s%s", kind->before, change->server, kind->after,
           change->why[0] == '\0' ? "" : ": ", change->why);
  changes_note(core, "", kind->level, kind->op, kind->result, change->server, text);
}

/* ---- repairs ---- */

void accel_core_note_repair(accel_core *core, core_repair_change change)
{
  static const struct {
    const char *result, *text;
    accel_log_level level;
  } kinds[] = {
      [CORE_REPAIR_BEGUN] = {"begun",
                             "L2 did not confirm a write: the key is removed there once L2 answers",
                             ACCEL_LOG_WARNING},
      [CORE_REPAIR_OVERFLOWED] =
          {"overflowed",
           "too many writes were not confirmed: the whole area is to be "
           "cleared in L2, where it can be, and is not read there until then",
           ACCEL_LOG_ERROR},
      [CORE_REPAIR_DONE] = {"done", "all writes that L2 did not confirm are repaired",
                            ACCEL_LOG_INFO},
      [CORE_REPAIR_LEFT] = {"left",
                            "the cache closes before all writes that L2 did not confirm are "
                            "repaired: others may read old values until their TTL ends",
                            ACCEL_LOG_ERROR},
  };
  changes_note(core, core->area, kinds[change].level, "repair", kinds[change].result, "",
               kinds[change].text);
}

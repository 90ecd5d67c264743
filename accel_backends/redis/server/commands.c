#include "commands.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"

#include <stdio.h>
#include <string.h>

#define REDIS_COMMANDS_TEXT 160
/* How EXEC is refused; it ends what MULTI began all the same. */
#define REDIS_COMMANDS_ABORT "EXECABORT TRANSACTION DISCARDED BECAUSE OF: "

typedef struct redis_commands_row {
  const char *name;
  const char *loss; /* without it; NULL: another one does the same */
} redis_commands_row;

static const redis_commands_row redis_commands_table[REDIS_COMMANDS] = {
    [REDIS_COMMAND_GET] = {"GET", "nothing is read"},
    [REDIS_COMMAND_SET] = {"SET", "nothing is stored"},
    [REDIS_COMMAND_MULTI] = {"MULTI", "sets only remove"},
    [REDIS_COMMAND_EXEC] = {"EXEC", "sets only remove"},
    [REDIS_COMMAND_PUBLISH] = {"PUBLISH", "changes are told to nobody"},
    [REDIS_COMMAND_EVAL] = {"EVAL", "loads are not stored"},
    [REDIS_COMMAND_GETRANGE] = {"GETRANGE", "loads are not stored"},
    [REDIS_COMMAND_UNLINK] = {"UNLINK", "nothing is removed"}, /* if DEL is refused too */
    [REDIS_COMMAND_SCAN] = {"SCAN", "clears fail"},
    [REDIS_COMMAND_RENAME] = {"RENAME", "own loads come back as changes"}, /* under tracking */
    [REDIS_COMMAND_DEL] = {"DEL", NULL},
    [REDIS_COMMAND_MGET] = {"MGET", NULL},
    [REDIS_COMMAND_EVALSHA] = {"EVALSHA", NULL},
};

/* ---- refusals ---- */

static redis_command redis_commands_find(const char *name)
{
  for (size_t i = 0; i < REDIS_COMMANDS; i++)
    if (strcmp(redis_commands_table[i].name, name) == 0) return (redis_command)i;
  return REDIS_COMMANDS;
}

/* The first word in quotes, of text in capitals. */
static redis_command redis_commands_named(const char *text)
{
  char name[16];
  const char *word = strpbrk(text, "'`\"");
  if (word == NULL) return REDIS_COMMANDS;
  const size_t size = strspn(++word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  if (size >= sizeof name) return REDIS_COMMANDS;
  memcpy(name, word, size);
  name[size] = '\0';
  return redis_commands_find(name);
}

bool accel_redis_commands_is_refusal(const redis_replies *replies, size_t i,
                                     redis_command *named_out)
{
  static const char *const says[] = {"UNKNOWN COMMAND", "UNSUPPORTED COMMAND", "IS NOT ALLOWED",
                                     "NOT SUPPORT", "DISABLED"};
  char text[REDIS_COMMANDS_TEXT];
  const redis_reply reply = accel_redis_reply_at(replies, i);
  *named_out = REDIS_COMMANDS;
  if (reply.kind != REDIS_REPLY_IS_ERROR) return false;
  const char *said = accel_redis_reply_text(replies, &reply);
  size_t size = 0;
  for (; size < reply.size && size + 1 < sizeof text; size++)
    text[size] =
        (char)(said[size] >= 'a' && said[size] <= 'z' ? said[size] - 'a' + 'A' : said[size]);
  text[size] = '\0';
  const bool aborts = strncmp(text, REDIS_COMMANDS_ABORT, sizeof REDIS_COMMANDS_ABORT - 1) == 0;
  const char *why = aborts ? text + sizeof REDIS_COMMANDS_ABORT - 1 : text;
  const bool forbids = strncmp(why, "NOPERM ", 7) == 0;
  if (!forbids && strncmp(why, "ERR ", 4) != 0) return false;
  bool is_refusal = forbids && strstr(why, " RUN THE ") != NULL;
  for (size_t k = 0; k < sizeof says / sizeof *says && !forbids; k++)
    is_refusal |= strstr(why, says[k]) != NULL;
  if (is_refusal) *named_out = redis_commands_named(text);
  return is_refusal;
}

bool accel_redis_commands_refuses(const redis_replies *replies, size_t i, redis_command command)
{
  redis_command named;
  return accel_redis_commands_is_refusal(replies, i, &named) && named == command;
}

bool accel_redis_commands_leaves_open(const redis_replies *replies, size_t exec)
{
  redis_command named;
  const redis_reply reply = accel_redis_reply_at(replies, exec);
  return !accel_redis_reply_fails(replies, &reply, "EXECABORT") &&
         accel_redis_commands_is_refusal(replies, exec, &named);
}

void accel_redis_commands_note(redis_commands *commands, redis_command command, bool is_refused)
{
  if (command == REDIS_COMMANDS) return;
  const uint64_t until_ms = is_refused ? accel_clock_deadline(REDIS_COMMANDS_KEPT_MS) : 0;
  accel_store_relaxed(&commands->refused_until_ms[command], until_ms);
}

bool accel_redis_commands_lacks(const redis_commands *commands, redis_command command)
{
  const uint64_t until_ms = accel_load_relaxed(&commands->refused_until_ms[command]);
  return until_ms != 0 && accel_clock_monotonic_ms() < until_ms;
}

bool accel_redis_commands_lacks_transactions(const redis_commands *commands)
{
  return accel_redis_commands_lacks(commands, REDIS_COMMAND_MULTI) ||
         accel_redis_commands_lacks(commands, REDIS_COMMAND_EXEC) ||
         accel_redis_commands_lacks(commands, REDIS_COMMAND_PUBLISH);
}

bool accel_redis_commands_lacks_fills(const redis_commands *commands)
{
  return accel_redis_commands_lacks(commands, REDIS_COMMAND_EVAL) ||
         accel_redis_commands_lacks(commands, REDIS_COMMAND_GETRANGE);
}

void accel_redis_commands_forget(redis_commands *commands)
{
  for (size_t i = 0; i < REDIS_COMMANDS; i++)
    accel_store_relaxed(&commands->refused_until_ms[i], UINT64_C(0));
}

static bool redis_commands_costs(const redis_commands *commands, redis_command command,
                                 bool is_tracking)
{
  if (redis_commands_table[command].loss == NULL) return false;
  if (command == REDIS_COMMAND_RENAME && !is_tracking) return false;
  if (command == REDIS_COMMAND_UNLINK && !accel_redis_commands_lacks(commands, REDIS_COMMAND_DEL))
    return false;
  return accel_redis_commands_lacks(commands, command);
}

bool accel_redis_commands_explain(const redis_commands *commands, bool is_tracking, char *text)
{
  size_t size = 0;
  text[0] = '\0';
  for (int i = 0; i < REDIS_COMMANDS; i++) {
    const redis_commands_row *row = &redis_commands_table[i];
    if (!redis_commands_costs(commands, (redis_command)i, is_tracking)) continue;
    const char *lead = size == 0 ? "the server refuses " : ", ";
    const int more =
        snprintf(text + size, REDIS_COMMANDS_TEXT - size, "%s%s (%s)", lead, row->name, row->loss);
    size += more > 0 ? (size_t)more : 0;
    if (size >= REDIS_COMMANDS_TEXT) return true;
  }
  return size > 0;
}

/* ---- asking ---- */

/* Names that no area's key and channel has, and that an access list of the prefix allows. */
typedef struct redis_commands_check {
  char key[80], channel[104];
} redis_commands_check;

/* What follows is sent in the order of redis_commands_asked. */
static const redis_command redis_commands_asked[] = {
    REDIS_COMMAND_GET,      REDIS_COMMAND_SET,    REDIS_COMMAND_PUBLISH, REDIS_COMMAND_EVAL,
    REDIS_COMMAND_GETRANGE, REDIS_COMMAND_UNLINK, REDIS_COMMAND_SCAN,    REDIS_COMMAND_DEL,
    REDIS_COMMAND_MGET,     REDIS_COMMAND_EXEC};
#define REDIS_COMMANDS_ASKED (sizeof redis_commands_asked / sizeof *redis_commands_asked)

static size_t redis_commands_append(void *check_pointer, accel_buffer *out)
{
  const redis_commands_check *check = (const redis_commands_check *)check_pointer;
  const char *key = check->key;
  const bool appended =
      accel_redis_command_append_words(out, REDIS_WORDS("GET", key)) &&
      accel_redis_command_append_words(out, REDIS_WORDS("SET", key, "", "PX", "1", "XX")) &&
      accel_redis_command_append_words(out, REDIS_WORDS("PUBLISH", check->channel, "")) &&
      accel_redis_command_append_words(out, REDIS_WORDS("EVAL", "return 0", "1", key)) &&
      accel_redis_command_append_words(out, REDIS_WORDS("GETRANGE", key, "0", "0")) &&
      accel_redis_command_append_words(out, REDIS_WORDS("UNLINK", key)) &&
      accel_redis_command_append_words(out, REDIS_WORDS("SCAN", "0", "COUNT", "1")) &&
      accel_redis_command_append_words(out, REDIS_WORDS("DEL", key)) &&
      accel_redis_command_append_words(out, REDIS_WORDS("MGET", key)) &&
      accel_redis_command_append_words(out, REDIS_WORDS("EXEC"));
  return appended ? REDIS_COMMANDS_ASKED : 0;
}

static size_t redis_commands_append_transaction(void *unused, accel_buffer *out)
{
  (void)unused;
  const bool appended = accel_redis_command_append_words(out, REDIS_WORDS("MULTI")) &&
                        accel_redis_command_append_words(out, REDIS_WORDS("EXEC"));
  return appended ? 2 : 0;
}

/* Sends the request, and notes which commands its replies, one per command, refuse. */
static void redis_commands_ask(redis_commands *commands, redis_connection *connection,
                               const redis_request *request, const redis_command *asked,
                               size_t count, uint64_t deadline_ms)
{
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  redis_command named;
  if (accel_redis_connection_call(connection, request, deadline_ms, &replies, error) != ACCEL_OK)
    return;
  for (size_t i = 0, at = 0; i < count; i++, at = accel_redis_reply_after(&replies, at))
    accel_redis_commands_note(commands, asked[i],
                              accel_redis_commands_is_refusal(&replies, at, &named));
  accel_redis_replies_release(&replies);
}

void accel_redis_commands_check(redis_commands *commands, redis_connection *connection,
                                const redis_settings *settings, uint64_t deadline_ms)
{
  static const redis_command multi = REDIS_COMMAND_MULTI, rename = REDIS_COMMAND_RENAME;
  redis_commands_check check;
  snprintf(check.key, sizeof check.key, "%saccel:~check", settings->prefix);
  snprintf(check.channel, sizeof check.channel, "%saccel:invalidation:", settings->prefix);
  const redis_request each = {.append = redis_commands_append, .ctx = &check};
  redis_commands_ask(commands, connection, &each, redis_commands_asked, REDIS_COMMANDS_ASKED,
                     deadline_ms);
  /* Without EXEC nothing ends what MULTI begins. With a word too many MULTI begins nothing, but a
   * server that does not know it says so. */
  const bool lacks_exec = accel_redis_commands_lacks(commands, REDIS_COMMAND_EXEC);
  const redis_request wrong_multi = {.words = REDIS_WORDS("MULTI", "")};
  const redis_request whole = {.append = redis_commands_append_transaction};
  redis_commands_ask(commands, connection, lacks_exec ? &wrong_multi : &whole, &multi, 1,
                     deadline_ms);
  const redis_request move = {.words = REDIS_WORDS("RENAME", check.key, check.key)};
  if (settings->is_tracking)
    redis_commands_ask(commands, connection, &move, &rename, 1, deadline_ms);
}

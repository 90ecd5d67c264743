/* commands.h: which commands a server refuses to this user (backend redis).
 *
 * Managed servers and proxies lack commands, and access lists forbid some. A refusal names its
 * command. It is remembered for a minute: meanwhile the operations take another way, where there
 * is a sound one, and ping says which command is missing and what is lost without it.
 * docs/coherence.md has the table.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_COMMANDS_H
#define ACCEL_BACKENDS_REDIS_COMMANDS_H

#include "../wire/wire.h"
#include "connection.h"

#define REDIS_COMMANDS_KEPT_MS 60000u /* then a refused command is tried again */

typedef enum redis_command {
  REDIS_COMMAND_GET,
  REDIS_COMMAND_SET,
  REDIS_COMMAND_MULTI,
  REDIS_COMMAND_EXEC,
  REDIS_COMMAND_PUBLISH,
  REDIS_COMMAND_EVAL,
  REDIS_COMMAND_GETRANGE,
  REDIS_COMMAND_UNLINK,
  REDIS_COMMAND_SCAN,
  REDIS_COMMAND_RENAME,
  REDIS_COMMAND_DEL,
  REDIS_COMMAND_MGET,
  REDIS_COMMAND_EVALSHA,
  REDIS_COMMANDS /* how many; none */
} redis_command;

/* Zeroed: nothing is refused. */
typedef struct redis_commands {
  uint64_t refused_until_ms[REDIS_COMMANDS]; /* atomic; 0: it is not */
} redis_commands;

ACCEL_EXTERN_C_BEGIN

/* True: the reply refuses a command itself, whatever its key or channel. *named_out is the command
 * that it names, or REDIS_COMMANDS. */
bool accel_redis_commands_is_refusal(const redis_replies *replies, size_t i,
                                     redis_command *named_out);
/* True: the reply refuses this command by name. */
bool accel_redis_commands_refuses(const redis_replies *replies, size_t i, redis_command command);
/* True: EXEC is refused, and the connection is still within MULTI. */
bool accel_redis_commands_leaves_open(const redis_replies *replies, size_t exec);
void accel_redis_commands_note(redis_commands *commands, redis_command command, bool is_refused);
bool accel_redis_commands_lacks(const redis_commands *commands, redis_command command);
/* True: a change and its message cannot be sent in one transaction. */
bool accel_redis_commands_lacks_transactions(const redis_commands *commands);
/* True: fills cannot compare and store in one step. */
bool accel_redis_commands_lacks_fills(const redis_commands *commands);
void accel_redis_commands_forget(redis_commands *commands);
/* Writes which commands are missing and what is lost (160 bytes). False: none is, and text is "".
 */
ACCEL_COLD bool accel_redis_commands_explain(const redis_commands *commands, bool is_tracking,
                                             char *text);
/* Sends each command on the connection, in a form that changes nothing, and notes what is refused.
 */
ACCEL_COLD void accel_redis_commands_check(redis_commands *commands, redis_connection *connection,
                                           const redis_settings *settings, uint64_t deadline_ms);

ACCEL_EXTERN_C_END
#endif

/* command.h: commands, as bytes (backend redis).
 *
 * A command is a list of words, which may hold any bytes. Numbers in front say how many words there
 * are, and how long each is, so nothing is escaped.
 *
 * Threads: one at a time per buffer.
 */
#ifndef ACCEL_BACKENDS_REDIS_COMMAND_H
#define ACCEL_BACKENDS_REDIS_COMMAND_H

#include "../../../accel/type.h"

/* The strings of a short command. */
#define REDIS_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Words of a command. */
typedef struct redis_words {
  const char **words;
  const size_t *sizes;
  size_t count;
} redis_words;

ACCEL_EXTERN_C_BEGIN

/* The head of a command of so many words, each of which `add` appends, in two pieces. False: no
 * memory; what was appended before remains. */
bool accel_redis_command_start(accel_buffer *out, size_t words);
bool accel_redis_command_add(accel_buffer *out, const char *first, size_t first_size,
                             const char *second, size_t second_size);
/* Appends one command. False: no memory, or longer than 1 GiB; nothing was appended. */
bool accel_redis_command_append(accel_buffer *out, const redis_words *command);
/* The same for strings; NULL ends them. REDIS_WORDS makes such a list. */
bool accel_redis_command_append_words(accel_buffer *out, const char *const *words);

ACCEL_EXTERN_C_END
#endif

#include "command.h"

#include <string.h>

#define REDIS_COMMAND_BYTES_MAX (1u << 30) /* no server takes more in one word than half */
#define REDIS_COMMAND_WORDS_MAX 16

/* The mark, the number and the line's end. */
static bool redis_command_append_head(accel_buffer *out, char mark, size_t number)
{
  char text[24];
  char *start = text + sizeof text;
  *--start = '\n';
  *--start = '\r';
  do *--start = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  *--start = mark;
  return accel_buffer_append(out, start, (size_t)(text + sizeof text - start));
}

bool accel_redis_command_start(accel_buffer *out, size_t words)
{
  return redis_command_append_head(out, '*', words);
}

bool accel_redis_command_add(accel_buffer *out, const char *first, size_t first_size,
                             const char *second, size_t second_size)
{
  return redis_command_append_head(out, '$', first_size + second_size) &&
         accel_buffer_append(out, first, first_size) &&
         accel_buffer_append(out, second, second_size) && accel_buffer_append(out, "\r\n", 2);
}

bool accel_redis_command_append(accel_buffer *out, const redis_words *command)
{
  const size_t before = out->size;
  size_t total = 0;
  for (size_t i = 0; i < command->count; i++) {
    if (command->sizes[i] > REDIS_COMMAND_BYTES_MAX - total) return false;
    total += command->sizes[i];
  }
  bool appended = accel_redis_command_start(out, command->count);
  for (size_t i = 0; i < command->count && appended; i++)
    appended = accel_redis_command_add(out, command->words[i], command->sizes[i], "", 0);
  if (!appended) out->size = before;
  return appended;
}

bool accel_redis_command_append_words(accel_buffer *out, const char *const *words)
{
  const char *list[REDIS_COMMAND_WORDS_MAX];
  size_t sizes[REDIS_COMMAND_WORDS_MAX];
  redis_words command = {.words = list, .sizes = sizes};
  for (; words[command.count] != NULL; command.count++) {
    ACCEL_ASSERT(command.count < REDIS_COMMAND_WORDS_MAX);
    list[command.count] = words[command.count];
    sizes[command.count] = strlen(words[command.count]);
  }
  return accel_redis_command_append(out, &command);
}

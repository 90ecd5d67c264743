#include "base.h"

#include "harness/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool gate_is_folder(const char *path)
{
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool gate_exists(const char *path)
{
  struct stat status;
  return strcmp(path, "-") == 0 || stat(path, &status) == 0;
}

static bool cannot(gate_problems *problems, const char *verb, const char *path, const char *why)
{
  return gate_wrong(problems, "failed to %s %s: %s", verb, path, why);
}

/* ---- reading ---- */

/* To the end, however long the file says that it is. */
bool gate_file_read(const char *path, char **text_out, size_t *length_out, gate_problems *problems)
{
  char bytes[32 * 1024];
  gate_text text = {0};
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (!file) return cannot(problems, "read", path, strerror(errno));
  for (size_t count;
       text.length <= GATE_FILE_BYTES_MAX && (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
    gate_text_add_bytes(&text, bytes, count);
  const char *why = ferror(file) ? strerror(errno) : NULL;
  if (text.length > GATE_FILE_BYTES_MAX) why = "larger than 64 MiB";
  if (file != stdin) fclose(file);
  if (why) return cannot(problems, "read", path, why);
  if (!text.bytes) text.bytes = arena_take(1, 1);
  const bool has_mark = text.length >= 3 && memcmp(text.bytes, "\xEF\xBB\xBF", 3) == 0;
  *text_out = text.bytes + (has_mark ? 3 : 0);
  *length_out = text.length - (has_mark ? 3 : 0);
  return true;
}

/* ---- writing ---- */

bool gate_file_write(const char *path, const gate_text *text, gate_problems *problems)
{
  /* What is open already, such as /dev/stdout, is not to be replaced. */
  if (strncmp(path, "/dev/", 5) == 0) return gate_file_append(path, text, problems);
  const char *why = file_write(path, gate_text_c(text), text->length);
  return !why || cannot(problems, "write", path, why);
}

bool gate_file_append(const char *path, const gate_text *text, gate_problems *problems)
{
  const int file =
      file_make_folders(path) ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  const off_t before = lseek(file, 0, SEEK_END);
  const bool is_written = file_write_all(file, gate_text_c(text), text->length) &&
                          (fsync(file) == 0 || errno == EINVAL);
  const int error = errno;
  /* Half a line would spoil the file for every later reader. */
  if (!is_written && before >= 0 && ftruncate(file, before) != 0) errno = error;
  close(file);
  return is_written || cannot(problems, "write", path, strerror(error));
}

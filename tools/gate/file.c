#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
  return stat(path, &status) == 0;
}

static bool cannot(gate_problems *problems, const char *verb, const char *path, const char *why)
{
  return gate_wrong(problems, path, "failed to %s %s: %s", verb, path, why);
}

/* Reads to the end of the file, however long it says that it is. */
static bool read_all(int file, gate_text *text, const char **why_out)
{
  char bytes[32 * 1024];
  for (;;) {
    const ssize_t count = read(file, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      *why_out = strerror(errno);
      return false;
    }
    if (count == 0) return true;
    gate_text_add_bytes(text, bytes, (size_t)count);
    if (text->length > GATE_FILE_BYTES_MAX) {
      *why_out = "larger than 64 MiB";
      return false;
    }
  }
}

bool gate_file_read(gate_arena *arena, const char *path, char **text_out, size_t *length_out,
                    gate_problems *problems)
{
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return cannot(problems, "read", path, strerror(errno));
  gate_text text = {.arena = arena};
  const char *why = NULL;
  struct stat status;
  if (fstat(file, &status) != 0) {
    why = strerror(errno);
  } else if (S_ISDIR(status.st_mode)) {
    why = strerror(EISDIR);
  } else if (!S_ISREG(status.st_mode)) {
    why = "not a regular file";
  } else if (status.st_size > GATE_FILE_BYTES_MAX) {
    why = "larger than 64 MiB";
  } else {
    read_all(file, &text, &why);
  }
  close(file);
  if (why) return cannot(problems, "read", path, why);
  if (!text.bytes) text.bytes = gate_take(arena, 1, 1);
  *text_out = text.bytes;
  *length_out = text.length;
  return true;
}

/* Makes the folders of `path`; true if they are there in the end. */
static bool make_folders(gate_arena *arena, const char *path)
{
  char *folder = gate_copy_text(arena, path);
  for (char *at = folder + 1; *at != '\0'; at++) {
    if (*at != '/') continue;
    *at = '\0';
    if (mkdir(folder, 0777) != 0 && errno != EEXIST && errno != EISDIR) return false;
    *at = '/';
  }
  return true;
}

static bool write_all(int file, const char *text, size_t length)
{
  while (length > 0) {
    const ssize_t count = write(file, text, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text += count;
    length -= (size_t)count;
  }
  return true;
}

/* The rename lasts only once the folder is written too; a folder that cannot be is no failure. */
static void flush_folder(gate_arena *arena, const char *path)
{
  char *folder = gate_copy_text(arena, path);
  char *slash = strrchr(folder, '/');
  if (slash) slash[slash == folder] = '\0';
  const int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  (void)fsync(file);
  close(file);
}

/* A rename would put a file in the place of a link; what it points to is meant. */
static const char *behind_links(gate_arena *arena, const char *path)
{
  char *real = realpath(path, NULL);
  if (!real) return path;
  const char *copy = gate_copy_text(arena, real);
  free(real);
  return copy;
}

bool gate_file_write(gate_arena *arena, const char *path, const char *text, size_t length,
                     gate_problems *problems)
{
  if (!make_folders(arena, path)) return cannot(problems, "create", path, strerror(errno));
  if (gate_is_folder(path)) return cannot(problems, "write", path, strerror(EISDIR));
  const char *target = behind_links(arena, path);
  struct stat old;
  const mode_t mode = stat(target, &old) == 0 ? old.st_mode & 07777 : 0644;
  char *beside = gate_format(arena, "%s.XXXXXX", target);
  const int file = mkstemp(beside);
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  bool is_written = write_all(file, text, length) && fchmod(file, mode) == 0 && fsync(file) == 0;
  int error = errno;
  if (close(file) != 0 && is_written) {
    is_written = false;
    error = errno;
  }
  if (is_written && rename(beside, target) != 0) {
    is_written = false;
    error = errno;
  }
  if (!is_written) {
    unlink(beside);
    return cannot(problems, "write", path, strerror(error));
  }
  flush_folder(arena, target);
  return true;
}

bool gate_file_append(gate_arena *arena, const char *path, const char *text, size_t length,
                      gate_problems *problems)
{
  if (!make_folders(arena, path)) return cannot(problems, "create", path, strerror(errno));
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  const off_t before = lseek(file, 0, SEEK_END);
  bool is_written = write_all(file, text, length) && fsync(file) == 0;
  const int error = errno;
  /* Half a line would spoil the file for every later reader. */
  if (!is_written && before >= 0 && ftruncate(file, before) != 0) is_written = false;
  close(file);
  return is_written || cannot(problems, "write", path, strerror(error));
}

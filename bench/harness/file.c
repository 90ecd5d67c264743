#include "file.h"

#include "arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_make_folders(const char *path)
{
  char *folder = arena_copy(path);
  bool are_there = true;
  for (char *slash = strchr(folder + (*folder == '/'), '/'); slash && are_there;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    are_there = mkdir(folder, 0777) == 0 || errno == EEXIST || errno == EISDIR;
    *slash = '/';
  }
  return are_there;
}

bool file_write_all(int file, const char *text, size_t length)
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

static bool write_beside(const char *target, const char *text, size_t length)
{
  struct stat old;
  const mode_t mode = stat(target, &old) == 0 ? old.st_mode & 07777 : 0644;
  char *beside = arena_format("%s.XXXXXX", target);
  const int file = mkstemp(beside);
  if (file < 0) return false;
  errno = 0;
  bool is_whole = file_write_all(file, text, length) && fchmod(file, mode) == 0 && fsync(file) == 0;
  int error = errno;
  is_whole = close(file) == 0 && is_whole;
  if (is_whole && rename(beside, target) == 0) return true;
  if (error == 0) error = errno;
  unlink(beside);
  errno = error;
  return false;
}

const char *file_write(const char *path, const char *text, size_t length)
{
  struct stat status;
  const bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
  if (is_folder) return strerror(EISDIR);
  if (!file_make_folders(path)) return strerror(errno);
  /* A rename would put a file in the place of a link; what it points to is meant. */
  char *behind = realpath(path, NULL);
  const bool is_written = write_beside(behind ? behind : path, text, length);
  const char *why = is_written ? NULL : strerror(errno);
  free(behind);
  return why;
}

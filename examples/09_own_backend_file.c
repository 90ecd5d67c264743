/* 09_own_backend_file.c: one entry of the folder. A file is written under another name and renamed,
 * so that no process reads half of one.
 */
#include "09_own_backend_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Keys contain only [A-Za-z0-9_.-:%], so they are valid file names unless they are too long. */
bool folder_name(const accel_remote_item *item, char name[NAME_MAX + 1])
{
  if (item->key_size > NAME_MAX) return false;
  memcpy(name, item->key, item->key_size);
  name[item->key_size] = 0;
  return true;
}

accel_status folder_failed(accel_remote_call *call, const char *name)
{
  snprintf(call->error, sizeof call->error, "%.80s: errno %d", name, errno);
  return ACCEL_ERR_BACKEND;
}

accel_status folder_read(const folder_t *folder, accel_remote_item *item, accel_remote_call *call)
{
  char name[NAME_MAX + 1];
  struct stat about = {.st_size = 0};
  if (!folder_name(item, name)) return ACCEL_MISS;
  const int file = openat(folder->directory, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT ? ACCEL_MISS : folder_failed(call, name);
  const size_t size = fstat(file, &about) == 0 ? (size_t)about.st_size : 0;
  folder_found *found = (folder_found *)malloc(sizeof *found + size);
  const bool is_read = found != NULL && read(file, found->bytes, size) == (ssize_t)size;
  close(file);
  if (found == NULL) return ACCEL_ERR_NOMEM;
  found->next = (folder_found *)call->reply;
  call->reply = found;
  item->data = found->bytes;
  item->size = size;
  return is_read ? ACCEL_OK : folder_failed(call, name);
}

accel_status folder_write(folder_t *folder, const accel_remote_item *item, accel_remote_call *call)
{
  char name[NAME_MAX + 1], aside[64];
  if (!folder_name(item, name)) return ACCEL_ERR_CODEC;
  const uint64_t number = __atomic_add_fetch(&folder->writes, 1, __ATOMIC_RELAXED);
  snprintf(aside, sizeof aside, ".%d.%llu", (int)getpid(), (unsigned long long)number);
  const int file = openat(folder->directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return folder_failed(call, name);
  bool is_written = write(file, item->data, item->size) == (ssize_t)item->size;
  is_written = close(file) == 0 && is_written;
  if (is_written && renameat(folder->directory, aside, folder->directory, name) == 0)
    return ACCEL_OK;
  const accel_status status = folder_failed(call, name);
  unlinkat(folder->directory, aside, 0);
  return status;
}

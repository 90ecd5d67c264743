/* 09_own_backend_folder.c: an L2 with a file per key. accel/backend.h specifies the operations; the
 * optional `lease` is left out.
 *
 * An expired file stays until it is replaced: the cache checks the expiry in the envelope.
 * Deadlines are ignored, because a disk is fast.
 */
#include "09_own_backend_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The link of one cache. */
typedef struct folder_link {
  folder_t *folder;
  char prefix[80]; /* "area:", the beginning of its keys */
} folder_link;

static accel_status folder_attach(void *remote, const accel_remote_area *area, void **link_out,
                                  char *channel)
{
  folder_link *link = (folder_link *)malloc(sizeof *link);
  if (link == NULL) return ACCEL_ERR_NOMEM;
  link->folder = (folder_t *)remote;
  snprintf(link->prefix, sizeof link->prefix, "%s:", area->area);
  channel[0] = 0;
  *link_out = link;
  return ACCEL_OK;
}

static void folder_detach(void *link)
{
  free(link);
}

static bool folder_is_ready(void *link)
{
  return ((folder_link *)link)->folder->directory >= 0;
}

static uint64_t folder_now_ms(void *link)
{
  (void)link;
  return accel_clock_wall_ms();
}

static accel_status folder_get(void *link, accel_remote_item *items, size_t count,
                               accel_remote_call *call)
{
  for (size_t i = 0; i < count; i++)
    items[i].status = folder_read(((folder_link *)link)->folder, &items[i], call);
  return ACCEL_OK;
}

static void folder_release(void *link, accel_remote_call *call)
{
  (void)link;
  for (folder_found *found = (folder_found *)call->reply, *next; found != NULL; found = next) {
    next = found->next;
    free(found);
  }
  call->reply = NULL;
}

static accel_status folder_put(void *link, accel_remote_item *items, size_t count,
                               const accel_remote_publisher *publisher_or_null,
                               accel_remote_call *call)
{
  (void)publisher_or_null;
  for (size_t i = 0; i < count; i++)
    items[i].status = folder_write(((folder_link *)link)->folder, &items[i], call);
  return ACCEL_OK;
}

/* Without leases there are no tokens to compare. */
static accel_status folder_fill(void *link, accel_remote_item *items, size_t count,
                                accel_remote_call *call)
{
  return folder_put(link, items, count, NULL, call);
}

static accel_status folder_del(void *link, accel_remote_item *items, size_t count,
                               const accel_remote_publisher *publisher_or_null,
                               accel_remote_call *call)
{
  char name[NAME_MAX + 1];
  (void)publisher_or_null;
  for (size_t i = 0; i < count; i++) {
    items[i].status = ACCEL_OK; /* a file that does not exist counts as removed */
    if (!folder_name(&items[i], name)) continue;
    if (unlinkat(((folder_link *)link)->folder->directory, name, 0) != 0 && errno != ENOENT)
      items[i].status = folder_failed(call, name);
  }
  return ACCEL_OK;
}

static accel_status folder_clear(void *link, const accel_remote_publisher *publisher_or_null,
                                 accel_remote_call *call)
{
  const folder_link *area = (const folder_link *)link;
  accel_status status = ACCEL_OK;
  (void)publisher_or_null;
  const int directory = openat(area->folder->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *files = directory < 0 ? NULL : fdopendir(directory);
  if (files == NULL) return folder_failed(call, area->prefix);
  for (const struct dirent *file; (file = readdir(files)) != NULL;) {
    if (strncmp(file->d_name, area->prefix, strlen(area->prefix)) != 0) continue;
    if (unlinkat(directory, file->d_name, 0) != 0 && errno != ENOENT)
      status = folder_failed(call, file->d_name);
  }
  closedir(files);
  return status;
}

const accel_remote_ops folder_ops = {
    .name = "folder",
    .attach = folder_attach,
    .detach = folder_detach,
    .is_ready = folder_is_ready,
    .now_ms = folder_now_ms,
    .get = folder_get,
    .release = folder_release,
    .fill = folder_fill,
    .put = folder_put,
    .del = folder_del,
    .clear = folder_clear,
};

/* 09_own_backend_folder.h: an L2 in a folder, for programs that run again and again. */
#ifndef EXAMPLES_OWN_BACKEND_FOLDER_H
#define EXAMPLES_OWN_BACKEND_FOLDER_H

#include "accel.h"

#include <limits.h>

/* A folder that lies open. Its caches need no_broadcast: a folder tells nobody of changes. */
typedef struct folder_t {
  int directory;   /* what open(…, O_DIRECTORY) returned */
  uint64_t writes; /* atomic; makes names for files that are being written */
} folder_t;

extern const accel_remote_ops folder_ops;

/* ---- 09_own_backend_file.c ---- */

/* What was read for a get, until it is released. */
typedef struct folder_found {
  struct folder_found *next;
  char bytes[];
} folder_found;

/* The file's name of an item's key. False: it would be too long. */
bool folder_name(const accel_remote_item *item, char name[NAME_MAX + 1]);
accel_status folder_failed(accel_remote_call *call, const char *name);
/* OK: item->data and size are set, and call->reply lists what to free. MISS: there is none. */
accel_status folder_read(const folder_t *folder, accel_remote_item *item, accel_remote_call *call);
accel_status folder_write(folder_t *folder, const accel_remote_item *item, accel_remote_call *call);

#endif

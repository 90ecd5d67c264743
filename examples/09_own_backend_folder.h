/* 09_own_backend_folder.h: an L2 in a folder, for programs that run again and again. */
#ifndef EXAMPLES_OWN_BACKEND_FOLDER_H
#define EXAMPLES_OWN_BACKEND_FOLDER_H

#include "accel.h"

/* A folder that lies open. Its caches need no_broadcast: a folder tells nobody of changes. */
typedef struct folder_t {
  int directory;   /* what open(…, O_DIRECTORY) returned */
  uint64_t writes; /* atomic; makes names for files that are being written */
} folder_t;

extern const accel_remote_ops folder_ops;

#endif

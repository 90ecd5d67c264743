/* file.h: writes files so that what was there survives whatever goes wrong. */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the folders on the way to `path`. False, with errno, if they are not there in the end. */
bool file_make_folders(const char *path);
/* False with errno. */
bool file_write_all(int file, const char *text, size_t length);
/* Writes beside `path`, flushes to the disk and renames; a link stays one, and folders on the way
 * are made. NULL, or why not: a text that lives until the next call. */
const char *file_write(const char *path, const char *text, size_t length);

#endif

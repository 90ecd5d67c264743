/* Files: read whole and bounded, written so that the old one survives whatever goes wrong. */
#ifndef ACCEL_GATE_FILE_H
#define ACCEL_GATE_FILE_H

#include "base.h"

enum { GATE_FILE_BYTES_MAX = 64 * 1024 * 1024 };

bool gate_is_folder(const char *path);
bool gate_exists(const char *path);

/* The whole of a file, a pipe, or standard input ("-"), unpacked if gzip packed it, without a byte
 * order mark, with a NUL behind it. On failure false, and `problems` says
 * "failed to read PATH: why". */
bool gate_file_read(gate_arena *arena, const char *path, char **text_out, size_t *length_out,
                    gate_problems *problems);

/* Writes beside the target, flushes to the disk and renames; folders on the way are made. Until
 * the rename the old file is untouched. "failed to write PATH: why". */
bool gate_file_write(gate_arena *arena, const char *path, const char *text, size_t length,
                     gate_problems *problems);

/* Adds at the end, as one write: for files that only ever grow. */
bool gate_file_append(gate_arena *arena, const char *path, const char *text, size_t length,
                      gate_problems *problems);

#endif

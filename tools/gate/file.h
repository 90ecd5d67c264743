/* Files: read whole and bounded, written so that the old one survives whatever goes wrong. */
#ifndef ACCEL_GATE_FILE_H
#define ACCEL_GATE_FILE_H

#include "base.h"

enum { GATE_FILE_BYTES_MAX = 64 * 1024 * 1024 };

bool gate_is_folder(const char *path);
bool gate_exists(const char *path);

/* The whole of a file, a pipe, or standard input ("-"), without a byte order mark, with a NUL
 * behind it. On failure false, and `problems` says "failed to read PATH: why". */
bool gate_file_read(bench_arena *arena, const char *path, char **text_out, size_t *length_out,
                    gate_problems *problems);

/* Until the new file is whole the old one is untouched; folders on the way are made. "failed to
 * write PATH: why". */
bool gate_file_write(const char *path, const gate_text *text, gate_problems *problems);

/* Adds at the end, as one write: for files that only ever grow. */
bool gate_file_append(const char *path, const gate_text *text, gate_problems *problems);

#endif

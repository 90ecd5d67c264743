/* History: one set a line, in our own form, oldest first. Only ever added to. */
#ifndef ACCEL_GATE_HISTORY_H
#define ACCEL_GATE_HISTORY_H

#include "record.h"

typedef struct gate_history {
  gate_set **sets;
  size_t count, capacity;
} gate_history;

/* What can be read; every line that cannot is a problem that names it. */
gate_history gate_history_read(bench_arena *arena, const char *path, gate_problems *problems);

/* Adds a line that ends with its newline, also behind one that lost its own. False with a problem,
 * and the file as it was, if it could not be read any more afterwards. */
bool gate_history_add(bench_arena *arena, const char *path, const gate_text *line,
                      gate_problems *problems);
/* Keeps the last `keep` lines. Also of a file that is too large to be read. */
bool gate_history_prune(bench_arena *arena, const char *path, size_t keep, size_t *dropped_out,
                        gate_problems *problems);

/* The main figure of a bench's metric over the sets that were made on the same machine as the last
 * of them; *runs_out: the set of each. */
gate_numbers gate_history_series(bench_arena *arena, const gate_history *history, const char *id,
                                 const char *name, const gate_set ***runs_out);

#endif

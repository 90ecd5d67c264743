/* Other programs: run to their end, or held open and asked line by line. One thread. */
#ifndef ACCEL_GATE_PROCESS_H
#define ACCEL_GATE_PROCESS_H

#include "base.h"

#include <sys/types.h>

typedef struct gate_child {
  pid_t id;         /* 0: not running */
  int to;           /* its stdin; -1 if closed */
  int from;         /* its stdout */
  gate_text output; /* what it wrote and nobody has read */
  const char *name; /* for messages */
} gate_child;

/* From here on SIGINT, SIGTERM and SIGHUP end what waits here instead of the process, so that the
 * caller can clean up; gate_interrupted says which came (0: none). */
void gate_catch_signals(void);
int gate_interrupted(void);

int64_t gate_now_ms(void);

/* Words of `argv` end with NULL; argv[0] is found in $PATH. stderr is the caller's, or joins
 * stdout. False, with a problem, if it cannot start. */
bool gate_child_start(gate_child *child, const char *const *argv, bool joins_errors,
                      gate_problems *problems);
/* Sends a line, if that is not NULL, and waits for one in answer; NULL with a problem if none comes
 * in time, the child ends, or a signal came. */
const char *gate_child_ask(gate_child *child, const char *line, int timeout_ms,
                           gate_problems *problems);
/* Waits until it ends, and gives all that it wrote. Its exit code, 128 + signal, or -1 if a signal
 * came to this process first, which ends the child. */
int gate_child_finish(gate_child *child, const char **output_out);
/* Keeps the child's first thread, and those that it starts from now on, on the `turn`-th of the
 * processors that this process may use, counted round and round. False where the system refuses. */
bool gate_child_keep(const gate_child *child, size_t turn);
/* Closes its stdin, gives it a moment, ends it. */
void gate_child_end(gate_child *child);

/* Starts and finishes. -1, with a problem, if it cannot start. */
int gate_run(const char *const *argv, const char **output_out, gate_problems *problems);

#endif

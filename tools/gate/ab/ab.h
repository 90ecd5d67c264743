/* ab/: the same benches built against two trees of headers, run in turns, judged in pairs.
 *
 *   tree    (ab_tree.c)    where the base's headers are: a commit's in a temporary folder, which
 *                          goes on every way out; the bench sources, compiled against both trees
 *   rounds  (ab_rounds.c)  new processes, base and current in turns
 *   judge   (ab_judge.c)   verdicts, and by them how many rounds */
#ifndef ACCEL_GATE_AB_H
#define ACCEL_GATE_AB_H

#include "judge.h"

#include <sys/types.h>

/* ---- process.c: other programs, run to their end, or held open and asked line by line ---- */

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

/* ---- a run ---- */

enum { AB_BASE, AB_NOW, AB_SIDES };

typedef struct ab_options {
  const char *base;      /* a git ref, or NULL */
  const char *base_tree; /* a folder with the base's headers, or NULL */
  const char *tree;      /* the current one */
  const char *source;    /* of the bench program; NULL: the one of cache paths */
  const char *compiler, *flags;
  size_t rounds, rounds_max;
  size_t slice_ms, warm_up_ms;
  size_t bench_ms;  /* of the budget, if that is not given, for each bench */
  size_t budget_ms; /* 0: by the number of benches */
  size_t seed;
  bool is_self;      /* the current tree against itself */
  bool is_bisecting; /* what cannot be judged ends with 125, which git bisect skips */
} ab_options;

/* Figures of one bench, one number a round and side. */
typedef struct ab_series {
  gate_numbers medians[AB_SIDES];
  gate_numbers means[AB_SIDES];
  gate_numbers tails[AB_SIDES]; /* p95 of operations; empty if the bench has none */
} ab_series;

typedef struct ab_bench {
  gate_bench about; /* without metrics */
  bool is_on[AB_SIDES];
  size_t iterations;                             /* of a sample; 0 until calibrated */
  ab_series series[2];                           /* of the first pass, and of the re-run */
  double allocs[AB_SIDES], peak_bytes[AB_SIDES]; /* NAN: unknown */
  const char *failure;                           /* it answered an error; NULL if not */
} ab_bench;

typedef struct ab_run {
  const ab_options *options;
  gate_limits *limits;
  gate_problems *problems;
  const char *folder;               /* temporary; NULL until made */
  const char *base_tree;            /* where the base's headers are */
  const char *base_name, *now_name; /* for reports */
  const char *commits[AB_SIDES];    /* NULL: not known */
  const char *programs[AB_SIDES];   /* NULL: this side could not be built */
  const char *why;                  /* what the compiler said then */
  ab_bench *benches;
  size_t count, capacity;
  gate_pairs skipped;
  gate_pairs build;
  stats_random random;
  int64_t started_ms;
  int64_t unclear_end_ms; /* no further rounds of the first pass from here on */
  int64_t deadline_ms;    /* nor of the re-run */
  size_t rounds_done;
  bool is_unplaced; /* a bench could not be kept on one processor */
} ab_run;

/* Makes the temporary folder and finds the base's headers. Removed by ab_tree_remove, which is
 * safe to call again and is also called when the program exits. */
gate_exit ab_tree_open(ab_run *run);
void ab_tree_remove(void);

/* Compiles. False with problems if the current side cannot be built; a
 * base that cannot is no fault: its benches are new. */
bool ab_build(ab_run *run);

/* Asks both programs what benches they have. */
bool ab_list(ab_run *run);

/* Runs the benches that are active, by index of run->benches: into their first series, or into that
 * of the re-run. False with problems if a program broke. Ends early, without a problem, when
 * another round would take the pass beyond its time and every active bench has 6 rounds. */
bool ab_rounds(ab_run *run, const bool *is_active, bool is_again, size_t rounds);

/* Measures until nothing is unclear or the time is used up, runs again what failed, and puts
 * verdicts into rows. False with problems if a program broke. */
bool ab_measure(ab_run *run, gate_report *report);

#endif

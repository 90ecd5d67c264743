/* forms/: what files hold, read into sets (read_*.c) and written from them (write_*.c).
 *
 * read_own.c, read_criterion.c and others know a form each; read_file.c tells which form a file is
 * of, and checks what they read. A reader believes nothing: what it returns keeps the
 * invariants of record.h, and what did not is left out and told as a problem. So a set and
 * problems may come together; the caller decides what that is worth. */
#ifndef ACCEL_GATE_FORMS_H
#define ACCEL_GATE_FORMS_H

#include "json.h"
#include "record.h"

#include "harness/json.h"

typedef struct gate_read_options {
  bool is_compat;    /* what the compat checker took: means of 0 and below, any version */
  bool needs_median; /* of criterion's estimates */
} gate_read_options;

/* A file of any form, or a folder of criterion's. NULL if nothing could be read; then there is a
 * problem. */
gate_set *gate_read(const char *path, gate_read_options options, gate_problems *problems);

/* Never a folder. */
gate_set *gate_read_file(const char *path, gate_read_options options, gate_problems *problems);
/* What a file holds, told by its first bytes and keys. */
gate_set *gate_read_text(const char *path, const char *text, size_t length,
                         gate_read_options options, gate_problems *problems);

/* The folder that criterion and our benches write. Its texts are those of the compat tools. */
gate_set *gate_read_criterion(const char *folder, gate_read_options options,
                              gate_problems *problems);

/* The parts of a criterion entry, each a file, for the reader above and for tests that feed it
 * bytes. They add to `bench`; false with a problem if the text is not what it should be. */
typedef enum gate_entry_part {
  GATE_ESTIMATES,
  GATE_SAMPLE,
  GATE_BENCHMARK,
} gate_entry_part;
bool gate_read_entry_part(gate_bench *bench, gate_entry_part part, const char *path,
                          const char *text, size_t length, gate_read_options options,
                          gate_problems *problems);

/* ---- writers: same set, same bytes; what a form can say of a set, its reader reads back ---- */

/* The compat baseline: {"version":1,"benchmarks":{ID:{"mean_ns","median_ns"}}}. */
void gate_write_compat(gate_text *text, const gate_set *set);
/* Our own form: the same keys, and all else that a set holds; or that without samples on one line,
 * for a history. */
void gate_write_own(gate_text *text, const gate_set *set, bool is_line);

/* Adds a value as text, and takes it. */
void gate_add_json(gate_text *text, json_t *value, bool is_pretty);
json_t *gate_pairs_json(const gate_pairs *pairs);

/* ---- between the readers ---- */

void gate_read_own(gate_set *set, gate_json *json, gate_read_options options);
void gate_read_records(gate_set *set, gate_json *json);
void gate_read_google(gate_set *set, gate_json *json);
void gate_read_hyperfine(gate_set *set, gate_json *json);
void gate_read_go(gate_set *set, char *text, gate_problems *problems);
void gate_read_libtest(gate_set *set, char *text, gate_problems *problems);

/* Lists of a metric in our own form; samples are the last. */
enum { GATE_LISTS = 4 };
extern const char *const gate_list_names[GATE_LISTS];

/* What our own form says of a bench besides its metrics. */
void gate_read_about(gate_bench *bench, gate_json *json, json_t *object);
/* Sorts, summarises rounds, and drops what breaks the invariants between benches and figures. */
void gate_read_finish(gate_set *set, gate_read_options options, gate_problems *problems);

/* ---- history: one set a line, in our own form, oldest first; only ever added to ---- */

typedef struct gate_history {
  gate_set **sets;
  size_t count, capacity;
} gate_history;

/* What can be read; every line that cannot is a problem that names it. */
gate_history gate_history_read(const char *path, gate_problems *problems);

/* Adds a line that ends with its newline, also behind one that lost its own. False with a problem,
 * and the file as it was, if it could not be read any more afterwards. */
bool gate_history_add(const char *path, const gate_text *line, gate_problems *problems);
/* Keeps the last `keep` lines. Also of a file that is too large to be read. */
bool gate_history_prune(const char *path, size_t keep, size_t *dropped_out,
                        gate_problems *problems);

/* The main figure of a bench's metric over the sets that were made on the same machine as the last
 * of them; *runs_out: the set of each. */
gate_numbers gate_history_series(const gate_history *history, const char *id, const char *name,
                                 const gate_set ***runs_out);

#endif

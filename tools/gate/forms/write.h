/* Writers: from a set to the text of a file. Same set, same bytes; what a form can say of a set,
 * its reader reads back bit for bit. */
#ifndef ACCEL_GATE_WRITE_H
#define ACCEL_GATE_WRITE_H

#include "record.h"

#include "harness/json.h"

/* The compat baseline: {"version":1,"benchmarks":{ID:{"mean_ns","median_ns"}}}. False if no bench
 * has a mean. */
bool gate_write_compat(gate_text *text, const gate_set *set);
/* Our own form: the same keys, and all else that a set holds. */
void gate_write_own(gate_text *text, const gate_set *set);
/* The same on one line, without samples: a line of history. */
void gate_write_line(gate_text *text, const gate_set *set);

/* The forms of other tools. `set` has what they need or it is left out; false if a form cannot
 * say any of it. */
typedef bool gate_write_function(gate_text *text, const gate_set *set);
typedef struct gate_writer {
  const char *name;
  gate_write_function *write;
} gate_writer;

extern const gate_writer gate_writers[]; /* ends with a NULL name */

/* Adds a value as text, and takes it. */
void gate_add_json(gate_text *text, json_t *value, bool is_pretty);
json_t *gate_pairs_json(const gate_pairs *pairs);

#endif

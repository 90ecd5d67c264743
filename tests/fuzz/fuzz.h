/* fuzz.h: what comes from the network, and what is done to a table or a connection, as functions
 * that swallow any bytes.
 *
 * A target calls a decoder with the input, or takes the input for a sequence of steps, and checks
 * what must hold whatever the input is; a violation aborts. libFuzzer drives them where clang is
 * installed (run.py), replay.c everywhere.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void fuzz_fn(const uint8_t *data, size_t size);

typedef struct fuzz_target {
  const char *name;
  fuzz_fn *run;
} fuzz_target;

/* NULL: there is no such target, said on stderr. */
const fuzz_target *fuzz_find(const char *name);

/* Aborts, with `what` on stderr, unless it holds. */
void fuzz_require(bool holds, const char *what);

fuzz_fn fuzz_connection, fuzz_table; /* of the files of that name */

#endif

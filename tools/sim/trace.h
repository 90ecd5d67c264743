/* trace.h: which keys a program asked for, in order: from a file, or made up.
 *
 * Keys are numbered from 0 in the order in which they first appear, so that whoever replays a
 * trace can use arrays. Files are untrusted: every error names the file, the line or record, and
 * what stands there.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_ERROR_SIZE 512

/* Why something failed: one sentence. */
typedef struct sim_error {
  char text[SIM_ERROR_SIZE];
} sim_error;

typedef struct sim_trace {
  uint32_t *keys;
  size_t length;
  uint32_t distinct; /* all keys are below */
} sim_trace;

/* Always false, so that it can be returned. */
bool sim_fail(sim_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads at most `limit` requests; 0: all. Both may be compressed with gzip. The trace is the
 * caller's to release, also after a failure. Text has one key per line, of any bytes; empty lines
 * are skipped. Binary is oracleGeneral: records of 24 bytes, little endian: u32 time, u64 key,
 * u32 size, i64 next access. */
bool sim_trace_read_text(const char *path, size_t limit, sim_trace *trace, sim_error *error);
bool sim_trace_read_binary(const char *path, size_t limit, sim_trace *trace, sim_error *error);

/* Makes one up, by a description such as "zipf:keys=100000,length=1000000,exponent=0.99". */
bool sim_trace_make(const char *description, sim_trace *trace, sim_error *error);
/* What can be made up, a line each. */
const char *sim_trace_makers(void);

void sim_trace_release(sim_trace *trace);

/* ---- for those who build traces ---- */

/* Adds one request for the key number `key`. False: no memory. */
bool sim_trace_append(sim_trace *trace, uint32_t key, size_t *space);

#endif

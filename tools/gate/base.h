/* What every part of accel-gate stands on: memory, text, numbers, files, and the list of what is
 * wrong.
 *
 * All memory is the arena's (bench/harness/arena.h), so nothing here has an owner. Numbers are
 * written and read as in the C locale, whatever the user's locale makes of a decimal point. One
 * thread. */
#ifndef ACCEL_GATE_BASE_H
#define ACCEL_GATE_BASE_H

#include "harness/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* The exit codes. Where several apply, gate_report_exit decides: 3 before 1, and 1 before 4; only a
 * bench that failed is 1 even if nothing was compared. */
typedef enum gate_exit {
  GATE_EXIT_OK = 0,
  /* A regression; a bench that failed or is missing; a warning that counts as an error. */
  GATE_EXIT_REGRESSION = 1,
  GATE_EXIT_USAGE = 2,
  /* Input is missing or invalid, nothing was compared, or a report could not be written. */
  GATE_EXIT_INPUT = 3,
  /* Beyond a limit by too few rounds; or inconclusive or not comparable, where the user asked for
   * certainty. */
  GATE_EXIT_UNSURE = 4,
} gate_exit;

/* ---- text that grows ---- */

typedef struct gate_text {
  char *bytes; /* ends with NUL; NULL while empty */
  size_t length;
  size_t capacity;
} gate_text;

void gate_text_add(gate_text *text, const char *more);
void gate_text_add_bytes(gate_text *text, const char *more, size_t length);
void gate_text_printf(gate_text *text, const char *format, ...) ARENA_PRINTF(2, 3);
const char *gate_text_c(const gate_text *text);
/* printf for XML and HTML: all arguments are texts, which are escaped: %s only, and %% for a
 * percent. Letters that XML cannot hold become U+FFFD. */
void gate_add_markup(gate_text *out, const char *format, ...);

/* ---- numbers ---- */

typedef struct gate_numbers {
  double *values;
  size_t count;
  size_t capacity;
} gate_numbers;

void gate_numbers_add(gate_numbers *numbers, double value);

/* The whole of `text` as a number: decimal digits, point, exponent, sign; also inf, infinity and
 * nan in any case. Nothing else: no blanks, no hexadecimal, no comma. */
bool gate_number_parse(const char *text, double *out);
/* The shortest text that reads back as the same number, integers without a point: -5, 0.15, NaN. */
const char *gate_number_plain(double value);
/* "1 bench", "3 benches". */
const char *gate_some(size_t count, const char *one, const char *many);
/* "+12.3 %", "0.0 %". */
const char *gate_percent(double ratio);

/* Letters (code points) of UTF-8. */
size_t gate_letters(const char *text);
bool gate_is_utf8(const char *text, size_t length);
/* `pattern` with *, ? and [...], over the whole of `text`; * also matches a slash. */
bool gate_matches(const char *pattern, const char *text);

/* ---- what is wrong ---- */

/* Collected rather than told at once, so that one bad file does not hide the next. A text is a
 * sentence without a full stop that names the file and the place in it. */
typedef struct gate_problems {
  const char **texts;
  size_t count, capacity;
} gate_problems;

/* Returns false, so that a reader may end with it. */
bool gate_wrong(gate_problems *problems, const char *format, ...) ARENA_PRINTF(2, 3);

/* ---- files: read whole and bounded, written so that the old one survives ---- */

enum { GATE_FILE_BYTES_MAX = 64 * 1024 * 1024 };

bool gate_is_folder(const char *path);
bool gate_exists(const char *path);

/* The whole of a file, a pipe, or standard input ("-"), without a byte order mark, with a NUL
 * behind it. On failure false, and `problems` says "failed to read PATH: why". */
bool gate_file_read(const char *path, char **text_out, size_t *length_out, gate_problems *problems);

/* Until the new file is whole the old one is untouched; folders on the way are made. "failed to
 * write PATH: why". */
bool gate_file_write(const char *path, const gate_text *text, gate_problems *problems);

/* Adds at the end, as one write: for files that only ever grow. */
bool gate_file_append(const char *path, const gate_text *text, gate_problems *problems);

#endif

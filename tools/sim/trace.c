#include "trace.h"

#include "numbers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LINE_SIZE 4096
#define RECORD_SIZE 24

bool sim_fail(sim_error *error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  return false;
}

bool sim_trace_append(sim_trace *trace, uint32_t key, size_t *space)
{
  if (trace->length == *space) {
    const size_t wanted = *space == 0 ? 4096 : *space * 2;
    if (wanted > SIZE_MAX / sizeof *trace->keys) return false;
    uint32_t *keys = (uint32_t *)realloc(trace->keys, wanted * sizeof *keys);
    if (keys == NULL) return false;
    trace->keys = keys;
    *space = wanted;
  }
  trace->keys[trace->length++] = key;
  if (key >= trace->distinct) trace->distinct = key + 1;
  return true;
}

void sim_trace_release(sim_trace *trace)
{
  free(trace->keys);
  memset(trace, 0, sizeof *trace);
}

/* A file that is being read, and where in it. */
typedef struct reader {
  const char *path;
  gzFile file;
  size_t limit, space;
  size_t at; /* line or record, from 1 */
  sim_numbers numbers;
  sim_trace *trace;
  sim_error *error;
} reader;

static bool reader_open(reader *from)
{
  errno = 0;
  from->file = gzopen(from->path, "rb");
  if (from->file != NULL) return true;
  return sim_fail(from->error, "%s: %s", from->path, errno != 0 ? strerror(errno) : "no memory");
}

static void reader_close(reader *from)
{
  if (from->file != NULL) gzclose(from->file);
  sim_numbers_release(&from->numbers);
}

static bool reader_is_done(const reader *from)
{
  return from->limit != 0 && from->trace->length == from->limit;
}

static bool reader_add(reader *from, uint64_t key)
{
  uint32_t number;
  if (sim_numbers_find(&from->numbers, key, &number) &&
      sim_trace_append(from->trace, number, &from->space))
    return true;
  return sim_fail(from->error, "%s: no memory for more than %zu requests of %u keys", from->path,
                  from->trace->length, from->numbers.count);
}

/* At the end of what can be read: is that the end of the file? */
static bool reader_check_end(const reader *from, const char *unit)
{
  int code = Z_OK;
  const char *text = gzerror(from->file, &code);
  if (code == Z_OK || code == Z_STREAM_END) {
    if (from->trace->length > 0) return true;
    return sim_fail(from->error, "%s: holds no request", from->path);
  }
  if (code == Z_ERRNO) text = strerror(errno);
  return sim_fail(from->error, "%s: %s %zu cannot be read: %s", from->path, unit, from->at, text);
}

/* ---- text ---- */

static bool text_add_line(reader *from, const char *line, size_t size)
{
  const bool has_end = size > 0 && line[size - 1] == '\n';
  if (!has_end && size == LINE_SIZE - 1)
    return sim_fail(from->error, "%s:%zu: the key \"%.40s...\" is longer than %d bytes", from->path,
                    from->at, line, LINE_SIZE - 2);
  if (has_end) size--;
  if (size > 0 && line[size - 1] == '\r') size--;
  if (size == 0) return true;
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)line[i] < ' ' && line[i] != '\t')
      return sim_fail(from->error, "%s:%zu: byte %zu of the line is 0x%02x: this is not text",
                      from->path, from->at, i + 1, (unsigned)(unsigned char)line[i]);
  return reader_add(from, sim_hash_bytes(line, size));
}

static bool text_read(reader *from)
{
  char line[LINE_SIZE];
  while (!reader_is_done(from)) {
    from->at++;
    const z_off_t start = gztell(from->file); /* for a line that holds a 0 */
    if (gzgets(from->file, line, sizeof line) == NULL) return reader_check_end(from, "line");
    if (!text_add_line(from, line, (size_t)(gztell(from->file) - start))) return false;
  }
  return true;
}

bool sim_trace_read_text(const char *path, size_t limit, sim_trace *trace, sim_error *error)
{
  reader from = {.path = path, .limit = limit, .trace = trace, .error = error};
  const bool is_read = reader_open(&from) && text_read(&from);
  reader_close(&from);
  return is_read;
}

/* ---- binary ---- */

static uint64_t binary_key(const unsigned char *record)
{
  uint64_t key = 0;
  for (unsigned i = 0; i < 8; i++) key |= (uint64_t)record[4 + i] << 8 * i;
  return key;
}

static bool binary_read(reader *from)
{
  unsigned char record[RECORD_SIZE];
  while (!reader_is_done(from)) {
    from->at++;
    const int size = gzread(from->file, record, sizeof record);
    if (size <= 0) return reader_check_end(from, "record");
    if (size < RECORD_SIZE) {
      int code = Z_OK;
      gzerror(from->file, &code);
      if (code != Z_OK && code != Z_STREAM_END) return reader_check_end(from, "record");
      return sim_fail(from->error, "%s: record %zu has %d bytes instead of %d", from->path,
                      from->at, size, RECORD_SIZE);
    }
    if (!reader_add(from, binary_key(record))) return false;
  }
  return true;
}

bool sim_trace_read_binary(const char *path, size_t limit, sim_trace *trace, sim_error *error)
{
  reader from = {.path = path, .limit = limit, .trace = trace, .error = error};
  const bool is_read = reader_open(&from) && binary_read(&from);
  reader_close(&from);
  return is_read;
}
